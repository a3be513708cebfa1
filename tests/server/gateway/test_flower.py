"""A real SuperLink behind the gateway, and real SuperNodes that know the gateway only."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.proto.control_pb2 import RegisterNodeRequest
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supercore.protobuf.constants import PROTOBUF_MEDIA_TYPE

from server.gateway import Gateway

WAIT_S = 60.0
"""For each event, on a machine that does much else; each takes about a second."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def until(true: Callable[[], object], log: Path) -> None:
    """Wait; show the process's log when it never comes true."""
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


class Flower:
    """Starts Flower's processes with their own home folder, and ends them by their ids."""

    def __init__(self, folder: Path, authority: Any) -> None:
        self.folder, self.authority = folder, authority
        self.port = free_port()
        self.secret = folder / "secret"
        self.secret.write_text("a" * 64)
        self.running: list[subprocess.Popen[bytes]] = []
        home = folder / "home"
        home.mkdir()
        self.client = httpx.Client(
            verify=ssl.create_default_context(cafile=authority.ca),
            trust_env=False,
            timeout=WAIT_S,
            headers={"content-type": PROTOBUF_MEDIA_TYPE},
        )
        self.environment = {
            **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
            "FLWR_HOME": str(home),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        }

    def start(self, program: str, *options: object) -> tuple[subprocess.Popen[bytes], Path]:
        log = self.folder / f"{program}-{len(self.running)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [self._path_of(program), *map(str, options)],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.folder,
            )
        self.running.append(process)
        return process, log

    def superlink(self) -> subprocess.Popen[bytes]:
        process, log = self.start(
            "flower-superlink",
            *("--host", "127.0.0.1", "--port", self.port),
            *("--ssl-certfile", self.authority.server, "--ssl-keyfile", self.authority.server_key),
            *("--ssl-ca-certfile", self.authority.ca, "--enable-supernode-auth"),
            *("--database", self.folder / "state.db", "--isolation", "process"),
            *("--superexec-auth-secret-file", self.secret),
            "--disable-runtime-dependency-installation",
        )
        until(lambda: process.poll() is not None or self._reachable(), log)
        assert process.poll() is None, log.read_text()
        return process

    def supernode(self, port: int, *options: object) -> tuple[subprocess.Popen[bytes], Path]:
        return self.start(
            "flower-supernode",
            *("--superlink", f"127.0.0.1:{port}", "--root-certificates", self.authority.ca),
            *("--host", "127.0.0.1", "--port", free_port(), "--isolation", "process"),
            *("--superexec-auth-secret-file", self.secret),
            *options,
        )

    def key(self, name: str, *, registered: bool = False) -> Path:
        """Private key as ``ssh-keygen -t ecdsa -b 384`` writes it."""
        key = ec.generate_private_key(ec.SECP384R1())
        path = self.folder / name
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
        )
        if registered:  # what ``flwr supernode register`` does, on the server itself
            request = RegisterNodeRequest(public_key=public_key_to_bytes(key.public_key()))
            answer = self.client.post(
                f"https://127.0.0.1:{self.port}/v1/control/register-node",
                content=request.SerializeToString(),
            )
            assert answer.status_code == 200, answer.text
        return path

    def end(self) -> None:
        self.client.close()
        for process in self.running:
            if process.poll() is None:
                process.terminate()
        for process in self.running:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _reachable(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @staticmethod
    def _path_of(program: str) -> str:
        found = shutil.which(program, path=str(Path(sys.executable).parent))
        assert found, f"{program} is not installed beside {sys.executable}"
        return found


@pytest.fixture
def flower(tmp_path: Path, authority: Any) -> Iterator[Flower]:
    made = Flower(tmp_path, authority)
    try:
        yield made
    finally:
        made.end()


def test_a_registered_node_works_through_the_gateway_and_nobody_else_does(
    flower, authority, tmp_path
):
    log = tmp_path / "access.log"

    def lines(text: str) -> int:
        return sum(text in line for line in log.read_text().splitlines())

    superlink = flower.superlink()
    private = flower.key("clinic", registered=True)
    with (
        Gateway(
            "127.0.0.1:0",
            f"127.0.0.1:{flower.port}",
            authority.server,
            authority.server_key,
            upstream_ca=authority.ca,
            access_log=log,
        ) as gateway,
        contextlib.ExitStack() as ended,
    ):
        ended.callback(flower.end)  # before the gateway stops
        port = gateway.address[1]
        node, said = flower.supernode(port, "--auth-supernode-private-key", private)
        strange, said_strange = flower.supernode(
            port, "--auth-supernode-private-key", flower.key("stranger")
        )
        keyless, said_keyless = flower.supernode(port)

        ok = '"status": 200'
        until(lambda: lines(f'/v1/fleet/activate-node", {ok}') == 1, said)
        until(lambda: lines(f'/v1/fleet/pull-messages", {ok}') >= 1, said)

        # A node whose key the coordinator has not registered, and one without a key.
        assert (strange.wait(WAIT_S), keyless.wait(WAIT_S)) == (1, 1)
        assert "[code: 2004]" in said_strange.read_text()
        assert "[code: 9103]" in said_keyless.read_text()
        assert "by invitation only" in said_keyless.read_text().replace("\n", " ")

        # What works on the server itself is closed to a clinic.
        for path, direct in (
            ("/v1/control/list-nodes", 200),
            ("/v1/runtime/acquire-task", 401),
            ("/health", 405),
            ("/docs", 405),
            ("/v1/fleet/pull-messages", 401),
        ):
            for there, status in ((flower.port, direct), (port, 403)):
                answer = flower.client.post(f"https://127.0.0.1:{there}{path}", content=b"")
                # An unsigned call of a forwarded route gets the SuperLink's own refusal.
                expected = direct if "fleet" in path else status
                assert answer.status_code == expected, (path, there)

        # The SuperLink dies and comes back; the node waits and goes on by itself.
        superlink.send_signal(signal.SIGKILL)
        superlink.wait()
        until(lambda: lines("UNAVAILABLE 9109") >= 1, said)
        flower.superlink()
        before = lines(f'/v1/fleet/pull-messages", {ok}')
        until(lambda: lines(f'/v1/fleet/pull-messages", {ok}') > before, said)
        assert node.poll() is None

        node.terminate()
        node.wait(WAIT_S)
        until(lambda: lines(f'/v1/fleet/deactivate-node", {ok}') == 1, said)
    assert lines("no TLS") == 0
