import av
import cv2
import numpy as np
import pytest

from client.extraction.picture import region_rgb, thumbnail, upright_luminance


def gradient(width, height):
    x = np.linspace(30, 220, width)[None, :]
    y = np.linspace(30, 220, height)[:, None]
    channels = [x + 0 * y, y + 0 * x, 250 - (x + y) / 2]
    return np.stack(channels, axis=2).astype(np.uint8)


def frame(picture, pixel_format="yuv420p"):
    return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)


class Turned:
    """A frame with a rotation flag."""

    def __init__(self, inner, rotation):
        self._inner, self.rotation = inner, rotation

    def __getattr__(self, name):
        return getattr(self._inner, name)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "nv12"])
@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
@pytest.mark.parametrize("scale", [1.0, 0.61, 0.25])
@pytest.mark.parametrize("box", [(31, 17, 77, 90), (-20, -9, 120, 80), (150, 100, 300, 300)])
def test_a_region_shows_what_it_says(pixel_format, rotation, scale, box):
    upright = gradient(241, 161)
    made = Turned(frame(np.rot90(upright, -rotation // 90).copy(), pixel_format), rotation)
    region = region_rgb(made, box, scale)
    rows, columns = region.picture.shape[:2]
    right, bottom = region.left + columns * region.across, region.top + rows * region.down
    x0, y0 = max(box[0], 0), max(box[1], 0)
    x1, y1 = min(box[0] + box[2], 241), min(box[1] + box[3], 161)
    for more in (x0 - region.left, y0 - region.top, right - x1, bottom - y1):
        assert -0.01 < more < 2.01
    expected = cv2.resize(
        upright[region.top : round(bottom), region.left : round(right)],
        (columns, rows),
        interpolation=cv2.INTER_AREA,
    )
    error = np.abs(region.picture.astype(int) - expected)
    assert error.mean() < 2.5
    assert (columns, rows) == (
        max(1, round((right - region.left) * scale)),
        max(1, round((bottom - region.top) * scale)),
    )


def test_noise_is_averaged_when_a_region_is_reduced():
    noise = np.random.default_rng(0).normal(128, 30, (480, 640, 1)).clip(0, 255)
    made = frame(np.repeat(noise, 3, axis=2).astype(np.uint8))
    spread = region_rgb(made, (0, 0, 640, 480), 0.2).picture[:, :, 1].std()
    assert spread < 30 * 0.45


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "rgb24"])
@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_upright_luminance_says_what_it_shows(pixel_format, rotation):
    upright = np.repeat(gradient(240, 160)[:, :, :1], 3, axis=2)
    made = Turned(frame(np.rot90(upright, -rotation // 90).copy(), pixel_format), rotation)
    small, (left, top, right, bottom) = upright_luminance(made, (60.5, -10.0, 90.0, 80.0), (30, 20))
    assert (left, top, right, bottom) == (60, 0, 150, 70)
    assert small.shape == (20, 30)
    assert small.flags.c_contiguous
    shown = cv2.resize(upright[top:bottom, left:right, 0], (30, 20), interpolation=cv2.INTER_AREA)
    # Whatever the range of the levels.
    line = np.polyfit(shown.ravel(), small.ravel().astype(float), 1)
    np.testing.assert_allclose(small, np.polyval(line, shown), atol=2)
    assert line[0] > 0.8


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv420p10le", "nv12", "rgb24"])
@pytest.mark.parametrize("size", [(64, 64), (121, 81), (1280, 720)])
def test_a_thumbnail_is_about_the_mean_of_each_part(pixel_format, size):
    grey = np.repeat(gradient(*size)[:, :, :1], 3, axis=2)
    small = thumbnail(frame(grey, pixel_format)).astype(float)
    assert small.shape == (18, 32)
    expected = cv2.resize(grey[:, :, 0], (32, 18), interpolation=cv2.INTER_AREA)
    slope = np.polyfit(expected.ravel(), small.ravel(), 1)
    assert np.abs(np.polyval(slope, expected) - small).max() < 8


def test_noise_and_slow_movement_do_not_look_like_a_cut():
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 256, (90, 160), np.uint8), (1280, 720))[:, :, None]
    picture = np.repeat(picture, 3, axis=2)
    noisy = np.clip(picture + rng.normal(0, 12, picture.shape), 0, 255).astype(np.uint8)
    still = thumbnail(frame(picture))
    assert np.abs(thumbnail(frame(noisy)) - still).mean() < 4
    assert np.abs(thumbnail(frame(np.roll(picture, 2, axis=1))) - still).mean() < 12
    assert np.abs(thumbnail(frame(255 - picture)) - still).mean() > 12
