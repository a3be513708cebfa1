import json

import numpy as np
import pytest

from shared.errors import InputError
from shared.evaluation.estimate import wilson
from shared.evaluation.leave_one_clinic_out import leave_one_clinic_out
from shared.evaluation.roc import auc
from shared.learning.pooled import train_pooled

GROUPS = tuple(np.arange(4 * g, 4 * g + 4) for g in range(4))


@pytest.fixture
def cohort():
    rng = np.random.default_rng(0)
    asd = np.arange(54) % 2 == 0
    x = rng.standard_normal((54, 16))
    x[:, :2] += 1.5 * asd[:, None]
    clinic = np.repeat(["north", "south", "west"], (24, 20, 10))
    return x, asd, clinic


def run(x, asd, clinic, **more):
    return leave_one_clinic_out(x, asd, clinic, seed=1, groups=GROUPS, inner_folds=3, **more)


def test_scores_are_those_of_the_other_clinics_model(cohort):
    x, asd, clinic = cohort
    found = run(x, asd, clinic, combinations=[("au",)], c_grid=(0.5,))
    for number, name in enumerate(("north", "south", "west")):
        here = clinic == name
        model = train_pooled(x[~here][:, :4], asd[~here], 0.5)
        likely = 1 / (1 + np.exp(-found.score[here]))
        np.testing.assert_allclose(likely, model.probability(x[here][:, :4]), atol=1e-6)
        assert (found.fold[here] == number).all()
        held = found.clinics[number]
        assert (held.clinic, held.n_asd + held.n_non_asd) == (name, here.sum())
        called = found.score[here] > 0
        assert held.sensitivity == wilson(int((called & asd[here]).sum()), int(asd[here].sum()))
        assert held.specificity == wilson(
            int((~called & ~asd[here]).sum()), int((~asd[here]).sum())
        )
        assert held.auc == auc(asd[here], found.score[here])
        assert (held.combination, held.c) == ("au", 0.5)


def test_a_clinics_diagnoses_never_reach_its_own_scores(cohort):
    x, asd, clinic = cohort
    here = clinic == "south"
    one, other = run(x, asd, clinic), run(x, np.where(here, ~asd, asd), clinic)
    np.testing.assert_array_equal(one.score[here], other.score[here])
    assert (one.score[~here] != other.score[~here]).all()


def test_the_choice_is_made_elsewhere_and_told(cohort):
    found = run(*cohort)
    assert all("au" in held.combination.split("+") for held in found.clinics)
    assert found.by_combination.shape == (15, 54)
    assert found.auc.low > 0.6
    said = found.as_json()
    json.dumps(said, allow_nan=False)
    assert [part["clinic"] for part in said["clinics"]] == ["north", "south", "west"]


def test_a_clinic_with_one_diagnosis_has_no_auc(cohort):
    x, asd, clinic = cohort
    asd = np.where(clinic == "west", True, asd)
    held = run(x, asd, clinic, combinations=[("au",)]).clinics[2]
    assert np.isnan([held.auc.value, held.specificity.value]).all()
    assert held.sensitivity.value >= 0
    json.dumps(held.as_json(), allow_nan=False)


def test_what_cannot_be_left_out_is_refused(cohort):
    x, asd, clinic = cohort
    with pytest.raises(InputError, match="at least 2 clinics"):
        run(x, asd, ["one"] * 54)
    with pytest.raises(InputError, match="a clinic for every participant"):
        run(x, asd, clinic[:-1])
    with pytest.raises(InputError, match="folds are possible"):
        run(x, asd, np.where(np.arange(54) < 50, "big", "small"))
