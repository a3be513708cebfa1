import json

import numpy as np
import pytest
from scipy.stats import norm

from shared.errors import InputError
from simulations.cohort import calibration
from simulations.cohort import effects as stored
from simulations.cohort.calibration import (
    MEASURED,
    PUBLISHED,
    TOLERANCE,
    Measurement,
    _improved,
    measure,
    write_calibration,
)
from simulations.cohort.cohort import GENERATOR_VERSION
from simulations.cohort.population import UNSCALED_EFFECTS


def as_published(shift=0.0):
    rows = [[*row, (row[1] + row[2]) / 2, 0.8] for row in PUBLISHED.values()]
    values = np.repeat(np.array(rows)[None], 3, axis=0)
    values[1] += 0.01
    values[2] -= 0.01
    return Measurement(values + shift)


def test_stored_calibration_is_of_this_generator_and_within_tolerance():
    content = json.loads(stored.calibration_path().read_text())
    assert content["provenance"]["generator_version"] == GENERATOR_VERSION
    assert content["provenance"]["seeds"] == [0, 199]
    for name, row in content["table"].items():
        for metric in ("f1", "sensitivity", "specificity"):
            off = abs(row["mean"][metric] - row["published"][metric])
            assert off <= TOLERANCE[name], (name, metric)
    assert stored.stored_effects() == content["effects"]


def test_first_surrogate_cohorts_look_like_the_stored_mean():
    """Not a recalibration: four cohorts must lie within four standard deviations of the mean."""
    content = json.loads(stored.calibration_path().read_text())
    calls = []
    found = measure(
        stored.stored_effects(), 4, processes=1, on_progress=lambda *done: calls.append(done)
    )
    assert calls[-1] == (4, 4)
    row = content["table"]["au+arousal+valence+expression"]
    f1 = MEASURED.index("f1")
    spread = row["standard_error"]["f1"] * np.sqrt(200)
    assert abs(found.mean[3, f1] - row["mean"]["f1"]) < 4 * spread / np.sqrt(4)


def test_tolerance_is_judged_per_row():
    assert as_published().within_tolerance()
    assert as_published(0.019).within_tolerance()
    assert not as_published(0.021).within_tolerance()


def test_search_stands_still_at_the_published_table_and_moves_towards_it():
    kept = _improved(dict(UNSCALED_EFFECTS), as_published())
    for group in ("au", "arousal", "expression"):
        assert kept[group] == pytest.approx(UNSCALED_EFFECTS[group], rel=1e-6)
    assert _improved(dict(UNSCALED_EFFECTS), as_published(-0.05))["au"] > UNSCALED_EFFECTS["au"]
    assert _improved(dict(UNSCALED_EFFECTS), as_published(0.05))["au"] < UNSCALED_EFFECTS["au"]


def test_a_written_calibration_is_what_the_generator_reads(tmp_path, monkeypatch):
    path = tmp_path / "calibration.json"
    effects = {"au": 0.4, "arousal": 0.8, "valence": 0.1, "expression": 0.5}
    write_calibration(path, effects, as_published(), seconds=1.5, processes=2)
    monkeypatch.setattr(stored, "calibration_path", lambda: path)
    assert stored.stored_effects() == effects
    content = json.loads(path.read_text())
    assert content["provenance"]["threshold_rule"]
    assert content["table"]["au"]["published"] == {
        "f1": 0.69,
        "sensitivity": 0.69,
        "specificity": 0.62,
    }


@pytest.mark.parametrize(
    "text", ["", "{}", '{"effects": {"au": 1}}', '{"effects": {"au": "x"}}', "[1]"]
)
def test_a_damaged_calibration_is_refused(tmp_path, monkeypatch, text):
    path = tmp_path / "calibration.json"
    path.write_text(text)
    monkeypatch.setattr(stored, "calibration_path", lambda: path)
    with pytest.raises(InputError, match="fedaffect-sim calibrate"):
        stored.stored_effects()
    with pytest.raises(InputError, match="not a calibration"):
        stored._read(tmp_path / "none.json")


def test_an_effect_must_be_positive(tmp_path, monkeypatch):
    path = tmp_path / "calibration.json"
    write_calibration(path, dict(UNSCALED_EFFECTS, au=-1.0), as_published(), seconds=1, processes=1)
    monkeypatch.setattr(stored, "calibration_path", lambda: path)
    with pytest.raises(InputError, match="not positive"):
        stored.stored_effects()


def separations_add(effects, cohorts, **_):
    """A world in which the search's assumption holds, with gains it does not know."""
    gains = {"au": 0.9, "arousal": 0.1, "valence": 0.01, "expression": 0.4}
    q = np.cumsum([gains[g] * effects[g] ** 2 for g in ("au", "arousal", "valence", "expression")])
    balanced = norm.cdf(np.sqrt(q))
    rows = np.column_stack([balanced] * 5)
    return Measurement(np.stack([rows] * cohorts))


def test_search_reaches_the_fitted_rows(monkeypatch):
    monkeypatch.setattr(calibration, "measure", separations_add)
    _, found = calibration.calibrate_effects(50)
    balanced = found.mean[:, MEASURED.index("balanced_accuracy")]
    np.testing.assert_allclose(balanced[[0, 1, 3]], [0.655, 0.69, 0.725], atol=0.002)
