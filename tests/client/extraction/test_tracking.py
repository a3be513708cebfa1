import av
import numpy as np
import pytest

from client.extraction.clock import ShownFrame
from client.extraction.detector import Detection
from client.extraction.recording import SourceFrame
from client.extraction.tracking import TrackingSettings, track
from shared.errors import InputError


def shown(pictures):
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        yield ShownFrame(SourceFrame(index, index / 24, frame), 1)


def faces(pictures, detector, **settings):
    items = list(track(shown(pictures), detector, TrackingSettings(**settings)))
    assert [item.shown.frame.index for item in items] == list(range(len(pictures)))
    return [item.face for item in items]


def test_a_slow_face_is_interpolated_from_few_looks(scene, detector):
    pictures = [scene((40 + i, 30, 40, 40)) for i in range(41)]
    found = faces(pictures, detector)
    assert detector.looks <= 10
    left = [face.x for face in found]
    np.testing.assert_allclose(left, 40 + np.arange(41), atol=1.0)


@pytest.mark.parametrize("lost_from", range(8, 19))
@pytest.mark.parametrize("lost_for", [1, 2, 7, 30])
def test_a_lost_face_is_lost_at_the_right_frames(scene, detector, lost_from, lost_for):
    # The square is large, so that its coming and going changes the picture, as a cut does.
    box = (40, 20, 80, 80)
    there = [not lost_from <= i < lost_from + lost_for for i in range(40)]
    found = faces([scene(box if t else None) for t in there], detector)
    assert [face is not None for face in found] == there


def test_a_small_face_that_goes_without_a_cut_is_followed_by_looking_closer(scene, detector):
    there = [i < 13 for i in range(30)]
    box = (70, 50, 12, 12)
    found = faces([scene(box if t else None) for t in there], detector)
    assert [face is not None for face in found] == there
    assert detector.looks < 15


def test_the_number_of_faces_is_known_where_the_detector_looked(scene):
    class TwoFaces:
        identity = "two faces"

        def detect(self, picture):
            low = Detection(5, 5, 20, 20, 0.2)
            return [Detection(10, 10, 40, 40, 0.9), Detection(90, 10, 30, 30, 0.8), low]

    items = list(track(shown([scene()] * 12), TwoFaces(), TrackingSettings()))
    seen = [item.faces_seen for item in items]
    assert set(seen) == {2, None}
    assert seen[0] == seen[-1] == 2
    assert seen.count(2) <= 4


def test_a_jump_is_not_interpolated(scene, detector):
    pictures = [scene((10 if i < 12 else 110, 30, 14, 14)) for i in range(25)]
    left = [face.x for face in faces(pictures, detector)]
    np.testing.assert_allclose(left, [10] * 12 + [110] * 13, atol=1.0)


def test_every_frame_is_looked_at_when_asked(scene, detector):
    faces([scene()] * 20, detector, detect_every=1)
    assert detector.looks == 20


class Scripted:
    identity = "scripted"

    def __init__(self, *answers):
        self._answers = iter(answers)

    def detect(self, picture):
        return next(self._answers)


def test_the_same_face_is_kept_when_a_larger_one_appears(scene):
    child, parent = Detection(10, 10, 20, 20, 0.9), Detection(80, 10, 60, 60, 0.9)
    found = faces([scene()] * 3, Scripted([child], [parent, child], [parent]), detect_every=1)
    assert found == [child, child, parent]


def test_unsure_and_empty_detections_are_no_face(scene):
    unsure, flat = Detection(10, 10, 20, 20, 0.5), Detection(10, 10, 0, 20, 0.9)
    assert faces([scene()] * 2, Scripted([unsure], [flat]), detect_every=1) == [None, None]


def test_boxes_are_in_source_pixels(scene, detector):
    picture = np.repeat(np.repeat(scene(), 4, axis=0), 4, axis=1)
    (face,) = faces([picture], detector)
    np.testing.assert_allclose(face[:4], (240, 120, 160, 160), atol=4)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("detect_every", 0), ("detector_width", 10), ("least_confidence", 1.5)],
)
def test_impossible_settings_name_their_option(setting, value):
    with pytest.raises(InputError, match="--" + setting.replace("_", "-")):
        TrackingSettings(**{setting: value})
