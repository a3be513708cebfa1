import numpy as np
import pytest

from server.pretraining.datasets.emotionet import emotionet_faces, list_emotionet
from shared.channels import ACTION_UNITS
from shared.errors import InputError


def line(address, active=(), uncoded=(), units=range(1, 61)):
    codes = [1 if u in active else 999 if u in uncoded else 0 for u in units]
    return ",".join([address, *map(str, codes)])


HEADER = "URL," + ",".join(f'"AU {unit}"' for unit in range(1, 61))


@pytest.fixture
def table(tmp_path):
    def write(*rows):
        path = tmp_path / "aus.csv"
        path.write_text("\n".join(rows) + "\n")
        return path

    return write


def test_units_are_taken_by_number(table, tmp_path):
    rows = [
        line("http://a.org/x/one%20face.jpg?size=2", active=(12, 25), uncoded=(4,)),
        line("'http://a.org/two.jpg'", active=(3, 43)),
        line("http://a.org/none-coded.jpg", uncoded=range(1, 61)),
    ]
    for content in ([HEADER, *rows], rows):
        files, units = list_emotionet(table(*content), tmp_path)
        assert [file.path.name for file in files] == ["one face.jpg", "two.jpg"]
        wanted = [1.0 if unit in (12, 25) else 0.0 for unit in ACTION_UNITS]
        wanted[ACTION_UNITS.index(4)] = np.nan
        np.testing.assert_array_equal(units[0], wanted)
        assert units[1].nonzero()[0].tolist() == [ACTION_UNITS.index(43)]


def test_tabs_and_other_column_orders_are_read(table, tmp_path):
    units = list(reversed(range(1, 61)))
    header = "AU01-60,".replace("AU01-60", "orig url") + ",".join(f"AU{u:02d}" for u in units)
    content = [header, line("b.jpg", active=(1,), units=units)]
    files, found = list_emotionet(table(*(row.replace(",", "\t") for row in content)), tmp_path)
    assert files[0].path == tmp_path / "b.jpg"
    assert found[0].nonzero()[0].tolist() == [0]


def test_pictures_are_read_and_the_lost_ones_counted(table, draw, tmp_path):
    draw(tmp_path / "p" / "a.png")
    draw(tmp_path / "p" / "b.png", damaged=True)
    path = table(HEADER, *(line(f"http://x/{name}.png", active=(6,)) for name in "abc"))
    faces = emotionet_faces(path, tmp_path / "p", tmp_path / "cache", side=32, detect_faces=False)
    assert faces.pictures.shape == (1, 32, 32, 3)
    assert faces.labels() == {"expression": 0, "valence_arousal": 0, "action_units": 1}
    assert [(item.place.rsplit(", ")[1], item.reason) for item in faces.skipped] == [
        ("line 3", "not a readable picture"),
        ("line 4", "missing"),
    ]
    with pytest.raises(InputError, match="no usable picture"):
        emotionet_faces(path, tmp_path / "p", tmp_path / "cache", side=32)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([HEADER.replace('"AU 26"', "x"), line("a.jpg")], "line 1: no column AU 26"),
        ([HEADER, line("a.jpg").replace(",0,0", ",0,2", 1)], "line 2: action unit code '2'"),
        ([HEADER, line("a.jpg").replace(",0,0", ",0,x", 1)], "line 2: action unit code 'x'"),
        ([HEADER, "a.jpg,0,1"], r"line 2: 3 fields; 44 are needed"),
        (["a.jpg,0,1"], "line 1: 3 fields and no header"),
        ([HEADER, line("http://a.org/")], "line 2: no picture is named"),
    ],
)
def test_mistakes_name_file_and_line(table, tmp_path, rows, said):
    with pytest.raises(InputError, match=said) as caught:
        list_emotionet(table(*rows), tmp_path)
    assert "aus.csv" in str(caught.value)


def test_missing_places_are_named(table, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        emotionet_faces(tmp_path / "x.csv", tmp_path, tmp_path / "cache")
    with pytest.raises(InputError, match="no such folder"):
        emotionet_faces(table(HEADER), tmp_path / "x", tmp_path / "cache")
