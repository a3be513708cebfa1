"""What an audit found for one promise, and whether the promise stands."""

from dataclasses import dataclass

from shared.privacy.accountant import epsilon_of, mu_of
from simulations.audit.bounds import LowerBounds

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """Claim and lower bounds of one audited training.

    Attributes
    ----------
    path : str
        ``arithmetic``: the product's functions over arrays of runs; ``messages``: every run through
        a clinic's answer and Flower's message.
    epsilon_claim, delta : float
        The promise.
    rounds : int
        Gradient sums of the training.
    sums : int
        All sums opened: gradients, threshold, counts.
    runs : int
        With the canary, and as many without.
    bounds : LowerBounds
        Each with 95 % confidence.
    """

    path: str
    epsilon_claim: float
    delta: float
    rounds: int
    sums: int
    runs: int
    bounds: LowerBounds

    @property
    def mu_claim(self) -> float:
        """The promise as a Gaussian-DP parameter, from the promise alone and not from a plan."""
        return mu_of(self.epsilon_claim, self.delta)

    @property
    def mu_lower(self) -> float:
        """The mechanism is not mu-GDP for a smaller mu."""
        return self.bounds.mu

    @property
    def epsilon_lower(self) -> float:
        """Epsilon at which a Gaussian mechanism of ``mu_lower`` stands."""
        return epsilon_of(self.mu_lower, self.delta)

    @property
    def epsilon_direct(self) -> float:
        """Lower bound on epsilon from the two rates alone, whatever the mechanism."""
        return self.bounds.epsilon

    @property
    def ratio(self) -> float:
        """Lower bound over claim: near one, the audit had the power to find a defect."""
        return self.mu_lower / self.mu_claim

    @property
    def refuted(self) -> bool:
        """Whether the runs contradict the promise."""
        return self.mu_lower > self.mu_claim or self.epsilon_direct > self.epsilon_claim

    def as_json(self) -> dict[str, str | float | int | bool]:
        """Return the numbers under the names a script reads."""
        return {
            "path": self.path,
            "mu_claim": self.mu_claim,
            "mu_lower": self.mu_lower,
            "epsilon_claim": self.epsilon_claim,
            "epsilon_lower": self.epsilon_lower,
            "epsilon_direct": self.epsilon_direct,
            "delta": self.delta,
            "rounds": self.rounds,
            "sums": self.sums,
            "runs": self.runs,
            "refuted": self.refuted,
        }
