"""The heart-disease data of four hospitals as one table, by the protocol of FLamby.

A real multi-hospital set with published federated results to compare with: the four ``processed``
files of UCI Heart Disease (Janosi, Steinbrunn, Pfisterer & Detrano 1988, CC BY 4.0), prepared as
the FLamby benchmark prepares them (du Terrail et al. 2022): three columns dropped, then rows with
a missing value, a fixed stratified split of each hospital.
"""

from pathlib import Path
from typing import Final

from shared.errors import InputError
from shared.files import write_atomic

__all__ = ["HEART_RANGES", "write_heart_table"]

_FILES: Final = {
    "cleveland": "processed.cleveland.data",
    "hungarian": "processed.hungarian.data",
    "switzerland": "processed.switzerland.data",
    "va": "processed.va.data",
}
_COLUMNS: Final = (
    "age",
    "sex",
    "cp",
    "trestbps",
    "chol",
    "fbs",
    "restecg",
    "thalach",
    "exang",
    "oldpeak",
    "slope",
    "ca",
    "thal",
    "num",
)
_DROPPED: Final = ("slope", "ca", "thal")
_TRAIN_SHARE: Final = 0.66
_SPLIT_SEED: Final = 43

HEART_RANGES: Final = """\
feature,low,high,levels
age,20,90,
sex,0,1,
trestbps,80,200,
chol,0,600,
fbs,0,1,
thalach,60,210,
exang,0,1,
oldpeak,-3,7,
cp,,,1|2|3|4
restecg,,,0|1|2
"""
"""Bounds any clinician would give without seeing a row: years, mmHg, mg/dl, beats a minute, mm."""


def write_heart_table(folder: Path, out: Path) -> tuple[Path, Path]:
    """Write ``heart.csv`` and ``heart-ranges.csv``.

    Parameters
    ----------
    folder : Path
        Holds the four ``processed.*.data`` files.
    out : Path
        Folder for the two files.

    Returns
    -------
    table, ranges : Path

    Raises
    ------
    InputError
        When a file is missing or has another layout.
    """
    import pandas as pd
    from sklearn.model_selection import train_test_split

    parts = []
    for hospital, name in _FILES.items():
        path = folder / name
        if not path.is_file():
            raise InputError(
                f"{path} is missing; download the UCI Heart Disease files "
                f"{', '.join(_FILES.values())} into {folder}"
            )
        frame = pd.read_csv(path, header=None, na_values="?")
        if frame.shape[1] != len(_COLUMNS):
            raise InputError(
                f"{path} has {frame.shape[1]} columns; the processed file has {len(_COLUMNS)}"
            )
        frame.columns = list(_COLUMNS)
        frame = frame.drop(columns=list(_DROPPED)).dropna().reset_index(drop=True)
        frame["disease"] = (frame.pop("num") > 0).astype(int)
        rare = frame["disease"].value_counts().min() <= 2
        train, _ = train_test_split(
            range(len(frame)),
            test_size=1 - _TRAIN_SHARE,
            train_size=_TRAIN_SHARE,
            random_state=_SPLIT_SEED,
            shuffle=True,
            stratify=None if rare else frame["disease"],
        )
        frame["split"] = "test"
        frame.loc[train, "split"] = "train"
        frame["hospital"] = hospital
        parts.append(frame)
    table, ranges = out / "heart.csv", out / "heart-ranges.csv"
    write_atomic(table, pd.concat(parts).to_csv(index=False))
    write_atomic(ranges, HEART_RANGES)
    return table, ranges
