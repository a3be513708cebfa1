import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from simulations.folds import stratified_folds


@given(n_asd=st.integers(10, 60), n_other=st.integers(10, 60), seed=st.integers(0, 99))
def test_folds_are_stratified_and_do_not_depend_on_row_order(n_asd, n_other, seed):
    asd = np.arange(n_asd + n_other) < n_asd
    names = [f"P{i}" for i in range(asd.size)]
    fold = stratified_folds(asd, names, seed=seed)
    for label, n in ((True, n_asd), (False, n_other)):
        counts = np.bincount(fold[asd == label], minlength=10)
        assert counts.sum() == n
        assert counts.max() - counts.min() <= 1
    order = np.random.default_rng(seed).permutation(asd.size)
    again = stratified_folds(asd[order], [names[i] for i in order], seed=seed)
    np.testing.assert_array_equal(again, fold[order])


def test_rows_of_a_participant_stay_together_and_seeds_differ():
    asd = np.repeat(np.arange(30) < 15, 3)
    names = [f"P{i // 3}" for i in range(90)]
    fold = stratified_folds(asd, names, n_splits=5)
    assert (fold.reshape(30, 3) == fold[::3, None]).all()
    assert (fold != stratified_folds(asd, names, n_splits=5, seed=1)).any()


def test_two_labels_or_too_many_folds_are_refused():
    asd = np.arange(20) < 10
    with pytest.raises(InputError, match="different labels"):
        stratified_folds(asd, ["a"] * 20)
    with pytest.raises(InputError, match="2 to 10"):
        stratified_folds(asd, [str(i) for i in range(20)], n_splits=11)
    with pytest.raises(InputError, match="1 folds"):
        stratified_folds(asd, [str(i) for i in range(20)], n_splits=1)
