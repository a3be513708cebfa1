"""Whether the classifier serves all children alike: figures by age band, sex, clinic, device.

Each group's counts and figures stand with intervals, and its sensitivity, specificity and AUC are
set against all other participants of the same variable. Groups are small and many are looked at, so
differences are for noticing, not for concluding. Where the table leaves a clinic, counts under 10
are hidden with every figure that would give one away (``as_json(suppress=True)``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.evaluation.confusion import Confusion, difference
from shared.evaluation.estimate import Estimate
from shared.evaluation.roc import auc
from shared.evaluation.small_cells import SMALLEST_CELL
from shared.evaluation.small_cells import suppress as suppress_table

__all__ = ["Subgroup", "SubgroupTable", "age_bands", "measure_subgroups"]


@dataclass(frozen=True)
class Subgroup:
    """One group of participants.

    Attributes
    ----------
    name : str
    confusion : Confusion
        Its counts; gives sensitivity, specificity, balanced accuracy.
    auc : Estimate
        Unknown where a class is missing.
    against_others : dict
        Differences (group minus all others of the variable) of sensitivity, specificity and AUC;
        unknown where one side is missing.
    """

    name: str
    confusion: Confusion
    auc: Estimate
    against_others: dict[str, Estimate]

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """tp, fn, fp, tn."""
        counted = self.confusion
        return int(counted.tp), int(counted.fn), int(counted.fp), int(counted.tn)

    def as_json(
        self,
        with_asd: Sequence[int | None] | None = None,
        without: Sequence[int | None] | None = None,
    ) -> dict[str, object]:
        """Fields by name.

        Parameters
        ----------
        with_asd, without : sequence of (int or None), optional
            What may be shown of (tp, fn, tp + fn) and of (tn, fp, tn + fp); everything when not
            given. A figure stands only where the counts that it would give away do.
        """
        tp, fn, fp, tn = self.counts
        tp_, fn_, asd = (tp, fn, tp + fn) if with_asd is None else with_asd
        tn_, fp_, non_asd = (tn, fp, tn + fp) if without is None else without
        stands = {
            "sensitivity": tp_ is not None and fn_ is not None,
            "specificity": tn_ is not None and fp_ is not None,
            "auc": asd is not None and non_asd is not None,
        }
        stands["balanced_accuracy"] = stands["sensitivity"] and stands["specificity"]
        figures = {
            "sensitivity": self.confusion.sensitivity,
            "specificity": self.confusion.specificity,
            "balanced_accuracy": self.confusion.balanced_accuracy,
            "auc": self.auc,
        }
        return {
            "name": self.name,
            "participants": None if asd is None or non_asd is None else asd + non_asd,
            "asd": asd,
            "non_asd": non_asd,
            "counts": {"tp": tp_, "fn": fn_, "fp": fp_, "tn": tn_},
            "figures": {
                name: figure.as_json() if stands[name] else None for name, figure in figures.items()
            },
            "against_others": {
                name: apart.as_json() if stands[name] else None
                for name, apart in self.against_others.items()
            },
        }


@dataclass(frozen=True)
class SubgroupTable:
    """The groups of one variable, each participant in one of them.

    Attributes
    ----------
    variable : str
        Such as ``sex``.
    groups : tuple of Subgroup
        In order of their names, or as given to ``age_bands``.
    """

    variable: str
    groups: tuple[Subgroup, ...]

    def as_json(self, *, suppress: bool = False) -> dict[str, object]:
        """Fields by name.

        Parameters
        ----------
        suppress : bool
            True where the table leaves the clinic: counts under 10, those that would give them
            away, and the figures made of them are None.
        """
        if suppress:
            counts = np.asarray([group.counts for group in self.groups])
            # Columns tp, fn and tn, fp: each half by itself, as each participant is in one.
            halves = [suppress_table(counts[:, half]) for half in ([0, 1], [3, 2])]
            groups = [
                group.as_json(*((*half.cells[k], half.row_totals[k]) for half in halves))
                for k, group in enumerate(self.groups)
            ]
        else:
            groups = [group.as_json() for group in self.groups]
        return {
            "variable": self.variable,
            "groups": groups,
            "smallest_cell": SMALLEST_CELL if suppress else None,
        }


def age_bands(
    age_months: NDArray[np.float64], edges: Sequence[float] = (24.0, 36.0, 48.0, 60.0)
) -> tuple[NDArray[np.str_], tuple[str, ...]]:
    """Name the age band of each participant.

    Parameters
    ----------
    age_months : ndarray, shape (n,)
        NaN where unknown.
    edges : sequence of float
        Rising, in months. A child of exactly 24 months belongs to the band that begins there.

    Returns
    -------
    bands : ndarray of str, shape (n,)
        Such as ``24 to under 36 months``; ``unknown`` where the age is.
    order : tuple of str
        All bands from the youngest on, for ``measure_subgroups``.

    Raises
    ------
    InputError
        Edges do not rise.
    """
    if not edges or any(b <= a for a, b in pairwise(edges)):
        raise InputError(f"Age bands {list(edges)} asked; edges must rise. Give months in order.")
    names = [f"under {edges[0]:g} months"]
    names += [f"{a:g} to under {b:g} months" for a, b in pairwise(edges)]
    names += [f"{edges[-1]:g} months and over", "unknown"]
    place = np.searchsorted(np.asarray(edges, dtype=np.float64), age_months, side="right")
    bands = np.asarray(names)[np.where(np.isnan(age_months), len(names) - 1, place)]
    return bands, tuple(names)


def measure_subgroups(
    asd: NDArray[np.bool_],
    score: NDArray[np.float64],
    variables: Mapping[str, NDArray[np.generic]],
    fold: NDArray[np.int64] | None = None,
    order: Mapping[str, Sequence[str]] | None = None,
) -> tuple[SubgroupTable, ...]:
    """Figures of every group of every variable.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    score : ndarray, shape (n,)
        Score minus threshold: above 0 is called ASD.
    variables : mapping of str to ndarray, shape (n,)
        Group of each participant by variable.
    fold : ndarray of int, shape (n,), optional
        As in ``shared.evaluation.roc.auc``.
    order : mapping, optional
        Order of a variable's groups; those not named follow in order of their names.

    Raises
    ------
    InputError
        A variable does not name one group per participant.
    """
    return tuple(
        _table(name, asd, score, groups, fold, (order or {}).get(name, ()))
        for name, groups in variables.items()
    )


def _table(
    variable: str,
    asd: NDArray[np.bool_],
    score: NDArray[np.float64],
    groups: NDArray[np.generic],
    fold: NDArray[np.int64] | None,
    order: Sequence[str],
) -> SubgroupTable:
    if not len(asd) == len(score) == len(groups):
        raise InputError(
            f"Subgroups by {variable}: {len(asd)} labels, {len(score)} scores and {len(groups)} "
            "groups were given. Give one of each per participant."
        )
    labels = groups.astype(str)
    known = list(np.unique(labels))
    names = [name for name in order if name in known]
    names += [name for name in known if name not in names]
    return SubgroupTable(
        variable, tuple(_group(name, asd, score, labels == name, fold) for name in names)
    )


def _group(
    name: str,
    asd: NDArray[np.bool_],
    score: NDArray[np.float64],
    inside: NDArray[np.bool_],
    fold: NDArray[np.int64] | None,
) -> Subgroup:
    counted, areas = [], []
    for rows in (inside, ~inside):
        counted.append(Confusion.of(asd[rows], score[rows] > 0))
        areas.append(auc(asd[rows], score[rows], None if fold is None else fold[rows]))
    mine, others = counted
    return Subgroup(
        name=str(name),
        confusion=mine,
        auc=areas[0],
        against_others={
            "sensitivity": difference(mine.sensitivity, others.sensitivity),
            "specificity": difference(mine.specificity, others.specificity),
            "auc": difference(areas[0], areas[1]),
        },
    )
