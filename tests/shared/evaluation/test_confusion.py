import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score

from shared.errors import InputError
from shared.evaluation.confusion import PREVALENCES, Confusion, difference
from shared.evaluation.estimate import wilson
from shared.evaluation.metrics import classification_metrics

COUNTS = st.tuples(*[st.integers(0, 40)] * 4).filter(lambda c: c[0] + c[1] > 0 and c[2] + c[3] > 0)


@given(COUNTS, st.sampled_from([0.0, 0.5, 4.0]))
def test_every_interval_holds_its_value_and_stays_a_share(
    counts: tuple[int, int, int, int], noise: float
) -> None:
    counted = Confusion(*counts, noise_sd=noise)
    figures = list(counted.figures().values())
    for values in counted.predictive_values():
        figures += [values.ppv, values.npv]
    for figure in figures:
        assert 0 <= figure.low <= figure.high <= 1 or math.isnan(figure.value)
        assert figure.low - 1e-12 <= figure.value <= figure.high + 1e-12 or math.isnan(figure.value)
    json.dumps(counted.as_json(), allow_nan=False)


@given(COUNTS)
def test_values_are_those_of_the_metrics_of_rows(counts: tuple[int, int, int, int]) -> None:
    tp, fn, fp, tn = counts
    asd = np.repeat([True, True, False, False], counts)
    called = np.repeat([True, False, True, False], counts)
    counted = Confusion.of(asd, called)
    assert counted == Confusion(tp, fn, fp, tn)
    rows = classification_metrics(asd, np.where(called, 1.0, -1.0))
    figures = counted.figures()
    for name in ("sensitivity", "specificity", "f1", "balanced_accuracy", "accuracy"):
        assert figures[name].value == pytest.approx(rows[name])
    if called.any() and not called.all():
        assert figures["ppv"].value == pytest.approx(tp / (tp + fp))
        assert figures["npv"].value == pytest.approx(tn / (tn + fn))


def test_values_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    asd, called = rng.random((2, 88)) < 0.5
    counted = Confusion.of(asd, called)
    assert counted.f1.value == pytest.approx(f1_score(asd, called))
    assert counted.balanced_accuracy.value == pytest.approx(balanced_accuracy_score(asd, called))


def test_predictive_values_by_hand() -> None:
    values = {v.prevalence: v for v in Confusion(37, 7, 12, 32).predictive_values()}
    assert tuple(values) == PREVALENCES
    se, sp = 37 / 44, 32 / 44
    assert values[0.02].ppv.value == pytest.approx(se * 0.02 / (se * 0.02 + (1 - sp) * 0.98))
    assert values[0.02].npv.value == pytest.approx(sp * 0.98 / (sp * 0.98 + (1 - se) * 0.02))
    # Mercaldo et al. 2007, equation 4: variance of the logit PPV.
    spread = math.sqrt((1 - se) / se / 44 + sp / (1 - sp) / 44)
    centre = math.log(values[0.1].ppv.value / (1 - values[0.1].ppv.value))
    assert values[0.1].ppv.low == pytest.approx(
        1 / (1 + math.exp(-(centre - 1.959964 * spread))), rel=1e-6
    )


def test_a_perfect_classifier_still_has_an_interval() -> None:
    counted = Confusion(49, 0, 0, 39)
    for figure in (*counted.figures().values(), counted.predictive_values()[0].ppv):
        assert figure.value == figure.high == pytest.approx(1.0)
        assert 0 < figure.low < 1


def test_the_mix_of_the_study_is_its_prevalence() -> None:
    counted = Confusion(37, 12, 13, 26)
    assert counted.ppv == counted.predictive_values((49 / 88,))[0].ppv


def test_nobody_called_leaves_the_predictive_value_open() -> None:
    values = Confusion(0, 20, 0, 20).predictive_values((0.3,))[0]
    assert math.isnan(values.ppv.value)
    assert 0 < values.ppv.low < values.ppv.high < 1


def test_a_class_that_is_missing() -> None:
    only = Confusion(5, 2, 0, 0)
    assert math.isnan(only.specificity.value)
    assert math.isnan(only.balanced_accuracy.value)
    assert only.accuracy == only.sensitivity == only.sensitivity
    assert only.ppv == wilson(5, 5)
    assert math.isnan(only.predictive_values()[0].ppv.value)
    assert math.isnan(Confusion(0, 0, 1, 2).f1.value)
    assert only.f1.value == pytest.approx(10 / 12)


@pytest.mark.parametrize("counts", [(-1, 1, 1, 1), (1, math.nan, 1, 1), (1, 1, 1, 1, -0.1)])
def test_counts_that_are_none_are_refused(counts: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="negative or not a number"):
        Confusion(*counts)


@pytest.mark.parametrize("prevalence", [0.0, 1.0, 2.0])
def test_a_prevalence_that_is_none_is_refused(prevalence: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        Confusion(1, 1, 1, 1).predictive_values((prevalence,))


def test_difference_of_groups() -> None:
    apart = difference(wilson(56, 70), wilson(48, 80))
    assert apart.covers(0.2)
    assert difference(wilson(48, 80), wilson(56, 70)).low == pytest.approx(-apart.high)


def test_noise_widens_every_figure() -> None:
    exact, noisy = (Confusion(37, 12, 13, 26, noise_sd=sd) for sd in (0.0, 3.0))
    for name, figure in exact.figures().items():
        assert noisy.figures()[name].half_width > figure.half_width
    for plain, wide in zip(exact.predictive_values(), noisy.predictive_values(), strict=True):
        assert wide.ppv.half_width > plain.ppv.half_width
        assert wide.npv.half_width > plain.npv.half_width
