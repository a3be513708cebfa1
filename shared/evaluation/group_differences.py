"""Which features differ between the groups: permutation tests, corrected, with effect sizes.

Diagnoses are permuted within clinics, so a difference between clinics (camera, room, age) is never
taken for one between diagnoses. The statistic of a feature is van Elteren's: rank sums within each
clinic, weighted by 1 / (n + 1), standardised by their exact permutation variance. Ranks make it
independent of a feature's scale and of outliers, and the standardised statistics of all features
are comparable, which the maximum over features needs.

Corrections: step-down max-T (Westfall and Young 1993, Algorithm 4.1; Ge, Dudoit and Speed 2003)
controls the chance of a single false finding in the whole family and uses that features hang
together; Benjamini and Hochberg 1995 controls the share of false ones among the findings. p-values
count the observed arrangement as one draw (Phipson and Smyth 2010), so none is 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control, rankdata

from shared.channels import GROUP_CHANNELS
from shared.errors import InputError
from shared.evaluation.effect_sizes import Effects, cliffs_delta, hedges_g, strata_of
from shared.evaluation.plain import plain
from shared.features import FEATURE_CHANNEL

__all__ = [
    "Differences",
    "GroupDifferences",
    "attribute_group_columns",
    "group_differences",
    "step_down_p_values",
]

_FEWEST_DRAWS: Final = 19
_ROUNDING: Final = 1e-9
"""Statistics nearer than this are equal: sums of the same ranks in another order."""


@dataclass(frozen=True, eq=False)
class Differences:
    """What was found for each member of a family of hypotheses (features, or attribute groups).

    Attributes
    ----------
    names : tuple of str
    statistic : ndarray, shape (d,)
        Features: standardised, above 0 where ASD is higher, about N(0, 1) without a difference.
        Groups: root mean square of their features' statistics, about 1 without a difference.
    p : ndarray, shape (d,)
        Two-sided permutation p-value of each alone.
    p_family : ndarray, shape (d,)
        Step-down p-value: at most alpha of all families without any difference have one below
        alpha.
    q : ndarray, shape (d,)
        Benjamini-Hochberg adjusted p-value.
    """

    names: tuple[str, ...]
    statistic: NDArray[np.float64]
    p: NDArray[np.float64]
    p_family: NDArray[np.float64]
    q: NDArray[np.float64]

    def as_json(self) -> dict[str, Any]:
        """Lists by name."""
        return {
            "names": list(self.names),
            "statistic": plain(self.statistic),
            "p": plain(self.p),
            "p_family": plain(self.p_family),
            "q": plain(self.q),
        }


@dataclass(frozen=True, eq=False)
class GroupDifferences:
    """Differences between the diagnostic groups, by feature and by attribute group.

    Attributes
    ----------
    features : Differences
    groups : Differences
    hedges_g, cliffs_delta : Effects
        Of each feature.
    draws : int
        Random permutations, the observed one not counted.
    asd, other : int
        Participants.
    stratified : bool
        Whether diagnoses were permuted within clinics.
    """

    features: Differences
    groups: Differences
    hedges_g: Effects
    cliffs_delta: Effects
    draws: int
    asd: int
    other: int
    stratified: bool

    def as_json(self) -> dict[str, Any]:
        """Nested lists and numbers."""
        return {
            "features": self.features.as_json(),
            "groups": self.groups.as_json(),
            "hedges_g": self.hedges_g.as_json(),
            "cliffs_delta": self.cliffs_delta.as_json(),
            "draws": self.draws,
            "asd": self.asd,
            "other": self.other,
            "stratified": self.stratified,
        }


def attribute_group_columns() -> dict[str, NDArray[np.int64]]:
    """Columns of the feature table that belong to each attribute group."""
    return {
        group: np.flatnonzero(np.isin(FEATURE_CHANNEL, channels))
        for group, channels in GROUP_CHANNELS.items()
    }


def group_differences(
    features: NDArray[np.float64],
    asd: NDArray[np.bool_],
    *,
    names: Sequence[str],
    groups: Mapping[str, ArrayLike],
    clinic: ArrayLike | None = None,
    draws: int = 9999,
    seed: int | Sequence[int] = 0,
) -> GroupDifferences:
    """Test every feature and every attribute group for a difference between the diagnoses.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        NaN where a value is missing.
    asd : ndarray of bool, shape (n,)
    names : sequence of str, length d
    groups : mapping of str to array of int
        Columns of each attribute group, such as ``attribute_group_columns()``.
    clinic : array, shape (n,), optional
        Diagnoses are permuted within it; without it over all participants.
    draws : int
        Random permutations, at least 19.
    seed : int or sequence of int

    Raises
    ------
    InputError
        Shapes do not agree, values are infinite, no clinic has both diagnoses, a group has no
        column, or fewer than 19 draws were asked (no p-value could be 0.05 or less).
    """
    _check(features, asd, names, groups, draws)
    strata = strata_of(asd, clinic)
    order = np.argsort(strata, kind="stable")
    labels, blocks = asd[order], strata[order]
    contrast = _rank_contrast(features[order], labels, blocks)
    rng = np.random.default_rng(seed)
    # Sorting random keys block by block permutes labels within blocks.
    shuffled = labels[np.argsort(rng.random((draws, len(labels))) + blocks, axis=1)]
    permuted = shuffled.astype(np.float64) @ contrast
    observed: NDArray[np.float64] = labels.astype(np.float64) @ contrast
    columns = {name: np.asarray(members) for name, members in groups.items()}
    return GroupDifferences(
        features=_features(tuple(names), observed, permuted),
        groups=_groups(columns, observed, permuted),
        hedges_g=hedges_g(features, asd, clinic),
        cliffs_delta=cliffs_delta(features, asd, clinic),
        draws=draws,
        asd=int(asd.sum()),
        other=int((~asd).sum()),
        stratified=clinic is not None,
    )


def step_down_p_values(
    observed: NDArray[np.float64], permuted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Westfall and Young's step-down max-T p-values.

    Parameters
    ----------
    observed : ndarray, shape (d,)
        Statistics of which large values speak against the hypothesis.
    permuted : ndarray, shape (draws, d)
        The same under permutations that were applied to all columns alike.

    Returns
    -------
    ndarray, shape (d,)
        At least 1 / (draws + 1).
    """
    order = np.argsort(observed, kind="stable")
    # The largest statistic meets the maximum over all, the next over all but the first, ...
    highest = np.maximum.accumulate(permuted[:, order], axis=1)
    reached = (highest >= observed[order] - _ROUNDING).sum(axis=0)
    p = (1.0 + reached) / (len(permuted) + 1)
    # No hypothesis may be rejected before one with a larger statistic.
    stepped = np.maximum.accumulate(p[::-1])[::-1]
    adjusted: NDArray[np.float64] = np.empty_like(stepped)
    adjusted[order] = stepped
    return adjusted


def _features(
    names: tuple[str, ...], observed: NDArray[np.float64], permuted: NDArray[np.float64]
) -> Differences:
    size, sizes = np.abs(observed), np.abs(permuted)
    p = (1.0 + (sizes >= size - _ROUNDING).sum(axis=0)) / (len(permuted) + 1)
    q = false_discovery_control(p)
    return Differences(names, observed, p, step_down_p_values(size, sizes), q)


def _groups(
    columns: Mapping[str, NDArray[Any]],
    observed: NDArray[np.float64],
    permuted: NDArray[np.float64],
) -> Differences:
    """Root mean squares, and step-down min-P: families of different size share no scale."""
    both = np.vstack([observed, permuted])
    energy = np.stack([np.sqrt(np.square(both[:, c]).mean(axis=1)) for c in columns.values()], 1)
    p = rankdata(-np.round(energy, 9), method="max", axis=0) / len(energy)
    return Differences(
        tuple(columns),
        energy[0],
        p[0],
        step_down_p_values(-p[0], -p[1:]),
        false_discovery_control(p[0]),
    )


def _rank_contrast(
    features: NDArray[np.float64], asd: NDArray[np.bool_], strata: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Matrix whose product with 0/1 labels is the standardised van Elteren statistic.

    Within each stratum the ranks are centred and divided by n + 1; a missing value has 0, so it
    moves with its label and says nothing. A column of equal values is 0.
    """
    contrast = np.zeros(features.shape)
    variance = np.zeros(features.shape[1])
    for stratum in np.unique(strata):
        here = strata == stratum
        n, n1 = int(here.sum()), int(asd[here].sum())
        if n1 in (0, n):
            continue
        missing = np.isnan(features[here])
        present = (~missing).sum(axis=0)
        ranks = rankdata(np.where(missing, np.inf, features[here]), axis=0)
        centred = np.where(missing, 0.0, (ranks - (present + 1) / 2) / (present + 1))
        contrast[here] = centred
        # Sampling n1 of n without replacement from values that sum to 0.
        variance += n1 * (n - n1) / (n * (n - 1)) * np.square(centred).sum(axis=0)
    moves = variance > _ROUNDING**2
    scale = np.sqrt(np.where(moves, variance, 1.0))
    return np.where(moves, contrast / scale, 0.0)


def _check(
    features: NDArray[np.float64],
    asd: NDArray[np.bool_],
    names: Sequence[str],
    groups: Mapping[str, ArrayLike],
    draws: int,
) -> None:
    if features.ndim != 2 or features.shape != (len(asd), len(names)):
        raise InputError(
            f"Features have shape {features.shape}; {len(asd)} diagnoses and {len(names)} names "
            "were given. Give one row a participant and one name a column."
        )
    if np.isinf(features).any():
        raise InputError("Features hold infinite values. Compute the features again.")
    if draws < _FEWEST_DRAWS:
        raise InputError(
            f"{draws} permutations asked; at least {_FEWEST_DRAWS} are needed for a p-value of "
            "0.05. Ask for 9999."
        )
    empty = [name for name, members in groups.items() if not np.size(members)]
    if empty or not groups:
        raise InputError(
            f"Attribute groups without any feature: {', '.join(empty) or 'all'}. Leave them out."
        )
