import json

import numpy as np
import pytest

from server.pretraining.datasets.stored_faces import made_once, open_stored_faces
from server.pretraining.labelled_faces import Skipped, skipped_text, unlabelled
from shared.errors import InputError


def chunk(n, level, skipped=()):
    targets = unlabelled(n)
    targets["valence_arousal"][:] = level / 10
    return np.full((n, 8, 8, 3), level, np.uint8), targets, list(skipped)


@pytest.fixture
def make(tmp_path):
    def build(chunks, **made_from):
        calls = []

        def content():
            calls.append(1)
            return iter(chunks)

        faces = made_once(tmp_path / "cache", "set", {"a": 1} | made_from, 8, content)
        return faces, len(calls)

    return build


def test_faces_are_made_once_for_each_setting(make):
    skipped = [Skipped("x.png", "missing")]
    faces, made = make([chunk(2, 1), chunk(1, 5, skipped)])
    assert made == 1
    assert isinstance(faces.pictures, np.memmap)
    assert faces.pictures[:, 0, 0, 0].tolist() == [1, 1, 5]
    np.testing.assert_allclose(faces.valence_arousal[:, 0], [0.1, 0.1, 0.5])
    assert faces.skipped == tuple(skipped)
    assert faces.labels() == {"expression": 0, "valence_arousal": 3, "action_units": 0}
    assert make([chunk(9, 9)])[1] == 0
    assert len(make([chunk(4, 9)], b=2)[0]) == 4


def test_an_interrupted_making_starts_again(make, tmp_path):
    def broken():
        yield chunk(2, 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(broken())
    assert list((tmp_path / "cache").glob("**/note.json")) == []
    assert len(make([chunk(3, 1)])[0]) == 3


def test_nothing_usable_is_an_error(make):
    with pytest.raises(InputError, match="no usable picture; 1 are missing"):
        make([chunk(0, 0, [Skipped("x.png", "missing")])])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / "note.json").unlink(), "note.json is missing"),
        (lambda f: (f / "note.json").write_text("{"), "not a note"),
        (lambda f: (f / "pictures.u8").write_bytes(b"short"), "files do not fit"),
        (lambda f: (f / "pictures.u8").write_bytes(bytes(9999)), "more pictures"),
        (lambda f: (f / "labels.npz").write_bytes(b"x"), "files do not fit"),
        (
            lambda f: (f / "note.json").write_text(
                json.dumps({"name": "set", "shape": [1, 8, 8, 3]})
            ),
            "files do not fit",
        ),
    ],
)
def test_damaged_folders_are_refused(make, tmp_path, damage, said):
    make([chunk(2, 1)])
    (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    assert len(open_stored_faces(folder)) == 2
    damage(folder)
    with pytest.raises(InputError, match=said):
        open_stored_faces(folder)


def test_what_was_skipped_is_counted_by_reason():
    items = [Skipped(f"{i}.png", "missing") for i in range(4)] + [Skipped("b", "damaged")]
    assert skipped_text([]) == ""
    assert skipped_text(items) == (
        "5 pictures skipped: 4 missing, 1 damaged (0.png, 1.png, 2.png, ...)"
    )
    assert skipped_text(items[:1]) == "1 picture skipped: 1 missing (0.png)"
