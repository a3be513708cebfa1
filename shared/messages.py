"""What travels between server and clinic: questions for named studies, and their answers.

One Flower message carries one question of each study that is under way, so several trainings share
an exchange: a deployed study sends one, a simulation sends hundreds. A question is a kind, a round
and named arrays; an answer is named arrays. Nothing else is read from a message, in particular no
number of examples and no metric.
"""

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
    "Kind",
    "Question",
    "pack_answers",
    "pack_questions",
    "unpack_answers",
    "unpack_questions",
]

READY: Final = "query.ready"
EXCHANGE: Final = "train.exchange"

Kind = Literal["moments", "newton", "gradient", "threshold", "local_steps"]
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


@dataclass(frozen=True)
class Answer:
    """One clinic's answer to a question."""

    arrays: Arrays


def pack_questions(questions: Mapping[str, Question]) -> RecordDict:
    """Put one question per study (keyed by the study's hash) into a message's content."""
    studies = list(questions)
    content = RecordDict(
        {
            "questions": ConfigRecord(
                {
                    "study": studies,
                    "kind": [str(questions[study].kind) for study in studies],
                    "round": [questions[study].round for study in studies],
                }
            )
        }
    )
    for study in studies:
        content[study] = _record(questions[study].arrays)
    return content


def unpack_questions(content: RecordDict) -> dict[str, Question]:
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
    if not (isinstance(studies, list) and isinstance(kinds, list) and isinstance(rounds, list)):
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
    return questions


def pack_answers(answers: Mapping[str, Answer]) -> RecordDict:
    """Put one answer per study into a reply's content."""
    return RecordDict({study: _record(answer.arrays) for study, answer in answers.items()})


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
    return {study: Answer(_arrays(records[study])) for study in studies}


def _record(arrays: Arrays) -> ArrayRecord:
    # Contiguous copies: numpy's own format is what Flower serialises.
    return ArrayRecord({name: Array(np.ascontiguousarray(value)) for name, value in arrays.items()})


def _arrays(record: ArrayRecord) -> dict[str, NDArray[np.generic]]:
    return {name: array.numpy() for name, array in record.items()}
