import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from shared.errors import FederationError
from shared.messages import (
    Answer,
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
            st.sampled_from(["moments", "newton", "gradient", "threshold", "local_steps"]),
            st.integers(1, 1000),
            named,
        ),
        max_size=3,
    )
)
def test_questions_arrive_as_they_left(questions):
    arrived = unpack_questions(pack_questions(questions))
    assert arrived.keys() == questions.keys()
    for study, question in questions.items():
        assert (arrived[study].kind, arrived[study].round) == (question.kind, question.round)
        equal(arrived[study].arrays, question.arrays)


@given(st.dictionaries(st.sampled_from(["a" * 64, "b" * 64]), st.builds(Answer, named)))
def test_answers_arrive_as_they_left(answers):
    arrived = unpack_answers(pack_answers(answers), list(answers))
    for study, answer in answers.items():
        equal(arrived[study].arrays, answer.arrays)


def test_a_strided_array_arrives_too():
    transposed = np.arange(6.0).reshape(2, 3).T
    content = pack_answers({"a": Answer({"x": transposed})})
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
    ],
)
def test_a_malformed_question_is_refused(content, message):
    assert unpack_questions(header())["a"].round == 1
    with pytest.raises(FederationError, match=message):
        unpack_questions(content)


def test_a_missing_answer_is_refused():
    content = pack_answers({"a": Answer({})})
    with pytest.raises(FederationError, match="no answer for 1 of 2 studies"):
        unpack_answers(content, ["a", "b"])
