"""A prediction as JSON: every number that the screen shows, and those behind them."""

from dataclasses import asdict
from typing import Any

from client.prediction.predicting import NoPrediction, Prediction
from client.prediction.probability import OTHER_SHARES, Stated
from client.prediction.words import channel_parts, group_parts

__all__ = ["refusal_document", "to_document"]

_STATEMENT = "not a diagnosis"


def to_document(prediction: Prediction) -> dict[str, Any]:
    """Return the prediction as a JSON object; None is "not measured" or "unknown"."""
    log_odds, model_file = prediction.log_odds, prediction.model_file
    study, calibration = model_file.study, prediction.calibration
    return {
        "statement": _STATEMENT,
        "recording": {
            "participant": prediction.participant,
            "simulated": prediction.surrogate,
            "verdict": prediction.verdict.level,
            "reasons": list(prediction.verdict.reasons),
            "measures": asdict(prediction.measures),
            "share_far_from_comparison_group": prediction.far_out,
        },
        "model": {
            "sha256": model_file.sha256,
            "software": model_file.software,
            "study": study.digest,
            "title": study.title,
            "attribute_groups": list(study.attribute_groups),
            "declared_participants": study.participants,
            "epsilon": study.epsilon,
            "delta": study.delta,
        },
        "score": prediction.score,
        "probability": {
            "asd_share": log_odds.asd_share,
            **_stated(log_odds.stated),
            "tells": log_odds.tells,
        },
        "at_other_shares": [
            {"asd_share": share, **_stated(log_odds.at(share))}
            for share in (OTHER_SHARES if log_odds.asd_share is not None else ())
        ],
        "log_odds": {
            "estimate": log_odds.estimate,
            "interval_centre": log_odds.centre,
            "sd_model": None if log_odds.model_variance is None else log_odds.model_variance**0.5,
            "sd_recording": log_odds.recording_variance**0.5,
        },
        "parts": {
            "start": prediction.attribution.rest,
            "groups": dict(group_parts(prediction.attribution)),
            "channels": [asdict(one) for one in channel_parts(prediction.attribution)],
        },
        "calibration": None if calibration is None else asdict(calibration),
        "comparison_group": model_file.constants.source,
        "warnings": list(prediction.warnings),
    }


def refusal_document(participant: str, error: NoPrediction) -> dict[str, Any]:
    """What a script gets when there is no number."""
    return {
        "statement": _STATEMENT,
        "recording": {"participant": participant},
        "probability": None,
        "reasons": list(error.reasons),
    }


def _stated(stated: Stated) -> dict[str, float]:
    return {"value": stated.probability, "low": stated.low, "high": stated.high}
