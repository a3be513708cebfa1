"""No small count shows, and none can be worked out, by arithmetic or by knowing the rule."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, milp

from shared.errors import InputError
from shared.evaluation.small_cells import SMALLEST_CELL, SuppressedTable, suppress

TABLES = arrays(
    np.int64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=4),
    elements=st.integers(0, 14) | st.integers(0, 60),
)


def entries(counts: NDArray[np.int64]) -> dict[tuple[str, int, int], tuple[int, NDArray[Any]]]:
    """Every count and total with the cells that it sums."""
    r, c = counts.shape
    cells = np.zeros((r, c))
    found = {}
    for i, j in product(range(r), range(c)):
        found["cell", i, j] = cells.copy()
        found["cell", i, j][i, j] = 1
    for i in range(r):
        found["row", i, 0] = cells.copy()
        found["row", i, 0][i] = 1
    for j in range(c):
        found["column", j, 0] = cells.copy()
        found["column", j, 0][:, j] = 1
    found["all", 0, 0] = cells + 1
    return {key: (int((mask * counts).sum()), mask.ravel()) for key, mask in found.items()}


def shown(table: SuppressedTable, key: tuple[str, int, int]) -> int | None:
    kind, i, j = key
    if kind == "cell":
        return table.cells[i][j]
    return {"row": table.row_totals, "column": table.column_totals, "all": (table.total,)}[kind][i]


def attack(counts: NDArray[np.int64], table: SuppressedTable) -> list[Any]:
    """Small hidden entries that the shown ones keep below 10, by integer programming on cells."""
    every = entries(counts)
    known = [(value, mask) for key, (value, mask) in every.items() if shown(table, key) is not None]
    broken: list[Any] = []
    for key, (value, mask) in every.items():
        if value >= SMALLEST_CELL:
            continue
        if shown(table, key) is not None:
            broken.append(key)
            continue
        if not known:
            continue
        sums = LinearConstraint(
            np.array([m for _, m in known]), *(np.array([v for v, _ in known]),) * 2
        )
        most = milp(-mask, constraints=sums, integrality=np.ones(counts.size, dtype=np.int64))
        # Status 3 and 4: no bound.
        if most.status == 0 and -most.fun < SMALLEST_CELL - 0.5:
            broken.append(key)
    return broken


@settings(max_examples=40)
@given(TABLES)
def test_no_small_count_shows_nor_follows_from_what_shows(counts: NDArray[np.int64]) -> None:
    table = suppress(counts)
    for key, (value, _) in entries(counts).items():
        assert shown(table, key) in (None, value)
    assert not attack(counts, table)


def test_the_attack_undoes_a_table_that_only_hides_its_small_counts() -> None:
    counts = np.array([[12, 20], [3, 30], [40, 25]])
    naive = SuppressedTable(((12, 20), (None, 30), (40, 25)), (32, 33, 65), (55, 75), 130)
    assert attack(counts, naive) == [("cell", 1, 0)]
    # Two hidden cells of a row and no partner in another: their columns give them away.
    pair = SuppressedTable(((12, 20), (None, None), (40, 25)), (32, 33, 65), (55, 75), 130)
    assert attack(counts, pair) == [("cell", 1, 0)]


def all_tables(cells: int, most: int) -> Iterator[tuple[int, ...]]:
    """All ways to place up to ``most`` participants in cells."""
    for total in range(most + 1):
        for cuts in product(range(total + 1), repeat=cells - 1):
            if all(a <= b for a, b in pairwise(cuts)):
                yield tuple(np.diff([0, *cuts, total]).tolist())


def learned(shape: tuple[int, int], most: int, smallest: int) -> list[Any]:
    """Small entries that someone who knows the rule learns: the same in all tables that look so."""
    alike: dict[SuppressedTable, list[NDArray[np.int64]]] = defaultdict(list)
    for cells in all_tables(shape[0] * shape[1], most):
        counts = np.array(cells).reshape(shape)
        alike[suppress(counts, smallest)].append(counts)
    broken = []
    for table, members in alike.items():
        stack = np.stack(members)
        for values in (stack, stack.sum(1), stack.sum(2), stack.sum((1, 2))):
            flat = values.reshape(len(members), -1)
            small = (flat.min(0) == flat.max(0)) & (flat[0] < smallest)
            if small.any():
                broken.append(table)
    return broken


@pytest.mark.parametrize(("shape", "most"), [((3, 1), 7), ((1, 3), 7), ((2, 1), 12)])
def test_who_knows_the_rule_learns_no_small_count(shape: tuple[int, int], most: int) -> None:
    assert not learned(shape, most, smallest=3)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("shape", "most", "smallest"), [((2, 2), 9, 2), ((4, 1), 9, 3), ((3, 1), 13, 3), ((2, 2), 8, 3)]
)
def test_who_knows_the_rule_learns_no_small_count_of_larger_tables(
    shape: tuple[int, int], most: int, smallest: int
) -> None:
    assert not learned(shape, most, smallest)


def test_large_counts_all_show() -> None:
    table = suppress(np.array([[10, 20], [30, 40]]))
    assert table.hidden == 0
    assert table.as_json() == {
        "cells": [[10, 20], [30, 40]],
        "row_totals": [30, 70],
        "column_totals": [40, 60],
        "total": 100,
    }


def test_only_what_is_needed_is_hidden() -> None:
    table = suppress(np.array([[50, 14], [30, 2], [20, 20]]))
    assert table.cells == ((None, None), (None, None), (20, 20))
    assert table.row_totals == (64, 32, 40)
    assert table.column_totals == (100, 36)
    assert table.hidden == 4


def test_tables_of_one_set_of_participants_agree_on_its_totals() -> None:
    rng = np.random.default_rng(0)
    found = rng.random(120) < 0.9
    totals = set()
    for groups in (2, 3, 5):
        by = rng.integers(0, groups, 120)
        counts = np.array(
            [[(found & (by == g)).sum(), (~found & (by == g)).sum()] for g in range(groups)]
        )
        table = suppress(counts)
        totals.add((table.column_totals, table.total))
    assert len(totals) == 1


def test_a_table_of_nobody_shows_nothing() -> None:
    assert suppress(np.zeros((2, 2), dtype=np.int64)).total is None


@pytest.mark.parametrize("counts", [np.array([1, 2]), np.array([[-1]]), np.zeros((0, 2))])
def test_what_is_no_table_is_refused(counts: Any) -> None:
    with pytest.raises(InputError, match="rows and columns"):
        suppress(counts)
