"""What the default mechanism promises beside its rivals, measured anew: slow, so in `make soak`."""

import pytest

from simulations.compare.cohorts import CompareProtocol, compare_cohorts
from simulations.compare.mechanisms import DEFAULT
from simulations.compare.results import POOLED, Comparison, Difference, build_comparison
from simulations.reproduce import usable_cores
from simulations.results import Metric

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    protocol = CompareProtocol(epsilons=(8.0, 4.0, 2.0, 1.0), constants=("right",), cohorts=30)
    measured = list(compare_cohorts(protocol, usable_cores()))
    return build_comparison(measured, protocol, command="soak", elapsed_s=0.0)


def _difference(
    comparison: Comparison, first: str, second: str, n: int, epsilon: float, metric: Metric
) -> Difference:
    found = comparison.difference(first, second, n, "right", epsilon, metric)
    assert found is not None
    assert found.mean is not None
    return found


@pytest.mark.parametrize(("epsilon", "largest"), [(8.0, 0.03), (4.0, 0.06), (2.0, 0.10)])
def test_privacy_costs_no_more_f1_than_promised(comparison, epsilon, largest):
    assert _difference(comparison, POOLED, DEFAULT, 88, epsilon, "f1").mean <= largest


# Both see the same rows, and the baseline is tuned for free. At epsilon 4 it has less to lose.
@pytest.mark.parametrize(("epsilon", "smallest"), [(4.0, 0.03), (2.0, 0.05)])
def test_shared_noise_ranks_better_than_tuned_local_training(comparison, epsilon, smallest):
    gap = _difference(comparison, DEFAULT, "fedavg", 88, epsilon, "auc")
    assert gap.mean >= smallest
    assert gap.low > 0


@pytest.mark.parametrize("rival", ["adassp", "local-noise", "fedavg"])
@pytest.mark.parametrize("epsilon", [8.0, 4.0, 2.0, 1.0])
def test_no_rival_ranks_better(comparison, rival, epsilon):
    assert _difference(comparison, DEFAULT, rival, 88, epsilon, "auc").mean > 0


@pytest.mark.parametrize(("epsilon", "left"), [(4.0, 0.01), (2.0, 0.015), (1.0, 0.03)])
def test_the_cost_of_privacy_vanishes_as_a_study_grows(comparison, epsilon, left):
    losses = [
        _difference(comparison, POOLED, DEFAULT, n, epsilon, "auc").mean for n in (88, 264, 968)
    ]
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] <= left
