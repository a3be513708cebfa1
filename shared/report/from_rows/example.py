"""One participant's score over the recording, nobody named."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import ATTRIBUTE_GROUPS, CHANNELS
from shared.evaluation.evaluate import Evaluation
from shared.evaluation.time_resolved import TimeResolved, resolve_linear
from shared.learning.pooled import train_pooled
from shared.report import document as d

__all__ = ["example_of", "typical_row"]

_STRETCH_S: Final = 30
_TRACKS: Final = 6
"""Channels shown by themselves; all others are added up."""


def typical_row(found: Evaluation) -> int | None:
    """Row of the participant whose score is the middle one of the rightly called with ASD.

    Neither the best nor the worst example, and chosen without anybody's eye. None when nobody with
    ASD was called so.
    """
    score = found.score[0]
    complete = np.isfinite(found.people.table.values).all(axis=1)
    rows = np.flatnonzero(found.people.asd & (score > 0) & complete)
    if not len(rows):
        return None
    return int(rows[np.argsort(score[rows], kind="stable")[(len(rows) - 1) // 2]])


def example_of(
    found: Evaluation, row: int, values: NDArray[np.floating], *, surrogate: bool
) -> d.Example:
    """Take a score apart over time, by the model that was trained without this participant.

    Parameters
    ----------
    found : Evaluation
    row : int
        Row of the participant.
    values : ndarray, shape (n_frames, 22)
        Attribute series of this participant.
    surrogate : bool
    """
    train = found.fold[0] != found.fold[0][row]
    model = train_pooled(found.people.table.values[train], found.people.asd[train])
    resolved = resolve_linear(values, model, ATTRIBUTE_GROUPS, stretch_s=_STRETCH_S)
    seconds = resolved.face_share * (resolved.stop_s - resolved.start_s)
    # A quantile of the whole is no mean of its stretches' quantiles; what is left is spread evenly.
    whole = resolved.remainder.sum(axis=1)
    by_channel = resolved.parts.sum(axis=2) + np.outer(seconds / seconds.sum(), whole)
    order = np.argsort(-np.abs(by_channel).sum(axis=0), kind="stable")
    tracks = [
        d.ChannelTrack(channel=CHANNELS[at], contribution=by_channel[:, at].tolist())
        for at in order[:_TRACKS]
    ]
    tracks.append(
        d.ChannelTrack(
            channel="all others", contribution=by_channel[:, order[_TRACKS:]].sum(axis=1).tolist()
        )
    )
    child = "surrogate child" if surrogate else "child"
    diagnosis = "ASD" if found.people.asd[row] else "non-ASD"
    called = "ASD" if resolved.score > 0 else "non-ASD"
    return d.Example(
        status="local",
        note=_remainder(resolved),
        title=f"A {child} with {diagnosis}, called {called}: the middle one of those called so",
        decomposition="exact",
        window_s=float(np.median(resolved.stop_s - resolved.start_s)),
        time_s=((resolved.start_s + resolved.stop_s) / 2).tolist(),
        tracks=tuple(tracks),
        score=resolved.score,
        probability=1 / (1 + math.exp(-resolved.score)),
        sentence=(
            "Each point is what a stretch of the recording adds to the log-odds of ASD, by the "
            "model trained without this child. It says how the model uses the recording, not what "
            "the child felt."
        ),
    )


def _remainder(resolved: TimeResolved) -> str:
    return (
        f"The stretches and {resolved.rest:+.2f} that no channel has add up to the score. "
        "Quantiles belong to a recording as a whole; what they have beyond those of its stretches "
        f"is spread evenly over it ({float(resolved.remainder.sum()):+.2f} in all)."
    )
