"""Public bounds of a table's features: what may be known of them without looking at the rows.

A CSV file with the columns ``feature``, ``low``, ``high`` and, for categories, ``levels``
(separated by ``|``, the first one is the reference and gets no column of its own).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError

__all__ = ["PublicRange", "bounds", "read_ranges"]


@dataclass(frozen=True)
class PublicRange:
    """Bounds of a number, or the levels of a category.

    Attributes
    ----------
    feature : str
        Column of the table.
    low, high : float
        Public bounds; 0 and 1 for a category.
    levels : tuple of str
        Empty for a number.
    """

    feature: str
    low: float
    high: float
    levels: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the numeric columns this feature becomes."""
        if not self.levels:
            return (self.feature,)
        return tuple(f"{self.feature}={level}" for level in self.levels[1:])


def read_ranges(path: Path) -> list[PublicRange]:
    """Read a ranges file.

    Raises
    ------
    InputError
        When the file is missing, a column is missing, or a row is not a valid range; the message
        names the line.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(path, dtype=str, encoding="utf-8-sig", keep_default_na=False)
    except FileNotFoundError:
        raise InputError(
            f"--ranges {path}: no such file; give a CSV with the columns feature, low, high[, "
            "levels]"
        ) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"--ranges {path} is not a CSV file: {error}") from None
    frame.columns = [str(name).strip() for name in frame.columns]
    missing = [name for name in ("feature", "low", "high") if name not in frame.columns]
    if missing:
        raise InputError(
            f"--ranges {path} has no column {missing[0]!r}; it has {', '.join(frame.columns)} and "
            "needs feature, low, high[, levels]"
        )
    found = [
        _range(path, line, {str(key): str(value).strip() for key, value in row.items()})
        for line, row in enumerate(frame.to_dict("records"), start=2)
    ]
    names = [item.feature for item in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not found:
        raise InputError(
            f"--ranges {path}: "
            + (f"feature {twice[0]!r} stands twice" if twice else "no feature is listed")
        )
    return found


def bounds(ranges: list[PublicRange]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper bound of each numeric column, in order."""
    low = [item.low for item in ranges for _ in item.columns]
    high = [item.high for item in ranges for _ in item.columns]
    return np.array(low), np.array(high)


def _range(path: Path, line: int, row: dict[str, str]) -> PublicRange:
    name = row["feature"]
    levels = tuple(part.strip() for part in row.get("levels", "").split("|") if part.strip())
    if levels:
        if len(set(levels)) != len(levels) or len(levels) < 2:
            raise InputError(
                f"--ranges {path}, line {line}: {name!r} needs at least two different levels"
            )
        return PublicRange(name, 0.0, 1.0, levels)
    try:
        low, high = float(row["low"]), float(row["high"])
    except ValueError:
        raise InputError(
            f"--ranges {path}, line {line}: bounds {row['low']!r} and {row['high']!r} of {name!r} "
            "are not numbers"
        ) from None
    if not name or not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(
            f"--ranges {path}, line {line}: {name!r} has bounds [{low:g}, {high:g}]; a name and "
            "finite bounds with low < high are needed"
        )
    return PublicRange(name, low, high)
