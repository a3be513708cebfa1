import numpy as np
import pytest
import torch

from server.pretraining.augmentation import RANDOM_NUMBERS, Views, resized
from server.pretraining.config import Augmentation

NONE = Augmentation.model_validate(
    {
        name: 0.0
        for name, field in Augmentation.model_fields.items()
        if name not in ("coarsest",) and field.annotation is float
    }
    | dict.fromkeys(("mirror", "grey", "coarse", "noisy", "covered"), 0.0)
)


def batch(seed=0):
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (5, 48, 48, 1), np.uint8)
    colour = rng.integers(0, 256, (7, 96, 96, 3), np.uint8)
    randoms = rng.random((12, RANDOM_NUMBERS), np.float32)
    return [torch.from_numpy(grey), torch.from_numpy(colour)], randoms


def test_without_any_change_a_view_is_the_picture():
    pictures, randoms = batch()
    views = Views(NONE)(pictures[1:], randoms[5:], 96)
    torch.testing.assert_close(views, pictures[1].permute(0, 3, 1, 2) / 255, atol=1e-4, rtol=1e-3)
    small = Views(NONE)(pictures[:1], randoms[:5], 80)
    torch.testing.assert_close(small, resized(pictures[0][..., 0], 80), atol=1e-4, rtol=1e-3)


def test_grey_and_colour_pictures_of_any_size_share_a_batch():
    pictures, randoms = batch()
    views = Views(Augmentation())(pictures, randoms, 64)
    assert views.shape == (12, 3, 64, 64)
    assert views.min() >= 0
    assert views.max() <= 1
    spread = views.max(1).values - views.min(1).values
    assert spread[:5].max() < 1e-5
    assert spread[5:].amax((1, 2)).max() > 0.1


def test_a_view_belongs_to_its_face_and_its_numbers_alone():
    pictures, randoms = batch()
    make = Views(Augmentation())
    views = make(pictures, randoms, 64)
    torch.testing.assert_close(make(pictures, randoms, 64), views)
    alone = make([pictures[1][3:4]], randoms[8:9], 64)
    torch.testing.assert_close(alone[0], views[8], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(make(pictures, randoms[::-1].copy(), 64), views)


@pytest.mark.parametrize(("share", "greys"), [(0.0, 0), (1.0, 7)])
def test_the_share_of_grey_pictures(share, greys):
    pictures, randoms = batch()
    views = Views(NONE.model_copy(update={"grey": share}))(pictures[1:], randoms[5:], 64)
    spread = (views.max(1).values - views.min(1).values).amax((1, 2))
    assert int((spread < 1e-5).sum()) == greys
    always = Views(NONE, always_grey=True)(pictures[1:], randoms[5:], 64)
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    plain = Views(NONE)(pictures[1:], randoms[5:], 64)
    torch.testing.assert_close(always[:, 0], (plain * weights).sum(1), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"rotation_deg": 30.0},
        {"scale": 0.3},
        {"stretch": 0.3},
        {"shift": 0.2},
        {"mirror": 1.0},
        {"brightness": 0.5},
        {"contrast": 0.5},
        {"gamma": 1.0},
        {"tint": 0.5},
        {"saturation": 0.9},
        {"coarse": 1.0, "coarsest": 16},
        {"noisy": 1.0, "noise": 0.3},
        {"covered": 1.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_change_changes_something(change):
    pictures, randoms = batch()
    plain = Views(NONE)(pictures[1:], randoms[5:], 96)
    changed = Views(NONE.model_copy(update=change))(pictures[1:], randoms[5:], 96)
    assert not torch.allclose(plain, changed, atol=1e-3)


def test_a_mirrored_picture_is_mirrored():
    pictures, randoms = batch()
    views = Views(NONE.model_copy(update={"mirror": 1.0}))(pictures[1:], randoms[5:], 96)
    plain = Views(NONE)(pictures[1:], randoms[5:], 96)
    torch.testing.assert_close(views, plain.flip(3), atol=1e-4, rtol=1e-3)


def test_large_pictures_are_averaged_before_they_are_made_small():
    fine = torch.zeros(1, 96, 96, 1, dtype=torch.uint8)
    fine[:, ::2, ::2] = fine[:, 1::2, 1::2] = 255
    randoms = np.zeros((1, RANDOM_NUMBERS), np.float32)
    assert Views(NONE)([fine], randoms, 48).std() < 1e-3
    assert Views(NONE)([fine], randoms, 96).std() > 0.4
    assert Views(NONE, detail=48)([fine], randoms, 96).std() < 1e-3
