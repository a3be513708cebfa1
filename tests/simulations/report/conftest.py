"""Results with the shape and size of real runs, made up: only the tests and their page use them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from simulations.results import (
    POSTER_TABLE_1,
    ClinicSize,
    Machine,
    Method,
    PlanFacts,
    Provenance,
    Record,
    Results,
    always_positive_records,
    build_differences,
    build_records,
)

METRICS = ("f1", "sensitivity", "specificity", "balanced_accuracy", "auc", "accuracy")
COMBINATIONS = ("au", "au+arousal", "au+arousal+valence", "au+arousal+valence+expression")
EPSILONS = (8.0, 4.0, 2.0, 1.0)
MU = {8.0: 1.666, 4.0: 0.925, 2.0: 0.502, 1.0: 0.268}
CLINICS = ("clinic-1", "clinic-2", "clinic-3", "clinic-4")
SIZES = ((34, 22), (26, 13), (18, 11), (10, 3))

POOLED = {
    "au": (0.702, 0.716, 0.594, 0.655, 0.714, 0.662),
    "au+arousal": (0.726, 0.739, 0.629, 0.684, 0.752, 0.690),
    "au+arousal+valence": (0.722, 0.737, 0.619, 0.678, 0.745, 0.685),
    "au+arousal+valence+expression": (0.762, 0.773, 0.677, 0.725, 0.803, 0.731),
}
LOSS = {8.0: 0.016, 4.0: 0.037, 2.0: 0.076, 1.0: 0.131}
LOCAL_LOSS = {8.0: 0.06, 4.0: 0.10, 2.0: 0.14, 1.0: 0.18}


def repeats(
    means: tuple[float, ...], generator: np.random.Generator, n: int, sd: float
) -> list[Mapping[str, float]]:
    luck = generator.normal(0, sd, size=(n, 1)) + generator.normal(0, sd / 4, (n, len(means)))
    return [
        dict(zip(METRICS, map(float, np.clip(np.asarray(means) + row, 0, 1)), strict=True))
        for row in luck
    ]


def shifted(
    base: list[Mapping[str, float]], loss: float, generator: np.random.Generator
) -> list[Mapping[str, float]]:
    return [
        {m: float(np.clip(v - loss + generator.normal(0, 0.02), 0, 1)) for m, v in repeat.items()}
        for repeat in base
    ]


@pytest.fixture(scope="session")
def reproduction() -> Results:
    """A `reproduce` run: four combinations, 20 surrogate cohorts, four values of ε."""
    generator = np.random.default_rng(7)
    records: list[Record] = list(POSTER_TABLE_1)
    differences = []
    for combination in COMBINATIONS:
        pooled = repeats(POOLED[combination], generator, 20, 0.055)
        records += build_records("pooled", combination, pooled)
        records += build_records("federated", combination, pooled)
        records += always_positive_records(combination, positives=49, negatives=39)
        alone = shifted(pooled, 0.09, generator)
        records += build_records("alone", combination, alone)
        for site, extra in zip(CLINICS, (0.04, 0.08, 0.12, 0.18), strict=True):
            records += build_records(
                "alone", combination, shifted(pooled, extra, generator), site=site
            )
        for epsilon in EPSILONS:
            private = shifted(pooled, LOSS[epsilon], generator)
            local = shifted(pooled, LOCAL_LOSS[epsilon], generator)
            records += build_records(
                "federated-dp", combination, private, epsilon=epsilon, delta=1e-5
            )
            records += build_records("local-dp", combination, local, epsilon=epsilon, delta=1e-5)
            differences += build_differences(
                "federated-dp", "pooled", combination, private, pooled, epsilon=epsilon, delta=1e-5
            )
            differences += build_differences(
                "federated-dp", "local-dp", combination, private, local, epsilon=epsilon, delta=1e-5
            )
    further: dict[str, Any] = {"world": "groups"}
    provenance = Provenance(
        command="fedaffect-sim reproduce --cohorts 20 --seed 0 --clinics 4 --out out/reproduce",
        created=datetime(2026, 11, 22, 14, 3, 11, tzinfo=UTC),
        software={"fedaffect": "0.1.0", "flwr": "1.41.0", "torch": "2.13.0", "opacus": "1.6.0"},
        machine=Machine(
            cpu="Intel(R) Xeon(R) Platinum", cores=2, system="Linux 6.1", python="3.11.2"
        ),
        data="surrogate",
        data_description="105 simulated children recorded, of whom 88 (49 ASD, 39 non-ASD) "
        "consented and finished; 9,575 frames each at 24 Hz, 22 affect channels.",
        protocol="10-fold cross-validation by participant, stratified by label, with the same "
        "folds for all methods.\n\nA clinic alone trains on its own training rows and is tested "
        "on the whole fold; the mean over clinics is weighted by their size.",
        engine="inprocess",
        seed=0,
        cohorts=20,
        clinics=tuple(
            ClinicSize(name=name, participants=total, positives=positives)
            for name, (total, positives) in zip(CLINICS, SIZES, strict=True)
        ),
        delta=1e-5,
        plans=tuple(
            PlanFacts(epsilon=e, delta=1e-5, mu=MU[e], rounds=r)
            for e, r in zip(EPSILONS, (8, 5, 4, 4), strict=True)
        ),
        elapsed_s=214.6,
        warnings=("clinic-4 has 10 children; its own model was undefined in 1 of 200 folds.",),
        **further,
    )
    return Results(provenance=provenance, results=tuple(records), differences=tuple(differences))


@pytest.fixture(scope="session")
def hospitals() -> Results:
    """A `table` run on real data: four hospitals, a test split, 20 seeds of the noise."""
    generator = np.random.default_rng(3)
    sites = ("Cleveland", "Hungary", "Switzerland", "VA Long Beach")
    exact = {"f1": 0.79, "sensitivity": 0.80, "specificity": 0.79, "balanced_accuracy": 0.795}
    exact |= {"auc": 0.88, "accuracy": 0.7953}
    records: list[Record] = []
    records += always_positive_records("features", positives=138, negatives=116)
    exact_methods: tuple[Method, ...] = ("pooled", "federated")
    for method in exact_methods:
        records += build_records(method, "features", [exact])
    records += build_records(
        "alone", "features", [{metric: value - 0.06 for metric, value in exact.items()}]
    )
    for site, shift in zip(sites, (0.02, 0.04, -0.03, -0.05), strict=True):
        losses: dict[Method, float] = {"pooled": 0.0, "federated": 0.0, "alone": 0.06}
        for method, loss in losses.items():
            there = {metric: value + shift - loss for metric, value in exact.items()}
            if site == "Switzerland":
                there["auc"] = float("nan")
            records += build_records(method, "features", [there], site=site)
        base = repeats(tuple(exact[m] + shift - 0.005 for m in METRICS), generator, 20, 0.01)
        records += build_records(
            "federated-dp", "features", base, site=site, epsilon=1.0, delta=1e-4
        )
    over = repeats(tuple(exact[m] - 0.005 for m in METRICS), generator, 20, 0.006)
    records += build_records("federated-dp", "features", over, epsilon=1.0, delta=1e-4)
    provenance = Provenance(
        command="fedaffect-sim table heart.csv --label target --site hospital --split split "
        "--ranges ranges.csv --epsilon 1 --delta 1e-4 --out out/heart",
        created=datetime(2026, 11, 22, 15, 20, tzinfo=UTC),
        software={"fedaffect": "0.1.0", "flwr": "1.41.0"},
        machine=Machine(cpu="Intel(R) Xeon(R)", cores=2, system="Linux 6.1", python="3.11.2"),
        data="real",
        data_description="heart.csv: 740 participants of four hospitals, 13 features.",
        protocol="Fitted on the rows marked train, scored on those marked test.",
        engine="inprocess",
        seed=0,
        cohorts=20,
        repeat="seed",
        clinics=tuple(
            ClinicSize(name=site, participants=n)
            for site, n in zip(sites, (199, 172, 30, 85), strict=True)
        ),
        positive_name="disease",
        negative_name="no disease",
        delta=1e-4,
        plans=(PlanFacts(epsilon=1, delta=1e-4, mu=0.32, rounds=12),),
        elapsed_s=38.0,
    )
    return Results(provenance=provenance, results=tuple(records))
