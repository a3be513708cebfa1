"""The six figures every method is compared by.

Decisions are counted over all folds together; ranking is judged within each fold, since scores of
models trained on different folds share no scale.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = ["METRIC_NAMES", "classification_metrics"]

METRIC_NAMES: Final = (
    "f1",
    "sensitivity",
    "specificity",
    "balanced_accuracy",
    "auc",
    "accuracy",
)


def classification_metrics(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], fold: NDArray[np.int64] | None = None
) -> dict[str, float]:
    """Metrics of scores whose sign is the decision.

    Parameters
    ----------
    positive : ndarray of bool, shape (n,)
        True labels (ASD is positive).
    scores : ndarray, shape (n,)
        Score minus threshold: above 0 is called positive.
    fold : ndarray of int, shape (n,), optional
        Test fold of each participant; one fold when not given.

    Returns
    -------
    dict
        By ``METRIC_NAMES``. Sensitivity and specificity are NaN without a positive or negative
        participant; the AUC is the mean over folds that hold both classes, NaN when none does.
        F1 is 0 when no positive was found.
    """
    called = scores > 0
    hits = int((called & positive).sum())
    rejections = int((~called & ~positive).sum())
    positives, negatives = int(positive.sum()), int((~positive).sum())
    sensitivity = hits / positives if positives else float("nan")
    specificity = rejections / negatives if negatives else float("nan")
    folds = np.zeros(len(scores), dtype=np.int64) if fold is None else fold
    areas = [
        _area(positive[folds == k], scores[folds == k])
        for k in np.unique(folds)
        if 0 < positive[folds == k].sum() < (folds == k).sum()
    ]
    wrong = len(positive) - hits - rejections
    return {
        "f1": 2 * hits / (2 * hits + wrong) if hits else 0.0,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "auc": float(np.mean(areas)) if areas else float("nan"),
        "accuracy": (hits + rejections) / len(positive) if len(positive) else float("nan"),
    }


def _area(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Area under the ROC curve by ranks, ties counted half (Mann & Whitney 1947)."""
    ranks = rankdata(scores)
    n = int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(scores) - n)))
