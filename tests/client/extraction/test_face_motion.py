import itertools

import av
import cv2
import numpy as np
import pytest

from client.extraction.detector import Detection
from client.extraction.face_motion import moved_along

FACE = Detection(250.0, 140.0, 120.0, 160.0, 0.8)
MIDDLE = np.array([310.0, 220.0])


def texture(seed, smooth, size=(640, 480)):
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 1, (size[1] // 4, size[0] // 4)).astype(np.float32)
    field = cv2.GaussianBlur(cv2.resize(coarse, size), (0, 0), smooth)
    return 128 + 45 * field / field.std()


def frame(picture, pixel_format="yuv420p"):
    grey = np.clip(picture, 0, 255).astype(np.uint8)
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)


def head(shift=(0.0, 0.0), scale=1.0):
    """A face with soft features, moved and scaled about its middle, and where it is."""
    affine = np.array([[scale, 0, 0], [0, scale, 0]], float)
    affine[:, 2] = (1 - scale) * MIDDLE + shift
    mask = np.zeros((480, 640), np.float32)
    cv2.ellipse(mask, (310, 220), (72, 98), 0, 0, 360, 1.0, -1)
    moved = cv2.warpAffine(texture(1, 7), affine, (640, 480), borderMode=cv2.BORDER_REFLECT)
    return moved, cv2.warpAffine(cv2.GaussianBlur(mask, (7, 7), 0), affine, (640, 480))


def before_and_after(shift, scale, background=None, light=0.0):
    frames = []
    for (picture, mask), more in ((head(), 0.0), (head(shift, scale), light)):
        if background is not None:
            picture = picture * mask + background * (1 - mask)
        frames.append(frame(picture + more))
    return frames


def errors(shift, scale, found):
    centre = np.array([found.x + found.width / 2, found.y + found.height / 2])
    size = np.sqrt(FACE.width * FACE.height)
    return np.abs(centre - MIDDLE - shift).max() / size, abs(found.width / FACE.width - scale)


@pytest.mark.parametrize("shift", [(0, 0), (1.3, -0.7), (-6, 4), (12, 0), (0, -14)])
@pytest.mark.parametrize("scale", [1.0, 0.97, 1.04])
@pytest.mark.parametrize("background", ["moves along", "stays"])
def test_the_box_goes_with_the_face(shift, scale, background):
    behind = texture(2, 9) if background == "stays" else None
    found = moved_along(FACE, *before_and_after(shift, scale, behind))
    off, grown = errors(shift, scale, found)
    assert off < 0.012
    assert grown < 0.02
    assert found.confidence == FACE.confidence


def test_errors_do_not_add_up_quickly():
    found, path = FACE, [(8 * np.sin(i / 6), 5 * np.cos(i / 9) - 5) for i in range(73)]
    frames = [frame(head(shift)[0]) for shift in path]
    for before, now in itertools.pairwise(frames):
        found = moved_along(found, before, now)
    off, grown = errors(path[-1], 1.0, found)
    assert off < 0.02
    assert grown < 0.03


def test_a_change_of_the_light_is_no_movement():
    found = moved_along(FACE, *before_and_after((0, 0), 1.0, light=25.0))
    off, grown = errors((0, 0), 1.0, found)
    assert max(off, grown) < 0.005


@pytest.mark.parametrize("after", ["another picture", "flat"])
def test_where_nothing_fits_the_box_stays(after):
    now = texture(5, 7) if after == "another picture" else np.full((480, 640), 90.0)
    found = moved_along(FACE, frame(head()[0]), frame(now))
    assert abs(found.x - FACE.x) <= 0.26 * FACE.width
    assert 0.8 < found.width / FACE.width < 1.2
    flat = frame(np.full((480, 640), 90.0))
    np.testing.assert_allclose(moved_along(FACE, flat, flat), FACE)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "nv12", "rgb24"])
def test_every_pixel_format_can_be_followed(pixel_format):
    frames = [frame(head(shift)[0], pixel_format) for shift in ((0, 0), (5, -3))]
    assert errors((5, -3), 1.0, moved_along(FACE, *frames))[0] < 0.01


class Turned:
    def __init__(self, inner, rotation):
        self._inner, self.rotation = inner, rotation

    def __getattr__(self, name):
        return getattr(self._inner, name)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotated_recordings_are_followed_upright(rotation):
    frames = [
        Turned(frame(np.rot90(head(shift)[0], -rotation // 90)), rotation)
        for shift in ((0, 0), (5, -3))
    ]
    assert errors((5, -3), 1.0, moved_along(FACE, *frames))[0] < 0.01


@pytest.mark.parametrize("box", [(-60, -50, 120, 160), (600, 400, 120, 160), (700, 500, 10, 10)])
def test_a_face_at_or_past_the_border_can_be_followed(box):
    frames = [frame(head(shift)[0]) for shift in ((0, 0), (3, 3))]
    assert np.isfinite(moved_along(Detection(*map(float, box), 0.7), *frames)).all()
