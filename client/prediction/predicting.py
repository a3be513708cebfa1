"""From a series of attributes and a model file to one prediction, or to the reason for none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from client.prediction.probability import LogOdds
from client.prediction.resampling import HALF_SAMPLES, half_sample_features
from client.quality.limits import QualityLimits
from client.quality.measures import RecordingMeasures, measure_recording
from client.quality.verdict import Verdict, judge
from shared.attributes import AttributeSeries
from shared.channels import FRAME_RATE_HZ
from shared.errors import FedaffectError
from shared.features import temporal_features
from shared.model import LinearModel, PrivateModel
from shared.model_file import ModelFile, model_inputs
from shared.privacy.attribution import Attribution, attribute_log_odds, attribute_score
from shared.privacy.constants import SCORE_LIMIT, PublicConstants, feature_logits
from shared.privacy.expected_calibration import Calibration, expected_calibration

__all__ = ["NoPrediction", "Prediction", "predict"]

_USABLE_HALVES: Final = 0.9
"""Share of the half-samples that must show enough of the face."""

_FAR_OUT: Final = 0.2
"""Share of statistics beyond three public standard deviations above which a recording lies far from
the comparison group; of surrogate children less than 1 in 100 reaches it."""


class NoPrediction(FedaffectError):
    """The recording does not allow a number.

    Attributes
    ----------
    reasons : tuple of str
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of one recording.

    Attributes
    ----------
    participant : str
    surrogate : bool
        Whether the child is simulated.
    measures : RecordingMeasures
    verdict : Verdict
        Of the recording's quality.
    model_file : ModelFile
    score : float
        The model's own score; above 0 reads as ASD.
    log_odds : LogOdds
    attribution : Attribution
        Of the estimated log-odds.
    calibration : Calibration or None
        None for a model trained without privacy.
    far_out : float
        Share of the statistics beyond three public standard deviations.
    warnings : tuple of str
    """

    participant: str
    surrogate: bool
    measures: RecordingMeasures
    verdict: Verdict
    model_file: ModelFile
    score: float
    log_odds: LogOdds
    attribution: Attribution
    calibration: Calibration | None
    far_out: float
    warnings: tuple[str, ...]


def predict(
    series: AttributeSeries,
    model_file: ModelFile,
    limits: QualityLimits,
    *,
    warnings: Sequence[str] = (),
    half_samples: int = HALF_SAMPLES,
    seed: int = 0,
) -> Prediction:
    """Score one recording.

    Parameters
    ----------
    series : AttributeSeries
    model_file : ModelFile
    limits : QualityLimits
    warnings : sequence of str
        Already known; the recording's own are added.
    half_samples : int
        For the recording's part of the interval.
    seed : int
        Of the half-samples: the same recording always gets the same interval.

    Raises
    ------
    NoPrediction
        When the recording is unusable, or too short to say how sure the number is.
    InputError
        When no probability was measured for studies like the model's.
    """
    verdict = judge(measures := measure_recording(series), limits)
    if verdict.level == "unusable":
        raise NoPrediction(verdict.reasons)
    features = temporal_features(series.values, rate_hz=FRAME_RATE_HZ)
    halves = half_sample_features(series.values, np.random.default_rng(seed), half_samples)
    if not np.isfinite(features).all() or len(halves) < _USABLE_HALVES * half_samples:
        raise NoPrediction(
            [
                f"the face is seen for {series.face_seconds:.0f} s, which is too little to say how "
                "sure a number would be"
            ]
        )
    model, calibration = model_file.model, None
    # Whatever a file's numbers lead to is looked at below.
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(model, PrivateModel):
            calibration = expected_calibration(model_file.study, model_file.feature_map)
            score, log_odds, parts = _private(model, model_file, calibration, features, halves)
        else:
            score, log_odds, parts = _linear(model, model_file, features, halves)
    numbers = [score, log_odds.estimate, log_odds.spread, *parts.parts.ravel()]
    if not np.isfinite(numbers).all() or not parts.parts.any():
        raise NoPrediction(["the model's numbers give no score; ask the coordinator about it"])
    far_out = _far_out(model_file.constants, features)
    return Prediction(
        participant=series.participant,
        surrogate=series.provenance.get("source") == "surrogate",
        measures=measures,
        verdict=verdict,
        model_file=model_file,
        score=score,
        log_odds=log_odds,
        attribution=parts,
        calibration=calibration,
        far_out=far_out,
        warnings=(*_recording_warnings(verdict, far_out), *warnings),
    )


def _private(
    model: PrivateModel,
    model_file: ModelFile,
    calibration: Calibration,
    features: NDArray[np.float64],
    halves: NDArray[np.float64],
) -> tuple[float, LogOdds, Attribution]:
    feature_map = model_file.feature_map
    scale = float(np.sqrt(feature_map.dimension))
    attribution = attribute_score(features, feature_map, np.array(model.direction), model.threshold)
    score = attribution.score
    spread = scale * model.scores(halves, feature_map).std(ddof=1)
    centre, variance = calibration.large_study(scale * score)
    log_odds = LogOdds(
        estimate=calibration.log_odds(scale * score),
        centre=centre,
        model_variance=variance,
        recording_variance=float(calibration.large_slope * spread) ** 2,
        asd_share=calibration.asd_share,
    )
    return score, log_odds, attribution.scaled(calibration.slope * scale, calibration.intercept)


def _linear(
    model: LinearModel,
    model_file: ModelFile,
    features: NDArray[np.float64],
    halves: NDArray[np.float64],
) -> tuple[float, LogOdds, Attribution]:
    """Its score is a log-odds already; what other participants would change is unknown."""
    groups = model_file.study.attribute_groups
    attribution = attribute_log_odds(features, model, groups, model_file.constants)
    spread = model.scores(halves[:, model_inputs(groups)]).std(ddof=1)
    score = attribution.score
    log_odds = LogOdds(score, score, None, float(spread) ** 2, None)
    return score, log_odds, attribution


def _far_out(constants: PublicConstants, features: NDArray[np.float64]) -> float:
    away = (feature_logits(features) - constants.feature_mean) / constants.feature_sd
    return float(np.mean(np.abs(away) >= SCORE_LIMIT))


def _recording_warnings(verdict: Verdict, far_out: float) -> list[str]:
    found = []
    if verdict.level == "doubtful":
        found.append(f"The recording is doubtful: {'; '.join(verdict.reasons)}.")
    if far_out > _FAR_OUT:
        found.append(
            "This recording is unlike those of the comparison group: "
            f"{100 * far_out:.0f} % of what was measured lies far outside. The model was not made "
            "for such recordings, and the probability may be badly off."
        )
    return found
