import math
from fractions import Fraction

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

from client import answers
from client.answers import answer_question
from shared.errors import FederationError, PrivacyError
from shared.messages import Question, pack_answers
from shared.privacy.discrete_gaussian import OperatingSystemNoise
from shared.privacy.gradient_sum import gradient_contribution
from shared.privacy.grid import GRID
from shared.privacy.secure_sum import open_sum

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


@pytest.mark.parametrize("kind", ["moments", "newton", "local_steps"])
def test_a_private_study_answers_with_noised_sums_only(kind):
    with pytest.raises(PrivacyError, match=r"was refused.*allows gradient, threshold"):
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
    assert list(content) == [STUDY.digest]  # no metrics, no configuration, no num-examples
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
    ],
)
def test_rounds_beyond_the_plan_are_refused(question):
    with pytest.raises(PrivacyError, match=f"round {question.round} was refused"):
        answer_question(sites()[0], question)


def test_no_threshold_is_answered_where_none_is_planned():
    chosen = ranges_map()
    site = sites(study_of(chosen), chosen)[0]
    with pytest.raises(PrivacyError, match="the plan releases none"):
        answer_question(site, threshold(site.plan.rounds + 1))


@pytest.mark.parametrize("ask", [gradient, threshold])
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(4), r"shape \(4,\); float64 of shape \(5,\)"),
        (np.zeros((5, 1)), r"shape \(5, 1\)"),
        (np.zeros(5, dtype=np.float32), "float64"),
        (np.array([0, 0, np.nan, 0, 0]), "not finite"),
        (np.array([0, 0, np.inf, 0, 0]), "not finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(ask, weights, message):
    with pytest.raises(FederationError, match=message):
        answer_question(sites()[0], ask(weights=weights))


def test_missing_weights_are_refused():
    with pytest.raises(FederationError, match="shape None"):
        answer_question(sites()[0], Question("gradient", 1, {}))


def noise_variance(question, sigma, noise):
    """Variance of the noise in the opened sum, in units of what was planned."""
    clinics = sites(noise=noise)
    opened = [
        open_sum(
            [answer_question(site, question).arrays["sum"] for site in clinics],
            clinics=3,
            length=5 if question.kind == "gradient" else 1,
        )
        for _ in range(120)
    ]
    return np.var(opened, axis=0).mean() / (GRID * sigma) ** 2


def test_the_opened_sum_carries_the_planned_noise_and_the_colluders_share():
    # Three shares of a half each: 3/2 of the plan, so that any two suffice.
    found = noise_variance(gradient(), PLAN.sigma_gradient, lambda clinic: OperatingSystemNoise())
    assert found == pytest.approx(1.5, abs=0.45)  # 600 draws: sd .09


@pytest.mark.parametrize(
    ("question", "sigma"), [(gradient(), PLAN.sigma_gradient), (threshold(), PLAN.sigma_threshold)]
)
@pytest.mark.parametrize("margin", [0, 1, 2])
def test_a_clinics_share_is_that_of_the_clinics_that_do_not_collude(question, sigma, margin):
    asked = []

    class Recording(NoNoise):
        def integers(self, variance, size, release):
            asked.append((variance, release))
            return super().integers(variance, size, release)

    study = study_of(CHOSEN, collusion_margin=margin)
    answer_question(sites(study, noise=lambda clinic: Recording())[0], question)
    share = math.ceil((GRID * Fraction(sigma)) ** 2 / (3 - margin))
    assert asked == [(share, f"{study.digest}|{question.round}")]


def test_withheld_noise_is_found_out(monkeypatch):
    def lazy(clinic):
        return OperatingSystemNoise() if clinic == CLINICS[0] else NoNoise()

    assert noise_variance(gradient(), PLAN.sigma_gradient, lazy) < 1
    monkeypatch.setattr(answers, "_share", lambda site, sigma: int((GRID * sigma / 3) ** 2))
    everyone = noise_variance(
        gradient(), PLAN.sigma_gradient, lambda clinic: OperatingSystemNoise()
    )
    assert everyone < 1


@pytest.mark.parametrize("question", [gradient(), threshold()])
def test_no_noise_is_drawn_twice(question):
    site = sites(noise=lambda clinic: OperatingSystemNoise())[0]
    first, second = (answer_question(site, question).arrays["sum"] for _ in range(2))
    assert not (first == second).any()


def test_the_gradient_is_that_of_the_usable_rows():
    features, asd = cohort(30)
    features = CHOSEN.standardise(features)
    features[3] = np.nan  # an unusable participant takes part in no release
    (site, *_) = sites_of(
        STUDY, CHOSEN, features, asd, sizes=[30, 0, 0], noise=lambda clinic: NoNoise()
    )
    keep = np.arange(30) != 3
    expected = gradient_contribution(
        CHOSEN.unit_vectors(features[keep]) / GRID,
        asd[keep],
        ZERO,
        variance=0,
        noise=NoNoise(),
        release="r",
    )
    found = answer_question(site, gradient()).arrays["sum"].view(np.int64)
    np.testing.assert_array_equal(found, expected)


def test_an_empty_clinic_answers_noise():
    empty = sites(sizes=[45, 45, 0])[2]
    for question in (gradient(), threshold()):
        assert np.abs(answer_question(empty, question).arrays["sum"].view(np.int64)).min() > 0


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
