import numpy as np
import pytest

from server.pretraining.datasets.ferplus import FerPlus
from server.pretraining.evaluation import best_temperature, evaluate_expressions


def faces(n=24, seed=0):
    """Pictures whose brightness says whether they are joyful or sad."""
    rng = np.random.default_rng(seed)
    joyful = rng.random(n) < 0.5
    images = rng.integers(0, 60, (n, 48, 48)) + 180 * joyful[:, None, None]
    votes = np.zeros((n, 8), np.int64)
    votes[np.arange(n), np.where(joyful, 1, 2)] = 10
    return FerPlus(
        images.astype(np.uint8), votes, votes.sum(1), np.full(n, "Training"), np.arange(n)
    )


def test_metrics_of_known_predictions():
    some = faces(10)
    logits = np.full((10, 8), -5, np.float32)
    logits[np.arange(10), some.expression] = 5
    perfect = evaluate_expressions(logits, some)
    assert perfect.accuracy == 1
    assert perfect.f1["joy"] == perfect.f1["sad"] == 1
    assert perfect.macro_f1 == pytest.approx(2 / 8)
    always_joy = evaluate_expressions(np.eye(8, dtype=np.float32)[[1] * 10], some)
    joyful = int((some.expression == 1).sum())
    assert always_joy.accuracy == pytest.approx(joyful / 10)
    assert always_joy.f1["joy"] == pytest.approx(2 * joyful / (joyful + 10))
    assert always_joy.count["joy"] == joyful


def test_temperature_recovers_a_known_scale():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, 8)).astype(np.float32)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert best_temperature(logits * 2.5, shares) == pytest.approx(2.5, rel=1e-3)
