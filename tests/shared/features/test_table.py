import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.errors import InputError
from shared.features import FEATURE_NAMES, FeatureTable, read_features, write_features
from shared.features.table import VERSION_KEY


def make_table(*names, labelled=True):
    values = np.random.default_rng(0).random((len(names), len(FEATURE_NAMES)))
    values[0, 3] = np.nan
    return FeatureTable(
        participants=names,
        values=values,
        names=FEATURE_NAMES,
        asd=np.arange(len(names)) % 2 == 0 if labelled else None,
        clinic=tuple("north" for _ in names) if labelled else None,
    )


@pytest.mark.parametrize("labelled", [True, False])
def test_round_trip(tmp_path, labelled):
    table = make_table("a", "b", "c", labelled=labelled)
    write_features(tmp_path / "f.parquet", table)
    back = read_features(tmp_path / "f.parquet")
    np.testing.assert_array_equal(back.values, table.values)
    assert back.participants == table.participants
    assert back.clinic == table.clinic
    assert (back.asd is None) == (not labelled)
    if labelled:
        np.testing.assert_array_equal(back.asd, table.asd)


def test_a_folder_reads_as_one_table(tmp_path):
    write_features(tmp_path / "1.parquet", make_table("a", "b"))
    write_features(tmp_path / "2.parquet", make_table("c"))
    table = read_features(tmp_path)
    assert table.participants == ("a", "b", "c")
    assert len(table) == 3
    assert table.select(np.array([False, True, True])).participants == ("b", "c")


def rewrite(path, change):
    table = pq.read_table(path)
    pq.write_table(change(table), path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.replace_schema_metadata({VERSION_KEY: b"99"}), "version 99"),
        (lambda t: t.replace_schema_metadata(None), "no features version"),
        (lambda t: t.drop_columns([FEATURE_NAMES[0]]), "lacks 1 columns"),
        (lambda t: t.append_column("extra", pa.array([1.0, 2.0])), "1 unknown"),
        (lambda t: t.set_column(0, "participant", pa.array(["a", None])), "empty cells"),
        (lambda t: t.set_column(0, "participant", pa.array(["a", "a"])), "more than once"),
        (lambda t: t.set_column(0, "participant", pa.array([1, 2])), "type int64"),
        (lambda t: t.set_column(1, "asd", pa.array(["yes", "no"])), "type string"),
        (
            lambda t: t.set_column(
                t.column_names.index(FEATURE_NAMES[0]), FEATURE_NAMES[0], pa.array([1.0, np.inf])
            ),
            "infinite",
        ),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, change, words):
    path = tmp_path / "f.parquet"
    write_features(path, make_table("a", "b"))
    rewrite(path, change)
    with pytest.raises(InputError, match=words):
        read_features(path)


def test_no_file_no_folder_no_parquet(tmp_path):
    with pytest.raises(InputError, match="no feature file"):
        read_features(tmp_path / "none.parquet")
    with pytest.raises(InputError, match=r"no \.parquet"):
        read_features(tmp_path)
    (tmp_path / "x.parquet").write_text("not parquet")
    with pytest.raises(InputError, match="cannot be read"):
        read_features(tmp_path / "x.parquet")


def test_a_folder_that_mixes_is_refused(tmp_path):
    write_features(tmp_path / "1.parquet", make_table("a", "b"))
    write_features(tmp_path / "2.parquet", make_table("c", labelled=False))
    with pytest.raises(InputError, match="diagnoses"):
        read_features(tmp_path)
    write_features(tmp_path / "2.parquet", make_table("b"))
    with pytest.raises(InputError, match="more than once"):
        read_features(tmp_path)
    rewrite(tmp_path / "2.parquet", lambda t: t.replace_schema_metadata({VERSION_KEY: b"0"}))
    with pytest.raises(InputError, match="version 0"):
        read_features(tmp_path)


def test_lengths_and_names_must_agree(tmp_path):
    values = np.zeros((2, 3))
    with pytest.raises(InputError, match="shape"):
        FeatureTable(("a",), values, ("x", "y", "z"))
    with pytest.raises(InputError, match="diagnoses"):
        FeatureTable(("a", "b"), values, ("x", "y", "z"), asd=np.array([True]))
    with pytest.raises(InputError, match="not those of version"):
        write_features(tmp_path / "f", FeatureTable(("a", "b"), values, ("x", "y", "z")))
