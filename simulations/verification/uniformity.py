"""Are p-values uniform where nothing differs, and is the family-wise error what it promises?

Null cohorts of the study's size are drawn again and again: clinics differ in their features and in
their share of ASD, so that a test that ignored the clinics would find differences between the
diagnoses, but within a clinic nothing differs. Permutation p-values are discrete; a number drawn
evenly from the last step below each makes them exactly uniform under the null (Dufour 2006), so
that the Kolmogorov-Smirnov test applies.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, kstest, kstwo

from shared.evaluation.group_differences import GroupDifferences, group_differences
from simulations.verification.finding import Finding

__all__ = ["check_uniformity", "null_cohort"]

_PERMUTATIONS: Final = 199
_LEVEL: Final = 0.05
_FALSE_ALARM: Final = 0.001
"""How often a check fails although everything is right."""

_ASD_BY_CLINIC: Final = ((18, 3), (15, 6), (10, 13), (6, 17))
"""ASD and others: 49 and 39 in four clinics of different composition."""
_GROUPS: Final = {"au": (0, 1, 2, 3, 4, 5), "arousal": (6,), "valence": (7,), "expression": (8, 9)}
_NAMES: Final = tuple(f"feature {number}" for number in range(10))


def check_uniformity(draws: int = 1000, seed: int = 0) -> list[Finding]:
    """Simulate null cohorts and compare their p-values with the uniform distribution.

    Parameters
    ----------
    draws : int
        Cohorts.
    seed : int

    Returns
    -------
    list of Finding
        Kolmogorov-Smirnov distances for a feature, each attribute group and the smallest family
        p-value; family-wise error with no and with some true differences; false discovery rate.
    """
    rng = np.random.default_rng([seed, 71])
    found = [_tested(null_cohort(rng), rng) for _ in range(draws)]
    step = 1 / (_PERMUTATIONS + 1)

    def uniform(name: str, p: list[float]) -> Finding:
        spread = np.array(p) - step * rng.random(len(p))
        distance = float(kstest(spread, "uniform").statistic)
        limit = float(kstwo.isf(_FALSE_ALARM, len(p)))
        return Finding.judged(f"{name}: distance from uniform", distance, 0.0, limit)

    limit = float(binom.isf(_FALSE_ALARM, draws, _LEVEL)) / draws
    family = [float(one.features.p_family.min()) for one in found]
    findings = [
        uniform("p-value of a feature", [float(one.features.p[0]) for one in found]),
        *(
            uniform(f"p-value of group {name}", [float(one.groups.p[column]) for one in found])
            for column, name in enumerate(_GROUPS)
        ),
        uniform("smallest max-T p-value of all features", family),
    ]
    findings += [
        _rate("family-wise error of max-T, nothing differs", family, limit),
        _rate(
            "family-wise error over attribute groups, nothing differs",
            [float(one.groups.p_family.min()) for one in found],
            limit,
        ),
        _rate(
            "false discovery rate of Benjamini-Hochberg, nothing differs",
            [float(one.features.q.min()) for one in found],
            limit,
        ),
    ]
    # Strong control: features that truly differ must not cost the others their protection.
    differing = [_tested(null_cohort(rng, differing=5), rng) for _ in range(draws)]
    others = [float(one.features.p_family[5:].min()) for one in differing]
    findings.append(_rate("family-wise error of max-T, five of ten features differ", others, limit))
    return findings


def null_cohort(
    rng: np.random.Generator, differing: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Features (88, 10), diagnoses and clinics of a cohort in which clinics differ.

    Parameters
    ----------
    rng : numpy.random.Generator
    differing : int
        The first so many features differ by 1 standard deviation between the diagnoses.
    """
    clinic = np.repeat(np.arange(len(_ASD_BY_CLINIC)), [sum(pair) for pair in _ASD_BY_CLINIC])
    asd = np.concatenate([np.arange(sum(pair)) < pair[0] for pair in _ASD_BY_CLINIC])
    n, d = len(asd), len(_NAMES)
    shared = rng.standard_normal((n, 1))
    features = 0.7 * shared + rng.standard_normal((n, d))
    features += 1.5 * rng.standard_normal((len(_ASD_BY_CLINIC), d))[clinic]
    features[:, :differing] += 1.2 * asd[:, None]
    return np.exp(0.5 * features), asd, clinic


def _tested(
    cohort: tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]],
    rng: np.random.Generator,
) -> GroupDifferences:
    features, asd, clinic = cohort
    return group_differences(
        features,
        asd,
        names=_NAMES,
        groups=_GROUPS,
        clinic=clinic,
        draws=_PERMUTATIONS,
        seed=int(rng.integers(2**63)),
    )


def _rate(name: str, p: list[float], limit: float) -> Finding:
    return Finding.judged(name, float(np.mean(np.array(p) <= _LEVEL)), 0.0, limit)
