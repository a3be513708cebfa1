"""Group differences from the first sum: the algebra, the variance, the errors they may make."""

import dataclasses
import functools

import numpy as np
import pytest
from deployed import features_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, kstest, kstwo

from shared.channels import ATTRIBUTE_GROUPS, CHANNELS
from shared.errors import InputError
from shared.evaluation.effect_sizes import hedges_g
from shared.evaluation.released_differences import (
    UNKNOWN_IMBALANCE,
    composite_moments,
    released_differences,
)
from shared.features import CLASS_NAMES
from shared.privacy.constants import composites, load_constants, standard_scores
from shared.privacy.constants_building import build_constants
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.gradient_sum import gradient_contribution
from shared.privacy.grid import GRID
from shared.privacy.planner import make_plan
from shared.privacy.unit_vectors import AffectMap
from simulations.cohort import surrogate_features
from simulations.compare.constants import wrong_constants

MAP = AffectMap(load_constants(), ATTRIBUTE_GROUPS)
N = 60
FAST = {"draws": 999}


def rows_and_labels(n=N, seed=0):
    return features_of(n, seed), np.random.default_rng(seed).random(n) < 0.5


def signed_sum(phi, asd):
    return np.where(asd, 1.0, -1.0) @ phi


def differences_of(difference, feature_map=MAP, **changes):
    fields = {"noise_variance": 2.0, "participants": N, **FAST}
    return released_differences(feature_map, difference, **(fields | changes))


def public_composites(feature_map, features):
    """Composites as deviations in public standard deviations, but for a constant."""
    scores = standard_scores(feature_map.constants, features)
    return np.hstack(
        [
            composites(scores, group)[0] / np.sqrt(np.diag(composite_moments(feature_map, group)))
            for group in feature_map.groups
        ]
    )


# What is estimated


def test_the_first_gradient_sum_is_the_difference_of_the_groups():
    features, asd = rows_and_labels()
    rows = MAP.unit_vectors(features) / GRID
    opened = gradient_contribution(
        rows,
        asd,
        np.zeros(MAP.dimension),
        variance=0,
        noise=SeededNoise(0, "clinic"),
        release="gradient 1",
    )
    # One participant loses at most the shrink of the grid.
    assert np.abs(-opened / GRID - signed_sum(rows, asd)).max() < N * 1e-4


@pytest.mark.parametrize("groups", [ATTRIBUTE_GROUPS, ("valence",), ("au", "expression")])
def test_without_noise_composites_come_back_divided_by_their_childs_length(groups):
    feature_map = AffectMap(load_constants(), groups)
    rows = features_of(2, 3)
    # With two participants declared, the effect of one child's vector is what it adds.
    one, other = (
        _length(feature_map, row)
        * differences_of(vector / GRID, feature_map, participants=2).effect
        for row, vector in zip(rows, feature_map.unit_vectors(rows), strict=True)
    )
    # The public mean cancels between the two children.
    expected = public_composites(feature_map, rows)
    assert one - other == pytest.approx(expected[0] - expected[1], abs=2e-3)


def _length(feature_map, row):
    """What the map divides by."""
    scores = standard_scores(feature_map.constants, row)
    parts = []
    for group, fine_whitening, fine_centre, coarse_whitening, coarse_centre in feature_map._blocks:
        fine, coarse = composites(scores, group)
        parts += [coarse @ coarse_whitening - coarse_centre, fine @ fine_whitening - fine_centre]
    return np.linalg.norm(np.concatenate(parts))


def test_one_differing_composite_is_found_where_it_is():
    features, asd = rows_and_labels(400)
    exact = signed_sum(MAP.unit_vectors(features) / GRID, asd)
    before = differences_of(exact, participants=400, imbalance=0.0)
    assert (before.composites.p_family > 0.05).all()
    # ASD gains two standard deviations in the dynamics of one channel, before any scaling.
    place = [CHANNELS[c] for c in before.channel].index("valence") + 2
    gain = np.zeros(len(before.effect))
    gain[place] = 2.0
    after = differences_of(exact + _as_sum(MAP, gain, 400), participants=400, imbalance=0.0)
    found = after.composites
    assert found.names[place] == "valence dynamics"
    assert np.flatnonzero(found.p_family < 0.05).tolist() == [place]
    assert np.flatnonzero(found.q < 0.05).tolist() == [place]
    assert found.statistic[place] > 4
    assert after.effect - before.effect == pytest.approx(gain, abs=1e-9)
    significant = dict(zip(after.groups.names, after.groups.p_family < 0.05, strict=True))
    assert significant == {"au": False, "arousal": False, "valence": True, "expression": False}
    assert after.group[place] == "valence"
    assert CLASS_NAMES[after.statistic_class[place]] == "dynamics"


def _as_sum(feature_map, effect, participants):
    """The sum that gives an effect: released effects are linear in it."""
    columns = np.stack(
        [
            differences_of(one, feature_map, participants=participants).effect
            for one in np.eye(feature_map.dimension)
        ],
        axis=1,
    )
    return np.linalg.pinv(columns) @ effect


# How sure it is


def test_public_moments_are_those_the_constants_were_built_from():
    features = features_of(80, 5)
    feature_map = AffectMap(build_constants(features, "test"), ATTRIBUTE_GROUPS)
    scores = standard_scores(feature_map.constants, features)
    for group in ATTRIBUTE_GROUPS:
        fine, _ = composites(scores, group)
        assert composite_moments(feature_map, group) == pytest.approx(
            np.cov(fine, rowvar=False), abs=1e-5
        )


def test_moments_of_few_public_people_can_be_drawn_from():
    few = AffectMap(build_constants(features_of(20, 6), "test"), ATTRIBUTE_GROUPS)
    assert np.linalg.eigvalsh(composite_moments(few, "au"))[0] > 0
    found = differences_of(np.ones(few.dimension), few, noise_variance=0.0)
    assert np.isfinite(found.composites.p_family).all()


def test_noise_alone_has_the_variance_it_is_given():
    rng = np.random.default_rng(7)
    sums = rng.normal(0, 50.0, (300, MAP.dimension))
    found = [differences_of(one, noise_variance=2500.0, participants=1) for one in sums]
    z = np.stack([one.composites.statistic for one in found])
    assert np.square(z).mean(axis=0) == pytest.approx(np.ones(z.shape[1]), abs=0.4)
    assert np.square(z).mean() == pytest.approx(1.0, abs=0.03)
    assert found[0].noise_share > 0.99
    # p-values are uniform, and five of a hundred families have a false finding.
    limit = kstwo.isf(0.001, len(sums))
    for p in (
        [one.composites.p[0] for one in found],
        [one.composites.p_family.min() for one in found],
        *np.stack([one.groups.p for one in found], axis=1),
    ):
        assert kstest(p, "uniform").statistic < limit


def test_what_is_uncertain_widens_the_interval():
    difference = np.full(MAP.dimension, 3.0)
    plain = differences_of(difference, imbalance=0.0)
    for wider in ({"noise_variance": 8.0}, {"imbalance": UNKNOWN_IMBALANCE}):
        other = differences_of(difference, **({"imbalance": 0.0} | wider))
        assert (other.standard_error > plain.standard_error).all()
        assert (other.composites.p >= plain.composites.p).all()
        assert other.effect == pytest.approx(plain.effect)
        assert other.detectable > plain.detectable
    # Twice the enrolment with the same sum: half the effect, and no smaller p.
    fewer = differences_of(difference, imbalance=0.0, participants=2 * N)
    assert fewer.effect == pytest.approx(plain.effect / 2)
    assert (fewer.composites.p >= plain.composites.p).all()
    exact = differences_of(difference, noise_variance=0.0, imbalance=0.0)
    assert exact.noise_share == 0.0
    assert exact.standard_error == pytest.approx(np.full(len(exact.effect), 2 / np.sqrt(N)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0, 50), scale=st.floats(0.1, 100))
def test_p_values_are_ordered_and_blind_to_which_group_is_called_asd(seed, noise, scale):
    difference = scale * np.random.default_rng(seed).standard_normal(MAP.dimension)
    one = differences_of(difference, noise_variance=noise)
    other = differences_of(-difference, noise_variance=noise)
    for found in (one.composites, one.groups):
        assert (found.p_family >= found.p - 1e-12).all()
        assert (found.q >= found.p - 1e-12).all()
        assert max(found.p.max(), found.p_family.max(), found.q.max()) <= 1
    assert other.effect == pytest.approx(-one.effect)
    for name in ("p", "p_family", "q"):
        assert getattr(other.composites, name) == pytest.approx(getattr(one.composites, name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"difference": np.zeros(5)}, "78 finite numbers"),
        ({"difference": np.full(78, np.nan)}, "78 finite numbers"),
        ({"noise_variance": -1.0}, "from the study's plan"),
        ({"noise_variance": np.inf}, "from the study's plan"),
        ({"participants": 0}, "from the study's plan"),
        ({"imbalance": 1.5}, "from 0 to 1"),
        ({"imbalance": np.nan}, "from 0 to 1"),
        ({"draws": 99}, "at least 999"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    difference = changes.pop("difference", np.zeros(MAP.dimension))
    with pytest.raises(InputError, match=message):
        differences_of(difference, **changes)


# On surrogate cohorts

SEED = 9_400_000
CLINICS = 4
SIZES = {88: (49, 39), 264: (147, 117)}


@dataclasses.dataclass(frozen=True, eq=False)
class Cohort:
    features: np.ndarray
    asd: np.ndarray
    clinic: np.ndarray

    def permuted(self, rng):
        """Diagnoses permuted within clinics, which keep their share of ASD."""
        asd = self.asd.copy()
        for number in range(CLINICS):
            members = np.flatnonzero(self.clinic == number)
            asd[members] = rng.permutation(asd[members])
        return asd


def cohorts_of(world, n, count, first):
    made = []
    for seed in range(first, first + count):
        asd, other = SIZES[n]
        table = surrogate_features(seed, world=world, n_asd=asd, n_non_asd=other)
        clinic = np.unique(table.clinic, return_inverse=True)[1]
        made.append(Cohort(table.values, table.asd, clinic))
    return made


def noise_variance_of(feature_map, n, epsilon):
    plan = make_plan(
        epsilon=epsilon,
        delta=1e-5,
        participants=n,
        clinics=CLINICS,
        collusion_margin=1,
        top_eigenvalue=feature_map.top_eigenvalue,
        with_threshold=True,
    )
    return plan.sigma_gradient**2 * CLINICS / (CLINICS - 1)


@functools.cache
def maps():
    return {"right": MAP, "wrong": AffectMap(wrong_constants(), ATTRIBUTE_GROUPS)}


def rates(feature_map, cohorts, labels, noise, imbalance, rng):
    """Share of first sums with a composite, and with an attribute group, below 5 %."""
    vectors = [feature_map.unit_vectors(one.features) / GRID for one in cohorts]
    found = []
    for number, asd in enumerate(labels):
        difference = signed_sum(vectors[number % len(cohorts)], asd)
        difference = difference + rng.normal(0, np.sqrt(noise), len(difference))
        one = differences_of(
            difference,
            feature_map,
            noise_variance=noise,
            participants=len(asd),
            imbalance=imbalance,
            seed=number,
        )
        found.append([one.composites.p_family.min() <= 0.05, one.groups.p_family.min() <= 0.05])
    return np.mean(found, axis=0)


@pytest.mark.soak
@pytest.mark.parametrize(("n", "count"), [(88, 10), (264, 4)])
def test_where_nothing_differs_few_studies_find_anything(n, count):
    """Clinics differ in their children and in their share of ASD; the known sizes are used."""
    rng = np.random.default_rng(n)
    cohorts = cohorts_of("none", n, count, SEED + n)
    draws = 400
    # 4 % are expected at most; more than the limit in one of a thousand such tests.
    limit = max(0.06, float(binom.isf(0.001, draws, 0.04)) / draws)
    asd, other = SIZES[n]
    for name, feature_map in maps().items():
        for epsilon in (4.0, 8.0):
            noise = noise_variance_of(feature_map, n, epsilon)
            labels = [cohorts[number % count].permuted(rng) for number in range(draws)]
            found = rates(feature_map, cohorts, labels, noise, (asd - other) / n, rng)
            print(f"null, N {n}, epsilon {epsilon:g}, {name} constants: {found}")
            assert (found <= limit).all()


@pytest.mark.soak
@pytest.mark.parametrize(("n", "count", "least"), [(88, 7, 0.1), (264, 3, 0.6)])
def test_the_calibrated_effect_is_found_by_large_studies(n, count, least):
    rng = np.random.default_rng(n + 1)
    cohorts = cohorts_of("base", n, count, SEED + 5000 + n)
    asd, other = SIZES[n]
    for name, feature_map in maps().items():
        for epsilon in (4.0, 8.0):
            noise = noise_variance_of(feature_map, n, epsilon)
            labels = [cohorts[number % count].asd for number in range(70)]
            for imbalance in ((asd - other) / n, UNKNOWN_IMBALANCE):
                found = rates(feature_map, cohorts, labels, noise, imbalance, rng)
                print(
                    f"effect, N {n}, epsilon {epsilon:g}, {name} constants, imbalance "
                    f"{imbalance:.2f}: {found}"
                )
                if (name, epsilon) == ("right", 8.0) and imbalance < UNKNOWN_IMBALANCE:
                    assert found.min() >= least


@pytest.mark.soak
@pytest.mark.parametrize(("name", "low", "high"), [("right", 0.85, 1.0), ("wrong", 0.6, 0.85)])
def test_effects_are_a_little_smaller_than_hedges_g(name, low, high):
    """The multiple that the module's docstring and the report's note speak of."""
    feature_map = maps()[name]
    effects, g = [], []
    for one in cohorts_of("base", 264, 3, SEED + 9000):
        exact = signed_sum(feature_map.unit_vectors(one.features) / GRID, one.asd)
        effects.append(
            differences_of(exact, feature_map, noise_variance=0.0, participants=len(one.asd)).effect
        )
        g.append(hedges_g(public_composites(feature_map, one.features), one.asd).value)
    x, y = np.concatenate(g), np.concatenate(effects)
    multiple = float(x @ y / (x @ x))
    print(f"{name} constants: effect = {multiple:.2f} Hedges' g, r {np.corrcoef(x, y)[0, 1]:.2f}")
    assert low <= multiple <= high
    assert np.corrcoef(x, y)[0, 1] > 0.85
