"""One participant that is as visible as it can be, and the coalition that looks for it.

The canary's gradient is a thousand times longer than any real one, so only the clip bounds what it
does to a sum; it is inserted before the clip, in every round, and its threshold score is far out.
The coalition knows everything but whether the canary takes part: its direction, every other
participant, and the noise shares of the clinics that side with the server. It takes all of that off
each opened sum. What is left is the canary, or not, under the noise of the honest clinics, and the
likelihood ratio of all sums of a training together is the best test there is (Neyman and Pearson).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.privacy.grid import GRID
from shared.privacy.planner import Plan, PlannedRelease
from simulations.audit.mechanism import Mechanism

__all__ = ["CANARY_NORM", "log_likelihood_ratios"]

CANARY_NORM: Final = 1000.0
"""Length of the canary's gradient; the product's rows allow at most 1, and clip at 1/2."""

_BYSTANDERS: Final = 4  # known participants in every clinic, enough to betray a centring
_COORDINATES: Final = 2
_CHUNK: Final = 20_000  # runs at a time, so that the arrays stay in the processor's cache


class _Parts(NamedTuple):
    """One release, before noise, of all runs.

    Attributes
    ----------
    known : ndarray of int64, shape (clinics, k)
        The bystanders' sums, which the coalition knows.
    canary_clinic : ndarray of int64, shape (runs, k) or (k,)
        The sum of the canary's clinic as it is.
    signature : ndarray, shape (runs, k) or (k,)
        What the canary should add, in units of the sensitivity.
    """

    known: NDArray[np.int64]
    canary_clinic: NDArray[np.int64]
    signature: NDArray[np.float64]


def log_likelihood_ratios(
    mechanism: Mechanism,
    plan: Plan,
    runs: int,
    *,
    present: bool,
    colluders: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Run trainings with or without the canary; how much each speaks for its presence.

    Parameters
    ----------
    mechanism : Mechanism
    plan : Plan
    runs : int
        Trainings; all sums of one are seen together.
    present : bool
        Whether the canary takes part.
    colluders : int
        Clinics, other than the canary's, whose noise the coalition knows.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (runs,)
        Logarithm of the likelihood ratio under the planned noise.
    """
    starts = range(0, runs, _CHUNK)
    return np.concatenate(
        [
            _chunk(mechanism, plan, min(_CHUNK, runs - start), present, colluders, rng)
            for start in starts
        ]
    )


def _chunk(
    mechanism: Mechanism,
    plan: Plan,
    runs: int,
    present: bool,
    colluders: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    evidence = np.zeros(runs)
    for release in mechanism.releases(plan):
        parts = _parts(mechanism, release, plan, runs, present, rng)
        seen = _coalition_view(mechanism, plan, release, parts, runs, colluders, rng) / GRID
        match = (parts.signature * seen).sum(axis=-1)
        evidence += (match - np.square(parts.signature).sum(axis=-1) / 2) / release.sigma**2
    return evidence


def _coalition_view(
    mechanism: Mechanism,
    plan: Plan,
    release: PlannedRelease,
    parts: _Parts,
    runs: int,
    colluders: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """The opened sums less everything the coalition knows, shape (runs, k)."""
    shape = (plan.clinics, runs, parts.known.shape[1])
    variance = mechanism.share_variance(release.sigma, GRID, plan.clinics, plan.collusion_margin)
    values = mechanism.noise(variance, shape, rng)
    known = values[:colluders].sum(axis=0) + parts.known.sum(axis=0)
    values += parts.known[:, None, :]
    values[-1] += parts.canary_clinic - parts.known[-1]
    masks = rng.integers(0, 2**64, shape, dtype=np.uint64)
    masks[-1] -= masks.sum(axis=0, dtype=np.uint64)  # pairwise masks cancel over the roster
    messages = np.stack([mechanism.seal(*clinic) for clinic in zip(values, masks, strict=True)])
    unexplained: NDArray[np.int64] = mechanism.add(messages) - known
    return unexplained


def _parts(
    mechanism: Mechanism,
    release: PlannedRelease,
    plan: Plan,
    runs: int,
    present: bool,
    rng: np.random.Generator,
) -> _Parts:
    clinics, bins = plan.clinics, plan.evaluation_bins
    if release.kind == "gradient":
        return _gradient_parts(mechanism, clinics, runs, present, rng)
    asd = np.arange(_BYSTANDERS) % 2 == 0
    scores = rng.uniform(-1.5, 1.5, (clinics, _BYSTANDERS))
    canary_scores, canary_asd = np.append(scores[-1], CANARY_NORM), np.append(asd, False)
    members = slice(None) if present else slice(-1)
    if release.kind == "threshold":
        each = mechanism.quantise_scores(scores, np.tile(asd, (clinics, 1)))
        own = mechanism.quantise_scores(canary_scores[members], canary_asd[members])
        return _Parts(each.sum(axis=1, keepdims=True), own.sum(keepdims=True), np.ones(1))
    counted = [mechanism.count_cells(row, asd, bins) for row in scores]
    own = mechanism.count_cells(canary_scores[members], canary_asd[members], bins)
    cell = np.eye(2 * bins)[bins]  # not ASD, highest scores
    return _Parts(np.stack(counted), own, cell)


def _gradient_parts(
    mechanism: Mechanism, clinics: int, runs: int, present: bool, rng: np.random.Generator
) -> _Parts:
    bystanders = rng.uniform(-0.7, 0.7, (clinics, _BYSTANDERS, _COORDINATES))
    angle = rng.uniform(0, 2 * np.pi, runs)
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    cohort = np.empty((runs, _BYSTANDERS + present, _COORDINATES))
    cohort[:, :_BYSTANDERS] = bystanders[-1]
    if present:
        cohort[:, -1] = CANARY_NORM * direction
    return _Parts(
        known=mechanism.quantise_gradients(bystanders).sum(axis=1),
        canary_clinic=mechanism.quantise_gradients(cohort).sum(axis=1),
        signature=direction,
    )
