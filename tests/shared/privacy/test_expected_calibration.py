import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from released import affect_study

from shared.channels import ATTRIBUTE_GROUPS, all_combinations
from shared.errors import InputError
from shared.features import FEATURE_RANGES
from shared.privacy.constants import load_constants
from shared.privacy.constants_building import build_constants
from shared.privacy.expected_calibration import (
    EXPECTED_CALIBRATION,
    PARAMETERS,
    expected_calibration,
    signal_of,
)
from shared.privacy.unit_vectors import AffectMap
from shared.study import LocalTraining, Parent

TABLE = json.loads(EXPECTED_CALIBRATION.read_text(encoding="utf-8"))
MAP = AffectMap(load_constants(), ATTRIBUTE_GROUPS)


def calibration(groups=ATTRIBUTE_GROUPS, **changes):
    return expected_calibration(
        affect_study(groups, **changes), AffectMap(load_constants(), groups)
    )


@pytest.mark.parametrize("row", TABLE["rows"][::17], ids=lambda row: row["groups"])
def test_a_measured_study_gets_its_own_row(row):
    groups = tuple(row["groups"].split("+"))
    found = calibration(groups, participants=row["participants"], epsilon=row["epsilon"])
    for name in PARAMETERS:
        assert getattr(found, name) == pytest.approx(row[name], abs=1e-4)
    assert found.differences == ()
    assert "surrogate" in found.measured_on
    assert found.asd_share == pytest.approx(49 / 88)


def test_every_combination_was_measured_with_constants_that_are_shipped():
    assert {tuple(row["groups"].split("+")) for row in TABLE["rows"]} == set(all_combinations())
    assert TABLE["provenance"]["constants"] == load_constants().digest
    assert "--store" in TABLE["provenance"]["command"]


@settings(max_examples=40)
@given(
    st.sampled_from(all_combinations()),
    st.floats(1.0, 20.0),
    st.integers(44, 5000),
    st.floats(-8, 8),
)
def test_between_the_rows_lines_are_sane(groups, epsilon, participants, scaled):
    found = calibration(groups, epsilon=epsilon, participants=participants)
    assert found.slope > 0
    # A small, noised study says less than a very large one; where it says nothing, both are flat.
    assert found.large_slope > found.slope - 0.02
    centre, variance = found.large_study(scaled)
    assert variance > 0
    # The stated probability lies well within its own interval.
    assert abs(centre - found.log_odds(scaled)) < 1.96 * math.sqrt(variance)


def test_more_children_and_less_noise_say_more():
    slopes = [
        [calibration(epsilon=e, participants=n).slope for n in (44, 88, 264, 968)]
        for e in (1.0, 2.0, 4.0, 8.0)
    ]
    for row in (*slopes, *zip(*slopes, strict=True)):
        assert list(row) == sorted(row)


def test_signal_is_mu_less_what_the_roster_costs():
    plan_mu = affect_study().plan(MAP).spent_mu()
    assert signal_of(affect_study(), MAP) == pytest.approx(plan_mu * math.sqrt(3 / 4), rel=1e-6)
    assert signal_of(affect_study(mode="local"), MAP) == pytest.approx(plan_mu / 2, rel=1e-6)
    counts = affect_study(evaluation_bins=2)
    assert signal_of(counts, MAP) == pytest.approx(plan_mu * math.sqrt(0.9 * 3 / 4), rel=1e-6)
    assert signal_of(affect_study(mode="none"), MAP) == math.inf


def test_a_study_beyond_the_table_is_treated_as_its_last_row():
    largest = calibration(participants=968, epsilon=8.0)
    for changes in ({"participants": 5000}, {"epsilon": 50.0}, {"mode": "none"}):
        found = calibration(**{"participants": 968, "epsilon": 8.0} | changes)
        assert found.slope == pytest.approx(largest.slope)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"participants": 30}, "30 children; below 44"),
        ({"epsilon": 0.6}, "more noise (epsilon 0.6)"),
        ({"epsilon": 1.0, "mode": "local"}, "more noise"),
        (
            {
                "method": "local-dp",
                "local": LocalTraining(rounds=1, steps=1, learning_rate=1, clipping_norm=1),
            },
            "method local-dp",
        ),
    ],
)
def test_where_nothing_was_measured_no_figure_is_made_up(changes, told):
    with pytest.raises(InputError) as error:
        calibration(**changes)
    assert told in str(error.value)


def test_what_differs_from_the_measured_studies_is_said():
    parent = Parent(study="0" * 64, spent_mu2=0.1, weights=(0.0,) * MAP.dimension)
    said = calibration(participants=3000, rounds=4, parent=parent).differences
    assert [any(word in line for line in said) for word in ("3000", "rounds (4)", "goes on")] == [
        True
    ] * 3
    low, high = FEATURE_RANGES.T
    rng = np.random.default_rng(0)
    people = low + (high - low) * rng.uniform(0.1, 0.9, (30, len(low)))
    own = AffectMap(build_constants(people, "pilot"), ATTRIBUTE_GROUPS)
    study = affect_study(feature_map=own.digest)
    assert "constants of its own" in expected_calibration(study, own).differences[0]
