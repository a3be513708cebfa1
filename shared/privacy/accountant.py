"""What a set of Gaussian releases costs, exactly.

Every release in a study is full batch and Gaussian, so the cost has a closed form and nothing is
bounded or approximated: releases with noise multipliers sigma_1 ... sigma_T compose to one Gaussian
mechanism with mu = sqrt(sum 1/sigma_r^2) (Dong, Roth & Su, "Gaussian Differential Privacy", 2022,
Corollary 3.3), whose (epsilon, delta) curve is that of Balle & Wang 2018, Theorem 8. Adjacency is
add or remove one participant.
"""

import math
from collections.abc import Iterable

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, ndtri

from shared.errors import PrivacyError

__all__ = [
    "attack_success",
    "composed_mu",
    "delta_of",
    "epsilon_of",
    "mu_of",
]

_LARGEST_MU = 60.0


def delta_of(epsilon: float, mu: float) -> float:
    """Smallest delta for which mu-GDP implies (epsilon, delta)-DP.

    Parameters
    ----------
    epsilon : float
        Privacy loss bound, >= 0.
    mu : float
        Gaussian-DP parameter, > 0; one release with noise multiplier sigma has mu = 1/sigma.

    Returns
    -------
    float
        Phi(-epsilon/mu + mu/2) - exp(epsilon) Phi(-epsilon/mu - mu/2), in [0, 1].

    Raises
    ------
    PrivacyError
        When a number is negative, infinite or not a number.
    """
    _require(epsilon=epsilon, mu=mu)
    if mu == 0:
        return 0.0
    # exp(epsilon) overflows long before its product with the tail does, so multiply in logarithms.
    tail = math.exp(epsilon + float(log_ndtr(-epsilon / mu - mu / 2)))
    return max(0.0, float(ndtr(-epsilon / mu + mu / 2)) - tail)


def epsilon_of(mu: float, delta: float) -> float:
    """Smallest epsilon for which mu-GDP implies (epsilon, delta)-DP; 0 when any epsilon will do.

    Raises
    ------
    PrivacyError
        When ``mu`` is not a finite number >= 0 or ``delta`` does not lie in (0, 1).
    """
    _require(mu=mu)
    _require_delta(delta)
    if mu == 0 or delta_of(0.0, mu) <= delta:
        return 0.0
    # Phi(-epsilon/mu + mu/2) alone bounds delta from above, which brackets the root.
    upper = mu * (mu / 2 - float(ndtri(delta)))
    return float(brentq(lambda e: delta_of(e, mu) - delta, 0.0, upper, xtol=1e-13, rtol=1e-14))


def mu_of(epsilon: float, delta: float) -> float:
    """Largest mu whose releases stay within (epsilon, delta)-DP.

    Raises
    ------
    PrivacyError
        When ``epsilon`` is not a finite number > 0 or ``delta`` does not lie in (0, 1).
    """
    _require(epsilon=epsilon)
    _require_delta(delta)
    if epsilon == 0:
        raise PrivacyError(
            "epsilon 0 asked; a model can only be released with epsilon > 0 (4 or 8 are usual)"
        )
    if delta_of(epsilon, _LARGEST_MU) <= delta:
        raise PrivacyError(
            f"epsilon {epsilon:g} asked; that is no privacy at all (mu above {_LARGEST_MU:g}). "
            "Choose an epsilon of at most 100"
        )
    # mu = 0 costs nothing, so it brackets the root from below however small the promise.
    return float(brentq(lambda mu: delta_of(epsilon, mu) - delta, 0.0, _LARGEST_MU, xtol=1e-14))


def composed_mu(noise_multipliers: Iterable[float]) -> float:
    """Mu of adaptively chosen Gaussian releases about the same participant.

    Parameters
    ----------
    noise_multipliers : iterable of float
        Noise standard deviation of each release in units of its sensitivity, > 0.

    Raises
    ------
    PrivacyError
        When a multiplier is zero, negative or not finite: such a release cannot be composed.
    """
    total = 0.0
    for sigma in noise_multipliers:
        if not (math.isfinite(sigma) and sigma > 0):
            raise PrivacyError(
                f"a release with noise multiplier {sigma} cannot be accounted for; "
                "every release needs a finite multiplier > 0"
            )
        total += sigma**-2
    return math.sqrt(total)


def attack_success(mu: float, false_accusations: float = 0.05) -> float:
    """Return the share of participants the best attacker can name correctly.

    The attacker knows everything except whether this one person took part, and wrongly accuses at
    most ``false_accusations`` of the people who did not: Phi(Phi^-1(alpha) + mu), the trade-off
    function of mu-GDP (Dong, Roth & Su 2022, equation 6).
    """
    return float(ndtr(ndtri(false_accusations) + mu))


def _require(**numbers: float) -> None:
    for name, value in numbers.items():
        if not (np.isfinite(value) and value >= 0):
            raise PrivacyError(f"{name} {value} asked; it must be a finite number >= 0")


def _require_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise PrivacyError(
            f"delta {delta} asked; it must lie between 0 and 1, and well under 1 / participants"
        )
