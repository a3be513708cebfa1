"""One participant's affect attributes over time, and the Parquet file that holds them.

One file a participant; one row a tick of the 24 Hz clock. A tick without a face has NaN in the box
and in every channel, and a tick with a face has none: the reader checks this, so that what follows
never has to guess what a number means. What was measured of the pictures (``PictureMeasures``)
stands in further columns, or in none of them: files of version 1 and simulated children have none.

Law of the format: a column is never renamed or redefined. A change that an older reader would
misunderstand raises ``ATTRIBUTES_SCHEMA_VERSION``, and a reader refuses versions it does not know.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import CHANNELS, FRAME_RATE_HZ
from shared.errors import InputError
from shared.files import atomic_path

__all__ = [
    "ATTRIBUTES_SCHEMA_VERSION",
    "AttributeSeries",
    "PictureMeasures",
    "read_attributes",
    "write_attributes",
]

ATTRIBUTES_SCHEMA_VERSION: Final = 2

_READABLE_VERSIONS: Final = (1, 2)
"""Version 2 added the columns of ``PictureMeasures``."""

_METADATA_KEY: Final = b"fedaffect.attributes"
_BOX_COLUMNS: Final = ("box_x", "box_y", "box_w", "box_h")
_COLUMNS: Final = (
    "time_s",
    "frame",
    "face_found",
    "face_confidence",
    *_BOX_COLUMNS,
    *CHANNELS,
)
_PICTURE_COLUMNS: Final = ("brightness", "sharpness", "faces_seen")
_SIGNED: Final = frozenset({"valence", "arousal"})
_TICK_TOLERANCE_S: Final = 1e-6
_RANGE_TOLERANCE: Final = 1e-5
"""Room for float32 rounding, such as a probability of 1 + 1e-7."""


@dataclass(frozen=True, eq=False)
class PictureMeasures:
    """How well the face could be seen at each tick.

    Attributes
    ----------
    brightness : ndarray, shape (n,), float32
        Mean luminance inside the face box, 0 (black) to 255; NaN where the face is lost.
    sharpness : ndarray, shape (n,), float32
        Variance of the Laplacian of the face's luminance at a fixed size, grey levels squared; low
        for a blurred face, NaN where the face is lost.
    faces_seen : ndarray, shape (n,), int16
        Faces the detector saw in the frame; -1 where it did not look.
    """

    brightness: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    faces_seen: NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class AttributeSeries:
    """Affect attributes of one participant on the regular 24 Hz clock.

    Attributes
    ----------
    participant : str
        Pseudonym of the participant.
    time_s : ndarray, shape (n,), float64
        Ticks of the clock, seconds from the start of the recording, 1/24 s apart.
    frame : ndarray, shape (n,), int64
        Index of the source frame shown at each tick, from 0, never decreasing.
    face_found : ndarray, shape (n,), bool
    face_confidence : ndarray, shape (n,), float32
        The detector's confidence, 0 to 1; 0 where it saw no face.
    box : ndarray, shape (n, 4), float32
        Face box x, y, width, height in source pixels, upright picture; NaN where the face is lost.
    values : ndarray, shape (n, 22), float32
        Channels in the order of ``CHANNELS``: probabilities in [0, 1], valence and arousal in
        [-1, 1]; NaN where the face is lost.
    provenance : Mapping of str to str
        Where the numbers come from: hashes of video and weights, software version, parameters.
    pictures : PictureMeasures, optional
        None where it was not measured.

    Raises
    ------
    InputError
        When lengths, ranges, the clock, or the NaN pattern are not as stated above.
    """

    participant: str
    time_s: NDArray[np.float64]
    frame: NDArray[np.int64]
    face_found: NDArray[np.bool_]
    face_confidence: NDArray[np.float32]
    box: NDArray[np.float32]
    values: NDArray[np.float32]
    provenance: Mapping[str, str] = field(default_factory=dict)
    pictures: PictureMeasures | None = None

    def __post_init__(self) -> None:
        n = len(self.time_s)
        expected: dict[str, tuple[tuple[int, ...], type]] = {
            "time_s": ((n,), np.float64),
            "frame": ((n,), np.int64),
            "face_found": ((n,), np.bool_),
            "face_confidence": ((n,), np.float32),
            "box": ((n, 4), np.float32),
            "values": ((n, len(CHANNELS)), np.float32),
        }
        for name, (shape, dtype) in expected.items():
            array: NDArray[Any] = np.asarray(getattr(self, name), dtype=dtype)
            if array.shape != shape:
                raise InputError(f"{name} has shape {array.shape}; {shape} is needed")
            object.__setattr__(self, name, array)
        if not self.participant:
            raise InputError("the participant's name is empty")
        self._check_clock()
        self._check_faces()
        if self.pictures is not None:
            self._check_pictures(self.pictures)

    def _check_clock(self) -> None:
        if not np.isfinite(self.time_s).all():
            raise InputError("time_s holds a value that is not a finite number")
        steps = np.diff(self.time_s)
        off = np.flatnonzero(np.abs(steps - 1 / FRAME_RATE_HZ) > _TICK_TOLERANCE_S)
        if off.size:
            raise InputError(
                f"time_s moves by {steps[off[0]]:.6g} s after row {off[0]}; rows must be "
                f"1/{FRAME_RATE_HZ:g} s apart: extract the recording again"
            )
        if self.frame.size and (self.frame[0] < 0 or (np.diff(self.frame) < 0).any()):
            raise InputError("frame must be 0 or more and never decrease")

    def _check_faces(self) -> None:
        if not ((self.face_confidence >= 0) & (self.face_confidence <= 1 + _RANGE_TOLERANCE)).all():
            raise InputError("face_confidence must lie between 0 and 1")
        channels = [*_BOX_COLUMNS, *CHANNELS]
        numbers = np.concatenate([self.box, self.values], axis=1)
        given = np.isfinite(numbers)
        if np.isinf(numbers).any():
            raise InputError("an infinite value stands among the boxes or channels")
        rows, columns = np.nonzero(given != self.face_found[:, None])
        if rows.size:
            state = "a face but no value" if self.face_found[rows[0]] else "no face but a value"
            raise InputError(
                f"row {rows[0]} has {state} in {channels[columns[0]]}; values must be NaN exactly "
                "where face_found is false"
            )
        if (self.box[self.face_found, 2:] <= 0).any():
            raise InputError("a face box has no width or no height")
        found = self.values[self.face_found]
        low = np.array([-1.0 if name in _SIGNED else 0.0 for name in CHANNELS])
        wrong = ((found < low - _RANGE_TOLERANCE) | (found > 1 + _RANGE_TOLERANCE)).any(axis=0)
        if wrong.any():
            index = int(np.flatnonzero(wrong)[0])
            raise InputError(f"{CHANNELS[index]} leaves its range {low[index]:g} to 1")

    def _check_pictures(self, pictures: PictureMeasures) -> None:
        for name, dtype in zip(_PICTURE_COLUMNS, (np.float32, np.float32, np.int16), strict=True):
            array: NDArray[Any] = np.asarray(getattr(pictures, name), dtype=dtype)
            if array.shape != self.time_s.shape:
                raise InputError(f"{name} has shape {array.shape}; {self.time_s.shape} is needed")
            object.__setattr__(pictures, name, array)
        for name in ("brightness", "sharpness"):
            array = getattr(pictures, name)
            if (np.isfinite(array) != self.face_found).any() or np.isinf(array).any():
                raise InputError(f"{name} must be a number exactly where face_found is true")
        if (pictures.brightness > 255 * (1 + _RANGE_TOLERANCE)).any():
            raise InputError("brightness must lie between 0 and 255")
        if (pictures.brightness < 0).any() or (pictures.sharpness < 0).any():
            raise InputError("brightness and sharpness are never negative")
        if (pictures.faces_seen < -1).any():
            raise InputError("faces_seen is -1 where the detector did not look, or 0 and more")

    @property
    def face_seconds(self) -> float:
        """Time with a face, seconds."""
        return float(np.count_nonzero(self.face_found)) / FRAME_RATE_HZ


def write_attributes(path: Path, series: AttributeSeries) -> None:
    """Write ``series`` to a Parquet file, whole or not at all.

    Parameters
    ----------
    path : Path
        Target; an existing file is replaced in one step.
    series : AttributeSeries
        Zero rows are allowed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, NDArray[Any]] = {
        "time_s": series.time_s,
        "frame": series.frame,
        "face_found": series.face_found,
        "face_confidence": series.face_confidence,
        **{name: series.box[:, i] for i, name in enumerate(_BOX_COLUMNS)},
        **{name: series.values[:, i] for i, name in enumerate(CHANNELS)},
    }
    if series.pictures is not None:
        columns |= {name: getattr(series.pictures, name) for name in _PICTURE_COLUMNS}
    note = {
        "schema_version": ATTRIBUTES_SCHEMA_VERSION,
        "participant": series.participant,
        "provenance": dict(series.provenance),
    }
    # NaN stays NaN: the file has no nulls, so a null always means damage.
    table = pa.table(
        {name: pa.array(column, from_pandas=False) for name, column in columns.items()}
    )
    table = table.replace_schema_metadata({_METADATA_KEY: json.dumps(note, sort_keys=True)})
    with atomic_path(path) as temporary:
        # Float dynamics have no repeated values worth a dictionary; without one it is faster.
        pq.write_table(
            table, temporary, compression="zstd", compression_level=1, use_dictionary=False
        )


def read_attributes(path: Path) -> AttributeSeries:
    """Read and check one participant's attributes.

    Parameters
    ----------
    path : Path
        File written by ``write_attributes``.

    Returns
    -------
    AttributeSeries

    Raises
    ------
    InputError
        Naming the file and what is wrong: not a Parquet file, written by something else, another
        schema version, missing columns, lengths, ranges, clock, or NaN out of place.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, partitioning=None)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path}: not a readable Parquet file ({str(error).splitlines()[0]}); "
            "extract the recording again"
        ) from None
    try:
        participant, provenance = _read_note(table.schema.metadata or {})
        return _series_of(table, participant, provenance)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read_note(metadata: Mapping[bytes, bytes]) -> tuple[str, dict[str, str]]:
    raw = metadata.get(_METADATA_KEY)
    if raw is None:
        raise InputError(
            "no attribute metadata; attribute files are written by `fedaffect-client extract`"
        )
    try:
        note = json.loads(raw)
        version, participant = note["schema_version"], note["participant"]
        provenance = {str(key): str(value) for key, value in note["provenance"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError("the attribute metadata is damaged; extract the recording again") from None
    if version not in _READABLE_VERSIONS:
        raise InputError(
            f"schema version {version} found; this version reads "
            f"{' and '.join(map(str, _READABLE_VERSIONS))}: "
            "extract the recording again or use the matching version of fedaffect"
        )
    return str(participant), provenance


def _series_of(table: Any, participant: str, provenance: Mapping[str, str]) -> AttributeSeries:
    names = list(table.column_names)
    measured = any(name in names for name in _PICTURE_COLUMNS)
    needed = (*_COLUMNS, *_PICTURE_COLUMNS) if measured else _COLUMNS
    missing = [name for name in needed if name not in names]
    if missing:
        raise InputError(f"columns missing: {', '.join(missing)}")
    with_nulls = [name for name in needed if table.column(name).null_count]
    if with_nulls:
        raise InputError(f"empty cells in {', '.join(with_nulls)}; lost faces are NaN, never empty")

    def column(name: str, dtype: type) -> NDArray[Any]:
        array: NDArray[Any] = table.column(name).to_numpy()
        kind = np.dtype(dtype).kind
        if array.dtype.kind != kind:
            raise InputError(f"column {name} holds {array.dtype}; {np.dtype(dtype)} is needed")
        return np.asarray(array, dtype=dtype)

    return AttributeSeries(
        participant=participant,
        time_s=column("time_s", np.float64),
        frame=column("frame", np.int64),
        face_found=column("face_found", np.bool_),
        face_confidence=column("face_confidence", np.float32),
        box=np.stack([column(name, np.float32) for name in _BOX_COLUMNS], axis=1),
        values=np.stack([column(name, np.float32) for name in CHANNELS], axis=1),
        provenance=provenance,
        pictures=PictureMeasures(
            brightness=column("brightness", np.float32),
            sharpness=column("sharpness", np.float32),
            faces_seen=column("faces_seen", np.int16),
        )
        if measured
        else None,
    )
