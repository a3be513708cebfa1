import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap
from scipy.stats import t as student_t

from shared.evaluation.estimate import (
    Estimate,
    bca,
    combine,
    normal,
    percentile,
    student,
    unknown,
    wilson,
    wilson_limits,
)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    ours = wilson(*counts)
    theirs = binomtest(*counts).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert ours.covers(ours.value)


@given(st.floats(0, 60), st.floats(0.5, 60), st.floats(0, 8), st.floats(0.01, 5))
def test_more_noise_never_makes_wilson_narrower(
    hits: float, misses: float, noise: float, more: float
) -> None:
    less, wide = (wilson(hits, hits + misses, sd) for sd in (noise, noise + more))
    assert 0 <= wide.low <= less.low + 1e-9
    assert less.high - 1e-9 <= wide.high <= 1


def test_wilson_with_noise_solves_its_equation() -> None:
    n, sd, p_hat = 44.0, 2.5, 37 / 44
    low, high = wilson_limits(37, n, sd)
    for p in (float(low), float(high)):
        variance = p * (1 - p) / n + sd**2 * (p**2 + (1 - p) ** 2) / n**2
        assert abs(p_hat - p) == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-6)


def test_noise_beyond_all_participants_leaves_everything_possible() -> None:
    low, high = wilson_limits(3, 5, 50.0)
    assert (float(low), float(high)) == (0.0, 1.0)


def test_wilson_of_nobody_is_unknown() -> None:
    assert math.isnan(wilson(0, 0).value)
    assert math.isnan(float(wilson_limits(0, 0)[0]))


def test_a_difference_has_newcombes_published_interval() -> None:
    # Newcombe 1998, Stat. Med. 17:873, table II (a): 56/70 - 48/80, method 10.
    apart = combine(((1, wilson(56, 70)), (-1, wilson(48, 80))), "difference")
    assert apart.value == pytest.approx(0.2)
    assert (apart.low, apart.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_normal_and_student_limits() -> None:
    assert normal(1.0, 2.0, "").high == pytest.approx(1 + 1.959964 * 2)
    assert student(1.0, 2.0, 5, "").low == pytest.approx(1 - student_t.ppf(0.975, 5) * 2)
    assert math.isnan(student(1.0, 2.0, 0, "").low)


def test_bootstrap_intervals_are_scipys() -> None:
    rng = np.random.default_rng(0)
    values = rng.exponential(size=40)
    for method in ("percentile", "BCa"):
        theirs = bootstrap((values,), np.mean, method=method, rng=np.random.default_rng(1))
        draws = theirs.bootstrap_distribution
        left_out = (values.sum() - values) / (len(values) - 1)
        ours = (
            bca(values.mean(), draws, left_out)
            if method == "BCa"
            else percentile(values.mean(), draws)
        )
        low, high = theirs.confidence_interval
        assert (ours.low, ours.high) == pytest.approx((low, high), rel=1e-6)


def test_draws_without_a_value_are_left_out() -> None:
    draws = np.array([np.nan, 1.0, 2.0, 3.0])
    assert percentile(2.0, draws).low == pytest.approx(1.05)
    assert math.isnan(percentile(2.0, draws[:1]).low)
    assert math.isnan(bca(2.0, draws[:1], draws[1:]).low)


def test_json_holds_no_nan_and_no_infinity() -> None:
    text = json.dumps(Estimate(0.5, -math.inf, math.nan, "none").as_json(), allow_nan=False)
    assert json.loads(text) == {"value": 0.5, "low": None, "high": None, "method": "none"}
    assert unknown().as_json()["value"] is None


def test_half_width() -> None:
    assert Estimate(0.5, 0.4, 0.7, "").half_width == pytest.approx(0.15)
