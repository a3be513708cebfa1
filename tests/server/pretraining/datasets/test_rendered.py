import numpy as np
import pytest

from server.pretraining.datasets import rendered
from server.pretraining.datasets.rendered import activity, rendered_faces
from server.pretraining.renderer.dataset import RenderedFaces, RenderingSettings
from shared.channels import ACTION_UNITS


@pytest.fixture
def settings(reference_data):
    facekit = reference_data / "ict_facekit" / "ict_facekit.npz"
    return RenderingSettings(facekit=facekit, seed=4, n=5, size=48, pictures_per_person=3)


def test_faces_are_rendered_once(settings, tmp_path, monkeypatch):
    told = []
    faces = rendered_faces(settings, tmp_path, 1, progress=lambda *done: told.append(done))
    again = RenderedFaces(settings)[range(5)]
    np.testing.assert_array_equal(faces.pictures, again.pictures)
    np.testing.assert_array_equal(faces.action_units, again.active)
    assert np.isnan(faces.expression).all()
    assert np.isnan(faces.valence_arousal).all()
    assert told == [(3, 5), (5, 5)]
    # Other targets need no other pictures.
    soft = rendered_faces(settings, tmp_path, 1, softness=0.1)
    assert len(list(tmp_path.glob("rendered-*/note.json"))) == 1
    np.testing.assert_allclose(soft.action_units, activity(again.intensity, 0.1))
    monkeypatch.setattr(rendered, "_RENDERER_VERSION", -1)
    rendered_faces(settings, tmp_path, 1)
    assert len(list(tmp_path.glob("rendered-*/note.json"))) == 2


def test_activity_around_the_threshold():
    intensity = np.tile(np.array([[0.0], [0.3], [1.0]], np.float32), (1, len(ACTION_UNITS)))
    twelve, closed = ACTION_UNITS.index(12), ACTION_UNITS.index(43)
    assert activity(intensity)[:, twelve].tolist() == [0, 1, 1]
    assert activity(intensity)[:, closed].tolist() == [0, 0, 1]
    soft = activity(intensity, 0.1)
    assert soft[1, twelve] == pytest.approx(0.5)
    assert (np.diff(soft, axis=0) > 0).all()
