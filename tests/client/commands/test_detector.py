"""Fetching the other face detector, from a server of our own on the loopback address."""

import hashlib
import http.server
import os
import socket
import sys
import threading
import warnings
from pathlib import Path

import pytest

from client.extraction import detector_download, detector_file
from client.extraction.detector_download import download_yunet
from client.extraction.detector_file import keep_yunet, read_yunet, stored_yunet
from shared.errors import FedaffectError, InputError

RIGHT = bytes(range(256)) * 40
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:8f\nsize 232589\n"


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch, tmp_path):
    """A state folder of the test's own, no proxy, and a small file in place of the model."""
    monkeypatch.setenv("FEDAFFECT_STATE", str(tmp_path / "state"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for module in (detector_file, detector_download):
        monkeypatch.setattr(module, "YUNET_BYTES", len(RIGHT))
    monkeypatch.setattr(detector_file, "YUNET_SHA256", hashlib.sha256(RIGHT).hexdigest())


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers by the path that is asked."""

    asked: list[str]
    wait: threading.Event

    def do_GET(self):
        self.asked.append(self.path)
        path = self.path.rsplit("/", 1)[-1]
        if path == "moved":
            self.send_response(302)
            self.send_header("Location", "/right")
            self.end_headers()
        elif path.isdigit():
            self.send_error(int(path))
        else:
            getattr(self, path)()

    def give(self, content, length=None):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def right(self):
        self.give(RIGHT)

    def other(self):
        self.give(b"x" * len(RIGHT))

    def pointer(self):
        self.give(POINTER)

    def truncated(self):
        self.give(RIGHT[:-10], length=len(RIGHT))
        self.close_connection = True

    def endless(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(RIGHT)
        except OSError:
            return

    def drips(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(RIGHT)))
        self.end_headers()
        try:
            while not self.wait.wait(0.02):
                self.wfile.write(b"x")
        except OSError:
            return

    def silent(self):
        self.wait.wait(20)

    def log_message(self, *_):
        return


@pytest.fixture
def server():
    class Own(Answers):
        asked: list[str] = []  # noqa: RUF012
        wait = threading.Event()

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own)
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
    thread.start()
    listening.address = f"http://127.0.0.1:{listening.server_port}"
    yield listening
    Own.wait.set()
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def run(monkeypatch, capsys):
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        import typer

        from client.commands.detector import detector_app
        from shared.console import run_command

    app = typer.Typer(pretty_exceptions_enable=False)
    app.add_typer(detector_app, name="detector")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["fedaffect-client", "detector", *map(str, arguments)])
        try:
            run_command(app)
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        return code or 0, printed.out, printed.err

    return call


def test_the_right_file_is_kept_where_yunet_is_looked_for(run, server):
    code, printed, _ = run("get", "--address", f"{server.address}/moved")
    assert code == 0
    assert f"from {server.address}/moved" in printed
    assert f"kept as {stored_yunet()}" in printed
    assert read_yunet() == RIGHT
    assert [file.name for file in stored_yunet().parent.iterdir()] == [stored_yunet().name]
    if os.name == "posix":
        assert stored_yunet().stat().st_mode & 0o077 == 0


def test_what_is_there_already_is_not_fetched_again(run, server):
    keep_yunet(RIGHT)
    code, printed, _ = run("get", "--address", f"{server.address}/right")
    assert code == 0
    assert "already there" in printed
    assert server.RequestHandlerClass.asked == []


def test_a_damaged_stored_file_is_fetched_again(run, server):
    stored_yunet().parent.mkdir(parents=True)
    stored_yunet().write_bytes(b"x" * len(RIGHT))
    with pytest.raises(InputError, match="detector get"):
        read_yunet()
    code, _, _ = run("get", "--address", f"{server.address}/right")
    assert code == 0
    assert read_yunet() == RIGHT


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("other", "SHA-256"),
        ("pointer", f"{len(POINTER)} bytes; face_detection_yunet_2023mar.onnx has {len(RIGHT)}"),
        ("truncated", f"the connection broke off after {len(RIGHT) - 10} of {len(RIGHT)} bytes"),
        ("endless", f"more than {len(RIGHT)} bytes came"),
        ("404", "answered 404, the file is no longer there"),
        ("403", "answered 403, it gives no file at the moment"),
        ("407", "the proxy asks for a password"),
        ("500", "answered 500"),
    ],
)
def test_anything_else_is_refused_and_nothing_is_kept(run, server, path, message):
    code, _, error = run("get", "--address", f"{server.address}/{path}")
    assert code == 1
    assert f"/{path}: {message}" in error
    assert "nothing was kept" in error
    assert "--from FILE" in error
    assert not stored_yunet().parent.exists() or not any(stored_yunet().parent.iterdir())


@pytest.mark.parametrize(
    ("path", "message"),
    [("drips", "bytes came in 0 s"), ("silent", "no answer for 0 s")],
)
def test_a_connection_that_does_not_get_on_is_given_up(server, path, message):
    with pytest.raises(FedaffectError, match=message):
        download_yunet([f"{server.address}/{path}"], silence_s=0.3, whole_s=0.3)


def test_the_next_address_is_asked_when_one_fails(server):
    said = []
    addresses = [f"{server.address}/{path}" for path in ("pointer", "right", "404")]
    received = []
    assert download_yunet(addresses, asking=said.append, report=received.append) == RIGHT
    assert said == addresses[:2]
    assert received[-1] == len(RIGHT)


def test_the_official_addresses_are_asked_when_none_is_given(monkeypatch, run, server):
    asked = []

    def fetch(address, *_):
        asked.append(address)
        return RIGHT

    monkeypatch.setattr(detector_download, "_fetch", fetch)
    assert run("get")[0] == 0
    assert asked == [
        "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
        "face_detection_yunet_2023mar.onnx"
    ]


def test_no_network_is_said_with_what_to_do(run):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    code, _, error = run("get", "--address", f"http://127.0.0.1:{port}/x")
    assert code == 1
    assert "no connection" in error
    assert "HTTPS_PROXY" in error


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/x", "nonsense", "http://[::1/x"])
def test_an_address_that_is_none_is_said(run, address):
    code, _, error = run("get", "--address", address)
    assert code == 1
    assert "is no address that can be asked" in error


def test_the_proxy_of_the_environment_is_used(monkeypatch, server):
    monkeypatch.setenv("HTTP_PROXY", server.address)
    assert download_yunet(["http://models.invalid/right"]) == RIGHT
    assert server.RequestHandlerClass.asked == ["http://models.invalid/right"]


@pytest.mark.parametrize("proxy", ["gopher://127.0.0.1:1", "socks5://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_said(monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(FedaffectError, match="ALL_PROXY cannot be used"):
        download_yunet(["http://models.invalid/right"])


def test_an_untrusted_certificate_is_said():
    assert "SSL_CERT_FILE" in detector_download._unreachable("[SSL: CERTIFICATE_VERIFY_FAILED] x")
    assert "password" in detector_download._unreachable("407 Proxy Authentication Required")


def test_a_file_copied_by_hand_is_taken_without_a_network(run, tmp_path):
    copied = tmp_path / "copied.onnx"
    copied.write_bytes(RIGHT)
    code, printed, _ = run("get", "--from", copied)
    assert code == 0
    assert "kept as" in printed
    assert "from http" not in printed
    assert read_yunet() == RIGHT


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"x", "1 bytes"), (b"x" * len(RIGHT), "SHA-256"), (None, "no such detector file")],
)
def test_a_wrong_file_copied_by_hand_is_refused(run, tmp_path, content, message):
    copied = tmp_path / "copied.onnx"
    if content is not None:
        copied.write_bytes(content)
    code, _, error = run("get", "--from", copied)
    assert code == 2
    assert message in error
    assert not stored_yunet().exists()


def test_a_folder_is_no_detector_file(tmp_path):
    with pytest.raises(InputError, match="not a file"):
        read_yunet(tmp_path)


def test_a_file_or_an_address_but_not_both(run, tmp_path):
    code, _, error = run("get", "--from", tmp_path / "x", "--address", "http://127.0.0.1/x")
    assert code == 2
    assert "give one of them" in error


def test_a_full_disk_leaves_nothing_behind(monkeypatch, run, tmp_path):
    copied = tmp_path / "copied.onnx"
    copied.write_bytes(RIGHT)
    real = Path.write_bytes

    def full(path, content):
        real(path, content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    code, _, error = run("get", "--from", copied)
    assert code == 1
    assert "No space left on device" in error
    assert "make room" in error
    assert list(stored_yunet().parent.iterdir()) == []


def test_only_the_known_content_can_be_kept():
    with pytest.raises(InputError, match="SHA-256"):
        keep_yunet(b"x" * len(RIGHT))
    assert not stored_yunet().exists()


def test_help_has_examples_and_exit_codes(run):
    code, printed, _ = run("get", "--help")
    assert code == 0
    assert "Example: fedaffect-client detector get" in printed
    assert "Exit codes:" in printed
    assert "--address" not in printed
