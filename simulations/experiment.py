"""Train and test every method on the same folds of the same rows.

The reproduction and the table command differ in where rows come from; from there on both are a
:class:`Sample` split into folds, and every method sees exactly the same training and test
participants.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from client.site import SiteStudy
from shared.learning.pooled import THRESHOLD, train_pooled
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.feature_map import FeatureMap
from shared.privacy.masks import MaskKey
from shared.study import LocalTraining, Method, Mode, RosterClinic, Study
from simulations.engines.federation import Engine, Federation
from simulations.engines.training import train_federation

__all__ = ["Arm", "Sample", "Split", "alone_scores", "federated_scores", "pooled_scores"]


@dataclass(frozen=True)
class Sample:
    """Participants of several clinics with one set of features.

    Attributes
    ----------
    name : str
        Enters the studies' titles, hence the noise: two samples never share noise.
    asd : ndarray of bool, shape (n,)
        Labels (true is the positive class).
    clinic : ndarray of int, shape (n,)
        Index into ``clinics``.
    clinics : tuple of str
    features : ndarray, shape (n, d)
        Raw features for logistic regression; may hold missing values.
    mapped : ndarray, shape (n, e)
        Features as the feature map reads them.
    feature_map : FeatureMap or None
        Public map for the private methods; None where nothing public is known.
    """

    name: str
    asd: NDArray[np.bool_]
    clinic: NDArray[np.int64]
    clinics: tuple[str, ...]
    features: NDArray[np.float64]
    mapped: NDArray[np.float64]
    feature_map: FeatureMap | None

    @functools.cached_property
    def vectors(self) -> NDArray[np.int64]:
        """Unit vectors; each depends on its own row only, so every split shares them."""
        return (self.feature_map or _NO_MAP).unit_vectors(self.mapped)


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to test on."""

    train: NDArray[np.bool_]
    test: NDArray[np.bool_]


@dataclass(frozen=True)
class Arm:
    """One way to train: a method with its privacy parameters.

    Attributes
    ----------
    method : Method
    epsilon, delta : float or None
    collusion_margin : int
        For shared noise.
    local : LocalTraining or None
        For DP-SGD at each clinic.
    mode : Mode
        How the noise of ``federated-dp`` is made.
    rounds : int or None
        A fixed number of gradient sums instead of the rule's.
    """

    method: Method
    epsilon: float | None = None
    delta: float | None = None
    collusion_margin: int = 0
    local: LocalTraining | None = None
    mode: Mode = "secure-sum"
    rounds: int | None = None


@dataclass
class _Case:
    sample: Sample
    split: Split
    arm: Arm
    study: Study = field(init=False)


def federated_scores(
    samples: Sequence[Sample],
    splits: Sequence[Split],
    arms: Sequence[Arm],
    *,
    regularisation_c: float,
    seed: int,
    engine: Engine = "inprocess",
    on_exchange: Callable[[int, int], None] = lambda exchange, messages: None,
) -> Mapping[tuple[int, int], NDArray[np.float64]]:
    """Out-of-fold scores of every federated method, all trained in lockstep.

    Parameters
    ----------
    samples : sequence of Sample
        With the same clinics; for instance one per combination of attribute groups.
    splits : sequence of Split
        Shared by all samples.
    arms : sequence of Arm
    regularisation_c : float
        Inverse L2 strength of the method without privacy.
    seed : int
        Seed of the noise.
    engine : {"inprocess", "ray"}
    on_exchange : callable
        Told before each exchange.

    Returns
    -------
    dict
        Score minus threshold by (sample index, arm index), shape (n,); NaN for rows that no split
        tests.
    """
    cases: dict[tuple[int, int, int], _Case] = {}
    clinics: list[dict[str, SiteStudy]] = [{} for _ in samples[0].clinics]
    prepared: list[tuple[Study, FeatureMap]] = []
    for i, sample in enumerate(samples):
        for j, arm in enumerate(arms):
            for k, split in enumerate(splits):
                case = _Case(sample, split, arm)
                case.study = _study(case, f"split {k + 1}", regularisation_c, seed)
                cases[i, j, k] = case
                feature_map = sample.feature_map or _NO_MAP
                prepared.append((case.study, feature_map))
                for number, site in enumerate(_sites(case, feature_map, seed)):
                    clinics[number][case.study.digest] = site
    models = train_federation(Federation(prepared, clinics), engine, on_exchange)
    scores = {
        (i, j): np.full(len(sample.asd), np.nan)
        for i, sample in enumerate(samples)
        for j in range(len(arms))
    }
    for (i, j, _), case in cases.items():
        inputs = _inputs(case)[case.split.test]
        model = models[case.study.digest]
        scores[i, j][case.split.test] = model.scores(inputs, case.sample.feature_map or _NO_MAP)
    return scores


def pooled_scores(
    sample: Sample, splits: Sequence[Split], *, regularisation_c: float
) -> NDArray[np.float64]:
    """Out-of-fold scores of logistic regression on all clinics' rows in one place."""
    scores = np.full(len(sample.asd), np.nan)
    for split in splits:
        scores[split.test] = _fit_and_score(sample, split.train, split.test, regularisation_c)
    return scores


def alone_scores(
    sample: Sample, splits: Sequence[Split], *, regularisation_c: float
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Out-of-fold scores of each clinic's own logistic regression, tested on everyone.

    A clinic whose training rows carry one label calls everyone that label, which is all it can
    know; a clinic without training rows in a split is left out.
    """
    for number, clinic in enumerate(sample.clinics):
        scores = np.full(len(sample.asd), np.nan)
        for split in splits:
            own = split.train & (sample.clinic == number)
            labels = set(sample.asd[own].tolist())
            if not labels:
                break  # a site with test rows only has no model of its own
            if len(labels) == 2:
                scores[split.test] = _fit_and_score(sample, own, split.test, regularisation_c)
            else:
                scores[split.test] = 1.0 if labels == {True} else -1.0
        else:
            yield clinic, scores


def _fit_and_score(
    sample: Sample, train: NDArray[np.bool_], test: NDArray[np.bool_], c: float
) -> NDArray[np.float64]:
    model = train_pooled(sample.features[train], sample.asd[train], c)
    return model.probability(sample.features[test]) - THRESHOLD


def _study(case: _Case, split_name: str, regularisation_c: float, seed: int) -> Study:
    arm, feature_map = case.arm, case.sample.feature_map
    return Study(
        title=f"{case.sample.name}, {split_name}",
        roster=tuple(
            RosterClinic(name=name, mask_key=_mask_key(seed, name).public)
            for name in case.sample.clinics
        ),
        # Declared enrolment is a public constant of a study; here it is the size of the split.
        participants=int(case.split.train.sum()),
        method=arm.method,
        mode=arm.mode,
        rounds=arm.rounds,
        feature_map=feature_map.digest if feature_map and arm.method != "federated" else "",
        epsilon=arm.epsilon,
        delta=arm.delta,
        collusion_margin=arm.collusion_margin,
        regularisation_c=regularisation_c,
        local=arm.local,
    )


def _inputs(case: _Case) -> NDArray[np.float64]:
    return case.sample.features if case.arm.method == "federated" else case.sample.mapped


def _sites(case: _Case, feature_map: FeatureMap, seed: int) -> Iterator[SiteStudy]:
    for number, clinic in enumerate(case.sample.clinics):
        rows = case.split.train & (case.sample.clinic == number)
        yield SiteStudy(
            clinic=clinic,
            study=case.study,
            feature_map=feature_map,
            features=_inputs(case)[rows],
            asd=case.sample.asd[rows],
            noise=SeededNoise(seed, clinic),
            frozen=None if case.arm.method == "federated" else case.sample.vectors[rows],
            mask_key=_mask_key(seed, clinic),
        )


@functools.lru_cache(maxsize=4096)
def _mask_key(seed: int, clinic: str) -> MaskKey:
    """Return a simulated clinic's key: anyone can make it, as suits simulated participants."""
    return MaskKey.from_bytes(hashlib.sha256(f"mask|{seed}|{clinic}".encode()).digest())


class _NoMap:
    """Stands where a study without privacy needs no map."""

    digest = ""
    dimension = 0
    top_eigenvalue = 1.0
    constant_last = False
    releases_threshold = False

    def unit_vectors(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        """Nothing is mapped, so every row is a zero row."""
        return np.zeros((len(features), 0), dtype=np.int64)


_NO_MAP = _NoMap()
