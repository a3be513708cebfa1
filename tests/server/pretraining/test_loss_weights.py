import numpy as np
import pytest
import torch

from server.pretraining.loss_weights import balanced_loss, class_weights, positive_weights


def test_rare_expressions_weigh_more_up_to_the_cap():
    mass = np.array([64.0, 16, 4, 1, 1, 1, 1, 0])
    weights = class_weights(mass, 0.5, 5.0)
    assert (weights * mass / mass.sum()).sum() == pytest.approx(1)
    np.testing.assert_allclose(weights / weights[0], [1, 2, 4, 5, 5, 5, 5, 5], rtol=1e-5)
    np.testing.assert_allclose(class_weights(mass, 0.0, 5.0), 1)
    np.testing.assert_allclose(class_weights(np.zeros(8), 0.5, 5.0), 1)


def test_active_units_weigh_more_when_rare():
    active, coded = np.array([10.0, 80, 1, 0]), np.array([100.0, 100, 100, 100])
    np.testing.assert_allclose(positive_weights(active, coded, 0.5, 5.0), [3, 1, 5, 1])
    np.testing.assert_allclose(positive_weights(active, coded, 0.0, 5.0), 1)


def test_shares_and_weights_of_the_sets_decide_what_is_rare(made_faces, made_config):
    sets = [made_faces(40), made_faces(30, coded=True)]
    names = [{"kind": "stored", "path": name} for name in "ab"]
    plain = balanced_loss(made_config(2, data=names), sets, 1, torch.device("cpu"))
    names[0]["weights"] = {"action_units": 0.0}
    only_coded = balanced_loss(made_config(2, data=names), sets, 1, torch.device("cpu"))
    active = sets[1].action_units.mean(axis=0)
    wanted = positive_weights(active, np.ones(12), 0.5, 5.0)
    np.testing.assert_allclose(only_coded.positive_weights, wanted, rtol=1e-5)
    assert not torch.equal(plain.positive_weights, only_coded.positive_weights)
    torch.testing.assert_close(plain.expression_weights, only_coded.expression_weights)
