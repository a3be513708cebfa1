"""The head model, read once, and one person and one picture made from it."""

from pathlib import Path

import numpy as np
import pytest

from server.pretraining.renderer.action_units import shape_weights
from server.pretraining.renderer.geometry import Framing
from server.pretraining.renderer.identity import Identity, make_identity
from server.pretraining.renderer.mesh import FaceKit, load_facekit
from server.pretraining.renderer.render import Renderer
from server.pretraining.renderer.scene import plain_scene
from shared.channels import ACTION_UNITS


@pytest.fixture(scope="session")
def facekit(reference_data) -> Path:
    return reference_data / "ict_facekit" / "ict_facekit.npz"


@pytest.fixture(scope="session")
def kit(facekit) -> FaceKit:
    return load_facekit(facekit)


@pytest.fixture(scope="session")
def renderer(kit) -> Renderer:
    return Renderer(kit)


@pytest.fixture(scope="session")
def person(kit) -> Identity:
    """A bare-headed adult without glasses."""
    for number in range(100):
        someone = make_identity(kit, np.random.default_rng([11, number]))
        if not (someone.child or someone.glasses or someone.skin.covered or someone.long_hair):
            return someone
    raise AssertionError("nobody found")


@pytest.fixture(scope="session")
def units():
    """Intensities, shape (12, 2), with the named units set: ``units(au12=1, au4=(0, 1))``."""

    def make(**given):
        intensity = np.zeros((len(ACTION_UNITS), 2), np.float32)
        for name, value in given.items():
            intensity[ACTION_UNITS.index(int(name[2:]))] = value
        return intensity

    return make


@pytest.fixture(scope="session")
def draw(kit, renderer, person):
    """Picture of ``person`` with given units, in even light."""

    def make(intensity, scene=None, framing=None, **options):
        vertices = kit.deformed(person.base, shape_weights(intensity))
        framing = framing or Framing(120, 120)
        return renderer.render(
            person, vertices, intensity, scene or plain_scene(), framing, **options
        )

    return make
