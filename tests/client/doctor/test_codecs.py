import av
import pytest

from client.doctor import codecs as module
from client.doctor.codecs import check_format, check_other_formats


@pytest.mark.parametrize(("codec", "bits"), [("h264", [8]), ("hevc", [8, 10])])
def test_what_tablets_record_is_decoded(codec, bits):
    found = check_format(codec)
    assert found.status == "passed"
    assert found.numbers == {"tried": True, "bits": bits}


def test_without_an_encoder_only_the_decoder_is_looked_for(monkeypatch):
    monkeypatch.setattr(module, "missing_encoder", lambda _: "libx265")
    found = check_format("hevc")
    assert found.status == "warning"
    assert "not tried, since libx265" in found.text


def test_a_missing_decoder_fails_for_tablets_and_warns_for_others(monkeypatch):
    monkeypatch.setattr(module, "_has_decoder", lambda codec: codec == "vp9")
    assert check_format("h264").status == "failed"
    found = check_other_formats()
    assert found.status == "warning"
    assert found.text == "no decoder for MPEG-4, AV1, Motion JPEG, ProRes"


def test_a_decoder_that_gives_nothing_is_found_out(monkeypatch):
    def empty(file, kind, frames):
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=24)
            stream.width, stream.height = kind.width, kind.height
            for number in range(frames):
                frame = av.VideoFrame(kind.width, kind.height, "yuv420p")
                for plane in frame.planes:
                    plane.update(bytes(plane.buffer_size))
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode())

    monkeypatch.setattr(module, "make_clip", empty)
    assert "its pictures came back empty" in check_format("h264").text
    monkeypatch.setattr(module, "make_clip", lambda file, kind, _: empty(file, kind, 3))
    assert "3 of 8 frames came back" in check_format("h264").text


def test_an_encoder_that_refuses_is_said(monkeypatch):
    def refuse(*_):
        raise av.error.ExternalError(1, "Generic error in an external library")

    monkeypatch.setattr(module, "make_clip", refuse)
    found = check_format("h264")
    assert found.status == "failed"
    assert "Generic error" in found.text
