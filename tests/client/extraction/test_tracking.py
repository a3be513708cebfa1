import dataclasses
import json
import weakref

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.extraction.clock import ShownFrame
from client.extraction.detector import Detection
from client.extraction.recording import SourceFrame
from client.extraction.tracking import Tracker, TrackerState, TrackingSettings
from shared.errors import InputError

WHOLE = 320
"""Width of a look at the whole picture."""


class Squares:
    """Finds every bright square; counts its looks at the whole picture and at parts of it."""

    identity = "squares"

    def __init__(self):
        self.whole = self.near = 0
        self.largest_near = 0

    def detect(self, picture):
        if picture.shape[1] == WHOLE:
            self.whole += 1
        else:
            self.near += 1
            self.largest_near = max(self.largest_near, *picture.shape[:2])
        bright = np.ascontiguousarray((picture.min(axis=2) > 145).astype(np.uint8))
        _, _, found, _ = cv2.connectedComponentsWithStats(bright)
        return [Detection(*map(float, each[:4]), 0.9) for each in found[1:] if each[4] >= 9]


def canvas(*boxes, size=(640, 480)):
    """A grey picture with a brighter, patterned rectangle for each "face", cut at the borders."""
    picture = np.full((size[1], size[0], 3), 120, np.uint8)
    for x, y, w, h in boxes:
        down, across = np.mgrid[:h, :w]
        pattern = 200 + 45 * np.sin(12 * across / w) * np.cos(14 * down / h)
        inside = picture[max(y, 0) : y + h, max(x, 0) : x + w]
        rows, columns = inside.shape[:2]
        inside[:] = pattern[:rows, :columns, None].astype(np.uint8)
    return picture


def shown(pictures, ticks=1):
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        yield ShownFrame(SourceFrame(index, index * ticks / 24, frame), ticks)


def track(frames, detector, state=None, **how):
    tracker = Tracker(detector, TrackingSettings(**how), state or TrackerState())
    items = [item for frame in frames for item in tracker.push(frame)]
    return items + tracker.finish()


def faces(pictures, detector, **how):
    items = track(shown(pictures), detector, **how)
    assert [item.shown.frame.index for item in items] == list(range(len(pictures)))
    return [item.face for item in items]


def test_a_slow_face_is_followed_with_few_looks():
    pictures = [canvas((100 + 2 * i, 100, 120, 160)) for i in range(96)]
    detector = Squares()
    found = faces(pictures, detector)
    left = np.array([face.x for face in found])
    np.testing.assert_allclose(left, 100 + 2 * np.arange(96), atol=4)
    # New faces are looked at more often; later every fifth frame, the whole once a second.
    assert detector.near <= 13 + 84 / 5 + 2
    assert detector.whole <= 6 + 3
    assert detector.largest_near <= 96


def test_a_calm_face_is_looked_at_as_often_as_asked():
    detector = Squares()
    tracker = Tracker(detector, TrackingSettings(detect_every=6, whole_every_s=2.0))
    frames = list(shown([canvas((100, 100, 120, 160))] * 200))
    for frame in frames[:72]:
        tracker.push(frame)
    whole, near = detector.whole, detector.near
    for frame in frames[72:168]:
        tracker.push(frame)
    assert (detector.whole - whole, detector.near - near) == (2, 16)


@pytest.mark.parametrize("lost_from", range(18, 29))
@pytest.mark.parametrize("lost_for", [1, 2, 7, 30])
def test_a_lost_face_is_lost_at_the_right_frames(scene, detector, lost_from, lost_for):
    # The square is large, so that its coming and going changes the picture, as a cut does.
    box = (40, 20, 80, 80)
    there = [not lost_from <= i < lost_from + lost_for for i in range(50)]
    found = faces([scene(box if t else None) for t in there], detector)
    assert [face is not None for face in found] == there


@pytest.mark.parametrize("lost_from", range(20, 26))
def test_a_small_face_that_goes_without_a_cut_is_lost_at_the_right_frame(lost_from):
    there = [not lost_from <= i < lost_from + 9 for i in range(50)]
    detector = Squares()
    found = faces([canvas(*[(300, 200, 36, 48)] * t) for t in there], detector)
    assert [face is not None for face in found] == there
    assert detector.near < 40


def test_a_face_in_another_place_is_not_interpolated_and_waits_its_time():
    boxes = [(60, 30, 60, 80) if i < 48 else (400, 300, 60, 80) for i in range(150)]
    found = faces([canvas(box) for box in boxes], Squares())
    assert all(face is not None and abs(face.x - 60) < 2 for face in found[:48])
    again = next(i for i in range(48, 150) if found[i] is not None)
    # The first face was seen for 47/24 s, from first to last frame, and so long it is waited.
    assert again == 48 + 47
    assert all(face is not None and abs(face.x - 400) < 2 for face in found[again:])


def test_a_stranger_who_comes_between_two_looks_is_timed_from_its_first_frame():
    def boxes(i):
        return [(60, 30, 60, 80)] if i < 74 else [(400, 300, 60, 80)] if i >= 87 else []

    for every in (1, 5, 7):
        found = faces([canvas(*boxes(i)) for i in range(170)], Squares(), detect_every=every)
        again = next(i for i in range(74, 170) if found[i] is not None)
        assert again == 87 + 72


def test_only_looks_at_the_whole_picture_count_faces():
    pictures = [canvas((60, 100, 60, 80), (400, 100, 50, 60))] * 73
    items = track(shown(pictures), Squares())
    assert all(item.face is not None and abs(item.face.x - 60) < 2 for item in items)
    seen = [item.faces_seen for item in items]
    assert set(seen) == {2, None}
    assert all(2 in seen[second * 24 : second * 24 + 24] for second in range(3))
    assert seen[24:].count(2) <= 3


def test_the_child_is_found_by_the_whole_picture_even_where_the_near_look_fails():
    # Moves by two faces in one frame, back to where it usually is.
    boxes = [(100, 100, 60, 80)] * 60 + [(100 + 6 * i, 100, 60, 80) for i in range(24)]
    boxes += [(100, 100, 60, 80)] * 20
    found = faces([canvas(box) for box in boxes], Squares())
    expected = [box[0] for box in boxes]
    np.testing.assert_allclose([face.x for face in found], expected, atol=8)


def test_a_face_too_small_for_the_whole_picture_is_followed_by_near_looks():
    class Shortsighted(Squares):
        def detect(self, picture):
            return [face for face in super().detect(picture) if face.width >= 20]

    # The child moves back from the tablet; in the whole picture, at half size, 15 pixels are left.
    boxes = [(200 + i // 2, 150 + i // 2, 60 - i // 2, 80 - i // 2) for i in range(60)]
    items = track(shown([canvas(box) for box in boxes]), Shortsighted())
    widths = [item.face.width for item in items]
    np.testing.assert_allclose(widths, [box[2] for box in boxes], atol=5)
    assert items[-12].faces_seen != 0


def test_every_frame_is_looked_at_when_asked():
    detector = Squares()
    items = track(
        shown([canvas((100, 100, 60, 80))] * 20), detector, detect_every=1, whole_every_s=0.0
    )
    assert [item.faces_seen for item in items] == [1] * 20
    assert detector.whole == 20


def test_frames_that_are_shown_for_long_are_all_looked_at():
    detector = Squares()
    frames = list(shown([canvas((100, 100, 60, 80))] * 20, ticks=24))
    tracker = Tracker(detector, TrackingSettings())
    assert all(len(tracker.push(frame)) == 1 for frame in frames)


def test_unsure_and_empty_detections_are_no_face(scene):
    class Unsure:
        identity = "unsure"

        def detect(self, picture):
            return [Detection(10, 10, 20, 20, 0.5), Detection(10, 10, 0, 20, 0.9)]

    assert faces([scene()] * 6, Unsure()) == [None] * 6


@pytest.mark.parametrize("box", [(60, 30, 40, 40), (0, 0, 50, 60), (120, 90, 40, 30)])
def test_boxes_are_in_source_pixels(scene, detector, box):
    picture = np.repeat(np.repeat(scene(box), 4, axis=0), 4, axis=1)
    for face in faces([picture] * 3, detector):
        np.testing.assert_allclose(face[:4], np.array(box) * 4, atol=6)


class Trembling(Squares):
    """Errs by some hundredths of the face at each near look, and grossly when told so."""

    def __init__(self, sd=0.03):
        super().__init__()
        self._rng = np.random.default_rng(0)
        self._sd = sd
        self.gross_at = set()

    def detect(self, picture):
        wrong = self.near in self.gross_at
        found = super().detect(picture)
        if picture.shape[1] == WHOLE:
            return found
        errors = [self._rng.normal(0, self._sd, 4) + 0.25 * wrong for _ in found]
        return [
            Detection(*(np.array(face[:4]) + error * face.height), face.confidence)
            for face, error in zip(found, errors, strict=True)
        ]


@pytest.mark.parametrize("every", [1, 5])
def test_boxes_are_steadier_than_the_detector(every):
    pictures = [canvas((100 + i, 100, 120, 120)) for i in range(120)]
    detector = Trembling()
    found = np.array([f[:4] for f in faces(pictures, detector, detect_every=every)])[24:]
    errors = (found - [(100 + i, 100, 120, 120) for i in range(24, 120)]) / 120
    assert errors.std(axis=0).max() < 0.02
    steps = np.diff(errors, axis=0)
    assert np.sqrt((steps**2).mean()) < 0.006


def test_one_gross_error_is_not_believed_and_two_are():
    still = [canvas((100, 100, 120, 120))] * 80
    detector = Trembling(sd=0.0)
    detector.gross_at = {18}
    once = np.array([face.width for face in faces(still, detector)]) / 120
    assert once.max() < 1.1
    detector = Trembling(sd=0.0)
    detector.gross_at = {18, 19}
    twice = np.array([face.width for face in faces(still, detector)]) / 120
    assert twice.max() > 1.2


def test_pictures_are_let_go():
    references = []
    tracker = Tracker(Squares(), TrackingSettings(detect_every=4))
    for frame in shown([canvas((100, 100, 60, 80))] * 40):
        references.append(weakref.ref(frame.frame))
        tracker.push(frame)
        del frame
        # Held back, the last decided one, and the one looked at as a whole.
        assert sum(reference() is not None for reference in references) <= 4 + 2


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("detect_every", 0),
        ("detector_width", 10),
        ("least_confidence", 1.5),
        ("whole_every_s", -1.0),
        ("reference_s", 0.0),
        ("give_up_s", float("nan")),
    ],
)
def test_impossible_settings_name_their_option(setting, value):
    with pytest.raises(InputError, match="--" + setting.replace("_", "-")):
        TrackingSettings(**{setting: value})


def through_json(state):
    return TrackerState.from_json(json.loads(json.dumps(dataclasses.asdict(state))))


def test_there_is_no_state_while_frames_are_held_back():
    tracker = Tracker(Squares(), TrackingSettings())
    assert tracker.state == TrackerState() == through_json(TrackerState())
    held = 0
    for frame in shown([canvas((100, 100, 60, 80))] * 40):
        held += 1 - len(tracker.push(frame))
        assert (tracker.state is None) == (held > 0)
    tracker.finish()
    assert tracker.state is not None
    assert tracker.finish() == []


@pytest.mark.parametrize("content", [{}, {"face": None}, [], {"face": 3, "whole_s": None}])
def test_something_else_is_no_state(content):
    with pytest.raises((KeyError, TypeError, ValueError)):
        TrackerState.from_json(content)


@st.composite
def scenes(draw):
    """Boxes of up to two faces over time: they move, come, go and jump."""
    pictures = []
    for _ in range(draw(st.integers(1, 3))):
        frames = draw(st.integers(1, 22))
        boxes = []
        for x, y in ((150, 150), (430, 200)):
            there = draw(st.booleans())
            start = np.array([x, y, 90, 120]) + draw(st.integers(-40, 40))
            step = np.array([draw(st.integers(-4, 4)), draw(st.integers(-3, 3)), 0, 0])
            boxes.append([tuple(start + i * step) if there else None for i in range(frames)])
        pictures += [canvas(*filter(None, both)) for both in zip(*boxes, strict=True)]
    return pictures


@pytest.mark.parametrize("every", [1, 4])
@settings(max_examples=12, deadline=None)
@given(pictures=scenes(), data=st.data())
def test_a_restarted_tracker_gives_exactly_what_the_undisturbed_one_gives(every, pictures, data):
    how = {"detect_every": every, "give_up_s": 0.3}
    frames = list(shown(pictures))
    tracker = Tracker(Trembling(0.0), TrackingSettings(**how))
    items, states = [], {}
    for number, frame in enumerate(frames, start=1):
        items += tracker.push(frame)
        if tracker.state is not None:
            states[number] = through_json(tracker.state)
            assert states[number] == tracker.state
    items += tracker.finish()
    if not states:
        return
    done = data.draw(st.sampled_from(sorted(states)))
    again = Tracker(Trembling(0.0), TrackingSettings(**how), states[done])
    again.remember(frames[done - 1])
    rest = [item for frame in frames[done:] for item in again.push(frame)] + again.finish()
    assert rest == items[done:]
    assert again.state == tracker.state
