import json
import os
import stat

import numpy as np
import pytest
from deployed import CHILDREN, MAP, changed, features_of, table_of
from small_federation import CLINICS, roster_of

from client.approval import open_studies
from shared.errors import BudgetError, InputError, LedgerError, PrivacyError
from shared.features import read_features, write_features
from shared.privacy.constants_building import build_constants
from shared.privacy.grid import GRID
from shared.privacy.masks import fingerprint
from shared.privacy.planner import make_plan
from shared.privacy.unit_vectors import AffectMap
from shared.study import load_study

ASPEN = CLINICS[0]
HUGE = {"epsilon": 9.0}


def set_policy(deployed, old, new, clinic=ASPEN):
    path = deployed.site(clinic).root / "site.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_an_approval_shows_what_a_person_has_to_know_and_writes_nothing(deployed):
    study = deployed.study()
    before = sorted(deployed.site(ASPEN).root.rglob("*"))
    approval = deployed.prepare(study)
    words = approval.in_words()
    assert study.title in words
    assert study.digest in words
    assert "2 noised gradient sums and one for the threshold over 3 clinics" in words
    assert "6 participants take part." in words
    for clinic in study.roster:
        assert f"{fingerprint(clinic.mask_key)}  {clinic.name}" in words
    assert "Aspen (this clinic)" in words
    assert "at most 1 of these clinics side with the server" in words
    assert "by telephone or on paper" in words
    assert sorted(deployed.site(ASPEN).root.rglob("*")) == before
    assert open_studies(deployed.site(ASPEN)) == []


def test_a_commit_freezes_everything_and_reserves_the_whole_plan(deployed):
    study = deployed.study(evaluation_bins=2)
    approval = deployed.prepare(study)
    approval.commit()
    folder = deployed.site(ASPEN)
    assert open_studies(folder) == [study.digest]
    opening = deployed.at(ASPEN, lambda book: book.study(study.digest).opening)
    plan = study.plan(MAP)
    assert opening.plan_digest == plan.digest
    assert opening.constants_digest == MAP.constants.digest
    assert opening.data_digest == approval.frozen.digest
    assert opening.participants == table_of(ASPEN).participants
    assert (opening.roster, opening.clinics, opening.grid) == (CLINICS, 3, GRID)
    assert [(r.round, r.kind, r.sigma) for r in opening.releases] == list(plan.releases)
    assert {r.sensitivity for r in opening.releases} == {1.0}
    spent = deployed.at(ASPEN, lambda book: book.spent(f"{ASPEN}-child-0"))
    assert spent == pytest.approx(plan.mu**2)
    place = folder.study(study.digest)
    assert load_study(place / "study.toml") == study
    assert json.loads((place / "participants.json").read_text())["participants"][0] == (
        f"{ASPEN}-child-0"
    )


@pytest.mark.skipif(os.name != "posix", reason="other systems keep no POSIX permissions")
def test_an_approved_study_is_its_owners_only(deployed):
    study = deployed.study()
    before = os.umask(0)
    try:
        deployed.prepare(study).commit()
    finally:
        os.umask(before)
    place = deployed.site(ASPEN).study(study.digest)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}


def test_two_clinics_derive_one_plan(deployed):
    study = deployed.study()
    digests = {deployed.prepare(study, clinic).plan.digest for clinic in CLINICS}
    assert digests == {study.plan(MAP).digest}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "federated"}, "with noise only"),
        ({"mode": "none"}, "mode 'none', which is for simulations"),
        ({"collusion_margin": 0}, "withstands 0 colluding clinics; site.toml asks for 1"),
        ({"roster": list(CLINICS)}, "names no mask key for this clinic; send"),
        ({"roster": roster_of(*CLINICS)}, "names another mask key for this clinic; send"),
        ({"roster": roster_of("Birch", "Cedar")}, r"'Aspen' is not in the roster .*Birch, Cedar"),
        ({"delta": 0.06}, r"must stay well under 1/18"),
    ],
)
def test_a_study_that_breaks_a_rule_of_the_clinic_is_refused(deployed, changes, message):
    with pytest.raises(PrivacyError, match=message):
        deployed.prepare(deployed.study(**changes))
    assert deployed.events() == ["ledger.created"]


def test_the_clinics_policy_decides_how_many_colluders_a_study_withstands(deployed):
    set_policy(deployed, "smallest_collusion_margin = 1", "smallest_collusion_margin = 2")
    with pytest.raises(PrivacyError, match=r"withstands 1 colluding clinics; .* asks for 2"):
        deployed.prepare(deployed.study())
    deployed.prepare(deployed.study(collusion_margin=2))
    set_policy(deployed, "smallest_collusion_margin = 2", "smallest_collusion_margin = 0")
    deployed.prepare(deployed.study(collusion_margin=0))


def test_whole_noise_at_each_clinic_withstands_all_others(deployed):
    set_policy(deployed, "smallest_collusion_margin = 1", "smallest_collusion_margin = 2")
    study = deployed.study(mode="local", collusion_margin=0, roster=list(CLINICS))
    assert "no mask key" in deployed.prepare(study).in_words()


def test_a_study_over_budget_is_refused_with_the_gap_and_who(deployed):
    with pytest.raises(
        BudgetError, match=r"requested .*epsilon 9\.00.* of .*epsilon 8\.00"
    ) as told:
        deployed.prepare(deployed.study(**HUGE))
    assert told.value.participants == table_of(ASPEN).participants
    with pytest.raises(InputError, match="nobody of 6"):
        deployed.prepare(deployed.study(**HUGE), exclude_spent=True)
    set_policy(deployed, "epsilon = 8.0", "epsilon = 9.0")
    deployed.prepare(deployed.study(**HUGE)).commit()  # to the limit, and not a rounding less


def test_children_whose_budget_is_spent_are_left_out_only_when_asked_and_are_listed(deployed):
    site = deployed.site(ASPEN)
    whole = table_of(ASPEN)
    first_two = np.arange(CHILDREN) < 2
    write_features(site.features, whole.select(first_two))
    deployed.prepare(deployed.study(title="before", epsilon=7.0)).commit()
    write_features(site.features, whole)
    study = deployed.study()
    with pytest.raises(BudgetError, match="--exclude-spent") as told:
        deployed.prepare(study)
    assert told.value.participants == whole.participants[:2]
    approval = deployed.prepare(study, exclude_spent=True)
    assert approval.frozen.participants == whole.participants[2:]
    assert approval.excluded == dict.fromkeys(whole.participants[:2], "budget spent")
    assert "4 participants take part, left out: 2 (Aspen-child-0 (budget" in approval.in_words()
    approval.commit()
    opening = deployed.at(ASPEN, lambda book: book.study(study.digest).opening)
    assert [row.participant for row in opening.excluded] == list(whole.participants[:2])


def test_a_child_that_withdrew_takes_part_in_no_further_study(deployed):
    child = f"{ASPEN}-child-4"
    deployed.at(ASPEN, lambda book: book.withdraw(child))
    approval = deployed.prepare(deployed.study())
    assert child not in approval.frozen.participants
    assert len(approval.frozen.asd) == CHILDREN - 1
    assert approval.excluded == {child: "withdrawn"}
    approval.commit()


def test_children_without_usable_features_take_part_with_a_zero_row_and_are_listed(deployed):
    table = table_of(ASPEN)
    table.values[1, 5], table.values[4, :] = np.nan, np.nan
    write_features(deployed.site(ASPEN).features, table)
    study = deployed.study()
    approval = deployed.prepare(study)
    assert approval.unusable == (f"{ASPEN}-child-1", f"{ASPEN}-child-4")
    assert not approval.frozen.vectors[[1, 4]].any()
    assert "6 participants take part, without usable features: 2 (Aspen-ch" in approval.in_words()
    assert approval.finding.people == 4
    approval.commit()
    site = deployed.opened(study)
    assert site.usable.tolist() == [True, False, True, True, False, True]
    assert len(site.labels) == 4


def test_a_study_is_approved_once_and_its_frozen_participants_stay(deployed):
    study = deployed.study()
    deployed.prepare(study).commit()
    before = deployed.opened(study).vectors
    write_features(deployed.site(ASPEN).features, table_of(ASPEN, seed=77))
    with pytest.raises(PrivacyError, match="was approved here before"):
        deployed.prepare(study)
    np.testing.assert_array_equal(deployed.opened(study).vectors, before)


def test_two_approvals_at_once_leave_the_first_ones_participants(deployed):
    study = deployed.study()
    first = deployed.prepare(study)
    write_features(deployed.site(ASPEN).features, table_of(ASPEN, seed=77))
    second = deployed.prepare(study)
    first.commit()
    with pytest.raises(LedgerError, match="approved before"):
        second.commit()
    np.testing.assert_array_equal(deployed.opened(study).vectors, first.frozen.vectors)


def test_a_feature_file_of_somebody_else_is_refused(deployed):
    features = deployed.site(ASPEN).features
    study = deployed.study()
    write_features(features, table_of(ASPEN, asd=None))
    with pytest.raises(InputError, match="needs a label for every participant"):
        deployed.prepare(study)
    write_features(features, table_of(ASPEN, clinic=(ASPEN,) * 5 + ("Birch",)))
    with pytest.raises(InputError, match="holds participants of Aspen, Birch; this clinic is"):
        deployed.prepare(study)
    write_features(features, table_of(ASPEN, clinic=None))
    assert len(deployed.prepare(study).frozen.participants) == 6
    features.unlink()
    with pytest.raises(InputError, match="no feature file"):
        deployed.prepare(study)


def test_features_and_constants_may_lie_elsewhere(deployed, tmp_path):
    elsewhere = tmp_path / "other.parquet"
    write_features(elsewhere, table_of(ASPEN, 3, seed=5))
    constants = build_constants(features_of(25), "pilot")
    given = tmp_path / "pilot.json"
    given.write_text(constants.to_json())
    pilot = AffectMap(constants, ("valence",))
    study = deployed.study(feature_map=pilot.digest)
    approval = deployed.prepare(study, features_file=elsewhere, constants_file=given)
    assert len(approval.frozen.participants) == 3
    expected = pilot.unit_vectors(read_features(elsewhere).values)
    np.testing.assert_array_equal(approval.frozen.vectors, expected)
    with pytest.raises(InputError, match="names feature map"):
        deployed.prepare(study)


def test_a_successor_is_checked_against_the_parent_in_the_ledger(deployed):
    """The whole way of a successor stands in tests/test_deployed.py."""
    study = deployed.approve(deployed.study(), [ASPEN])
    parent = {"study": study.digest, "spent_mu2": 0.0, "weights": [0.0] * MAP.dimension}
    successor = changed(study, parent=parent)
    with pytest.raises(PrivacyError, match="still open here; end it first"):
        deployed.prepare(successor)
    deployed.at(ASPEN, lambda book: book.close_study(study.digest, "over"))
    approval = deployed.prepare(successor)  # nothing was ever created
    assert f"goes on from study {study.digest[:12]}" in approval.in_words()
    numbers = make_plan(
        epsilon=4.0,
        delta=1e-5,
        participants=18,
        clinics=3,
        collusion_margin=1,
        top_eigenvalue=MAP.top_eigenvalue,
        with_threshold=True,
        rounds=2,
    )
    assert approval.plan == numbers
    # A clinic that never joined the parent has nothing to hold against it.
    deployed.prepare(successor, "Birch")


def test_with_a_parent_that_is_open_the_advice_is_to_end_it_and_not_to_leave_children_out(deployed):
    set_policy(deployed, "epsilon = 8.0", "epsilon = 4.0")
    study = deployed.approve(deployed.study(), [ASPEN])
    parent = {"study": study.digest, "spent_mu2": 0.0, "weights": [0.0] * MAP.dimension}
    with pytest.raises(PrivacyError, match="still open here; end it first"):
        deployed.prepare(changed(study, parent=parent))
