"""Each unit moves the face as the Facial Action Coding System describes it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from server.pretraining.renderer.action_units import (
    DISTRACTORS,
    UNITS,
    active_units,
    lips_part,
    shape_weights,
)
from server.pretraining.renderer.mesh import EXPRESSION_SHAPES
from shared.channels import ACTION_UNITS

OTHERS = {f"{shape}_L" if item.sided else shape for item in DISTRACTORS for shape in item.shapes}


def test_the_table_follows_the_channels():
    assert tuple(unit.number for unit in UNITS) == ACTION_UNITS


def test_distractors_exist_and_are_not_a_unit_of_ours():
    ours = {"mouthLowerDown_L", "mouthUpperUp_L"}
    assert set(EXPRESSION_SHAPES) >= OTHERS
    single = [unit for unit in UNITS if unit.number != 25]
    driven = {f"{s}_L" if unit.sided else s for unit in single for s in unit.shapes}
    assert not driven & (OTHERS - ours)


@pytest.fixture
def moved(kit, person, units):
    """Displacement of the 68 landmarks, shape (68, 3), when units act."""

    def of(**given):
        at = kit.landmarks
        acting = kit.deformed(person.base, shape_weights(units(**given)))
        return acting[at] - person.base[at]

    return of


# Landmarks (Multi-PIE): brows 17-26, eyes 36-47, lids 37 38 40 41, nose 31-35, lips 48-67, chin 8.
DESCRIBED = {
    1: lambda d: d[[20, 21, 22, 23], 1].min() > 0.3 and d[[17, 26], 1].max() < 0.3,
    2: lambda d: d[[18, 25], 1].min() > 0.3 and d[[21, 22], 1].max() < d[18, 1],
    4: lambda d: d[[19, 20, 21, 22, 23, 24], 1].max() < -0.2,
    5: lambda d: d[[37, 38, 43, 44], 1].min() > 0.08,
    6: lambda d: d[[40, 41, 46, 47], 1].min() > 0.1,
    9: lambda d: d[[31, 35], 1].min() > 0.2,
    12: lambda d: d[[48, 54], 1].min() > 0.4 and d[54, 0] > 0.3 and d[48, 0] < -0.3,
    17: lambda d: d[[56, 57, 58], 1].min() > 0.3,
    20: lambda d: d[54, 0] > 0.3 and d[48, 0] < -0.3 and d[[48, 54], 1].max() < 0.2,
    25: lambda d: d[62, 1] - d[66, 1] > 0.5,
    26: lambda d: d[8, 1] < -1.0,
    43: lambda d: (d[[37, 38], 1] - d[[41, 40], 1]).max() < -0.5,
}


@pytest.mark.parametrize("number", ACTION_UNITS)
def test_a_unit_moves_what_it_should(moved, number):
    assert DESCRIBED[number](moved(**{f"au{number}": 1}))


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.sided], ids=lambda u: u.number)
def test_sides_act_apart(moved, unit):
    both = np.linalg.norm(moved(**{f"au{unit.number}": 1}), axis=1)
    left = np.linalg.norm(moved(**{f"au{unit.number}": (1, 0)}), axis=1)
    there = {1: 23, 2: 25, 4: 23, 5: 43, 6: 46, 9: 35, 12: 54, 20: 54, 43: 43}[unit.number]
    mirror = {23: 20, 25: 18, 43: 38, 46: 41, 35: 31, 54: 48}[there]
    assert left[there] > 0.8 * both[there]
    assert left[mirror] < 0.35 * both[mirror]


def test_lips_part_is_measured(kit, person, units):
    def shown(**given):
        return lips_part(kit, kit.deformed(person.base, shape_weights(units(**given))))

    levels = [shown(au25=level) for level in (0, 0.25, 0.5, 0.75, 1)]
    assert levels[0] == 0
    assert levels[-1] > 0.95
    assert (np.diff(levels) > 0.1).all()
    # A jaw that drops behind closed lips is AU 26 alone; with parted lips it is 25 and 26.
    assert shown(au26=1) == 0
    assert shown(au26=1, au25=1) == 1
    for number in set(ACTION_UNITS) - {25}:
        assert shown(**{f"au{number}": 1}) < 0.15


def test_other_movements_part_the_lips_or_do_not(kit, person, units):
    def shown(others):
        return lips_part(kit, kit.deformed(person.base, shape_weights(units(), others)))

    raised = {"mouthUpperUp_L": 0.8, "mouthUpperUp_R": 0.8}
    assert shown(raised) > 0.3
    assert shown({"mouthRollLower": 0.9, "mouthRollUpper": 0.9}) == 0
    assert shown({"mouthPress_L": 1, "mouthPress_R": 1}) == 0


@given(arrays(np.float32, (12, 2), elements=st.floats(0, 1, width=32)))
def test_weights_stay_in_reach(intensity):
    weights = shape_weights(intensity, {"jawForward": 0.4})
    assert weights.shape == (len(EXPRESSION_SHAPES),)
    assert ((weights >= 0) & (weights <= np.float32(1.8))).all()
    assert weights[EXPRESSION_SHAPES.index("jawForward")] == np.float32(0.4)


def test_nothing_asked_is_nothing_shown(units):
    assert not shape_weights(units()).any()


def test_active_from_the_threshold_on():
    at = np.array([unit.threshold for unit in UNITS], np.float32)
    assert active_units(at).tolist() == [1] * 12
    assert active_units(at - 0.01).tolist() == [0] * 12
    assert at[ACTION_UNITS.index(43)] > at[0], "a drooping lid is not eye closure"
