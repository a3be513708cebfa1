from typing import get_args

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from shared.errors import FederationError
from shared.messages import (
    Answer,
    Kind,
    Question,
    pack_answers,
    pack_questions,
    unpack_answers,
    unpack_questions,
)

numbers = st.one_of(
    arrays(np.float64, array_shapes(max_dims=2, max_side=4), elements=st.floats(width=64)),
    arrays(np.uint64, st.integers(0, 5)),
)
named = st.dictionaries(st.sampled_from(["weights", "mean", "sum"]), numbers, max_size=3)


def equal(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype
        np.testing.assert_array_equal(value, other[name])


@given(
    st.dictionaries(
        st.sampled_from(["a" * 64, "b" * 64, "c" * 64]),
        st.builds(
            Question,
            st.sampled_from(get_args(Kind)),
            st.integers(1, 1000),
            named,
        ),
        max_size=3,
    ),
    st.sampled_from(["", "e" * 64]),
)
def test_questions_arrive_as_they_left(questions, head):
    asked = unpack_questions(pack_questions(questions, head))
    arrived = asked.questions
    assert asked.echoed_head == head
    assert arrived.keys() == questions.keys()
    for study, question in questions.items():
        assert (arrived[study].kind, arrived[study].round) == (question.kind, question.round)
        equal(arrived[study].arrays, question.arrays)
        assert arrived[study].digest == question.digest


def test_a_questions_digest_tells_all_that_is_asked():
    weights = np.array([0.5, -1.0])
    question = Question("threshold", 3, {"weights": weights})
    changed = [
        Question("gradient", 3, {"weights": weights}),
        Question("threshold", 4, {"weights": weights}),
        Question("threshold", 3, {"centre": weights}),
        Question("threshold", 3, {"weights": np.nextafter(weights, 1)}),
        Question("threshold", 3, {"weights": weights[None]}),
        Question("threshold", 3, {"weights": weights.astype(np.float32)}),
        Question("threshold", 3, {"weights": weights.view(np.int64)}),
        Question("threshold", 3, {"weights": -0.0 * weights}),
        Question("threshold", 3, {"weights": 0.0 * weights}),
        Question("threshold", 3, {"weights": weights, "threshold": np.zeros(1)}),
        Question("threshold", 3, {}),
    ]
    assert len({question.digest, *(other.digest for other in changed)}) == len(changed) + 1
    strided = np.repeat(weights, 2)[::2]
    assert Question("threshold", 3, {"weights": strided}).digest == question.digest
    two = {"weights": weights, "mean": weights}
    reordered = dict(reversed(two.items()))
    assert Question("newton", 3, two).digest == Question("newton", 3, reordered).digest


@given(
    st.dictionaries(
        st.sampled_from(["a" * 64, "b" * 64]),
        st.builds(
            Answer,
            named,
            st.integers(1, 1000),
            st.sampled_from(["1" * 64, "2" * 64]),
            st.sampled_from(["", "3" * 64]),
        ),
    )
)
def test_answers_arrive_as_they_left(answers):
    arrived = unpack_answers(pack_answers(answers), list(answers))
    for study, answer in answers.items():
        equal(arrived[study].arrays, answer.arrays)
        assert arrived[study].round == answer.round
        assert arrived[study].input_digest == answer.input_digest
        assert arrived[study].head == answer.head


def test_a_strided_array_arrives_too():
    transposed = np.arange(6.0).reshape(2, 3).T
    content = pack_answers({"a": Answer({"x": transposed}, 1, "")})
    equal(unpack_answers(content, ["a"])["a"].arrays, {"x": transposed})


def header(**fields):
    content = {"study": ["a"], "kind": ["gradient"], "round": [1]} | fields
    present = {name: value for name, value in content.items() if value is not None}
    return RecordDict(
        {
            "questions": ConfigRecord(present),
            "a": ArrayRecord({"weights": Array(np.zeros(3))}),
        }
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (RecordDict(), "without questions"),
        (header(kind=["histogram"]), "'histogram' is unknown"),
        (header(study=["b"]), "without its round or its arrays"),
        (header(round=None), "malformed"),
        (header(kind="gradient"), "malformed"),
        (header(round=[1, 2]), "malformed"),
        (header(round=["first"]), "without its round"),
        (header(round=[1.5]), "without its round"),
        (header(echoed_head=7), "malformed"),
    ],
)
def test_a_malformed_question_is_refused(content, message):
    assert unpack_questions(header()).questions["a"].round == 1
    with pytest.raises(FederationError, match=message):
        unpack_questions(content)


def test_a_missing_answer_is_refused():
    content = pack_answers({"a": Answer({}, 1, "d")})
    with pytest.raises(FederationError, match="no answer for 1 of 2 studies"):
        unpack_answers(content, ["a", "b"])


def answered(**fields):
    content = {"study": ["a"], "round": [1], "input": ["d"], "head": ["h"]} | fields
    present = {name: value for name, value in content.items() if value is not None}
    return RecordDict({"answers": ConfigRecord(present), "a": ArrayRecord({})})


@pytest.mark.parametrize(
    "content",
    [
        RecordDict({"a": ArrayRecord({})}),
        answered(study=["b"]),
        answered(study=[]),
        answered(round=None),
        answered(round=["1"]),
        answered(round=[1, 2]),
        answered(input=None),
        answered(input=[1]),
        answered(head=None),
        answered(head=[1.5]),
        answered(head="h h"),
    ],
)
def test_an_answer_that_does_not_say_what_it_belongs_to_is_refused(content):
    assert unpack_answers(answered(), ["a"])["a"] == Answer({}, 1, "d", "h")
    with pytest.raises(FederationError, match="does not say what it belongs to"):
        unpack_answers(content, ["a"])


def test_questions_do_not_run_together_into_one_digest():
    # One array whose name swallows another's header, against two plain ones.
    zero, three = np.zeros(2), np.full(2, 3.0)
    plain = Question("gradient", 1, {"a": zero, "b": three})
    header = f"|{zero.dtype.str}|{zero.shape}|".encode() + zero.tobytes() + b"|b"
    swallowed = Question("gradient", 1, {"a" + header.decode("latin-1"): three})
    swapped = Question("gradient", 1, {"a": three, "b": zero})
    other_round = Question("gradient", 11, {"a": zero, "b": three})
    assert len({q.digest for q in (plain, swallowed, swapped, other_round)}) == 4
