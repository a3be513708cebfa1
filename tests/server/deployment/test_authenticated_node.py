"""Flower's own programs with these certificates and this key, over TLS on loopback."""

import contextlib
import datetime
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from set_up_server import NORTH, invited, joined, registered, set_up

from client.node.connection import NodeFiles, open_connection
from client.node.node_key import create_node_key
from server.deployment.clinics import known_clinics
from shared.offline import OFFLINE_ENVIRONMENT

PATIENCE_S = 30.0


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Flower:
    """Flower's programs with a home folder of their own; all are ended at the end."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.running: list[tuple[subprocess.Popen[bytes], Path]] = []
        home.mkdir()

    def program(self, name: str) -> str:
        return str(Path(sys.executable).with_name(name))

    def environment(self) -> dict[str, str]:
        loopback = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        return {**os.environ, **OFFLINE_ENVIRONMENT, **loopback, "FLWR_HOME": str(self.home)}

    def start(self, name: str, *arguments: object) -> tuple[subprocess.Popen[bytes], Path]:
        log = self.home / f"{name}-{len(self.running)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self.program(name), *map(str, arguments)],
                env=self.environment(),
                cwd=self.home,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.running.append((process, log))
        return process, log

    def call(self, *arguments: object) -> str:
        done = subprocess.run(
            [self.program("flwr"), *map(str, arguments)],
            env=self.environment(),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self) -> None:
        for process, _ in reversed(self.running):
            process.terminate()
        for process, _ in self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


@pytest.fixture
def flower(tmp_path) -> Iterator[Flower]:
    programs = Flower(tmp_path / "flwr")
    yield programs
    programs.stop()


def wait_for(condition, process, log):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.2)


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def test_flower_lets_in_the_registered_node_and_no_other(tmp_path, flower):
    now = datetime.datetime.now(datetime.UTC)
    port = free_port()
    server = set_up(tmp_path / "server", "localhost", now=now, port=port)
    site = tmp_path / "site"
    registered(server, joined(invited(server, now=now), site, now), now)
    (known,) = known_clinics(server)
    connection, files = open_connection(site), NodeFiles(site)

    superlink = flower.start(
        "flower-superlink",
        *("--host", "127.0.0.1", "--port", port, "--enable-supernode-auth"),
        *("--ssl-certfile", server.tls_certificate, "--ssl-keyfile", server.tls_key),
        *("--ssl-ca-certfile", server.ca_certificate),
        *("--database", server.state / "flower.db", "--isolation", "process"),
    )
    wait_for(lambda: accepts(port), *superlink)
    (flower.home / "config.toml").write_text(
        '[superlink]\ndefault = "here"\n[superlink.here]\n'
        f'address = "127.0.0.1:{port}"\nroot-certificates = "{server.ca_certificate}"\n'
    )

    def node(key: Path, authority: Path):
        return flower.start(
            "flower-supernode",
            *("--superlink", connection.address, "--root-certificates", authority),
            *("--auth-supernode-private-key", key, "--isolation", "process"),
            *("--host", "127.0.0.1", "--port", free_port(), "--max-wait-time", 1),
        )

    public = tmp_path / "node.pub"
    public.write_text(str(known.node_key))
    flower.call("supernode", "register", public, "here", "--name", "north")
    ours, own_log = node(files.key, files.authority)

    stranger = tmp_path / "stranger.key"
    create_node_key(stranger)
    unknown, unknown_log = node(stranger, files.authority)
    other = set_up(tmp_path / "other", "localhost", now=now, port=port)
    elsewhere, elsewhere_log = node(files.key, other.ca_certificate)

    wait_for(lambda: "SuperNode ID" in own_log.read_text(), ours, own_log)
    listed = json.loads(flower.call("supernode", "ls", "here", "--format", "json"))
    (online,) = [found for found in listed["nodes"] if found["status"] == "online"]
    assert f"SuperNode ID: {online['node-id']}\n" in own_log.read_text()
    assert connection.clinic == known.name == NORTH

    assert unknown.wait(PATIENCE_S) != 0
    assert "[code: 2004]" in unknown_log.read_text()
    assert elsewhere.wait(PATIENCE_S) != 0
    assert "SuperNode ID" not in elsewhere_log.read_text()
    assert ours.poll() is None
