import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from client.extraction.picture import box_luminance, crop_rgb, small_rgb, upright_size

ITU601, ITU709 = Colorspace.ITU601, Colorspace.ITU709


def gradient(width, height):
    """Smooth colours, so that chroma subsampling costs little."""
    x = np.linspace(30, 220, width)[None, :]
    y = np.linspace(30, 220, height)[:, None]
    channels = [x + 0 * y, y + 0 * x, 250 - (x + y) / 2]
    return np.stack(channels, axis=2).astype(np.uint8)


def frame(picture, pixel_format="yuv420p", colorspace=ITU601, color_range=ColorRange.MPEG):
    made = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
        format=pixel_format, dst_colorspace=colorspace, dst_color_range=color_range
    )
    made.colorspace, made.color_range = colorspace, color_range
    return made


class Turned:
    """A frame with a rotation flag."""

    def __init__(self, inner, rotation):
        self._inner, self.rotation = inner, rotation

    def __getattr__(self, name):
        return getattr(self._inner, name)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "nv12"])
@pytest.mark.parametrize("colorspace", [ITU601, ITU709])
@pytest.mark.parametrize("color_range", [ColorRange.MPEG, ColorRange.JPEG])
def test_colours_come_back_from_every_format(pixel_format, colorspace, color_range):
    picture = gradient(120, 80)
    made = frame(picture, pixel_format, colorspace, color_range)
    crop = crop_rgb(made, (20, 10, 60, 40), 0.0)
    error = np.abs(crop.astype(int) - picture[10:50, 20:80])
    assert error.mean() < 2
    assert error.max() < 24


def test_an_odd_size_and_an_odd_cut_keep_colour_aligned():
    picture = gradient(121, 81)
    crop = crop_rgb(frame(picture), (21, 11, 33, 27), 0.0)
    assert crop.shape == (27, 33, 3)
    assert np.abs(crop.astype(int) - picture[11:38, 21:54]).mean() < 2


def test_the_margin_enlarges_each_side_and_stops_at_the_border():
    made = frame(gradient(200, 100))
    assert crop_rgb(made, (80, 40, 20, 10), 0.3).shape == (16, 32, 3)
    assert crop_rgb(made, (0, 0, 50, 50), 0.3).shape == (65, 65, 3)
    assert crop_rgb(made, (-500, -500, 2000, 2000), 0.3).shape == (100, 200, 3)
    assert crop_rgb(made, (300, 300, 5, 5), 0.0).shape == (2, 2, 3)


@pytest.mark.parametrize("rotation", [0, 90, -90, 180])
def test_rotation_gives_the_upright_crop(rotation):
    upright = gradient(120, 80)
    stored = np.ascontiguousarray(np.rot90(upright, -rotation // 90))
    made = Turned(frame(stored), rotation)
    assert upright_size(made) == (120, 80)
    crop = crop_rgb(made, (30, 10, 50, 20), 0.0)
    assert np.abs(crop.astype(int) - upright[10:30, 30:80]).mean() < 2
    small, scale = small_rgb(made, 60)
    assert small.shape == (40, 60, 3)
    assert scale == 0.5
    assert np.abs(small.astype(int) - upright[::2, ::2]).mean() < 5


def test_a_small_picture_is_not_enlarged():
    small, scale = small_rgb(frame(gradient(64, 48)), 320)
    assert small.shape == (48, 64, 3)
    assert scale == 1.0


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "nv12"])
@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("box", [(30, 20, 301, 203), (-10, -5, 60, 400), (0, 0, 2000, 90)])
def test_a_reduced_crop_is_the_crop_reduced(box, rotation, pixel_format):
    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.integers(0, 60, (60, 80), np.uint8), (640, 480))[..., None]
    made = Turned(frame(gradient(640, 480) // 2 + texture, pixel_format), rotation)
    whole = crop_rgb(made, box, 0.1)
    reduced = crop_rgb(made, box, 0.1, at_most=96)
    size = (min(whole.shape[1], 96), min(whole.shape[0], 96))
    assert reduced.shape == (size[1], size[0], 3)
    expected = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    error = np.abs(reduced.astype(int) - expected)
    assert error.mean() < 3
    assert error.max() < 24


def test_a_small_crop_is_not_reduced():
    made = frame(gradient(120, 80))
    box = (21, 11, 33, 27)
    np.testing.assert_array_equal(crop_rgb(made, box, 0.0, at_most=96), crop_rgb(made, box, 0.0))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "nv12"])
@pytest.mark.parametrize("color_range", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize("rotation", [0, 90])
def test_luminance_has_full_range_whatever_the_stream_has(pixel_format, color_range, rotation):
    grey = np.repeat(gradient(120, 80)[:, :, :1], 3, axis=2)
    stored = np.ascontiguousarray(np.rot90(grey, -rotation // 90))
    made = Turned(frame(stored, pixel_format, color_range=color_range), rotation)
    face = box_luminance(made, (30, 10, 50, 20))
    upright = np.rot90(face, rotation // 90)
    assert np.abs(upright.astype(int) - grey[10:30, 30:80, 0]).mean() < 1.5


@pytest.mark.parametrize("box", [(100, 60, 50, 50), (300, 300, 5, 5), (0, 0, 1, 1)])
def test_luminance_of_a_box_at_the_border_has_pixels(box):
    assert min(box_luminance(frame(gradient(120, 80)), box).shape) >= 2


def test_bt2020_colours_come_back_too():
    red, blue = 0.2627, 0.0593
    green = 1 - red - blue
    picture = gradient(64, 48).astype(float)
    luma = picture @ [red, green, blue]
    chroma = [
        (picture[..., 2] - luma) / (2 * (1 - blue)),
        (picture[..., 0] - luma) / (2 * (1 - red)),
    ]
    planes = [luma * 219 / 255 + 16, *(c * 224 / 255 + 128 for c in chroma)]
    made = av.VideoFrame.from_ndarray(np.stack(planes).round().astype(np.uint8), format="yuv444p")
    made.colorspace, made.color_range = 9, ColorRange.MPEG
    error = np.abs(crop_rgb(made, (0, 0, 64, 48), 0.0).astype(int) - picture)
    assert error.max() < 4
