"""A detector trained on photographs takes the rendered faces for faces."""

import numpy as np
import pytest

from client.extraction.detector import open_detector
from server.pretraining.renderer.expression import random_expression
from server.pretraining.renderer.geometry import Framing
from server.pretraining.renderer.identity import make_identity
from server.pretraining.renderer.photo import photographed, random_photo
from server.pretraining.renderer.scene import random_scene


def detections(kit, renderer, n, seed):
    """Confidence of the surest detection, and its box beside the promised one, by scene."""
    detector = open_detector()
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        person, shown, scene = make_identity(kit, rng), random_expression(rng), random_scene(rng)
        place = (rng.uniform(0.35, 0.65), rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.75))
        vertices = kit.deformed(person.base, shown.weights)
        framing = Framing(240, 180, place=place)
        result = renderer.render(person, vertices, shown.intensity, scene, framing)
        picture = photographed(result.picture, random_photo(rng, 240))
        best = max(detector.detect(picture), key=lambda face: face.confidence, default=None)
        yield (0.0, None, result.box) if best is None else (best[4], best[:4], result.box)


@pytest.fixture(scope="module")
def some(kit, renderer):
    return list(detections(kit, renderer, 24, 21))


def test_random_scenes_are_found(some):
    assert np.mean([confidence >= 0.6 for confidence, _, _ in some]) >= 0.9


def test_the_face_box_is_the_detectors(some):
    errors = [(np.array(found) - box) / box[3] for _, found, box in some if found is not None]
    assert np.abs(np.median(errors, axis=0)).max() < 0.05


@pytest.mark.soak
def test_two_hundred_random_scenes_are_found(kit, renderer):
    seen = list(detections(kit, renderer, 200, 23))
    assert np.mean([confidence >= 0.6 for confidence, _, _ in seen]) >= 0.95
