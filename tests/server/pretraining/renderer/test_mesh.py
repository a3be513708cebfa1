import numpy as np
import pytest

from server.pretraining.renderer.mesh import (
    EXPRESSION_SHAPES,
    EYE_LEFT,
    EYE_RIGHT,
    SKIN,
    TEETH,
    canvas_share,
    load_facekit,
)
from shared.errors import InputError


def test_parts_are_where_they_belong(kit):
    def middle(part):
        return kit.neutral[kit.part == part].mean(axis=0)

    assert middle(EYE_LEFT)[0] > 2
    assert middle(EYE_RIGHT)[0] < -2
    assert middle(TEETH)[1] < middle(EYE_LEFT)[1] - 4
    tip = kit.neutral[kit.part == SKIN][:, 2].argmax()
    assert kit.neutral[kit.part == SKIN][tip] == pytest.approx(
        kit.neutral[kit.landmarks[30]], abs=0.5
    )


def test_what_no_camera_sees_is_cut_and_the_rest_is_whole(kit):
    assert kit.neutral[kit.part == SKIN][:, 2].min() >= -3
    assert len(kit.neutral) < 22_000
    assert set(np.unique(kit.triangles)) == set(range(len(kit.neutral)))


def test_weights_add_displacements(kit):
    weights = np.zeros(len(EXPRESSION_SHAPES), np.float32)
    assert np.array_equal(kit.deformed(kit.neutral, weights), kit.neutral)
    weights[EXPRESSION_SHAPES.index("jawOpen")] = 0.5
    half = kit.deformed(kit.neutral, weights) - kit.neutral
    weights[EXPRESSION_SHAPES.index("jawOpen")] = 1
    whole = kit.deformed(kit.neutral, weights) - kit.neutral
    assert np.allclose(2 * half, whole, atol=1e-5)
    assert whole[kit.landmarks[8], 1] < -2


def test_the_nose_wrinkler_hardly_lifts_the_lip(kit):
    shape = kit.expression[EXPRESSION_SHAPES.index("noseSneer_L")].reshape(-1, 3)
    assert np.linalg.norm(shape[kit.landmarks[51]]) < 0.35 * np.linalg.norm(
        shape[kit.landmarks[35]]
    )


def test_eyes_carry_the_direction_from_their_centre(kit):
    for eye in (EYE_LEFT, EYE_RIGHT):
        ball = kit.part == eye
        foremost = kit.neutral[ball][:, 2].argmax()
        assert kit.place[ball][foremost] == pytest.approx([0.5, 0.5], abs=0.06)


def test_skin_lies_on_the_canvas_left_right_and_up_down(kit):
    left, right, brow, chin = kit.place[kit.landmarks[[54, 48, 21, 8]]]
    assert left[0] > 0.5 > right[0]
    assert left[0] - 0.5 == pytest.approx(0.5 - right[0], abs=0.01)
    assert brow[1] < chin[1]
    assert ((kit.place >= 0) & (kit.place <= 1)).all()
    corners = np.array([[-13, 14.5], [13, -11.5], [99, -99]], np.float32)
    assert canvas_share(corners).tolist() == [[0, 0], [1, 1], [1, 1]]


def test_landmarks_on_hidden_vertices_are_refused(facekit, tmp_path):
    (tmp_path / "kit.npz").symlink_to(facekit)
    eyelash = [26_000] * 68
    (tmp_path / "vertex_indices.json").write_text(f'{{"idx_to_landmark_verts": {eyelash}}}')
    with pytest.raises(InputError, match="lie on no visible triangle"):
        load_facekit(tmp_path / "kit.npz")
