"""``fedaffect-sim reproduce``: Table 1 of the poster, pooled, federated and private."""

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from shared.errors import InputError
from simulations.commands.options import (
    check_choice,
    check_delta,
    check_out,
    command_line,
    parse_epsilons,
    progress_bar,
)

if TYPE_CHECKING:
    from simulations.cohort import World

__all__ = ["reproduce_command"]

DEFAULT_SEED = 5000
"""First cohort; no design choice, calibration or tuning ever looked at these seeds."""


def reproduce_command(
    cohorts: Annotated[
        int, typer.Option(min=1, help="Surrogate cohorts; repeats of a real cohort.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first cohort.")] = DEFAULT_SEED,
    clinics: Annotated[int, typer.Option(min=2, help="Clinics of a surrogate cohort.")] = 4,
    epsilon: Annotated[str, typer.Option(help="Privacy budgets, separated by commas.")] = "8,4,2,1",
    delta: Annotated[float, typer.Option(help="Delta; well under 1 / participants.")] = 1e-5,
    engine: Annotated[
        str, typer.Option(help="inprocess, or ray (Flower's Ray engine).")
    ] = "inprocess",
    combinations: Annotated[
        str, typer.Option(help="paper (the poster's four) or all (15).")
    ] = "paper",
    world: Annotated[
        str,
        typer.Option(help="Where the surrogate's group effect lies: base, group, composites, raw."),
    ] = "base",
    cohort_dir: Annotated[
        Path | None,
        typer.Option(
            help="A cohort of attribute files with participants.csv, instead of surrogates."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for results.json and report.html.")] = Path(
        "results/reproduce"
    ),
) -> None:
    """Reproduce the poster's Table 1 and show what federation and privacy cost.

    Writes results.json and report.html. Without --cohort-dir the participants are simulated.

    Example: fedaffect-sim reproduce --cohorts 5 --epsilon 4 --out results/quick
    """
    from shared.channels import POSTER_COMBINATIONS, all_combinations
    from shared.console import output
    from simulations.engines.federation import ENGINES
    from simulations.report import write_report
    from simulations.reproduce import Protocol, evaluate_cohorts, usable_cores
    from simulations.results import write_results
    from simulations.terminal import print_reproduction

    started = time.monotonic()
    check_out(out)
    check_choice("--combinations", combinations, ("paper", "all"))
    check_choice("--engine", engine, ENGINES)
    protocol = Protocol(
        combinations=POSTER_COMBINATIONS if combinations == "paper" else all_combinations(),
        epsilons=parse_epsilons(epsilon),
        delta=delta,
        engine="ray" if engine == "ray" else "inprocess",
        collusion_margin=1,
    )
    seeds = list(range(seed, seed + cohorts))
    source = (
        _cohort_folder(cohort_dir, clinics, seeds)
        if cohort_dir
        else _surrogate(clinics, world, seeds)
    )
    check_delta(delta, source.participants)
    with progress_bar() as progress:
        task = progress.add_task("Cohorts trained and tested", total=cohorts)
        measured = []
        for found in evaluate_cohorts(source.tables, protocol, seeds, usable_cores()):
            measured.append(found)
            progress.advance(task)
    results = _results(measured, protocol, source, seeds, time.monotonic() - started)
    write_results(out / "results.json", results)
    write_report(out / "report.html", results)
    print_reproduction(results)
    output.print(f"\nReport:  {out / 'report.html'}\nNumbers: {out / 'results.json'}")


class _Source:
    """Where the cohorts of a run come from.

    Parameters
    ----------
    tables : sequence of callable
        Each makes the feature table of one repeat.
    sizes : dict
        Participants and ASD participants by clinic.
    data : {"surrogate", "real"}
    description : str
    """

    def __init__(
        self,
        tables: Sequence[Callable[[], Any]],
        sizes: dict[str, tuple[int, int]],
        data: Literal["surrogate", "real"],
        description: str,
    ) -> None:
        self.tables = tables
        self.sizes = sizes
        self.data = data
        self.description = description

    @property
    def participants(self) -> int:
        return sum(n for n, _ in self.sizes.values())

    @property
    def positives(self) -> int:
        return sum(asd for _, asd in self.sizes.values())


def _surrogate(clinics: int, world: str, seeds: list[int]) -> _Source:
    from simulations.cohort import WORLDS, surrogate_features
    from simulations.cohort.clinics import clinic_names, clinic_sizes

    check_choice("--world", world, WORLDS)
    counts = clinic_sizes(clinics, 49, 39)
    return _Source(
        [
            functools.partial(surrogate_features, seed, clinics=clinics, world=cast("World", world))
            for seed in seeds
        ],
        {
            name: (int(asd + non), int(asd))
            for name, (asd, non) in zip(clinic_names(clinics), counts, strict=True)
        },
        "surrogate",
        f"{len(seeds)} surrogate cohorts (seeds {seeds[0]} to {seeds[-1]}, signal world "
        f"{world!r}): 105 simulated children recorded, 88 (49 ASD, 39 non-ASD) consented and "
        f"finished, 22 channels at 24 Hz, {clinics} clinics. No child's data is in them.",
    )


def _cohort_folder(folder: Path, clinics: int, seeds: list[int]) -> _Source:
    from simulations.cohort.folder import load_cohort_dir
    from simulations.reproduce import FOLDS

    with progress_bar() as progress:
        task = progress.add_task("Participants read", total=None)
        table = load_cohort_dir(
            folder,
            clinics,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    sizes: dict[str, tuple[int, int]] = {}
    labels = () if table.asd is None else table.asd.tolist()
    for clinic, asd in zip(table.clinic or (), labels, strict=True):
        n, positive = sizes.get(clinic, (0, 0))
        sizes[clinic] = (n + 1, positive + int(asd))
    positives = sum(asd for _, asd in sizes.values())
    if len(sizes) < 2:
        raise InputError(
            f"--cohort-dir {folder}: all analysed participants belong to one clinic; a federation "
            "needs at least two in the column clinic of participants.csv"
        )
    if min(positives, len(table) - positives) < FOLDS:
        raise InputError(
            f"--cohort-dir {folder}: {positives} ASD and {len(table) - positives} non-ASD "
            f"participants may be analysed; {FOLDS}-fold cross-validation needs {FOLDS} of each"
        )
    kind: Literal["surrogate", "real"] = "surrogate" if table.source == "surrogate" else "real"
    return _Source(
        [functools.partial(_same, table)] * len(seeds),
        dict(sorted(sizes.items())),
        kind,
        f"{kind.capitalize()} cohort of {len(table)} analysed "
        f"participants from {folder.name}, repeated {len(seeds)} times with other folds and noise; "
        "intervals show that repetition, not the sampling of participants.",
    )


def _same(table: Any) -> Any:
    return table


def _results(
    measured: list[Any], protocol: Any, source: _Source, seeds: list[int], elapsed_s: float
) -> Any:
    from shared.channels import combination_name
    from shared.learning.pooled import REGULARISATION_C, THRESHOLD_RULE
    from shared.privacy.constants import load_constants
    from shared.privacy.unit_vectors import AffectMap
    from simulations import results as schema
    from simulations.reproduce import FOLDS, declared_plan

    series: dict[tuple[schema.Method, str, str | None, float | None], list[dict[str, float]]] = (
        defaultdict(list)
    )
    for cohort in measured:
        for item in cohort:
            series[item.method, item.combination, item.site, item.epsilon].append(item.metrics)
    records = list(schema.POSTER_TABLE_1)
    differences = []
    constants = load_constants(protocol.constants)
    for groups in protocol.combinations:
        name = combination_name(groups)
        records += schema.always_positive_records(
            name,
            positives=source.positives,
            negatives=source.participants - source.positives,
        )
    for (method, name, site, epsilon), metrics in series.items():
        delta = None if epsilon is None else protocol.delta
        records += schema.build_records(
            method, name, metrics, site=site, epsilon=epsilon, delta=delta
        )
        if method in ("federated", "federated-dp", "local-dp") and site is None:
            differences += schema.build_differences(
                method,
                "pooled",
                name,
                metrics,
                series["pooled", name, None, None],
                epsilon=epsilon,
                delta=delta,
            )
        if method == "federated-dp":
            differences += schema.build_differences(
                method,
                "local-dp",
                name,
                metrics,
                series["local-dp", name, None, epsilon],
                epsilon=epsilon,
                delta=delta,
            )
    plans = [
        declared_plan(
            AffectMap(constants, protocol.combinations[-1]),
            epsilon,
            protocol,
            clinics=len(source.sizes),
            participants=round(source.participants * (FOLDS - 1) / FOLDS),
        )
        for epsilon in protocol.epsilons
    ]
    further: dict[str, Any] = {
        "constants": f"{constants.source} (sha256 {constants.digest[:16]}, "
        f"{constants.people} people)"
    }
    provenance = schema.Provenance(
        command=command_line(),
        data=source.data,
        data_description=source.description,
        protocol=(
            f"{FOLDS}-fold cross-validation by participant, stratified by label; every method sees "
            "the same folds. Sensitivity, specificity and F1 count the decisions of all folds "
            "together; the AUC is taken within each fold and averaged, since models of different "
            "folds share no scale.\n\n"
            "Pooled, federated and alone: L2 logistic regression on standardised temporal features "
            f"(C = {REGULARISATION_C:g}, intercept free), {THRESHOLD_RULE}. Federated without "
            "privacy takes Newton steps on summed gradients and Hessians. Alone: trained on one "
            "clinic's training rows, tested on the whole fold, averaged with clinic sizes as "
            "weights.\n\n"
            "Federated DP: unit vectors from public constants, clipped gradient sums with Gaussian "
            "noise shared by all clinics (safe against "
            f"{protocol.collusion_margin} clinic that sides with the server), then one sum for the "
            "threshold; full batches, exact composition. Local DP-SGD + FedAvg: the same unit "
            "vectors, full noise at every clinic; rounds, steps, learning rate and clipping norm "
            "tuned for each epsilon on other cohorts, at no charge to its privacy."
        ),
        engine=protocol.engine,
        seed=seeds[0],
        cohorts=len(seeds),
        repeat="cohort" if source.data == "surrogate" else "seed",
        clinics=tuple(
            schema.ClinicSize(name=name, participants=n, positives=asd)
            for name, (n, asd) in source.sizes.items()
        ),
        delta=protocol.delta,
        plans=tuple(
            schema.PlanFacts(epsilon=plan.epsilon, delta=plan.delta, mu=plan.mu, rounds=plan.rounds)
            for plan in plans
        ),
        elapsed_s=elapsed_s,
        limits=(
            "Simulated clinics draw seeded noise and mask with keys that anyone can make, so that "
            "a run can be repeated; a deployed clinic has secrets of its own.",
            "The cross-validated table itself is not differentially private: it is made by someone "
            "who holds all rows.",
        ),
        **further,
    )
    return schema.Results(
        provenance=provenance, results=tuple(records), differences=tuple(differences)
    )
