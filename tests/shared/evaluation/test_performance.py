import json

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import InputError
from shared.evaluation.calibration import brier
from shared.evaluation.metrics import classification_metrics
from shared.evaluation.performance import Performance, measure_performance

ASD = np.arange(88) < 49
CLINIC = np.arange(88) % 4


def score(seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(88) + np.where(ASD, 0.6, -0.6)


def measured(**options: object) -> Performance:
    values = score()
    return measure_performance(
        ASD,
        values,
        1 / (1 + np.exp(-values)),
        CLINIC,
        draws=200,
        **options,  # type: ignore[arg-type]
    )


def test_everything_is_there_and_is_json() -> None:
    found = measured()
    assert (found.participants, found.asd, found.non_asd, found.folds) == (88, 49, 39, 1)
    assert set(found.figures()) == {
        *("sensitivity", "specificity", "f1", "balanced_accuracy", "accuracy", "ppv", "npv", "auc")
    }
    for name, value in classification_metrics(ASD, score()).items():
        assert found.figures()[name].value == pytest.approx(value)
    assert found.calibration is not None
    assert found.calibration.brier == brier(ASD, 1 / (1 + np.exp(-score())))
    json.dumps(found.as_json(), allow_nan=False)


def test_folds_judge_ranking_within_them() -> None:
    fold = np.arange(88) % 11
    found = measured(fold=fold)
    assert found.folds == 11
    expected = classification_metrics(ASD, score(), fold)["auc"]
    assert found.auc.value == pytest.approx(expected)
    assert found.by_clinic["auc"].value == pytest.approx(expected)


def test_the_seed_decides_and_nothing_else() -> None:
    assert measured(seed=3).as_json() == measured(seed=3).as_json()
    assert measured(seed=3).as_json() != measured(seed=4).as_json()


def test_clinics_that_differ_widen_the_interval_over_clinics() -> None:
    alike = measured().by_clinic["sensitivity"]
    apart = measure_performance(ASD, score() + np.array([-2, -1, 1, 2])[CLINIC], clinic=CLINIC)
    assert apart.by_clinic["sensitivity"].half_width > 2 * alike.half_width
    assert alike.value == measured().confusion.sensitivity.value


def test_two_clinics_have_no_interval_over_clinics() -> None:
    assert not measure_performance(ASD, score(), clinic=CLINIC % 2, draws=50).by_clinic


def test_scores_alone_do() -> None:
    found = measure_performance(ASD, score(), draws=50).as_json()
    assert found["calibration"] is found["decision_curve"] is None
    assert found["by_clinic"] == {}


def test_input_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="with and without ASD"):
        measure_performance(np.ones(4, dtype=bool), np.arange(4.0))
    with pytest.raises(InputError, match="88 labels were given with 2 clinics"):
        measure_performance(ASD, score(), clinic=np.array([0, 1]), draws=50)
