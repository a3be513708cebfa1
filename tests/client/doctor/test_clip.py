import io
import itertools

import av
import numpy as np
import pytest

from client.doctor.clip import ClipKind, make_clip, missing_encoder


def read(file):
    file.seek(0)
    with av.open(file) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(video=0))
    return stream, frames, len(file.getvalue())


@pytest.mark.parametrize(
    "kind",
    [
        ClipKind(320, 192, bits_per_s=4e5),
        ClipKind(192, 320, 30.0, "hevc", 4e5),
        ClipKind(320, 192, 29.97, "hevc", 4e5, "yuv420p10le"),
    ],
)
def test_a_clip_is_of_its_kind_and_repeats_without_a_gap(kind):
    file = io.BytesIO()
    make_clip(file, kind, 200)
    stream, frames, size = read(file)
    assert (stream.width, stream.height, stream.codec_context.name) == (
        kind.width,
        kind.height,
        kind.codec,
    )
    assert frames[0].format.name == kind.pixel_format
    times = np.array([float(frame.pts * frame.time_base) for frame in frames])
    assert times[0] == 0
    np.testing.assert_allclose(np.diff(times), 1 / kind.rate_hz, atol=1e-4)
    period = round(2 * kind.rate_hz)
    assert len(frames) == -(-200 // period) * period
    first, again = (
        frames[number].to_ndarray(format="gray").astype(int) for number in (1, 1 + period)
    )
    assert np.abs(first - again).mean() < 1
    assert 8 * size / (len(frames) / kind.rate_hz) == pytest.approx(kind.bits_per_s, rel=0.35)


def test_it_ends_where_it_begins_and_never_jumps():
    file = io.BytesIO()
    make_clip(file, ClipKind(320, 192), 96)
    _, frames, _ = read(file)
    small = [frame.reformat(32, 18, format="gray").to_ndarray().astype(int) for frame in frames]
    steps = [np.abs(b - a).mean() for a, b in itertools.pairwise(small)]
    assert max(steps) < 6


def test_large_pictures_are_fewer():
    file = io.BytesIO()
    make_clip(file, ClipKind(2560, 1440, bits_per_s=2e6), 20)
    _, frames, _ = read(file)
    assert len(frames) == 30


def test_what_cannot_be_encoded_is_named():
    assert missing_encoder("h264") is None
    assert missing_encoder("prores") == "prores"
