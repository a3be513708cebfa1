"""Sections that say what was done with whom, before any result."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from shared.channels import ATTRIBUTE_GROUPS, CHANNELS
from shared.evaluation.analysed import AnalysedParticipants
from shared.evaluation.estimate import wilson
from shared.features import FEATURE_NAMES
from shared.features.layout import FEATURES_VERSION
from shared.learning.pooled import REGULARISATION_C, THRESHOLD, THRESHOLD_RULE
from shared.report import document as d

__all__ = [
    "LIMITS",
    "data",
    "index_test",
    "intended_use",
    "missingness",
    "participant_flow",
    "sample_size",
]

_SHORT: str = "less than 30 s with a face"

LIMITS = (
    "A research result. Nothing here is a diagnosis, and no child may be assessed with it.",
    "So few children cannot rank classifiers: look at the intervals, not at the third digit.",
    "Calibration slope and net benefit need thousands of participants; here they are exploratory.",
    "Cross-validated intervals promise a little too much: with 49 and 39 children nominal 95 % "
    "intervals held the truth in 90 to 93 % of simulated studies (AUC least), as "
    "`fedaffect-sim verify-statistics` prints; with fewer children expect less. All intervals take "
    "the numbers with and without ASD as given by the study's design.",
    "Clinics that differ both in their recordings and in their share of ASD lift a "
    "cross-validated AUC a little even where diagnoses make no difference; the permutation test "
    "within clinics takes that out.",
    "Every figure from these participants' rows is exact. No privacy budget covers it, so this "
    "report belongs to whoever may see the rows.",
)


def intended_use(*, surrogate: bool) -> d.IntendedUse:
    """What the figures may serve for."""
    return d.IntendedUse(
        status="released",
        intended_use=(
            "Research into whether facial affect attributes, read from a child's iPad video and "
            "summarised over time, tell children with ASD from others, and how surely."
        ),
        out_of_scope=(
            "Diagnosis, screening or triage of any child.",
            "Children, recordings or clinics unlike those described below.",
            *(
                ("Any statement about real children: all participants are simulated.",)
                if surrogate
                else ()
            ),
        ),
    )


def participant_flow(people: AnalysedParticipants) -> d.ParticipantFlow:
    """Recorded, consented, finished, analysed: in all and by clinic."""
    steps = ("recorded", "consented", "finished", "analysed")
    counts = {step: sum(getattr(clinic, step) for clinic in people.flow) for step in steps}
    reasons = (
        "no consent, or withdrawn",
        "recording not watched to its end",
        "no usable recording, or no features yet",
    )
    return d.ParticipantFlow(
        status="local",
        steps=tuple(
            d.FlowStep(
                name=step.capitalize(),
                count=counts[step],
                excluded=()
                if not number
                else (
                    d.Exclusion(
                        reason=reasons[number - 1], count=counts[steps[number - 1]] - counts[step]
                    ),
                ),
            )
            for number, step in enumerate(steps)
        ),
        by_clinic=tuple(
            d.ClinicFlow(clinic=flow.clinic, counts=tuple(getattr(flow, step) for step in steps))
            for flow in people.flow
        ),
    )


def data(people: AnalysedParticipants, *, source: str, reference_standard: str) -> d.Data:
    """Where the rows come from and how labels are spread over clinics.

    Parameters
    ----------
    people : AnalysedParticipants
    source : str
        One sentence.
    reference_standard : str
        Who says that a child has ASD, and how.
    """
    asd = Counter(c for c, yes in zip(people.clinic, people.asd, strict=True) if yes)
    everyone = Counter(people.clinic)
    sexes: Counter[str] = Counter(people.sex)
    return d.Data(
        status="local",
        source=source,
        setting=(
            "Children watch a 6.5-minute video on an iPad whose camera records them; of each frame "
            f"{len(CHANNELS)} attributes are kept (8 expressions, 12 action units, valence, "
            "arousal)."
        ),
        reference_standard=reference_standard,
        split="Every prediction comes from a model that was trained without that participant.",
        participants=len(people),
        asd=int(people.asd.sum()),
        non_asd=int((~people.asd).sum()),
        clinics=tuple(
            d.ClinicCounts(
                clinic=clinic,
                participants=everyone[clinic],
                asd=asd[clinic],
                non_asd=everyone[clinic] - asd[clinic],
            )
            for clinic in people.clinics
        ),
        facts=(
            d.Fact(name="Age", value=_ages(people.age_months)),
            d.Fact(name="Sex", value=", ".join(f"{n} {sex}" for sex, n in sorted(sexes.items()))),
        ),
    )


def index_test(*, weights: str, facts: tuple[d.Fact, ...] = ()) -> d.IndexTest:
    """From pixels to a call, threshold fixed in advance."""
    return d.IndexTest(
        status="released",
        model=(
            "L2-regularised logistic regression on standardised temporal features "
            f"(C = {REGULARISATION_C:g}, fixed in advance, intercept not penalised)."
        ),
        attribute_groups=ATTRIBUTE_GROUPS,
        features=len(FEATURE_NAMES),
        feature_version=str(FEATURES_VERSION),
        weights=weights,
        threshold=THRESHOLD,
        threshold_rule=THRESHOLD_RULE,
        facts=facts,
    )


def sample_size(people: AnalysedParticipants) -> d.SampleSize:
    """Precision that so many participants can give, whatever comes out."""
    n_asd, n_other = int(people.asd.sum()), int((~people.asd).sum())
    return d.SampleSize(
        status="local",
        rationale=(
            "All who consented, finished and have a usable recording are analysed; no number was "
            "fixed in advance. The table shows how far an interval reaches if the true value is "
            "the one in its middle."
        ),
        attainable=tuple(
            d.Precision.model_validate(
                {
                    "metric": metric,
                    "participants": n,
                    "expected": wilson(truth * n, n).as_json(),
                }
            )
            for metric, n in (("sensitivity", n_asd), ("specificity", n_other))
            for truth in (0.7, 0.9)
            if n
        ),
    )


def missingness(people: AnalysedParticipants) -> d.Missingness:
    """Rows and values that are not there."""
    missing = ~np.isfinite(people.table.values)
    whole = missing.all(axis=1)
    return d.Missingness(
        status="local",
        rule=(
            "A missing feature counts as the training rows' mean, so it moves no score. A frame "
            "without a face is left out of every feature."
        ),
        items=(
            d.MissingItem(
                item="Participants without any feature",
                missing=int(whole.sum()),
                total=len(people),
                note=_SHORT,
            ),
            d.MissingItem(
                item="Participants with some features missing",
                missing=int((missing.any(axis=1) & ~whole).sum()),
                total=len(people),
            ),
            *(
                d.MissingItem(item=f"{name} not stated", missing=missing_here, total=len(people))
                for name, missing_here in (
                    ("Age", int(np.isnan(people.age_months).sum())),
                    ("Sex", people.sex.count("not stated")),
                )
            ),
        ),
    )


def _ages(months: NDArray[np.float64]) -> str:
    known = months[np.isfinite(months)]
    if not len(known):
        return "not stated"
    low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
    return f"median {middle:.0f} months (quartiles {low:.0f} and {high:.0f})"
