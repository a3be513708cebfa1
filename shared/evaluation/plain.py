"""Arrays as JSON has them: nested lists of plain numbers, None where a number is not finite."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["plain"]


def plain(values: NDArray[Any]) -> list[Any]:
    """Nested lists of an array of any shape; NaN and infinity become None."""
    if values.dtype.kind != "f":
        return values.tolist()  # type: ignore[no-any-return]
    cleaned = values.astype(object)
    cleaned[~np.isfinite(values)] = None
    return cleaned.tolist()  # type: ignore[no-any-return]
