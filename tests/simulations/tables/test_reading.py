"""Tables as people have them: separators, missing cells, several rows a person, and mistakes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.features import FEATURE_NAMES, FeatureTable, write_features
from simulations.tables.ranges import read_ranges
from simulations.tables.reading import MEAN_OVER_SITES, Columns, TableData, read_table

COLUMNS = Columns("label", "site")


def frame(**changes) -> pd.DataFrame:
    base = {
        "label": [1, 0, 1, 0],
        "site": ["a", "a", "b", "b"],
        "x": [1.0, 2.0, 3.0, 4.0],
        "y": [5.0, 6.0, 7.0, 8.0],
    }
    return pd.DataFrame(base | changes)


def write(tmp_path, data: pd.DataFrame, name: str = "table.csv", **options):
    path = tmp_path / name
    if name.endswith(".parquet"):
        data.to_parquet(path)
    else:
        data.to_csv(path, index=False, **options)
    return path


def read(tmp_path, data: pd.DataFrame, columns: Columns = COLUMNS, **options) -> TableData:
    return read_table(write(tmp_path, data), columns, **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("t.csv", {}),
        ("t.csv", {"sep": ";"}),
        ("t.csv", {"sep": "\t"}),
        ("t.csv", {"encoding": "utf-8-sig"}),
        ("t.parquet", {}),
    ],
)
def test_usual_formats_read_alike(tmp_path, name, options):
    data = read_table(write(tmp_path, frame(), name, **options), COLUMNS)
    assert data.names == ("x", "y")
    assert data.sites == ("a", "b")
    assert data.positive.tolist() == [True, False, True, False]
    assert data.features.tolist() == [[1, 5], [2, 6], [3, 7], [4, 8]]


def test_question_mark_and_empty_cell_are_missing(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("label,site,x\n1,a,?\n0,a,2\n1,b,\n0,b,4\n")
    assert np.isnan(read_table(path, COLUMNS).features[[0, 2], 0]).all()


def test_rows_of_one_participant_become_their_mean(tmp_path):
    data = frame(label=[1, 1, 0, 0], site=["a", "a", "a", "b"], who=["p", "p", "q", "r"])
    found = read(tmp_path, data, Columns("label", "site", participant="who"))
    assert found.participants == ("p", "q", "r")
    assert found.features[0].tolist() == [1.5, 5.5]


def test_scores_are_clipped_row_by_row_before_they_are_averaged(tmp_path):
    ranges = tmp_path / "r.csv"
    ranges.write_text("feature,low,high\nx,0,2\n")
    data = frame(label=[1, 1, 0, 0], x=[100.0, 0.0, 1.0, 1.0], who=["p", "p", "q", "r"])
    found = read(
        tmp_path,
        data.assign(site=["a", "a", "a", "b"]),
        Columns("label", "site", participant="who"),
        ranges=read_ranges(ranges),
    )
    # 100 is clipped to the upper bound (+1), 0 is the lower bound (-1): their mean is 0.
    assert found.mapped[0].tolist() == [0.0]
    assert any("without a public range" in note for note in found.notes)


def test_categories_become_columns_without_their_reference_level(tmp_path):
    ranges = tmp_path / "r.csv"
    ranges.write_text("feature,low,high,levels\nx,,,1|2|3|4\ny,0,10,\n")
    found = read(tmp_path, frame(), ranges=read_ranges(ranges))
    assert found.names == ("x=2", "x=3", "x=4", "y")
    assert found.features[:, :3].tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("changes", "columns", "told"),
    [
        ({"label": [1, 2, 3, 0]}, COLUMNS, "4 different values"),
        ({"label": [1, 1, 1, 1]}, COLUMNS, "1 different values"),
        ({"label": ["sick", "well"] * 2}, COLUMNS, "--positive"),
        ({}, Columns("diagnosis", "site"), "--label 'diagnosis'"),
        ({}, Columns("label", "clinic"), "--site 'clinic'"),
        ({}, Columns("label", "site", split="part"), "--split 'part'"),
        ({}, Columns("label", "label"), "two roles"),
        ({"site": ["a", None, "b", "b"]}, COLUMNS, "line 3: column 'site' is empty"),
        ({"x": ["1", "two", "3", "4"]}, COLUMNS, "line 3, column 'x': not a number"),
        ({"x": [1, np.inf, 3, 4]}, COLUMNS, "line 3, column 'x': the value is infinite"),
        ({"s": ["train", "test", "dev", "test"]}, Columns("label", "site", split="s"), "'dev'"),
        ({"s": ["train"] * 4}, Columns("label", "site", split="s"), "only 'train'"),
        ({"p": list("ppqr")}, Columns("label", "site", participant="p"), "different labels"),
        (
            {"p": list("pqrp"), "label": [1, 0, 1, 1]},
            Columns("label", "site", participant="p"),
            "different sites",
        ),
        ({}, Columns("label", "site", positive="7"), "--positive '7'"),
    ],
)
def test_mistakes_are_named(tmp_path, changes, columns, told):
    with pytest.raises(InputError, match=told.replace("(", r"\(")):
        read(tmp_path, frame(**changes), columns)


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "none.csv", COLUMNS)
    with pytest.raises(InputError, match="folder"):
        read_table(tmp_path, COLUMNS)
    (tmp_path / "bad.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path / "bad.parquet", COLUMNS)


@given(junk=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_a_message(tmp_path_factory, junk):
    path = tmp_path_factory.mktemp("junk") / "t.csv"
    path.write_bytes(junk)
    with pytest.raises(InputError):
        read_table(path, Columns("label", "site"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("feature,low\nx,1\n", "no column 'high'"),
        ("feature,low,high\nx,2,1\n", "line 2"),
        ("feature,low,high\nx,a,1\n", "not numbers"),
        ("feature,low,high\nx,0,inf\n", "finite bounds"),
        ("feature,low,high\nx,0,1\nx,0,2\n", "stands twice"),
        ("feature,low,high\n", "no feature"),
        ("feature,low,high,levels\nx,,,1\n", "two different levels"),
    ],
)
def test_mistakes_in_ranges_are_named(tmp_path, text, told):
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=told):
        read_ranges(path)


def test_ranges_for_a_missing_column_and_undeclared_levels_are_named(tmp_path):
    ranges = tmp_path / "r.csv"
    ranges.write_text("feature,low,high\nz,0,1\n")
    with pytest.raises(InputError, match="lists 'z'"):
        read(tmp_path, frame(), ranges=read_ranges(ranges))
    ranges.write_text("feature,low,high,levels\nx,,,1|2\n")
    with pytest.raises(InputError, match="none of the declared levels"):
        read(tmp_path, frame(), ranges=read_ranges(ranges))


def test_public_people_need_the_tables_features(tmp_path):
    people = tmp_path / "people.csv"
    pd.DataFrame({"x": np.arange(30.0)}).to_csv(people, index=False)
    with pytest.raises(InputError, match="no column 'y'"):
        read(tmp_path, frame(), public=people)
    pd.DataFrame({"x": np.arange(5.0), "y": 1.0}).to_csv(people, index=False)
    with pytest.raises(InputError, match="at least 20"):
        read(tmp_path, frame(), public=people)


def test_a_surrogate_feature_file_stays_surrogate(tmp_path):
    names = ("north", "south")
    table = FeatureTable(
        participants=tuple("pqrs"),
        values=np.ones((4, len(FEATURE_NAMES))),
        names=FEATURE_NAMES,
        asd=np.array([True, False, True, False]),
        clinic=(names[0], names[0], names[1], names[1]),
        source="surrogate",
    )
    write_features(tmp_path / "f.parquet", table)
    columns = Columns("asd", "clinic", participant="participant")
    assert read_table(tmp_path / "f.parquet", columns).surrogate


def test_a_site_named_like_the_mean_line_is_refused(tmp_path):
    with pytest.raises(InputError, match="rename it"):
        read(tmp_path, frame(site=["a", "a", MEAN_OVER_SITES, MEAN_OVER_SITES]))
