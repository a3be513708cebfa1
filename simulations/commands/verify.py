"""``fedaffect-sim verify-statistics``: do the report's statistics keep what they promise?"""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from simulations.verification.finding import Finding

__all__ = ["verify_command"]

_JUDGED: Final = ("must lie in", "holds")


def verify_command(
    draws: Annotated[
        int, typer.Option(min=100, help="Cohorts drawn for each check; 1,000 take some minutes.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
) -> None:
    """Verify the statistics of the study report on drawn cohorts whose truth is known.

    Coverage of 95 % intervals at 49 + 39 participants, DeLong against a reference, p-values under
    the null, coverage of conformal sets. Ends with exit code 1 when one that must hold does not.

    Example: fedaffect-sim verify-statistics --draws 1000
    """
    from shared.console import output
    from shared.errors import FedaffectError
    from simulations.commands.options import progress_bar

    found: dict[str, list[Finding]] = {}
    with progress_bar() as progress:
        checks = _checks()
        task = progress.add_task("Checks", total=len(checks))
        for title, check in checks.items():
            found[title] = check(draws, seed)
            progress.advance(task)
    if as_json:
        document = {
            "draws": draws,
            "seed": seed,
            "checks": {title: [one.as_json() for one in part] for title, part in found.items()},
        }
        output.print_json(json.dumps(document, allow_nan=False))
    else:
        for title, part in found.items():
            output.print(_table(title, part))
    judged = [one for part in found.values() for one in part if one.holds is not None]
    failed = [f"{one.name} {one.case}".strip() for one in judged if not one.holds]
    if failed:
        raise FedaffectError(
            f"{len(failed)} of {len(judged)} properties do not hold: {'; '.join(failed)}. Repeat "
            "with another --seed and more --draws; what stays must not be reported to anyone"
        )
    if not as_json:
        output.print(f"All {len(judged)} properties that must hold do, with {draws:,} draws.")


def _checks() -> dict[str, Callable[[int, int], list["Finding"]]]:
    from simulations.verification.conformal import check_conformal
    from simulations.verification.coverage import (
        check_coverage,
        check_exploratory,
        check_noisy_counts,
    )
    from simulations.verification.cross_validated import check_cross_validated
    from simulations.verification.delong import check_delong
    from simulations.verification.uniformity import check_uniformity

    return {
        "Coverage of 95 % intervals, fixed classifier, 49 + 39 participants": check_coverage,
        "Coverage where noisy counts are released, true AUC 0.80": check_noisy_counts,
        "Coverage of what is offered with a reservation (measured)": check_exploratory,
        "Coverage in a ten-fold cross-validation (measured)": check_cross_validated,
        "DeLong's method": check_delong,
        "P-values where nothing differs": check_uniformity,
        "Conformal sets and Venn-Abers intervals": check_conformal,
    }


def _table(title: str, findings: Sequence["Finding"]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    cases = list(dict.fromkeys(one.case for one in findings))
    judged = any(one.holds is not None for one in findings)
    table.add_column("what")
    for name in (*(case or "measured" for case in cases), *(_JUDGED if judged else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for name in dict.fromkeys(one.name for one in findings):
        row = {one.case: one for one in findings if one.name == name}
        values = [_value(row[case]) if case in row else "" for case in cases]
        bounds = dict.fromkeys(
            f"{_number(one.low)} to {_number(one.high)}"
            for one in row.values()
            if one.holds is not None
        )
        holds = [one.holds for one in row.values() if one.holds is not None]
        verdict = ("yes" if all(holds) else "[bold red]NO[/]") if holds else ""
        table.add_row(name, *values, *((" or ".join(bounds), verdict) if judged else ()))
    return table


def _value(one: "Finding") -> str:
    return f"[bold red]{_number(one.value)}[/]" if one.holds is False else _number(one.value)


def _number(value: float) -> str:
    return f"{value:.1e}" if 0 < abs(value) < 5e-4 else f"{value:.3f}"
