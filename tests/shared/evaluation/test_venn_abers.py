import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from shared.errors import InputError
from shared.evaluation.venn_abers import VennAbers, held_out_venn_abers


def isotonic(score, asd, new, label):
    """Fit of scikit-learn with the new child added, read at its score."""
    scores, labels = np.append(score, new), np.append(asd, label).astype(float)
    return IsotonicRegression().fit(scores, labels).predict([new])[0]


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_both_probabilities_are_isotonic_fits_with_the_child_added(seed, ties):
    rng = np.random.default_rng(seed)
    score, asd, new = rng.standard_normal(15), rng.random(15) < 0.5, rng.standard_normal(4)
    if ties:
        score, new = np.round(score), np.round(new)
    low, high = VennAbers(score, asd).interval(new)
    np.testing.assert_allclose(low, [isotonic(score, asd, x, 0) for x in new], atol=1e-9)
    np.testing.assert_allclose(high, [isotonic(score, asd, x, 1) for x in new], atol=1e-9)
    assert (low < high).all()
    merged = VennAbers(score, asd).probability(new)
    assert ((merged >= low - 1e-12) & (merged <= high + 1e-12)).all()


def test_more_calibration_children_narrow_the_interval():
    rng = np.random.default_rng(0)
    widths = []
    for n in (20, 2000):
        asd = rng.random(n) < 0.5
        low, high = VennAbers(rng.normal(asd, 1.0), asd).interval(np.linspace(-1, 2, 20))
        widths.append((high - low).mean())
    assert widths[1] < widths[0] / 5


def test_held_out_intervals_use_the_other_folds():
    rng = np.random.default_rng(1)
    score, asd, fold = rng.standard_normal(30), rng.random(30) < 0.5, np.arange(30) % 3
    low, high = held_out_venn_abers(score, asd, fold)
    wanted = VennAbers(score[fold != 1], asd[fold != 1]).interval(score[fold == 1])
    np.testing.assert_array_equal([low[fold == 1], high[fold == 1]], wanted)


@pytest.mark.parametrize("score", [[], [np.nan], [0.0, 1.0]])
def test_faulty_scores_are_said(score):
    with pytest.raises(InputError, match="one finite score"):
        VennAbers(np.array(score), np.zeros(min(len(score), 1), dtype=bool))


def test_one_fold_is_too_few():
    with pytest.raises(InputError, match="at least two are needed"):
        held_out_venn_abers(np.zeros(3), np.array([True, False, True]), np.zeros(3, dtype=int))
