import json
from typing import Any

import numpy as np
import pytest

from shared.errors import InputError
from shared.evaluation.confusion import Confusion
from shared.evaluation.roc import auc
from shared.evaluation.subgroups import SubgroupTable, age_bands, measure_subgroups

N = 300
ASD = np.arange(N) % 2 == 0
SCORE = np.random.default_rng(0).standard_normal(N) + np.where(ASD, 0.8, -0.8)
SEX = np.where(np.arange(N) % 3 == 0, "girl", "boy")
CLINIC = np.repeat(["a", "b", "c", "d"], [140, 120, 30, 10])


def table(groups: Any, **options: Any) -> SubgroupTable:
    return measure_subgroups(ASD, SCORE, {"group": groups}, **options)[0]


def test_figures_are_those_of_the_groups_own_rows() -> None:
    boys, girls = table(SEX).groups
    assert (boys.name, girls.name) == ("boy", "girl")
    assert girls.confusion == Confusion.of(ASD[SEX == "girl"], SCORE[SEX == "girl"] > 0)
    assert girls.auc == auc(ASD[SEX == "girl"], SCORE[SEX == "girl"])
    apart = girls.against_others["sensitivity"]
    assert apart.value == pytest.approx(
        girls.confusion.sensitivity.value - boys.confusion.sensitivity.value
    )
    assert boys.against_others["auc"].value == pytest.approx(girls.auc.value * -1 + boys.auc.value)
    assert sum(sum(group.counts) for group in table(SEX).groups) == N


def test_everything_shows_where_nothing_leaves() -> None:
    found = table(CLINIC).as_json()
    json.dumps(found, allow_nan=False)
    assert all(group["figures"]["auc"] for group in found["groups"])  # type: ignore[attr-defined]


def test_no_small_count_leaves_and_no_figure_that_gives_one_away() -> None:
    leaving = table(CLINIC).as_json(suppress=True)
    json.dumps(leaving, allow_nan=False)
    groups: Any = leaving["groups"]
    assert leaving["smallest_cell"] == 10
    assert groups[0]["counts"]["fn"] is not None or groups[0]["figures"]["sensitivity"] is None
    shown = 0
    for group, full in zip(groups, table(CLINIC).groups, strict=True):
        counts = group["counts"]
        for value in (*counts.values(), group["asd"], group["non_asd"], group["participants"]):
            assert value is None or value >= 10
        for figure, cells in (("sensitivity", ("tp", "fn")), ("specificity", ("tn", "fp"))):
            known = all(counts[cell] is not None for cell in cells)
            for place in (group["figures"], group["against_others"]):
                assert (place[figure] is not None) == known
        both = group["asd"] is not None and group["non_asd"] is not None
        assert (group["figures"]["auc"] is not None) == both
        shown += sum(value is not None for value in counts.values())
        assert dict(zip(("tp", "fn", "fp", "tn"), full.counts, strict=True)).items() >= {
            (name, value) for name, value in counts.items() if value is not None
        }
    # The smallest clinic is hidden, and not all is.
    assert groups[3]["participants"] is None
    assert shown > 0


def test_groups_come_in_the_order_asked() -> None:
    age = np.linspace(12, 72, N)
    bands, order = age_bands(age)
    found = table(bands, order={"group": order})
    assert [group.name for group in found.groups] == list(order[:-1])
    assert found.groups[0].name == "under 24 months"


def test_age_bands_begin_at_their_edge() -> None:
    bands, _ = age_bands(np.array([23.9, 24.0, 60.0, np.nan]))
    assert bands.tolist() == [
        "under 24 months",
        "24 to under 36 months",
        "60 months and over",
        "unknown",
    ]


def test_a_group_without_a_class_has_no_figure_for_it() -> None:
    found = table(np.where(ASD, "x", "y")).groups[0].as_json()
    assert found["figures"]["specificity"]["value"] is None  # type: ignore[index]
    assert found["figures"]["auc"]["value"] is None  # type: ignore[index]


@pytest.mark.parametrize("edges", [(), (24.0, 24.0), (36.0, 24.0)])
def test_edges_that_do_not_rise_are_refused(edges: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="must rise"):
        age_bands(np.zeros(2), edges)


def test_lengths_are_checked() -> None:
    with pytest.raises(InputError, match="2 groups"):
        table(np.array(["a", "b"]))
