"""Expression metrics of stored weights on FER+ faces with a majority of all votes."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from server.pretraining.augmentation import resized
from server.pretraining.datasets.ferplus import FerPlus, without_copies
from shared.affect.network import AffectNetwork
from shared.channels import EXPRESSIONS

__all__ = [
    "ExpressionMetrics",
    "best_temperature",
    "evaluate_expressions",
    "expression_logits",
    "measured",
]

_BATCH = 64


@dataclass(frozen=True)
class ExpressionMetrics:
    """How well the expression with the highest output matches the majority vote.

    Attributes
    ----------
    faces : int
    accuracy : float
    macro_f1 : float
        Mean of the eight F1 scores; an expression without faces and predictions counts as 0.
    f1 : dict of str to float
    count : dict of str to int
        Faces of each expression.
    """

    faces: int
    accuracy: float
    macro_f1: float
    f1: dict[str, float]
    count: dict[str, int]

    def as_json(self) -> dict[str, object]:
        """All fields as JSON values."""
        return asdict(self)


def expression_logits(network: AffectNetwork, faces: FerPlus, size: int) -> NDArray[np.float32]:
    """Expression logits of all faces at the given input size, shape (n, 8)."""

    def chunks() -> Iterator[NDArray[np.float32]]:
        yield np.zeros((0, len(EXPRESSIONS)), np.float32)
        for first in range(0, len(faces), _BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(faces.images[first : first + _BATCH]))
            pictures = resized(batch.to(device), size)
            outputs = network(pictures.contiguous(memory_format=torch.channels_last))
            yield outputs[:, : len(EXPRESSIONS)].cpu().numpy()

    device = network.classifier.weight.device
    network.eval()
    with torch.inference_mode():
        return np.concatenate(list(chunks()))


def evaluate_expressions(logits: NDArray[np.float32], faces: FerPlus) -> ExpressionMetrics:
    """Metrics of ``logits``, shape (n, 8), against the majority votes of the same ``faces``."""
    truth, predicted = faces.expression, logits.argmax(axis=1)
    f1 = {}
    for index, name in enumerate(EXPRESSIONS):
        hits = int(((truth == index) & (predicted == index)).sum())
        named = int((truth == index).sum() + (predicted == index).sum())
        f1[name] = 2 * hits / named if named else 0.0
    return ExpressionMetrics(
        faces=len(faces),
        accuracy=float((truth == predicted).mean()) if len(faces) else float("nan"),
        macro_f1=float(np.mean(list(f1.values()))),
        f1=f1,
        count={name: int((truth == index).sum()) for index, name in enumerate(EXPRESSIONS)},
    )


def best_temperature(logits: NDArray[np.float32], distribution: NDArray[np.float32]) -> float:
    """Temperature that fits the softmax of ``logits`` best to the votes (Guo et al., ICML 2017).

    Parameters
    ----------
    logits : ndarray, shape (n, 8)
    distribution : ndarray, shape (n, 8)
        Share of the votes; rows sum to 1.

    Returns
    -------
    float
        Minimiser of the cross-entropy over [0.2, 5].
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def cross_entropy(log_temperature: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_temperature)
        return float(-(distribution * log_softmax(scaled, axis=1)).sum(axis=1).mean())

    found = minimize_scalar(cross_entropy, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return float(np.exp(found.x))


def measured(
    network: AffectNetwork, faces: FerPlus, size: int
) -> tuple[float, dict[str, dict[str, Any]]]:
    """Temperature on PublicTest; expression metrics on PrivateTest, all and without copies."""
    held_out = faces.of("PublicTest").majority()
    temperature = best_temperature(
        expression_logits(network, held_out, size), held_out.distribution()
    )
    results = {}
    tested = faces.of("PrivateTest").majority()
    logits = expression_logits(network, tested, size)
    clean = np.isin(tested.picture, without_copies(faces, "PrivateTest").picture)
    for title, mask in (
        ("majority", np.ones(len(tested), bool)),
        ("majority_without_copies", clean),
    ):
        metrics = evaluate_expressions(logits[mask], tested.rows(mask))
        results[title] = metrics.as_json()
    return temperature, results
