import json

import pytest

from shared.privacy import expected_loss as module
from shared.privacy.expected_loss import EXPECTED_LOSS, expected_loss

# Losses that are linear in the logarithms, so that interpolation gives them back.
BUDGETS, SIZES = (1.0, 2.0, 8.0), (40, 160)


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    losses = [
        {"epsilon": epsilon, "participants": size, "f1": 8 / epsilon + size, "auc": epsilon}
        for epsilon in BUDGETS
        for size in SIZES
    ]
    path = tmp_path / "expected_loss.json"
    path.write_text(json.dumps({"provenance": {"data": "made up"}, "losses": losses}))
    monkeypatch.setattr(module, "EXPECTED_LOSS", path)
    module._table.cache_clear()
    yield
    module._table.cache_clear()


def test_measured_places_are_given_back():
    for epsilon in BUDGETS:
        for size in SIZES:
            assert expected_loss(epsilon, size) == (8 / epsilon + size, epsilon, "made up")


def test_between_them_it_is_linear_in_the_logarithms():
    assert expected_loss(4.0, 40).auc == pytest.approx(5.0)  # half way from 2 to 8
    assert expected_loss(1.0, 80).f1 == pytest.approx(8 + 100)  # half way from 40 to 160


@pytest.mark.parametrize(
    ("epsilon", "participants"), [(0.99, 80), (8.1, 80), (4.0, 33), (4.0, 189)]
)
def test_beyond_what_was_measured_nothing_is_guessed(epsilon, participants):
    assert expected_loss(epsilon, participants) is None


def test_a_few_participants_less_than_measured_are_near_enough():
    assert expected_loss(1.0, 36) == expected_loss(1.0, 40)
    assert expected_loss(1.0, 180) == expected_loss(1.0, 160)


def test_the_packaged_table_is_whole_and_says_that_its_cohorts_are_simulated(monkeypatch):
    monkeypatch.setattr(module, "EXPECTED_LOSS", EXPECTED_LOSS)
    module._table.cache_clear()
    for row in json.loads(EXPECTED_LOSS.read_text())["losses"]:
        found = expected_loss(row["epsilon"], row["participants"])
        assert found[:2] == pytest.approx((row["f1"], row["auc"]))
        assert "surrogate" in found.measured_on
    assert expected_loss(4.0, 88) is not None
