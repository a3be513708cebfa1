"""Check the stored table on fresh surrogate populations, by the very functions of ``predict``.

Two questions. *Is the probability right?* Held-out children's diagnoses are regressed on the stated
log-odds: a slope of 1 says that they are neither too far out nor too close in, and the difference
of observed and stated share says whether they are too high or too low altogether. *Does the
interval hold what it promises?* For some children, further recordings are drawn, and the log-odds
that a very large study without noise gives them, averaged over these, should lie in the interval of
95 children of 100.

Some situations leave what the table was measured in, to see what that costs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from client.prediction.probability import LogOdds
from client.prediction.resampling import half_sample_features
from shared.channels import AttributeGroup
from shared.features import temporal_features
from shared.privacy.constants import load_constants
from shared.privacy.expected_calibration import expected_calibration
from simulations.cohort.series import participant_series
from simulations.compare.constants import pilot_constants
from simulations.probabilities.populations import (
    ASD_SHARE,
    MappedPopulation,
    Population,
    draw_population,
    fitted_line,
)
from simulations.probabilities.situations import SITUATIONS, Situation
from simulations.reproduce import parallel_map

__all__ = [
    "CHECK_SEED",
    "CheckProtocol",
    "Checked",
    "Found",
    "check_populations",
    "summarise_check",
]

CHECK_SEED: Final = 8_100_000
"""First population of the check; nothing was fitted or chosen on these."""

_RECORDINGS: Final = 99
"""Stream of further recordings of a child."""

_NEW_CLINIC: Final = 1
"""The clinic that does not take part, where one does not: a middle-sized one."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class CheckProtocol:
    """What is checked, and on how much.

    Attributes
    ----------
    situations : tuple of Situation
    populations : int
    studies : int
        Trainings of each study in a population.
    children : int
        With further recordings.
    recordings : int
        Further recordings of each.
    half_samples : int
    seed : int
    reference, pool, held_out : int
        Children of each part of a population.
    """

    situations: tuple[Situation, ...] = SITUATIONS
    populations: int = 12
    studies: int = 4
    children: int = 40
    recordings: int = 6
    half_samples: int = 60
    seed: int = CHECK_SEED
    reference: int = 1500
    pool: int = 1000
    held_out: int = 300


class Found(NamedTuple):
    """One situation in one population.

    Attributes
    ----------
    log_odds : ndarray, shape (m,)
        Stated, of held-out children.
    asd : ndarray of bool, shape (m,)
    covered, told, told_right : ndarray of bool, shape (c,)
        Of the children with further recordings: whether the interval holds the very large study's
        log-odds, lies on one side of one half, and on the side of the diagnosis.
    """

    log_odds: Numbers
    asd: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    told: NDArray[np.bool_]
    told_right: NDArray[np.bool_]


class Checked(NamedTuple):
    """One situation over all populations; intervals are 95 %, over populations.

    Attributes
    ----------
    situation : str
    slope, slope_low, slope_high : float
        Of the diagnosis on the stated log-odds.
    off, off_low, off_high : float
        Observed minus stated share of ASD.
    coverage, coverage_lowest : float
        Of the interval: over all children, and in the population where it is lowest. NaN where no
        very large study of the same kind exists.
    told : float
        Share of children whose interval lies on one side of one half; NaN like the coverage.
    told_right : float
        Share of these whose diagnosis lies on the same side; NaN when nobody is told.
    """

    situation: str
    slope: float
    slope_low: float
    slope_high: float
    off: float
    off_low: float
    off_high: float
    coverage: float
    coverage_lowest: float
    told: float
    told_right: float


def check_populations(protocol: CheckProtocol, processes: int) -> Iterator[dict[str, Found]]:
    """Draw every population and look at every situation in it, by the situation's name."""
    tasks = [(protocol, protocol.seed + number) for number in range(protocol.populations)]
    yield from parallel_map(_check_population, tasks, processes)


def summarise_check(
    protocol: CheckProtocol, found: Sequence[dict[str, Found]], *, resamples: int = 500
) -> list[Checked]:
    """Put the populations together; their bootstrap gives the intervals."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(found), (resamples, len(found)))
    summaries = []
    for situation in protocol.situations:
        own = [population[situation.name] for population in found]

        def slope(chosen: Sequence[Found]) -> float:
            log_odds = np.concatenate([one.log_odds for one in chosen])
            return fitted_line(log_odds, np.concatenate([one.asd for one in chosen]))[0]

        def off(chosen: Sequence[Found]) -> float:
            stated = np.concatenate([expit(one.log_odds) for one in chosen])
            return float(np.concatenate([one.asd for one in chosen]).mean() - stated.mean())

        covered = [one.covered for one in own if one.covered.size]
        told = np.concatenate([one.told for one in own])
        right = np.concatenate([one.told_right for one in own])[told]
        summaries.append(
            Checked(
                situation.name,
                *_with_interval(slope, own, drawn),
                *_with_interval(off, own, drawn),
                coverage=float(np.concatenate(covered).mean()) if covered else float("nan"),
                coverage_lowest=min((float(c.mean()) for c in covered), default=float("nan")),
                told=float(told.mean()) if told.size else float("nan"),
                told_right=float(right.mean()) if right.size else float("nan"),
            )
        )
    return summaries


def _with_interval(
    measure: Callable[[Sequence[Found]], float],
    own: Sequence[Found],
    drawn: NDArray[np.int64],
) -> tuple[float, float, float]:
    resampled = [measure([own[i] for i in chosen]) for chosen in drawn]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return measure(own), float(low), float(high)


class _Recorded(NamedTuple):
    """Children with further recordings: features of those, and of halves of the first."""

    children: NDArray[np.int64]
    further: Numbers
    halves: list[Numbers]


def _check_population(task: tuple[CheckProtocol, int]) -> dict[str, Found]:
    protocol, seed = task
    population = draw_population(
        seed, reference=protocol.reference, pool=protocol.pool, held_out=protocol.held_out
    )
    recorded = _record_again(population, protocol)
    mapped: dict[tuple[str, tuple[AttributeGroup, ...]], MappedPopulation] = {}
    found = {}
    for situation in protocol.situations:
        key = (situation.constants, situation.groups)
        if key not in mapped:
            constants = load_constants()
            if situation.constants == "pilot":
                constants = pilot_constants(seed)
            mapped[key] = population.mapped(constants, situation.groups)
        found[situation.name] = _look_at(situation, mapped[key], recorded, protocol)
    return found


def _record_again(population: Population, protocol: CheckProtocol) -> _Recorded:
    children = population.held_out[: protocol.children]
    further, halves = [], []
    for child in children:
        row = int(population.rows[child])
        traits = population.cohort.traits[row]
        for number in range(protocol.recordings):
            rng = np.random.default_rng([population.seed, _RECORDINGS, row, number])
            further.append(temporal_features(participant_series(traits, rng)))
        rng = np.random.default_rng([population.seed, _RECORDINGS, row])
        series = population.cohort.series(row)
        halves.append(half_sample_features(series, rng, protocol.half_samples))
    return _Recorded(children, np.stack(further), halves)


def _look_at(
    situation: Situation, mapped: MappedPopulation, recorded: _Recorded, protocol: CheckProtocol
) -> Found:
    population = mapped.population
    study = situation.study(mapped.feature_map)
    calibration = expected_calibration(study, mapped.feature_map)
    models = mapped.studies(
        study,
        protocol.studies,
        asd_share=situation.asd_share,
        without_clinic=_NEW_CLINIC if situation.new_clinic else None,
    )
    children = _children(situation, population)
    stated = np.concatenate(
        [calibration.log_odds(scores) for scores in models.scaled_scores(mapped.phi[children])]
    )
    asd = np.tile(population.asd[children], protocol.studies)
    if situation.asd_share != ASD_SHARE or situation.new_clinic:
        none = np.zeros(0, dtype=bool)
        return Found(stated, asd, none, none, none)

    large, slope, intercept = mapped.reference()
    further = large.scaled_scores(mapped.unit_vectors(recorded.further))[0]
    usual = (intercept + slope * further).reshape(len(recorded.children), -1).mean(axis=1)
    scores = models.scaled_scores(mapped.phi[recorded.children])
    covered, told, right = [], [], []
    for number, child in enumerate(recorded.children):
        halves = models.scaled_scores(mapped.unit_vectors(recorded.halves[number]))
        for score, spread in zip(scores[:, number], halves.std(axis=1, ddof=1), strict=True):
            centre, variance = calibration.large_study(float(score))
            log_odds = LogOdds(
                estimate=calibration.log_odds(float(score)),
                centre=centre,
                model_variance=variance,
                recording_variance=float(calibration.large_slope * spread) ** 2,
                asd_share=calibration.asd_share,
            )
            interval = log_odds.stated
            covered.append(interval.low <= expit(usual[number]) <= interval.high)
            told.append(log_odds.tells != "neither")
            right.append((log_odds.tells == "ASD") == bool(population.asd[child]))
    return Found(stated, asd, np.array(covered), np.array(told), np.array(right))


def _children(situation: Situation, population: Population) -> NDArray[np.int64]:
    """Children that trained none of the small studies, with the situation's share of ASD."""
    children = population.held_out
    if situation.new_clinic:
        children = np.concatenate([population.held_out, population.reference])
        children = children[population.clinic[children] == _NEW_CLINIC]
    elif situation.asd_share == ASD_SHARE:
        return children
    asd = population.asd[children]
    odds = situation.asd_share / (1 - situation.asd_share)
    n_asd = min(int(asd.sum()), round(odds * int((~asd).sum())))
    return np.concatenate([children[asd][:n_asd], children[~asd][: round(n_asd / odds)]])
