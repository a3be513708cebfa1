"""What travels between server and clinic: questions for named studies, and their answers.

One Flower message carries one question of each study that is under way, so several trainings share
an exchange: a deployed study sends one, a simulation sends hundreds. A question is a kind, a round
and named arrays; an answer is named arrays, and says which round and input it belongs to. Nothing
else is read from a message, in particular no number of examples and no metric.

A clinic's answer also carries the head of its privacy ledger, and the next message echoes the last
head the server knows: a clinic whose ledger was copied back from an older state notices.
"""

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from numpy.typing import NDArray

from shared.errors import FederationError

__all__ = [
    "EXCHANGE",
    "READY",
    "Answer",
    "Arrays",
    "Asked",
    "Kind",
    "Question",
    "pack_answers",
    "pack_questions",
    "unpack_answers",
    "unpack_questions",
]

READY: Final = "query.ready"
EXCHANGE: Final = "train.exchange"

Kind = Literal["moments", "newton", "gradient", "threshold", "evaluation", "local_steps"]
Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Question:
    """One step of one study.

    Attributes
    ----------
    kind : Kind
        What is asked.
    round : int
        Number of the exchange within the study, from 1.
    arrays : mapping of str to ndarray
        Everything already released that the answer depends on.
    """

    kind: Kind
    round: int
    arrays: Arrays

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of everything that is asked; noise and masks of the answer depend on it."""
        parts = [self.kind.encode(), str(self.round).encode(), str(len(self.arrays)).encode()]
        for name in sorted(self.arrays):
            value = np.ascontiguousarray(self.arrays[name])
            parts += [name.encode(), value.dtype.str.encode(), str(value.shape).encode()]
            parts.append(value.tobytes())
        hashed = hashlib.sha256()
        for part in parts:  # each with its length, so that no two questions run together alike
            hashed.update(len(part).to_bytes(8, "big") + part)
        return hashed.hexdigest()


@dataclass(frozen=True)
class Answer:
    """One clinic's answer to a question.

    Attributes
    ----------
    arrays : mapping of str to ndarray
    round : int
        Round of the question.
    input_digest : str
        The question's digest, as the clinic read it.
    head : str
        Head of the clinic's privacy ledger after the answer; empty where there is none.
    """

    arrays: Arrays
    round: int
    input_digest: str
    head: str = ""


@dataclass(frozen=True)
class Asked:
    """What a clinic reads from one message.

    Attributes
    ----------
    questions : mapping of str to Question
        One for each study, by the study's hash.
    echoed_head : str
        The last head of this clinic's ledger that the server knows; empty when it knows none.
    """

    questions: Mapping[str, Question]
    echoed_head: str


def pack_questions(questions: Mapping[str, Question], echoed_head: str = "") -> RecordDict:
    """Put one question per study (keyed by the study's hash) into a message's content."""
    studies = list(questions)
    content = RecordDict(
        {
            "questions": ConfigRecord(
                {
                    "study": studies,
                    "kind": [str(questions[study].kind) for study in studies],
                    "round": [questions[study].round for study in studies],
                    "echoed_head": echoed_head,
                }
            )
        }
    )
    for study in studies:
        content[study] = _record(questions[study].arrays)
    return content


def unpack_questions(content: RecordDict) -> Asked:
    """Read the questions of a message.

    Raises
    ------
    FederationError
        When the message does not hold well-formed questions.
    """
    header = content.config_records.get("questions")
    if header is None:
        raise FederationError("a message without questions arrived; is the server another version?")
    studies, kinds, rounds = (header.get(name) for name in ("study", "kind", "round"))
    echoed_head = header.get("echoed_head", "")
    if not (isinstance(studies, list) and isinstance(kinds, list) and isinstance(rounds, list)):
        raise FederationError("a message with malformed questions arrived")
    if not isinstance(echoed_head, str):
        raise FederationError("a message with malformed questions arrived")
    if not len(studies) == len(kinds) == len(rounds):
        raise FederationError("a message with malformed questions arrived")
    records = content.array_records  # a view made anew at every access
    questions = {}
    for study, kind, number in zip(studies, kinds, rounds, strict=True):
        if kind not in get_args(Kind):
            raise FederationError(f"question {kind!r} is unknown; update this node")
        if not isinstance(number, int) or str(study) not in records:
            raise FederationError("a question without its round or its arrays arrived")
        known: Any = kind  # one of Kind, as checked above
        questions[str(study)] = Question(known, number, _arrays(records[str(study)]))
    return Asked(questions, echoed_head)


def pack_answers(answers: Mapping[str, Answer]) -> RecordDict:
    """Put one answer per study into a reply's content."""
    studies = list(answers)
    content = RecordDict(
        {
            "answers": ConfigRecord(
                {
                    "study": studies,
                    "round": [answers[study].round for study in studies],
                    "input": [answers[study].input_digest for study in studies],
                    "head": [answers[study].head for study in studies],
                }
            )
        }
    )
    for study in studies:
        content[study] = _record(answers[study].arrays)
    return content


def unpack_answers(content: RecordDict, studies: Sequence[str]) -> dict[str, Answer]:
    """Read the answers for the given studies.

    Raises
    ------
    FederationError
        When an answer is missing.
    """
    records = content.array_records
    missing = [study for study in studies if study not in records]
    if missing:
        raise FederationError(
            f"no answer for {len(missing)} of {len(studies)} studies; is that clinic on another "
            "version?"
        )
    header = content.config_records.get("answers")
    named, rounds, inputs, heads = (
        header.get(name) if header is not None else None
        for name in ("study", "round", "input", "head")
    )
    answers = {}
    try:
        for study, number, digest, head in zip(named, rounds, inputs, heads, strict=True):  # type: ignore[arg-type]
            if not (isinstance(number, int) and isinstance(digest, str) and isinstance(head, str)):
                raise TypeError
            answers[str(study)] = Answer(_arrays(records[str(study)]), number, digest, head)
        return {study: answers[study] for study in studies}
    except (TypeError, ValueError, KeyError):
        raise FederationError(
            "an answer that does not say what it belongs to arrived; is that clinic on another "
            "version?"
        ) from None


def _record(arrays: Arrays) -> ArrayRecord:
    # Contiguous copies: numpy's own format is what Flower serialises.
    return ArrayRecord({name: Array(np.ascontiguousarray(value)) for name, value in arrays.items()})


def _arrays(record: ArrayRecord) -> dict[str, NDArray[np.generic]]:
    return {name: array.numpy() for name, array in record.items()}
