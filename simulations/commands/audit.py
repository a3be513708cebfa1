"""``fedaffect-sim audit``: does the mechanism hide one participant as well as it says?"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from simulations.audit import Finding

__all__ = ["audit_command"]


def audit_command(
    epsilon: Annotated[str, typer.Option(help="Promises, separated by commas.")] = "1,2,4,8",
    delta: Annotated[float, typer.Option(help="Delta.")] = 1e-5,
    runs: Annotated[
        int, typer.Option(min=100, help="Trainings with the planted participant, and without.")
    ] = 500_000,
    messages: Annotated[
        int,
        typer.Option(
            help="Also this many through clinics, masks and messages (1000 take some minutes); "
            "0 for none."
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Try to refute the privacy promise.

    Plants one participant as visible as can be, trains many times with and without, and bounds from
    below what the best test finds out. Ends with exit code 1 when a bound passes its claim.

    Example: fedaffect-sim audit --epsilon 4 --messages 1000
    """
    from shared.console import output
    from shared.errors import FedaffectError
    from simulations.audit.bounds import FEWEST_RUNS
    from simulations.commands.options import check_delta, parse_epsilons

    epsilons = parse_epsilons(epsilon)
    check_delta(delta, 88)
    if messages and messages < FEWEST_RUNS:
        raise _too_few(messages, FEWEST_RUNS)
    findings = _arithmetic(epsilons, delta, runs, seed)
    if messages:
        findings += _messages(epsilons, delta, messages, seed)
    if as_json:
        output.print_json(json.dumps([finding.as_json() for finding in findings]))
    else:
        for path in dict.fromkeys(finding.path for finding in findings):
            output.print(_table([found for found in findings if found.path == path]))
        output.print(_MEANING, soft_wrap=True)
    refuted = [finding for finding in findings if finding.refuted]
    if refuted:
        worst = max(refuted, key=lambda finding: finding.ratio)
        raise FedaffectError(
            f"the promise is refuted in {len(refuted)} of {len(findings)} audits: with epsilon "
            f"{worst.epsilon_claim:g} claimed (mu {worst.mu_claim:.3f}) and {worst.rounds} rounds, "
            f"mu is at least {worst.mu_lower:.3f} (epsilon {worst.epsilon_lower:.2f}). Repeat "
            "with another --seed; if it stays, train nobody's data with this version"
        )


_MEANING: Final = (
    "rounds: gradient sums; a threshold sum follows them. epsilon at least: of the Gaussian "
    "mechanism with that mu; from rates alone: of any mechanism with the test's two error rates, "
    "hence looser. Each bound holds with 95 % confidence; chance puts one above its claim in some "
    "3 of 1,000 sound audits. weak: ratio below .9, too few runs to notice much.\n"
    "Passing means: the best test by a server that sides with 1 of 4 clinics finds no more about "
    "the most visible participant than was promised, and where the ratio is near 1 it would have "
    "noticed a little less noise. It does not prove privacy: no audit can, the proof does "
    "(shared/README.md)."
)


def _arithmetic(epsilons: Sequence[float], delta: float, runs: int, seed: int) -> list["Finding"]:
    from simulations.audit import audit_arithmetic
    from simulations.commands.options import progress_bar

    todo = _promises(epsilons, delta)
    with progress_bar() as progress:
        task = progress.add_task("Audits", total=len(todo))
        findings = []
        for epsilon, rounds in todo:
            findings.append(audit_arithmetic(epsilon, delta, runs=runs, seed=seed, rounds=rounds))
            progress.advance(task)
    return findings


def _messages(epsilons: Sequence[float], delta: float, runs: int, seed: int) -> list["Finding"]:
    from simulations.audit.whole_path import audit_messages
    from simulations.commands.options import progress_bar

    todo = _promises(epsilons, delta)
    with progress_bar() as progress:
        task = progress.add_task("Trainings", total=2 * runs * len(todo))
        return [
            audit_messages(
                epsilon,
                delta,
                runs=runs,
                seed=seed,
                rounds=rounds,
                on_run=lambda: progress.advance(task),
            )
            for epsilon, rounds in todo
        ]


def _promises(epsilons: Sequence[float], delta: float) -> list[tuple[float, int]]:
    from simulations.audit import rounds_to_audit

    return [(epsilon, rounds) for epsilon in epsilons for rounds in rounds_to_audit(epsilon, delta)]


def _table(findings: Sequence["Finding"]) -> "Table":
    from rich import box
    from rich.table import Table

    first = findings[0]
    table = Table(
        title=f"{_PATHS[first.path]}: {first.runs:,} runs with and {first.runs:,} without the "
        f"participant, delta {first.delta:g}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    columns = ("claimed\nepsilon", "\nrounds", "claimed\nmu", "mu at\nleast", "\nratio")
    for name in (*columns, "epsilon at\nleast", "from rates\nalone", "the\nclaim"):
        table.add_column(name, justify="right", no_wrap=True)
    for finding in findings:
        verdict = "weak" if finding.ratio < _POWERFUL else "stands"
        table.add_row(
            f"{finding.epsilon_claim:g}",
            str(finding.rounds),
            f"{finding.mu_claim:.3f}",
            f"{finding.mu_lower:.3f}",
            f"{finding.ratio:.3f}",
            f"{finding.epsilon_lower:.2f}",
            f"{finding.epsilon_direct:.2f}",
            "[bold red]REFUTED[/]" if finding.refuted else verdict,
        )
    return table


_PATHS: Final = {
    "arithmetic": "The mechanism's arithmetic",
    "messages": "Through clinics, masks and messages",
}
_POWERFUL: Final = 0.9
"""Lower bound over claim above which an audit counts as able to find a defect."""


def _too_few(given: int, fewest: int) -> Exception:
    from shared.errors import InputError

    return InputError(
        f"--messages {given} asked; give 0, or at least {fewest} trainings for a bound"
    )
