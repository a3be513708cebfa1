import numpy as np
import pytest

from server.pretraining.datasets.affectnet import affectnet_faces, list_affectnet
from shared.errors import InputError

HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)


@pytest.fixture
def table(draw, tmp_path):
    def write(*rows, header=HEADER):
        for name in ("a.jpg", "b.png"):
            draw(tmp_path / "Manually_Annotated_Images" / "1" / name)
        draw(tmp_path / "Manually_Annotated_Images" / "1" / "c.jpg", damaged=True)
        (tmp_path / "training.csv").write_text("\n".join([header, *rows]) + "\n")
        return tmp_path

    return write


GOOD = "1/a.jpg,0,0,24,24,1;2,1,0.5,-0.25"


def test_tables_with_face_boxes_are_read(table, tmp_path):
    folder = table(
        GOOD,
        "1/b.png,30,0,24,24,1;2,7,-2,-2",
        "1/a.jpg,0,0,24,24,1;2,9,0.1,0.2",
        "1/a.jpg,NULL,NULL,NULL,NULL,,10,-2,-2",
        "1/c.jpg,0,0,24,24,1;2,3,0,0",
        "1/none.jpg,0,0,24,24,1;2,3,0,0",
    )
    faces = affectnet_faces(folder, tmp_path / "cache", side=32, crop_margin=0.0)
    assert faces.pictures.shape == (3, 32, 32, 3)
    assert (faces.pictures[0, 16, 16] > [200, -1, -1]).all()
    assert faces.pictures[1, 16, 20, 2] > 200
    assert faces.expression[0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert faces.expression[1].argmax() == 7
    assert np.isnan(faces.expression[2]).all()
    np.testing.assert_allclose(faces.valence_arousal, [[0.5, -0.25], [np.nan, np.nan], [0.1, 0.2]])
    assert np.isnan(faces.action_units).all()
    assert [(item.place.rsplit(", ")[1], item.reason) for item in faces.skipped] == [
        ("line 5", "without any usable label"),
        ("line 6", "not a readable picture"),
        ("line 7", "missing"),
    ]


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        ([GOOD], HEADER.replace("valence,", ""), r"training.csv, line 1: column 'valence'"),
        ([GOOD, "1/a.jpg,0,0,24,24,,11,0,0"], HEADER, r"training.csv, line 3: expression 11"),
        (["1/a.jpg,0,0,24,24,,1.5,0,0"], HEADER, r"line 2: expression 1.5"),
        (["1/a.jpg,0,0,24,24,,1,3,0"], HEADER, r"line 2: valence or arousal 3"),
        (["1/a.jpg,0,0,24,24,,joy,0,0"], HEADER, r"line 2: expression is 'joy'"),
        (["1/a.jpg,0,0"], HEADER, r"line 2: expression is None"),
    ],
)
def test_mistakes_in_a_table_name_file_and_line(table, rows, header, said):
    with pytest.raises(InputError, match=said):
        list_affectnet(table(*rows, header=header), "training")


def annotate(folder, name, **labels):
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    for kind, value in labels.items():
        np.save(folder / "annotations" / f"{name}_{kind}.npy", value)


def test_the_newer_layout_is_read(draw, tmp_path):
    folder = tmp_path / "val_set"
    for name in ("0", "2", "10", "11", "12"):
        draw(folder / "images" / f"{name}.jpg", damaged=name == "11")
    # The official files hold texts; numbers are as good.
    annotate(folder, "0", exp=np.array("4"), val=np.array("-0.5"), aro=np.array("0.75"))
    annotate(folder, "2", exp=8, val=0.25, aro=-2.0)
    annotate(folder, "10", exp=0, val=0.0, aro=0.0)
    annotate(folder, "11", exp=0, val=0.0, aro=0.0)
    annotate(folder, "12", exp=1, val=0.5)
    faces = affectnet_faces(tmp_path, tmp_path / "cache", part="validation", side=32)
    assert len(faces) == 3
    assert faces.expression[0, 4] == faces.expression[2, 0] == 1
    np.testing.assert_allclose(faces.valence_arousal[:2], [[-0.5, 0.75], [0.25, np.nan]])
    reasons = {item.place.rsplit("/", 1)[1]: item.reason for item in faces.skipped}
    assert reasons == {
        "12.jpg": "without a readable annotation",
        "11.jpg": "not a readable picture",
    }


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"neither training.csv nor train_set/"):
        list_affectnet(tmp_path, "training")
    (tmp_path / "train_set" / "images").mkdir(parents=True)
    with pytest.raises(InputError, match="annotations: no such folder"):
        list_affectnet(tmp_path, "training")
