import numpy as np
import pytest
from deployed import MAP, FlakyJournal, gradient
from hypothesis import given
from hypothesis import strategies as st
from small_federation import CLINICS, people_map, sites_of, study_of

from client.answers import answer_question
from server.journal import FolderJournal, NoJournal
from shared.errors import FederationError
from shared.messages import Answer, Question

STUDY = "5a" * 32
QUESTION = Question("gradient", 2, {"weights": np.array([0.5, -0.25, 0.0])})


@pytest.fixture
def journal(tmp_path):
    return FolderJournal(tmp_path / "rounds")


def answer_of(values, question=QUESTION):
    return Answer({"sum": np.array(values, dtype=np.uint64)}, question.round, question.digest)


ANSWERS = [answer_of([1, 2, 3]), answer_of([2**64 - 1, 0, 7]), answer_of([4, 5, 6])]


def test_answers_come_back_as_they_were_in_roster_order(journal):
    journal.asked(STUDY, QUESTION)
    assert journal.answers(STUDY, QUESTION) is None
    assert journal.was_asked(STUDY, 2)
    assert not journal.was_asked(STUDY, 1)
    assert not journal.was_asked("6b" * 32, 2)
    journal.answered(STUDY, QUESTION, ANSWERS)
    kept = FolderJournal(journal.folder).answers(STUDY, QUESTION)
    assert len(kept) == 3
    for found, given_ in zip(kept, ANSWERS, strict=True):
        assert (found.round, found.input_digest) == (2, QUESTION.digest)
        assert found.arrays["sum"].dtype == np.uint64
        np.testing.assert_array_equal(found.arrays["sum"], given_.arrays["sum"])


def test_more_than_ten_clinics_keep_their_order(journal):
    answers = [answer_of([number]) for number in range(12)]
    journal.answered(STUDY, QUESTION, answers)
    kept = journal.answers(STUDY, QUESTION)
    assert [int(answer.arrays["sum"][0]) for answer in kept] == list(range(12))


def test_the_same_question_may_be_asked_as_often_as_it_takes(journal):
    for _ in range(60):
        journal.asked(STUDY, QUESTION)


@pytest.mark.parametrize(
    "other",
    [
        Question("gradient", 2, {"weights": np.array([0.5, -0.25, 2.0**-20])}),
        Question("threshold", 2, QUESTION.arrays),
        Question("gradient", 2, {**QUESTION.arrays, "threshold": np.zeros(1)}),
    ],
)
def test_another_input_for_a_round_is_refused_and_not_kept(journal, other):
    journal.asked(STUDY, QUESTION)
    (path,) = journal.folder.glob("*/*")
    kept = path.read_bytes()
    with pytest.raises(FederationError, match="was asked with another input before"):
        journal.asked(STUDY, other)
    assert path.read_bytes() == kept
    journal.asked("6b" * 32, other)  # the same round of another study


def test_a_damaged_question_file_stops_the_round_rather_than_being_overwritten(journal):
    journal.asked(STUDY, QUESTION)
    (path,) = journal.folder.glob("*/*")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(FederationError, match=r"round-0002-question"):
        journal.asked(STUDY, QUESTION)
    assert len(path.read_bytes()) == 20


def test_answers_to_another_input_are_not_taken_for_answers_to_this_one(journal):
    journal.asked(STUDY, QUESTION)
    journal.answered(STUDY, QUESTION, ANSWERS)
    other = Question("gradient", 2, {"weights": np.array([0.5, -0.25, 2.0**-20])})
    with pytest.raises(FederationError, match="another input"):
        journal.answers(STUDY, other)


@pytest.mark.parametrize("keep", [0, 3, 40, -1])
def test_a_damaged_answers_file_is_told_with_what_to_do(journal, keep):
    journal.answered(STUDY, QUESTION, ANSWERS)
    (path,) = journal.folder.glob("*/*-answers*")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FederationError, match=r"cannot be read .* remove it, and the clinics"):
        journal.answers(STUDY, QUESTION)
    path.unlink()
    assert journal.answers(STUDY, QUESTION) is None


def test_files_of_rounds_are_their_owners_only(journal):
    journal.asked(STUDY, QUESTION)
    journal.answered(STUDY, QUESTION, ANSWERS)
    journal.remember_head("Aspen", "a" * 64)
    files = [path for path in journal.folder.rglob("*") if path.is_file()]
    assert len(files) == 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


names = st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=4, unique=True)


@given(names)
def test_each_clinic_has_its_own_head_whatever_its_name(tmp_path_factory, clinics):
    journal = FolderJournal(tmp_path_factory.mktemp("heads"))
    for number, clinic in enumerate(clinics):
        assert journal.head(clinic) == ""
        journal.remember_head(clinic, f"{number}" * 64)
        journal.remember_head(clinic, "")  # a clinic without a ledger tells none
    again = FolderJournal(journal.folder)
    assert [again.head(clinic) for clinic in clinics] == [f"{n}" * 64 for n in range(len(clinics))]
    assert {path.parent.name for path in journal.folder.rglob("*") if path.is_file()} == {
        "ledger-heads"
    }


def test_without_a_journal_nothing_is_kept_but_heads():
    journal = NoJournal()
    journal.asked(STUDY, QUESTION)
    journal.asked(STUDY, Question("gradient", 2, {"weights": np.ones(3)}))
    journal.answered(STUDY, QUESTION, ANSWERS)
    assert journal.answers(STUDY, QUESTION) is None
    assert not journal.was_asked(STUDY, 2)
    journal.remember_head("Aspen", "a" * 64)
    assert (journal.head("Aspen"), journal.head("Birch")) == ("a" * 64, "")


MOMENTS = [
    (moment, number)
    for number in (1, 3)
    for moment in ("before the question", "before the answers", "after the answers")
]


@pytest.fixture
def undisturbed(deployed):
    """A model of the same clinics whose training was never interrupted."""

    def train(study):
        return deployed.train(study, journal=FolderJournal(deployed.base / "elsewhere"))

    return train


@pytest.mark.parametrize("moment", [m for m in MOMENTS if m[0] != "before the answers"])
def test_an_interrupted_training_resumes_to_the_same_model(deployed, undisturbed, moment):
    _resumes_to_the_same_model(deployed, undisturbed, moment)


@pytest.mark.parametrize(
    "moment", [("after the question", 1), ("before the answers", 1), ("before the answers", 2)]
)
def test_a_training_interrupted_between_question_and_answers_resumes_to_the_same_model(
    deployed, undisturbed, moment, any_header_order
):
    _resumes_to_the_same_model(deployed, undisturbed, moment)


def _resumes_to_the_same_model(deployed, undisturbed, moment):
    study = deployed.approved()
    with pytest.raises(InterruptedError, match=f"{moment[0]} {moment[1]}"):
        deployed.train(study, journal=FlakyJournal(deployed.rounds, moment))
    before = {path.name: path.read_bytes() for path in deployed.rounds.glob("*/round-*")}
    model = deployed.train(study)
    after = {path.name: path.read_bytes() for path in deployed.rounds.glob("*/round-*")}
    assert after | before == after  # what was kept has not changed
    assert len(after) == 6  # three questions and their answers
    for clinic in CLINICS:
        assert deployed.events(clinic).count("release.created") == 3
    assert undisturbed(study) == model


def test_rounds_answered_before_are_not_asked_again(deployed):
    study = deployed.approved()
    with pytest.raises(InterruptedError):
        deployed.train(study, journal=FlakyJournal(deployed.rounds, ("after the answers", 2)))
    asked = []

    class Watching(FolderJournal):
        def asked(self, study, question):
            asked.append(question.round)
            super().asked(study, question)

    deployed.train(study, journal=Watching(deployed.rounds))
    assert asked == [3]
    asked.clear()
    deployed.train(study, journal=Watching(deployed.rounds))  # a finished study asks nobody
    assert asked == []


def test_a_server_that_changed_its_mind_about_a_round_is_stopped(deployed):
    """Before any clinic is asked: its first weights are not those in the journal."""
    study = deployed.approved()
    FolderJournal(deployed.rounds).asked(study.digest, gradient(study, first=0.5))
    with pytest.raises(FederationError, match="was asked with another input before"):
        deployed.train(study)
    assert deployed.events().count("release.created") == 0


def test_a_damaged_answers_file_stops_the_server_and_its_removal_heals(deployed):
    study = deployed.approved()
    model = deployed.train(study)
    (path,) = deployed.rounds.glob("*/round-0003-answers*")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(FederationError, match="cannot be read"):
        deployed.train(study)
    path.write_bytes(whole)
    assert deployed.train(study) == model


def test_masked_answers_that_were_kept_open_to_the_same_sum(tmp_path):
    """Sealed numbers use all 64 bits; none may be lost on the disk."""
    chosen = people_map()
    study = study_of(chosen)
    sites = sites_of(study, chosen, np.zeros((9, 4)), np.ones(9, dtype=bool))
    question = Question("gradient", 1, {"weights": np.zeros(chosen.dimension)})
    answers = [answer_question(site, question) for site in sites]
    journal = FolderJournal(tmp_path)
    journal.answered(study.digest, question, answers)
    for kept, given_ in zip(journal.answers(study.digest, question), answers, strict=True):
        np.testing.assert_array_equal(kept.arrays["sum"], given_.arrays["sum"])
    assert MAP.dimension != chosen.dimension
