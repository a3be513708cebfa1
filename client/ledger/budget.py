"""What releases cost a participant, and the refusal when a limit does not hold them.

Cost is counted in mu^2: a Gaussian release with noise ``sigma`` and sensitivity ``Delta`` costs
(Delta / sigma)^2, and the costs of adaptively chosen releases add up (Dong, Roth & Su, "Gaussian
Differential Privacy", 2022, Corollary 3.3). Epsilons do not add up and appear only where a person
reads them.
"""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from client.ledger.events import PlannedRelease, ReleaseCreated
from shared.errors import LedgerError
from shared.privacy.accountant import epsilon_of, mu_of

__all__ = ["TOLERANCE", "Limit", "cost", "fits", "refusal", "total"]

TOLERANCE: Final = 1e-9
"""Relative excess over a limit (in mu^2) that counts as rounding. A plan that uses a limit up lands
within a few 1e-16 of it; 1e-9 of mu^2 changes no digit of epsilon that anybody prints. It applies
to the sum over a participant's whole life, so it is granted once and not once for each study."""

_LARGEST_SHOWN_MU: Final = 60.0


@dataclass(frozen=True)
class Limit:
    """A clinic's promise to each child over all studies.

    Attributes
    ----------
    epsilon, delta : float
        Add or remove one participant.

    Raises
    ------
    PrivacyError
        When ``epsilon`` is not a finite number > 0 (or so large that it promises nothing), or
        ``delta`` does not lie in (0, 1).
    """

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        _ = self.mu

    @functools.cached_property
    def mu(self) -> float:
        """The promise as a Gaussian-DP parameter."""
        return mu_of(self.epsilon, self.delta)

    @property
    def mu_squared(self) -> float:
        """The budget, in the unit in which costs add up."""
        return self.mu * self.mu


def cost(release: PlannedRelease | ReleaseCreated) -> float:
    """Mu^2 of one release.

    Raises
    ------
    LedgerError
        When it is too large to be a number.
    """
    mu = release.sensitivity / release.sigma
    squared = mu * mu
    if not math.isfinite(squared):
        raise LedgerError(
            f"mu {mu:g} asked in round {release.round}; it must be a finite number. Ask the "
            "coordinator for a study with more noise"
        )
    return squared


def total(costs: Iterable[float]) -> float:
    """Exactly rounded sum, so that the order of events changes no decision."""
    return math.fsum(costs)


def fits(spent: float, requested: float, limit: Limit) -> bool:
    """Whether ``requested`` more mu^2 stays within the limit, up to :data:`TOLERANCE`.

    Raises
    ------
    LedgerError
        When a number is negative, infinite or not a number.
    """
    for name, value in (("spent mu^2", spent), ("requested mu^2", requested)):
        if not (math.isfinite(value) and value >= 0):
            raise LedgerError(f"{name} {value} asked; it must be a finite number >= 0")
    return spent + requested <= limit.mu_squared * (1 + TOLERANCE)


def refusal(spent: float, requested: float, limit: Limit) -> str:
    """Say that a request does not fit: what was asked, what is left, the gap, what to do.

    Parameters
    ----------
    spent, requested : float
        In mu^2.
    """
    left = max(0.0, limit.mu_squared - spent)
    return (
        f"budget exceeded: requested {_in_words(requested, limit.delta)}, "
        f"remaining {_in_words(left, limit.delta)} "
        f"of mu {_number(limit.mu)} (epsilon {limit.epsilon:.2f}, delta {_delta(limit.delta)}), "
        f"gap in mu^2 {_number(requested - left)}. Ask the coordinator for a study that fits the "
        "remaining budget, or leave out the children whose budget is spent when you approve it"
    )


def _in_words(mu_squared: float, delta: float) -> str:
    mu = math.sqrt(mu_squared)
    epsilon = f"{epsilon_of(mu, delta):.2f}" if mu <= _LARGEST_SHOWN_MU else "beyond any use"
    return f"mu {_number(mu)} (epsilon {epsilon})"


def _number(value: float) -> str:
    # Three decimals read well; a gap smaller than that must not be shown as nothing.
    shown = f"{value:.3f}" if value >= 0.0005 or value == 0 else f"{value:.1e}"
    return shown.removeprefix("0") if shown.startswith("0.") else shown


def _delta(value: float) -> str:
    return f"{value:g}".replace("e-0", "e-")
