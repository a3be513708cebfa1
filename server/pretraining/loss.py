"""Masked multi-task loss: expressions, action units, valence and arousal.

    L = w_e * soft cross-entropy + w_au * mean BCE over coded units + w_va * (1 - mean CCC)

Each term leaves out what a face has no label for; a term without any label is 0, never NaN.
CCC is Lin's concordance correlation (1989), taken over the batch.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["MultiTaskLoss", "concordance"]


def concordance(predicted: Tensor, target: Tensor) -> Tensor:
    """Lin's concordance correlation coefficient of two samples, shape (n,) each.

    ``2 cov(p, t) / (var(p) + var(t) + (mean(p) - mean(t))^2)``, 0 where both are constant.
    """
    p, t = predicted - predicted.mean(), target - target.mean()
    spread = p.square().mean() + t.square().mean() + (predicted.mean() - target.mean()).square()
    return 2 * (p * t).mean() / spread.clamp_min(1e-8)


@dataclass(frozen=True)
class MultiTaskLoss:
    """Loss of the 22-output network.

    Parameters
    ----------
    expression_weights : Tensor, shape (8,)
        Weight of each expression in the cross-entropy.
    positive_weights : Tensor, shape (12,)
        Weight of the active side of each action unit.
    expression, action_units, valence_arousal : float
        Weights of the three terms.
    """

    expression_weights: Tensor
    positive_weights: Tensor
    expression: float = 1.0
    action_units: float = 0.5
    valence_arousal: float = 0.5

    def __call__(
        self, outputs: Tensor, expressions: Tensor, valence_arousal: Tensor, units: Tensor
    ) -> Tensor:
        """Loss of one batch, a scalar.

        Parameters
        ----------
        outputs : Tensor, shape (n, 22)
        expressions : Tensor, shape (n, 8)
            Distributions; a row of NaN has no label.
        valence_arousal : Tensor, shape (n, 2)
            NaN where there is no label.
        units : Tensor, shape (n, 12)
            Probabilities of the action units; NaN where a unit is not coded.
        """
        return (
            self.expression * self._expression_term(outputs[:, :8], expressions)
            + self.valence_arousal * self._valence_arousal_term(outputs[:, 8:10], valence_arousal)
            + self.action_units * self._unit_term(outputs[:, 10:], units)
        )

    def _expression_term(self, logits: Tensor, target: Tensor) -> Tensor:
        labelled = torch.isfinite(target).all(dim=1, keepdim=True)
        weighted = torch.where(labelled, target, 0.0) * self.expression_weights
        return -(weighted * F.log_softmax(logits, 1)).sum() / weighted.sum().clamp_min(1e-8)

    def _unit_term(self, logits: Tensor, target: Tensor) -> Tensor:
        coded = torch.isfinite(target)
        losses = F.binary_cross_entropy_with_logits(
            logits,
            torch.where(coded, target, 0.0),
            reduction="none",
            pos_weight=self.positive_weights,
        )
        return torch.where(coded, losses, 0.0).sum() / coded.sum().clamp_min(1)

    def _valence_arousal_term(self, predicted: Tensor, target: Tensor) -> Tensor:
        terms = []
        for column in range(2):
            labelled = torch.isfinite(target[:, column])
            if int(labelled.sum()) > 1:
                given = target[labelled, column]
                terms.append(1 - concordance(predicted[labelled, column], given))
        return torch.stack(terms).mean() if terms else predicted.sum() * 0.0
