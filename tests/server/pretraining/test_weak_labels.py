import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.pretraining.weak_labels import (
    ACTION_UNIT_PROTOTYPES,
    weak_action_units,
    weak_valence_arousal,
)
from shared.channels import ACTION_UNITS, EXPRESSIONS


def pure(name: str) -> np.ndarray:
    return np.eye(8, dtype=np.float32)[[EXPRESSIONS.index(name)]]


def units(name: str) -> dict[int, float]:
    return dict(zip(ACTION_UNITS, weak_action_units(pure(name))[0], strict=True))


def test_prototypes_are_those_of_the_manual():
    joy, surprise, anger = units("joy"), units("surprise"), units("anger")
    assert joy[6] == joy[12] == 1
    assert np.isnan(joy[25])
    assert joy[4] == joy[1] == 0
    assert [number for number, value in surprise.items() if value == 1] == [1, 2, 5, 25, 26]
    assert anger[4] == anger[5] == 1
    assert units("disgust")[9] == 1
    assert all(value in (0, 1) or np.isnan(value) for value in units("fear").values())
    assert not np.nanmax(ACTION_UNIT_PROTOTYPES[0])


def test_coordinates_of_pure_expressions():
    np.testing.assert_allclose(weak_valence_arousal(pure("joy")), [[0.81, 0.51]])
    np.testing.assert_allclose(weak_valence_arousal(pure("sad")), [[-0.63, -0.27]])
    np.testing.assert_allclose(weak_valence_arousal(pure("neutral")), [[0, 0]])
    assert np.isnan(weak_valence_arousal(pure("contempt"))).all()


def test_a_mixture_is_the_mean_of_what_is_known():
    half = (pure("joy") + pure("neutral")) / 2
    np.testing.assert_allclose(weak_valence_arousal(half), [[0.405, 0.255]])
    au12 = ACTION_UNITS.index(12)
    np.testing.assert_allclose(weak_action_units(half)[0, au12], 0.5)
    little_contempt = 0.8 * pure("joy") + 0.2 * pure("contempt")
    np.testing.assert_allclose(weak_valence_arousal(little_contempt), [[0.81, 0.51]], rtol=1e-5)
    assert weak_action_units(little_contempt)[0, au12] == pytest.approx(1)
    much_contempt = 0.7 * pure("joy") + 0.3 * pure("contempt")
    assert np.isnan(weak_valence_arousal(much_contempt)).all()
    assert np.isnan(weak_action_units(much_contempt)[0, au12])


@given(st.lists(st.integers(0, 10), min_size=8, max_size=8).filter(sum))
def test_labels_stay_in_their_ranges(votes):
    distribution = (np.array([votes]) / sum(votes)).astype(np.float32)
    au, va = weak_action_units(distribution), weak_valence_arousal(distribution)
    given_au, given_va = au[np.isfinite(au)], va[np.isfinite(va)]
    assert ((given_au >= -1e-6) & (given_au <= 1 + 1e-6)).all()
    assert (np.abs(given_va) <= 0.82).all()
