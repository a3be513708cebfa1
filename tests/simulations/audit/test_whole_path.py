"""The whole path from a clinic's answer to the opened sum, a few hundred trainings at a time."""

import numpy as np
import pytest

from shared.privacy.discrete_gaussian import OperatingSystemNoise
from shared.privacy.grid import GRID
from shared.privacy.keyed_noise import KeyedNoise
from simulations.audit.whole_path import WholePath, _asked, _question, _signature, audit_messages

EPSILON, DELTA = 4.0, 1e-5


def keyed(clinic, secret):
    return KeyedNoise(secret)


class QuarterNoise:
    """Keyed noise of a quarter of the standard deviation that was asked for."""

    def __init__(self, secret):
        self.source = KeyedNoise(secret)

    def integers(self, variance, total, release):
        return self.source.integers(variance // 16, total, release)


def evidence(path, runs, *, present):
    return np.array([path.start(present=present).log_likelihood_ratio() for _ in range(runs)])


def test_the_evidence_is_distributed_as_planned():
    """Logarithm of the likelihood ratio of a mu-GDP mechanism: normal, +-mu^2/2, deviation mu."""
    runs, path = 150, WholePath(EPSILON, DELTA, rounds=1, seed=0)
    mu = np.sqrt(sum(release.sigma**-2 for release in path.releases))
    for present, sign in ((True, 1), (False, -1)):
        found = evidence(path, runs, present=present)
        assert found.mean() == pytest.approx(sign * mu**2 / 2, abs=4 * mu / np.sqrt(runs))
        assert found.std() == pytest.approx(mu, rel=4 / np.sqrt(2 * runs))


@pytest.mark.parametrize("rounds", [1, 2])
def test_an_opened_sum_holds_the_canary_and_the_noise_of_every_clinic(rounds):
    path = WholePath(EPSILON, DELTA, rounds=rounds, seed=1)
    for present in (True, False):
        training = path.start(present=present)
        for release in path.releases:
            opened = training.open(release)
            noise = sum(site.noise.last for site in training.sites)
            canary = opened - noise - path._known[release.round]
            # The shrink that absorbs the rounding takes less than one grid step off.
            np.testing.assert_allclose(canary, present * GRID * _signature(release), atol=1.5)


def test_noise_that_is_lost_on_the_way_is_found_and_sound_noise_is_not():
    settings = {"runs": 100, "seed": 0, "rounds": 1}
    assert not audit_messages(EPSILON, DELTA, **settings, noise=keyed).refuted
    lost = audit_messages(
        EPSILON, DELTA, **settings, noise=lambda clinic, secret: QuarterNoise(secret)
    )
    assert lost.refuted


def repeated(noise):
    """One clinic's two messages to the same question, and the two sums opened from them."""
    path = WholePath(EPSILON, DELTA, rounds=1, seed=2, noise=noise)
    training, release = path.start(present=True), path.releases[0]
    sums = [training.open(release) for _ in range(2)]
    digest, question = training.study.digest, _question(release)
    messages = [_asked(training.sites[-1], digest, question).arrays["sum"] for _ in range(2)]
    return messages, sums


def test_a_question_asked_again_gets_the_same_bytes():
    messages, sums = repeated(keyed)
    np.testing.assert_array_equal(*messages)
    np.testing.assert_array_equal(*sums)


def test_fresh_noise_under_a_used_mask_would_lift_the_mask_and_halve_the_noise():
    """What the keyed noise is for: with any other source both come out."""
    messages, sums = repeated(lambda clinic, secret: OperatingSystemNoise())
    first, second = messages
    lifted = (first - second).view(np.int64)
    assert np.all(np.abs(lifted) < 2**40)  # two shares of noise, no mask
    assert np.all(np.abs(first.view(np.int64)) > 2**40)
    assert not np.array_equal(*sums)


def test_the_same_seed_gives_the_same_trainings():
    first, second = (
        evidence(WholePath(EPSILON, DELTA, rounds=1, seed=3), 3, present=True) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert len(set(first)) == 3
