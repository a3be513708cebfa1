"""How good a classifier is, from labels, scores and decisions."""

from shared.evaluation.metrics import METRIC_NAMES, classification_metrics

__all__ = ["METRIC_NAMES", "classification_metrics"]
