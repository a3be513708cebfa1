"""Small generated data sets and configurations."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from server.pretraining.config import TrainingConfig
from server.pretraining.labelled_faces import LabelledFaces, unlabelled
from server.pretraining.weak_labels import weak_action_units, weak_valence_arousal


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Commands set the number of threads of this process, and sums depend on it."""
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def made_faces():
    """Faces whose brightness says joyful or sad (grey), or AU 12 and 25 or nothing (colour)."""

    def make(n=24, seed=0, side=48, coded=False):
        rng = np.random.default_rng(seed)
        bright = rng.random(n) < 0.5
        channels = 3 if coded else 1
        pictures = (
            rng.integers(0, 60, (n, side, side, channels)) + 180 * bright[:, None, None, None]
        )
        targets = unlabelled(n)
        if coded:
            targets["action_units"] = np.zeros((n, 12), np.float32)
            targets["action_units"][:, [6, 9]] = bright[:, None]
        else:
            distribution = np.eye(8, dtype=np.float32)[np.where(bright, 1, 2)]
            targets = {
                "expression": distribution,
                "valence_arousal": weak_valence_arousal(distribution),
                "action_units": weak_action_units(distribution),
            }
        name = "coded" if coded else "voted"
        return LabelledFaces(name, pictures.astype(np.uint8), **targets)

    return make


@pytest.fixture(scope="session")
def made_config():
    """Configuration for one or two stored sets; keys may be replaced."""

    def make(sets=1, **changes):
        given = {
            "data": [{"kind": "stored", "path": f"set-{i}"} for i in range(sets)],
            "stages": [{"side": 32, "share": 1.0}],
            "batch_size": 8,
            "average_decay": 0.5,
            "log_steps": 1,
            "checkpoint_steps": 1000,
        }
        if "steps" not in changes and "epochs" not in changes:
            given["epochs"] = 1
        return TrainingConfig.model_validate(given | changes)

    return make
