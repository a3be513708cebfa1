"""Scores of participants by a model that was trained without them, from one release.

After a single gradient sum the weights are linear in the participants, so one participant's part
can be taken out again by the clinic that knows it: no second training, no further cost. With more
rounds the later gradients depend on everyone, and no such read-out exists.
"""

import numpy as np
from numpy.typing import NDArray

from shared.errors import PrivacyError
from shared.privacy.feature_map import unit_scores
from shared.privacy.gradient_sum import participant_gradients
from shared.privacy.grid import GRID
from shared.privacy.planner import CLIPPING_NORM, Plan

__all__ = ["leave_one_out_scores"]


def leave_one_out_scores(
    vectors: NDArray[np.int64],
    asd: NDArray[np.bool_],
    direction: NDArray[np.float64],
    plan: Plan,
    start: NDArray[np.float64],
    *,
    constant_dropped: bool = False,
) -> NDArray[np.float64]:
    """Unit scores on the released direction less each participant's own part of it.

    Parameters
    ----------
    vectors : ndarray of int64, shape (n, k)
        Quantised unit vectors.
    asd : ndarray of bool, shape (n,)
        Labels.
    direction : ndarray, shape (k,)
        The released direction.
    plan : Plan
        With one round.
    start : ndarray, shape (k,)
        Weights the round started from.
    constant_dropped : bool
        Whether the last coordinate served the training only and is not in the direction.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    PrivacyError
        When the plan has more than one round.
    """
    if plan.rounds != 1:
        raise PrivacyError(
            f"leave-one-out scores were asked of a plan with {plan.rounds} rounds; they follow "
            "from one release only when there is one round"
        )
    own = participant_gradients(vectors / GRID, asd, start)
    if constant_dropped:
        own[:, -1] = 0
    overlap: NDArray[np.float64] = (own * vectors).sum(axis=1) / GRID**2  # exact in int64
    length = float(np.linalg.norm(direction))
    if length == 0:
        return np.zeros(len(vectors))
    shift = plan.step * CLIPPING_NORM / plan.participants / length
    return unit_scores(vectors, direction) + shift * overlap
