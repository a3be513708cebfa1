"""What ``--store`` writes for the plan's plain words: losses against pooled training.

The file is read by :mod:`shared.privacy.expected_loss`. It holds surrogate figures and says so.
"""

import json
from pathlib import Path
from typing import Any

from shared.errors import InputError
from shared.files import write_atomic
from simulations.compare.mechanisms import DEFAULT
from simulations.compare.results import POOLED, Comparison
from simulations.results import Metric

__all__ = ["loss_table", "write_expected_loss"]


def loss_table(comparison: Comparison) -> dict[str, Any]:
    """Losses of the default with the packaged constants, by epsilon and participants.

    Parameters
    ----------
    comparison : Comparison
        With right constants.

    Raises
    ------
    InputError
        When the run left out the packaged constants.
    """
    if "right" not in comparison.qualities:
        raise InputError(
            "--store keeps losses with the packaged constants, which this run left out; add right "
            "to --constants"
        )
    losses = []
    metrics: tuple[Metric, ...] = ("f1", "balanced_accuracy", "auc")
    for participants in comparison.participants:
        for epsilon in comparison.epsilons:
            row: dict[str, Any] = {"epsilon": epsilon, "participants": participants}
            for metric in metrics:
                found = comparison.difference(
                    POOLED, DEFAULT, participants, "right", epsilon, metric
                )
                if found is None or found.mean is None:
                    raise InputError(f"the run has no {metric} at epsilon {epsilon:g}")
                row[metric] = round(found.mean, 4)
                if found.low is not None and found.high is not None:
                    row[f"{metric}_interval"] = [round(found.low, 4), round(found.high, 4)]
            losses.append(row)
    provenance = comparison.provenance
    return {
        "losses": losses,
        "provenance": {
            "command": provenance.command,
            "created": provenance.created.isoformat(timespec="seconds"),
            "data": provenance.data,
            "loss": "pooled logistic regression without privacy, minus the default mechanism; mean "
            "over cohorts with its 95 % interval",
            "delta": provenance.delta,
            "collusion_margin": provenance.collusion_margin,
            "constants": provenance.constants["right"],
            "software": provenance.software,
        },
    }


def write_expected_loss(path: Path, comparison: Comparison) -> None:
    """Write the table to ``path``, whole or not at all."""
    text = json.dumps(loss_table(comparison), ensure_ascii=False, indent=1)
    write_atomic(path, text + "\n")
