import numpy as np
import pytest

from server.pretraining.renderer.photo import Photo, photographed, random_photo


@pytest.fixture
def stripes():
    picture = np.zeros((64, 96, 3), np.float32)
    picture[:, ::4] = picture[:, 1::4] = (1.0, 0.6, 0.2)
    return picture


def contrast(picture):
    return float(np.abs(np.diff(picture[:, :, 0].astype(float), axis=1)).mean())


def test_a_faultless_photograph_is_the_picture(stripes):
    assert np.array_equal(photographed(stripes, Photo()), np.rint(stripes * 255))


@pytest.mark.parametrize(
    "photo", [Photo(detail=24), Photo(blur=2.0), Photo(motion=6.0), Photo(contrast=0.5)]
)
def test_faults_that_take_detail(stripes, photo):
    seen = photographed(stripes, photo)
    assert seen.shape == stripes.shape
    assert contrast(seen) < 0.6 * contrast(np.rint(stripes * 255))


def test_motion_blurs_along_its_direction(stripes):
    along = photographed(stripes, Photo(motion=6.0, motion_angle=90.0))
    assert np.abs(along[8:-8].astype(int) - np.rint(stripes * 255)[8:-8]).max() <= 1


def test_noise_is_seeded(stripes):
    flat = np.full_like(stripes, 0.5)
    a, b, c = (photographed(flat, Photo(noise=0.05, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert a.std() == pytest.approx(0.05 * 255, rel=0.35)


def test_grey_and_colour_balance(stripes):
    seen = photographed(stripes, Photo(grey=True))
    assert (seen[:, :, 0] == seen[:, :, 2]).all()
    warm = photographed(np.full_like(stripes, 0.5), Photo(balance=(1.2, 1.0, 0.8)))
    assert warm[0, 0, 0] > warm[0, 0, 1] > warm[0, 0, 2]


def test_compression_keeps_channels_in_place():
    red = np.zeros((32, 32, 3), np.float32)
    red[:, :, 0] = 1
    seen = photographed(red, Photo(quality=60)).reshape(-1, 3).mean(axis=0)
    assert seen[0] > 200
    assert seen[1:].max() < 60


def test_random_photographs_vary_and_come_again(stripes):
    photos = [random_photo(np.random.default_rng(n), 160, grey_share=0.5) for n in range(400)]
    assert random_photo(np.random.default_rng(7), 160, grey_share=0.5) == photos[7]
    assert np.mean([photo.grey for photo in photos]) == pytest.approx(0.5, abs=0.1)
    details = [photo.detail for photo in photos if photo.detail is not None]
    assert 46 <= min(details) < 60
    assert 130 < max(details) <= 160
    for photo in photos[:40]:
        assert photographed(stripes, photo).dtype == np.uint8
    assert all(random_photo(np.random.default_rng(n), 40).detail is None for n in range(20))
