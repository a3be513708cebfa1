"""Type I errors, power, optimism and the fifteen combinations on the terminal, at 100 columns."""

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from shared.channels import ATTRIBUTE_GROUPS
from shared.evaluation.cross_validated import CV_METRICS
from simulations.evaluation.summary import LARGEST_TYPE_I, Mean, PowerStudy, Rate, WorldSummary
from simulations.report.wording import METRIC_LABELS, combination_label, count, number
from simulations.terminal import print_anywhere

__all__ = ["print_power_study"]

_WORLDS = {"none": "No group effect", "base": "Calibrated effect"}


def print_power_study(study: PowerStudy, console: Console | None = None) -> None:
    """Print what was found without and with an effect.

    Parameters
    ----------
    study : PowerStudy
    console : Console or None
        Where to print; standard output by default.
    """
    parts: list[RenderableType] = [_rates(study), Text(), _figures(study), Text()]
    effect = study.world("base")
    if effect is not None:
        parts += [_combinations(effect), Text()]
    parts.append(_verdict(study))
    parts.append(_provenance(study))
    print_anywhere(Group(*parts), console)


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column(columns[0])
    for column in columns[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _rates(study: PowerStudy) -> Table:
    headings = [f"{_WORLDS[w.world]} ({w.cohorts})" for w in study.worlds]
    table = _table("How often something is found, with 95 % interval", "Test", *headings)
    for rate in study.worlds[0].rates:
        cells = [_rate(world.rate(rate.name)) for world in study.worlds]
        table.add_row(rate.title, *cells, style=None if rate.bounded else "dim")
    return table


def _figures(study: PowerStudy) -> Table:
    table = _table(
        "Mean over cohorts (sd of one cohort)",
        "Figure",
        *(_WORLDS[world.world] for world in study.worlds),
    )
    for metric in CV_METRICS:
        label = METRIC_LABELS[metric]
        for name, title in (
            (f"nested_{metric}", f"{label}, nested"),
            (f"chosen_on_test_{metric}", f"{label}, best of 15 chosen on its test folds"),
            (f"apparent_{metric}", f"{label}, apparent"),
            (f"optimism_{metric}", f"{label}, optimism: apparent minus nested"),
            (f"choice_optimism_{metric}", f"{label}, best of 15 minus nested"),
            (f"private_{metric}", f"{label}, private one-round, leave-one-out"),
            *(
                (f"shapley_{group}_{metric}", f"{label}, Shapley share of {_group(group)}")
                for group in ATTRIBUTE_GROUPS
            ),
        ):
            table.add_row(title, *(_mean(world.mean(name)) for world in study.worlds))
    return table


def _combinations(world: WorldSummary) -> Table:
    table = _table(
        "Combinations with the calibrated effect: gain on AU alone, and how often it is found",
        "Inputs",
        *(
            heading
            for metric in CV_METRICS
            for heading in (METRIC_LABELS[metric], "gain", "found", "adj.")
        ),
    )
    names = list(dict.fromkeys(row.combination for row in world.combinations))
    for name in names:
        cells = []
        for metric in CV_METRICS:
            row = next(r for r in world.combinations if (r.combination, r.metric) == (name, metric))
            cells += [
                number(row.figure.mean, 3),
                number(row.gain.mean if row.gain else None, 3, sign=True),
                number(row.found_alone),
                number(row.found_adjusted),
            ]
        table.add_row(combination_label(name), *cells)
    return table


def _verdict(study: PowerStudy) -> Text:
    null = study.world("none")
    if null is None:
        return Text("No cohorts without effect were run: nothing is said about type I errors.")
    bound = number(LARGEST_TYPE_I)
    if not study.above_bound:
        return Text(
            f"Type I error at most {bound} in all {sum(r.bounded for r in null.rates)} tests held "
            f"to it, measured on {null.cohorts} cohorts.",
            style="green",
        )
    lines = [
        f"Type I error above {bound}: {rate.title}: {_rate(rate)}"
        + ("; its interval holds .05" if rate.low <= 0.05 else "")
        for rate in study.above_bound
    ]
    return Text("\n".join(lines), style="yellow")


def _provenance(study: PowerStudy) -> Text:
    said = study.protocol
    seeds = "; ".join(
        f"{label} {seeds[0]} to {seeds[1]}"
        for label, seeds in (
            ("without effect", said["null_seeds"]),
            ("with effect", said["effect_seeds"]),
        )
        if seeds
    )
    return Text(
        f"Data: {study.data} ({seeds}). {said['outer_folds']} outer and {said['inner_folds']} "
        f"inner folds, {said['repeats']} partition(s); {said['permutations']} permutations, "
        f"{said['nested_permutations']} of the nested recipe; private training at epsilon "
        f"{count(said['epsilon'])}, delta {count(said['delta'])}. Took {study.elapsed_s:.0f} s on "
        f"{study.machine.cores} core(s). Simulated children, not patients.",
        style="dim",
    )


def _group(group: str) -> str:
    return "AU" if group == "au" else group


def _rate(rate: Rate) -> str:
    return f"{number(rate.rate, 3)} ({number(rate.low, 3)} to {number(rate.high, 3)})"


def _mean(mean: Mean) -> str:
    if mean.sd is None:
        return number(mean.mean, 3)
    return f"{number(mean.mean, 3)} ({number(mean.sd, 3)})"
