"""FER+: web faces of FER2013 with the votes of ten raters for eight expressions.

Source: Barsoum et al., ICMI 2016 (votes); Goodfellow et al., ICONIP 2013 (pictures). Many pictures
stand in the set more than once, also across its three parts. A picture of a test part is therefore
never trained on, copies within the training part are merged by adding their votes, and results are
given with and without the test faces that have a copy elsewhere.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from server.pretraining.labelled_faces import LabelledFaces, Skipped
from server.pretraining.weak_labels import weak_action_units, weak_valence_arousal
from shared.channels import EXPRESSIONS
from shared.errors import InputError

__all__ = [
    "VOTE_COLUMNS",
    "FerPlus",
    "Part",
    "ferplus_from_votes",
    "load_ferplus",
    "training_faces",
    "without_copies",
]

Part = Literal["Training", "PublicTest", "PrivateTest"]

VOTE_COLUMNS: Final = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
_TO_NETWORK_ORDER: Final = (0, 1, 3, 2, 6, 5, 4, 7)
"""Vote columns in the order of ``EXPRESSIONS``."""

_MINIMUM_VOTES: Final = 4
"""Fewer votes for the eight expressions than this say too little about a face to train on."""


@dataclass(frozen=True, eq=False)
class FerPlus:
    """Faces and votes of one part of FER+, or of several.

    Attributes
    ----------
    images : ndarray, shape (n, 48, 48), uint8
        Grey faces.
    votes : ndarray, shape (n, 8), int64
        Votes in the order of ``EXPRESSIONS``; "unknown" and "not a face" are left out here.
    all_votes : ndarray, shape (n,), int64
        All votes of a face, "unknown" and "not a face" included.
    part : ndarray, shape (n,), str
        "Training", "PublicTest" or "PrivateTest".
    picture : ndarray, shape (n,), int64
        Equal for rows that hold the same pixels.
    skipped : tuple of Skipped
        What was left out while reading; known of the whole set only.
    """

    images: NDArray[np.uint8]
    votes: NDArray[np.int64]
    all_votes: NDArray[np.int64]
    part: NDArray[np.str_]
    picture: NDArray[np.int64]
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, mask: NDArray[np.bool_]) -> "FerPlus":
        """Rows where ``mask`` is true."""
        return FerPlus(
            self.images[mask],
            self.votes[mask],
            self.all_votes[mask],
            self.part[mask],
            self.picture[mask],
        )

    def of(self, part: Part) -> "FerPlus":
        """Rows of one part."""
        return self.rows(self.part == part)

    def majority(self) -> "FerPlus":
        """Faces where more than half of all votes name one expression."""
        return self.rows(2 * self.votes.max(axis=1, initial=0) > self.all_votes)

    @property
    def expression(self) -> NDArray[np.int64]:
        """Expression with the most votes, index into ``EXPRESSIONS``, shape (n,)."""
        return np.asarray(np.argmax(self.votes, axis=1), np.int64)

    def distribution(self) -> NDArray[np.float32]:
        """Share of the votes by expression, shape (n, 8), rows sum to 1.

        A single vote against the others counts as an outlier and is left out (Barsoum et al.),
        unless no expression has more than one.
        """
        votes = np.where((self.votes > 1) | (self.votes.max(1, keepdims=True) <= 1), self.votes, 0)
        total = np.maximum(votes.sum(axis=1, keepdims=True), 1)
        return np.asarray(votes / total, np.float32)

    def for_training(self) -> "FerPlus":
        """Training rows that share no picture with a test part, copies merged, votes enough."""
        tested = np.unique(self.picture[self.part != "Training"])
        own = self.rows((self.part == "Training") & ~np.isin(self.picture, tested))
        _, first, group = np.unique(own.picture, return_index=True, return_inverse=True)
        votes = np.zeros((len(first), len(EXPRESSIONS)), np.int64)
        total = np.zeros(len(first), np.int64)
        np.add.at(votes, group, own.votes)
        np.add.at(total, group, own.all_votes)
        merged = FerPlus(own.images[first], votes, total, own.part[first], own.picture[first])
        return merged.rows(votes.sum(axis=1) >= _MINIMUM_VOTES)


def without_copies(faces: FerPlus, part: Part) -> FerPlus:
    """Rows of ``part`` whose picture stands in no other part."""
    elsewhere = np.unique(faces.picture[faces.part != part])
    return faces.rows((faces.part == part) & ~np.isin(faces.picture, elsewhere))


def load_ferplus(path: Path) -> FerPlus:
    """Read FER+ from an ``.npz`` file, or from the folder of its two official tables.

    Parameters
    ----------
    path : Path
        Archive with arrays ``images`` (n, 48, 48) uint8, ``votes`` (n, 10), ``vote_columns`` (10,)
        and ``usage`` (n,); or a folder with ``fer2013.csv`` and ``fer2013new.csv``.

    Returns
    -------
    FerPlus

    Raises
    ------
    InputError
        When the file is missing, is no such archive, or its arrays do not fit.
    """
    if path.is_dir():
        from server.pretraining.datasets.fer2013_csv import load_fer2013_tables

        return load_fer2013_tables(path)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            images, votes = archive["images"], archive["votes"]
            columns, part = archive["vote_columns"], archive["usage"]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the FER+ archive with --data") from None
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]}; the FER+ archive needs it") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        raise InputError(f"{path}: not a readable .npz archive") from None
    if tuple(columns) != VOTE_COLUMNS:
        raise InputError(
            f"{path}: vote columns are {', '.join(map(str, columns))}; "
            f"{', '.join(VOTE_COLUMNS)} are needed"
        )
    n = len(images)
    if images.shape != (n, 48, 48) or images.dtype != np.uint8:
        raise InputError(f"{path}: images are {images.shape} {images.dtype}; (n, 48, 48) uint8")
    if votes.shape != (n, len(VOTE_COLUMNS)) or part.shape != (n,):
        raise InputError(
            f"{path}: {n} images, votes of shape {votes.shape}, usage of shape {part.shape}"
        )
    return ferplus_from_votes(images, votes, part)


def ferplus_from_votes(
    images: NDArray[np.uint8],
    votes: NDArray[np.integer],
    part: NDArray[np.str_],
    skipped: tuple[Skipped, ...] = (),
) -> FerPlus:
    """FER+ from pictures (n, 48, 48), votes (n, 10) by ``VOTE_COLUMNS``, and parts (n,)."""
    n = len(images)
    _, picture = np.unique(images.reshape(n, -1), axis=0, return_inverse=True) if n else (0, [])
    return FerPlus(
        images=images,
        votes=votes[:, _TO_NETWORK_ORDER].astype(np.int64),
        all_votes=votes.sum(axis=1, dtype=np.int64),
        part=part.astype(str),
        picture=np.asarray(picture, np.int64).reshape(n),
        skipped=skipped,
    )


def training_faces(faces: FerPlus) -> LabelledFaces:
    """Training faces of FER+ with votes for expressions and weak labels for all else."""
    chosen = faces.for_training()
    distribution = chosen.distribution()
    return LabelledFaces(
        name="ferplus",
        pictures=np.ascontiguousarray(chosen.images[..., None]),
        expression=distribution,
        valence_arousal=weak_valence_arousal(distribution),
        action_units=weak_action_units(distribution),
        skipped=faces.skipped,
    )
