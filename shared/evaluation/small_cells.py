"""Tables that may leave a clinic: no count under 10, and none that the shown counts give away.

A count is small below 10, 0 included. Hiding small counts is not enough: a hidden count follows
from its total when it is the only one hidden there. So further counts are hidden, totals last,
until for every hidden count the shown ones allow a value of 10 or more, which also keeps sums of
hidden counts from being small. Which further count is hidden depends on positions and on what the
shown counts reveal anyway, never on a hidden value: else a reader who knows this rule could undo
it. For the same reason all hidden counts look alike: never mark which of them are small. The
columns' totals are decided first and by themselves: tables of several variables over the same
participants then show the same totals, and none undoes another.

What this cannot see: two tables of nearly the same participants, published one after the other. A
report therefore takes all its tables from one frozen set of participants.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError

__all__ = ["SMALLEST_CELL", "SuppressedTable", "suppress"]

SMALLEST_CELL: Final = 10
"""Smallest count of participants that is shown outside the clinic."""

_OPTIMAL: Final = 0
_INFEASIBLE: Final = 2


@dataclass(frozen=True)
class SuppressedTable:
    """A table of counts with totals; None where a count is hidden.

    Attributes
    ----------
    cells : tuple of tuple of (int or None)
        Rows of counts.
    row_totals, column_totals : tuple of (int or None)
    total : int or None
    """

    cells: tuple[tuple[int | None, ...], ...]
    row_totals: tuple[int | None, ...]
    column_totals: tuple[int | None, ...]
    total: int | None

    @property
    def hidden(self) -> int:
        """Number of hidden counts, totals included."""
        entries = [*self.row_totals, *self.column_totals, self.total]
        return sum(entry is None for row in (*self.cells, entries) for entry in row)

    def as_json(self) -> dict[str, object]:
        """Fields by name; a hidden count is None."""
        return {
            "cells": [list(row) for row in self.cells],
            "row_totals": list(self.row_totals),
            "column_totals": list(self.column_totals),
            "total": self.total,
        }


def suppress(counts: NDArray[np.int64], smallest: int = SMALLEST_CELL) -> SuppressedTable:
    """Hide small counts of a table, and what would give them away.

    Parameters
    ----------
    counts : ndarray of int, shape (r, c)
        Each participant in one cell; a row is a group, a column what is counted of it.
    smallest : int
        Smallest count that may be shown.

    Raises
    ------
    InputError
        Not a table of counts.
    """
    if counts.ndim != 2 or not counts.size or not (counts >= 0).all():
        raise InputError(
            f"A table of shape {counts.shape} with counts of 0 or more was expected to have rows "
            "and columns. Give one count per cell."
        )
    r, c = counts.shape
    full = np.zeros((r + 1, c + 1), dtype=np.int64)
    full[:r, :c] = counts
    full[r, :c], full[:r, c], full[r, c] = counts.sum(0), counts.sum(1), counts.sum()
    hidden = full < smallest
    if r == 1:
        # One group is everyone: its cells are the totals.
        hidden[:] = _hide_totals(full[r], smallest)
    else:
        hidden[r] = _hide_totals(full[r], smallest)
        while True:
            if c == 1:
                # One column is its rows' total.
                hidden[:, 0] = hidden[:, 1] = hidden[:, 0] | hidden[:, 1]
            further = _further(full, hidden, smallest)
            if further is None:
                break
            hidden[further] = True
    entries = [
        [None if hidden[i, j] else int(full[i, j]) for j in range(c + 1)] for i in range(r + 1)
    ]
    return SuppressedTable(
        cells=tuple(tuple(row[:c]) for row in entries[:r]),
        row_totals=tuple(row[c] for row in entries[:r]),
        column_totals=tuple(entries[r][:c]),
        total=entries[r][c],
    )


def _hide_totals(line: NDArray[np.int64], smallest: int) -> NDArray[np.bool_]:
    """Which of the columns' totals, the grand total last, are hidden."""
    hidden: NDArray[np.bool_] = line < smallest
    if len(line) == 2:
        return np.asarray(hidden | hidden[::-1])
    single, whole = line[None], hidden[None].copy()
    while True:
        further = _further(single, whole, smallest)
        if further is None:
            return np.asarray(whole[0])
        whole[further] = True


def _further(
    full: NDArray[np.int64], hidden: NDArray[np.bool_], smallest: int
) -> tuple[int, int] | None:
    """What to hide next, because the shown entries give a hidden one away; None when none is.

    The largest value of each hidden entry must reach ``smallest``. And should the hidden cells all
    be small, which their positions may betray, none may follow from that (two cells of 9 from a
    hidden sum of 18), unless all cells are hidden, which betrays nothing. Both are linear
    programmes over the hidden entries, none negative. The equations are a network's, so the optima
    are whole numbers and no table of counts does better.
    """
    places = [(int(i), int(j)) for i, j in np.argwhere(hidden)]
    if not places:
        return None
    from scipy.optimize import linprog

    equations, right = _equations(full, hidden, places)
    r, c = full.shape[0] - 1, full.shape[1] - 1
    small: list[tuple[float, float | None]] = [
        (0, smallest - 1 if j < c and (i < r or not r) else None) for i, j in places
    ]
    free: list[tuple[float, float | None]] = [(0, None)] * len(places)

    def optimum(k: int, sign: float, bounds: Sequence[tuple[float, float | None]]) -> float:
        """Largest of ``sign`` times an entry; infinite without bound, NaN when infeasible."""
        aim = np.zeros(len(places))
        aim[k] = -sign
        found = linprog(aim, A_eq=equations, b_eq=right, bounds=bounds, method="highs")
        if found.status == _OPTIMAL:
            return -float(found.fun or 0.0)
        return np.nan if found.status == _INFEASIBLE else np.inf

    for k, place in enumerate(places):
        if optimum(k, 1.0, free) < smallest - 0.5:
            return _next(hidden, place)
    for k, place in enumerate(places):
        most = optimum(k, 1.0, small)
        if np.isnan(most):
            break
        if most + optimum(k, -1.0, small) < 0.5:
            return _next(hidden, place, cells_only=True)
    return None


def _equations(
    full: NDArray[np.int64], hidden: NDArray[np.bool_], places: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every row and every column of the table with totals: its parts minus its total is 0."""
    r, c = full.shape[0] - 1, full.shape[1] - 1
    number = {place: k for k, place in enumerate(places)}
    lines = [[(i, j) for j in range(c + 1)] for i in range(r + 1)]
    if r:
        lines += [[(i, j) for i in range(r + 1)] for j in range(c + 1)]
    equations = np.zeros((len(lines), len(places)))
    right = np.zeros(len(lines))
    for e, line in enumerate(lines):
        for position, place in enumerate(line):
            sign = -1.0 if position == len(line) - 1 else 1.0
            if hidden[place]:
                equations[e, number[place]] = sign
            else:
                right[e] -= sign * full[place]
    return equations, right


def _next(
    hidden: NDArray[np.bool_], at: tuple[int, int], *, cells_only: bool = False
) -> tuple[int, int] | None:
    """Which shown entry to hide for the sake of a hidden one: by position alone.

    First a hidden partner in its row, then one in its column, then a corner that closes a
    rectangle with both, then any; totals of rows after cells. The columns' totals and the grand
    total are not hidden for another's sake. None when all is hidden: many tables look like that.
    """
    rows, columns = hidden.shape
    locked = {(rows - 1, j) for j in range(columns)} if rows > 1 else {(0, columns - 1)}
    if cells_only:
        locked |= {(i, columns - 1) for i in range(rows)}
    i, j = at

    def totals_last(places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        return sorted(places, key=lambda place: place[1] == columns - 1)

    across = totals_last((i, (j + k) % columns) for k in range(1, columns))
    down = [((i - k) % rows, j) for k in range(1, rows)]
    beside, below = ([place for place in line if hidden[place]] for line in (across, down))
    if beside:
        corners = totals_last((row, column) for row, _ in below for _, column in beside)
        places = [*corners, *down, *across]
    else:
        places = [*across, *down]
    places += totals_last(product(range(rows), range(columns)))
    return next((place for place in places if place not in locked and not hidden[place]), None)
