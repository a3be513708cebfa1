"""The coordinator's commands around a study's privacy: what it will cost, and how it goes on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from shared.privacy.feature_map import FeatureMap
    from shared.privacy.planner import Plan
    from shared.study import Study

__all__ = ["heads_command", "plan_command", "successor_command"]


def plan_command(
    study: Annotated[
        Path | None, typer.Argument(help="Study file; or give the numbers below.")
    ] = None,
    participants: Annotated[int, typer.Option(min=1, help="Declared enrolment.")] = 88,
    clinics: Annotated[int, typer.Option(min=2, help="Clinics of the roster.")] = 4,
    epsilon: Annotated[float, typer.Option(min=0.01, help="Privacy budget.")] = 4.0,
    delta: Annotated[float, typer.Option(help="Delta; well under 1 / participants.")] = 1e-5,
    collusion_margin: Annotated[
        int, typer.Option(min=0, help="Clinics that may side with the server.")
    ] = 1,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=64, help="Gradient sums, instead of the rule's.")
    ] = None,
    evaluation_bins: Annotated[
        int,
        typer.Option(
            help="Score bins of noised counts for an evaluation: 2 for right and wrong calls, 4, 6 "
            "or 8 for calibration too; 0 for none."
        ),
    ] = 0,
    json_output: Annotated[bool, typer.Option("--json", help="Print numbers as JSON.")] = False,
) -> None:
    """Show what a study would ask, what its epsilon means, and what accuracy it costs.

    Every clinic derives the same plan from the study file; nothing here looks at data.

    Example: fedaffect-server plan --participants 88 --clinics 4 --epsilon 4
    """
    import json
    from dataclasses import asdict

    from rich.table import Table

    from shared.channels import ATTRIBUTE_GROUPS
    from shared.console import output
    from shared.privacy.constants import load_constants
    from shared.privacy.expected_loss import MEASURED_SIZES, expected_loss
    from shared.privacy.grid import GRID
    from shared.privacy.plan_in_words import plan_in_words
    from shared.privacy.unit_vectors import AffectMap
    from shared.study import build_study

    if study is not None:
        chosen, feature_map = _study_with_map(study)
    else:
        feature_map = AffectMap(load_constants(), ATTRIBUTE_GROUPS)
        chosen = build_study(
            {
                "title": "plan",
                "roster": [f"clinic {number + 1}" for number in range(clinics)],
                "participants": participants,
                "feature_map": feature_map.digest,
                "attribute_groups": ATTRIBUTE_GROUPS,
                "epsilon": epsilon,
                "delta": delta,
                "collusion_margin": collusion_margin,
                "rounds": rounds,
                "evaluation_bins": evaluation_bins,
            },
            "such a study is not possible",
        )
    plan = chosen.plan(feature_map)
    if json_output:
        releases = [
            {**release._asdict(), "share_sd": chosen.share(release.sigma) ** 0.5 / GRID}
            for release in plan.releases
        ]
        affordable = [row._asdict() for row in _evaluations(chosen, plan)]
        content = {**asdict(plan), "releases": releases, "evaluations": affordable}
        output.print_json(json.dumps(content))
        return
    output.print(plan_in_words(plan), markup=False, soft_wrap=True)
    table = Table("exchange", "kind", "noise of the sum", "each clinic's share", "of the budget")
    for release in plan.releases:
        table.add_row(
            str(release.round),
            release.kind,
            f"{release.sigma:.3f}",
            f"{chosen.share(release.sigma) ** 0.5 / GRID:.3f}",
            f"{100 * release.sigma**-2 / plan.mu**2:.1f} %",
        )
    output.print(table)
    output.print("Noise is a standard deviation in units of what one participant can change.")
    table = Table("score bins", "of the budget", "sensitivity, specificity", "share in a bin")
    for row in _evaluations(chosen, plan):
        table.add_row(
            f"{row.bins}{' (asked)' if row.bins == plan.evaluation_bins else ''}",
            f"{100 * row.share:.1f} %",
            f"±{row.rate:.2f}",
            f"±{row.bin_share:.2f}" if row.bins > 2 else "",
        )
    output.print("\nWhat an evaluation (evaluation_bins) would take and tell:")
    output.print(table)
    output.print(
        "Half widths of 95 % intervals with noise; without it sensitivity and specificity have "
        f"±{row.rate_without_noise:.2f}.",
        soft_wrap=True,
    )
    by_size = [(size, expected_loss(plan.epsilon, size)) for size in MEASURED_SIZES]
    known = [f"{size}: F1 {max(loss.f1, 0.0):.2f}" for size, loss in by_size if loss is not None]
    if known:
        output.print(f"Expected loss by number of participants: {', '.join(known)} (surrogate).")


def successor_command(
    study: Annotated[Path, typer.Argument(help="Study file of the interrupted study.")],
    without: Annotated[list[str], typer.Option(help="Clinic to leave out; may be repeated.")],
    participants: Annotated[
        int, typer.Option(min=1, help="Declared enrolment of the clinics that stay.")
    ],
    out: Annotated[Path, typer.Option(help="Study file to write.")],
) -> None:
    """Go on without a lost clinic, from the last opened weights and with the budget that is left.

    A lost clinic that comes back can simply answer; this is for one that does not. The other
    clinics end the old study and approve the new one; every round that was asked counts as spent.

    Example: fedaffect-server successor study.toml --without "Clinic North" --participants 64
    --out successor/study.toml
    """
    from server.app import study_journal
    from server.successor import successor_study
    from shared.console import output
    from shared.errors import InputError
    from shared.files import write_atomic
    from shared.privacy.plan_in_words import plan_in_words
    from shared.study import study_to_toml

    if out.exists():
        raise InputError(f"--out {out} is there already; give a new file")
    interrupted, feature_map = _study_with_map(study)
    successor = successor_study(
        interrupted,
        feature_map,
        study_journal(study),
        without=without,
        participants=participants,
    )
    write_atomic(out, study_to_toml(successor))
    constants = study.with_name("constants.json")
    if constants.exists():
        write_atomic(out.with_name("constants.json"), constants.read_bytes())
    output.print(plan_in_words(successor.plan(feature_map)), markup=False, soft_wrap=True)
    output.print(
        f"\nSuccessor: {out}\nsha256 {successor.digest}\nEach clinic that stays: "
        f"fedaffect-client end {interrupted.digest[:12]}, then fedaffect-client approve "
        f"{out.name}",
        soft_wrap=True,
        markup=False,
    )


def heads_command(
    study: Annotated[Path, typer.Argument(help="Study file that names the clinics.")],
) -> None:
    """Print the last ledger head this coordinator knows of each clinic.

    A clinic that moves to a new computer calls you; read it its head (`fedaffect-client ledger
    adopt`).

    Example: fedaffect-server heads study.toml
    """
    from server.app import study_journal
    from server.roster import ledger_owner
    from shared.console import output
    from shared.study import load_study

    agreed, journal = load_study(study), study_journal(study)
    for clinic in agreed.clinics:
        head = journal.head(ledger_owner(agreed, clinic)) or "none"
        output.print(f"{clinic}: {head}", markup=False, soft_wrap=True)


class _Evaluation(NamedTuple):
    bins: int
    share: float
    noise_sd: float
    rate: float
    rate_without_noise: float
    bin_share: float


def _evaluations(study: "Study", plan: "Plan") -> list[_Evaluation]:
    """What each choice of score bins would take of the budget, and how precise it would be."""
    from shared.privacy.evaluation_counts import BIN_CHOICES
    from shared.privacy.evaluation_precision import expected_precision
    from shared.privacy.grid import GRID
    from shared.privacy.planner import evaluation_share

    found = []
    for bins in BIN_CHOICES:
        share = evaluation_share(bins, plan.participants, plan.mu)
        variance = study.share(1 / (plan.mu * share**0.5)) * len(study.clinics)
        noise_sd = variance**0.5 / GRID
        expected = expected_precision(bins, plan.participants, noise_sd)
        found.append(_Evaluation(bins, share, noise_sd, *expected))
    return found


def _study_with_map(path: Path) -> "tuple[Study, FeatureMap]":
    from server.app import load_prepared

    return load_prepared(path)
