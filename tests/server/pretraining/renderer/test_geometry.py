from dataclasses import replace

import numpy as np
import pytest

from server.pretraining.renderer.geometry import Framing, posed, projected, window_of
from server.pretraining.renderer.scene import plain_scene


def nose_points(kit, **pose):
    scene = plain_scene(**pose)
    return posed(kit.neutral[kit.landmarks], scene)


def test_the_head_turns_as_named(kit):
    tip, chin = 30, 8
    still = nose_points(kit)
    # The person's left is on the picture's right.
    assert nose_points(kit, yaw=20)[tip, 0] > still[tip, 0] + 2
    assert nose_points(kit, pitch=15)[tip, 1] > still[tip, 1] + 1
    # Clockwise as seen: the chin swings to the left.
    assert nose_points(kit, roll=15)[chin, 0] < still[chin, 0] - 1


def test_what_is_near_looks_larger():
    square = np.array([[1, 1, 0], [1, 1, 50]], np.float32)
    far, near = projected(square, 100)
    assert near[0] == pytest.approx(2 * far[0])


@pytest.fixture
def marks(kit):
    scene = plain_scene()
    return projected(posed(kit.neutral[kit.landmarks], scene), scene.distance_cm)


@pytest.mark.parametrize("margin", [0.0, 0.08, 0.3])
def test_a_crop_is_the_face_box_and_its_margin(marks, margin):
    _, box = window_of(marks, plain_scene(), Framing(100, 200, margin))
    side = 1 / (1 + 2 * margin)
    assert box == pytest.approx((100 * margin * side, 200 * margin * side, 100 * side, 200 * side))


def test_a_shifted_crop_moves_the_face_the_other_way(marks):
    scene = replace(plain_scene(), crop_shift=(0.1, 0.0), crop_scale=1.2)
    _, box = window_of(marks, scene, Framing(120, 120, 0.0))
    assert box[2] == pytest.approx(100)
    assert box[0] + box[2] / 2 == pytest.approx(60 - 10)


def test_a_frame_has_the_face_where_it_is_asked(marks):
    window, box = window_of(marks, plain_scene(), Framing(320, 180, place=(0.25, 0.6, 0.5)))
    assert box[0] + box[2] / 2 == pytest.approx(80)
    assert box[1] + box[3] / 2 == pytest.approx(108)
    assert box[3] == pytest.approx(90)
    assert window.half_width / window.half_height == pytest.approx(320 / 180)


def test_a_fixed_window_stays(marks):
    window, box = window_of(marks, plain_scene(), Framing(100, 100))
    again, moved = window_of(marks * np.float32(1.1), plain_scene(), Framing(100, 100), window)
    assert again == window
    assert moved[2] == pytest.approx(1.1 * box[2], rel=1e-4)
