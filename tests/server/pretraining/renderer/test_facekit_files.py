import json
import shutil

import numpy as np
import pytest

from server.pretraining.renderer import facekit_files
from server.pretraining.renderer.facekit_files import EXPRESSION_SHAPES, VERTICES, read_facekit
from shared.errors import InputError

CORNERS = [(0, 1, 2)]


def small_archive(path, **changes):
    """An archive of the right shapes, flat and empty, with some arrays replaced or left out."""
    arrays = {
        "neutral": np.zeros((VERTICES, 3), np.float32),
        "triangles": np.array(CORNERS),
        "expr_delta": np.zeros((57, VERTICES, 3), np.float16),
        "expr_names": np.array(EXPRESSION_SHAPES),
        "id_delta": np.zeros((100, VERTICES, 3), np.float16),
    } | changes
    np.savez_compressed(path, **{k: v for k, v in arrays.items() if v is not None})
    landmarks = {"idx_to_landmark_verts": list(range(68))}
    path.with_name("vertex_indices.json").write_text(json.dumps(landmarks))
    return path


def test_shapes_are_brought_into_one_order(tmp_path):
    names = list(reversed(EXPRESSION_SHAPES))
    delta = np.zeros((57, VERTICES, 3), np.float16)
    delta[names.index("jawOpen")] = 1
    path = small_archive(tmp_path / "kit.npz", expr_names=np.array(names), expr_delta=delta)

    files = read_facekit(path)

    moved = files.expression.any(axis=(1, 2))
    assert [EXPRESSION_SHAPES[i] for i in np.flatnonzero(moved)] == ["jawOpen"]
    assert files.landmarks.tolist() == list(range(68))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"neutral": None},
            "neutral is not a file in the archive; ICT-FaceKit's arrays are needed",
        ),
        ({"neutral": np.zeros((5, 3), np.float32)}, "26719 x 3 is needed"),
        ({"neutral": np.full((VERTICES, 3), np.nan, np.float32)}, "not finite"),
        ({"triangles": np.array([(0, 1, VERTICES)])}, "outside 0 to 26718"),
        ({"triangles": np.zeros((0, 3), int)}, "outside 0 to 26718"),
        ({"triangles": np.array([(0.0, 1.0, 2.0)])}, "triangles is"),
        ({"expr_names": np.array(["smile"] * 57)}, "expression shapes PupilDilate_L"),
        ({"id_delta": np.zeros((3, VERTICES, 3), np.float16)}, "100 x 26719 x 3 is needed"),
    ],
)
def test_other_arrays_are_refused(tmp_path, changes, said):
    path = small_archive(tmp_path / "kit.npz", **changes)

    with pytest.raises(InputError) as told:
        read_facekit(path)

    assert said in str(told.value)


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.npz: no such file; give ICT-FaceKit"):
        read_facekit(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(InputError, match=r"not a readable .npz archive"):
        read_facekit(tmp_path / "text.npz")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        ("{", "cannot be read"),
        ("{}", "cannot be read"),
        ('{"idx_to_landmark_verts": [1, 2]}', "must name 68 vertices"),
        ('{"idx_to_landmark_verts": [' + ", ".join(["99999"] * 68) + "]}", "must name 68 vertices"),
    ],
)
def test_landmarks_are_checked(tmp_path, content, said):
    path = small_archive(tmp_path / "kit.npz")
    indices = tmp_path / "vertex_indices.json"
    if content is None:
        indices.unlink()
    else:
        indices.write_text(content)

    with pytest.raises(InputError, match=said):
        read_facekit(path)


def mesh(vertices, faces):
    """Text of a Wavefront mesh."""
    lines = [f"v {' '.join(f'{value:.6f}' for value in vertex)}" for vertex in vertices]
    return "\n".join(["# made", *lines, "vt 0 0", *(f"f {face}" for face in faces)])


@pytest.fixture
def small_folder(tmp_path, monkeypatch):
    """A published folder whose meshes have four vertices."""
    monkeypatch.setattr(facekit_files, "VERTICES", 4)
    folder = tmp_path / "FaceXModel"
    folder.mkdir()
    square = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], float)
    names = [*EXPRESSION_SHAPES, *(f"identity{i:03d}" for i in range(100)), "generic_neutral_mesh"]
    for name in names:
        moved = square + (0.5 if name == "jawOpen" else 0.0)
        (folder / f"{name}.obj").write_text(mesh(moved, ["1/1 2/1 3/1 4/1"]))
    (folder / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": [0] * 68}))
    return folder


def test_the_published_folder_gives_displacements_and_triangles(small_folder):
    files = read_facekit(small_folder)

    assert files.triangles.tolist() == [[0, 1, 2], [0, 2, 3]]
    row = EXPRESSION_SHAPES.index("jawOpen")
    assert np.allclose(files.expression[row], 0.5)
    assert not np.delete(files.expression, row, axis=0).any()


def test_faults_of_the_folder_are_named(small_folder):
    (small_folder / "identity007.obj").unlink()
    with pytest.raises(InputError, match=r"identity007.obj: no such file; --facekit takes"):
        read_facekit(small_folder)
    (small_folder / "identity007.obj").write_text("v 1 2 three")
    with pytest.raises(InputError, match=r"identity007.obj: not a readable Wavefront mesh"):
        read_facekit(small_folder)
    (small_folder / "identity007.obj").write_text("v 1 2 3")
    with pytest.raises(InputError, match=r"1 vertices, the neutral mesh has 4"):
        read_facekit(small_folder)


@pytest.mark.soak
def test_folder_and_archive_of_the_real_model_agree(facekit, tmp_path):
    archive = read_facekit(facekit)
    faces = [f"{a + 1} {b + 1} {c + 1}" for a, b, c in archive.triangles]
    shapes = dict(zip(EXPRESSION_SHAPES, archive.expression, strict=True))
    shapes |= {f"identity{i:03d}": delta for i, delta in enumerate(archive.identity)}
    (tmp_path / "generic_neutral_mesh.obj").write_text(mesh(archive.neutral, faces))
    for name, delta in shapes.items():
        (tmp_path / f"{name}.obj").write_text(mesh(archive.neutral + delta, []))
    shutil.copy(facekit.with_name("vertex_indices.json"), tmp_path)

    folder = read_facekit(tmp_path)

    assert np.array_equal(folder.triangles, archive.triangles)
    assert np.allclose(folder.expression, archive.expression, atol=1e-4)
    assert np.allclose(folder.identity, archive.identity, atol=1e-4)
