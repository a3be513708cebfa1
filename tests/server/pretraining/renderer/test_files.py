import csv

import cv2
import numpy as np
import pytest

from server.pretraining.renderer.dataset import Faces
from server.pretraining.renderer.files import read_faces, write_archive, write_folder
from shared.channels import ACTION_UNITS
from shared.errors import InputError


def some_faces(n, first=0, size=8):
    rng = np.random.default_rng(first)
    intensity = rng.random((n, 12)).astype(np.float32)
    return Faces(
        pictures=rng.integers(0, 256, (n, size, size, 3)).astype(np.uint8),
        active=(intensity > 0.5).astype(np.uint8),
        intensity=intensity,
        person=np.arange(first, first + n),
        landmarks=rng.random((n, 68, 2)).astype(np.float32),
    )


def test_an_archive_gives_the_faces_back(tmp_path):
    parts = [some_faces(3), some_faces(2, 3)]
    write_archive(tmp_path / "faces.npz", iter(parts), 5, 8)
    faces = read_faces(tmp_path / "faces.npz")
    assert len(faces) == 5
    for name in vars(faces):
        whole = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(getattr(faces, name), whole)


def test_too_much_for_memory_is_refused_before_rendering(tmp_path):
    def never():
        raise AssertionError("rendered")
        yield

    with pytest.raises(InputError, match=r"take 55\.5 GiB; an archive holds at most 6"):
        write_archive(tmp_path / "faces.npz", never(), 1_000_000, 141)


def test_a_folder_has_pictures_and_a_table(tmp_path):
    parts = [some_faces(2), some_faces(1, 2)]
    write_folder(tmp_path / "faces", parts)
    table = (tmp_path / "faces" / "faces.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    assert [row["file"] for row in rows] == ["0000000.png", "0000001.png", "0000002.png"]
    assert [int(row["person"]) for row in rows] == [0, 1, 2]
    last = parts[1]
    for column, unit in enumerate(ACTION_UNITS):
        assert int(rows[2][f"au{unit}"]) == last.active[0, column]
        assert float(rows[2][f"au{unit}_intensity"]) == pytest.approx(
            last.intensity[0, column], abs=6e-4
        )
    picture = cv2.imread(str(tmp_path / "faces" / "0000002.png"))[:, :, ::-1]
    assert np.array_equal(picture, last.pictures[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"active": None}, "active is not a file in the archive; not an archive of rendered faces"),
        ({"active": np.zeros((3, 11), np.uint8)}, r"active is \(3, 11\)"),
        ({"pictures": np.zeros((3, 8, 9, 3), np.uint8)}, "pictures is"),
        ({"pictures": np.zeros((3, 8, 8, 3), np.float32)}, "float32"),
        ({"person": np.int64(3)}, "pictures is"),
    ],
)
def test_other_archives_are_refused(tmp_path, change, said):
    arrays = {**vars(some_faces(3)), **change}
    path = tmp_path / "faces.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(InputError, match=said):
        read_faces(path)


def test_missing_and_damaged_archives_are_named(tmp_path):
    with pytest.raises(InputError, match="cnn render"):
        read_faces(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(InputError, match="not a readable"):
        read_faces(tmp_path / "text.npz")
