import numpy as np
import pytest

from server.pretraining.datasets.picture_files import FaceFile, read_face_files


def read(files, side=16, margin=0.0, workers=1):
    chunks = list(read_face_files(files, side, margin, workers))
    return (
        np.concatenate([c[0] for c in chunks]),
        [row for c in chunks for row in c[1]],
        [item for c in chunks for item in c[2]],
    )


def test_faces_are_cut_out_in_rgb(draw, tmp_path):
    path = draw(tmp_path / "a.png")
    whole, left = read([FaceFile(path), FaceFile(path, (2, 5, 20, 20))])[0]
    assert whole.shape == left.shape == (16, 16, 3)
    assert whole[8, 2].tolist() == [255, 0, 0]
    assert whole[8, 13].tolist() == [0, 0, 255]
    assert (left == [255, 0, 0]).all()
    # The box ends at 22, a margin of half its width at 32: blue begins at 30.
    wider = read([FaceFile(path, (2, 5, 20, 20))], margin=0.5)[0][0]
    assert wider[8, 15, 2] > 100


def test_unusable_files_are_skipped_and_say_why(draw, tmp_path):
    (tmp_path / "empty.png").touch()
    good = draw(tmp_path / "good.png")
    files = [
        FaceFile(tmp_path / "none.png", place="table, line 7"),
        FaceFile(draw(tmp_path / "damaged.png", damaged=True)),
        FaceFile(tmp_path / "empty.png"),
        FaceFile(good),
        FaceFile(good, (500, 500, 30, 30)),
        FaceFile(good, (float("nan"),) * 4),
        FaceFile(good, (0, 0, 3, 3)),
        FaceFile(good, "detect"),
        FaceFile(tmp_path),
    ]
    pictures, rows, skipped = read(files)
    assert rows == [3]
    assert pictures.shape == (1, 16, 16, 3)
    assert skipped[0].place == "table, line 7"
    assert [item.reason for item in skipped] == [
        "missing",
        *["not a readable picture"] * 2,
        *["with a face box that is empty or outside"] * 3,
        "without a detectable face",
        "not readable",
    ]


def test_workers_give_the_same_in_order(draw, tmp_path):
    path = draw(tmp_path / "a.png")
    files = [FaceFile(path, (i % 30, 0, 30, 30)) for i in range(100)]
    one, two = read(files, workers=1), read(files, workers=2)
    np.testing.assert_array_equal(one[0], two[0])
    assert one[1] == two[1] == list(range(100))


def test_a_face_is_found_in_a_photograph(reference_data):
    (face,), rows, _ = read([FaceFile(reference_data / "media" / "single_face.jpg", "detect")])
    assert rows == [0]
    assert face.std() > 10
    with pytest.raises(IndexError):
        read([FaceFile(reference_data / "media" / "free-mountain-vector-01.jpg", "detect")])[0][0]
