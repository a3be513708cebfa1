"""The section on group differences: what the first opened sum of a study says of them.

A study that starts at weights zero opens the difference of the groups in its first exchange, noise
included (:mod:`shared.evaluation.released_differences`). One that goes on from another's weights
does not.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.report import withheld
from server.report.exchanges import Exchange
from shared.channels import CHANNELS
from shared.evaluation.estimate import normal
from shared.evaluation.noised_counts import NoisedCounts
from shared.evaluation.released_differences import (
    UNKNOWN_IMBALANCE,
    ReleasedDifferences,
    released_differences,
)
from shared.features import CLASS_NAMES
from shared.model_file import ModelFile
from shared.privacy.evaluation_counts import counts_by_label
from shared.privacy.grid import GRID
from shared.privacy.planner import Plan
from shared.report import document as d

__all__ = ["group_differences"]

_DIGITS: Final = 4
_LARGEST_SHOWN: Final = 15
_LEVEL: Final = 0.05
_METHOD: Final = "normal: noise, sampling and unequal groups"


def group_differences(
    file: ModelFile,
    plan: Plan,
    counts: tuple[float, ...] | None,
    exchanges: tuple[Exchange, ...],
) -> d.GroupDifferences:
    """The section of a study, released where its first sum was kept.

    Parameters
    ----------
    file : ModelFile
    plan : Plan
        Of its study.
    counts : tuple of float or None
        Released counts by label and score, which say how unequal the groups are.
    exchanges : tuple of Exchange
        All of the study, or none.
    """
    study = file.study
    if study.parent is not None or not exchanges:
        return withheld.group_differences(plan, in_first_sum=study.parent is None)
    known = _imbalance(file, plan, counts)
    first = exchanges[0]
    variance = study.share(first.release.sigma) * len(study.clinics) / GRID**2
    found = released_differences(
        file.feature_map,
        # A gradient at zero points against the sign of the label.
        -first.opened / GRID,
        noise_variance=variance,
        participants=plan.participants,
        imbalance=UNKNOWN_IMBALANCE if known is None else known,
        # A fixed seed: the same report whoever writes it.
        seed=0,
    )
    return _section(found, plan, known)


def _imbalance(file: ModelFile, plan: Plan, counts: tuple[float, ...] | None) -> float | None:
    """Distance of the groups' sizes as a share of the enrolment, but no less than its noise.

    Returns
    -------
    float or None
        In [0, 1]; None without counts, or where they may not show.
    """
    if counts is None or plan.sigma_evaluation is None:
        return None
    variance = file.study.share(plan.sigma_evaluation) * plan.clinics / GRID**2
    counted = NoisedCounts(counts_by_label(counts), math.sqrt(variance))
    if counted.shown() is None:
        return None
    distance = counted.confusion.asd - counted.confusion.non_asd
    spread = variance * len(counts)
    return min(math.sqrt(max(distance**2, spread)) / plan.participants, 1.0)


def _section(found: ReleasedDifferences, plan: Plan, known: float | None) -> d.GroupDifferences:
    composites, groups = found.composites, found.groups
    estimates = [
        _estimate(value, error)
        for value, error in zip(found.effect, found.standard_error, strict=True)
    ]
    order = np.argsort(-np.abs(composites.statistic), kind="stable")[:_LARGEST_SHOWN]
    channels = [CHANNELS[channel] for channel in found.channel]

    def of_group(number: int) -> d.AttributeGroupDifference:
        name = groups.names[number]
        own = np.flatnonzero(found.group == name)
        largest = own[np.argmax(np.abs(composites.statistic[own]))]
        return d.AttributeGroupDifference.model_validate(
            {
                "group": name,
                "features": len(own),
                "largest_g": estimates[largest],
                "p_max_t": round(float(groups.p_family[number]), _DIGITS),
                "q_bh": round(float(groups.q[number]), _DIGITS),
            }
        )

    return d.GroupDifferences(
        status="released",
        note=_note(found, plan, known),
        channels=tuple(channels[:: len(CLASS_NAMES)]),
        features=CLASS_NAMES,
        hedges_g=_matrix(found.effect),
        p_max_t=_matrix(composites.p_family),
        q_bh=_matrix(composites.q),
        largest=tuple(
            d.FeatureDifference(
                channel=channels[at],
                feature=CLASS_NAMES[found.statistic_class[at]],
                hedges_g=estimates[at],
                p_max_t=round(float(composites.p_family[at]), _DIGITS),
                q_bh=round(float(composites.q[at]), _DIGITS),
            )
            for at in order
        ),
        attribute_groups=tuple(of_group(number) for number in range(len(groups.names))),
        finding=_finding(found),
    )


def _finding(found: ReleasedDifferences) -> str:
    p = found.composites.p_family
    significant = int((p < _LEVEL).sum())
    in_groups = int((found.groups.p_family < _LEVEL).sum())
    groups = len(found.groups.names)
    return (
        f"Between the diagnoses {significant} of {len(p)} differences by channel and class, and "
        f"{in_groups} of {groups} attribute group{'' if groups == 1 else 's'}, stand out with the "
        "family-wise error kept at 5 %. With this noise and enrolment, a difference of about "
        f"{found.detectable:.1f} standard deviations stands out in half of such studies; a smaller "
        "one may well be there."
    )


def _note(found: ReleasedDifferences, plan: Plan, known: float | None) -> str:
    sizes = (
        f"Groups of unequal size are allowed for up to {50 - 50 * UNKNOWN_IMBALANCE:.0f} to "
        f"{50 + 50 * UNKNOWN_IMBALANCE:.0f} %, because no counts by label show."
        if known is None
        else "How unequal the groups are was taken from the released counts."
    )
    return (
        "From the study's first noised sum, at no further cost of privacy: at weights zero it is "
        "the difference of the groups' summed vectors. A feature is the mean of a channel's "
        "statistics of level, variability or dynamics. Effects are only approximately Hedges' g: "
        "they are in standard deviations of the public people, and each child was scaled to the "
        "same length, so on surrogate cohorts they are a tenth to a quarter too small; smaller "
        f"still if fewer than the {plan.participants} declared children took part. Of their "
        f"variance {100 * found.noise_share:.0f} % is noise. {sizes} Clinics are not compared "
        "within themselves: where they differ both in their children and in their share of ASD, "
        "that may look like a difference between the diagnoses. Corrections rest on "
        f"{found.draws:,} draws of the joint normal distribution, not on permutations."
    )


def _estimate(value: float, error: float) -> d.Estimate:
    made = normal(float(value), float(error), _METHOD)
    return d.Estimate(
        value=round(made.value, _DIGITS),
        low=round(made.low, _DIGITS),
        high=round(made.high, _DIGITS),
        method=made.method,
    )


def _matrix(values: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    """By class and channel."""
    return tuple(
        tuple(row) for row in values.reshape(-1, len(CLASS_NAMES)).T.round(_DIGITS).tolist()
    )
