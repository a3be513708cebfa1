"""Read a labelled feature table and settle, participant by participant, what enters a training.

Several rows may belong to one participant: the unit of privacy and of every split is the
participant, so rows are averaged (after public scaling where the mechanism reads them).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.features.table import SOURCE_KEY
from shared.privacy.table_map import TableMap, map_from_people, map_from_ranges
from simulations.tables.ranges import PublicRange, bounds

__all__ = ["MEAN_OVER_SITES", "Columns", "TableData", "read_table"]

_POSITIVE: Final = frozenset({"1", "true", "yes", "asd", "positive", "case"})
_NEGATIVE: Final = frozenset({"0", "-1", "false", "no", "non-asd", "negative", "control"})
_SPLITS: Final = ("train", "test")
MEAN_OVER_SITES: Final = "mean over sites"
"""Name of the line that averages the sites' lines; no site may be called so."""

_SEPARATORS: Final = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Columns:
    """Which columns hold what.

    Attributes
    ----------
    label, site : str
    participant, split : str or None
    positive : str or None
        Label value that is the positive class, where it does not speak for itself.
    """

    label: str
    site: str
    participant: str | None = None
    split: str | None = None
    positive: str | None = None


@dataclass(frozen=True, eq=False)
class TableData:
    """A table by participant.

    Attributes
    ----------
    participants : tuple of str
    positive : ndarray of bool, shape (n,)
    site : ndarray of int, shape (n,)
        Index into ``sites``.
    sites : tuple of str
    features : ndarray, shape (n, d)
        Mean over a participant's rows; NaN where no row has a value.
    mapped : ndarray, shape (n, d)
        Public standard scores, averaged over a participant's rows; ``features`` without a map.
    names : tuple of str
    test : ndarray of bool or None
        Test participants where the table names a split.
    feature_map : TableMap or None
    positive_name, negative_name : str
    notes : tuple of str
        What a reader should know, such as columns left out.
    surrogate : bool
        Whether the file says that its rows are simulated children.
    """

    participants: tuple[str, ...]
    positive: NDArray[np.bool_]
    site: NDArray[np.int64]
    sites: tuple[str, ...]
    features: NDArray[np.float64]
    mapped: NDArray[np.float64]
    names: tuple[str, ...]
    test: NDArray[np.bool_] | None
    feature_map: TableMap | None
    positive_name: str
    negative_name: str
    notes: tuple[str, ...]
    surrogate: bool = False


def read_table(
    path: Path,
    columns: Columns,
    *,
    ranges: Sequence[PublicRange] | None = None,
    public: Path | None = None,
) -> TableData:
    """Read, check and aggregate a table.

    Parameters
    ----------
    path : Path
        CSV (any usual separator) or Parquet.
    columns : Columns
    ranges : sequence of PublicRange, optional
        Public bounds; only the listed features enter.
    public : Path, optional
        Table of unlabelled public people with the same features.

    Raises
    ------
    InputError
        When a file, a column or a row is not what it should be.
    """
    frame = _read(path, "table")
    for option, name in (
        ("--label", columns.label),
        ("--site", columns.site),
        ("--participant", columns.participant),
        ("--split", columns.split),
    ):
        if name is not None and name not in frame.columns:
            raise InputError(
                f"{option} {name!r}: {path.name} has no such column; it has "
                f"{', '.join(map(str, frame.columns))}"
            )
    roles = [columns.label, columns.site, columns.participant, columns.split]
    named = [name for name in roles if name is not None]
    if len(set(named)) != len(named):
        raise InputError(
            f"column {max(named, key=named.count)!r} is named for two roles; label, site, "
            "participant and split are different columns"
        )
    if not len(frame):
        raise InputError(f"{path.name} has no rows")
    values, names, notes = _features(frame, set(named), ranges, path.name)
    label, positive_name, negative_name = _labels(frame, columns, path.name)
    site_of_row = _filled(frame, columns.site, path.name)
    person_of_row = (
        _filled(frame, columns.participant, path.name)
        if columns.participant
        else [f"row {number}" for number in range(2, len(frame) + 2)]
    )
    test_of_row = _split(frame, columns.split, path.name)

    feature_map = None
    if ranges is not None:
        feature_map = map_from_ranges(*bounds(list(ranges)))
    elif public is not None:
        people, _, _ = _features(_read(public, "--public"), set(named), None, public.name, names)
        feature_map = map_from_people(people)

    participants = tuple(dict.fromkeys(person_of_row))
    index = {person: number for number, person in enumerate(participants)}
    member = np.array([index[person] for person in person_of_row])
    positive = _one_each(member, label, participants, f"labels in column {columns.label!r}")
    site_name = _one_each(member, np.array(site_of_row, dtype=object), participants, "sites")
    test = (
        None
        if test_of_row is None
        else _one_each(member, test_of_row, participants, "splits").astype(bool)
    )
    sites = tuple(sorted(set(site_name.tolist())))
    if MEAN_OVER_SITES in sites:
        raise InputError(
            f"--site {columns.site!r} holds a site called {MEAN_OVER_SITES!r}, which the results "
            "use for the mean of all sites; rename it"
        )
    scores = feature_map.standardise(values) if feature_map else values
    return TableData(
        participants=participants,
        positive=positive.astype(bool),
        site=np.array([sites.index(name) for name in site_name]),
        sites=sites,
        features=_mean_by(member, values),
        mapped=_mean_by(member, scores),
        names=names,
        test=test,
        feature_map=feature_map,
        positive_name=positive_name,
        negative_name=negative_name,
        notes=tuple(notes),
        surrogate=_is_surrogate(path),
    )


def _read(path: Path, what: str) -> Any:
    import pandas as pd

    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            frame = pd.read_parquet(path)
        else:
            with path.open(encoding="utf-8-sig") as stream:
                header = stream.readline()
            frame = pd.read_csv(
                path, sep=max(_SEPARATORS, key=header.count), encoding="utf-8-sig", na_values=["?"]
            )
    except FileNotFoundError:
        raise InputError(f"{what} {path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{what} {path} is a folder; give a CSV or Parquet file") from None
    except Exception as error:  # the parsers raise many types for one fact: not such a file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{what} {path} cannot be read as CSV or Parquet: {reason}") from None
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame


def _is_surrogate(path: Path) -> bool:
    if path.suffix.lower() not in (".parquet", ".pq"):
        return False
    import pyarrow.parquet as pq

    return (pq.read_schema(path).metadata or {}).get(SOURCE_KEY) == b"surrogate"


def _features(
    frame: Any,
    roles: set[str],
    ranges: Sequence[PublicRange] | None,
    file: str,
    expected: tuple[str, ...] | None = None,
) -> tuple[NDArray[np.float64], tuple[str, ...], list[str]]:
    notes: list[str] = []
    available = [name for name in frame.columns if name not in roles]
    if expected is not None:
        missing = [name for name in expected if name not in available]
        if missing:
            raise InputError(
                f"{file} has no column {missing[0]!r}; public people need the table's features"
            )
        available = list(expected)
    if ranges is None:
        return _numbers(frame, available, file), tuple(available), notes
    missing = [item.feature for item in ranges if item.feature not in available]
    if missing:
        raise InputError(
            f"--ranges lists {missing[0]!r}, which {file} does not have as a feature; it has "
            f"{', '.join(available) or 'none'}"
        )
    listed = {item.feature for item in ranges}
    left_out = [name for name in available if name not in listed]
    if left_out:
        notes.append(f"columns without a public range are left out: {', '.join(left_out)}")
    parts = []
    for item in ranges:
        if item.levels:
            parts.append(_one_hot(frame[item.feature], item, file))
        else:
            parts.append(_numbers(frame, [item.feature], file))
    names = tuple(name for item in ranges for name in item.columns)
    return np.hstack(parts), names, notes


def _numbers(frame: Any, names: Sequence[str], file: str) -> NDArray[np.float64]:
    import pandas as pd

    if not names:
        raise InputError(f"{file} has no feature column beside label, site, participant and split")
    columns = []
    for name in names:
        numbers = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        wrong = np.flatnonzero(np.isnan(numbers) & frame[name].notna().to_numpy())
        if len(wrong):
            raise InputError(
                f"{file}, line {wrong[0] + 2}, column {name!r}: not a number ({len(wrong)} such "
                "rows). Declare a category with its levels in --ranges, or remove the column"
            )
        if np.isinf(numbers).any():
            line = int(np.flatnonzero(np.isinf(numbers))[0]) + 2
            raise InputError(f"{file}, line {line}, column {name!r}: the value is infinite")
        columns.append(numbers)
    return np.column_stack(columns)


def _one_hot(column: Any, item: PublicRange, file: str) -> NDArray[np.float64]:
    texts = [_text(value) for value in column]
    known = set(item.levels)
    wrong = [line for line, text in enumerate(texts, start=2) if text and text not in known]
    if wrong:
        raise InputError(
            f"{file}, line {wrong[0]}, column {item.feature!r}: the value is none of the declared "
            f"levels {', '.join(item.levels)} ({len(wrong)} such rows)"
        )
    encoded = np.array([[float(text == level) for level in item.levels[1:]] for text in texts])
    encoded[[not text for text in texts]] = np.nan
    return encoded


def _text(value: object) -> str:
    """Return a cell as a person would write it: 3 for 3.0, nothing for a missing value."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return "" if text in ("nan", "NaN", "<NA>", "None") else text


def _filled(frame: Any, name: str, file: str) -> list[str]:
    texts = [_text(value) for value in frame[name]]
    if "" in texts:
        raise InputError(f"{file}, line {texts.index('') + 2}: column {name!r} is empty")
    return texts


def _labels(frame: Any, columns: Columns, file: str) -> tuple[NDArray[np.bool_], str, str]:
    texts = _filled(frame, columns.label, file)
    found = sorted(set(texts))
    if len(found) != 2:
        shown = ", ".join(found[:6]) + (", ..." if len(found) > 6 else "")
        raise InputError(
            f"--label {columns.label!r} holds {len(found)} different values ({shown}); exactly two "
            "are needed"
        )
    positive = columns.positive
    if positive is None:
        known = [text for text in found if text.lower() in _POSITIVE]
        others = [text for text in found if text.lower() in _NEGATIVE]
        if len(known) != 1 or len(others) != 1:
            raise InputError(
                f"--label {columns.label!r} holds {found[0]!r} and {found[1]!r}; say which one is "
                "the positive class with --positive"
            )
        positive = known[0]
    if positive not in found:
        raise InputError(
            f"--positive {positive!r} does not occur in column {columns.label!r}, which holds "
            f"{found[0]!r} and {found[1]!r}"
        )
    (negative,) = set(found) - {positive}
    return np.array([text == positive for text in texts]), positive, negative


def _split(frame: Any, name: str | None, file: str) -> NDArray[np.bool_] | None:
    if name is None:
        return None
    texts = [text.lower() for text in _filled(frame, name, file)]
    wrong = [line for line, text in enumerate(texts, start=2) if text not in _SPLITS]
    if wrong:
        raise InputError(
            f"{file}, line {wrong[0]}: split {texts[wrong[0] - 2]!r} is neither train nor test"
        )
    if len(set(texts)) != 2:
        raise InputError(
            f"--split {name!r} holds only {texts[0]!r}; train and test rows are needed"
        )
    return np.array([text == "test" for text in texts])


def _one_each(
    member: NDArray[np.int64], values: NDArray[Any], participants: tuple[str, ...], what: str
) -> NDArray[Any]:
    """Return the one value of each participant, or refuse where rows of one disagree."""
    chosen = np.empty(len(participants), dtype=values.dtype)
    chosen[member[::-1]] = values[::-1]
    wrong = np.flatnonzero(chosen[member] != values)
    if len(wrong):
        raise InputError(
            f"rows of one participant have different {what} (first at line {wrong[0] + 2}); a "
            "participant has one label, one site and one split. Are two people sharing an id?"
        )
    return chosen


def _mean_by(member: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each participant's rows, missing values left out."""
    present = ~np.isnan(values)
    size = (member.max() + 1, values.shape[1])
    total, count = np.zeros(size), np.zeros(size)
    np.add.at(total, member, np.where(present, values, 0.0))
    np.add.at(count, member, present)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean
