"""What a training must remember: every question before it is sent, and every answer it got.

A round may be asked with one input only, for ever: a clinic refuses another. So the input is on the
disk before the first clinic sees it, and a training that was interrupted goes on from there with
the same bytes. The heads of the clinics' privacy ledgers are kept beside it and echoed, so that a
clinic whose ledger was copied back from an older state notices.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load, save

from shared.errors import FederationError
from shared.files import write_atomic
from shared.messages import Answer, Question

__all__ = ["FolderJournal", "Journal", "NoJournal"]


_UNREADABLE: Final = "unreadable"


class Journal(Protocol):
    """Where a training's questions, answers and ledger heads are kept."""

    def asked(self, study: str, question: Question) -> None:
        """Keep a question before it is sent; refuse another input for its round."""
        ...

    def answered(self, study: str, question: Question, answers: Sequence[Answer]) -> None:
        """Keep a round's answers, in roster order."""
        ...

    def answers(self, study: str, question: Question) -> list[Answer] | None:
        """Answers kept from before an interruption; None when there are none."""
        ...

    def was_asked(self, study: str, round_number: int) -> bool:
        """Whether a round's question was kept, so that clinics may have answered it."""
        ...

    def head(self, clinic: str) -> str:
        """Last known head of a clinic's ledger; empty when none is known.

        Clinics are told apart by ``server.roster.ledger_owner``.
        """
        ...

    def remember_head(self, clinic: str, head: str) -> None:
        """Keep a clinic's new head."""
        ...


class NoJournal:
    """Remembers heads for as long as the process lives, and nothing else: for simulations."""

    def __init__(self) -> None:
        self._heads: dict[str, str] = {}

    def asked(self, study: str, question: Question) -> None:
        """Nothing is kept."""

    def answered(self, study: str, question: Question, answers: Sequence[Answer]) -> None:
        """Nothing is kept."""

    def answers(self, study: str, question: Question) -> list[Answer] | None:
        """Nothing was kept."""
        return None

    def was_asked(self, study: str, round_number: int) -> bool:
        """Nothing was kept."""
        return False

    def head(self, clinic: str) -> str:
        """Last head this process saw."""
        return self._heads.get(clinic, "")

    def remember_head(self, clinic: str, head: str) -> None:
        """Keep it in memory."""
        self._heads[clinic] = head


class FolderJournal:
    """A journal in a folder, one file a question and one an answered round.

    Parameters
    ----------
    folder : Path
        Made when missing. Files are written whole and fsynced before a call returns.
    heads : Path, optional
        Folder of the ledger heads. One for all of a coordinator's studies, so that the next study
        notices too; by default a folder of this journal's own.
    """

    def __init__(self, folder: Path, heads: Path | None = None) -> None:
        self.folder = folder
        self.heads = heads or folder / "ledger-heads"

    def asked(self, study: str, question: Question) -> None:
        """Keep a question, or check that it is the one kept before.

        Raises
        ------
        FederationError
            When the round was asked with another input before.
        """
        path = self._path(study, question.round, "question")
        if path.exists():
            if _kept_input(path) != question.digest:
                raise FederationError(
                    f"round {question.round} of study {study[:12]}... was asked with another "
                    f"input before ({path}); clinics answer a round once. Has the server's folder "
                    "been changed, or its software?"
                )
            return
        write_atomic(path, _question_bytes(question))

    def answered(self, study: str, question: Question, answers: Sequence[Answer]) -> None:
        """Keep a round's answers."""
        arrays = {
            f"{position:04d}.{name}": np.ascontiguousarray(value)
            for position, answer in enumerate(answers)
            for name, value in answer.arrays.items()
        }
        header = {"clinics": str(len(answers)), "input": question.digest}
        path = self._path(study, question.round, "answers")
        write_atomic(path, save(arrays, header))

    def answers(self, study: str, question: Question) -> list[Answer] | None:
        """Answers of a round that was completed before an interruption."""
        path = self._path(study, question.round, "answers")
        if not path.exists():
            return None
        if _kept_input(path) not in (question.digest, _UNREADABLE):
            raise FederationError(
                f"{path} holds answers to another input than round {question.round} is asked with; "
                "has the server's folder been changed, or its software?"
            )
        try:
            arrays = load(path.read_bytes())
        except Exception as error:  # safetensors raises its own kinds
            raise FederationError(
                f"{path} cannot be read ({error}); remove it, and the clinics will answer the "
                "round again with the same bytes"
            ) from None
        by_clinic: dict[int, dict[str, np.ndarray]] = {}
        for name, value in arrays.items():
            position, _, key = name.partition(".")
            by_clinic.setdefault(int(position), {})[key] = value
        return [
            Answer(by_clinic[position], question.round, question.digest)
            for position in sorted(by_clinic)
        ]

    def was_asked(self, study: str, round_number: int) -> bool:
        """Whether the question's file is there."""
        return self._path(study, round_number, "question").exists()

    def head(self, clinic: str) -> str:
        """Last known head of a clinic's ledger."""
        path = self._head(clinic)
        return path.read_text(encoding="ascii").strip() if path.exists() else ""

    def remember_head(self, clinic: str, head: str) -> None:
        """Keep a clinic's new head."""
        if head and head != self.head(clinic):
            write_atomic(self._head(clinic), head + "\n")

    def _path(self, study: str, round_number: int, what: str) -> Path:
        return self.folder / study[:16] / f"round-{round_number:04d}-{what}.safetensors"

    def _head(self, clinic: str) -> Path:
        # A clinic's name may hold characters that no file name can.
        plain = re.sub(r"[^A-Za-z0-9-]", "_", clinic)[:40]
        named = hashlib.sha256(clinic.encode()).hexdigest()[:16]
        return self.heads / f"{plain}-{named}"


def _kept_input(path: Path) -> str:
    """Digest of the question a file belongs to; equal files may differ in their header's order."""
    try:
        with safe_open(path, framework="numpy") as kept:
            return str((kept.metadata() or {}).get("input"))
    except Exception:  # safetensors raises its own kinds
        return _UNREADABLE


def _question_bytes(question: Question) -> bytes:
    header = {"kind": question.kind, "round": str(question.round), "input": question.digest}
    arrays = {name: np.ascontiguousarray(value) for name, value in question.arrays.items()}
    return bytes(save(arrays, header))
