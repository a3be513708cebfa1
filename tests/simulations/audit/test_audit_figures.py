"""The figures the audit promises: slow, so run by `make soak`."""

import pytest

from simulations.audit import audit_arithmetic, rounds_to_audit
from simulations.audit.whole_path import audit_messages

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

DELTA = 1e-5


@pytest.mark.parametrize("epsilon", [1.0, 2.0, 4.0, 8.0])
def test_every_promise_stands_and_the_audit_comes_close_to_it(epsilon):
    for rounds in rounds_to_audit(epsilon, DELTA):
        found = audit_arithmetic(epsilon, DELTA, runs=500_000, seed=0, rounds=rounds)
        print(found.as_json())
        assert not found.refuted
        assert found.mu_lower <= found.mu_claim
        assert found.ratio >= 0.9


def test_the_whole_path_stands():
    """A thousand runs a side: the bound is expected at three quarters of the claim, +- .2."""
    for rounds in rounds_to_audit(4.0, DELTA):
        found = audit_messages(4.0, DELTA, runs=1000, seed=0, rounds=rounds)
        print(found.as_json())
        assert not found.refuted
        assert found.ratio >= 0.5
