"""How far a coefficient can be trusted: sign and size over bootstrap refits of the pooled model.

Participants are drawn with replacement within each diagnosis (and clinic), and the pooled logistic
regression of ``shared.learning.pooled`` is fitted to each draw. Features keep the standardisation
of the whole cohort, so the coefficients of all draws have one unit: log-odds per cohort standard
deviation. All fits run as one stacked Newton iteration.

A stable sign says that these participants agree on it. It does not say that the feature alone
differs between the groups (``group_differences``), nor that it causes anything; the penalty shares
weight among correlated features. With hundreds of features some signs are stable by chance, so the
share that is stable when diagnoses are permuted always stands beside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from shared.errors import InputError
from shared.evaluation.plain import plain
from shared.learning.newton import CONVERGED
from shared.learning.pooled import REGULARISATION_C, train_pooled

__all__ = ["STABLE", "Stability", "bootstrap_coefficients", "coefficient_stability"]

STABLE: Final = 0.95
"""Share of draws with the sign of the fit from which on a page calls a sign stable."""

_MOST_STEPS: Final = 100
_FEWEST_DRAWS: Final = 40
_FITS_AT_ONCE: Final = 50
_PERMUTATIONS: Final = 10
_CHANCE_DRAWS: Final = 100


@dataclass(frozen=True, eq=False)
class Stability:
    """Coefficients of the pooled model with what became of them in bootstrap refits.

    Attributes
    ----------
    names : tuple of str
    coefficient : ndarray, shape (d,)
        Fit on everybody; log-odds of ASD per standard deviation.
    low, high : ndarray, shape (d,)
        2.5 % and 97.5 % percentile over draws.
    same_sign : ndarray, shape (d,)
        Share of draws whose coefficient has the sign of the fit; NaN where that is 0.
    by_chance : float
        Share of features with a stable sign when diagnoses are permuted (within clinics), mean
        over permutations.
    draws : int
    """

    names: tuple[str, ...]
    coefficient: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    same_sign: NDArray[np.float64]
    by_chance: float
    draws: int

    @property
    def stable(self) -> NDArray[np.bool_]:
        """Which signs are stable, shape (d,)."""
        return self.same_sign >= STABLE

    def as_json(self) -> dict[str, Any]:
        """Lists by name; None where not defined."""
        return {
            "names": list(self.names),
            "coefficient": plain(self.coefficient),
            "low": plain(self.low),
            "high": plain(self.high),
            "same_sign": plain(self.same_sign),
            "stable_from": STABLE,
            "stable": int(self.stable.sum()),
            "stable_by_chance": self.by_chance,
            "draws": self.draws,
        }


def coefficient_stability(
    features: NDArray[np.float64],
    asd: NDArray[np.bool_],
    *,
    names: Sequence[str],
    clinic: ArrayLike | None = None,
    c: float = REGULARISATION_C,
    draws: int = 500,
    seed: int | Sequence[int] = 0,
) -> Stability:
    """Fit the pooled model and refit it to bootstrap draws of participants.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        NaN where a value is missing; it counts as the mean.
    asd : ndarray of bool, shape (n,)
    names : sequence of str, length d
    clinic : array, shape (n,), optional
        Participants are drawn within it and their diagnosis.
    c : float
        Inverse strength of the L2 penalty.
    draws : int
        At least 40, so that a percentile of 2.5 % exists.
    seed : int or sequence of int

    Raises
    ------
    InputError
        Shapes do not agree, only one diagnosis is there, ``c`` is not positive, or too few draws
        were asked.
    """
    if features.shape != (len(asd), len(names)):
        raise InputError(
            f"Features have shape {features.shape}; {len(asd)} diagnoses and {len(names)} names "
            "were given."
        )
    if draws < _FEWEST_DRAWS:
        raise InputError(
            f"{draws} bootstrap draws asked; at least {_FEWEST_DRAWS} are needed for a percentile "
            "of 2.5 %. Ask for 500."
        )
    rng = np.random.default_rng(seed)
    place = (
        np.zeros(len(asd), dtype=np.int64)
        if clinic is None
        else np.unique(np.asarray(clinic), return_inverse=True)[1].astype(np.int64)
    )
    model = train_pooled(features, asd, c)
    standard = np.nan_to_num((features - model.mean) / model.scale, nan=0.0)
    drawn = bootstrap_coefficients(standard, asd, _draw_counts(asd, place, draws, rng), c)
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    chance = []
    for _ in range(_PERMUTATIONS):
        permuted = _permuted(asd, place, rng)
        whole = np.ones((1, len(asd)))
        counts = _draw_counts(permuted, place, min(draws, _CHANCE_DRAWS), rng)
        fits = bootstrap_coefficients(standard, permuted, np.vstack([whole, counts]), c)
        chance.append(float((_same_sign(fits[0], fits[1:]) >= STABLE).mean()))
    return Stability(
        names=tuple(names),
        coefficient=model.coefficients,
        low=low,
        high=high,
        same_sign=_same_sign(model.coefficients, drawn),
        by_chance=float(np.mean(chance)),
        draws=draws,
    )


def bootstrap_coefficients(
    standard: NDArray[np.float64],
    asd: NDArray[np.bool_],
    counts: NDArray[np.float64],
    c: float = REGULARISATION_C,
) -> NDArray[np.float64]:
    """Penalised logistic regression for many weightings of the same rows.

    Parameters
    ----------
    standard : ndarray, shape (n, d)
        Standardised rows without missing values.
    asd : ndarray of bool, shape (n,)
    counts : ndarray, shape (draws, n)
        How often each row stands in each draw; both diagnoses must occur in every draw.
    c : float
        Inverse strength of the L2 penalty |w|^2 / (2 c); the intercept is free.

    Returns
    -------
    ndarray, shape (draws, d)

    Notes
    -----
    With more features than rows every solution lies in the span of the rows, so the rows are
    rotated into it once for all draws.
    """
    rows, rotation = standard, None
    if standard.shape[1] > len(standard):
        left, singular, rotation = np.linalg.svd(standard, full_matrices=False)
        rows = left * singular
    blocks = np.array_split(counts, max(1, -(-len(counts) // _FITS_AT_ONCE)))
    fitted = np.concatenate([_newton(rows, asd, block, c) for block in blocks])
    return fitted if rotation is None else fitted @ rotation


def _newton(
    rows: NDArray[np.float64], asd: NDArray[np.bool_], counts: NDArray[np.float64], c: float
) -> NDArray[np.float64]:
    """Damped Newton steps of all draws at once; a draw's step is halved while it overshoots."""
    design = np.hstack([rows, np.ones((len(rows), 1))])
    penalty = np.full(design.shape[1], 1 / c)
    penalty[-1] = 0.0
    weights = np.zeros((len(counts), design.shape[1]))
    sign = np.where(asd, -1.0, 1.0)

    def losses(at: NDArray[np.float64]) -> NDArray[np.float64]:
        terms = counts * np.logaddexp(0.0, sign * (at @ design.T))
        total: NDArray[np.float64] = terms.sum(axis=1) + (at**2 * penalty).sum(axis=1) / 2
        return total

    loss = losses(weights)
    for _ in range(_MOST_STEPS):
        likely = expit(weights @ design.T)
        gradient = (counts * (likely - asd)) @ design + penalty * weights
        curvature = counts * likely * (1 - likely)
        hessian = (design.T * curvature[:, None, :]) @ design + np.diag(penalty)
        # As in shared.learning.newton: keeps an intercept without curvature solvable.
        hessian[:, -1, -1] += 1e-12
        step = -np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        size = np.ones(len(counts))
        while True:
            moved = weights + size[:, None] * step
            moved_loss = losses(moved)
            over = (moved_loss > loss + 1e-9 * np.abs(loss)) & (size >= 1e-3)
            if not over.any():
                break
            size[over] /= 2
        weights, loss = moved, moved_loss
        if float(np.abs(size[:, None] * step).max()) <= CONVERGED:
            break
    return weights[:, :-1]


def _same_sign(fitted: NDArray[np.float64], drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    # A feature that never varies has the coefficient 0 up to rounding: no sign to be stable.
    none = np.abs(fitted) <= CONVERGED
    share: NDArray[np.float64] = (np.sign(drawn) == np.sign(fitted)).mean(axis=0)
    return np.where(none, np.nan, share)


def _permuted(
    asd: NDArray[np.bool_], place: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Diagnoses permuted within clinics."""
    order = np.argsort(place, kind="stable")
    shuffled = np.empty_like(asd)
    shuffled[order] = asd[np.argsort(rng.random(len(asd)) + place)]
    return shuffled


def _draw_counts(
    asd: NDArray[np.bool_], place: NDArray[np.int64], draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """How often each participant is drawn, within diagnosis and clinic, shape (draws, n)."""
    cells = 2 * place + asd
    counts = np.zeros((draws, len(asd)))
    for cell in np.unique(cells):
        members = np.flatnonzero(cells == cell)
        counts[:, members] = rng.multinomial(
            len(members), np.full(len(members), 1 / len(members)), size=draws
        )
    return counts
