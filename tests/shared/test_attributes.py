import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.attributes import (
    ATTRIBUTES_SCHEMA_VERSION,
    AttributeSeries,
    PictureMeasures,
    read_attributes,
    write_attributes,
)
from shared.channels import CHANNELS
from shared.errors import InputError

KEY = b"fedaffect.attributes"


def series(n: int = 50, seed: int = 0, **changes: object) -> AttributeSeries:
    rng = np.random.default_rng(seed)
    found = rng.random(n) > 0.2
    values = rng.random((n, len(CHANNELS))).astype(np.float32)
    box = (1 + rng.random((n, 4)) * 100).astype(np.float32)
    values[~found] = np.nan
    box[~found] = np.nan
    fields: dict[str, object] = {
        "participant": "P01",
        "time_s": np.arange(n) / 24,
        "frame": np.arange(n) // 2,
        "face_found": found,
        "face_confidence": found.astype(np.float32),
        "box": box,
        "values": values,
        "provenance": {"video_sha256": "ab", "software": "fedaffect 0.1.0"},
    }
    return AttributeSeries(**{**fields, **changes})  # type: ignore[arg-type]


def pictures(found: np.ndarray, **changes: object) -> PictureMeasures:
    fields: dict[str, object] = {
        "brightness": np.where(found, 120.5, np.nan),
        "sharpness": np.where(found, 250.0, np.nan),
        "faces_seen": np.where(np.arange(len(found)) % 5 == 0, 1, -1),
    }
    return PictureMeasures(**{**fields, **changes})  # type: ignore[arg-type]


def rewrite(path: Path, edit) -> Path:
    write_attributes(path, series())
    table = edit(pq.read_table(path))
    pq.write_table(table, path)
    return path


@given(st.integers(0, 60), st.integers(0, 1000))
def test_what_is_written_is_read_again(tmp_path_factory, n, seed):
    path = tmp_path_factory.mktemp("attributes") / "P01.parquet"
    written = series(n, seed)
    write_attributes(path, written)
    read = read_attributes(path)
    assert read.participant == written.participant
    assert read.provenance == written.provenance
    for name in ("time_s", "frame", "face_found", "face_confidence", "box", "values"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
        assert getattr(read, name).dtype == getattr(written, name).dtype


def test_columns_are_the_published_ones(tmp_path):
    write_attributes(tmp_path / "P01.parquet", series())
    names = pq.read_schema(tmp_path / "P01.parquet").names
    assert names[:8] == [
        *("time_s", "frame", "face_found", "face_confidence"),
        *("box_x", "box_y", "box_w", "box_h"),
    ]
    assert names[8:] == list(CHANNELS)


def test_measures_of_the_pictures_are_kept_in_columns_of_their_own(tmp_path):
    found = series().face_found
    written = series(pictures=pictures(found))
    write_attributes(tmp_path / "P01.parquet", written)
    assert pq.read_schema(tmp_path / "P01.parquet").names[30:] == [
        *("brightness", "sharpness", "faces_seen")
    ]
    read = read_attributes(tmp_path / "P01.parquet")
    for name, dtype in (("brightness", "f4"), ("sharpness", "f4"), ("faces_seen", "i2")):
        kept = getattr(read.pictures, name)
        np.testing.assert_array_equal(kept, getattr(written.pictures, name))
        assert kept.dtype == dtype


def test_a_file_of_version_1_is_read_as_not_measured(tmp_path):
    path = rewrite(tmp_path / "P01.parquet", edited_metadata(schema_version=1))
    read = read_attributes(path)
    assert read.pictures is None
    np.testing.assert_array_equal(read.values, series().values)


FOUND = series().face_found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"brightness": np.zeros(3)}, r"brightness has shape \(3,\)"),
        ({"brightness": np.ones(50)}, "brightness must be a number exactly where"),
        ({"sharpness": np.full(50, np.inf)}, "sharpness must be a number exactly where"),
        ({"brightness": np.where(FOUND, 300, np.nan)}, "between 0 and 255"),
        ({"sharpness": np.where(FOUND, -1, np.nan)}, "never negative"),
        ({"faces_seen": np.full(50, -2)}, "faces_seen is -1"),
    ],
)
def test_measures_that_are_not_as_stated_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        series(pictures=pictures(FOUND, **changes))


def test_a_file_with_some_of_the_measures_is_damaged(tmp_path):
    path = tmp_path / "P01.parquet"
    write_attributes(path, series(pictures=pictures(FOUND)))
    pq.write_table(pq.read_table(path).drop_columns(["sharpness"]), path)
    with pytest.raises(InputError, match="columns missing: sharpness"):
        read_attributes(path)


def test_face_seconds_counts_ticks_with_a_face():
    face = series(48, face_found=np.ones(48, bool), values=np.ones((48, 22)), box=np.ones((48, 4)))
    assert face.face_seconds == 2.0


def broken_value(column: str, row: int, value: float) -> dict[str, object]:
    good = series()
    array = good.box.copy() if column == "box" else good.values.copy()
    found = np.flatnonzero(good.face_found)
    array[found[row], 0 if column == "box" else CHANNELS.index(column)] = value
    return {"box" if column == "box" else "values": array}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"participant": ""}, "name is empty"),
        ({"frame": np.zeros(3, np.int64)}, r"frame has shape \(3,\)"),
        ({"values": np.zeros((50, 21))}, r"values has shape \(50, 21\)"),
        ({"time_s": np.arange(50) / 25}, "rows must be 1/24 s apart"),
        ({"time_s": np.zeros(50)}, "time_s moves by 0 s"),
        ({"time_s": np.full(50, np.nan)}, "not a finite number"),
        ({"frame": np.arange(50)[::-1]}, "never decrease"),
        ({"frame": np.arange(50) - 1}, "0 or more"),
        ({"face_confidence": np.full(50, 1.5)}, "face_confidence"),
        ({"face_confidence": np.full(50, np.nan)}, "face_confidence"),
        ({"face_found": np.ones(50, bool)}, "has a face but no value"),
        ({"face_found": np.zeros(50, bool)}, "has no face but a value"),
        (broken_value("valence", 2, -1.2), "valence leaves its range -1 to 1"),
        (broken_value("au12", 2, -0.2), "au12 leaves its range 0 to 1"),
        (broken_value("expression_joy", 0, 1.1), "expression_joy"),
        (broken_value("au43", 0, np.nan), "but no value in au43"),
        (broken_value("arousal", 0, np.inf), "infinite"),
    ],
)
def test_a_series_that_is_not_as_stated_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        series(**changes)


def test_a_box_without_area_is_refused():
    box = series().box.copy()
    box[:, 2] = np.where(np.isfinite(box[:, 2]), 0, np.nan)
    with pytest.raises(InputError, match="no width"):
        series(box=box)


def edited_metadata(**changes: object):
    def edit(table):
        note = json.loads(table.schema.metadata[KEY]) | changes
        return table.replace_schema_metadata({KEY: json.dumps(note)})

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.drop_columns(["au12", "box_w"]), "columns missing: box_w, au12"),
        (lambda t: t.replace_schema_metadata(None), "no attribute metadata"),
        (lambda t: t.replace_schema_metadata({KEY: "{"}), "metadata is damaged"),
        (lambda t: t.replace_schema_metadata({KEY: "[]"}), "metadata is damaged"),
        (edited_metadata(schema_version=ATTRIBUTES_SCHEMA_VERSION + 1), "schema version 3 found"),
        (
            lambda t: t.set_column(0, "time_s", pa.array([None] * len(t), pa.float64())),
            "empty cells in time_s",
        ),
        (
            lambda t: t.set_column(1, "frame", pa.array(["a"] * len(t))),
            "column frame holds object",
        ),
        (
            lambda t: t.set_column(0, "time_s", pa.array(np.arange(len(t)) / 30)),
            "1/24 s apart",
        ),
    ],
)
def test_a_changed_file_is_refused_by_name(tmp_path, edit, message):
    path = rewrite(tmp_path / "P07.parquet", edit)
    with pytest.raises(InputError, match=message) as caught:
        read_attributes(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a parquet file at all"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "P01.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_attributes(path)


def test_a_truncated_or_missing_file_is_refused(tmp_path):
    path = tmp_path / "P01.parquet"
    with pytest.raises(InputError, match="no such file"):
        read_attributes(path)
    write_attributes(path, series())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_attributes(path)
