import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from shared.errors import InputError
from shared.evaluation.confusion import Confusion
from shared.evaluation.estimate import Estimate, wilson
from shared.evaluation.noised_counts import NoisedCounts, rounded
from shared.privacy.grid import GRID

EXACT = NoisedCounts(np.array([[4.0, 7, 13, 25], [18.0, 11, 6, 4]]), 0.0)


def people(table):
    """Bin and label of everyone in a table of whole numbers."""
    label, column = np.indices(table.shape)
    counts = table.astype(int).ravel()
    return np.repeat(column.ravel(), counts), np.repeat(label.ravel() == 0, counts)


def test_without_noise_the_figures_are_those_of_the_rows():
    counts = EXACT.confusion
    assert (counts.tp, counts.fn, counts.fp, counts.tn) == (38, 11, 10, 29)
    assert counts.sensitivity == wilson(38, 49)
    bins, asd = people(EXACT.table)
    assert EXACT.auc.value == pytest.approx(roc_auc_score(asd, bins))
    for edge in (1, 2, 3):
        found, alarm = EXACT.rates_above(edge)
        assert found.value == pytest.approx((bins[asd] >= edge).mean())
        assert alarm.value == pytest.approx((bins[~asd] >= edge).mean())


def test_noise_widens_every_interval():
    noised = NoisedCounts(EXACT.table, 3.9)
    assert noised.confusion.noise_sd == pytest.approx(3.9 * math.sqrt(2))
    pairs = [
        (noised.confusion.figures()[name], exact)
        for name, exact in EXACT.confusion.figures().items()
    ]
    pairs += [(noised.auc, EXACT.auc), (noised.rates_above(1)[0], EXACT.rates_above(1)[0])]
    for wide, narrow in pairs:
        assert wide.value == pytest.approx(narrow.value)
        assert wide.low < narrow.low
        assert wide.high > narrow.high


def test_without_noise_the_auc_interval_is_the_delta_methods_on_rows():
    """Placement values of the bins (DeLong's variance with n instead of n - 1)."""
    bins, asd = people(EXACT.table)
    beats = (bins[asd][:, None] > bins[~asd]) + 0.5 * (bins[asd][:, None] == bins[~asd])
    variance = beats.mean(1).var() / asd.sum() + beats.mean(0).var() / (~asd).sum()
    auc = EXACT.auc
    reach = 1.96 * math.sqrt(variance) / (auc.value * (1 - auc.value))
    odds = math.log(auc.value / (1 - auc.value))
    assert auc.low == pytest.approx(1 / (1 + math.exp(reach - odds)), rel=1e-4)
    assert auc.high == pytest.approx(1 / (1 + math.exp(-reach - odds)), rel=1e-4)


def test_calibration_in_the_large_is_observed_minus_predicted():
    table = np.array([[12.0, 30], [40.0, 18]])
    counts = NoisedCounts(table, 0.0)
    predicted = np.array([0.2, 0.7])
    found = counts.in_the_large(counts.shown(), predicted)
    assert found.value == pytest.approx(0.42 - (0.2 * 52 + 0.7 * 48) / 100)
    wide = NoisedCounts(table, 5.0)
    assert wide.in_the_large(wide.shown(), predicted).half_width > found.half_width


tables = (
    st.sampled_from([2, 4, 6, 8])
    .flatmap(lambda bins: arrays(np.int64, (2, bins), elements=st.integers(-15 * GRID, 40 * GRID)))
    .map(lambda steps: steps / GRID)
)


@given(tables)
def test_whatever_shows_is_ten_or_more_and_holds_everyone_once(table):
    counts = NoisedCounts(table, 3.0)
    groups = counts.shown()
    half = counts.bins // 2
    calls = table.reshape(2, 2, half).sum(axis=2)
    if groups is None:
        assert (calls < 10).any()
        return
    assert (calls >= 10).all()
    columns = [column for group in groups for column in range(group.first, group.last + 1)]
    assert columns == list(range(counts.bins))  # no bin is hidden, so no total gives one away
    assert any(group.last == half - 1 for group in groups)  # the threshold stays an edge
    for group in groups:
        assert min(group.asd, group.other) >= 10
        assert group.asd == pytest.approx(table[0, group.first : group.last + 1].sum())


def test_bins_are_merged_only_as_far_as_needed():
    fine = np.array([[10.0, 12, 3, 9, 11, 30], [30.0, 20, 15, 11, 4, 12]])
    groups = NoisedCounts(fine, 1.0).shown()
    assert [(g.first, g.last) for g in groups] == [(0, 0), (1, 2), (3, 4), (5, 5)]
    assert NoisedCounts(fine - 5, 1.0).shown()[0].last == 2
    assert NoisedCounts(np.array([[9.9, 40], [40.0, 12]]), 1.0).shown() is None


@given(tables, st.floats(0, 20))
def test_figures_of_any_noised_table_are_rates_or_unknown(table, noise_sd):
    counts = NoisedCounts(table, noise_sd)
    figures = [*counts.confusion.figures().values(), counts.auc, *counts.rates_above(1)]
    for figure in figures:
        assert math.isnan(figure.value) or 0 <= figure.value <= 1
        if not math.isnan(figure.low):
            assert 0 <= figure.low <= figure.high <= 1


@pytest.mark.parametrize(("found", "missed"), [(40, 5), (30, 9), (20, 2), (90, 8)])
@pytest.mark.parametrize("noise_sd", [1.0, 2.0, 4.0])
def test_a_rounded_rate_fits_many_small_counts(found, missed, noise_sd):
    def told(tp, fn):
        return rounded(Confusion(tp, fn, 0, 1, noise_sd).sensitivity)

    shown = told(found, missed)
    fitting = {fn for tp in range(130) for fn in range(20) if tp + fn and told(tp, fn) == shown}
    assert len(fitting) >= 3


@settings(max_examples=50)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_rounding_never_narrows(first, second, third):
    low, value, high = sorted((first, second, third))
    found = rounded(Estimate(value, low, high, "m"))
    assert found.low <= low + 1e-9
    assert found.high >= high - 1e-9
    assert abs(found.value - value) <= 0.05 + 1e-12
    assert found.low == round(found.low, 1)


@pytest.mark.parametrize(
    "table", [np.zeros((2, 3)), np.zeros((3, 2)), np.zeros(4), np.full((2, 2), np.nan)]
)
def test_what_is_no_table_of_counts_is_refused(table):
    with pytest.raises(InputError, match="two labels by an even number"):
        NoisedCounts(table, 1.0)
    with pytest.raises(InputError, match="noise of -1"):
        NoisedCounts(np.zeros((2, 2)), -1)


@pytest.mark.soak
@pytest.mark.parametrize("bins", [2, 4, 8])
@pytest.mark.parametrize(
    ("n_asd", "n_other", "noise_sd"), [(49, 39, 3.95), (140, 124, 3.95), (49, 39, 2.0)]
)
def test_intervals_cover_sampling_and_noise(bins, n_asd, n_other, noise_sd):
    """A fixed classifier, normal scores one and a half standard deviations apart."""
    rng = np.random.default_rng([bins, n_asd])
    edges = np.linspace(-1.2, 1.2, bins + 1)[1:-1]
    chance = [np.diff(norm.cdf([-np.inf, *(edges - mean), np.inf])) for mean in (0.75, -0.75)]
    half = bins // 2
    sensitivity, specificity = chance[0][half:].sum(), chance[1][:half].sum()
    below = np.cumsum(chance[1]) - chance[1] / 2
    called = n_asd * sensitivity + n_other * (1 - specificity)
    truth = {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "accuracy": (n_asd * sensitivity + n_other * specificity) / (n_asd + n_other),
        "f1": 2 * n_asd * sensitivity / (n_asd + called),
        "auc": float(chance[0] @ below),
        "ppv at 10 %": 0.1 * sensitivity / (0.1 * sensitivity + 0.9 * (1 - specificity)),
        "npv at 10 %": 0.9 * specificity / (0.9 * specificity + 0.1 * (1 - sensitivity)),
        "false positive rate at the first edge": 1 - chance[1][0],
    }
    held = dict.fromkeys(truth, 0)
    draws = 1500
    for _ in range(draws):
        exact = np.stack(
            [rng.multinomial(n, p) for n, p in zip((n_asd, n_other), chance, strict=True)]
        )
        counts = NoisedCounts(exact + rng.normal(0, noise_sd, exact.shape), noise_sd)
        (values,) = counts.confusion.predictive_values((0.1,))
        figures = counts.confusion.figures() | {
            "auc": counts.auc,
            "ppv at 10 %": values.ppv,
            "npv at 10 %": values.npv,
            "false positive rate at the first edge": counts.rates_above(1)[1],
        }
        for name, value in truth.items():
            held[name] += figures[name].covers(value)
    coverage = {name: number / draws for name, number in held.items()}
    assert min(coverage.values()) > 0.92, coverage
    assert max(coverage.values()) < 0.99, coverage
