"""Small federations for tests: a public map of a few columns, studies over it, clinics with rows.

Every clinic has a mask key that anyone can make from its name, so that sums are masked in every
test that does not say otherwise, and repeat from run to run. :func:`converse` runs a training
against clinics directly, without Flower, which is all most tests need.
"""

import contextlib
import functools
import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import numpy as np
from flwr.app import Context
from numpy.typing import NDArray

from client.answers import answer_question
from client.app import create_client_app
from client.site import SiteStudy
from shared.messages import Answer, Question
from shared.privacy.discrete_gaussian import NoiseSource, SeededNoise
from shared.privacy.feature_map import FeatureMap
from shared.privacy.grid import on_grid
from shared.privacy.masks import MaskKey, pair_masks
from shared.privacy.table_map import TableMap, map_from_people, map_from_ranges
from shared.study import LocalTraining, RosterClinic, Study
from simulations.engines.federation import Federation
from simulations.engines.in_process import InProcessGrid, _task_identity

CLINICS = ("Aspen", "Birch", "Cedar")
LOCAL = LocalTraining(rounds=3, steps=2, learning_rate=1.0, clipping_norm=0.5)


class NoNoise:
    """A noise source that adds nothing, to see the sums themselves."""

    def integers(self, variance: int, total: NDArray[np.int64], release: str) -> NDArray[np.int64]:
        return np.zeros(len(total), dtype=np.int64)


def cohort(n: int = 90, d: int = 4, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Rows within about +-4, and labels the first two columns tell most of."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, d))
    asd = features[:, :2].sum(axis=1) + 0.7 * rng.standard_normal(n) > 0.3
    return features, asd


def ranges_map(d: int = 4) -> TableMap:
    return map_from_ranges(np.full(d, -3.0), np.full(d, 3.0))


def people_map(d: int = 4, n: int = 60) -> TableMap:
    rng = np.random.default_rng(5)
    return map_from_people(rng.standard_normal((n, d)) @ rng.standard_normal((d, d)))


def phi(n: int, k: int, seed: int = 0) -> NDArray[np.int64]:
    """Unit vectors in random directions, in grid steps."""
    rows = np.random.default_rng(seed).standard_normal((n, k))
    return on_grid(rows / np.maximum(1, np.linalg.norm(rows, axis=1, keepdims=True)))


def grid_weights(k: int, seed: int = 0, length: float = 1.0) -> NDArray[np.float64]:
    """Weights of about this length on the grid they are released on."""
    weights = np.random.default_rng(seed).standard_normal(k)
    return np.rint(weights / np.linalg.norm(weights) * length * 2**20) / 2**20


@functools.cache
def mask_key_of(clinic: str) -> MaskKey:
    """Key of a clinic in tests: a hash of its name, so it hides nothing."""
    return MaskKey.from_bytes(
        hashlib.sha256(f"a test clinic's mask key|{clinic}".encode()).digest()
    )


def roster_of(*clinics: str) -> tuple[RosterClinic, ...]:
    """The clinics with their test keys."""
    return tuple(RosterClinic(name=name, mask_key=mask_key_of(name).public) for name in clinics)


def study_of(feature_map: FeatureMap | None = None, **changes: Any) -> Study:
    """A study of three clinics with mask keys; a tuple of plain names as ``roster`` gets keys."""
    named = changes.get("roster")
    if named and isinstance(named, tuple) and all(isinstance(name, str) for name in named):
        changes["roster"] = roster_of(*named)
    fields: dict[str, Any] = {
        "title": "test",
        "roster": roster_of(*CLINICS),
        "participants": 90,
        "method": "federated-dp",
        "feature_map": feature_map.digest if feature_map else "",
        "collusion_margin": 1,
    }
    if changes.get("method") != "federated":
        fields |= {"epsilon": 4.0, "delta": 1e-5}
    if changes.get("method") == "local-dp":
        fields["local"] = LOCAL
    return Study(**(fields | changes))


def sites_of(
    study: Study,
    feature_map: FeatureMap,
    features: NDArray[np.float64],
    asd: NDArray[np.bool_],
    *,
    sizes: Sequence[int] | None = None,
    noise: Callable[[str], NoiseSource] = lambda clinic: SeededNoise(0, clinic),
) -> list[SiteStudy]:
    """Split the rows over the study's clinics, evenly unless sizes are given."""
    given = sizes or [len(part) for part in np.array_split(asd, len(study.clinics))]
    ends = np.cumsum(given)[:-1]
    return [
        SiteStudy(
            clinic,
            study,
            feature_map,
            rows,
            labels,
            noise(clinic),
            mask_key=mask_key_of(clinic),
        )
        for clinic, rows, labels in zip(
            study.clinics, np.split(features, ends), np.split(asd, ends), strict=True
        )
    ]


def unmasked(site: SiteStudy, question: Question) -> NDArray[np.int64]:
    """A clinic's noised sum: its answer less the masks, which only its own key can take off."""
    answer = answer_question(site, question)
    sealed = np.asarray(answer.arrays["sum"], dtype=np.uint64)
    if site.study.mask_keys:
        assert site.mask_key is not None
        sealed = sealed - pair_masks(
            site.mask_key,
            site.study.mask_keys,
            study=site.study.digest,
            round_number=question.round,
            input_digest=question.digest,
            length=len(sealed),
        )
    return sealed.view(np.int64)


def federation_of(*members: tuple[Study, FeatureMap, Sequence[SiteStudy]]) -> Federation:
    """Studies with a common roster, as the engines take them."""
    held: list[dict[str, SiteStudy]] = [{} for _ in members[0][2]]
    for study, _, sites in members:
        for clinic, site in zip(held, sites, strict=True):
            clinic[study.digest] = site
    return Federation([(study, feature_map) for study, feature_map, _ in members], held)


def converse(training: Generator[Question, Sequence[Answer], Any], sites: Sequence[SiteStudy]):
    """Run a training to its model, asking the clinics directly."""
    question = next(training)
    while True:
        try:
            question = training.send([answer_question(site, question) for site in sites])
        except StopIteration as finished:
            return finished.value


@contextlib.contextmanager
def grid_of(
    open_study: Callable[[Context, str], SiteStudy], nodes: int = len(CLINICS)
) -> Iterator[InProcessGrid]:
    """Yield a grid whose nodes open their studies this way."""
    with _task_identity():
        yield InProcessGrid(create_client_app(open_study), nodes)
