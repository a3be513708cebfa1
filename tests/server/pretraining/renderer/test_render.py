"""Pictures agree with what they are said to show."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from server.pretraining.renderer.action_units import shape_weights
from server.pretraining.renderer.geometry import Framing, Window, posed
from server.pretraining.renderer.identity import Glasses, make_identity
from server.pretraining.renderer.mesh import EYE_LEFT
from server.pretraining.renderer.rasteriser import Rasteriser
from server.pretraining.renderer.render import Renderer
from server.pretraining.renderer.scene import Occluder, plain_scene, random_scene
from shared.errors import InputError

STILL = Window(0.0, 0.005, 0.115, 0.15)
"""What a camera sees that does not follow the face."""


def grey(rendering):
    return rendering.picture.mean(axis=2)


def changed(a, b):
    """Centre of the changes between two pictures, and how much of the picture changed."""
    change = np.abs(a.picture - b.picture).sum(axis=2)
    rows, columns = np.indices(change.shape)
    total = change.sum()
    return (change * columns).sum() / total, (change * rows).sum() / total, (change > 0.02).mean()


def test_a_picture_is_srgb_and_comes_again(draw, units):
    first, again = (draw(units(au12=0.7)) for _ in range(2))
    assert first.picture.shape == (120, 120, 3)
    assert first.picture.dtype == np.float32
    assert ((first.picture >= 0) & (first.picture <= 1)).all()
    assert np.array_equal(first.picture, again.picture)


def test_landmarks_lie_on_what_they_name(draw, units):
    """Eyes are darkest in their middle: the pupil lies between the lid landmarks."""
    shown = draw(units(), framing=Framing(240, 240))
    for eye in (shown.landmarks[36:42], shown.landmarks[42:48]):
        middle = eye.mean(axis=0)
        x0, x1 = int(eye[:, 0].min()) + 4, int(eye[:, 0].max()) - 3
        y0, y1 = int(eye[:, 1].min()) + 1, int(eye[:, 1].max())
        inside = cv2.GaussianBlur(grey(shown), (0, 0), 1.5)[y0:y1, x0:x1]
        _, column = np.unravel_index(inside.argmin(), inside.shape)
        assert x0 + column == pytest.approx(middle[0], abs=6)


WHERE = {
    # unit: landmarks around which the picture changes
    1: [19, 20, 21, 22, 23, 24],
    4: [19, 20, 21, 22, 23, 24],
    9: [28, 29, 31, 35],
    12: [48, 51, 54, 57],
    17: [57, 8],
    25: [62, 66],
    26: [57, 8],
    43: [36, 39, 42, 45],
}


@pytest.mark.parametrize("number", WHERE)
def test_a_unit_changes_the_picture_where_it_acts(draw, units, number):
    still = draw(units())
    # The crop follows the face box, and the jaw moves that; a camera that stands still does not.
    window = STILL
    acting = draw(units(**{f"au{number}": 1}), window=window)
    x, y, share = changed(draw(units(), window=window), acting)
    expected = still.landmarks[WHERE[number]].mean(axis=0)
    assert x == pytest.approx(expected[0], abs=6)
    assert y == pytest.approx(expected[1], abs=14)
    assert share > 0.01


def test_left_and_right_are_the_persons_own(draw, units):
    """The person's left lies on the right of the picture."""
    window = STILL
    x, _, _ = changed(draw(units(), window=window), draw(units(au43=(1, 0)), window=window))
    assert x > 65


def test_an_open_mouth_is_dark_inside(draw, units):
    shown = draw(units(au25=1, au26=1))
    x, y = shown.landmarks[[62, 66]].mean(axis=0).round().astype(int)
    assert grey(shown)[y, x] < 0.6 * grey(shown)[tuple(shown.landmarks[30].astype(int)[::-1])]


def test_light_falls_from_where_the_lamp_is(draw, units):
    scene = plain_scene()
    key = scene.lights[0]
    flipped = key.direction * np.array([-1, 1, 1], np.float32)
    left = draw(units(), replace(scene, lights=(key,)))
    right = draw(units(), replace(scene, lights=(replace(key, direction=flipped),)))
    cheeks = (left.landmarks[[2, 14]] * 0.6 + left.landmarks[30] * 0.4).astype(int)
    a, b = (grey(shown)[cheeks[:, 1], cheeks[:, 0]] for shown in (left, right))
    assert a[0] > a[1] + 0.05
    assert b[1] > b[0] + 0.05


def test_shadows_darken_and_brightness_is_set(draw, units):
    scene = replace(plain_scene(), shadow=0.0)
    steep = replace(scene.lights[0], direction=np.array([0.0, 0.94, 0.34], np.float32))
    without = draw(units(), replace(scene, lights=(steep,)))
    shaded = draw(units(), replace(scene, lights=(steep,), shadow=1.0))
    below = without.landmarks[33].round().astype(int) + np.array([0, 4])
    nose = without.landmarks[28].round().astype(int)

    def contrast(shown):
        return grey(shown)[below[1], below[0]] / grey(shown)[nose[1], nose[0]]

    assert contrast(shaded) < 0.9 * contrast(without)
    dark, bright = (draw(units(), replace(scene, brightness=b)) for b in (0.08, 0.4))
    assert grey(bright)[nose[1], nose[0]] > 1.5 * grey(dark)[nose[1], nose[0]]


def test_a_given_background_is_behind_the_head_only(draw, units):
    green = np.zeros((50, 50, 3), np.uint8)
    green[:, :, 1] = 255
    framing = Framing(160, 120, place=(0.5, 0.5, 0.5))
    shown = draw(units(), framing=framing, background=green)
    assert shown.picture[0, 0] == pytest.approx([0, 1, 0])
    x, y = shown.landmarks[30].round().astype(int)
    assert shown.picture[y, x, 0] > 0.2


def test_occluders_and_glasses_cover_the_face(kit, renderer, person, draw, units):
    plain = draw(units())
    bar = Occluder((0.0, 0.75), (1.0, 0.75), 0.2, (0.0, 0.0, 0.9))
    covered = draw(units(), replace(plain_scene(), occluders=(bar,)))
    x, y = (round(plain.box[0] + 0.5 * plain.box[2]), round(plain.box[1] + 0.75 * plain.box[3]))
    assert covered.picture[y, x, 2] > 2 * covered.picture[y, x, 0]
    dark = Glasses((0.0, 0.0, 0.0), 5.5, 4.0, 0.3, 3.0, 0.9)
    framing = Framing(120, 120)
    wearing = renderer.render(
        replace(person, glasses=dark), person.base, units(), plain_scene(), framing
    )
    # The glass hides the eye, the cheek stays.
    for eye in (slice(36, 42), slice(42, 48)):
        x, y = plain.landmarks[eye].mean(axis=0).round().astype(int)
        there = np.s_[y - 2 : y + 3, x - 3 : x + 4]
        assert grey(wearing)[there].mean() < 0.5 * grey(plain)[there].mean()
    x, y = plain.landmarks[[48, 31]].mean(axis=0).round().astype(int)
    assert grey(wearing)[y, x] == pytest.approx(grey(plain)[y, x], abs=0.02)


def test_closed_eyes_hide_the_eyeballs(kit, units, person):
    def pixels(**given):
        vertices = kit.deformed(person.base, shape_weights(units(**given)))
        camera = posed(vertices, plain_scene())
        layers = Rasteriser(kit).layers(camera, 80, STILL, 200, 260)
        return int((layers.part == EYE_LEFT).sum())

    wide, rest, closed = pixels(au5=1), pixels(), pixels(au43=1)
    assert wide > 1.1 * rest
    assert closed < 0.15 * rest


def test_random_scenes_and_people_stay_in_their_limits(kit):
    rng = np.random.default_rng(3)
    for _ in range(300):
        scene = random_scene(rng)
        assert abs(scene.yaw) <= 30
        assert max(abs(scene.pitch), abs(scene.roll)) <= 20
        assert all(
            np.linalg.norm(lamp.direction) == pytest.approx(1, abs=1e-4) for lamp in scene.lights
        )
    people = [make_identity(kit, np.random.default_rng([2, number])) for number in range(24)]
    tones = np.array([someone.skin.tone.mean() for someone in people])
    assert tones.min() < 0.06
    assert tones.max() > 0.4
    assert 0 < sum(someone.child for someone in people) < len(people)


def test_old_opencv_is_named(kit, monkeypatch):
    monkeypatch.delattr(cv2, "triangleRasterize")
    with pytest.raises(InputError, match=r"rendering needs OpenCV 5.*fedaffect\[train\]"):
        Renderer(kit)
