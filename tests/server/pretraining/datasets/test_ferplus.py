import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from server.pretraining.datasets.ferplus import load_ferplus, without_copies
from shared.errors import InputError

COLUMNS = np.array(
    [
        *("neutral", "happiness", "surprise", "sadness", "anger"),
        *("disgust", "fear", "contempt", "unknown", "NF"),
    ]
)


def archive(path: Path, levels, ballots, parts, **changes) -> Path:
    """FER+ archive whose pictures are filled with one grey level each."""
    arrays = {
        "images": np.stack([np.full((48, 48), level, np.uint8) for level in levels]),
        "votes": np.array(ballots, np.uint8),
        "vote_columns": COLUMNS,
        "usage": np.array(parts),
    }
    np.savez(path, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return path


def one_hot(column: int, count: int = 10) -> list[int]:
    return [count if i == column else 0 for i in range(10)]


@pytest.fixture
def small(tmp_path):
    votes = [
        one_hot(0),
        [0, 6, 0, 0, 0, 0, 0, 0, 4, 0],
        [0, 2, 5, 0, 1, 0, 2, 0, 0, 0],
        one_hot(1),
        one_hot(6),
        [0, 0, 0, 0, 0, 0, 0, 0, 1, 9],
        one_hot(7),
        one_hot(3),
    ]
    usage = ["Training"] * 6 + ["PublicTest", "PrivateTest"]
    # Row 3 shows the picture of row 1, row 4 the one of the PrivateTest face.
    return load_ferplus(archive(tmp_path / "f.npz", [1, 2, 3, 2, 9, 5, 7, 9], votes, usage))


def test_votes_are_put_in_the_network_s_order(small):
    # neutral joy sad surprise fear disgust anger contempt
    assert small.votes[2].tolist() == [0, 2, 0, 5, 2, 0, 1, 0]
    assert small.expression.tolist() == [0, 1, 3, 1, 4, 0, 7, 2]
    assert small.all_votes.tolist() == [10] * 8


def test_majority_counts_all_votes(small):
    # Row 2: five of ten is no majority. Row 5: the majority says "not a face".
    assert small.majority().picture.tolist() == small.picture[[0, 1, 3, 4, 6, 7]].tolist()


def test_distribution_leaves_out_single_votes(small):
    np.testing.assert_allclose(small.distribution()[2], [0, 2 / 9, 0, 5 / 9, 2 / 9, 0, 0, 0])
    split = dataclasses.replace(small, votes=np.tile([1, 1, 0, 1, 0, 0, 0, 1], (8, 1)))
    np.testing.assert_allclose(split.distribution()[0], [0.25, 0.25, 0, 0.25, 0, 0, 0, 0.25])


def test_training_faces_are_unique_and_in_no_test_part(small):
    chosen = small.for_training()
    assert sorted(chosen.images[:, 0, 0].tolist()) == [1, 2, 3]
    merged = chosen.votes[chosen.images[:, 0, 0] == 2][0]
    assert merged.tolist() == [0, 16, 0, 0, 0, 0, 0, 0]


def test_clean_test_faces_have_no_copy_elsewhere(small):
    assert len(without_copies(small, "PrivateTest")) == 0
    assert len(without_copies(small, "PublicTest")) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"votes": None}, "votes"),
        ({"vote_columns": COLUMNS[::-1]}, "vote columns are NF"),
        ({"images": np.zeros((2, 40, 40), np.uint8)}, r"\(2, 40, 40\)"),
        ({"images": np.zeros((2, 48, 48))}, "float64"),
        ({"votes": np.zeros((3, 10), np.uint8)}, r"\(3, 10\)"),
        ({"usage": np.array(["Training"])}, r"\(1,\)"),
        ({"images": np.array([{}, {}], object)}, "not a readable"),
    ],
)
def test_an_archive_that_does_not_fit_is_refused(tmp_path, changes, message):
    path = archive(tmp_path / "f.npz", [1, 2], [one_hot(0)] * 2, ["Training"] * 2, **changes)
    with pytest.raises(InputError, match=message) as caught:
        load_ferplus(path)
    assert "f.npz" in str(caught.value)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "f.npz"
    with pytest.raises(InputError, match="give the FER\\+ archive with --data"):
        load_ferplus(path)
    for content in (b"", b"text", b"PK\x03\x04 not a whole archive"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"not a readable \.npz archive"):
            load_ferplus(path)


def test_the_real_archive_has_the_published_counts():
    folder = os.environ.get("FEDAFFECT_DATA")
    if not folder:
        pytest.skip("FEDAFFECT_DATA is not set: no FER+")
    faces = load_ferplus(Path(folder) / "ferplus.npz")
    assert len(faces) == 35_710
    counts = np.bincount(faces.of("PrivateTest").majority().expression)
    assert counts.tolist() == [936, 872, 295, 341, 50, 7, 219, 9]
    assert len(without_copies(faces, "PrivateTest").majority()) == 2_492
    chosen = faces.for_training()
    assert len(np.unique(chosen.picture)) == len(chosen)
    assert not np.isin(chosen.picture, faces.picture[faces.part != "Training"]).any()
