"""Making a successor study; a successor on its way through the clinics: tests/test_deployed.py."""

import numpy as np
import pytest
from small_federation import (
    CLINICS,
    NoNoise,
    cohort,
    people_map,
    ranges_map,
    sites_of,
    study_of,
)

from client.answers import answer_question
from server.journal import FolderJournal, NoJournal
from server.successor import successor_study
from server.training import start_training
from shared.errors import FederationError, InputError, PrivacyError
from shared.privacy.accountant import mu_of
from shared.study import Study

CHOSEN = people_map()
STUDY = study_of(CHOSEN, rounds=3, evaluation_bins=2, title="parent")
PLAN = STUDY.plan(CHOSEN)


@pytest.fixture
def journal(tmp_path):
    return FolderJournal(tmp_path)


def run(journal, asked, answered, study=STUDY, chosen=CHOSEN):
    """Ask so many rounds and have so many answered; return the last question asked."""
    features, asd = cohort()
    sites = sites_of(
        study, chosen, chosen.standardise(features), asd, noise=lambda clinic: NoNoise()
    )
    training = start_training(study, chosen)
    question = next(training)
    for number in range(1, asked + 1):
        journal.asked(study.digest, question)
        if number > answered:
            return question
        answers = [answer_question(site, question) for site in sites]
        journal.answered(study.digest, question, answers)
        question = training.send(answers)
    return question


def successor(journal, study=STUDY, chosen=CHOSEN, **changes):
    arguments = {"without": ["Cedar"], "participants": 60} | changes
    return successor_study(study, chosen, journal, **arguments)


@pytest.mark.parametrize(("asked", "answered"), [(0, 0), (1, 0), (1, 1), (2, 1), (3, 3), (4, 3)])
def test_every_round_that_was_asked_counts_opened_or_not(journal, asked, answered):
    question = run(journal, asked, answered)
    made = successor(journal)
    spent = sum(release.sigma**-2 for release in PLAN.releases[:asked])
    assert made.parent.spent_mu2 == pytest.approx(spent)
    assert made.plan(CHOSEN).mu ** 2 == pytest.approx(mu_of(4.0, 1e-5) ** 2 - spent)
    # It goes on from the last weights that were opened.
    if answered < 3:
        np.testing.assert_array_equal(made.parent.weights, question.arrays["weights"])
    else:
        np.testing.assert_array_equal(made.parent.weights[:-1], question.arrays["weights"][:-1])
        assert made.parent.weights[-1] != 0  # the constant trains on


def test_all_but_roster_enrolment_and_parent_stays(journal):
    run(journal, 1, 1)
    made = successor(journal)
    assert made.roster == STUDY.roster[:2]
    assert made.participants == 60
    assert made.parent.study == STUDY.digest
    same = set(Study.model_fields) - {"roster", "participants", "parent"}
    assert all(getattr(made, name) == getattr(STUDY, name) for name in same)
    assert made.digest not in ("", STUDY.digest)
    again = Study.model_validate(made.model_dump(mode="json"))
    assert again.digest == made.digest


def test_four_clinics_can_lose_two_in_turn(journal):
    clinics = (*CLINICS, "Dogwood")
    study = study_of(CHOSEN, rounds=3, roster=clinics)
    run(journal, 1, 1, study=study)
    first = successor(journal, study=study, without=["Dogwood"], participants=70)
    run(journal, 1, 0, study=first)
    second = successor(journal, study=first, without=["Cedar"], participants=50)
    assert second.clinics == ("Aspen", "Birch")
    assert second.parent.study == first.digest
    spent = study.plan(CHOSEN).sigma_gradient ** -2 + first.plan(CHOSEN).sigma_gradient ** -2
    assert second.parent.spent_mu2 == pytest.approx(spent)
    assert second.parent.weights == first.parent.weights  # its only round was never opened


@pytest.mark.parametrize("without", [[], ["Elm"], ["Cedar", "Elm"], ["cedar"]])
def test_clinics_to_leave_out_must_be_of_the_roster(journal, without):
    with pytest.raises(InputError, match=r"name clinics of the roster: Aspen, Birch, Cedar"):
        successor(journal, without=without)


@pytest.mark.parametrize("without", [["Birch", "Cedar"], [*CLINICS]])
def test_a_roster_that_is_too_small_is_refused(journal, without):
    with pytest.raises((InputError, PrivacyError)):
        successor(journal, without=without)


def test_a_roster_that_its_collusion_margin_cannot_do_without_is_refused(journal):
    study = study_of(CHOSEN, collusion_margin=2)
    with pytest.raises((InputError, PrivacyError)):
        successor(journal, study=study)


def test_a_promise_that_is_spent_has_no_successor(journal):
    run(journal, 5, 4)
    with pytest.raises(PrivacyError, match="nothing is left for a successor"):
        successor(journal)


def test_without_a_journal_a_successor_begins_anew():
    made = successor(NoJournal())
    assert made.parent.spent_mu2 == 0
    assert not any(made.parent.weights)


def test_another_method_or_map_has_no_successor(journal):
    with pytest.raises(InputError, match="method 'federated'"):
        successor(journal, study=study_of(method="federated"))
    with pytest.raises(InputError, match="names feature map"):
        successor(journal, chosen=ranges_map())


def test_answers_that_cannot_be_opened_make_no_successor(journal):
    question = run(journal, 1, 0)
    features, asd = cohort()
    sites = sites_of(STUDY, CHOSEN, CHOSEN.standardise(features), asd)
    journal.answered(STUDY.digest, question, [answer_question(sites[0], question)] * 3)
    with pytest.raises(FederationError, match=r"the sum of round 1 \(gradient\) is larger"):
        successor(journal)
