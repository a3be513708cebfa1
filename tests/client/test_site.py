import dataclasses

import numpy as np
import pytest
from small_federation import cohort, mask_key_of, phi, ranges_map, roster_of, sites_of, study_of

from client.releases import Unrecorded
from client.site import SiteStudy
from shared.channels import ATTRIBUTE_GROUPS
from shared.errors import InputError, PrivacyError
from shared.features import FEATURE_RANGES
from shared.privacy.constants import load_constants
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.grid import GRID
from shared.privacy.masks import MaskKey
from shared.privacy.unit_vectors import AffectMap

CHOSEN = ranges_map()


def site_of(study=None, **changes):
    features, asd = cohort(9)
    study = study or study_of(CHOSEN)
    site = sites_of(study, CHOSEN, CHOSEN.standardise(features), asd)[0]
    return dataclasses.replace(site, **changes)


def test_a_site_needs_matching_labels_a_place_in_the_roster_and_the_studys_map():
    site = site_of()
    with pytest.raises(InputError, match="3 rows and 2 labels"):
        dataclasses.replace(site, asd=site.asd[:2])
    with pytest.raises(PrivacyError, match="'Elm' is not in the roster"):
        dataclasses.replace(site, clinic="Elm")
    with pytest.raises(InputError, match="names feature map"):
        dataclasses.replace(site, feature_map=ranges_map(3))
    without_privacy = site_of(study_of(method="federated"), feature_map=ranges_map(3))
    assert without_privacy.clinic == "Aspen"  # no map plays a part there


@pytest.mark.parametrize("key", [None, MaskKey.from_bytes(b"\1" * 32), mask_key_of("Birch")])
def test_a_site_with_another_key_than_the_rosters_is_refused(key):
    with pytest.raises(PrivacyError, match="names another mask key for clinic 'Aspen'") as told:
        site_of(mask_key=key)
    assert "registration" in str(told.value)


@pytest.mark.parametrize(
    "changes",
    [{"mode": "local"}, {"mode": "none"}, {"method": "local-dp"}, {"roster": ["Aspen", "Birch"]}],
)
def test_no_key_is_needed_where_nothing_is_masked(changes):
    features, asd = cohort(9)
    study = study_of(CHOSEN, **changes)
    site = SiteStudy("Aspen", study, CHOSEN, features, asd, SeededNoise(0, "Aspen"))
    assert site.mask_key is None
    assert isinstance(site.book, Unrecorded)


def test_the_private_key_is_not_shown():
    site = site_of()
    assert site.mask_key.to_bytes().hex() not in repr(site)
    assert "MaskKey" not in repr(site)


def test_participants_whose_features_are_not_finite_take_part_in_nothing_and_are_known():
    chosen = AffectMap(load_constants(), ATTRIBUTE_GROUPS)
    low, high = FEATURE_RANGES.T
    values = low + (high - low) * np.random.default_rng(0).uniform(0.1, 0.9, (5, len(low)))
    values[1, 10], values[4, 300] = np.nan, np.inf
    site = SiteStudy(
        "Aspen",
        study_of(chosen),
        chosen,
        values,
        np.array([True, False, True, False, True]),
        SeededNoise(0, "Aspen"),
        mask_key=mask_key_of("Aspen"),
    )
    assert site.usable.tolist() == [True, False, True, True, False]
    assert site.labels.tolist() == [True, True, False]
    assert site.vectors.shape == (3, 78)
    np.testing.assert_array_equal(site.rows, site.vectors / GRID)


def test_frozen_vectors_take_the_place_of_the_features():
    frozen = phi(4, 5)
    frozen[2] = 0
    site = site_of(
        frozen=frozen, features=np.zeros((4, 0)), asd=np.array([True, False, True, False])
    )
    np.testing.assert_array_equal(site.vectors, frozen[[0, 1, 3]])
    assert site.usable.tolist() == [True, True, False, True]
    assert site.labels.tolist() == [True, False, False]
    with pytest.raises(InputError, match="4 rows and 3 labels"):
        dataclasses.replace(site, asd=site.asd[:3])


def test_the_plan_is_derived_from_the_clinics_own_copy():
    study = study_of(CHOSEN, roster=roster_of("Aspen", "Elm"), epsilon=2.0)
    site = site_of(study)
    assert site.plan == study.plan(CHOSEN)
    assert site.plan.clinics == 2
