import av
import numpy as np
import pytest

from server.pretraining.renderer.video import VideoSettings, render_video
from shared.attributes import AttributeSeries
from shared.channels import ACTION_UNITS, CHANNELS
from shared.errors import InputError


@pytest.fixture(scope="module")
def series():
    """Function that makes a series of n rows; ``lost`` rows have no face."""

    def make(n, lost=(), **courses):
        values = np.zeros((n, len(CHANNELS)), np.float32)
        for name, course in courses.items():
            values[:, CHANNELS.index(name)] = course
        found = np.ones(n, bool)
        found[list(lost)] = False
        values[~found] = np.nan
        box = np.tile(np.array([1, 1, 9, 9], np.float32), (n, 1))
        box[~found] = np.nan
        return AttributeSeries(
            participant="p",
            time_s=np.arange(n) / 24,
            frame=np.arange(n),
            face_found=found,
            face_confidence=found.astype(np.float32),
            box=box,
            values=values,
        )

    return make


@pytest.fixture(scope="module")
def film(kit, series, tmp_path_factory):
    """A second of a mouth that opens and eyes that close, with four rows without a face."""
    course = np.clip(np.sin(np.linspace(-0.5, np.pi, 24)), 0, 1)
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    given = series(24, lost=range(20, 24), au25=course, au26=course, au43=1 - course)
    render_video(path, given, kit, VideoSettings(seed=3, width=320, height=240))
    return path, course


def frames_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_it_is_h264_at_24_hertz_with_a_frame_a_row(film):
    path, _ = film
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == 24
    frames = frames_of(path)
    assert len(frames) == 24
    assert frames[0].shape == (240, 320, 3)
    assert path.stat().st_mode & 0o077 == 0


def test_the_detector_sees_the_face_exactly_where_there_is_one(film):
    from client.extraction.detector import open_detector

    path, _ = film
    detector = open_detector()
    found = [
        max((face.confidence for face in detector.detect(frame)), default=0.0)
        for frame in frames_of(path)
    ]
    assert min(found[:20]) >= 0.6
    assert max(found[20:]) < 0.6


def test_the_product_reads_the_course_again(film):
    """The closed loop: what the extraction calls jaw drop follows what was rendered."""
    from client.extraction.detector import open_detector
    from client.extraction.extract import Extractor
    from client.extraction.tracking import TrackingSettings
    from shared.affect.reader import AffectReader

    path, course = film
    extractor = Extractor(AffectReader.from_file(), open_detector(), TrackingSettings(), "test")
    read = extractor.extract(path, "p").series
    assert read.face_found[:19].all()
    assert not read.face_found[-3:].any()
    jaw = read.values[:19, CHANNELS.index("au26")]
    assert np.corrcoef(jaw, course[:19])[0, 1] > 0.5


def test_one_seed_is_one_film(kit, series, tmp_path):
    given = series(2, au12=1.0)
    settings = VideoSettings(seed=5, width=96, height=96)
    for name in ("a.mp4", "b.mp4"):
        render_video(tmp_path / name, given, kit, settings)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    render_video(tmp_path / "c.mp4", given, kit, VideoSettings(seed=6, width=96, height=96))
    assert not np.array_equal(frames_of(tmp_path / "a.mp4"), frames_of(tmp_path / "c.mp4"))


def test_faults_are_named(kit, series, tmp_path):
    with pytest.raises(InputError, match="a series of 0 rows"):
        render_video(tmp_path / "a.mp4", series(0), kit)
    with pytest.raises(InputError, match=r"name a video to write \.\.\.\.mp4"):
        render_video(tmp_path / "a.avi", series(1), kit)
    for change, said in (
        ({"width": 101}, "101 x 360 asked; both sides must be even"),
        ({"quality": 60}, "quality 60 asked; 0 to 51"),
        ({"face_share": 0.0}, "face_share 0.0 asked"),
    ):
        with pytest.raises(InputError, match=said):
            VideoSettings(**change)
    assert list(tmp_path.iterdir()) == []
    assert len(ACTION_UNITS) == 12
