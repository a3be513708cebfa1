import numpy as np
import pytest

from simulations.verification import delong
from simulations.verification.delong import check_delong, reference_delong


def test_the_reference_by_hand() -> None:
    # Placements of the positives 1, 1/2; of the negatives 1/2, 1.
    areas, covariance = reference_delong(
        np.array([True, True, False, False]), np.array([[4.0, 2.0, 3.0, 1.0]])
    )
    assert areas == [0.75]
    assert covariance == [[pytest.approx(0.125 / 2 + 0.125 / 2)]]


def test_ours_is_the_reference() -> None:
    found = check_delong(300, 0)
    assert all(one.holds for one in found[:4])
    assert found[4].value == pytest.approx(0.05, abs=0.05)


def test_a_wrong_variance_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    true = reference_delong

    def doubled(asd: object, scores: object) -> object:
        areas, covariance = true(asd, scores)  # type: ignore[arg-type]
        return areas, [[2 * value for value in row] for row in covariance]

    monkeypatch.setattr(delong, "reference_delong", doubled)
    assert [one.holds for one in check_delong(100, 0)[:4]] == [True, True, False, False]
