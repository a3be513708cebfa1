"""How many children of each diagnosis a surrogate clinic has: unequal, as clinics are.

Three, four and eight clinics have fixed sizes at 49 ASD and 39 non-ASD; larger cohorts keep the
proportions. Any other number of clinics follows a rule: sizes fall as 1, 1/2^0.7, 1/3^0.7, ...
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError

__all__ = ["clinic_names", "clinic_sizes"]

_FIXED: Final[dict[int, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    3: ((25, 16, 8), (15, 14, 10)),
    4: ((22, 13, 11, 3), (12, 13, 7, 7)),
    8: ((11, 9, 9, 6, 5, 4, 3, 2), (7, 7, 5, 6, 5, 4, 3, 2)),
}


def clinic_names(n_clinics: int) -> tuple[str, ...]:
    """``clinic-1`` to ``clinic-K``."""
    return tuple(f"clinic-{number}" for number in range(1, n_clinics + 1))


def clinic_sizes(n_clinics: int, n_asd: int, n_non_asd: int) -> NDArray[np.int64]:
    """Children per clinic, shape (n_clinics, 2): ASD, non-ASD.

    Raises
    ------
    InputError
        There is no clinic, or fewer children of a diagnosis than clinics.
    """
    if n_clinics < 1 or n_clinics > min(n_asd, n_non_asd):
        raise InputError(
            f"{n_clinics} clinics asked for {n_asd} ASD and {n_non_asd} non-ASD participants; "
            f"every clinic needs one of each, so 1 to {min(n_asd, n_non_asd)} clinics are possible."
        )
    falling = np.arange(1, n_clinics + 1) ** -0.7
    weights = _FIXED.get(n_clinics, (tuple(falling), tuple(falling)))
    return np.column_stack(
        [
            _apportion(np.asarray(weight, dtype=np.float64), total)
            for weight, total in zip(weights, (n_asd, n_non_asd), strict=True)
        ]
    )


def _apportion(weight: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Split ``total`` by largest remainder, at least one each."""
    free = total - weight.size
    exact = weight / weight.sum() * total
    sizes: NDArray[np.int64] = np.maximum(np.floor(exact), 1).astype(np.int64)
    if sizes.sum() > total:
        exact = 1 + weight / weight.sum() * free
        sizes = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - sizes), kind="stable")
    sizes[order[: total - int(sizes.sum())]] += 1
    return sizes
