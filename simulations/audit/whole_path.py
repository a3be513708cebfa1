"""Audit of everything a clinic and the server do, one training at a time.

Each run is a training of its own: a study, clinics with fresh noise secrets, questions and answers
as message content, gradients by Opacus, noise by the exact sampler, masks from X25519 keys, the sum
opened by the server's function. The coalition is the server and as many clinics as the study's
collusion margin allows; it chooses every question, which a server may. A run takes milliseconds, so
there are few and the bound is loose. It shows that the pieces together carry the noise which the
arithmetic audit found in their functions, and finds noise that is lost between them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from client.answers import answer_question
from client.site import SiteStudy
from shared.messages import (
    Answer,
    Question,
    pack_answers,
    pack_questions,
    unpack_answers,
    unpack_questions,
)
from shared.privacy.discrete_gaussian import NoiseSource
from shared.privacy.grid import GRID, on_weight_grid
from shared.privacy.keyed_noise import KeyedNoise
from shared.privacy.masks import MaskKey
from shared.privacy.planner import PlannedRelease
from shared.privacy.secure_sum import Contribution, open_sum
from shared.privacy.table_map import TableMap
from shared.study import RosterClinic, Study
from simulations.audit.bounds import lower_bounds
from simulations.audit.canary import CANARY_NORM
from simulations.audit.finding import Finding
from simulations.audit.many_runs import AUDITED_STUDY, audited_plan

__all__ = ["Training", "WholePath", "audit_messages"]

_SECRET_BYTES: Final = 32
_BYSTANDERS: Final = 2
_DIRECTION: Final = on_weight_grid(np.array([0.6, 0.8]))
"""Where the canary lies; the second coordinate is the map's constant."""

NoiseFactory = Callable[[str, bytes], NoiseSource]
"""``factory(clinic, secret)``: where a clinic's noise comes from."""


def audit_messages(
    epsilon: float,
    delta: float,
    *,
    runs: int,
    seed: int,
    rounds: int | None = None,
    noise: NoiseFactory | None = None,
    on_run: Callable[[], None] = lambda: None,
) -> Finding:
    """Look for one participant in trainings that go through clinics and messages.

    Parameters
    ----------
    epsilon, delta : float
        The promise.
    runs : int
        Trainings with the canary, and as many without.
    seed : int
        Of keys and noise secrets.
    rounds : int, optional
        Gradient sums; as many as the plan's rule gives for the audited study when not set.
    noise : callable, optional
        Where each clinic's noise comes from; a deployed clinic's when not set.
    on_run : callable
        Called after each training.

    Raises
    ------
    InputError
        When there are too few runs for a bound.
    """
    path = WholePath(epsilon, delta, rounds=rounds, seed=seed, noise=noise)

    def evidence(present: bool) -> float:
        found = path.start(present=present).log_likelihood_ratio()
        on_run()
        return found

    present, absent = (np.array([evidence(there) for _ in range(runs)]) for there in (True, False))
    return Finding(
        path="messages",
        epsilon_claim=epsilon,
        delta=delta,
        rounds=path.rounds,
        sums=len(path.releases),
        runs=runs,
        bounds=lower_bounds(present, absent, delta),
    )


class WholePath:
    """One roster and one promise, of which trainings are started.

    Parameters
    ----------
    epsilon, delta : float
        The promise.
    rounds : int or None
        Gradient sums; None for the plan's rule.
    seed : int
        Of keys and noise secrets.
    noise : callable, optional
        Where each clinic's noise comes from; a deployed clinic's when not set.

    Attributes
    ----------
    rounds : int
    releases : tuple of PlannedRelease
        All sums of a training.
    """

    def __init__(
        self,
        epsilon: float,
        delta: float,
        *,
        rounds: int | None,
        seed: int,
        noise: NoiseFactory | None = None,
    ) -> None:
        plan = audited_plan(epsilon, delta, rounds=rounds)
        self.rounds = plan.rounds
        self.releases = plan.releases
        self._noise = noise or (lambda clinic, secret: KeyedNoise(secret))
        self._rng = np.random.default_rng(seed)
        self._map = _two_coordinates()
        names = [f"clinic-{number}" for number in range(AUDITED_STUDY.clinics)]
        self._keys = [MaskKey.from_bytes(self._rng.bytes(_SECRET_BYTES)) for _ in names]
        self._fields: dict[str, Any] = {
            "roster": tuple(
                RosterClinic(name=name, mask_key=key.public)
                for name, key in zip(names, self._keys, strict=True)
            ),
            "participants": AUDITED_STUDY.participants,
            "feature_map": self._map.digest,
            "epsilon": epsilon,
            "delta": delta,
            "collusion_margin": AUDITED_STUDY.collusion_margin,
            "rounds": plan.rounds,
        }
        spread = self._rng.uniform(-3, 3, (len(names), _BYSTANDERS, 1))
        self._bystanders = [self._map.unit_vectors(values) for values in spread]
        self._labels = np.arange(_BYSTANDERS) % 2 == 0
        self._runs = 0
        self._known = self._sums_of_bystanders()

    def start(self, *, present: bool) -> "Training":
        """Start a training: a study of its own, and clinics with fresh noise secrets."""
        self._runs += 1
        study = self._study(title=f"audited training {self._runs}")
        sites = []
        for clinic, key in zip(study.clinics, self._keys, strict=True):
            noise = _Remembered(self._noise(clinic, self._rng.bytes(_SECRET_BYTES)))
            sites.append(self._site(study, clinic, key, noise, canary=present))
        return Training(study, sites, self.releases, self._known)

    def _study(self, **fields: str) -> Study:
        return Study.model_validate(self._fields | fields)

    def _site(
        self, study: Study, clinic: str, key: MaskKey, noise: NoiseSource, *, canary: bool
    ) -> SiteStudy:
        vectors = self._bystanders[study.clinics.index(clinic)]
        labels = self._labels
        if canary and clinic == study.clinics[-1]:
            far = np.rint(CANARY_NORM * GRID * _DIRECTION).astype(np.int64)
            vectors, labels = np.vstack([vectors, far]), np.append(labels, False)
        unread = np.zeros((len(labels), 1))
        return SiteStudy(
            clinic, study, self._map, unread, labels, noise, frozen=vectors, mask_key=key
        )

    def _sums_of_bystanders(self) -> dict[int, NDArray[np.int64]]:
        """What all participants but the canary add to each sum, from a study without noise."""
        study = self._study(title="bystanders", mode="none")
        sites = [
            self._site(study, clinic, key, KeyedNoise(bytes(_SECRET_BYTES)), canary=False)
            for clinic, key in zip(study.clinics, self._keys, strict=True)
        ]
        training = Training(study, sites, self.releases, {})
        return {release.round: training.open(release) for release in self.releases}


class Training:
    """One training as the coalition drives it.

    Parameters
    ----------
    study : Study
    sites : list of SiteStudy
        Clinics in roster order; the first of them, up to the collusion margin, side with the
        server.
    releases : tuple of PlannedRelease
    known : mapping of int to ndarray
        What the bystanders add to the sum of each round.
    """

    def __init__(
        self,
        study: Study,
        sites: list[SiteStudy],
        releases: tuple[PlannedRelease, ...],
        known: Mapping[int, NDArray[np.int64]],
    ) -> None:
        self.study = study
        self.sites = sites
        self.releases = releases
        self._known = known

    def log_likelihood_ratio(self) -> float:
        """Open all sums; how much they speak for the canary's presence."""
        evidence = 0.0
        for release in self.releases:
            seen = (self.open(release) - self._known[release.round]).astype(np.float64)
            for colluder in self.sites[: self.study.collusion_margin]:
                if isinstance(colluder.noise, _Remembered):
                    seen -= colluder.noise.last
            match = float(seen @ _signature(release)) / GRID
            evidence += (match - 0.5) / release.sigma**2
        return evidence

    def open(self, release: PlannedRelease) -> NDArray[np.int64]:
        """Ask every clinic for its part of a release, and open the sum."""
        digest, question = self.study.digest, _question(release)
        contributions = []
        for site in self.sites:
            answer = _asked(site, digest, question)
            values = answer.arrays["sum"].astype(np.uint64, copy=False)
            contributions.append(
                Contribution(site.clinic, digest, answer.round, answer.input_digest, values)
            )
        return open_sum(
            contributions,
            roster=self.study.clinics,
            study=digest,
            round_number=release.round,
            input_digest=question.digest,
            length=len(_signature(release)),
        )


def _asked(site: SiteStudy, digest: str, question: Question) -> Answer:
    """Question and answer as they travel in messages."""
    asked = unpack_questions(pack_questions({digest: question}))
    answer = answer_question(site, asked.questions[digest], asked.echoed_head)
    return unpack_answers(pack_answers({digest: answer}), [digest])[digest]


def _question(release: PlannedRelease) -> Question:
    # At weight zero no margin dampens the canary's gradient; its threshold score is far out.
    weights = np.zeros(2) if release.kind == "gradient" else _DIRECTION
    return Question(release.kind, release.round, {"weights": weights})


def _signature(release: PlannedRelease) -> NDArray[np.float64]:
    """What a canary without the diagnosis adds, in units of the sensitivity."""
    return _DIRECTION if release.kind == "gradient" else np.ones(1)


class _Remembered:
    """A clinic's noise, of which it keeps the last draw to tell the coalition."""

    def __init__(self, source: NoiseSource) -> None:
        self._source = source
        self.last: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def integers(self, variance: int, total: NDArray[np.int64], release: str) -> NDArray[np.int64]:
        self.last = self._source.integers(variance, total, release)
        return self.last


def _two_coordinates() -> TableMap:
    """A map of one column and a constant, with a threshold release."""
    return TableMap(
        centre=np.zeros(1),
        scale=np.ones(1),
        limit=3.0,
        offset=np.zeros(1),
        whitening=np.eye(1),
        constant=1.0,
        releases_threshold=True,
    )
