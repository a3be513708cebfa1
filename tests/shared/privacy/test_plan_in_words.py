import math

import pytest

from shared.privacy import plan_in_words as words
from shared.privacy.accountant import epsilon_of, mu_of
from shared.privacy.expected_loss import ExpectedLoss
from shared.privacy.plan_in_words import plan_in_words
from shared.privacy.planner import make_plan


@pytest.fixture(autouse=True)
def loss(monkeypatch):
    """What the words would say about accuracy, whatever the measured figures are."""
    asked = []

    def measured(epsilon, participants):
        asked.append((epsilon, participants))
        return ExpectedLoss(0.034, -0.01, "7 made-up cohorts") if epsilon == 4 else None

    monkeypatch.setattr(words, "expected_loss", measured)
    return asked


def told(**changes):
    numbers = {
        "epsilon": 4.0,
        "delta": 1e-5,
        "participants": 88,
        "clinics": 4,
        "collusion_margin": 1,
        "top_eigenvalue": 0.2,
        "with_threshold": True,
    }
    return plan_in_words(make_plan(**numbers | changes))


def test_words_tell_the_promise_and_its_price(loss):
    text = told(rounds=5)
    assert "5 noised gradient sums and one for the threshold over 4 clinics, 88 part" in text
    assert "even if 1 of the clinics sides with the server" in text
    assert "Together (4, 1e-05)-differentially private" in text
    assert "recomputed from their noise: mu 0.925, epsilon 4.000" in text
    assert "24 times in 100 (without any information: 5)" in text
    assert "about 0.03 of F1 and 0.00 of AUC" in text  # a gain by chance is no promise
    assert "measured on 7 made-up cohorts" in text
    assert loss == [(4.0, 88)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"epsilon": 0.5, "rounds": 1}, "1 noised gradient sum over"),
        ({"evaluation_bins": 2}, "sums, one for the threshold and one of right and wrong"),
        ({"epsilon": 0.4, "evaluation_bins": 2}, "sums and one of right and wrong calls"),
        ({"evaluation_bins": 6}, "and one of counts by label and 6 score bins over"),
        ({"evaluation_bins": 2}, "for 10 % of mu^2: sensitivity and specificity to about ±0.19"),
        ({"evaluation_bins": 2}, "±0.19 (±0.13 without noise)."),
        ({"evaluation_bins": 4}, "for 18 % of mu^2: sensitivity"),
        ({"evaluation_bins": 4}, "in each of 4 score bins to about ±0.28."),
        ({"epsilon": 1.0, "evaluation_bins": 2}, "an evaluation tells little."),
        ({"collusion_margin": 2}, "2 of the clinics side with"),
    ],
)
def test_words_follow_the_plan(changes, expected):
    assert expected in told(**changes)


def test_what_the_evaluation_takes_is_missing_from_the_training(loss):
    told(evaluation_bins=2)
    ((epsilon, _),) = loss
    assert epsilon == pytest.approx(epsilon_of(mu_of(4.0, 1e-5) * math.sqrt(0.9), 1e-5))


def test_words_of_a_study_without_evaluation_say_nothing_of_one():
    assert "evaluation" not in told()
    assert "score bins" not in told(evaluation_bins=2)


def test_no_price_is_told_where_none_was_measured():
    assert "costs" not in told(epsilon=3.0)


def test_a_successors_words_recompute_its_own_part():
    text = told(spent_mu2=0.5)
    left = math.sqrt(mu_of(4.0, 1e-5) ** 2 - 0.5)
    assert "(4, 1e-05)" in text
    assert "With the studies it continues (4, 1e-05)" in text
    assert "mu 0.925" in text  # of the whole promise, which is what a child is exposed to
    assert "24 times in 100" in text
    assert f"noise: mu {left:.3f}, epsilon {epsilon_of(left, 1e-5):.3f}" in text
