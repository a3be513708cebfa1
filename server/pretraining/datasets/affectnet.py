"""AffectNet: web faces with expression, valence and arousal (Mollahosseini et al., TAC 2017).

Two official layouts are read. The first release has tables (``training.csv``, ``validation.csv``)
with a face box for each picture of ``Manually_Annotated_Images``. The newer one has folders
``train_set`` and ``val_set`` with cut-out faces in ``images`` and one small file a label in
``annotations``. Codes are the same: expressions 0 to 7 in the network's order, 8 none, 9 uncertain,
10 no face; valence and arousal -2 where they are invalid.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from server.pretraining.datasets.picture_files import FaceFile, read_face_files
from server.pretraining.datasets.stored_faces import Chunk, made_once
from server.pretraining.labelled_faces import LabelledFaces, Skipped, unlabelled
from shared.channels import EXPRESSIONS
from shared.errors import InputError

__all__ = ["AffectNetList", "affectnet_faces", "list_affectnet"]

Part = Literal["training", "validation"]

_FIELDS: Final = (
    *("face_x", "face_y", "face_width", "face_height"),
    *("expression", "valence", "arousal"),
)
_FILE: Final = "subdirectory_filepath"
_PICTURES: Final = ("Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images")
_FOLDERS: Final[dict[Part, str]] = {"training": "train_set", "validation": "val_set"}
_SUFFIXES: Final = (".jpg", ".png", ".jpeg")
_LAST_CODE: Final = 10
_INVALID: Final = -2


@dataclass(frozen=True, eq=False)
class AffectNetList:
    """Faces of one part with a label, before their pictures are read.

    Attributes
    ----------
    files : list of FaceFile
    expression : ndarray, shape (n, 8), float32
        One-hot, or NaN.
    valence_arousal : ndarray, shape (n, 2), float32
        Or NaN.
    skipped : list of Skipped
        Pictures without labels or without a readable one.
    """

    files: list[FaceFile]
    expression: NDArray[np.float32]
    valence_arousal: NDArray[np.float32]
    skipped: list[Skipped]


def affectnet_faces(
    folder: Path,
    cache: Path,
    *,
    part: Part = "training",
    side: int = 160,
    crop_margin: float = 0.08,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> LabelledFaces:
    """Faces of AffectNet, decoded once and then read from ``cache``.

    Parameters
    ----------
    folder : Path
        In either layout.
    cache : Path
    part : {"training", "validation"}
    side : int
        Of the pictures, pixels.
    crop_margin : float
        Share of the face box added on each side; the newer layout's pictures are cut already.
    workers : int
        Processes that decode.
    progress : callable, optional
        Called with the pictures done and the pictures in all.
    """
    made_from = {
        "folder": str(folder.resolve()),
        "part": part,
        "side": side,
        "crop_margin": crop_margin,
        "table": _stamp(folder, part),
    }

    def make() -> Iterator[Chunk]:
        listed = list_affectnet(folder, part)
        left_out, done = listed.skipped, 0
        for pictures, rows, skipped in read_face_files(listed.files, side, crop_margin, workers):
            targets = unlabelled(len(rows))
            targets["expression"] = listed.expression[rows]
            targets["valence_arousal"] = listed.valence_arousal[rows]
            yield pictures, targets, [*left_out, *skipped]
            left_out, done = [], done + len(rows) + len(skipped)
            if progress is not None:
                progress(done, len(listed.files))

    return made_once(cache, "affectnet", made_from, side, make)


def list_affectnet(folder: Path, part: Part) -> AffectNetList:
    """Files and labels of one part, whichever layout the folder has.

    Raises
    ------
    InputError
        When neither layout is there, a column is missing, or a value is none of the codes.
    """
    if _table(folder, part).is_file():
        return _from_table(folder, _table(folder, part))
    if (folder / _FOLDERS[part]).is_dir():
        return _from_folder(folder / _FOLDERS[part])
    raise InputError(
        f"{folder}: neither {part}.csv nor {_FOLDERS[part]}/ is in this folder; name the folder "
        "of AffectNet in one of its official layouts"
    )


def _table(folder: Path, part: Part) -> Path:
    return folder / f"{part}.csv"


def _stamp(folder: Path, part: Part) -> list[int]:
    """Changes when the labels do: size and time of the table, or of the folder."""
    table = _table(folder, part)
    labels = table if table.is_file() else folder / _FOLDERS[part] / "annotations"
    return [labels.stat().st_size, labels.stat().st_mtime_ns] if labels.exists() else []


def _from_table(folder: Path, table: Path) -> AffectNetList:
    pictures = next((folder / name for name in _PICTURES if (folder / name).is_dir()), folder)
    collected = _Collected()
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or ()]
            for name in (_FILE, *_FIELDS):
                if name not in rows.fieldnames:
                    raise InputError(
                        f"{table}, line 1: column {name!r} is missing; the columns are "
                        f"{', '.join(rows.fieldnames) or 'none'}"
                    )
            for row in rows:
                place = f"{table}, line {rows.line_num}"
                x, y, width, height, code, valence, arousal = _numbers(row, place)
                file = FaceFile(pictures / (row[_FILE] or ""), (x, y, width, height), place)
                collected.add(file, code, valence, arousal)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: not a table of comma-separated values ({error})") from None
    return collected.finished()


def _numbers(row: dict[str, str | None], place: str) -> list[float]:
    values = []
    for name in _FIELDS:
        text = row[name]
        try:
            values.append(float(text or ""))
        except ValueError:
            if name.startswith("face_"):
                values.append(float("nan"))  # A picture without a face has no box.
                continue
            raise InputError(f"{place}: {name} is {text!r}; a number is needed") from None
    return values


def _from_folder(folder: Path) -> AffectNetList:
    images, annotations = folder / "images", folder / "annotations"
    for needed in (images, annotations):
        if not needed.is_dir():
            raise InputError(f"{needed}: no such folder; AffectNet's {folder.name}/ has it")
    collected = _Collected()
    files = [path for path in images.iterdir() if path.suffix.lower() in _SUFFIXES]
    for path in sorted(files, key=lambda path: (len(path.stem), path.name)):
        labels = [_label(annotations / f"{path.stem}_{kind}.npy") for kind in ("exp", "val", "aro")]
        if None in labels:
            collected.skipped.append(Skipped(str(path), "without a readable annotation"))
            continue
        code, valence, arousal = (value for value in labels if value is not None)
        collected.add(FaceFile(path), code, valence, arousal)
    return collected.finished()


def _label(path: Path) -> float | None:
    """The one value of an annotation file: a number or a text that holds one."""
    try:
        value = np.load(path, allow_pickle=False)
        return float(value.item())
    except (OSError, ValueError, EOFError, TypeError):
        return None


class _Collected:
    """Labelled faces gathered one by one."""

    def __init__(self) -> None:
        self._files: list[FaceFile] = []
        self._expression: list[NDArray[np.float32]] = []
        self._valence_arousal: list[tuple[float, float]] = []
        self.skipped: list[Skipped] = []

    def add(self, file: FaceFile, code: float, valence: float, arousal: float) -> None:
        place = file.place or str(file.path)
        if code not in range(_LAST_CODE + 1):
            raise InputError(f"{place}: expression {code:g}; a code from 0 to {_LAST_CODE} is used")
        pair = [self._rating(value, place) for value in (valence, arousal)]
        expression = np.full(len(EXPRESSIONS), np.nan, np.float32)
        if code < len(EXPRESSIONS):
            expression = np.eye(len(EXPRESSIONS), dtype=np.float32)[int(code)]
        elif np.isnan(pair).all():
            self.skipped.append(Skipped(place, "without any usable label"))
            return
        self._files.append(file)
        self._expression.append(expression)
        self._valence_arousal.append((pair[0], pair[1]))

    @staticmethod
    def _rating(value: float, place: str) -> float:
        if value == _INVALID:
            return float("nan")
        if not -1 <= value <= 1:
            raise InputError(
                f"{place}: valence or arousal {value:g}; -1 to 1, or {_INVALID} where invalid"
            )
        return value

    def finished(self) -> AffectNetList:
        n = len(self._files)
        return AffectNetList(
            self._files,
            np.array(self._expression, np.float32).reshape(n, len(EXPRESSIONS)),
            np.array(self._valence_arousal, np.float32).reshape(n, 2),
            self.skipped,
        )
