"""``fedaffect-sim table``: federate any labelled table of features, one site a clinic."""

import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer

from shared.errors import InputError
from simulations.commands.options import (
    check_delta,
    check_out,
    command_line,
    parse_epsilons,
    progress_bar,
)

__all__ = ["heart_command", "table_command"]


def table_command(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file with a header.")],
    label: Annotated[str, typer.Option(help="Column of the label, with two values.")],
    site: Annotated[str, typer.Option(help="Column of the site; each site is a clinic.")],
    out: Annotated[Path, typer.Option(help="Folder for results.json and report.html.")],
    participant: Annotated[
        str | None, typer.Option(help="Column of the participant; rows of one are averaged.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Column with train and test; cross-validation where not given."),
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="Label value of the positive class, if not 1, yes, ASD.")
    ] = None,
    ranges: Annotated[
        Path | None,
        typer.Option(help="CSV of public bounds: feature, low, high[, levels]."),
    ] = None,
    public: Annotated[
        Path | None, typer.Option(help="Table of unlabelled public people, same features.")
    ] = None,
    epsilon: Annotated[
        str | None, typer.Option(help="Privacy budgets, separated by commas [default: 4].")
    ] = None,
    delta: Annotated[float, typer.Option(help="Delta; well under 1 / participants.")] = 1e-5,
    seeds: Annotated[
        int, typer.Option(min=1, help="Repeats of the noise, and of the folds without --split.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="First seed.")] = 0,
    collusion_margin: Annotated[
        int, typer.Option(min=0, help="Sites that may side with the server.")
    ] = 1,
    regularisation_c: Annotated[
        float, typer.Option(min=1e-6, help="Inverse L2 strength of the non-private methods.")
    ] = 1.0,
) -> None:
    """Federate a labelled table: pooled, each site alone, federated, federated with privacy.

    The private method needs --ranges or --public, because nothing it scales by may come from the
    rows themselves; without them it is left out. --split and --site decide what is tested where.

    Example: fedaffect-sim table heart.csv --label disease --site hospital --split split
    --ranges heart-ranges.csv --epsilon 1,0.1 --delta 1e-4 --out results/heart
    """
    from shared.console import output, stderr
    from simulations.report import write_report
    from simulations.reproduce import usable_cores
    from simulations.results import write_results
    from simulations.tables.evaluation import evaluate_table
    from simulations.tables.ranges import read_ranges
    from simulations.tables.reading import Columns, read_table
    from simulations.terminal import print_table_run

    started = time.monotonic()
    check_out(out)
    if ranges is not None and public is not None:
        raise InputError("--ranges and --public were both given; choose one")
    if epsilon is not None and ranges is None and public is None:
        raise InputError(
            "--epsilon was given without --ranges or --public; the private method needs public "
            "bounds of the features, or unlabelled public people"
        )
    data = read_table(
        file,
        Columns(label, site, participant, split, positive),
        ranges=None if ranges is None else read_ranges(ranges),
        public=public,
    )
    epsilons = parse_epsilons(epsilon or "4") if data.feature_map is not None else ()
    if len(data.sites) < 2:
        raise InputError(f"--site {site!r} holds one site; a federation needs at least two")
    if epsilons:
        check_delta(delta, len(data.participants))
        if collusion_margin >= len(data.sites):
            raise InputError(
                f"--collusion-margin {collusion_margin} asked for {len(data.sites)} sites; it must "
                "be smaller"
            )
    notes = list(data.notes)
    if not epsilons:
        notes.append("no --ranges and no --public, so the private method is left out")
    for note in notes:
        stderr.print(f"Note: {note}.", markup=False)
    with progress_bar() as progress:
        task = progress.add_task("Seeds trained and tested", total=seeds)
        measured = []
        for found in evaluate_table(
            data,
            epsilons=epsilons,
            delta=delta,
            regularisation_c=regularisation_c,
            collusion_margin=collusion_margin,
            seeds=range(seed, seed + seeds),
            processes=usable_cores(),
        ):
            measured.append(found)
            progress.advance(task)
    results = _results(
        measured,
        data,
        file=file,
        epsilons=epsilons,
        delta=delta,
        regularisation_c=regularisation_c,
        collusion_margin=collusion_margin,
        seed=seed,
        notes=tuple(notes),
        elapsed_s=time.monotonic() - started,
    )
    write_results(out / "results.json", results)
    write_report(out / "report.html", results)
    print_table_run(results)
    output.print(f"\nReport:  {out / 'report.html'}\nNumbers: {out / 'results.json'}")


def heart_command(
    folder: Annotated[Path, typer.Argument(help="Folder with the four processed.*.data files.")],
    out: Annotated[Path, typer.Option(help="Folder for heart.csv and heart-ranges.csv.")],
) -> None:
    """Prepare the UCI heart-disease data of four hospitals as a table (FLamby's protocol).

    Example: fedaffect-sim heart downloads/heart --out results/heart
    """
    from shared.console import output
    from simulations.tables.heart import write_heart_table

    table, ranges = write_heart_table(folder, out)
    output.print(f"Table:  {table}\nRanges: {ranges}")


def _results(
    measured: list[Any],
    data: Any,
    *,
    file: Path,
    epsilons: tuple[float, ...],
    delta: float,
    regularisation_c: float,
    collusion_margin: int,
    seed: int,
    notes: tuple[str, ...],
    elapsed_s: float,
) -> Any:
    import numpy as np

    from shared.learning.pooled import THRESHOLD_RULE
    from shared.privacy.planner import make_plan
    from simulations import results as schema
    from simulations.tables.evaluation import COMBINATION

    series: dict[tuple[schema.Method, str | None, float | None], list[dict[str, float]]] = (
        defaultdict(list)
    )
    for repeat in measured:
        for item in repeat:
            series[item.method, item.site, item.epsilon].append(item.metrics)
    train = np.ones(len(data.positive), dtype=bool) if data.test is None else ~data.test
    tested = ~train if data.test is not None else train
    records = list(
        schema.always_positive_records(
            COMBINATION,
            positives=int(data.positive[tested].sum()),
            negatives=int((~data.positive[tested]).sum()),
        )
    )
    for (method, site, epsilon), metrics in series.items():
        # With a fixed split only the noise differs between seeds: other methods are one number.
        repeats = metrics if data.test is None or epsilon is not None else metrics[:1]
        records += schema.build_records(
            method,
            COMBINATION,
            repeats,
            site=site,
            epsilon=epsilon,
            delta=None if epsilon is None else delta,
        )
    enrolled = int(train.sum()) if data.test is not None else round(0.9 * len(train))
    plans = [
        make_plan(
            epsilon=value,
            delta=delta,
            participants=enrolled,
            clinics=len(data.sites),
            collusion_margin=collusion_margin,
            top_eigenvalue=data.feature_map.top_eigenvalue,
            with_threshold=data.feature_map.releases_threshold,
        )
        for value in epsilons
    ]
    tested_how = (
        "The table's own split: trained on its train participants, tested on its test participants."
        if data.test is not None
        else "Cross-validation by participant, stratified by label, with other folds for each seed."
    )
    by_people = data.feature_map is not None and data.feature_map.releases_threshold
    scaled_by = "people" if by_people else "ranges"
    return schema.Results(
        provenance=schema.Provenance(
            command=command_line(),
            data="surrogate" if data.surrogate else "real",
            data_description=(
                f"{'Surrogate table ' if data.surrogate else ''}{file.name}: "
                f"{len(data.participants)} participants at {len(data.sites)} sites, "
                f"{len(data.names)} features."
            ),
            protocol=(
                f"{tested_how} The AUC is taken within each fold and averaged.\n\n"
                "Pooled, federated and alone: L2 logistic regression on standardised features "
                f"(C = {regularisation_c:g}), {THRESHOLD_RULE}; a missing value counts as the "
                "training mean. Federated without privacy takes Newton steps on summed gradients "
                "and Hessians. Alone: trained at one site, tested on all test participants; its "
                "first line is the mean weighted by site size. For every other method a site names "
                "the test participants, and 'mean over sites' is the plain mean of those lines.\n\n"
                "Federated DP: features scaled by public "
                f"{scaled_by} alone, clipped gradient sums with Gaussian noise shared by all sites "
                f"(safe against {collusion_margin} of them), full batches, exact composition."
            ),
            engine="inprocess",
            seed=seed,
            cohorts=len(measured),
            repeat="seed",
            clinics=tuple(
                schema.ClinicSize(
                    name=name,
                    participants=int((train & (data.site == number)).sum()),
                    positives=int((train & (data.site == number) & data.positive).sum()),
                )
                for number, name in enumerate(data.sites)
            ),
            positive_name=data.positive_name,
            negative_name=data.negative_name,
            headline_metric="accuracy",
            delta=delta if epsilons else None,
            plans=tuple(
                schema.PlanFacts(epsilon=p.epsilon, delta=p.delta, mu=p.mu, rounds=p.rounds)
                for p in plans
            ),
            elapsed_s=elapsed_s,
            warnings=notes,
            limits=(
                "This table is not differentially private: it is made by someone who holds all "
                "rows.",
            ),
        ),
        results=tuple(records),
    )
