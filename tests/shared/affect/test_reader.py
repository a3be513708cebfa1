import numpy as np
import pytest
import torch

from shared.affect.network import AffectNetwork
from shared.affect.reader import AffectReader, prepare_crop
from shared.affect.weights import Preprocessing, StoredNetwork
from shared.errors import InputError


def stored(preprocessing=None, temperature=1.0):
    torch.manual_seed(0)
    network = AffectNetwork("eesp")
    network.classifier.weight.data.normal_(std=0.3)
    return StoredNetwork(
        network.eval(), preprocessing or Preprocessing(size=64), temperature, {}, "0" * 64
    )


def crops(n=3, height=70, width=50):
    return np.random.default_rng(1).integers(0, 256, (n, height, width, 3), np.uint8)


def test_readings_are_the_network_s_outputs_as_probabilities():
    weights = stored(Preprocessing(size=64), temperature=2.0)
    pictures = crops(height=64, width=64)
    readings = AffectReader(weights).read(pictures)
    with torch.inference_mode():
        raw = weights.network(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
    close = {"rtol": 1e-4, "atol": 1e-5}
    expected = torch.softmax(raw[:, :8] / 2, 1).numpy()
    np.testing.assert_allclose(readings.expression, expected, **close)
    np.testing.assert_allclose(readings.valence, raw[:, 8].clamp(-1, 1).numpy(), **close)
    np.testing.assert_allclose(readings.arousal, raw[:, 9].clamp(-1, 1).numpy(), **close)
    np.testing.assert_allclose(readings.action_units, torch.sigmoid(raw[:, 10:]).numpy(), **close)
    values = readings.values()
    assert values.shape == (3, 22)
    np.testing.assert_array_equal(values[:, 8], readings.valence)
    np.testing.assert_array_equal(values[:, 10:], readings.action_units)


def test_many_faces_read_alike_one_by_one():
    reader = AffectReader(stored())
    pictures = crops(n=37)
    together = reader.read(pictures).values()
    singly = np.concatenate([reader.read(picture[None]).values() for picture in pictures])
    np.testing.assert_allclose(together, singly, atol=1e-5)


def test_no_faces_give_no_rows():
    reader = AffectReader(stored())
    assert reader.read(np.zeros((0, 9, 9, 3), np.uint8)).values().shape == (0, 22)
    assert reader.read([]).expression.shape == (0, 8)


def test_extreme_logits_stay_probabilities():
    def wild(pictures):
        return np.tile(np.array([1e4, -1e4] * 11, np.float32), (len(pictures), 1))

    values = AffectReader(stored(), backend=wild).read(crops()).values()
    assert np.isfinite(values).all()
    assert values.min() >= -1
    assert values.max() <= 1


def test_channel_order_and_colour_are_those_of_the_weights():
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 200
    assert prepare_crop(red, Preprocessing(size=32))[0, 0].tolist() == [200, 0, 0]
    bgr = prepare_crop(red, Preprocessing(size=32, channel_order="BGR"))
    assert bgr[0, 0].tolist() == [0, 0, 200]
    grey = prepare_crop(red, Preprocessing(size=32, colour="grey"))
    assert grey[0, 0].tolist() == [60, 60, 60]  # .299 x 200


@pytest.mark.parametrize("shape", [(300, 200), (20, 30), (48, 300), (64, 64)])
@pytest.mark.parametrize("detail", [None, 48, 64])
def test_any_crop_becomes_a_square_of_the_right_size(shape, detail):
    crop = np.full((*shape, 3), 90, np.uint8)
    picture = prepare_crop(crop, Preprocessing(size=64, detail=detail))
    assert picture.shape == (64, 64, 3)
    assert (picture == 90).all()


def test_detail_takes_away_what_the_network_never_saw():
    board = np.indices((200, 200)).sum(0) % 2 * 255
    crop = np.repeat(board.astype(np.uint8)[:, :, None], 3, 2)
    fine = prepare_crop(crop, Preprocessing(size=200)).std()
    coarse = prepare_crop(crop, Preprocessing(size=200, detail=50)).std()
    assert coarse < 2 < fine


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_what_is_no_rgb_crop_is_refused(crop):
    with pytest.raises(InputError, match="face crop"):
        AffectReader(stored()).read([crop])
