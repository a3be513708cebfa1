"""What the sheet and the clip show, read back from their pixels."""

import itertools
import json

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from client.look import clip as clips
from client.look.anonymise import Shown, pictures_as_they_are
from client.look.canvas import ACCENT, INK, LOST, PAPER, Area, Canvas, fitted, rgb
from client.look.card import CARD_WIDTH, CardStyle, draw_card
from client.look.clip import draw_clip, write_clip
from client.look.curves import TimeAxis, draw_cursor, draw_strip
from client.look.moments import Moment, evenly_spaced, stretch
from client.look.panels import (
    active_units,
    draw_picture,
    fit,
    signed,
    square_around,
    top_expressions,
)
from client.look.sheet import _apart, draw_sheet
from client.look.subject import Subject
from shared.channels import ACTION_UNIT_NAMES, CHANNELS


def painted(pixels, colour):
    return (pixels == rgb(colour)).all(axis=2)


def values_of(**channels):
    values = np.zeros(len(CHANNELS), np.float32)
    for name, value in channels.items():
        values[CHANNELS.index(name)] = value
    return values


def test_the_most_probable_expressions_come_first():
    values = values_of(expression_joy=0.7, expression_fear=0.2, expression_sad=0.1, au12=1)
    names, shares = zip(*top_expressions(values, 3), strict=True)
    assert names == ("joy", "fear", "sad")
    assert shares == pytest.approx((0.7, 0.2, 0.1))


def test_active_units_are_listed_from_one_half_on_by_number():
    values = values_of(au43=0.5, au1=0.9, au12=0.49, valence=0.9)
    assert [unit[:2] for unit in active_units(values)] == [
        (1, "inner brow raised"),
        (43, "eyes closed"),
    ]
    assert active_units(np.full(len(CHANNELS), np.nan, np.float32)) == []


def test_signs_are_always_shown():
    assert [signed(v) for v in (0.5, -0.5, 0)] == ["+0.50", "−0.50", "+0.00"]


@given(
    st.floats(-50, 250), st.floats(-50, 250), st.floats(1, 400), st.floats(1, 400), st.floats(1, 5)
)
def test_a_close_up_is_a_square_of_the_picture(x, y, w, h, boxes):
    left, top, side = square_around((x, y, w, h), boxes, (160, 120))
    assert side >= 1
    assert 0 <= left <= 160 - side
    assert 0 <= top <= 120 - side


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (64, 64), (90, 2000)])
def test_pictures_keep_their_shape(size):
    place = fit(size, Area(10, 20, 300, 200))
    assert place.x >= 10
    assert place.right <= 310
    assert place.y >= 20
    assert place.bottom <= 220
    assert place.width / place.height == pytest.approx(size[0] / size[1], rel=0.03)


def test_the_box_stands_where_the_face_is(subject):
    (shown,) = pictures_as_they_are(subject, [10])
    canvas = Canvas(320, 240)
    draw_picture(canvas, Area(0, 0, 320, 240), shown, subject.series)
    # The face is at 30, 40 with side 40 in a picture of half this size; dark lines around it.
    rows, columns = np.nonzero(painted(canvas.pixels(), INK))
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (60, 80, 140, 160)


def test_a_lost_face_has_a_red_border_and_no_box(subject):
    (shown,) = pictures_as_they_are(subject, [35])
    canvas = Canvas(320, 240)
    draw_picture(canvas, Area(0, 0, 320, 240), shown, subject.series)
    assert painted(canvas.pixels(), LOST)[0].all()
    assert not painted(canvas.pixels(), INK).any()


def test_a_hidden_picture_says_so_and_shows_no_box(subject):
    canvas = Canvas(320, 240)
    black = np.zeros((120, 160, 3), np.uint8)
    draw_picture(canvas, Area(0, 0, 320, 240), Shown(10, black, hidden=True), subject.series)
    drawn = np.argwhere(canvas.pixels().any(axis=2))
    assert len(drawn) > 100
    assert (drawn.min(axis=0) > (100, 100)).all()
    assert (drawn.max(axis=0) < (140, 220)).all()


def test_a_box_that_reaches_over_the_edge_is_cut(series_of):
    series = series_of([(-30, -10, 400, 60), (500, 500, 9, 9)])
    for tick in range(2):
        canvas = Canvas(200, 200)
        draw_picture(
            canvas, Area(20, 20, 160, 120), Shown(tick, np.zeros((120, 160, 3), np.uint8)), series
        )
        outside = np.ones((200, 200), bool)
        outside[20:140, 20:180] = False
        assert painted(canvas.pixels(), PAPER)[outside].all()


def test_curves_are_open_and_hatched_where_the_face_was_lost(subject):
    axis = TimeAxis(0, 60, 10, 600)
    canvas = Canvas(620, 60)
    draw_strip(canvas, axis, subject.series, "valence", 5, 50)
    drawn = painted(canvas.pixels(), ACCENT).any(axis=0)
    assert drawn[20:305].all()
    assert not drawn[315:425].any()
    assert drawn[435:600].all()
    stripes = painted(canvas.pixels(), "#dfe3e8").any(axis=0)
    assert stripes[312:428].all()
    assert not stripes[:308].any()


def test_a_curve_goes_up_with_its_values(series_of):
    values = np.tile(np.linspace(-1, 1, 100, dtype=np.float32)[:, None], (1, len(CHANNELS)))
    values[:, :8] = values[:, 10:] = 0
    canvas = Canvas(400, 80)
    series = series_of([(1, 1, 9, 9)] * 100, values=values)
    draw_strip(canvas, TimeAxis(0, 100, 0, 400), series, "arousal", 0, 80)
    ink = painted(canvas.pixels(), ACCENT)
    assert ink[70:, 4:20].any()
    assert ink[:10, 380:396].any()
    assert not ink[:40, :100].any()


@pytest.mark.parametrize(("tick", "first", "last"), [(0, 0, 48), (30, 6, 54), (59, 12, 60)])
def test_time_around_a_moment_stays_inside_the_recording(subject, tick, first, last):
    axis = TimeAxis.around(subject.series, tick, 1.0, 0, 480)
    assert (axis.first, axis.last) == (first, last)
    canvas = Canvas(480, 40)
    draw_cursor(canvas, axis, tick, 10, 20)
    columns = np.flatnonzero(painted(canvas.pixels(), INK)[25])
    assert columns.mean() + 0.5 == pytest.approx(axis.column(tick), abs=1)


def test_a_recording_of_one_tick_can_be_drawn(series_of):
    subject = Subject(series_of([(1, 1, 5, 5)]), None)
    shown = [Shown(0, np.zeros((20, 20, 3), np.uint8))]
    canvas = draw_sheet(subject, [Moment(0)], shown, title="1 moment", anonymised=False)
    assert canvas.width == 1600


def test_long_texts_are_cut_to_fit():
    assert fitted("short", 200) == "short"
    cut = fitted("a name that is much too long for its place " * 3, 200)
    assert cut.endswith("…")
    assert 160 < Canvas(1, 1).text(0, 0, cut) <= 200


def test_the_names_of_all_action_units_fit():
    canvas = Canvas(600, 30)
    room_of_card = (CARD_WIDTH - 28) // 2 - 52 - 40
    for number, name in ACTION_UNIT_NAMES.items():
        assert canvas.text(0, 15, name, size=14) < room_of_card
        assert canvas.text(0, 15, name, size=14, bold=True) < clips._BAR_X - 56
        assert canvas.text(0, 15, f"AU {number}", size=14, bold=True) <= 52


@given(st.lists(st.integers(130, 1559), min_size=1, max_size=60))
def test_numbers_of_moments_stand_beside_each_other_on_the_sheet(marks):
    places = _apart(sorted(marks))
    assert all(b - a >= 24 for a, b in itertools.pairwise(places))
    assert min(places) >= 15
    assert max(places) <= 1600 - 15


@pytest.fixture(scope="module")
def sheet(subject):
    moments = evenly_spaced(subject.series, 4)
    pictures = pictures_as_they_are(subject, [moment.tick for moment in moments])
    return draw_sheet(subject, moments, pictures, title="4 moments", anonymised=False)


def test_a_sheet_has_a_card_for_each_moment_and_marks_lost_faces(sheet, subject):
    """Moments are ticks 7, 22, 37 and 52; the face is lost in the third."""
    pixels = sheet.pixels()
    height = CardStyle(1, False, False).height
    top = sheet.height - 84 - 2 * (height + 36)
    for index, tick in enumerate((7, 22, 37, 52)):
        row, column = divmod(index, 3)
        x, y = 40 + column * (CARD_WIDTH + 40), top + row * (height + 36)
        card = pixels[y : y + height, x : x + CARD_WIDTH]
        lost = painted(card, LOST)
        assert lost[0].all() == (not subject.series.face_found[tick])
        assert lost.any() == lost[0].all()
        # The white square is seen, close up and in the whole picture.
        assert painted(card[40:280, :240], "#fafafa").any() or lost.any()
        assert (card[40:167, 254:] > 240).all(axis=2).any()


def test_a_sheet_is_a_png_without_any_note(sheet, tmp_path):
    sheet.save_png(tmp_path / "any.part")
    with Image.open(tmp_path / "any.part") as image:
        assert image.format == "PNG"
        assert image.info == {}
        assert image.size == (sheet.width, sheet.height)
        np.testing.assert_array_equal(np.asarray(image), sheet.pixels())


def test_cards_grow_with_the_action_units_and_none_is_left_out(series_of):
    values = np.full((1, len(CHANNELS)), 0.9, np.float32)
    subject = Subject(series_of([(40, 30, 40, 40)], values=values), None)
    shown = Shown(0, np.zeros((120, 160, 3), np.uint8))
    style = CardStyle(6, True, False)
    canvas = Canvas(CARD_WIDTH, style.height)
    draw_card(canvas, 0, 0, subject, 1, Moment(0, "peak"), shown, style)
    lines = canvas.pixels()[40 + 22 + 254 :][: 6 * 24].min(axis=2) < 120
    written = lines.reshape(6, 24, CARD_WIDTH).any(axis=1)
    assert written[:, :226].any(axis=1).all()
    assert written[:, 254:].any(axis=1).all()


def test_a_hidden_picture_has_no_close_up_and_no_box(series_of):
    subject = Subject(series_of([(40, 30, 40, 40)]), None)
    canvas = Canvas(CARD_WIDTH, 600)
    black = Shown(0, np.zeros((120, 160, 3), np.uint8), hidden=True)
    draw_card(canvas, 0, 0, subject, 1, Moment(0), black, CardStyle(1, False, True))
    close_up = canvas.pixels()[40:280, :240]
    assert not (close_up == 0).all(axis=2).any()
    assert painted(close_up, "#dfe3e8").mean() > 0.3


@pytest.fixture(scope="module")
def clip(subject, tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "any.part"
    ticks = stretch(subject.series, "1", "2")
    pictures = pictures_as_they_are(subject, ticks)
    write_clip(path, draw_clip(subject, ticks, pictures, anonymised=False))
    return path


def test_a_clip_is_h264_in_mp4_at_the_recordings_own_speed(clip):
    with av.open(str(clip)) as container:
        (stream,) = container.streams
        assert "mp4" in container.format.name
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (1280, 720)
        assert container.duration / 1e6 == pytest.approx(1.0)
        times = [frame.time for frame in container.decode(video=0)]
        notes = json.dumps([container.metadata, stream.metadata])
    np.testing.assert_allclose(times, np.arange(24) / 24, atol=1e-3)
    assert "P01" not in notes
    assert b"P01" not in clip.read_bytes()


def test_a_clip_shows_the_lost_face_and_moves_its_cursor(clip, subject):
    """From tick 24 to 48; the face is lost from 30 on until 42."""
    with av.open(str(clip)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    cursors = []
    for tick, frame in enumerate(frames, start=24):
        red = (np.abs(frame.astype(int) - rgb(LOST)).max(axis=2) < 40)[20:540]
        assert (red.sum() > 3000) == (30 <= tick < 42)
        cursors.append(np.flatnonzero(frame[595, 116:1256].max(axis=1) < 90).mean())
    assert (np.diff(cursors) > 0).all()
    assert cursors[-1] - cursors[0] == pytest.approx(23 / 60 * 1140, abs=3)


def test_a_clip_in_a_foreign_size_is_not_distorted(tmp_path, write_video, series_of, scene):
    """An upright recording leaves dark stripes at both sides."""
    picture = scene((20, 20, 50, 50), width=90, height=160)
    subject = Subject(series_of([(20, 20, 50, 50)] * 2), None)
    shown = [Shown(tick, picture) for tick in range(2)]
    frame = next(draw_clip(subject, range(2), shown, anonymised=True))
    area = painted(frame[58:526, 24:856], INK)
    assert area[:, :280].all()
    assert area[:, -280:].all()
    bright = (frame[58:526, 24:856] == 250).all(axis=2)
    rows, columns = np.nonzero(bright)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=3)
