import json

import numpy as np
import pytest

from shared.errors import InputError
from shared.evaluation.decision_curve import THRESHOLDS, decision_curve, net_benefit

ASD = np.arange(88) < 49


def probabilities() -> np.ndarray:
    rng = np.random.default_rng(0)
    return 1 / (1 + np.exp(-(rng.standard_normal(88) + np.where(ASD, 0.6, -0.6))))


def test_net_benefit_by_hand() -> None:
    called = probabilities() > 0.3
    tp, fp = (ASD & called).sum(), (~ASD & called).sum()
    benefit = net_benefit(ASD, called, 0.3)
    assert benefit.value == pytest.approx(tp / 88 - fp / 88 * 0.3 / 0.7)
    assert benefit.low < benefit.value < benefit.high


def test_the_curve_is_net_benefit_at_each_threshold() -> None:
    curve = decision_curve(ASD, probabilities())
    assert curve.threshold == pytest.approx(THRESHOLDS)
    for k in (0, 20, 44):
        one = net_benefit(ASD, probabilities() > curve.threshold[k], float(curve.threshold[k]))
        assert curve.model[k] == pytest.approx(one.value)
        assert curve.low[k] == pytest.approx(one.low)
        assert curve.high[k] == pytest.approx(one.high)
        everyone = net_benefit(ASD, np.ones(88, dtype=bool), float(curve.threshold[k]))
        assert curve.treat_all[k] == pytest.approx(everyone.value)


def test_calling_nobody_is_worth_nothing() -> None:
    assert net_benefit(ASD, np.zeros(88, dtype=bool), 0.4).value == 0
    curve = decision_curve(ASD, np.zeros(88))
    assert (curve.model == 0).all()
    assert set(curve.as_json()["treat_none"]) == {0.0}  # type: ignore[call-overload]
    json.dumps(curve.as_json(), allow_nan=False)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0])
def test_a_threshold_that_is_none_is_refused(threshold: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        net_benefit(ASD, ASD, threshold)
    with pytest.raises(InputError, match="between 0 and 1"):
        decision_curve(ASD, probabilities(), (0.5, threshold))


def test_lengths_and_classes_are_checked() -> None:
    with pytest.raises(InputError, match="88 labels were given with 2"):
        decision_curve(ASD, np.array([0.5, 0.5]))
    with pytest.raises(InputError, match="with and without ASD"):
        net_benefit(ASD | True, ASD, 0.5)
