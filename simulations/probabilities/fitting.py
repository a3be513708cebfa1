"""Fit the table of :mod:`shared.privacy.expected_calibration` over many surrogate populations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.channels import AttributeGroup, all_combinations, combination_name
from shared.privacy.constants import load_constants
from shared.privacy.expected_calibration import signal_of
from shared.privacy.unit_vectors import AffectMap
from simulations.probabilities.populations import (
    HELD_OUT,
    POOL,
    REFERENCE,
    draw_population,
    fitted_line,
    standard_study,
)
from simulations.reproduce import parallel_map

__all__ = ["FIT_SEED", "FitProtocol", "Row", "fit_rows", "score_populations"]

FIT_SEED: Final = 8_009_000
"""First population of the fit, which also served to choose its form."""

Numbers = NDArray[np.float64]
Place = tuple[str, float, int]


@dataclass(frozen=True)
class FitProtocol:
    """What the table is fitted on.

    Attributes
    ----------
    epsilons : tuple of float
    participants : tuple of int
        Sizes of the small studies, at most ``pool``.
    combinations : tuple of tuple of AttributeGroup
    populations : int
    studies : int
        Trainings of each small study in a population.
    seed : int
    reference, pool, held_out : int
        Children of each part of a population.
    """

    epsilons: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    participants: tuple[int, ...] = (44, 88, 264, 968)
    combinations: tuple[tuple[AttributeGroup, ...], ...] = all_combinations()
    populations: int = 16
    studies: int = 4
    seed: int = FIT_SEED
    reference: int = REFERENCE
    pool: int = POOL
    held_out: int = HELD_OUT


class Scored(NamedTuple):
    """Held-out children of one population, scored by small studies of one kind.

    Attributes
    ----------
    scores : ndarray, shape (studies, held_out)
        Scaled.
    asd : ndarray of bool, shape (held_out,)
    large : ndarray, shape (held_out,)
        Log-odds of the very large study.
    """

    scores: Numbers
    asd: NDArray[np.bool_]
    large: Numbers


@dataclass(frozen=True)
class Row:
    """One line of the table; the fields are those of ``shared.privacy.expected_calibration``."""

    groups: str
    epsilon: float
    participants: int
    signal: float
    slope: float
    intercept: float
    large_slope: float
    large_intercept: float
    variance: float
    variance_growth: float


def score_populations(protocol: FitProtocol, processes: int) -> Iterator[dict[Place, Scored]]:
    """Draw every population and score its held-out children; by groups, epsilon and size."""
    tasks = [(protocol, protocol.seed + number) for number in range(protocol.populations)]
    yield from parallel_map(_score_population, tasks, processes)


def fit_rows(protocol: FitProtocol, scored: Sequence[dict[Place, Scored]]) -> list[Row]:
    """Fit both lines at every place of the table.

    The variance about the second line is regressed on the squared score; a growth below 0, which
    would end in a negative variance, becomes 0.
    """
    constants = load_constants()
    rows = []
    for groups in protocol.combinations:
        feature_map = AffectMap(constants, groups)
        for epsilon in protocol.epsilons:
            for participants in protocol.participants:
                place = (combination_name(groups), epsilon, participants)
                found = [population[place] for population in scored]
                z = np.concatenate([one.scores.ravel() for one in found])
                asd = np.concatenate([np.tile(one.asd, len(one.scores)) for one in found])
                large = np.concatenate([np.tile(one.large, len(one.scores)) for one in found])
                slope, intercept = fitted_line(z, asd)
                large_slope, large_intercept = np.polyfit(z, large, 1)
                squares = np.square(large - large_intercept - large_slope * z)
                growth, variance = np.polyfit(np.square(z), squares, 1)
                if growth < 0:
                    growth, variance = 0.0, squares.mean()
                study = standard_study(feature_map, epsilon, participants)
                rows.append(
                    Row(
                        *place,
                        signal=round(signal_of(study, feature_map), 6),
                        slope=round(slope, 4),
                        intercept=round(intercept, 4),
                        large_slope=round(float(large_slope), 4),
                        large_intercept=round(float(large_intercept), 4),
                        variance=round(float(variance), 4),
                        variance_growth=round(float(growth), 4),
                    )
                )
    return rows


def _score_population(task: tuple[FitProtocol, int]) -> dict[Place, Scored]:
    protocol, seed = task
    population = draw_population(
        seed, reference=protocol.reference, pool=protocol.pool, held_out=protocol.held_out
    )
    asd = population.asd[population.held_out]
    constants = load_constants()
    found = {}
    for groups in protocol.combinations:
        mapped = population.mapped(constants, groups)
        phi = mapped.phi[population.held_out]
        model, slope, intercept = mapped.reference()
        large = intercept + slope * model.scaled_scores(phi)[0]
        for epsilon in protocol.epsilons:
            for participants in protocol.participants:
                study = standard_study(mapped.feature_map, epsilon, participants)
                scores = mapped.studies(study, protocol.studies).scaled_scores(phi)
                found[combination_name(groups), epsilon, participants] = Scored(scores, asd, large)
    return found
