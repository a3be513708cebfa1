"""Test folds by participant, stratified by diagnosis, without any library's splitter."""

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError

__all__ = ["stratified_fold"]


def stratified_fold(
    asd: NDArray[np.bool_], n_splits: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Number of the fold in which each participant is tested.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
        One row per participant.
    n_splits : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int, shape (n,)
        0 to ``n_splits`` - 1. Folds differ by at most one in size and in either diagnosis.

    Raises
    ------
    InputError
        The rarer diagnosis has fewer participants than folds, or fewer than two folds are asked.
    """
    fewest = int(min(asd.sum(), (~asd).sum()))
    if not 2 <= n_splits <= fewest:
        raise InputError(
            f"{n_splits} folds asked; the rarer diagnosis has {fewest} participants, so "
            f"{f'2 to {fewest}' if fewest >= 2 else 'no'} folds are possible."
        )
    order = np.concatenate(
        [rng.permutation(np.flatnonzero(asd)), rng.permutation(np.flatnonzero(~asd))]
    )
    fold = np.empty(len(asd), dtype=np.int64)
    # Dealt like cards, the second diagnosis where the first ended; which fold is larger is drawn.
    fold[order] = rng.permutation(n_splits)[np.arange(len(asd)) % n_splits]
    return fold
