import numpy as np
import pytest

from client.extraction.recording import open_recording
from shared.errors import InputError


def read(path):
    with open_recording(path) as recording:
        frames = [(frame.index, frame.time_s) for frame in recording.frames()]
        return recording, frames


def noisy(n, width=160, height=120):
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 256, (n, height, width, 3), np.uint8))


@pytest.mark.parametrize("rate", [23.976, 25, 30, 60])
def test_times_follow_the_frame_rate(tmp_path, write_video, scene, rate):
    path = write_video(tmp_path / "a.mp4", [scene()] * 30, rate=rate)
    recording, frames = read(path)
    assert [index for index, _ in frames] == list(range(30))
    np.testing.assert_allclose([t for _, t in frames], np.arange(30) / rate, atol=1e-3)
    assert recording.end_s == pytest.approx(30 / rate, abs=0.05)


def test_variable_rate_keeps_its_times(tmp_path, write_video, scene):
    times = [0.0, 0.04, 0.5, 0.52, 1.5]
    _, frames = read(write_video(tmp_path / "a.mkv", [scene()] * 5, times=times))
    np.testing.assert_allclose([t for _, t in frames], times, atol=2e-3)


@pytest.mark.parametrize("size", [(64, 64), (162, 122), (854, 480)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_sizes_and_depths_are_decoded(tmp_path, write_video, scene, size, pixel_format):
    picture = scene(width=size[0], height=size[1])
    path = write_video(tmp_path / "a.mp4", [picture] * 3, pixel_format=pixel_format)
    recording, frames = read(path)
    assert (recording.width, recording.height) == size
    assert len(frames) == 3


def test_empty_text_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "a.mp4"
    with pytest.raises(InputError, match="no such file"):
        open_recording(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="0 bytes"):
        open_recording(path)
    path.write_text("this is not a video\n" * 100)
    with pytest.raises(InputError, match="not a video"):
        open_recording(path)


def test_a_file_without_its_index_is_refused(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", noisy(24))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="not a video this program can read"):
        open_recording(path)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_file_cut_in_the_middle_is_refused(tmp_path, write_video, suffix):
    import av

    whole = write_video(tmp_path / f"whole{suffix}", noisy(72))
    path = tmp_path / f"cut{suffix}"
    # The index goes to the front, so that the cut file still opens.
    options = {"movflags": "faststart"} if suffix == ".mp4" else {}
    with av.open(str(whole)) as source, av.open(str(path), "w", options=options) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"truncated|damaged"):
        read(path)


def with_garbage(source_path, path, is_garbage):
    import av

    with av.open(str(source_path)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(source.streams.video[0])):
            if packet.dts is None:
                continue
            sent = packet
            if is_garbage(index):
                sent = av.Packet(bytes(range(200)))
                sent.pts, sent.dts, sent.time_base = packet.pts, packet.dts, packet.time_base
            sent.stream = stream
            target.mux(sent)
    return path


def test_much_damage_is_refused_and_little_is_counted(tmp_path, write_video, scene):
    whole = write_video(tmp_path / "whole.mkv", [scene()] * 120, options={"g": "1"})
    much = with_garbage(whole, tmp_path / "much.mkv", lambda index: index % 3 == 2)
    with pytest.raises(InputError, match="packets are damaged"):
        read(much)
    little = with_garbage(whole, tmp_path / "little.mkv", lambda index: index == 60)
    recording, frames = read(little)
    assert recording.damaged_packets == 1
    assert len(frames) >= 118


def test_sound_alone_is_refused(tmp_path):
    import av

    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    path = path.rename(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="only sound"):
        open_recording(path)


def test_one_frame_is_a_recording(tmp_path, write_video, scene):
    recording, frames = read(write_video(tmp_path / "a.mp4", [scene()]))
    assert frames == [(0, 0.0)]
    assert recording.end_s > 0
