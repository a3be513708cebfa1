"""Cross-validation folds by participant, stratified by label: the same folds for every method."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError

__all__ = ["stratified_folds"]


def stratified_folds(
    asd: NDArray[np.bool_], participants: Sequence[str], *, n_splits: int = 10, seed: int = 0
) -> NDArray[np.int64]:
    """Number of the fold in which each row is tested.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
        Label of each row.
    participants : sequence of str, length n
        All rows of one participant fall into one fold. The split depends on names and labels,
        not on the order of rows.
    n_splits : int
        Number of folds.
    seed : int
        Shuffles participants within a label.

    Returns
    -------
    ndarray of int, shape (n,)
        0 to ``n_splits`` - 1; train on ``fold != k``, test on ``fold == k``.

    Raises
    ------
    InputError
        A participant has two labels, or a label has fewer participants than folds.
    """
    from sklearn.model_selection import StratifiedKFold

    label_of = dict(zip(participants, asd.tolist(), strict=True))
    two = sorted(
        {p for p, label in zip(participants, asd.tolist(), strict=True) if label_of[p] != label}
    )
    if two:
        raise InputError(
            f"Participants {', '.join(two[:5])} have rows with different labels; "
            "one participant has one label."
        )
    names = sorted(label_of)
    labels = np.array([label_of[name] for name in names])
    fewest = int(min(labels.sum(), (~labels).sum()))
    if not 2 <= n_splits <= fewest:
        raise InputError(
            f"{n_splits} folds asked; the rarer label has {fewest} participants, so 2 to {fewest} "
            "folds are possible."
        )
    folds = StratifiedKFold(n_splits=n_splits, shuffle=True, random_state=seed)
    fold_of: dict[str, int] = {}
    for number, (_, tested) in enumerate(folds.split(np.zeros((len(names), 1)), labels)):
        fold_of.update((names[row], number) for row in tested)
    return np.array([fold_of[p] for p in participants], dtype=np.int64)
