from dataclasses import replace

import numpy as np
import pytest
from released import (
    affect_study,
    linear_model,
    private_model,
    recorded,
    write_model,
)

from client.prediction.predicting import NoPrediction, predict
from client.quality.limits import QualityLimits
from shared.channels import ATTRIBUTE_GROUPS
from shared.errors import InputError
from shared.features import temporal_features
from shared.model_file import model_inputs
from shared.privacy.unit_vectors import AffectMap

LIMITS = QualityLimits(shortest_s=60)


@pytest.fixture
def private(tmp_path):
    return write_model(tmp_path / "private.json")


@pytest.fixture
def linear(tmp_path):
    study = affect_study(("au", "valence"), method="federated")
    return write_model(tmp_path / "linear.json", linear_model(study), study)


def predicted(series, model_file, limits=LIMITS, **options):
    return predict(series, model_file, limits, **{"half_samples": 20} | options)


def test_the_number_is_the_models_score_on_the_calibrations_line(private):
    series = recorded()
    found = predicted(series, private)
    features = temporal_features(series.values)
    score = private.model.scores(features[None], private.feature_map)[0]
    assert found.score == pytest.approx(score, abs=1e-12)
    scaled = np.sqrt(78) * score
    line = found.calibration
    assert found.log_odds.estimate == pytest.approx(line.intercept + line.slope * scaled)
    assert (found.log_odds.centre, found.log_odds.model_variance) == pytest.approx(
        line.large_study(scaled)
    )
    assert found.log_odds.asd_share == pytest.approx(49 / 88)
    assert found.log_odds.recording_variance > 0
    assert found.attribution.score == pytest.approx(found.log_odds.estimate, abs=1e-12)
    assert (found.verdict.level, found.warnings) == ("usable", ())


def test_the_same_recording_gets_the_same_interval(private):
    one, again = (predicted(recorded(), private) for _ in range(2))
    assert one.log_odds == again.log_odds
    assert predicted(recorded(), private, seed=1).log_odds != one.log_odds


def test_a_longer_recording_is_surer(private):
    short, long = (predicted(recorded(seconds=s), private, half_samples=60) for s in (100, 400))
    assert long.log_odds.recording_variance < 0.7 * short.log_odds.recording_variance
    assert long.log_odds.model_variance == pytest.approx(short.log_odds.model_variance, rel=0.3)


def test_a_model_without_privacy_gives_its_own_log_odds_and_no_model_part(linear):
    series = recorded()
    found = predicted(series, linear)
    features = temporal_features(series.values)[model_inputs(("au", "valence"))]
    assert found.log_odds.estimate == pytest.approx(linear.model.scores(features[None])[0])
    assert (found.log_odds.model_variance, found.log_odds.asd_share) == (None, None)
    assert found.log_odds.recording_variance > 0
    assert found.calibration is None
    assert found.attribution.score == pytest.approx(found.log_odds.estimate)


@pytest.mark.parametrize("seconds", [10, 40])
def test_an_unusable_or_too_short_recording_gets_no_number(private, seconds):
    with pytest.raises(NoPrediction) as refused:
        predicted(recorded(seconds=seconds), private)
    assert refused.value.exit_code == 1
    said = " ".join(refused.value.reasons)
    assert ("30 s are needed" if seconds == 10 else "too little to say how sure") in said


def test_a_clinics_own_limits_decide(private):
    strict = QualityLimits(shortest_s=60, least_face_s=300)
    with pytest.raises(NoPrediction, match="300 s are needed"):
        predicted(recorded(), private, strict)


def test_a_doubtful_recording_gets_a_number_with_a_warning(private):
    found = predicted(recorded(), private, QualityLimits(), warnings=["known before"])
    assert found.verdict.level == "doubtful"
    assert "only 2:00 long" in found.warnings[0]
    assert found.warnings[-1] == "known before"


def test_a_recording_unlike_all_others_is_told_apart(private):
    series = recorded()
    values = series.values.copy()
    values[:, 10:] = np.where(np.isnan(values[:, 10:]), np.nan, 1.0)
    found = predicted(replace(series, values=values), private)
    assert found.far_out > 0.2
    assert f"{100 * found.far_out:.0f} % of what was measured lies far outside" in found.warnings[0]
    assert np.isfinite(found.log_odds.estimate)
    assert predicted(series, private).far_out < 0.2


def test_a_study_that_nothing_was_measured_for_gets_no_number(tmp_path):
    small = affect_study(participants=18)
    with pytest.raises(InputError, match="18 children"):
        predicted(recorded(), write_model(tmp_path / "m.json", private_model(small), small))


def test_numbers_that_overflow_are_no_score(tmp_path):
    study = affect_study(ATTRIBUTE_GROUPS, method="federated")
    huge = replace(linear_model(study), coefficients=(1.7e308,) * 352)
    with pytest.raises(NoPrediction, match="give no score"):
        predicted(recorded(), write_model(tmp_path / "m.json", huge, study))


def test_a_map_that_makes_everyone_alike_gives_no_score(tmp_path, monkeypatch):
    model_file = write_model(tmp_path / "m.json")
    map_to_nothing = AffectMap.unit_vectors
    monkeypatch.setattr(AffectMap, "unit_vectors", lambda self, f: 0 * map_to_nothing(self, f))
    with pytest.raises(NoPrediction, match="give no score"):
        predicted(recorded(), model_file)


def test_a_simulated_child_is_known_as_one(private):
    assert predicted(recorded(source="surrogate"), private).surrogate
    assert not predicted(recorded(), private).surrogate
