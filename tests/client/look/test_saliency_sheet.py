import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from client.look.moments import Moment
from client.look.saliency import Saliency
from client.look.saliency_sheet import (
    Explained,
    draw_saliency,
    explain_moments,
    make_saliency_sheet,
    overlaid,
)
from shared.affect.weights import Preprocessing, StoredNetwork
from shared.channels import CHANNELS
from shared.errors import InputError

JOY = CHANNELS.index("expression_joy")


class Brightness(nn.Module):
    def forward(self, x):
        return x.mean(dim=(1, 2, 3))[:, None].expand(-1, len(CHANNELS)) ** 2


@pytest.fixture
def stored():
    torch.manual_seed(0)
    return StoredNetwork(Brightness(), Preprocessing(size=32), 1.0, {}, "0" * 64)


def saliency(seed, parts=(0.25, 0.25, 0.25, 0.25)):
    field = np.random.default_rng(seed).standard_normal((32, 32)).astype(np.float32)
    return Saliency(field, 1.0, 0.0, np.array(parts))


def crop(seed):
    return np.random.default_rng(seed).integers(0, 256, (60, 40, 3), np.uint8)


def test_the_face_at_each_moment_is_explained_and_a_lost_one_is_not(subject, stored):
    moments = [Moment(3), Moment(35), Moment(50)]
    done = []
    found = explain_moments(
        subject, moments, JOY, stored, report=lambda *progress: done.append(progress)
    )
    assert [one.moment for one in found] == moments
    assert [one.saliency is not None for one in found] == [True, False, True]
    # The white square fills the middle of the crop; the scene around it is darker.
    for one in (found[0], found[2]):
        assert one.crop.shape == (64, 64, 3)
        assert one.crop[25:40, 25:40].min() > 180
        assert one.saliency.attribution[13:19, 13:19].min() > 0
    assert done[-1] == (2, 2)


def test_a_recording_without_a_face_at_these_moments_is_said(subject, stored):
    with pytest.raises(InputError, match="lost at every one"):
        explain_moments(subject, [Moment(33), Moment(40)], JOY, stored)


def test_the_sheet_is_written_and_counts_what_it_explains(subject, stored, tmp_path):
    path = tmp_path / "sheet.png"
    assert make_saliency_sheet(path, subject, [Moment(3), Moment(35)], JOY, stored) == 1
    with Image.open(path) as image:
        assert image.size[0] == 1600
        assert not image.info


def test_an_anonymised_sheet_depends_on_no_picture_and_no_map(subject, stored, tmp_path):
    kept = explain_moments(subject, [Moment(3)], JOY, stored, keep_crops=False)
    assert kept[0].crop is None
    sheets = [
        draw_saliency(
            subject, [Explained(Moment(3), crop(seed), saliency(seed))], JOY, anonymised=True
        ).pixels()
        for seed in (0, 1)
    ]
    np.testing.assert_array_equal(*sheets)
    shown = [
        draw_saliency(
            subject, [Explained(Moment(3), crop(seed), saliency(seed))], JOY, anonymised=False
        ).pixels()
        for seed in (0, 1)
    ]
    assert (shown[0] != shown[1]).any()


def test_the_shares_are_on_the_sheet(subject):
    first, second = (
        draw_saliency(
            subject, [Explained(Moment(3), None, saliency(0, parts))], JOY, anonymised=True
        ).pixels()
        for parts in ((0.9, 0.1, 0, 0), (0.1, 0.9, 0, 0))
    )
    assert (first != second).any()


def test_unknown_shares_are_drawn_as_such(subject):
    unknown = saliency(0, (np.nan,) * 4)
    draw_saliency(subject, [Explained(Moment(3), None, unknown)], JOY, anonymised=True)


def test_what_raises_is_orange_and_what_lowers_is_blue():
    field = np.zeros((32, 32), np.float32)
    field[:, :16], field[:, 16:] = 1, -1
    mixed = overlaid(np.full((64, 64, 3), 128, np.uint8), Saliency(field, 0, 0, np.zeros(4)))
    left, right = mixed[:, :16].mean(axis=(0, 1)), mixed[:, -16:].mean(axis=(0, 1))
    assert left[0] > left[2] + 80
    assert right[2] > right[0] + 80
    grey = overlaid(crop(0), Saliency(np.zeros((32, 32), np.float32), 0, 0, np.zeros(4)))
    assert (np.ptp(grey.astype(int), axis=2) == 0).all()
