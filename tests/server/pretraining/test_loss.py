import numpy as np
import pytest
import torch
import torch.nn.functional as F

from server.pretraining.loss import MultiTaskLoss, concordance

NAN = float("nan")


def plain(**weights):
    return MultiTaskLoss(torch.ones(8), torch.ones(12), **weights)


def batch(n=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(n, 22, generator=generator, requires_grad=True)
    expressions = torch.softmax(torch.randn(n, 8, generator=generator), 1)
    valence_arousal = torch.rand(n, 2, generator=generator) - 0.5
    units = torch.rand(n, 12, generator=generator)
    return outputs, expressions, valence_arousal, units


def test_with_all_labels_it_is_the_sum_of_three_known_losses():
    outputs, expressions, va, units = batch()
    loss = plain(expression=1.0, action_units=0.5, valence_arousal=0.25)(
        outputs, expressions, va, units
    )
    ccc = torch.stack([concordance(outputs[:, 8 + i], va[:, i]) for i in range(2)]).mean()
    expected = (
        F.cross_entropy(outputs[:, :8], expressions)
        + 0.5 * F.binary_cross_entropy_with_logits(outputs[:, 10:], units)
        + 0.25 * (1 - ccc)
    )
    torch.testing.assert_close(loss, expected)


def test_masked_labels_weigh_nothing():
    outputs, expressions, va, units = batch()
    expressions[2], va[1, 0], units[0, 3] = NAN, NAN, NAN
    loss = plain()(outputs, expressions, va, units)
    (gradient,) = torch.autograd.grad(loss, outputs)
    assert torch.isfinite(gradient).all()
    assert not gradient[2, :8].any()
    assert gradient[1, 8] == 0
    assert gradient[1, 9] != 0
    assert gradient[0, 13] == 0
    assert gradient[0, 12] != 0


def test_a_batch_without_any_label_costs_nothing():
    outputs, expressions, va, units = batch()
    loss = plain()(outputs, expressions * NAN, va * NAN, units * NAN)
    (gradient,) = torch.autograd.grad(loss, outputs)
    assert float(loss.detach()) == 0
    assert not gradient.any()


def test_class_and_positive_weights_count():
    outputs, _, va, _ = batch(2)
    expressions, units = torch.eye(8)[[0, 5]], torch.zeros(2, 12)
    units[0, 0] = 1
    weights = torch.ones(8)
    weights[5] = 9.0
    heavy = MultiTaskLoss(weights, torch.full((12,), 3.0), valence_arousal=0, action_units=0)
    nll = -F.log_softmax(outputs[:, :8], 1)
    expected = (nll[0, 0] + 9 * nll[1, 5]) / 10
    torch.testing.assert_close(heavy(outputs, expressions, va, units), expected)
    only_units = MultiTaskLoss(weights, torch.full((12,), 3.0), 0.0, 1.0, 0.0)
    bce = F.binary_cross_entropy_with_logits(outputs[:, 10:], units, reduction="none").clone()
    bce[0, 0] *= 3
    torch.testing.assert_close(only_units(outputs, expressions, va, units), bce.mean())


@pytest.mark.parametrize(
    ("predicted", "target", "expected"),
    [
        ([1, 2, 3], [1, 2, 3], 1.0),
        ([3, 2, 1], [1, 2, 3], -1.0),
        # cov 2/3, variances 2/3 and 2/3, means 1 apart: 2(2/3) / (4/3 + 1) = 4/7
        ([2, 3, 4], [1, 2, 3], 4 / 7),
        ([1, 1, 1], [1, 1, 1], 0.0),
    ],
)
def test_concordance_of_known_pairs(predicted, target, expected):
    value = concordance(torch.tensor(predicted).float(), torch.tensor(target).float())
    np.testing.assert_allclose(value.item(), expected, atol=1e-6)


def test_weights_of_faces_count_like_repetitions():
    outputs, expressions, va, units = batch(4)
    loss_of = plain()
    weights = torch.ones(4, 3)
    weights[1] = 2.0
    rows = [0, 1, 1, 2, 3]
    torch.testing.assert_close(
        loss_of.terms(outputs, expressions, va, units, weights),
        loss_of.terms(outputs[rows], expressions[rows], va[rows], units[rows]),
    )
    weights[1] = 0.0
    kept = [0, 2, 3]
    torch.testing.assert_close(
        loss_of.terms(outputs, expressions, va, units, weights),
        loss_of.terms(outputs[kept], expressions[kept], va[kept], units[kept]),
    )
