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
from shared.messages import Answer, Arrays, Kind, Question
from shared.privacy.evaluation_counts import evaluation_contribution, score_bins
from shared.privacy.feature_map import unit_scores
from shared.privacy.grid import is_on_weight_grid
from shared.privacy.masks import pair_masks
from shared.privacy.secure_sum import seal
from shared.privacy.threshold import threshold_contribution

__all__ = ["answer_question"]


def answer_question(site: SiteStudy, question: Question, echoed_head: str = "") -> Answer:
    """Answer one question of one study.

    Parameters
    ----------
    site : SiteStudy
        This clinic's side of the study.
    question : Question
        What the server asks.
    echoed_head : str
        The last head of this clinic's ledger that the server knows.

    Raises
    ------
    PrivacyError
        When the study does not allow this kind of question or this round, the ledger has no room,
        or the round was answered with another input before.
    FederationError
        When the question's arrays are missing or have the wrong shape.
    """
    exact = _EXACT.get(site.study.method, {})
    allowed = {*exact, *(_NOISED if site.study.method == "federated-dp" else ())}
    if question.kind not in allowed:
        raise PrivacyError(
            f"question {question.kind!r} was refused: study {site.study.title!r} with method "
            f"{site.study.method!r} allows {', '.join(sorted(allowed))}"
        )
    if question.kind in exact:
        return Answer(exact[question.kind](site, question), question.round, question.digest)
    return _noised_sum(site, question, echoed_head)


def _noised_sum(site: SiteStudy, question: Question, echoed_head: str) -> Answer:
    """Make (or make again) the clinic's noised and masked part of a planned release."""
    study = site.study
    planned = {release.round: release for release in site.releases}.get(question.round)
    if planned is None or planned.kind != question.kind:
        raise PrivacyError(
            f"{question.kind} round {question.round} was refused; the plan has "
            f"{', '.join(f'{r.kind} round {r.round}' for r in site.releases)}"
        )
    if set(question.arrays) != _NOISED_ARRAYS[question.kind]:
        raise FederationError(
            f"question {question.kind!r} came with other arrays than "
            f"{', '.join(sorted(_NOISED_ARRAYS[question.kind]))}; is the server on another version?"
        )
    make = _NOISED[question.kind](site, question)  # checks the question before anything is charged

    def create() -> bytes:
        total = make(study.share(planned.sigma))
        mask = None
        if study.mask_keys:
            if site.mask_key is None:
                raise PrivacyError("this clinic has no mask key; a masked sum was asked for")
            mask = pair_masks(
                site.mask_key,
                study.mask_keys,
                study=study.digest,
                round_number=question.round,
                input_digest=question.digest,
                length=len(total),
            )
        return seal(total, mask).astype("<u8").tobytes()

    sealed, head = site.book.once(study.digest, planned, question.digest, create, echoed_head)
    values = np.frombuffer(sealed, dtype="<u8").astype(np.uint64)
    return Answer({"sum": values}, question.round, question.digest, head)


_Make = Callable[[int], NDArray[np.int64]]
"""Makes the clinic's noised sum from its share of the noise, a variance in squared grid units."""


def _gradient(site: SiteStudy, question: Question) -> _Make:
    weights = _weights(question, site.feature_map.dimension)

    def make(variance: int) -> NDArray[np.int64]:
        # torch and opacus take seconds to import; only this answer and the baseline need them.
        from shared.privacy.gradient_sum import gradient_contribution

        return gradient_contribution(
            site.rows,
            site.labels,
            weights,
            variance=variance,
            noise=site.noise,
            release=_release(site, question),
        )

    return make


def _threshold(site: SiteStudy, question: Question) -> _Make:
    direction = _weights(question, site.feature_map.dimension)

    def make(variance: int) -> NDArray[np.int64]:
        return threshold_contribution(
            _scores(site, direction),
            site.labels,
            site.feature_map.dimension,
            variance=variance,
            noise=site.noise,
            release=_release(site, question),
        )

    return make


def _evaluation(site: SiteStudy, question: Question) -> _Make:
    direction = _weights(question, site.feature_map.dimension)
    (threshold,) = _array(question, "threshold", 1)
    bins = site.study.evaluation_bins

    def make(variance: int) -> NDArray[np.int64]:
        scores, dimension = _scores(site, direction), site.feature_map.dimension
        return evaluation_contribution(
            score_bins(scores, threshold, bins, dimension),
            site.labels,
            bins,
            variance=variance,
            noise=site.noise,
            release=_release(site, question),
        )

    return make


def _scores(site: SiteStudy, direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit scores; without each participant's own part where one round makes that possible."""
    if site.plan.rounds > 1:
        return unit_scores(site.vectors, direction)
    from shared.privacy.leave_one_out import leave_one_out_scores

    parent = site.study.parent
    start = np.array(parent.weights) if parent else np.zeros(site.feature_map.dimension)
    return leave_one_out_scores(
        site.vectors,
        site.labels,
        direction,
        site.plan,
        start,
        constant_dropped=site.feature_map.releases_threshold and site.feature_map.constant_last,
    )


def _moments(site: SiteStudy, question: Question) -> Arrays:
    centre = question.arrays.get("centre")
    width = site.features.shape[1]
    found = moments(
        site.features,
        site.asd,
        np.zeros(width) if centre is None else _array(question, "centre", width),
    )
    return {
        "count": found.count,
        "total": found.total,
        "square": found.square,
        "labels": found.labels,
    }


def _newton(site: SiteStudy, question: Question) -> Arrays:
    width = site.features.shape[1]
    mean, scale = _array(question, "mean", width), _array(question, "scale", width)
    standard = np.nan_to_num((site.features - mean) / scale, nan=0.0)
    sums = newton_sums(standard, site.asd, _array(question, "weights", width + 1))
    return {
        "loss": np.array([sums.loss]),
        "gradient": sums.gradient,
        "hessian": sums.hessian[np.triu_indices(width + 1)],
    }


def _local_steps(site: SiteStudy, question: Question) -> Arrays:
    from client.local_dp import private_steps

    weights = _array(question, "weights", site.feature_map.dimension)
    updated = private_steps(site, weights, question.round, _release(site, question))
    return {"weights": updated, "examples": np.array([float(len(site.labels))])}


_NOISED: Final[dict[Kind, Callable[[SiteStudy, Question], _Make]]] = {
    "gradient": _gradient,
    "threshold": _threshold,
    "evaluation": _evaluation,
}
_NOISED_ARRAYS: Final[dict[Kind, set[str]]] = {
    "gradient": {"weights"},
    "threshold": {"weights"},
    "evaluation": {"weights", "threshold"},
}
_EXACT: Final[dict[str, dict[Kind, Callable[[SiteStudy, Question], Arrays]]]] = {
    "federated": {"moments": _moments, "newton": _newton},
    "local-dp": {"local_steps": _local_steps},
}


def _release(site: SiteStudy, question: Question) -> str:
    return f"{site.study.digest}|{question.round}|{question.digest}"


def _weights(question: Question, size: int) -> NDArray[np.float64]:
    """Weights of a private training: on the grid that makes every participant's margin exact."""
    value = _array(question, "weights", size)
    if not is_on_weight_grid(value):
        raise FederationError(
            f"question {question.kind!r} came with weights that are off the grid or too long; "
            "is the server on another version?"
        )
    return value


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
