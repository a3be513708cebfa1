"""The report of a simulated cohort, or of a cohort in one hand: what the rows cannot say."""

import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

import numpy as np

from shared.affect.weights import DEFAULT_WEIGHTS
from shared.channels import ATTRIBUTE_GROUPS
from shared.evaluation.cross_validated import cross_validated
from shared.evaluation.evaluate import Evaluation
from shared.evaluation.leave_one_out import one_round_scores
from shared.features.layout import FEATURES_VERSION
from shared.files import sha256_of
from shared.privacy.constants import PublicConstants, load_constants
from shared.privacy.planner import Plan, make_plan
from shared.privacy.unit_vectors import AffectMap
from shared.report import document as d
from shared.report.from_rows.example import example_of, typical_row
from shared.report.from_rows.report import About, report_of_rows
from shared.report.privacy_statement import privacy_statement
from shared.software import software
from simulations.commands.options import command_line
from simulations.evaluation.baselines import baselines_of
from simulations.evaluation.source import EvaluationSource

__all__ = ["surrogate_or_cohort_report"]

_COLLUSION_MARGIN: Final = 1
_HEADLINE_EPSILON: Final = 4.0
_NOISE_DRAWS: Final = 200


def surrogate_or_cohort_report(
    found: Evaluation,
    source: EvaluationSource,
    *,
    epsilons: Sequence[float],
    delta: float,
    elapsed_since: float,
) -> d.Report:
    """Train the other ways, take one recording apart, and write it all down.

    Parameters
    ----------
    found : Evaluation
    source : EvaluationSource
    epsilons : sequence of float
        Budgets of the private trainings.
    delta : float
    elapsed_since : float
        ``time.monotonic()`` at the start.
    """
    surrogate = source.kind == "surrogate"
    constants = load_constants()
    feature_map = AffectMap(constants, ATTRIBUTE_GROUPS)
    epsilon = _HEADLINE_EPSILON if _HEADLINE_EPSILON in epsilons else epsilons[0]

    def plan(rounds: int | None) -> Plan:
        return make_plan(
            epsilon=epsilon,
            delta=delta,
            participants=len(found.people),
            clinics=len(found.people.clinics),
            collusion_margin=_COLLUSION_MARGIN,
            top_eigenvalue=feature_map.top_eigenvalue,
            with_threshold=feature_map.releases_threshold,
            rounds=rounds,
        )

    one_round = _one_round(found, feature_map, plan(1))
    baselines = baselines_of(
        found, epsilons=epsilons, delta=delta, collusion_margin=_COLLUSION_MARGIN
    )
    row = typical_row(found)
    example = (
        d.Example(status="not_released", note="Nobody with ASD was called so.")
        if row is None
        else example_of(found, row, source.series(row), surrogate=surrogate)
    )
    n = len(found.people)
    return report_of_rows(
        found,
        About(
            kind=source.kind,
            leaves_clinic=surrogate,
            title="Facial affect and autism: evaluation of one cohort",
            subtitle=f"{n} {'simulated children' if surrogate else 'children'}, "
            f"{len(found.people.clinics)} clinics",
            created=datetime.now(UTC),
            source=source.description,
            reference_standard=source.reference_standard,
            weights="none: the attributes are simulated"
            if surrogate
            else "as the attribute files name them",
            index_test=(d.Fact(name="Penalty", value="L2, C = 1 (scikit-learn's default)"),),
            software=_software(constants, found.settings.seed, elapsed_since),
            example=example,
            baselines=baselines,
            privacy=privacy_statement(
                plan(None),
                status="local",
                note="Of the private training in \u201cWays to train, side by side\u201d with ε = "
                f"{epsilon:g}, as a study of this size would run it. This report itself is exact.",
                of_what="A study of this size, not this report: ",
            ),
            federation=d.Federation(
                status="local",
                note="Simulated: every clinic answered every exchange.",
                clinics=found.people.clinics,
                facts=(d.Fact(name="Exchanges", value=str(plan(None).exchanges)),),
            ),
            further_protocols=(one_round,),
        ),
    )


def _one_round(found: Evaluation, feature_map: AffectMap, plan: Plan) -> d.ProtocolRow:
    """Everyone scored by the noised one-round training that lacked them."""
    people = found.people
    vectors = feature_map.unit_vectors(people.table.values)
    rng = np.random.default_rng([found.settings.seed, _NOISE_DRAWS])
    scores = one_round_scores(
        vectors,
        people.asd,
        plan,
        gradient_noise=plan.sigma_gradient
        * rng.standard_normal((_NOISE_DRAWS, feature_map.dimension)),
        threshold_noise=(plan.sigma_threshold or 0.0) * rng.standard_normal(_NOISE_DRAWS),
    )
    together = np.zeros(len(people), dtype=np.int64)
    figures = {}
    for metric in ("auc", "balanced_accuracy"):
        each = np.asarray(cross_validated(people.asd, scores, together, metric))
        low, high = np.quantile(each, (0.025, 0.975))
        figures[metric] = d.Estimate(
            value=float(each.mean()),
            low=float(low),
            high=float(high),
            method=f"mean and 95 % of {_NOISE_DRAWS} draws of the noise",
        )
    return d.ProtocolRow(
        protocol="Leave one out, private training",
        metrics=figures,
        note=f"One round, ε = {plan.epsilon:g}: exact, from a single release. The interval is of "
        "the noise alone.",
    )


def _software(constants: PublicConstants, seed: int, elapsed_since: float) -> d.Software:
    return d.Software(
        status="released",
        command=command_line(),
        seed=seed,
        elapsed_s=round(time.monotonic() - elapsed_since, 1),
        machine=f"{platform.system()} {platform.machine()}",
        hashes=(
            d.Fact(name="Public constants (SHA-256)", value=constants.digest),
            d.Fact(name="Shipped affect weights (SHA-256)", value=sha256_of(DEFAULT_WEIGHTS)),
        ),
        versions=(
            d.Fact(name="Program", value=software()),
            d.Fact(name="Features", value=f"version {FEATURES_VERSION}"),
            d.Fact(name="Python", value=platform.python_version()),
            *(
                d.Fact(name=name, value=version(name))
                for name in ("numpy", "scipy", "scikit-learn", "torch", "flwr", "opacus")
            ),
        ),
        availability="The program, its constants and its surrogate cohorts are open; a real "
        "cohort's rows stay with whoever holds them.",
    )
