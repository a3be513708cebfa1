"""A clinic's answer to each kind of question, computed from its own rows.

Which kinds a study allows follows from the clinic's own copy of it: a private study answers with
noised sums only, whatever is asked.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from client.site import SiteStudy
from shared.errors import FederationError, PrivacyError
from shared.learning.newton import moments, newton_sums
from shared.messages import Answer, Kind, Question
from shared.privacy.grid import GRID
from shared.privacy.secure_sum import contribution, share_variance
from shared.privacy.threshold import threshold_contribution

__all__ = ["answer_question"]


def answer_question(site: SiteStudy, question: Question) -> Answer:
    """Answer one question of one study.

    Raises
    ------
    PrivacyError
        When the study does not allow this kind of question or this round.
    FederationError
        When the question's arrays are missing or have the wrong shape.
    """
    allowed = _ANSWERS[site.study.method]
    if question.kind not in allowed:
        raise PrivacyError(
            f"question {question.kind!r} was refused: study {site.study.title!r} with method "
            f"{site.study.method!r} allows {', '.join(sorted(allowed))}"
        )
    return allowed[question.kind](site, question)


def _gradient(site: SiteStudy, question: Question) -> Answer:
    # torch and opacus take seconds to import; only this answer and the baseline need them.
    from shared.privacy.gradient_sum import gradient_contribution

    plan = site.plan
    if not 1 <= question.round <= plan.rounds:
        raise PrivacyError(
            f"gradient round {question.round} was refused; the plan has {plan.rounds} rounds"
        )
    total = gradient_contribution(
        site.rows,
        site.labels,
        _weights(question, site.feature_map.dimension + site.feature_map.appends_constant),
        variance=_share(site, plan.sigma_gradient),
        noise=site.noise,
        release=_release(site, question),
    )
    return Answer({"sum": contribution(total)})


def _threshold(site: SiteStudy, question: Question) -> Answer:
    plan = site.plan
    if plan.sigma_threshold is None or question.round != plan.rounds + 1:
        raise PrivacyError(
            f"threshold round {question.round} was refused; the plan releases "
            + (f"it in round {plan.rounds + 1}" if plan.sigma_threshold else "none")
        )
    total = threshold_contribution(
        site.vectors,
        site.labels,
        _weights(question, site.feature_map.dimension),
        variance=_share(site, plan.sigma_threshold),
        noise=site.noise,
        release=_release(site, question),
    )
    return Answer({"sum": contribution(total)})


def _moments(site: SiteStudy, question: Question) -> Answer:
    centre = question.arrays.get("centre")
    width = site.features.shape[1]
    found = moments(
        site.features,
        site.asd,
        np.zeros(width) if centre is None else _array(question, "centre", width),
    )
    return Answer(
        {
            "count": found.count,
            "total": found.total,
            "square": found.square,
            "labels": found.labels,
        }
    )


def _newton(site: SiteStudy, question: Question) -> Answer:
    width = site.features.shape[1]
    mean, scale = _array(question, "mean", width), _array(question, "scale", width)
    standard = np.nan_to_num((site.features - mean) / scale, nan=0.0)
    sums = newton_sums(standard, site.asd, _weights(question, width + 1))
    return Answer(
        {
            "loss": np.array([sums.loss]),
            "gradient": sums.gradient,
            "hessian": sums.hessian[np.triu_indices(width + 1)],
        }
    )


def _local_steps(site: SiteStudy, question: Question) -> Answer:
    from client.local_dp import private_steps

    weights = _weights(question, site.feature_map.dimension + site.feature_map.appends_constant)
    updated = private_steps(site, weights, question.round, _release(site, question))
    return Answer({"weights": updated, "examples": np.array([float(len(site.labels))])})


_ANSWERS: Final[dict[str, dict[Kind, Callable[[SiteStudy, Question], Answer]]]] = {
    "federated-dp": {"gradient": _gradient, "threshold": _threshold},
    "federated": {"moments": _moments, "newton": _newton},
    "local-dp": {"local_steps": _local_steps},
}


def _share(site: SiteStudy, sigma: float) -> int:
    study = site.study
    return share_variance(sigma, GRID, len(study.clinics), study.collusion_margin)


def _release(site: SiteStudy, question: Question) -> str:
    return f"{site.study.digest}|{question.round}"


def _weights(question: Question, size: int) -> NDArray[np.float64]:
    return _array(question, "weights", size)


def _array(question: Question, name: str, size: int) -> NDArray[np.float64]:
    value = question.arrays.get(name)
    if value is None or value.shape != (size,) or value.dtype != np.float64:
        shape = None if value is None else value.shape
        raise FederationError(
            f"question {question.kind!r} came with {name!r} of shape {shape}; float64 of shape "
            f"({size},) is expected. Do server and clinic hold the same study?"
        )
    if not np.isfinite(value).all():
        raise FederationError(f"question {question.kind!r} came with {name!r} that is not finite")
    return value.astype(np.float64, copy=False).reshape(size)
