"""A table of feature rows, one participant a row, and its Parquet file.

The file's schema metadata carries the version of the feature definitions. A file of another
version, or a folder that mixes versions, is refused: two versions may give one name two meanings.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.features.layout import FEATURE_NAMES, FEATURES_VERSION
from shared.files import atomic_path

__all__ = ["FeatureTable", "read_features", "write_features"]

VERSION_KEY: Final = b"fedaffect.features_version"
SOURCE_KEY: Final = b"fedaffect.source"

Source = Literal["measured", "surrogate"]


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Feature rows of several participants.

    Attributes
    ----------
    participants : tuple of str
        One identifier a row, no duplicates.
    values : ndarray, shape (n_participants, n_features), float64
        NaN where a participant has too few frames with a face.
    names : tuple of str
        One a column.
    asd : ndarray of bool, shape (n_participants,), optional
        True for ASD.
    clinic : tuple of str, optional
        One clinic name a row.
    source : {"measured", "surrogate"}
        Whether the rows come from recordings or from simulated children; kept in the file.

    Raises
    ------
    InputError
        Lengths do not agree, or a participant stands twice.
    """

    participants: tuple[str, ...]
    values: NDArray[np.float64]
    names: tuple[str, ...]
    asd: NDArray[np.bool_] | None = None
    clinic: tuple[str, ...] | None = None
    source: Source = "measured"

    def __post_init__(self) -> None:
        n = len(self.participants)
        if self.values.shape != (n, len(self.names)):
            raise InputError(
                f"The feature table has shape {self.values.shape}; {n} participants and "
                f"{len(self.names)} feature names were given."
            )
        for what, column in (("diagnoses", self.asd), ("clinics", self.clinic)):
            if column is not None and len(column) != n:
                raise InputError(f"{len(column)} {what} were given for {n} participants.")
        if len(set(self.participants)) != n:
            twice = sorted({p for p in self.participants if self.participants.count(p) > 1})
            raise InputError(
                f"Participants {', '.join(twice[:5])} stand more than once in the feature table; "
                "a participant is one row. Keep one row each."
            )

    def __len__(self) -> int:
        return len(self.participants)

    def select(self, rows: NDArray[np.bool_]) -> "FeatureTable":
        """Return the table of the rows where ``rows`` is true."""
        return FeatureTable(
            participants=tuple(p for p, keep in zip(self.participants, rows, strict=True) if keep),
            values=self.values[rows],
            names=self.names,
            asd=None if self.asd is None else self.asd[rows],
            clinic=None
            if self.clinic is None
            else tuple(c for c, keep in zip(self.clinic, rows, strict=True) if keep),
            source=self.source,
        )


def write_features(path: Path, table: FeatureTable) -> None:
    """Write a feature table as Parquet, whole or not at all.

    Parameters
    ----------
    path : Path
        Target file.
    table : FeatureTable
        Its names must be ``FEATURE_NAMES``.

    Raises
    ------
    InputError
        The names are not those of the current version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if table.names != FEATURE_NAMES:
        raise InputError(
            f"The table has {len(table.names)} features that are not those of version "
            f"{FEATURES_VERSION} ({len(FEATURE_NAMES)} features). Compute them again."
        )
    columns: dict[str, pa.Array] = {"participant": pa.array(table.participants, pa.string())}
    if table.asd is not None:
        columns["asd"] = pa.array(table.asd.tolist(), pa.bool_())
    if table.clinic is not None:
        columns["clinic"] = pa.array(table.clinic, pa.string())
    columns |= {name: pa.array(table.values[:, j]) for j, name in enumerate(table.names)}
    metadata = {VERSION_KEY: str(FEATURES_VERSION).encode(), SOURCE_KEY: table.source.encode()}
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns).replace_schema_metadata(metadata), temporary)


def read_features(path: Path) -> FeatureTable:
    """Read a feature file, or all feature files of a folder as one table.

    Parameters
    ----------
    path : Path
        A Parquet file written by ``write_features``, or a folder of such files.

    Raises
    ------
    InputError
        Nothing is there; a file is no Parquet file, has no or another features version, lacks or
        adds columns, has a wrong type or an empty participant; files of a folder differ in what
        they hold; a participant stands twice.
    """
    if path.is_dir():
        files = sorted(path.glob("*.parquet"))
        if not files:
            raise InputError(f"Folder {path} has no .parquet file; run the features command first.")
        return _concatenate([(file, _read_one(file)) for file in files])
    if not path.is_file():
        raise InputError(f"There is no feature file {path}; run the features command first.")
    return _read_one(path)


def _read_one(path: Path) -> FeatureTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path} cannot be read as Parquet ({type(error).__name__}); write it again."
        ) from error
    version = (table.schema.metadata or {}).get(VERSION_KEY)
    if version is None:
        raise InputError(
            f"{path} carries no features version, so it is not a feature file. "
            "Give a file written by the features command."
        )
    if version != str(FEATURES_VERSION).encode():
        raise InputError(
            f"{path} has features version {version.decode(errors='replace')}; this program reads "
            f"version {FEATURES_VERSION}. Compute the features again."
        )
    missing = [n for n in ("participant", *FEATURE_NAMES) if n not in table.column_names]
    unknown = [n for n in table.column_names if n not in _KNOWN_COLUMNS]
    if missing or unknown or len(set(table.column_names)) != len(table.column_names):
        raise InputError(
            f"{path} lacks {len(missing)} columns ({', '.join(missing[:3])}) and has "
            f"{len(unknown)} unknown ones ({', '.join(unknown[:3])}). Compute the features again."
        )
    participants = _column(table, "participant", pa.string(), path)
    values = np.column_stack(
        [np.asarray(_column(table, n, pa.float64(), path), dtype=np.float64) for n in FEATURE_NAMES]
    ).reshape(table.num_rows, len(FEATURE_NAMES))
    if np.isinf(values).any():
        raise InputError(f"{path} has infinite values. Compute the features again.")
    names = table.column_names
    return FeatureTable(
        participants=tuple(participants),
        values=values,
        names=FEATURE_NAMES,
        asd=np.array(_column(table, "asd", pa.bool_(), path), dtype=np.bool_)
        if "asd" in names
        else None,
        clinic=tuple(_column(table, "clinic", pa.string(), path)) if "clinic" in names else None,
        source="surrogate" if table.schema.metadata.get(SOURCE_KEY) == b"surrogate" else "measured",
    )


_KNOWN_COLUMNS: Final = frozenset(("participant", "asd", "clinic", *FEATURE_NAMES))


def _column(table, name: str, kind, path: Path) -> list:  # type: ignore[no-untyped-def,type-arg]
    column = table.column(name)
    if column.type != kind:
        raise InputError(f"{path}: column {name} has type {column.type}; expected {kind}.")
    if column.null_count:
        raise InputError(f"{path}: column {name} has {column.null_count} empty cells.")
    return column.to_pylist()  # type: ignore[no-any-return]


def _concatenate(parts: list[tuple[Path, FeatureTable]]) -> FeatureTable:
    (first_path, first), *others = parts
    for path, other in others:
        if (other.asd is None) != (first.asd is None):
            raise InputError(f"{first_path} and {path} differ: only one of them has diagnoses.")
        if (other.clinic is None) != (first.clinic is None):
            raise InputError(f"{first_path} and {path} differ: only one of them names clinics.")
        if other.source != first.source:
            raise InputError(f"{first_path} and {path} differ: only one of them is surrogate.")
    tables = [table for _, table in parts]
    return FeatureTable(
        participants=tuple(p for table in tables for p in table.participants),
        values=np.concatenate([table.values for table in tables]),
        names=FEATURE_NAMES,
        asd=None
        if first.asd is None
        else np.concatenate([table.asd for table in tables if table.asd is not None]),
        clinic=None
        if first.clinic is None
        else tuple(c for table in tables if table.clinic is not None for c in table.clinic),
        source=first.source,
    )
