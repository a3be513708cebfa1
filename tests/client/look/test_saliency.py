import sys

import av
import numpy as np
import pytest
import torch
from torch import nn

from client.extraction.picture import crop_rgb
from client.look.saliency import PARTS_OF_FACE, explain_crop, face_crop, open_network
from shared.affect.weights import DEFAULT_WEIGHTS, Preprocessing, StoredNetwork, load_weights
from shared.channels import CHANNELS
from shared.errors import InputError
from shared.files import sha256_of

SIZE = 48
INSIDE = (0.25, 0.25, 0.75, 0.75)


class Weighted(nn.Module):
    """Every output is the same weighted sum of pixels."""

    def __init__(self, weights):
        super().__init__()
        self.weights = torch.as_tensor(weights, dtype=torch.float32)

    def forward(self, x):
        total = (x * self.weights).sum(dim=(1, 2, 3))
        return total[:, None].expand(-1, len(CHANNELS))


def stored(network):
    return StoredNetwork(network, Preprocessing(size=SIZE), 1.0, {}, "0" * 64)


def crop(seed=0, side=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def test_attributions_of_a_linear_network_are_weight_times_difference():
    weights = np.random.default_rng(1).standard_normal((3, SIZE, SIZE)).astype(np.float32)
    pixels = crop()
    found = explain_crop(stored(Weighted(weights)), pixels, INSIDE, 3)
    colours = pixels.astype(np.float64) / 255
    away = (colours - colours.mean(axis=(0, 1))).transpose(2, 0, 1)
    np.testing.assert_allclose(found.attribution, (away * weights).sum(axis=0), atol=1e-5)
    assert found.change == pytest.approx((away * weights).sum(), abs=1e-3)
    assert found.error == pytest.approx(0, abs=1e-3)


def test_attributions_of_the_real_network_add_up_to_what_the_crop_changes():
    one = load_weights()
    found = explain_crop(one, crop(side=90), INSIDE, CHANNELS.index("au12"))
    assert abs(found.change) > 0.1
    assert abs(found.error) <= 0.05 * np.abs(found.attribution).sum()
    assert found.attribution.sum() - found.change == pytest.approx(found.error, abs=1e-4)
    assert found.parts.sum() == pytest.approx(1)
    # Nothing of the network is changed by looking into it.
    assert all(parameter.grad is None for parameter in one.network.parameters())


@pytest.mark.parametrize("part", range(len(PARTS_OF_FACE)))
def test_each_part_of_the_face_counts_where_it_lies(part):
    weights = np.zeros((3, SIZE, SIZE), np.float32)
    rows = slice(12 + 8 * part, 20 + 8 * part)
    if part == 3:
        weights[:, :, :12] = weights[:, :, 36:] = weights[:, :12] = weights[:, 36:] = 1
    else:
        weights[:, rows, 12:36] = 1
    found = explain_crop(stored(Weighted(weights)), crop(), INSIDE, 0)
    np.testing.assert_allclose(found.parts, np.arange(4) == part, atol=1e-6)


def test_a_crop_without_detail_moves_nothing():
    found = explain_crop(stored(Weighted(np.ones((3, SIZE, SIZE)))), crop() * 0 + 7, INSIDE, 0)
    assert found.change == pytest.approx(0, abs=1e-2)
    black = explain_crop(stored(Weighted(np.ones((3, SIZE, SIZE)))), crop() * 0, INSIDE, 0)
    assert np.isnan(black.parts).all()


@pytest.mark.parametrize(
    "box",
    [(40.0, 30.0, 50.0, 60.0), (-10.0, -5.0, 60.0, 60.0), (120.3, 80.7, 60.2, 60.9)],
)
def test_the_crop_is_that_of_the_extraction(box):
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(40, 200, (12, 16, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(smooth, format="rgb24").reformat(format="yuv420p")
    whole = crop_rgb(frame, (0.0, 0.0, 160.0, 120.0), 0.0)
    found, inside = face_crop(whole, box, 0.2)
    wanted = crop_rgb(frame, box, 0.2)
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted.astype(int)).mean() < 2
    left, top, right, bottom = inside
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1


def test_the_box_inside_the_crop():
    _, inside = face_crop(np.zeros((200, 200, 3), np.uint8), (80.0, 60.0, 40.0, 80.0), 0.25)
    np.testing.assert_allclose(inside, (1 / 6, 1 / 6, 5 / 6, 5 / 6))


def test_without_captum_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(InputError, match=r"pip install 'fedaffect\[saliency\]'"):
        open_network("0" * 64)


@pytest.mark.parametrize(("had", "words"), [(None, "unknown weights"), ("5" * 64, "55555555")])
def test_other_weights_than_the_recordings_are_refused(had, words):
    with pytest.raises(InputError, match=words):
        open_network(had)


def test_the_shipped_weights_open_for_a_recording_read_with_them():
    one = open_network(sha256_of(DEFAULT_WEIGHTS))
    assert one.network.num_outputs == len(CHANNELS)
    assert open_network(one.sha256, DEFAULT_WEIGHTS).sha256 == one.sha256
