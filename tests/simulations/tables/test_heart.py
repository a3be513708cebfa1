"""The heart-disease protocol on the real files, where they are."""

import pandas as pd
import pytest

from shared.errors import InputError
from simulations.tables.heart import write_heart_table


def test_split_is_the_published_one(reference_data, tmp_path):
    table, _ = write_heart_table(reference_data / "heart", tmp_path)
    frame = pd.read_csv(table)
    counts = frame.groupby(["hospital", "split"])["disease"].agg(["size", "sum"])
    assert counts.loc[("cleveland", "train")].tolist() == [199, 91]
    assert counts.loc[("hungarian", "test")].tolist() == [89, 33]
    assert counts.loc[("switzerland", "train")].tolist() == [30, 30]
    assert counts.loc[("va", "test")].tolist() == [45, 35]
    assert len(frame) == 740


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"processed\.cleveland\.data is missing"):
        write_heart_table(tmp_path, tmp_path)
    for name in ("cleveland", "hungarian", "switzerland", "va"):
        (tmp_path / f"processed.{name}.data").write_text("1,2,3\n")
    with pytest.raises(InputError, match="3 columns"):
        write_heart_table(tmp_path, tmp_path)
