"""Do conformal sets cover what they promise, and are Venn-Abers intervals calibrated?

Split sets are calibrated on 49 + 39 children scored by a fixed, badly calibrated classifier and
judged on fresh ones. Cross-conformal sets and those of a cross-validation's own children come from
models that are trained anew in each draw. Coverage is averaged over draws: in one cohort it varies
with the calibration children (by about 3 points at 88).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from shared.evaluation.conformal import calibrate, cross_conformal, held_out_sets
from shared.evaluation.venn_abers import VennAbers
from shared.learning.pooled import train_pooled
from simulations.verification.finding import Finding

__all__ = ["check_conformal"]

_WITHIN: Final = 0.02
_N_ASD: Final = 49
_N_OTHER: Final = 39
_FRESH: Final = 200
_FEWEST_TRAINED: Final = 100
_FOLDS: Final = 5
_FEATURES: Final = 6
_QUINTILES: Final = 5


def check_conformal(draws: int = 1000, seed: int = 0) -> list[Finding]:
    """Measure coverage over simulated cohorts.

    Parameters
    ----------
    draws : int
        Cohorts for split sets and Venn-Abers; where models are trained a fifth of it, at least
        100.
    seed : int

    Returns
    -------
    list of Finding
        Coverage overall and by diagnosis; calibration of Venn-Abers intervals.
    """
    rng = np.random.default_rng([seed, 72])
    findings = []
    for alpha in (0.1, 0.2):
        findings += _split(draws, alpha, rng)
    findings += _cross(max(draws // 5, _FEWEST_TRAINED), 0.1, rng)
    findings += _venn_abers(draws, rng)
    return findings


def _split(draws: int, alpha: float, rng: np.random.Generator) -> list[Finding]:
    asd = np.arange(_N_ASD + _N_OTHER) < _N_ASD
    fresh = np.arange(2 * _FRESH) < _FRESH
    by_class, together = np.zeros((2, draws, len(fresh)), dtype=np.bool_)
    for draw in range(draws):
        known, new = _probability(asd, rng), _probability(fresh, rng)
        row = (np.arange(len(fresh)), fresh.astype(np.int64))
        by_class[draw] = calibrate(known, asd, alpha).sets(new)[row]
        together[draw] = calibrate(known, asd, alpha, by_class=False).sets(new)[row]
    share = _N_ASD / (_N_ASD + _N_OTHER)
    mixed = share * together[:, fresh].mean() + (1 - share) * together[:, ~fresh].mean()
    name = f"split conformal {1 - alpha:.0%}"
    return [
        _coverage(f"{name} by class, all", by_class.mean(), alpha),
        _coverage(f"{name} by class, ASD", by_class[:, fresh].mean(), alpha),
        _coverage(f"{name} by class, not ASD", by_class[:, ~fresh].mean(), alpha),
        _coverage(f"{name} without classes, all", float(mixed), alpha),
    ]


def _probability(asd: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    """Probabilities of an overconfident classifier with an AUC of about 0.8."""
    score = rng.normal(1.2 * (asd - 0.5), 1.0)
    probability: NDArray[np.float64] = expit(3 * score + 0.5)
    return probability


def _cross(draws: int, alpha: float, rng: np.random.Generator) -> list[Finding]:
    asd = np.arange(_N_ASD + _N_OTHER) < _N_ASD
    fresh = np.arange(2 * _FRESH) < _FRESH
    new_covered = np.zeros((draws, len(fresh)), dtype=np.bool_)
    own_covered = np.zeros((draws, len(asd)), dtype=np.bool_)
    for draw in range(draws):
        known, new = _features(asd, rng), _features(fresh, rng)
        fold = np.empty(len(asd), dtype=np.int64)
        for label in (False, True):
            members = np.flatnonzero(asd == label)
            fold[rng.permutation(members)] = np.arange(len(members)) % _FOLDS
        probability = np.empty(len(asd))
        of_new = np.empty((len(fresh), _FOLDS))
        for k in range(_FOLDS):
            model = train_pooled(known[fold != k], asd[fold != k])
            probability[fold == k] = model.probability(known[fold == k])
            of_new[:, k] = model.probability(new)
        sets = cross_conformal(probability, asd, fold, of_new, alpha)
        new_covered[draw] = sets[np.arange(len(fresh)), fresh.astype(np.int64)]
        own = held_out_sets(probability, asd, fold, alpha)
        own_covered[draw] = own[np.arange(len(asd)), asd.astype(np.int64)]
    name = f"cross conformal {1 - alpha:.0%} by class"
    own_name = f"held-out sets of a cross-validation, {1 - alpha:.0%} by class"
    return [
        _coverage(f"{name}, all", new_covered.mean(), alpha),
        _coverage(f"{name}, ASD", new_covered[:, fresh].mean(), alpha),
        _coverage(f"{name}, not ASD", new_covered[:, ~fresh].mean(), alpha),
        _coverage(f"{own_name}, all", own_covered.mean(), alpha),
        _coverage(f"{own_name}, ASD", own_covered[:, asd].mean(), alpha),
        _coverage(f"{own_name}, not ASD", own_covered[:, ~asd].mean(), alpha),
    ]


def _features(asd: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    rows: NDArray[np.float64] = rng.standard_normal((len(asd), _FEATURES))
    rows[:, :2] += 0.8 * asd[:, None]
    return rows


def _venn_abers(draws: int, rng: np.random.Generator) -> list[Finding]:
    """ASD is drawn at random here: Venn-Abers assumes exchangeable children, not fixed counts."""
    n = _N_ASD + _N_OTHER
    low, high, truth = (np.zeros((draws, n)) for _ in range(3))
    for draw in range(draws):
        known, fresh = rng.random((2, n)) < _N_ASD / n
        if known.any():
            predictor = VennAbers(_probability(known, rng), known)
            low[draw], high[draw] = predictor.interval(_probability(fresh, rng))
            truth[draw] = fresh
    merged = (high / (1 - low + high)).ravel()
    order = np.array_split(np.argsort(merged, kind="stable"), _QUINTILES)
    beyond = [
        max(low.ravel()[part].mean() - truth.ravel()[part].mean(), 0.0)
        + max(truth.ravel()[part].mean() - high.ravel()[part].mean(), 0.0)
        for part in order
    ]
    return [
        Finding.judged(
            "Venn-Abers: share of ASD between the mean lower and upper probability",
            float(truth.mean()),
            float(low.mean()),
            float(high.mean()),
        ),
        Finding.judged(
            "Venn-Abers: share of ASD beyond the interval, worst fifth of children",
            float(max(beyond)),
            0.0,
            _WITHIN,
        ),
        Finding.measured("Venn-Abers: mean width of the interval", float((high - low).mean())),
    ]


def _coverage(name: str, value: float, alpha: float) -> Finding:
    return Finding.judged(name, float(value), 1 - alpha - _WITHIN, 1 - alpha + _WITHIN)
