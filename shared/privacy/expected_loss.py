"""What privacy is expected to cost in accuracy, from figures measured on surrogate cohorts.

The table is written by ``fedaffect-sim compare --store`` and read by the plan's wording. It is an
orientation for people who choose epsilon, never an input to anything.
"""

import functools
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

__all__ = ["EXPECTED_LOSS", "MEASURED_SIZES", "ExpectedLoss", "expected_loss"]

EXPECTED_LOSS: Final = Path(__file__).with_name("expected_loss.json")
"""Measured losses by epsilon and number of participants, with their provenance."""


MEASURED_SIZES: Final = (88, 264, 968)
"""Cohort sizes the table is measured at."""


class ExpectedLoss(NamedTuple):
    """Mean loss against pooled training without privacy.

    Attributes
    ----------
    f1, auc : float
        Pooled minus private.
    measured_on : str
        The data behind the figures.
    """

    f1: float
    auc: float
    measured_on: str


def expected_loss(epsilon: float, participants: int) -> ExpectedLoss | None:
    """Interpolate the measured losses in log epsilon and log participants.

    Returns
    -------
    ExpectedLoss or None
        None outside the measured range, where a figure would be a guess.
    """
    table = _table()
    losses: list[dict[str, float]] = table["losses"]
    budgets = sorted({row["epsilon"] for row in losses})
    sizes = sorted({row["participants"] for row in losses})
    # A study declares a few participants less than the cohort it was measured with: 10 % is near.
    near = 0.85 * sizes[0] <= participants <= sizes[-1] / 0.85
    if not (budgets[0] <= epsilon <= budgets[-1] and near):
        return None
    by_place = {(row["epsilon"], row["participants"]): row for row in losses}

    def at(metric: str) -> float:
        by_budget = [
            np.interp(np.log(participants), np.log(sizes), [by_place[b, s][metric] for s in sizes])
            for b in budgets
        ]
        return float(np.interp(np.log(epsilon), np.log(budgets), by_budget))

    return ExpectedLoss(at("f1"), at("auc"), str(table["provenance"]["data"]))


@functools.lru_cache(maxsize=1)
def _table() -> Any:
    return json.loads(EXPECTED_LOSS.read_text(encoding="utf-8"))
