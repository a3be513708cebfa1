import math
import warnings

import numpy as np
import pytest
import torch
from opacus.accountants import PRVAccountant
from scipy.special import expit
from small_federation import LOCAL, cohort, ranges_map, sites_of, study_of

from client import local_dp
from client.local_dp import private_steps
from shared.errors import PrivacyError
from shared.privacy.accountant import composed_mu, epsilon_of
from shared.privacy.discrete_gaussian import OperatingSystemNoise

CHOSEN = ranges_map()
STUDY = study_of(CHOSEN, method="local-dp")
WEIGHTS = np.linspace(-1, 1, 5)


@pytest.fixture
def multipliers(monkeypatch):
    """Noise multiplier of each step taken, as Opacus is told."""
    seen = []

    class Recording(local_dp.DPOptimizer):
        def step(self, closure=None):
            seen.append(self.noise_multiplier)
            return super().step(closure)

    monkeypatch.setattr(local_dp, "DPOptimizer", Recording)
    return seen


def site(study=STUDY, **changes):
    features, asd = cohort(60)
    return sites_of(study, CHOSEN, CHOSEN.standardise(features), asd, **changes)[0]


def test_all_steps_of_all_rounds_compose_to_the_promise(multipliers):
    for number in range(1, LOCAL.rounds + 1):
        private_steps(site(), WEIGHTS, number, f"r{number}")
    assert len(multipliers) == LOCAL.rounds * LOCAL.steps
    assert epsilon_of(composed_mu(multipliers), 1e-5) == pytest.approx(4.0)
    accountant = PRVAccountant()
    accountant.history = [(multipliers[0], 1.0, len(multipliers))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert accountant.get_epsilon(1e-5) == pytest.approx(4.0, abs=0.02)


def test_without_noise_it_is_gradient_descent_on_the_clinics_mean_loss():
    promise = {"epsilon": 1e6, "delta": 0.5}
    settings = LOCAL.model_copy(update={"clipping_norm": 50.0})
    study = study_of(CHOSEN, method="local-dp", local=settings, **promise)
    clinic = site(study)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_dp, "mu_of", lambda epsilon, delta: math.inf)
        found = private_steps(clinic, WEIGHTS, 1, "r")
    weights = WEIGHTS
    signs = np.where(clinic.labels, 1.0, -1.0)
    for _ in range(LOCAL.steps):
        pull = signs * expit(-signs * (clinic.rows @ weights))
        weights = weights + LOCAL.learning_rate * (pull[:, None] * clinic.rows).mean(axis=0)
    np.testing.assert_allclose(found, weights, atol=1e-9)


def test_the_noise_has_the_size_of_one_clipped_participant_over_the_clinic():
    study = study_of(CHOSEN, method="local-dp", local=LOCAL.model_copy(update={"steps": 1}))
    clinic = site(study)
    runs = np.array([private_steps(clinic, WEIGHTS, 1, f"r{i}") for i in range(150)])
    sigma = math.sqrt(LOCAL.rounds) / 0.925
    expected = LOCAL.learning_rate * sigma * LOCAL.clipping_norm / len(clinic.labels)
    assert (runs - runs.mean(axis=0)).std() == pytest.approx(expected, rel=0.12)


def test_seeded_noise_repeats_and_the_operating_systems_does_not():
    first = private_steps(site(), WEIGHTS, 1, "r")
    np.testing.assert_array_equal(private_steps(site(), WEIGHTS, 1, "r"), first)
    assert (private_steps(site(), WEIGHTS, 1, "other") != first).all()
    real = site(noise=lambda clinic: OperatingSystemNoise())
    torch.manual_seed(0)
    one = private_steps(real, WEIGHTS, 1, "r")
    torch.manual_seed(0)
    assert (private_steps(real, WEIGHTS, 1, "r") != one).all()


def test_a_clinic_without_rows_returns_the_weights_it_got():
    features, asd = cohort(60)
    rows = CHOSEN.standardise(features)
    empty = sites_of(STUDY, CHOSEN, rows, asd, sizes=[0, 30, 30])[0]
    np.testing.assert_array_equal(private_steps(empty, WEIGHTS, 1, "r"), WEIGHTS)


@pytest.mark.parametrize("number", [0, LOCAL.rounds + 1])
def test_rounds_beyond_the_study_are_refused(number):
    with pytest.raises(PrivacyError, match=f"local round {number} was refused"):
        private_steps(site(), WEIGHTS, number, "r")


def test_another_method_has_no_settings():
    with pytest.raises(PrivacyError, match="no local-dp settings"):
        private_steps(site(study_of(CHOSEN)), WEIGHTS, 1, "r")
