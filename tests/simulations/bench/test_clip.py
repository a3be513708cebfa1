from pathlib import Path

import av
import numpy as np
import pytest
from video_making import encode

from shared.errors import InputError
from simulations.bench.clip import ClipShape, make_clips

SHAPE = ClipShape(160, 90)


def grey(level: int, width: int = 64, height: int = 36) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def levels(path: Path) -> list[float]:
    """Mean luminance of the middle of every frame."""
    with av.open(str(path)) as container:
        return [
            frame.to_ndarray(format="gray")[30:60, 60:100].mean()
            for frame in container.decode(video=0)
        ]


def test_forward_and_backward_for_as_long_as_asked(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    steps = [40, 80, 120, 160, 200]
    encode(source, [grey(level) for level in steps])
    short, long = tmp_path / "short.mp4", tmp_path / "long.mp4"
    make_clips(source, {short: 7, long: 43}, SHAPE)
    period = [*steps, *steps[-2:0:-1]]
    for path, frames in ((short, 7), (long, 43)):
        expected = [period[i % len(period)] for i in range(frames)]
        assert np.abs(np.array(levels(path)) - expected).max() < 4, path
    with av.open(str(long)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (160, 90, 24)
        assert stream.codec_context.name == "h264"
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx(np.arange(43) / 24, abs=1e-4)


def test_other_proportions_get_bars(tmp_path: Path) -> None:
    source, target = tmp_path / "source.mp4", tmp_path / "target.mp4"
    encode(source, [grey(200, 64, 64)] * 2)
    make_clips(source, {target: 2}, SHAPE)
    with av.open(str(target)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    bright = (picture > 128).all(axis=2)
    columns = np.flatnonzero(bright.mean(axis=0) > 0.5)
    assert (columns[0], columns[-1]) == pytest.approx((35, 125), abs=2)
    assert bright[:, 40:120].all()
    assert (picture[:, :30] < 10).all()


def test_a_long_source_is_cut(tmp_path: Path) -> None:
    source, target = tmp_path / "source.mp4", tmp_path / "target.mp4"
    encode(source, (grey(40 if i < 120 else 200) for i in range(130)))
    make_clips(source, {target: 240}, SHAPE)
    assert max(levels(target)) < 60


@pytest.mark.parametrize("content", [None, b"", b"no video " * 50, "one frame"])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes | str | None) -> None:
    source, target = tmp_path / "source.mp4", tmp_path / "target.mp4"
    if content == "one frame":
        encode(source, [grey(100)])
    elif isinstance(content, bytes):
        source.write_bytes(content)
    with pytest.raises(InputError, match=r"source.mp4: not a video .* with --clip"):
        make_clips(source, {target: 8}, SHAPE)
    assert not target.exists()
