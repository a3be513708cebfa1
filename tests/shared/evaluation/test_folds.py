import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.evaluation.folds import stratified_fold


@given(st.integers(2, 40), st.integers(2, 40), st.integers(2, 12), st.integers(0, 99))
def test_folds_are_even_in_size_and_in_both_diagnoses(n_asd, n_non_asd, splits, seed):
    rng = np.random.default_rng(seed)
    asd = rng.permutation(np.arange(n_asd + n_non_asd) < n_asd)
    if splits > min(n_asd, n_non_asd):
        with pytest.raises(InputError, match="folds are possible"):
            stratified_fold(asd, splits, rng)
        return
    fold = stratified_fold(asd, splits, rng)
    for part in (fold, fold[asd], fold[~asd]):
        count = np.bincount(part, minlength=splits)
        assert len(count) == splits
        assert np.ptp(count) <= 1


def test_folds_follow_the_generator():
    asd = np.arange(30) < 14
    one, same, other = (stratified_fold(asd, 5, np.random.default_rng(s)) for s in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_one_fold_or_one_diagnosis_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="1 folds asked"):
        stratified_fold(np.arange(10) < 5, 1, rng)
    with pytest.raises(InputError, match="no folds are possible"):
        stratified_fold(np.ones(10, dtype=bool), 2, rng)
