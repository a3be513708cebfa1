import numpy as np
import pytest

from shared.channels import CHANNELS
from shared.errors import InputError
from shared.features import FEATURE_NAMES
from simulations.cohort import public_people, surrogate_cohort, surrogate_features
from simulations.cohort.clinics import clinic_sizes


@pytest.fixture(scope="module")
def cohort():
    return surrogate_cohort(3)


def test_flow_from_recorded_to_analysed(cohort):
    people = cohort.participants
    analysed = [people[row] for row in cohort.analysed]
    assert len(people) == len({p.name for p in people}) == 105
    assert sum(p.asd for p in analysed) == 49
    assert sum(not p.asd for p in analysed) == 39
    assert {p.consented for p in people} == {p.finished for p in people} == {True, False}
    sizes = [sum(p.clinic == f"clinic-{k}" and p.asd for p in analysed) for k in (1, 2, 3, 4)]
    assert sizes == [22, 13, 11, 3]


def test_series_have_the_published_length_and_lawful_values(cohort):
    gaps = 0
    for row in cohort.analysed[:12]:
        values = cohort.series(row)
        found = ~np.isnan(values[:, 0])
        assert values.dtype == np.float32
        assert values.shape[1] == len(CHANNELS)
        assert found.sum() == 9575
        assert np.isnan(values[~found]).all()
        gaps += (~found).sum()
        seen = values[found]
        np.testing.assert_allclose(seen[:, :8].sum(axis=1), 1.0, atol=1e-5)
        assert seen.min() >= -1
        assert seen.max() <= 1
        assert np.delete(seen, (8, 9), axis=1).min() >= 0
    assert gaps > 0


def test_who_did_not_finish_has_a_shorter_series(cohort):
    rows = [row for row, person in enumerate(cohort.participants) if not person.finished]
    assert all((~np.isnan(cohort.series(row)[:, 0])).sum() < 9575 for row in rows)


def test_same_seed_same_cohort_and_other_seed_another(cohort):
    again = surrogate_cohort(3)
    assert again.participants == cohort.participants
    np.testing.assert_array_equal(again.series(7), cohort.series(7))
    other = surrogate_cohort(4)
    assert other.participants != cohort.participants
    # The order in which series are read does not matter.
    again.series(50)
    np.testing.assert_array_equal(again.series(7), cohort.series(7))


def test_action_units_follow_their_expression(cohort):
    """Smiling lifts the lip corners, on average over children; brows stay out of it."""
    joy, corners, wrinkle = (CHANNELS.index(c) for c in ("expression_joy", "au12", "au9"))
    together, apart = [], []
    for row in cohort.analysed[:40]:
        values = cohort.series(row)
        values = values[~np.isnan(values[:, 0])]
        engaged = values[values[:, 0] < np.quantile(values[:, 0], 0.6)]
        together.append(np.corrcoef(engaged[:, joy], engaged[:, corners])[0, 1])
        apart.append(np.corrcoef(engaged[:, joy], engaged[:, wrinkle])[0, 1])
    assert np.mean(together) > np.mean(apart) + 0.05


@pytest.mark.parametrize("world", ["base", "group", "composites", "raw"])
def test_every_world_has_an_effect_that_none_lacks(world):
    with_effect, without = surrogate_cohort(1, world=world), surrogate_cohort(1, world="none")
    shift = np.array([t.latent for t in with_effect.traits])
    shift -= np.array([t.latent for t in without.traits])
    asd = np.array([p.asd for p in with_effect.participants])
    moved = np.abs(shift).max(axis=0) > 0
    shares = {"base": 1.0, "group": 1.0, "composites": 20 / 264, "raw": 0.3}
    assert moved.mean() == pytest.approx(shares[world], abs=0.08)
    # Mirror images: the effect is half up for one group, half down for the other.
    direction = np.sign(shift.mean(axis=0))
    assert (np.sign(shift[asd][:, moved]) * np.sign(shift[~asd][:1, moved]) <= 0).all()
    assert direction.any()


def test_latents_drive_their_own_class_of_features():
    """A larger level, spread or pace latent of a channel gives a larger level, spread or pace."""
    cohort = surrogate_cohort(5, world="none")
    rows = cohort.analysed
    table = surrogate_features(5, world="none")
    latent = np.array([cohort.traits[row].latent for row in rows])
    pairs = {"mean": 0, "sd": 1, "fast_power": 2}
    for name, kind in pairs.items():
        correlations = [
            np.corrcoef(
                table.values[:, FEATURE_NAMES.index(f"{channel}__{name}")],
                latent[:, number, 4 * kind : 4 * kind + 4].mean(axis=1),
            )[0, 1]
            for number, channel in enumerate(CHANNELS)
            if channel.startswith("au")
        ]
        assert np.mean(correlations) > 0.6


def test_features_are_those_of_the_analysed():
    table = surrogate_features(0, clinics=3)
    assert len(table) == 88
    assert np.isfinite(table.values).all()
    assert table.asd.sum() == 49
    assert sorted(table.clinic.count(f"clinic-{k}") for k in (1, 2, 3)) == [18, 30, 40]


def test_public_people_have_no_labels_and_differ_by_seed():
    people = public_people(5, 1)
    assert people.asd is None
    assert people.clinic is None
    assert np.isfinite(people.values).all()
    assert (people.values != public_people(5, 2).values).any()
    np.testing.assert_array_equal(people.values, public_people(5, 1).values)


@pytest.mark.parametrize("clinics", [1, 2, 3, 4, 5, 8, 12, 39])
@pytest.mark.parametrize(("n_asd", "n_other"), [(49, 39), (147, 117), (539, 429)])
def test_clinic_sizes_add_up_and_fall(clinics, n_asd, n_other):
    sizes = clinic_sizes(clinics, n_asd, n_other)
    assert sizes.sum(axis=0).tolist() == [n_asd, n_other]
    assert sizes.min() >= 1
    assert clinics in (1, 39) or sizes.sum(axis=1)[0] > sizes.sum(axis=1)[-1]


def test_larger_cohorts():
    big = surrogate_cohort(0, n_asd=539, n_non_asd=429, clinics=8)
    assert len(big.analysed) == 968
    assert len(big.participants) == 968 + 187


def test_wrong_arguments_are_refused():
    with pytest.raises(InputError, match="Seed -1"):
        surrogate_cohort(-1)
    with pytest.raises(InputError, match="World"):
        surrogate_cohort(0, world="flat")
    with pytest.raises(InputError, match="1 to 39"):
        surrogate_cohort(0, clinics=40)
    with pytest.raises(InputError, match="0 clinics"):
        surrogate_cohort(0, clinics=0)
