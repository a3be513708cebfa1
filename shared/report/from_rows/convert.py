"""Estimates of ``shared.evaluation`` as the document has them."""

import math
from collections.abc import Mapping

from shared.evaluation import estimate as measured
from shared.evaluation.evaluate import Evaluation
from shared.report import document as d

__all__ = ["in_document", "metrics", "reasons"]


def in_document(figure: measured.Estimate) -> d.Estimate:
    """An estimate as the document has it: without limits where one of them is not finite."""
    known = math.isfinite(figure.low) and math.isfinite(figure.high)
    return d.Estimate(
        value=figure.value,
        low=figure.low if known else None,
        high=figure.high if known else None,
        method=figure.method,
    )


def metrics(figures: Mapping[str, measured.Estimate]) -> d.Metrics:
    """Estimates by name as the document has them."""
    return {name: in_document(figure) for name, figure in figures.items()}


def reasons(found: Evaluation, *steps: str) -> str:
    """Why steps are left out; empty where they are not."""
    return " ".join(
        f"{step.capitalize()} is left out: {found.left_out[step]}."
        for step in steps
        if step in found.left_out
    )
