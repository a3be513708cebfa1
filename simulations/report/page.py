"""Fill the page: numbers into tables, plots and sentences into sections."""

from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from shared.files import write_atomic
from shared.privacy.accountant import attack_success
from shared.report.environment import page_environment
from simulations.report import figures, summary
from simulations.report.figures import FALSE_ACCUSATIONS, Plot
from simulations.report.wording import (
    METHOD_DEFINITIONS,
    METRIC_DEFINITIONS,
    METRIC_LABELS,
    combination_label,
    count,
    fullest_combination,
    headline_epsilon,
    in_prose,
    method_label,
    number,
    power_of_ten,
    repeats,
    rows_of,
)
from simulations.results import ClinicSize, Difference, Metric, Provenance, Record, Results

__all__ = ["SMALL_CELL", "render_report", "write_report"]

SMALL_CELL = 10
"""Counts of real participants below this are not printed."""


class Cell(NamedTuple):
    """One metric of one row."""

    mean: str
    interval: str
    sd: str


class Line(NamedTuple):
    """One row of a table of scores."""

    label: str
    is_site: bool
    starts_block: bool
    cells: list[Cell]


class ScoreTable(NamedTuple):
    """All scores on one combination of inputs."""

    anchor: str
    caption: str
    metrics: list[str]
    lines: list[Line]
    notes: list[str]


class Figure(NamedTuple):
    """A plot with its words."""

    anchor: str
    heading: str
    lead: str
    plot: Plot
    caption: str


def write_report(path: Path, results: Results) -> None:
    """Write the page to ``path``, whole or not at all."""
    write_atomic(path, render_report(results))


def render_report(results: Results) -> str:
    """The report as one HTML document without any outside resource.

    Parameters
    ----------
    results : Results
        The only source of the page's numbers.

    Returns
    -------
    str
        HTML5, UTF-8; readable on a desktop, on a phone and on paper.
    """
    provenance = results.provenance
    template = page_environment("simulations.report").get_template("page.html")
    return template.render(
        title=_title(results),
        subtitle=_subtitle(results),
        surrogate=provenance.data == "surrogate",
        reproduces=_reproduces(results),
        provenance=provenance,
        tiles=summary.tiles(results),
        inputs=combination_label(fullest_combination(results)),
        sentences=summary.sentences(results),
        figures=_figures(results),
        score_tables=[_score_table(results, c) for c in results.combinations],
        difference_tables=_difference_tables(results),
        plans=_plans(provenance),
        delta=power_of_ten(provenance.delta) if provenance.delta else None,
        clinics=_clinics(provenance),
        protocol=[part.strip() for part in provenance.protocol.split("\n\n") if part.strip()],
        definitions=[
            (
                METRIC_LABELS[metric],
                METRIC_DEFINITIONS[metric].format(
                    positive=provenance.positive_name, negative=provenance.negative_name
                ),
            )
            for metric in results.metrics
        ],
        methods=[
            (
                method_label(method, positive=provenance.positive_name),
                text.format(positive=provenance.positive_name),
            )
            for method, text in METHOD_DEFINITIONS.items()
            if any(record.method == method for record in results.results)
        ],
        intervals=any(record.low is not None for record in results.results),
        facts=_facts(provenance),
        repeat=provenance.repeat,
        private=bool(results.epsilons),
        local=any(record.method == "local-dp" for record in results.results),
    )


def _reproduces(results: Results) -> bool:
    return any(record.method == "poster" for record in results.results)


def _title(results: Results) -> str:
    if _reproduces(results):
        return "Classifying ASD from facial affect across clinics, under differential privacy"
    return "Federated training under differential privacy, site by site"


def _subtitle(results: Results) -> str:
    provenance = results.provenance
    if _reproduces(results):
        clinics = f" in {len(provenance.clinics)} clinics" if provenance.clinics else ""
        return (
            f"A reproduction of Table 1 of Li et al. (ICIP 2019), on {_repeats_asked(results)}"
            f"{clinics}"
        )
    return provenance.data_description


def _repeats_asked(results: Results) -> str:
    provenance = results.provenance
    return repeats(provenance, provenance.cohorts or max(r.n for r in results.results))


def _figures(results: Results) -> list[Figure]:
    provenance = results.provenance
    inputs = in_prose(fullest_combination(results))
    epsilon = headline_epsilon(results)
    made = []
    if (plot := figures.published_against_ours(results)) is not None:
        lead = (
            "Logistic regression on all rows, without privacy, is what the publication did. The "
            "surrogate cohort is calibrated to its table, so agreement here is by construction; "
            "what the simulation adds is the spread around it."
            if provenance.data == "surrogate"
            else "Logistic regression on all rows, without privacy, is what the publication did."
        )
        if epsilon is not None:
            lead += f" The private federation is shown at ε = {count(epsilon)}."
        caption = "The published values come from one cohort and were printed without an interval."
        if any(record.low is not None for record in results.results):
            caption = (
                f"Dot: mean. Wide bar: 95 % interval of the mean over {_repeats_asked(results)}. "
                "Thin line: where 95 of 100 single cohorts fall (mean ± 1.96 sd). " + caption
            )
        made.append(Figure("published", "Beside the published table", lead, plot, caption))
    if (plot := figures.sites(results)) is not None:
        caption = (
            "Dot: mean. Bar: 95 % interval of the mean where a method was repeated. Where a score "
            "is undefined there is no dot; the reason stands below the table."
        )
        if any(r.site is not None and r.method != "alone" for r in results.results):
            heading = "Site by site"
            lead = (
                "Each method scored on the test participants of each site, and over all of them. "
                "One clinic alone: trained at that site, scored on everyone's test participants."
            )
        else:
            heading = "Each clinic alone"
            lead = (
                f"What each clinic reaches from its own participants only, on {inputs}. The last "
                "line is the mean weighted by size."
            )
        made.append(Figure("sites", heading, lead, plot, caption))
    if (plot := figures.cost_of_privacy(results)) is not None:
        lead = f"Scores against ε on {inputs}. Lines that do not move need no ε."
        caption = (
            "Vertical bars and the grey band: 95 % intervals of the mean. Where pooled and "
            "federated without privacy agree, their lines lie on each other."
        )
        made.append(Figure("cost", "What privacy costs", lead, plot, caption))
    if (plot := figures.one_draw(results)) is not None:
        if provenance.repeat == "cohort":
            heading = "One study is one draw"
            lead = (
                f"How far a single cohort can land from the mean, on {inputs}. Where thin lines "
                "overlap, two studies of this size can come out in either order."
            )
        else:
            heading = "One training is one draw of the noise"
            lead = f"How far a single private training can land from the mean, on {inputs}."
        caption = "Spread assumes a roughly normal distribution over repeats and is cut at 0 and 1."
        made.append(Figure("draw", heading, lead, plot, caption))
    if (plot := figures.what_epsilon_means(provenance.plans)) is not None:
        lead = (
            "A hundred participants, and an attacker who knows everything except whether each of "
            "them took part, and may wrongly accuse 5 of 100 outsiders. No attack, with any "
            "computing power, identifies more of them than this."
        )
        caption = (
            "Bound on the true positive rate at a false positive rate of .05: Φ(Φ⁻¹(.05) + μ), "
            "with μ the Gaussian-DP parameter of everything a study releases. It presumes that a "
            "participant’s own clinic is honest, that each is enrolled once, and that no more "
            "clinics side with the server than the study allows for."
        )
        made.append(Figure("epsilon", "What ε means", lead, plot, caption))
    return made


def _cell(record: Record | None) -> Cell:
    if record is None or record.mean is None:
        return Cell("–", "", "")
    if record.method == "poster":
        return Cell(number(record.mean), "", "")
    interval = ""
    if record.low is not None and record.high is not None:
        interval = f"{number(record.low, 3)} to {number(record.high, 3)}"
    return Cell(number(record.mean, 3), interval, number(record.sd, 3) if record.sd else "")


def _score_table(results: Results, combination: str) -> ScoreTable:
    lines, notes, before = [], [], None
    for row in rows_of(results, combination):
        records = [
            results.find(row.method, combination, metric, site=row.site, epsilon=row.epsilon)
            for metric in results.metrics
        ]
        label = row.site or method_label(
            row.method, row.epsilon, positive=results.provenance.positive_name
        )
        lines.append(
            Line(label, row.site is not None, row.method != before, [_cell(r) for r in records])
        )
        before = row.method
        method = method_label(row.method, row.epsilon, positive=results.provenance.positive_name)
        where = f"{method}, {row.site}" if row.site else method
        notes += [
            f"{where}, {METRIC_LABELS[record.metric]}: {record.reason}."
            for record in records
            if record is not None and record.reason
        ]
    return ScoreTable(
        anchor="scores-" + "".join(c if c.isalnum() else "-" for c in combination),
        caption=combination_label(combination),
        metrics=[METRIC_LABELS[metric] for metric in results.metrics],
        lines=lines,
        notes=notes,
    )


def _difference_tables(results: Results) -> list[ScoreTable]:
    """Paired differences, one table per pair of methods, on every combination that has them."""
    pairs = dict.fromkeys((d.method, d.against) for d in results.differences)
    metrics: list[Metric] = [
        m for m in results.metrics if any(d.metric == m for d in results.differences)
    ]
    tables = []
    for method, against in pairs:
        lines: list[Line] = []
        for combination in results.combinations:
            rows = {
                d.epsilon: d
                for d in results.differences
                if (d.method, d.against, d.combination) == (method, against, combination)
            }
            for rank, epsilon in enumerate(sorted(rows, key=lambda e: -(e or 0))):
                label = combination_label(combination)
                label += "" if epsilon is None else f", ε = {count(epsilon)}"
                cells = [
                    _difference_cell(
                        results.find_difference(
                            method, combination, metric, against=against, epsilon=epsilon
                        )
                    )
                    for metric in metrics
                ]
                lines.append(Line(label, False, rank == 0, cells))
        caption = f"{method_label(method)} minus {method_label(against)}"
        names = [METRIC_LABELS[metric] for metric in metrics]
        tables.append(ScoreTable(f"paired-{method}-{against}", caption, names, lines, []))
    return tables


def _difference_cell(record: Difference | None) -> Cell:
    if record is None or record.mean is None:
        return Cell("–", "", "")
    interval = ""
    if record.low is not None and record.high is not None:
        interval = f"{number(record.low, 3, sign=True)} to {number(record.high, 3, sign=True)}"
    sd = number(record.sd, 3) if record.sd else ""
    return Cell(number(record.mean, 3, sign=True), interval, sd)


def _plans(provenance: Provenance) -> list[tuple[str, ...]]:
    """ε, δ, μ, rounds, share identified at 5 % false accusations, accuracy at even odds."""
    from scipy.stats import norm

    return [
        (
            count(plan.epsilon),
            power_of_ten(plan.delta),
            f"{plan.mu:.3f}",
            str(plan.rounds),
            number(attack_success(plan.mu, FALSE_ACCUSATIONS), 3),
            number(float(norm.cdf(plan.mu / 2)), 3),
        )
        for plan in sorted(provenance.plans, key=lambda plan: -plan.epsilon)
    ]


def _clinics(provenance: Provenance) -> list[tuple[str, ...]]:
    """Rows of the table of participants; without the classes where no clinic gives them."""
    rows = [_clinic(clinic, provenance) for clinic in provenance.clinics]
    if all(clinic.positives is None for clinic in provenance.clinics):
        return [row[:2] for row in rows]
    return rows


def _clinic(clinic: ClinicSize, provenance: Provenance) -> tuple[str, ...]:
    """Name and counts; real counts below ten are hidden, and so is what would give them away."""
    positives = clinic.positives
    negatives = None if positives is None else clinic.participants - positives
    counts: list[int | None] = [clinic.participants, positives, negatives]
    hide = provenance.data == "real"
    if hide and clinic.participants < SMALL_CELL:
        return (clinic.name, f"< {SMALL_CELL}", "–", "–")
    if hide and any(c is not None and c < SMALL_CELL for c in (positives, negatives)):
        return (clinic.name, str(clinic.participants), "hidden", "hidden")
    shown = ["–" if c is None else str(c) for c in counts]
    return (clinic.name, shown[0], shown[1], shown[2])


def _facts(provenance: Provenance) -> list[tuple[str, str]]:
    machine = provenance.machine
    facts = [
        ("Command", provenance.command),
        ("Created", provenance.created.strftime("%d %B %Y, %H:%M:%S %Z")),
        ("Data", f"{provenance.data}: {provenance.data_description}"),
        ("Engine", provenance.engine),
    ]
    if provenance.cohorts is not None:
        facts.append(("Repeats", repeats(provenance, provenance.cohorts)))
    if provenance.seed is not None:
        facts.append(("First seed", str(provenance.seed)))
    if provenance.elapsed_s is not None:
        elapsed = timedelta(seconds=round(provenance.elapsed_s))
        facts.append(("Time taken", f"{elapsed} (hours:minutes:seconds)"))
    cores = f"{machine.cores} core{'' if machine.cores == 1 else 's'}"
    facts.append(("Machine", f"{machine.cpu}, {cores}, {machine.system}, Python {machine.python}"))
    versions = ", ".join(f"{name} {version}" for name, version in provenance.software.items())
    facts.append(("Software", versions))
    facts += [
        (name.replace("_", " ").capitalize(), _plain(value))
        for name, value in provenance.further.items()
    ]
    return facts


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
