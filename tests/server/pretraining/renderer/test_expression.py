import numpy as np
import pytest

from server.pretraining.renderer.action_units import active_units
from server.pretraining.renderer.expression import KINDS, random_expression
from server.pretraining.renderer.mesh import EXPRESSION_SHAPES
from shared.channels import ACTION_UNITS


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(1)
    return [random_expression(rng) for _ in range(3000)]


def test_the_same_numbers_give_the_same_expression():
    a, b = (random_expression(np.random.default_rng(5)) for _ in range(2))
    assert a.kind == b.kind
    assert np.array_equal(a.weights, b.weights)


def test_kinds_come_in_their_shares(drawn):
    for kind, share in KINDS.items():
        assert np.mean([item.kind == kind for item in drawn]) == pytest.approx(share, abs=0.03)


def test_every_unit_is_often_active_and_oftener_not(drawn):
    active = active_units(np.stack([item.intensity.max(axis=1) for item in drawn]))
    assert (active.mean(axis=0) > 0.06).all()
    assert (active.mean(axis=0) < 0.4).all()


def test_neutral_faces_show_at_most_traces(drawn):
    neutral = np.stack([item.intensity for item in drawn if item.kind == "neutral"])
    assert neutral.max() <= 0.15


def test_active_and_inactive_are_apart(drawn):
    """No intensity lies next to its threshold, apart from the weaker side and AU 25."""
    stronger = np.stack([item.intensity.max(axis=1) for item in drawn])
    stronger = np.delete(stronger, ACTION_UNITS.index(25), axis=1)
    assert not ((stronger > 0.16) & (stronger < 0.29)).any()


def test_wide_open_eyes_are_not_closed(drawn):
    wide, closed = (ACTION_UNITS.index(number) for number in (5, 43))
    for item in drawn:
        if item.intensity[closed].max() > 0:
            assert item.intensity[wide].max() <= 0.15
            assert item.intensity[closed].min() > 0.8


def test_some_faces_are_uneven(drawn):
    sides = np.stack([item.intensity for item in drawn])
    active = sides.max(axis=2) > 0.3
    uneven = np.abs(sides[:, :, 0] - sides[:, :, 1]) > 0.2
    assert 0.05 < uneven[active].mean() < 0.4


def test_unlabelled_movements_and_gaze_vary(drawn):
    weights = np.stack([item.weights for item in drawn])
    for name in ("mouthFrown_L", "mouthPucker", "eyeSquint_R", "cheekPuff_L", "jawForward"):
        assert 0.01 < (weights[:, EXPRESSION_SHAPES.index(name)] > 0.2).mean() < 0.3
    assert (weights[:, EXPRESSION_SHAPES.index("eyeLookDown_L")] > 0.5).mean() > 0.03
