"""The figures of ``shared.evaluation``, for many draws of the noise at once."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["mean_metrics"]


def mean_metrics(
    asd: NDArray[np.bool_], scores: NDArray[np.float64], fold: NDArray[np.int64]
) -> dict[str, float]:
    """Metrics of every draw, averaged over the draws.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    scores : ndarray, shape (draws, n)
        Out-of-fold scores less threshold: above 0 is called ASD.
    fold : ndarray of int, shape (n,)

    Returns
    -------
    dict
        By ``shared.evaluation.METRIC_NAMES``; each draw's figures are those of
        ``classification_metrics``.
    """
    called = scores > 0
    hits = (called & asd).sum(axis=1)
    rejections = (~called & ~asd).sum(axis=1)
    wrong = len(asd) - hits - rejections
    sensitivity = hits / asd.sum()
    specificity = rejections / (~asd).sum()
    areas = [
        _area(scores[:, (fold == k) & asd], scores[:, (fold == k) & ~asd])
        for k in np.unique(fold)
        if 0 < (asd & (fold == k)).sum() < (fold == k).sum()
    ]
    by_draw = {
        "f1": 2 * hits / np.maximum(2 * hits + wrong, 1),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "auc": np.mean(areas, axis=0),
        "accuracy": (hits + rejections) / len(asd),
    }
    return {name: float(values.mean()) for name, values in by_draw.items()}


def _area(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of pairs ranked rightly, ties counted half, shape (draws,)."""
    difference = positive[:, :, None] - negative[:, None, :]
    share: NDArray[np.float64] = ((np.sign(difference) + 1) / 2).mean(axis=(1, 2))
    return share
