import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from goodness_of_fit import FALSE_ALARM, uniform_bits, unrelated
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_federation import (
    CLINICS,
    NoNoise,
    cohort,
    grid_weights,
    people_map,
    ranges_map,
    sites_of,
    study_of,
    unmasked,
)

from client.answers import answer_question
from shared.errors import FederationError, PrivacyError
from shared.messages import Question, pack_answers
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.gradient_sum import gradient_contribution
from shared.privacy.grid import GRID
from shared.privacy.keyed_noise import KeyedNoise
from shared.privacy.secure_sum import Contribution, open_sum
from shared.study import Study

CHOSEN = people_map()  # 5 coordinates, and a threshold release
STUDY = study_of(CHOSEN)
PLAN = STUDY.plan(CHOSEN)
ZERO = np.zeros(5)


def sites(study=STUDY, chosen=CHOSEN, noise=None, **changes):
    features, asd = cohort(90)
    given = {"noise": noise} if noise else {}
    return sites_of(study, chosen, chosen.standardise(features), asd, **given, **changes)


def gradient(number=1, weights=ZERO):
    return Question("gradient", number, {"weights": weights})


def threshold(number=PLAN.rounds + 1, weights=ZERO):
    return Question("threshold", number, {"weights": weights})


def evaluation(number=PLAN.rounds + 2, weights=ZERO, at=0.0):
    return Question("evaluation", number, {"weights": weights, "threshold": np.array([at])})


@pytest.mark.parametrize("kind", ["moments", "newton", "local_steps"])
def test_a_private_study_answers_with_noised_sums_only(kind):
    with pytest.raises(PrivacyError, match=r"was refused.*allows evaluation, gradient, threshold"):
        answer_question(sites()[0], Question(kind, 1, {"weights": ZERO}))


@pytest.mark.parametrize("method", ["federated", "local-dp"])
def test_other_methods_do_not_answer_gradients(method):
    site = sites(study_of(CHOSEN, method=method))[0]
    with pytest.raises(PrivacyError, match="'gradient' was refused"):
        answer_question(site, gradient())


@pytest.mark.parametrize("question", [gradient(), threshold()])
def test_a_private_answer_is_one_sum_and_nothing_else(question):
    site = sites()[0]
    content = pack_answers({STUDY.digest: answer_question(site, question)})
    # No metrics, no num-examples: beside the sum only what the answer belongs to.
    assert list(content) == ["answers", STUDY.digest]
    assert content["answers"] == {
        "study": [STUDY.digest],
        "round": [question.round],
        "input": [question.digest],
        "head": [""],
    }
    record = content.array_records[STUDY.digest]
    assert list(record) == ["sum"]
    assert record["sum"].dtype == "uint64"
    assert record["sum"].shape == ((5,) if question.kind == "gradient" else (1,))


@pytest.mark.parametrize(
    "question",
    [
        gradient(0),
        gradient(PLAN.rounds + 1),
        gradient(-1),
        threshold(PLAN.rounds),
        threshold(PLAN.rounds + 2),
        evaluation(PLAN.rounds + 2),
    ],
)
def test_rounds_beyond_the_plan_are_refused(question):
    with pytest.raises(PrivacyError, match=f"round {question.round} was refused"):
        answer_question(sites()[0], question)


def test_no_threshold_is_answered_where_none_is_planned():
    chosen = ranges_map()
    site = sites(study_of(chosen), chosen)[0]
    beyond = threshold(site.plan.rounds + 1)
    with pytest.raises(PrivacyError, match=r"the plan has gradient round 1, .*round \d+$"):
        answer_question(site, beyond)


@pytest.mark.parametrize("ask", [gradient, threshold])
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(4), r"shape \(4,\); float64 of shape \(5,\)"),
        (np.zeros((5, 1)), r"shape \(5, 1\)"),
        (np.zeros(5, dtype=np.float32), "float64"),
        (np.array([0, 0, np.nan, 0, 0]), "not finite"),
        (np.array([0, 0, np.inf, 0, 0]), "not finite"),
        (np.array([0, 0, 2.0**-21, 0, 0]), "off the grid or too long"),
        (np.array([0, 0, 0.1, 0, 0]), "off the grid or too long"),
        (np.array([2.0**16, 2.0**-20, 0, 0, 0]), None),  # as long as it may be, to the rounding
        (np.array([2.0**16, 256.0, 0, 0, 0]), "off the grid or too long"),
        (np.array([-1e150, 0, 0, 0, 0]), "off the grid or too long"),
    ],
)
def test_only_weights_that_make_every_margin_exact_are_answered(ask, weights, message):
    if message is None:
        assert len(answer_question(sites()[0], ask(weights=weights)).arrays["sum"])
        return
    with pytest.raises(FederationError, match=message):
        answer_question(sites()[0], ask(weights=weights))


def test_missing_weights_are_refused():
    with pytest.raises(FederationError, match="other arrays than weights"):
        answer_question(sites()[0], Question("gradient", 1, {}))


def test_arrays_nobody_expects_are_refused():
    padded = Question("gradient", 1, {"weights": ZERO, "more": ZERO})
    with pytest.raises(FederationError, match="other arrays than weights"):
        answer_question(sites()[0], padded)


def test_evaluation_counts_need_a_threshold():
    study = study_of(CHOSEN, evaluation_bins=6)
    site = sites(study)[0]
    assert len(answer_question(site, evaluation()).arrays["sum"]) == 12
    for wrong in ({}, {"threshold": np.zeros(2)}, {"threshold": np.array([np.nan])}):
        asked = Question("evaluation", PLAN.rounds + 2, {"weights": ZERO} | wrong)
        with pytest.raises(FederationError, match="threshold"):
            answer_question(site, asked)


def opened(clinics, question):
    """What the server opens of the clinics' answers."""
    return open_sum(
        [
            Contribution(
                site.clinic,
                site.study.digest,
                answer.round,
                answer.input_digest,
                answer.arrays["sum"],
            )
            for site, answer in ((site, answer_question(site, question)) for site in clinics)
        ],
        roster=CLINICS,
        study=clinics[0].study.digest,
        round_number=question.round,
        input_digest=question.digest,
        length=5 if question.kind == "gradient" else 1,
    )


@pytest.mark.parametrize("question", [gradient(), threshold()])
def test_the_opened_sum_is_exactly_the_sum_of_what_is_under_the_masks(question):
    clinics = sites(noise=lambda clinic: SeededNoise(1, clinic))
    bare = [unmasked(site, question) for site in clinics]
    assert all(np.abs(part).max() < 2**30 for part in bare)
    np.testing.assert_array_equal(opened(clinics, question), sum(bare))


def test_messages_look_uniform_and_unrelated_between_rounds_and_clinics():
    """Without noise, so that only the masks hide the integers."""
    chosen = people_map(d=300, n=40)
    study = study_of(chosen, rounds=14)
    features, asd = cohort(9, 300)
    clinics = sites_of(
        study, chosen, chosen.standardise(features), asd, noise=lambda clinic: NoNoise()
    )

    def sent(site, rounds):
        questions = [gradient(number, np.zeros(301)) for number in rounds]
        return np.concatenate([answer_question(site, asked).arrays["sum"] for asked in questions])

    early, late = sent(clinics[0], range(1, 8)), sent(clinics[0], range(8, 15))
    assert uniform_bits(np.concatenate([early, late])) > FALSE_ALARM
    assert unrelated(early, late)
    assert unrelated(early, sent(clinics[1], range(1, 8)))


def test_another_input_of_the_same_round_gets_another_mask():
    site = sites(noise=lambda clinic: NoNoise())[0]
    one, other = gradient(), gradient(weights=np.array([2.0**-20, 0, 0, 0, 0]))
    difference = (
        answer_question(site, one).arrays["sum"] - answer_question(site, other).arrays["sum"]
    ).view(np.int64)
    bare = unmasked(site, one) - unmasked(site, other)
    assert np.abs(bare).max() < 100
    assert np.abs(difference).min() > 2**30


def noise_variance(question, sigma, noise):
    """Variance of the noise in the opened sum, in units of what was planned."""
    found = []
    for draw in range(120):
        clinics = sites(noise=lambda clinic, draw=draw: noise(clinic, draw))
        found.append(opened(clinics, question))
    return np.var(found, axis=0).mean() / (GRID * sigma) ** 2


def test_the_opened_sum_carries_the_planned_noise_and_the_colluders_share():
    # Three shares of a half each: 3/2 of the plan, so that any two suffice.
    found = noise_variance(gradient(), PLAN.sigma_gradient, seeded)
    assert found == pytest.approx(1.5, abs=0.45)  # 600 draws: sd .09


def seeded(clinic, draw):
    return SeededNoise(draw, clinic)


def recorded(study, question):
    """Every draw of noise for one clinic's answer."""
    asked = []

    class Recording(NoNoise):
        def integers(self, variance, total, release):
            asked.append((variance, release))
            return super().integers(variance, total, release)

    answer_question(sites(study, noise=lambda clinic: Recording())[0], question)
    return asked


@pytest.mark.parametrize(
    ("question", "sigma"), [(gradient(), PLAN.sigma_gradient), (threshold(), PLAN.sigma_threshold)]
)
@pytest.mark.parametrize("margin", [0, 1, 2])
def test_a_clinics_share_is_that_of_the_clinics_that_do_not_collude(question, sigma, margin):
    study = study_of(CHOSEN, collusion_margin=margin)
    share = math.ceil((GRID * Fraction(sigma)) ** 2 / (3 - margin))
    named = f"{study.digest}|{question.round}|{question.digest}"
    assert recorded(study, question) == [(share, named)]


def test_the_mode_of_the_clinics_own_study_decides_on_noise():
    (whole,) = recorded(study_of(CHOSEN, mode="local"), gradient())
    assert whole[0] == math.ceil((GRID * Fraction(PLAN.sigma_gradient)) ** 2)
    assert recorded(study_of(CHOSEN, mode="none"), gradient()) == []


def test_evaluation_counts_carry_the_share_of_their_own_sigma():
    study = study_of(CHOSEN, evaluation_bins=2)
    plan = study.plan(CHOSEN)
    ((share, _),) = recorded(study, evaluation(plan.rounds + 2))
    assert share == math.ceil((GRID * Fraction(plan.sigma_evaluation)) ** 2 / 2)


def test_withheld_noise_is_found_out(monkeypatch):
    def lazy(clinic, draw):
        return SeededNoise(draw, clinic) if clinic == CLINICS[0] else NoNoise()

    assert noise_variance(gradient(), PLAN.sigma_gradient, lazy) < 1
    monkeypatch.setattr(Study, "share", lambda study, sigma: int((GRID * sigma / 3) ** 2))
    assert noise_variance(gradient(), PLAN.sigma_gradient, seeded) < 1


@pytest.mark.parametrize("question", [gradient(), threshold()])
def test_keyed_noise_repeats_an_answer_byte_for_byte_and_never_serves_two(question):
    site = sites(noise=lambda clinic: KeyedNoise(b"s" * 32))[0]
    first, second = (answer_question(site, question).arrays["sum"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = dataclasses.replace(question, arrays={"weights": np.full(5, 2.0**-20)})
    quiet = dataclasses.replace(site, noise=NoNoise())
    added = [unmasked(site, asked) - unmasked(quiet, asked) for asked in (question, other)]
    assert (added[0] != added[1]).all()


def test_a_masked_sum_is_not_sent_bare_for_want_of_a_key():
    site = sites()[0]
    object.__setattr__(site, "mask_key", None)
    with pytest.raises(PrivacyError, match="no mask key; a masked sum was asked for"):
        answer_question(site, gradient())


def test_only_usable_rows_enter_any_release():
    features, asd = cohort(30)
    features = CHOSEN.standardise(features)
    study = study_of(CHOSEN, evaluation_bins=2, mode="none")
    keep = np.arange(30) != 3
    spoilt = features.copy()
    spoilt[3] = np.nan
    (some, *_), (fewer, *_) = (
        sites_of(study, CHOSEN, rows, labels, sizes=[len(labels), 0, 0])
        for rows, labels in ((spoilt, asd), (features[keep], asd[keep]))
    )
    assert some.usable.sum() == 29
    expected = gradient_contribution(
        CHOSEN.unit_vectors(features[keep]) / GRID,
        asd[keep],
        ZERO,
        variance=0,
        noise=NoNoise(),
        release="r",
    )
    np.testing.assert_array_equal(unmasked(some, gradient()), expected)
    plan = study.plan(CHOSEN)
    direction = grid_weights(5)
    for asked in (
        threshold(plan.rounds + 1, direction),
        evaluation(plan.rounds + 2, direction, 0.05),
    ):
        np.testing.assert_array_equal(unmasked(some, asked), unmasked(fewer, asked))


# What anybody's features may be: usual, absent, infinite, larger than any, smaller than any.
features_of_anyone = arrays(
    np.float64,
    (5, 4),
    elements=st.floats(-3, 3)
    | st.sampled_from([np.nan, np.inf, -np.inf, 1.7e308, -1.7e308, 5e-324, -0.0]),
)


@settings(max_examples=40)
@given(
    features_of_anyone,
    st.lists(st.booleans(), min_size=5, max_size=5),
    st.sampled_from([1, 3]),
    st.integers(0, 100),
)
def test_no_participant_moves_any_release_by_more_than_one_unit(features, asd, rounds, seed):
    """From arbitrary features through the map to every kind of sum, in exact integers."""
    study = study_of(CHOSEN, mode="none", rounds=rounds, evaluation_bins=2 + 2 * (seed % 4))
    direction = grid_weights(5, seed, 30.0)
    questions = [
        gradient(1, direction),
        threshold(rounds + 1, direction),
        evaluation(rounds + 2, direction, 0.1),
    ]
    asd = np.array(asd)
    with np.errstate(over="ignore", invalid="ignore"):
        standard = CHOSEN.standardise(features)
    standard[0] = features[0]  # and one that nobody standardised

    def sums(keep):
        site = sites_of(study, CHOSEN, standard[keep], asd[keep], sizes=[keep.sum(), 0, 0])[0]
        with np.errstate(over="ignore"):
            return [unmasked(site, question) for question in questions]

    everyone = sums(np.ones(5, dtype=bool))
    for left_out in range(5):
        for whole, part in zip(everyone, sums(np.arange(5) != left_out), strict=True):
            moved = whole - part
            assert sum(int(value) ** 2 for value in moved) <= GRID**2


def test_an_empty_clinic_answers_noise():
    empty = sites(sizes=[45, 45, 0])[2]
    assert len(empty.labels) == 0
    for question in (gradient(), threshold()):
        assert np.abs(unmasked(empty, question)).min() > 0


def test_exact_questions_without_privacy():
    study = study_of(method="federated")
    features, asd = cohort(90)
    site = sites_of(study, CHOSEN, features, asd)[0]
    found = answer_question(site, Question("moments", 1, {})).arrays
    np.testing.assert_allclose(found["total"], features[:30].sum(axis=0))
    assert found["labels"].tolist() == [30, asd[:30].sum()]
    centred = answer_question(site, Question("moments", 2, {"centre": np.ones(4)})).arrays
    np.testing.assert_allclose(centred["total"], found["total"] - 30)
    arrays = {"mean": np.zeros(4), "scale": np.ones(4), "weights": ZERO}
    sums = answer_question(site, Question("newton", 3, arrays)).arrays
    assert sums["loss"] == pytest.approx([30 * np.log(2)])
    assert sums["hessian"].shape == (15,)
    with pytest.raises(FederationError, match=r"'centre' of shape \(3,\)"):
        answer_question(site, Question("moments", 2, {"centre": np.ones(3)}))
    with pytest.raises(FederationError, match="'scale' of shape None"):
        answer_question(site, Question("newton", 3, {"mean": np.ones(4)}))
