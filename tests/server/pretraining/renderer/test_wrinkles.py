import numpy as np
import pytest

from server.pretraining.renderer.canvas import coordinates, points
from server.pretraining.renderer.wrinkles import WRINKLED, relief_at, wrinkle_maps


@pytest.fixture(scope="module")
def maps(kit):
    return wrinkle_maps(np.random.default_rng(0), points(kit.neutral[kit.landmarks]))


def test_a_resting_face_has_no_folds(maps, units):
    assert not relief_at(maps, units()).any()


@pytest.mark.parametrize("number", WRINKLED)
def test_folds_are_grooves_that_deepen(maps, units, number):
    half, whole = (relief_at(maps, units(**{f"au{number}": level})) for level in (0.5, 1))
    assert np.allclose(2 * half, whole, atol=1e-5)
    assert -0.6 < whole.min() < -0.03


def test_folds_lie_where_the_muscle_acts(maps, units):
    _, y = coordinates()

    def height(number):
        depth = np.maximum(-relief_at(maps, units(**{f"au{number}": 1})), 0).sum(axis=1)
        return float((depth * y[:, 0]).sum() / depth.sum())

    heights = [height(number) for number in (1, 4, 9, 12, 17)]
    assert heights == sorted(heights, reverse=True)


def test_one_side_folds_alone(maps, units):
    left = relief_at(maps, units(au12=(1, 0)))
    x, _ = coordinates()
    depth = np.maximum(-left, 0).sum(axis=0)
    assert depth[x[0] < -1].sum() == 0
    assert depth[x[0] > 1].sum() > 0
