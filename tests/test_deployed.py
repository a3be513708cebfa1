"""The deployed path from site folders to a model, and everything that must not get through it."""

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest
from deployed import CHILDREN, MAP, FlakyJournal, changed, gradient, node_context, table_of
from small_federation import CLINICS

from client.open_site import open_site
from client.releases import ReleaseBook
from server.journal import FolderJournal
from server.successor import successor_study
from shared.errors import BudgetError, FederationError, InputError, PrivacyError
from shared.features import write_features
from shared.files import write_atomic
from shared.messages import Question
from shared.privacy import planner
from shared.privacy.accountant import mu_of
from shared.privacy.masks import MaskKey
from shared.state_folder import default_state_folder

ASPEN, BIRCH, CEDAR = CLINICS


def test_three_approved_clinics_train_a_model_and_their_ledgers_hold_its_cost(deployed):
    study = deployed.approved(evaluation_bins=6)
    plan = study.plan(MAP)
    model = deployed.train(study)
    assert model.study == study.digest
    assert np.any(model.direction)
    assert len(model.evaluation_counts) == 12
    assert model.mu == pytest.approx(mu_of(4.0, 1e-5))
    for clinic in CLINICS:
        assert deployed.events(clinic) == [
            "ledger.created",
            "study.opened",
            *["release.created"] * plan.exchanges,
        ]
        child = f"{clinic}-child-0"
        assert deployed.at(clinic, lambda book, c=child: book.spent(c)) == pytest.approx(plan.mu**2)


def test_without_a_journal_the_same_questions_get_the_same_bytes_and_cost_nothing(deployed):
    study = deployed.approved()
    first = deployed.train(study)
    ledgers = [(deployed.site(clinic).root / "ledger.jsonl").read_bytes() for clinic in CLINICS]
    # Asked again by a server that forgot everything but the study.
    forgetful = FolderJournal(deployed.base / "another-server")
    assert deployed.train(study, journal=forgetful) == first
    for clinic, before in zip(CLINICS, ledgers, strict=True):
        assert (deployed.site(clinic).root / "ledger.jsonl").read_bytes() == before


def test_asked_again_a_clinic_sends_the_same_bytes_and_writes_nothing(deployed):
    study = deployed.approved()
    first = deployed.ask(study, gradient(study))
    ledger = (deployed.site(ASPEN).root / "ledger.jsonl").read_bytes()
    for echoed in ("", first.head):
        again = deployed.ask(study, gradient(study), echoed_head=echoed)
        np.testing.assert_array_equal(again.arrays["sum"], first.arrays["sum"])
        assert again.head == first.head
    assert (deployed.site(ASPEN).root / "ledger.jsonl").read_bytes() == ledger


def test_a_lost_contribution_is_made_again_byte_for_byte(deployed):
    study = deployed.approved()
    first = deployed.ask(study, gradient(study))
    (stored,) = deployed.site(ASPEN).study(study.digest).glob("contributions/*")
    stored.unlink()
    again = deployed.ask(study, gradient(study))
    np.testing.assert_array_equal(again.arrays["sum"], first.arrays["sum"])
    assert deployed.events().count("release.created") == 1


def test_another_input_for_a_round_is_refused_and_changes_nothing(deployed):
    study = deployed.approved()
    first = deployed.ask(study, gradient(study))
    with pytest.raises(FederationError, match=r"answered it before, for another input"):
        deployed.ask(study, gradient(study, first=0.5))
    again = deployed.ask(study, gradient(study))
    np.testing.assert_array_equal(again.arrays["sum"], first.arrays["sum"])
    assert deployed.events().count("release.created") == 1
    assert np.any(deployed.train(study).direction)  # the training goes on with the first input


def test_a_round_out_of_turn_is_refused(deployed):
    study = deployed.approved()
    with pytest.raises(FederationError, match="round 1 comes first"):
        deployed.ask(study, gradient(study, number=2))
    deployed.ask(study, gradient(study))
    with pytest.raises(FederationError, match="refused"):
        deployed.ask(study, Question("threshold", 2, gradient(study).arrays))
    assert deployed.events().count("release.created") == 1


def test_a_ledger_copied_back_with_its_counter_is_told_by_the_servers_memory(deployed):
    study = deployed.approved()
    copy_back = deployed.snapshot(BIRCH)
    with pytest.raises(InterruptedError):
        deployed.train(study, journal=FlakyJournal(deployed.rounds, ("after the answers", 1)))
    assert deployed.events(BIRCH).count("release.created") == 1
    copy_back()
    assert deployed.events(BIRCH).count("release.created") == 0  # its computer noticed nothing
    with pytest.raises(FederationError, match="server remembers a state of this clinic's privacy"):
        deployed.train(study)
    assert deployed.events(BIRCH).count("release.created") == 0


def test_a_ledger_copied_back_alone_is_told_by_the_clinics_own_computer(deployed):
    study = deployed.approved()
    before = (deployed.site(ASPEN).root / "ledger.jsonl").read_bytes()
    deployed.ask(study, gradient(study))
    write_atomic(deployed.site(ASPEN).root / "ledger.jsonl", before)
    with pytest.raises(FederationError, match="older than this computer remembers"):
        deployed.ask(study, gradient(study))


def close(deployed, study):
    deployed.at(ASPEN, lambda book: book.close_study(study.digest, "ended by the clinic"))


def withdraw(deployed, study):
    deployed.at(ASPEN, lambda book: book.withdraw(f"{ASPEN}-child-3"))


def edit_study(deployed, study):
    path = deployed.site(ASPEN).study(study.digest) / "study.toml"
    write_atomic(path, path.read_text().replace("epsilon = 4.0", "epsilon = 40.0"))


def edit_participants(deployed, study):
    """One label of one child."""
    path = deployed.site(ASPEN).study(study.digest) / "participants.json"
    content = json.loads(path.read_text())
    content["asd"][0] = not content["asd"][0]
    write_atomic(path, json.dumps(content))


def edit_vectors(deployed, study):
    path = deployed.site(ASPEN).study(study.digest) / "participants.json"
    content = json.loads(path.read_text())
    content["vectors"][2][0] += 1
    write_atomic(path, json.dumps(content))


def damage_participants(deployed, study):
    path = deployed.site(ASPEN).study(study.digest) / "participants.json"
    write_atomic(path, path.read_bytes()[:-30])


def lose_participants(deployed, study):
    (deployed.site(ASPEN).study(study.digest) / "participants.json").unlink()


def lose_constants(deployed, study):
    (deployed.site(ASPEN).study(study.digest) / "constants.json").unlink()


def lose_study(deployed, study):
    (deployed.site(ASPEN).study(study.digest) / "study.toml").unlink()


def change_mask_key(deployed, study):
    new = MaskKey.generate().to_bytes().hex()
    write_atomic(deployed.site(ASPEN).root / "secrets" / "mask.key", new)


def lose_mask_key(deployed, study):
    (deployed.site(ASPEN).root / "secrets" / "mask.key").unlink()


def lose_noise_secret(deployed, study):
    (deployed.site(ASPEN).root / "secrets" / "noise.key").unlink()


def damage_noise_secret(deployed, study):
    write_atomic(deployed.site(ASPEN).root / "secrets" / "noise.key", "00ff")


def lose_ledger(deployed, study):
    (deployed.site(ASPEN).root / "ledger.jsonl").unlink()


def edit_ledger(deployed, study):
    path = deployed.site(ASPEN).root / "ledger.jsonl"
    write_atomic(path, path.read_text().replace("Aspen-child-0", "Aspen-child-9"))


def lose_counter(deployed, study):
    for path in (deployed.base / "state").glob("ledger-*.json"):
        path.unlink()


def lose_policy(deployed, study):
    (deployed.site(ASPEN).root / "site.toml").unlink()


OWN_LOG = "this clinic could not answer; the reason stands in its own log"


@pytest.mark.parametrize("asked_before", [False, True])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (close, "is closed at this clinic|was ended at this clinic"),
        (withdraw, "is closed at this clinic|was ended at this clinic"),
        (edit_study, "has not approved it, or its copy was changed since"),
        (lose_study, "has not approved it, or its copy was changed since"),
        (edit_participants, "not those that were frozen"),
        (edit_vectors, "not those that were frozen"),
        (damage_participants, OWN_LOG),
        (lose_participants, OWN_LOG),
        (lose_constants, OWN_LOG),
        (change_mask_key, "names another mask key for clinic 'Aspen'"),
        (lose_mask_key, OWN_LOG),
        (lose_noise_secret, OWN_LOG),
        (damage_noise_secret, OWN_LOG),
        (lose_ledger, "holds no privacy ledger"),
        (edit_ledger, "privacy ledger"),
        (lose_counter, "no counter for the privacy ledger"),
        (lose_policy, OWN_LOG),
    ],
)
def test_a_faulty_clinic_releases_nothing_and_its_refusal_names_no_child_and_no_path(
    deployed, fault, message, asked_before
):
    study = deployed.approved()
    if asked_before:
        deployed.ask(study, gradient(study))
    ledger = deployed.site(ASPEN).root / "ledger.jsonl"
    fault(deployed, study)
    after_fault = ledger.read_bytes() if ledger.exists() else None
    refusals = []
    for ask in (
        lambda: deployed.ask(study, gradient(study)),
        lambda: deployed.train(study),
    ):
        with pytest.raises(FederationError, match=message) as told:
            ask()
        refusals.append(str(told.value))
    for refusal in refusals:
        assert "child" not in refusal
        assert str(deployed.base) not in refusal
        assert "Traceback" not in refusal
    assert (ledger.read_bytes() if ledger.exists() else None) == after_fault
    if ledger.exists():
        assert after_fault.count(b"release.created") == asked_before


def test_after_the_fault_is_mended_the_training_goes_on(deployed):
    study = deployed.approved()
    path = deployed.site(ASPEN).study(study.digest) / "participants.json"
    whole = path.read_bytes()
    with pytest.raises(InterruptedError):
        deployed.train(study, journal=FlakyJournal(deployed.rounds, ("after the answers", 1)))
    edit_vectors(deployed, study)
    with pytest.raises(FederationError, match="not those that were frozen"):
        deployed.train(study)
    write_atomic(path, whole)
    assert np.any(deployed.train(study).direction)


def test_a_study_nobody_approved_is_not_answered(deployed):
    study, other = deployed.approved(), deployed.study(title="other")
    for digest in (other.digest, "..", "../../secrets", "", study.digest.upper()):
        with pytest.raises(PrivacyError, match="has not approved it"):
            open_site(node_context(site=str(deployed.site(ASPEN).root)), digest)
    with pytest.raises(FederationError, match="has not approved it"):
        deployed.ask(other, gradient(other))
    with pytest.raises(FederationError, match=r"waiting for Aspen.*has not approved it"):
        deployed.train(other)


def test_files_of_a_study_that_was_not_opened_in_the_ledger_are_not_enough(deployed):
    study = deployed.study()
    for other in (BIRCH, CEDAR):
        deployed.approve(study, [other])
    source, target = (deployed.site(clinic).study(study.digest) for clinic in (BIRCH, ASPEN))
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    with pytest.raises(FederationError, match="was never approved at this clinic"):
        deployed.ask(study, gradient(study))


def test_local_mode_needs_no_keys_and_every_clinic_adds_the_whole_noise(deployed):
    study = deployed.approved(mode="local", roster=CLINICS, collusion_margin=0)
    model = deployed.train(study)
    assert model.mu == pytest.approx(mu_of(4.0, 1e-5))
    sites = [deployed.opened(study, clinic) for clinic in CLINICS]
    assert all(site.study.mask_keys == () for site in sites)
    # What one clinic sends is its own noised sum: as small as the whole noise lets it be.
    sent = deployed.ask(study, gradient(study)).arrays["sum"].view(np.int64)
    assert np.abs(sent).max() < 2**30


def test_a_second_study_composes_with_the_first_until_the_budget_is_spent(deployed):
    whole = mu_of(8.0, 1e-5) ** 2
    first = deployed.approved(epsilon=6.0)
    deployed.train(first)
    second = deployed.approved(title="second", epsilon=4.0)
    assert deployed.train(second).study == second.digest
    spent = mu_of(6.0, 1e-5) ** 2 + mu_of(4.0, 1e-5) ** 2
    child = f"{ASPEN}-child-0"
    assert deployed.at(ASPEN, lambda book: book.spent(child)) == pytest.approx(spent)
    assert spent < whole
    third = deployed.study(title="third", epsilon=4.0)
    with pytest.raises(BudgetError, match=r"budget exceeded: .*--exclude-spent\)\. It concerns 6"):
        deployed.prepare(third)
    with pytest.raises(InputError, match=r"nobody of 6 .* may take part"):
        deployed.prepare(third, exclude_spent=True)
    # A new child has all of its budget; the spent ones stay out and are listed.
    site = deployed.site(ASPEN)
    old, new = table_of(ASPEN), table_of(ASPEN, 8, participants=(*_names(8),))
    assert new.participants[:CHILDREN] == old.participants
    write_features(site.features, new)
    fourth = deployed.study(title="fourth", epsilon=4.0)
    approval = deployed.prepare(fourth, exclude_spent=True)
    assert approval.frozen.participants == new.participants[CHILDREN:]
    assert set(approval.excluded) == set(old.participants)
    assert "left out: 6" in approval.in_words()


def _names(n):
    return [f"{ASPEN}-child-{number}" for number in range(n)]


def interrupted(deployed, study, moment):
    """Train until the server stops at this moment, for instance because a clinic is lost."""
    with pytest.raises(InterruptedError):
        deployed.train(study, journal=FlakyJournal(deployed.rounds, moment))


def succeed(deployed, study, **changes):
    arguments = {"without": [CEDAR], "participants": 2 * CHILDREN}
    return successor_study(study, MAP, FolderJournal(deployed.rounds), **arguments | changes)


def end(deployed, study, clinics):
    for clinic in clinics:
        deployed.at(clinic, lambda book: book.close_study(study.digest, "ended by the clinic"))


def test_the_others_go_on_without_a_lost_clinic_from_the_last_model_within_one_promise(deployed):
    for clinic in CLINICS:  # a limit that the parent alone uses up
        policy = deployed.site(clinic).root / "site.toml"
        policy.write_text(policy.read_text().replace("epsilon = 8.0", "epsilon = 4.0"))
    study = deployed.approved(rounds=3)
    plan = study.plan(MAP)
    # Cedar is lost while round 2 is open: Aspen and Birch have answered it.
    interrupted(deployed, study, ("after the question", 2))
    kept = FolderJournal(deployed.rounds)
    (asked,) = deployed.rounds.glob("*/round-0002-question.safetensors")
    assert kept.was_asked(study.digest, 2)
    assert asked.exists()

    successor = succeed(deployed, study, participants=11)
    assert successor.clinics == (ASPEN, BIRCH)
    assert successor.participants == 11
    assert successor.parent.study == study.digest
    # Two of the three rounds were asked, answered or not.
    assert successor.parent.spent_mu2 == pytest.approx(2 * plan.sigma_gradient**-2)
    assert np.any(successor.parent.weights)  # those of round 1, which was opened

    end(deployed, study, [ASPEN, BIRCH])
    deployed.approve(successor)
    model = deployed.train(successor)
    assert model.study == successor.digest
    promise = mu_of(4.0, 1e-5) ** 2
    assert model.mu**2 == pytest.approx(promise - successor.parent.spent_mu2)
    for clinic in (ASPEN, BIRCH):
        child = f"{clinic}-child-0"
        spent = deployed.at(clinic, lambda book, c=child: book.spent(c))
        assert spent <= promise * (1 + 1e-9)
    # The lost clinic never approved it, and the parent is over.
    with pytest.raises(FederationError, match="has not approved it"):
        deployed.ask(successor, gradient(successor), clinic=CEDAR)
    with pytest.raises(FederationError, match="is closed at this clinic"):
        deployed.ask(study, gradient(study, number=3))


def test_a_successor_that_counts_too_little_is_refused(deployed):
    study = deployed.approved(rounds=3)
    deployed.train(study)
    end(deployed, study, [ASPEN, BIRCH])
    plan = study.plan(MAP)
    spent = sum(release.sigma**-2 for release in plan.releases)
    with pytest.raises(PrivacyError, match="this clinic released mu"):
        deployed.prepare(succeed_by_hand(study, 0.9 * spent))
    exact = succeed_by_hand(study, 0.999 * mu_of(4.0, 1e-5) ** 2)
    with pytest.raises(PrivacyError, match="this clinic released mu"):
        deployed.prepare(exact)


def succeed_by_hand(study, spent_mu2):
    parent = {"study": study.digest, "spent_mu2": spent_mu2, "weights": [0.0] * MAP.dimension}
    return changed(study, parent=parent, roster=study.model_dump()["roster"][:2], participants=12)


def test_a_successors_successor_counts_its_whole_ancestry(deployed):
    study = deployed.approved(rounds=3)
    interrupted(deployed, study, ("after the answers", 1))
    second = succeed(deployed, study, without=[CEDAR])
    end(deployed, study, CLINICS)
    deployed.approve(second)
    interrupted(deployed, second, ("after the answers", 1))
    end(deployed, second, [ASPEN, BIRCH])
    spent = study.plan(MAP).sigma_gradient ** -2 + second.plan(MAP).sigma_gradient ** -2
    forgetful = succeed_by_hand(second, second.plan(MAP).sigma_gradient ** -2)
    with pytest.raises(PrivacyError, match="this clinic released mu"):
        deployed.prepare(forgetful)
    honest = succeed_by_hand(second, spent)
    assert deployed.prepare(honest).plan.mu ** 2 == pytest.approx(mu_of(4.0, 1e-5) ** 2 - spent)
    assert "goes on from study" in deployed.prepare(honest).in_words()


def test_a_sigma_that_comes_out_a_digit_smaller_later_ends_no_running_study(deployed, monkeypatch):
    study = deployed.approved()
    exact = planner.mu_of
    # As another version of a numerical library may: a little more mu, a little less noise.
    monkeypatch.setattr(
        planner, "mu_of", lambda *promise: math.nextafter(math.nextafter(exact(*promise), 9), 9)
    )
    assert study.plan(MAP).sigma_gradient < deployed.opened(study).releases[0].sigma
    deployed.ask(study, gradient(study))


def test_two_successors_of_one_study_cannot_both_spend_what_it_left(deployed):
    study = deployed.approved(rounds=3)
    interrupted(deployed, study, ("after the answers", 1))
    end(deployed, study, CLINICS)
    first = succeed(deployed, study, participants=12)
    second = succeed(deployed, study, participants=11)
    deployed.approve(first)
    with pytest.raises(PrivacyError, match="still open here; end it first"):
        deployed.prepare(second)
    deployed.train(first)
    end(deployed, first, [ASPEN, BIRCH])
    with pytest.raises(PrivacyError, match="this clinic released mu"):
        deployed.prepare(second)


def test_a_clinic_set_back_is_noticed_by_the_next_study_too(deployed):
    study = deployed.approved()
    heads = deployed.base / "heads"
    root, state = deployed.site(ASPEN).root, default_state_folder()
    for place in (root, state):
        shutil.copytree(place, deployed.base / "backup" / place.name)
    deployed.train(study, journal=FolderJournal(deployed.rounds, heads))
    for place in (root, state):  # the whole computer, counter and all
        shutil.rmtree(place)
        shutil.copytree(deployed.base / "backup" / place.name, place)
    other = deployed.approved(title="next", epsilon=1.0)
    with pytest.raises(FederationError, match="remembers a state of this clinic's privacy ledger"):
        deployed.train(other, journal=FolderJournal(deployed.base / "next" / "rounds", heads))


def test_a_clinic_that_comes_back_completes_the_round(deployed, any_header_order):
    study = deployed.approved()
    away = []

    def without_cedar(context, digest):
        away.append(context.node_config["partition-id"])
        if away.count(2) > 1:  # it was there when the roster was read
            raise InputError("its computer is switched off")
        return open_site(context, digest)

    with pytest.raises(FederationError, match="clinic 'Cedar' refused"):
        deployed.train(study, open_study=without_cedar)
    assert deployed.events(CEDAR).count("release.created") == 0
    assert deployed.events(BIRCH).count("release.created") == 1
    assert np.any(deployed.train(study).direction)
    for clinic in CLINICS:
        assert deployed.events(clinic).count("release.created") == 3


@dataclasses.dataclass(frozen=True)
class Garbage:
    """Books of a clinic that sends random numbers, as one with wrong masks does."""

    book: ReleaseBook

    def ready(self, study):
        return self.book.ready(study)

    def once(self, study, release, input_digest, create, echoed_head):
        made, head = self.book.once(study, release, input_digest, create, echoed_head)
        return np.random.default_rng(0).bytes(len(made)), head


def test_garbage_from_one_clinic_stops_the_training_by_round(deployed):
    study = deployed.approved()

    def open_study(context, digest):
        site = open_site(context, digest)
        if site.clinic == BIRCH:
            return dataclasses.replace(site, book=Garbage(site.book))
        return site

    with pytest.raises(FederationError, match=r"the sum of round 1 \(gradient\) is larger than 18"):
        deployed.train(study, open_study=open_study)
