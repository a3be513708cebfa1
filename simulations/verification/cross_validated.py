"""What the intervals of cross-validated figures are worth: measured, with no bound to keep.

A cross-validation's models share most of their training rows, and each fold's model differs from
the one that would be released. No interval from its predictions alone is known to hold (Bengio and
Grandvalet 2004, J. Mach. Learn. Res. 5:1089), so the coverage is measured, for two readings: the
true performance of the very models that were trained in the folds, and the mean true performance of
such models over cohorts. Features are normal with a shifted mean, where a linear model's true
performance has a formula.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit, ndtr

from shared.evaluation.confusion import Confusion
from shared.evaluation.estimate import Estimate
from shared.evaluation.roc import auc
from shared.learning.pooled import REGULARISATION_C, train_pooled
from simulations.verification.finding import Finding

__all__ = ["check_cross_validated"]

_ASD: Final = 49
_NON_ASD: Final = 39
_FEATURES: Final = 12
_INFORMATIVE: Final = 4
_SHIFT: Final = 0.6
"""Difference of an informative feature's means, in sd: the best possible AUC is .80."""
_FOLDS: Final = 10


def check_cross_validated(draws: int, seed: int) -> list[Finding]:
    """Coverage of the intervals of a ten-fold cross-validation of pooled logistic regression.

    Parameters
    ----------
    draws : int
        Cohorts of 49 and 39; ten models are trained on each.
    seed : int

    Returns
    -------
    list of Finding
        None of them judged: coverage for both readings, and the mean of figure minus truth.
    """
    rng = np.random.default_rng([seed, 200])
    measured: dict[str, list[Estimate]] = {}
    true: dict[str, list[float]] = {}
    for _ in range(draws):
        figures, truths = _cross_validation(rng)
        for name, figure in figures.items():
            measured.setdefault(name, []).append(figure)
            true.setdefault(name, []).append(truths[name])
    findings = []
    for name, figures_ in measured.items():
        own = [f.covers(t) for f, t in zip(figures_, true[name], strict=True)]
        mean = float(np.mean(true[name]))
        shares = {
            "folds' own models": float(np.mean(own)),
            "such models on average": float(np.mean([figure.covers(mean) for figure in figures_])),
            "figure minus truth": float(np.mean([figure.value for figure in figures_])) - mean,
        }
        findings += [Finding.measured(name, value, case) for case, value in shares.items()]
    return findings


def _cross_validation(
    rng: np.random.Generator,
) -> tuple[dict[str, Estimate], dict[str, float]]:
    asd = np.arange(_ASD + _NON_ASD) < _ASD
    middle = np.where(np.arange(_FEATURES) < _INFORMATIVE, _SHIFT / 2, 0.0)
    features = rng.standard_normal((len(asd), _FEATURES)) + np.where(asd[:, None], middle, -middle)
    fold = np.empty(len(asd), dtype=np.int64)
    for rows in (np.flatnonzero(asd), np.flatnonzero(~asd)):
        fold[rng.permutation(rows)] = np.arange(len(rows)) % _FOLDS
    score = np.empty(len(asd))
    found, cleared, area = (np.empty(_FOLDS) for _ in range(3))
    for k in range(_FOLDS):
        tested = fold == k
        model = train_pooled(features[~tested], asd[~tested], REGULARISATION_C)
        score[tested] = logit(model.probability(features[tested]))
        weights = model.coefficients / model.scale
        shift = model.intercept - float(weights @ model.mean)
        found[k], cleared[k], area[k] = _truth(weights, shift, middle)
    sizes = [np.bincount(fold[rows], minlength=_FOLDS) for rows in (asd, ~asd)]
    sensitivity = float(np.average(found, weights=sizes[0]))
    specificity = float(np.average(cleared, weights=sizes[1]))
    missed, alarms = _ASD * (1 - sensitivity), _NON_ASD * (1 - specificity)
    counted = Confusion.of(asd, score > 0)
    return (
        {
            "sensitivity": counted.sensitivity,
            "specificity": counted.specificity,
            "F1": counted.f1,
            "balanced accuracy": counted.balanced_accuracy,
            "AUC within folds": auc(asd, score, fold),
            "AUC over all folds together": auc(asd, score),
        },
        {
            "sensitivity": sensitivity,
            "specificity": specificity,
            "F1": 2 * (_ASD - missed) / (2 * (_ASD - missed) + missed + alarms),
            "balanced accuracy": (sensitivity + specificity) / 2,
            "AUC within folds": float(area.mean()),
            "AUC over all folds together": float(area.mean()),
        },
    )


def _truth(
    weights: NDArray[np.float64], shift: float, middle: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Sensitivity, specificity and AUC of a linear model on normal classes at +-middle."""
    reach, length = float(weights @ middle), float(np.linalg.norm(weights))
    return (
        float(ndtr((reach + shift) / length)),
        float(ndtr((reach - shift) / length)),
        float(ndtr(reach * np.sqrt(2) / length)),
    )
