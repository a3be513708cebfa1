import numpy as np
import pytest

from server.pretraining.datasets.ferplus import load_ferplus, training_faces
from shared.errors import InputError

HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


def pixels(level, count=2304):
    return " ".join([str(level)] * count)


@pytest.fixture
def tables(tmp_path):
    def write(pictures=None, votes=None, header=HEADER):
        pictures = pictures or [
            f"0,{pixels(10)},Training",
            f"3,{pixels(20)},Training",
            f"3,{pixels(30)},PublicTest",
            f"4,{pixels(40, 2303)},Training",
            f"4,{pixels(256)},Training",
            f"4,{pixels('x')},PrivateTest",
            f"4,{pixels(50)},PrivateTest",
        ]
        votes = votes or [
            "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0",
            "Training,,0,0,0,0,0,0,0,0,0,10",
            "PublicTest,fer0000002.png,0,10,0,0,0,0,0,0,0,0",
            *["Training,fer0000003.png,0,10,0,0,0,0,0,0,0,0"] * 2,
            *["PrivateTest,fer0000004.png,0,0,0,0,0,0,10,0,0,0"] * 2,
        ]
        (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *pictures]) + "\n")
        (tmp_path / "fer2013new.csv").write_text("\n".join([header, *votes]) + "\n")
        return tmp_path

    return write


def test_the_pair_of_tables_is_read(tables):
    faces = load_ferplus(tables())
    assert faces.images[:, 0, 0].tolist() == [10, 30, 50]
    assert faces.images.shape == (3, 48, 48)
    assert faces.part.tolist() == ["Training", "PublicTest", "PrivateTest"]
    # neutral joy sad surprise fear disgust anger contempt
    assert faces.votes[0].tolist() == [4, 0, 1, 0, 0, 2, 3, 0]
    assert faces.votes[2].tolist() == [0, 0, 0, 0, 10, 0, 0, 0]
    assert [item.place.rsplit("fer2013", 1)[1] for item in faces.skipped] == [
        ".csv, line 5",
        ".csv, line 6",
        ".csv, line 7",
    ]


def test_training_faces_have_weak_labels(tables):
    faces = training_faces(load_ferplus(tables()))
    assert len(faces) == 1
    assert faces.is_grey
    assert faces.labels() == {"expression": 1, "valence_arousal": 1, "action_units": 1}
    np.testing.assert_allclose(faces.expression[0], np.array([4, 0, 0, 0, 0, 2, 3, 0]) / 9)
    assert len(faces.skipped) == 3


ONE = [f"0,{pixels(1)},Training"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"header": HEADER.replace("fear", "angst")}, r"fer2013new.csv, line 1: column 'fear'"),
        ({"pictures": ONE}, "fer2013new.csv: has more rows"),
        ({"votes": ["Training,a,1,0,0,0,0,0,0,0,0,0"]}, r"fer2013new.csv: ends before"),
        (
            {"pictures": ONE, "votes": ["PublicTest,a,1,0,0,0,0,0,0,0,0,0"]},
            "line 2: usage is 'PublicTest'",
        ),
        (
            {"pictures": ONE, "votes": ["Training,a,1,-2,0,0,0,0,0,0,0,0"]},
            r"fer2013new.csv, line 2: votes are 1, -2",
        ),
        ({"pictures": ONE, "votes": ["Training,a,x,0,0,0,0,0,0,0,0,0"]}, "votes are x"),
        ({"pictures": ONE, "votes": ["Training,a,1"]}, "line 2: 3 fields; 12 needed"),
        ({"pictures": [f"0,{pixels(1)},Train"]}, "fer2013.csv has 'Train'"),
    ],
)
def test_mistakes_name_file_and_line(tables, changes, said):
    with pytest.raises(InputError, match=said):
        load_ferplus(tables(**changes))


def test_a_missing_table_is_named(tables):
    folder = tables()
    (folder / "fer2013new.csv").unlink()
    with pytest.raises(InputError, match=r"fer2013new.csv: no such file; FER\+ as tables needs"):
        load_ferplus(folder)
