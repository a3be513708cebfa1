"""How a training went, row by row: a CSV file, and TensorBoard where it is installed."""

import csv
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from shared.files import write_atomic

__all__ = ["LogRow", "TrainingLog"]


@dataclass(frozen=True)
class LogRow:
    """Means over the steps since the row before.

    Attributes
    ----------
    step : int
        Steps done.
    epoch : float
        Passes over the data done.
    side : int
        Of the pictures, pixels.
    learning_rate : float
        At the last step.
    loss, expression, valence_arousal, action_units : float
        Loss and its terms, unweighted.
    faces_per_s : float
        Of all processes together.
    """

    step: int
    epoch: float
    side: int
    learning_rate: float
    loss: float
    expression: float
    valence_arousal: float
    action_units: float
    faces_per_s: float


_COLUMNS = [field.name for field in fields(LogRow)]


class TrainingLog:
    """Writes rows to ``log.csv`` in a folder.

    Parameters
    ----------
    folder : Path
    done : int
        Steps already done: rows of an interrupted run after them are removed. 0 starts a new file.
    """

    def __init__(self, folder: Path, done: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "log.csv"
        kept = [",".join(_COLUMNS)]
        if done and path.is_file():
            rows = path.read_text(encoding="utf-8").splitlines()[1:]
            kept += [row for row in rows if 0 < _step(row) <= done]
        write_atomic(path, "\n".join(kept) + "\n")
        self._stream = path.open("a", encoding="utf-8", newline="")
        self._rows = csv.writer(self._stream, lineterminator="\n")
        self._board = _tensorboard(folder, done)

    def __enter__(self) -> "TrainingLog":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.close()
        if self._board is not None:
            self._board.close()

    def add(self, row: LogRow) -> None:
        """Write one row."""
        values = [getattr(row, name) for name in _COLUMNS]
        self._rows.writerow(f"{v:.7g}" if isinstance(v, float) else v for v in values)
        self._stream.flush()
        if self._board is not None:
            for name, value in zip(_COLUMNS[1:], values[1:], strict=True):
                self._board.add_scalar(name, value, row.step)


def _step(row: str) -> int:
    """Step of a row; 0 for the torn last row of a run that was killed."""
    first = row.split(",")
    return int(first[0]) if len(first) == len(_COLUMNS) and first[0].isdigit() else 0


def _tensorboard(folder: Path, done: int) -> Any:
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(folder / "tensorboard", purge_step=done or None)
