"""Masked multi-task loss: expressions, action units, valence and arousal.

    L = w_e * soft cross-entropy + w_au * mean BCE over coded units + w_va * (1 - mean CCC)

Each term leaves out what a face has no label for; a term without any label is 0, never NaN.
CCC is Lin's concordance correlation (1989), taken over the batch. Nothing here waits for the
values of a tensor, so that a graphics card is never kept waiting.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["TERMS", "MultiTaskLoss", "concordance"]

TERMS = ("expression", "valence_arousal", "action_units")


def concordance(predicted: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Lin's concordance correlation coefficient of two samples, shape (n,) each.

    ``2 cov(p, t) / (var(p) + var(t) + (mean(p) - mean(t))^2)``, 0 where both are constant.

    Parameters
    ----------
    predicted, target : Tensor, shape (n,)
    weight : Tensor, shape (n,), optional
        Of each pair in all means, 0 or more.
    """
    share = torch.ones_like(predicted) if weight is None else weight
    share = share / share.sum().clamp_min(1e-8)
    mean_p, mean_t = (share * predicted).sum(), (share * target).sum()
    p, t = predicted - mean_p, target - mean_t
    spread = (share * (p.square() + t.square())).sum() + (mean_p - mean_t).square()
    return 2 * (share * p * t).sum() / spread.clamp_min(1e-8)


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
        self,
        outputs: Tensor,
        expressions: Tensor,
        valence_arousal: Tensor,
        units: Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Loss of one batch, a scalar; arguments as for ``terms``."""
        return self.total(self.terms(outputs, expressions, valence_arousal, units, weights))

    def total(self, terms: Tensor) -> Tensor:
        """Weighted sum of the three terms."""
        return (
            self.expression * terms[0]
            + self.valence_arousal * terms[1]
            + self.action_units * terms[2]
        )

    def terms(
        self,
        outputs: Tensor,
        expressions: Tensor,
        valence_arousal: Tensor,
        units: Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Terms of one batch in the order of ``TERMS``, shape (3,).

        Parameters
        ----------
        outputs : Tensor, shape (n, 22)
        expressions : Tensor, shape (n, 8)
            Distributions; a row of NaN has no label.
        valence_arousal : Tensor, shape (n, 2)
            NaN where there is no label.
        units : Tensor, shape (n, 12)
            Probabilities of the action units; NaN where a unit is not coded.
        weights : Tensor, shape (n, 3), optional
            How much each face counts in each term; 1 by default.
        """
        if weights is None:
            weights = outputs.new_ones(len(outputs), len(TERMS))
        return torch.stack(
            [
                self._expression_term(outputs[:, :8], expressions, weights[:, :1]),
                self._valence_arousal_term(outputs[:, 8:10], valence_arousal, weights[:, 1]),
                self._unit_term(outputs[:, 10:], units, weights[:, 2:]),
            ]
        )

    def _expression_term(self, logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        labelled = torch.isfinite(target).all(dim=1, keepdim=True)
        weighted = torch.where(labelled, target, 0.0) * self.expression_weights * weight
        return -(weighted * F.log_softmax(logits, 1)).sum() / weighted.sum().clamp_min(1e-8)

    def _unit_term(self, logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        coded = torch.isfinite(target)
        losses = F.binary_cross_entropy_with_logits(
            logits,
            torch.where(coded, target, 0.0),
            reduction="none",
            pos_weight=self.positive_weights,
        )
        counted = torch.where(coded, weight, 0.0)
        return (counted * losses).sum() / counted.sum().clamp_min(1e-8)

    def _valence_arousal_term(self, predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        losses, usable = [], []
        for column in range(2):
            given = target[:, column]
            counted = torch.where(torch.isfinite(given), weight, 0.0)
            given = torch.where(torch.isfinite(given), given, 0.0)
            # A correlation needs two faces.
            enough = ((counted > 0).sum() > 1).to(predicted.dtype)
            losses.append(enough * (1 - concordance(predicted[:, column], given, counted)))
            usable.append(enough)
        return torch.stack(losses).sum() / torch.stack(usable).sum().clamp_min(1)
