"""The whole evaluation in one call: what it needs, and what it leaves out where there is little."""

from dataclasses import replace

import numpy as np
import pytest

from shared.errors import InputError
from shared.evaluation.analysed import analysed_participants
from shared.evaluation.evaluate import STEPS, EvaluationSettings, evaluate_participants
from shared.evaluation.uncertainty import measure_uncertainty
from shared.features import FEATURE_NAMES, FeatureTable
from shared.participant_row import ParticipantRow

QUICK = EvaluationSettings(seed=1, repeats=1, permutations=99, bootstrap=40)


def people_of(n_asd, n_other, *, clinics=2, shift=1.5):
    rng = np.random.default_rng(0)
    asd = np.arange(n_asd + n_other) < n_asd
    values = rng.standard_normal((len(asd), len(FEATURE_NAMES)))
    values[asd, :40] += shift
    names = tuple(f"P{row:02d}" for row in range(len(asd)))
    table = FeatureTable(names, values, FEATURE_NAMES, asd=asd)
    rows = [
        ParticipantRow(name, bool(yes), True, True, clinic=f"clinic-{row % clinics}", age_months=48)
        for row, (name, yes) in enumerate(zip(names, asd, strict=True))
    ]
    return table, rows


def test_a_clear_effect_is_found_by_every_part():
    told = []
    table, rows = people_of(16, 14)
    found = evaluate_participants(analysed_participants(table, rows), QUICK, on_step=told.append)
    assert tuple(told) == STEPS
    assert found.left_out == {}
    assert found.performance.auc.value > 0.9
    assert found.chance.p == 0.01
    assert found.nested is not None
    assert found.nested.estimate("auc").value > 0.8
    assert found.apparent.auc.value == 1.0
    assert found.uncertainty is not None
    assert found.uncertainty.zone is None
    assert found.uncertainty.zone_needless  # a call for everybody is good enough
    assert {group.variable for group in found.subgroups} == {"clinic"}  # one age, no sex stated


def test_what_needs_more_children_is_left_out_with_its_reason():
    table, rows = people_of(5, 4, clinics=1)
    found = evaluate_participants(analysed_participants(table, rows), QUICK)
    assert found.nested is None
    assert found.combinations is None
    assert found.clinics is None
    assert found.uncertainty is None
    assert set(found.left_out) == {
        "nested cross-validation",
        "leave one clinic out",
        "uncertainty",
    }
    assert found.performance.folds == 4


def test_clinics_with_one_diagnosis_each_cannot_be_permuted_within():
    table, rows = people_of(4, 4)
    parted = [replace(row, clinic="north" if row.asd else "south") for row in rows]
    found = evaluate_participants(analysed_participants(table, parted), QUICK)
    assert "permutation within clinics" in found.left_out
    assert not found.differences.stratified
    assert found.chance.p < 1  # permuted over clinics, or nothing would ever change


def test_two_of_a_diagnosis_are_too_few():
    table, rows = people_of(2, 9)
    with pytest.raises(InputError, match="at least 3 of each"):
        evaluate_participants(analysed_participants(table, rows), QUICK)


def test_who_has_features_must_be_in_the_table_and_have_a_diagnosis():
    table, rows = people_of(3, 3)
    with pytest.raises(InputError, match="1 of 6 participants with features"):
        analysed_participants(table, rows[1:])
    with pytest.raises(InputError, match="no diagnoses"):
        analysed_participants(replace(table, asd=None), rows)


def test_the_flow_counts_each_step_among_those_before():
    table, rows = people_of(3, 3, clinics=1)
    rows += [
        ParticipantRow("X1", True, consented=False, finished=True, clinic="clinic-0"),
        ParticipantRow("X2", True, consented=True, finished=False, clinic="clinic-0"),
        ParticipantRow("X3", True, consented=True, finished=True, clinic="clinic-1"),
    ]
    first, second = analysed_participants(table, rows).flow
    assert (first.recorded, first.consented, first.finished, first.analysed) == (8, 7, 6, 6)
    assert (second.recorded, second.consented, second.finished, second.analysed) == (1, 1, 1, 0)


@pytest.mark.parametrize("setting", [{"folds": 1}, {"repeats": 0}, {"permutations": 9}])
def test_settings_out_of_range_are_named(setting):
    (name,) = setting
    with pytest.raises(InputError, match=f"--{name}"):
        EvaluationSettings(**setting)


def test_scores_without_information_leave_no_zone():
    asd = np.arange(40) % 2 == 0
    score = np.tile([0.5, 0.5, -0.5, -0.5], 10)
    found = measure_uncertainty(asd, score, np.arange(40) % 5)
    assert found.zone is None
    assert not found.zone_needless
    assert [sets.nominal for sets in found.sets] == pytest.approx([0.9, 0.8])


def test_a_zone_says_how_many_get_a_call():
    rng = np.random.default_rng(0)
    asd = np.arange(88) < 49
    score = np.where(asd, 0.6, -0.6) + rng.standard_normal(88)
    found = measure_uncertainty(asd, score, np.arange(88) % 10)
    assert found.zone is not None
    assert found.zone.low <= found.zone.high
    assert 0 < found.zone.measures.called < found.zone.measures.n == 88
    share = found.zone.measures.indeterminate.value
    assert share == pytest.approx(1 - found.zone.measures.called / 88)
