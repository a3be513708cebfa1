"""From a privacy promise to rounds, step and noise, by public numbers alone.

Every clinic derives the same plan from the study, so nobody has to be believed. The rule: a
gradient method started at zero with step 1/L of the logistic loss on the public people, stopped
after a total step that grows as the noise falls; 92 % of the squared budget goes to the direction
and 8 % to the threshold. Counts by label and score, where a study asks for them, take their share
before that: see :func:`evaluation_share`.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Final, Literal, NamedTuple

from shared.errors import PrivacyError
from shared.privacy.accountant import composed_mu, epsilon_of, mu_of
from shared.privacy.grid import GRID
from shared.privacy.secure_sum import check_no_overflow

__all__ = [
    "CLIPPING_NORM",
    "Plan",
    "PlannedRelease",
    "ReleaseKind",
    "evaluation_share",
    "make_plan",
]

CLIPPING_NORM: Final = 0.5
"""Bound on one participant's gradient. Rows have norm <= 1, so every gradient at zero is at most
this long; a smaller bound only loses signal, a larger one only adds noise."""

_ROUNDS_RANGE = (4, 64)
_LARGEST_TOTAL_STEP = 512.0
_STEP_PER_SIGNAL = 0.5
"""Total step over participants times mu. Like the shares below it was chosen on surrogate cohorts
that no reported figure uses (seeds 2000 to 2039, with constants of right and wrong populations),
and changed little on the heart-disease data of four hospitals."""
_THRESHOLD_SHARE = 0.08
_EVALUATION_SHARES = (0.10, 0.20)
_NOISE_AS_SAMPLING = 0.3
_SMALLEST_EPSILON_WITH_THRESHOLD = 0.5
_SMALLEST_REST = 1e-6

ReleaseKind = Literal["gradient", "threshold", "evaluation"]


class PlannedRelease(NamedTuple):
    """One noised sum of a study.

    Attributes
    ----------
    round : int
        From 1, over all kinds.
    kind : ReleaseKind
    sigma : float
        Noise multiplier of the opened sum; its sensitivity is 1.
    """

    round: int
    kind: ReleaseKind
    sigma: float


@dataclass(frozen=True)
class Plan:
    """Rounds, steps and noise of one study; a pure function of public numbers.

    Attributes
    ----------
    epsilon, delta : float
        The promise; of a successor study, the promise it shares with its parents.
    mu : float
        What this study may spend of it, as a Gaussian-DP parameter.
    rounds : int
        Gradient sums opened.
    step : float
        Step size of each, on the mean loss over ``participants``.
    sigma_gradient : float
        Noise multiplier of each gradient sum (sensitivity 1).
    sigma_threshold, sigma_evaluation : float or None
        Noise multiplier of the threshold sum and of each count by label and score; None when not
        released.
    evaluation_bins : int
        Score bins of those counts; 0 when not released.
    participants, clinics, collusion_margin : int
        The declared enrolment, the roster size and the clinics that may collude.
    """

    epsilon: float
    delta: float
    mu: float
    rounds: int
    step: float
    sigma_gradient: float
    sigma_threshold: float | None
    sigma_evaluation: float | None
    evaluation_bins: int
    participants: int
    clinics: int
    collusion_margin: int

    @property
    def releases(self) -> tuple[PlannedRelease, ...]:
        """All noised sums in the order in which they are opened."""
        planned = [
            PlannedRelease(number, "gradient", self.sigma_gradient)
            for number in range(1, self.rounds + 1)
        ]
        if self.sigma_threshold is not None:
            planned.append(PlannedRelease(len(planned) + 1, "threshold", self.sigma_threshold))
        if self.sigma_evaluation is not None:
            planned.append(PlannedRelease(len(planned) + 1, "evaluation", self.sigma_evaluation))
        return tuple(planned)

    @property
    def exchanges(self) -> int:
        """Noised sums opened in the whole study."""
        return len(self.releases)

    @property
    def digest(self) -> str:
        """SHA-256 of the plan's numbers; the same at every party."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def spent_mu(self) -> float:
        """Mu of all releases together, recomputed from the noise they carry."""
        return composed_mu(release.sigma for release in self.releases)

    def training_epsilon(self) -> float:
        """Epsilon whose whole budget would train like this plan: less the evaluation's share."""
        if self.sigma_evaluation is None:
            return self.epsilon
        left = 1 - (self.sigma_evaluation * self.mu) ** -2
        return epsilon_of(mu_of(self.epsilon, self.delta) * math.sqrt(left), self.delta)


def make_plan(
    *,
    epsilon: float,
    delta: float,
    participants: int,
    clinics: int,
    collusion_margin: int,
    top_eigenvalue: float,
    with_threshold: bool,
    rounds: int | None = None,
    evaluation_bins: int = 0,
    spent_mu2: float = 0.0,
) -> Plan:
    """Plan a private training.

    Parameters
    ----------
    epsilon, delta : float
        Promise for the whole training, add or remove one participant.
    participants : int
        Declared enrolment, a public constant rather than a count of the data.
    clinics : int
        Roster size, at least 2.
    collusion_margin : int
        Clinics that may side with the server without weakening the promise.
    top_eigenvalue : float
        Largest eigenvalue of the mean outer product of the public people's unit vectors, in
        (0, 1]; 1 where only ranges are public.
    with_threshold : bool
        Whether the feature map asks for a threshold release. At epsilon <= 0.5 none is made:
        its noise would cost more than the threshold gains.
    rounds : int, optional
        Gradient sums, instead of as many as the rule gives. With 1, leave-one-out scores follow
        from the release itself.
    evaluation_bins : int
        Score bins of the noised counts by label and score that are released at the end; 0 for
        none.
    spent_mu2 : float
        Squared mu that the parents of a successor study have spent of the same promise.

    Raises
    ------
    PrivacyError
        When the promise or the roster cannot be planned for.
    """
    if participants < 1:
        raise PrivacyError(f"{participants} participants declared; at least 1 is needed")
    if clinics < 2 or not 0 <= collusion_margin < clinics:
        raise PrivacyError(
            f"{clinics} clinics with {collusion_margin} of them colluding cannot share noise; "
            "a joint training needs at least 2 clinics, and fewer colluders than clinics"
        )
    if not 0 < top_eigenvalue <= 1 + 1e-9:
        raise PrivacyError(
            f"top eigenvalue {top_eigenvalue} of the public constants is not in (0, 1]; "
            "rebuild the constants"
        )
    if delta >= 1 / participants:
        raise PrivacyError(
            f"delta {delta:g} asked for {participants} participants; it must stay well under "
            f"1/{participants} = {1 / participants:.2g}, or the promise is empty"
        )
    if rounds is not None and not 1 <= rounds <= _ROUNDS_RANGE[1]:
        raise PrivacyError(f"{rounds} rounds asked; choose 1 to {_ROUNDS_RANGE[1]}")
    whole = mu_of(epsilon, delta)
    # A rounding error of a promise that is used up is no budget.
    if not 0 <= spent_mu2 < (1 - _SMALLEST_REST) * whole**2:
        raise PrivacyError(
            f"earlier studies spent mu^2 {spent_mu2:.3f} of {whole**2:.3f}; nothing is left for a "
            "successor"
        )
    mu = math.sqrt(whole**2 - spent_mu2)
    threshold = with_threshold and epsilon > _SMALLEST_EPSILON_WITH_THRESHOLD
    share = evaluation_share(evaluation_bins, participants, mu)
    training = mu * math.sqrt(1 - share) if share else mu
    direction_share = 1 - _THRESHOLD_SHARE if threshold else 1.0

    largest_step = 4 / top_eigenvalue
    total_step = min(_STEP_PER_SIGNAL * participants * mu, _LARGEST_TOTAL_STEP)
    low, high = _ROUNDS_RANGE
    if rounds is None:
        rounds = min(max(math.ceil(total_step / largest_step), low), high)
    plan = Plan(
        epsilon=epsilon,
        delta=delta,
        mu=mu,
        rounds=rounds,
        step=min(largest_step, total_step / rounds),
        sigma_gradient=math.sqrt(rounds / direction_share) / training,
        sigma_threshold=1 / (training * math.sqrt(_THRESHOLD_SHARE)) if threshold else None,
        sigma_evaluation=1 / (mu * math.sqrt(share)) if share else None,
        evaluation_bins=evaluation_bins,
        participants=participants,
        clinics=clinics,
        collusion_margin=collusion_margin,
    )
    if plan.spent_mu() > mu * (1 + 1e-9):
        raise PrivacyError("the planned releases cost more than the promise; this is a defect")
    inflation = math.sqrt(clinics / (clinics - collusion_margin))
    check_no_overflow(participants, max(r.sigma for r in plan.releases) * inflation, GRID)
    return plan


def evaluation_share(bins: int, participants: int, mu: float) -> float:
    """Share of the squared budget that the counts by label and score take.

    A tenth for right and wrong calls. A rate over more bins sums the noise of bins / 2 cells on
    either side; the counts then take what makes that noise no larger than the sampling error. With
    s = 0.75 of N / 2 participants called rightly, sigma^2 (bins/2) (s^2 + (1-s)^2) = s (1-s) N/2,
    or sigma^2 = 0.3 N / bins. Never below a tenth, and never above a fifth: beyond that the model
    would suffer more than its evaluation gains.

    Parameters
    ----------
    bins : int
        0 for no counts.
    participants : int
        Declared enrolment N.
    mu : float
        What the study may spend.

    Returns
    -------
    float
        In [0, 0.2].
    """
    least, most = _EVALUATION_SHARES
    if bins <= 2:
        return least if bins else 0.0
    needed = bins / (_NOISE_AS_SAMPLING * participants * mu**2)
    return min(max(needed, least), most)
