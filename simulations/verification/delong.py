"""DeLong's variance against a reference written from the paper's definitions, pair by pair.

The reference shares no code with ``shared.evaluation.roc``: loops over pairs of participants, as in
DeLong, DeLong and Clarke-Pearson (1988), equations 1 to 6. Areas are also compared with
scikit-learn's. The paired test's p-values are drawn where both scores are equally good.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.roc import auc, paired_delong
from simulations.verification.finding import Finding

__all__ = ["check_delong", "reference_delong"]

_ASD: Final = 49
_NON_ASD: Final = 39
_COHORTS: Final = 20
_ROUNDING: Final = 1e-10
_LEVEL: Final = 0.05
_LEVEL_RANGE: Final = (0.03, 0.07)
"""A test of level .05 rejects in this range of 1,000 draws, but for some 4 in 1,000 checks."""


def check_delong(draws: int, seed: int) -> list[Finding]:
    """Compare with the reference on continuous and tied scores; draw p-values under the null.

    Parameters
    ----------
    draws : int
        Cohorts for the paired test; the reference is compared on 20.
    seed : int
    """
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng([seed, 300])
    asd = np.arange(_ASD + _NON_ASD) < _ASD
    area_off, area_sklearn, limit_off, p_off = 0.0, 0.0, 0.0, 0.0
    for cohort in range(_COHORTS):
        scores = _scores(asd, rng)
        if cohort % 2:
            scores = np.round(scores)
        areas, covariance = reference_delong(asd, scores)
        z = (areas[0] - areas[1]) / math.sqrt(
            covariance[0][0] + covariance[1][1] - 2 * covariance[0][1]
        )
        pair = paired_delong(asd, scores[0], scores[1])
        for k in (0, 1):
            ours = auc(asd, scores[k])
            area_off = max(area_off, abs(ours.value - areas[k]))
            area_sklearn = max(area_sklearn, abs(ours.value - float(roc_auc_score(asd, scores[k]))))
            reach = 1.959963984540054 * math.sqrt(covariance[k][k])
            reach /= areas[k] * (1 - areas[k])
            odds = math.log(areas[k] / (1 - areas[k]))
            for limit, at in ((ours.low, odds - reach), (ours.high, odds + reach)):
                limit_off = max(limit_off, abs(limit - 1 / (1 + math.exp(-at))))
        p_off = max(p_off, abs(pair.p_value - math.erfc(abs(z) / math.sqrt(2))))
    findings = [
        Finding.judged(name, value, 0.0, _ROUNDING)
        for name, value in (
            ("AUC, largest difference from the reference", area_off),
            ("AUC, largest difference from scikit-learn", area_sklearn),
            ("DeLong limits, largest difference from the reference", limit_off),
            ("paired DeLong p-value, largest difference from the reference", p_off),
        )
    ]
    rejected = [paired_delong(asd, *_scores(asd, rng)).p_value <= _LEVEL for _ in range(draws)]
    findings.append(
        Finding.judged(
            "paired DeLong, share of p-values up to .05 with equal areas",
            float(np.mean(rejected)),
            *_LEVEL_RANGE,
        )
    )
    return findings


def reference_delong(
    asd: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[list[float], list[list[float]]]:
    """Areas and their covariance, by loops over pairs.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    scores : ndarray, shape (k, n)
        Scores of k classifiers on the same participants.

    Returns
    -------
    areas : list of float, length k
    covariance : list of list of float, shape (k, k)
    """
    positive = [row[asd].tolist() for row in scores]
    negative = [row[~asd].tolist() for row in scores]
    m, n = len(positive[0]), len(negative[0])

    def wins(x: float, y: float) -> float:
        return 1.0 if y < x else 0.5 if y == x else 0.0

    areas, by_positive, by_negative = [], [], []
    for xs, ys in zip(positive, negative, strict=True):
        areas.append(sum(wins(x, y) for x in xs for y in ys) / (m * n))
        by_positive.append([sum(wins(x, y) for y in ys) / n for x in xs])
        by_negative.append([sum(wins(x, y) for x in xs) / m for y in ys])
    covariance = []
    for r in range(len(areas)):
        row = []
        for s in range(len(areas)):
            s10 = sum(
                (a - areas[r]) * (b - areas[s])
                for a, b in zip(by_positive[r], by_positive[s], strict=True)
            ) / (m - 1)
            s01 = sum(
                (a - areas[r]) * (b - areas[s])
                for a, b in zip(by_negative[r], by_negative[s], strict=True)
            ) / (n - 1)
            row.append(s10 / m + s01 / n)
        covariance.append(row)
    return areas, covariance


def _scores(asd: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    """Two equally good scores that agree in part, shape (2, n)."""
    shared = rng.standard_normal(len(asd)) + 1.0 * asd
    return shared + rng.standard_normal((2, len(asd)))
