"""How much better a classifier looks when it is judged by what it was made from.

Three figures of one recipe (choose combination and penalty, fit), from most to least flattered:

* apparent: fitted and judged on the same participants;
* chosen on its test folds: cross-validated, but the combination is the one that came out best, the
  figure a paper reports when inputs are chosen by their cross-validated result;
* nested: every choice made without the tested participants.

Optimism is what is lost on the way to nested (Steyerberg et al. 2001; Cawley & Talbot 2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.channels import all_combinations, combination_name
from shared.evaluation.cross_validated import CvMetric, cross_validated
from shared.evaluation.estimate import Estimate
from shared.evaluation.nested import (
    C_GRID,
    INNER_FOLDS,
    Chooser,
    Combination,
    Nested,
    attribute_columns,
)

__all__ = ["Optimism", "apparent_score", "measure_optimism"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Optimism:
    """One metric, judged in three ways.

    Attributes
    ----------
    metric : {"auc", "balanced_accuracy"}
    apparent : float
    chosen_on_test : float
        Best combination's cross-validated figure.
    best_combination : str
        Which one that was.
    nested : Estimate
    """

    metric: CvMetric
    apparent: float
    chosen_on_test: float
    best_combination: str
    nested: Estimate

    @property
    def optimism(self) -> float:
        """Apparent minus nested."""
        return self.apparent - self.nested.value

    @property
    def choice_optimism(self) -> float:
        """Best cross-validated combination minus nested: what choosing on test folds adds."""
        return self.chosen_on_test - self.nested.value

    def as_json(self) -> dict[str, Any]:
        """Fields by name, both optimisms included."""
        return {
            "metric": self.metric,
            "apparent": self.apparent,
            "chosen_on_test": self.chosen_on_test,
            "best_combination": self.best_combination,
            "nested": self.nested.as_json(),
            "optimism": self.optimism,
            "choice_optimism": self.choice_optimism,
        }


def apparent_score(
    features: Numbers,
    asd: NDArray[np.bool_],
    *,
    seed: int,
    groups: tuple[NDArray[np.int64], ...] | None = None,
    combinations: Sequence[Combination] | None = None,
    c_grid: Sequence[float] = C_GRID,
    inner_folds: int = INNER_FOLDS,
) -> Numbers:
    """Log-odds of everyone by the recipe fitted on everyone, shape (n,).

    Parameters are those of ``nested_cross_validation``; this is the model a study would release.
    """
    chooser = Chooser(
        features,
        asd,
        attribute_columns() if groups is None else groups,
        all_combinations() if combinations is None else tuple(combinations),
        tuple(c_grid),
        inner_folds,
    )
    odds, _, best = chooser.scores(np.ones(len(asd), dtype=bool), np.random.default_rng(seed))
    chosen: Numbers = odds[best]
    return chosen


def measure_optimism(nested: Nested, apparent: Numbers, metric: CvMetric = "auc") -> Optimism:
    """Put the three figures side by side.

    Parameters
    ----------
    nested : Nested
    apparent : ndarray, shape (n,)
        From ``apparent_score`` with the same participants, combinations and penalties.
    metric : {"auc", "balanced_accuracy"}
    """
    asd = nested.asd
    each = [
        np.mean(
            [
                cross_validated(asd, score, fold, metric)
                for score, fold in zip(scores, nested.fold, strict=True)
            ]
        )
        for scores in nested.by_combination
    ]
    best = int(np.argmax(each))
    together = np.zeros(len(asd), dtype=np.int64)
    return Optimism(
        metric,
        float(cross_validated(asd, apparent, together, metric)),
        float(each[best]),
        combination_name(nested.combinations[best]),
        nested.estimate(metric),
    )
