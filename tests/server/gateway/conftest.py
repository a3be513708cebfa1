"""A certificate authority, a stand-in for the SuperLink that records what it gets, and fronts."""

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server.gateway import Gateway, Limits, nginx_configuration
from shared.files import write_atomic

FRONTS = ["gateway", *(["nginx"] if shutil.which("nginx") else [])]


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class Authority:
    """A CA with one server certificate, as strict as Python 3.13 wants them."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._signed(self.name, self.key.public_key(), ca=True)
        self.ca = folder / f"{name}-ca.pem"
        write_atomic(self.ca, self.certificate.public_bytes(serialization.Encoding.PEM))
        self.server, self.server_key = self.issue(f"{name}-server")

    def issue(self, file: str, days: int = 30) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        made = self._signed(name, key.public_key(), ca=False, days=days)
        paths = self.folder / f"{file}.pem", self.folder / f"{file}.key"
        write_atomic(paths[0], made.public_bytes(serialization.Encoding.PEM))
        write_atomic(paths[1], pem_of(key))
        return paths

    def _signed(
        self, name: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool, days: int = 30
    ) -> x509.Certificate:
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=60))
            .not_valid_after(datetime.now(UTC) + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **usage),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        if not ca:
            names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


@dataclass
class Received:
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class StandIn:
    """Answers the fleet routes; ``answers`` holds the body of the next ones, part by part."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=lambda: [b"answered"])
    wait_s: float = 0.0
    break_off: bool = False
    entered: threading.Event = field(default_factory=threading.Event)
    connections: Callable[[], int] = lambda: 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
        self.received.append(Received(scope["method"], scope["path"], headers, body))
        self.entered.set()
        await asyncio.sleep(self.wait_s)
        sent = [(b"content-type", b"application/x-protobuf"), (b"flwr-note", b"kept")]
        await send({"type": "http.response.start", "status": 200, "headers": sent})
        for part in self.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        if not self.break_off:
            await send({"type": "http.response.body", "body": b""})


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another CA, for the same names."""
    return Authority(tmp_path_factory.mktemp("strange"), "strange")


@pytest.fixture(scope="session")
def _stand_in_server(authority: Authority) -> Iterator[StandIn]:
    stand_in = StandIn()
    server = uvicorn.Server(
        uvicorn.Config(
            lambda scope, receive, send: stand_in.app(scope, receive, send),
            port=0,
            interface="asgi3",
            lifespan="off",
            log_level="critical",
            ssl_certfile=authority.server,
            ssl_keyfile=authority.server_key,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    stand_in.port = server.servers[0].sockets[0].getsockname()[1]
    stand_in.connections = lambda: len(server.server_state.connections)
    yield stand_in
    server.should_exit = True
    thread.join()


@pytest.fixture
def stand_in(_stand_in_server: StandIn) -> StandIn:
    """As new for each test, on the port of the session's one server."""
    kept = StandIn(port=_stand_in_server.port, connections=_stand_in_server.connections)
    _stand_in_server.__dict__.update(kept.__dict__)
    return _stand_in_server


class Front:
    """What a clinic reaches, and how a test asks it."""

    def __init__(self, port: int, authority: Authority, log: Path) -> None:
        self.port, self.authority, self._log = port, authority, log
        self.url = f"https://127.0.0.1:{port}"
        self.tls = ssl.create_default_context(cafile=authority.ca)

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.tls, trust_env=False, **options)

    def post(self, path: str, content: bytes = b"x", **options: Any) -> httpx.Response:
        with self.client(timeout=20) as client:
            return client.post(path, content=content, **options)

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return self.tls.wrap_socket(plain, server_hostname="localhost")

    def raw(self, request: bytes) -> bytes:
        """Bytes as they are, which no client library sends; the answer until the server closes."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_all(connection)

    def log(self, lines: int) -> list[dict[str, Any]]:
        """The access log, as soon as it has that many lines: an answer comes before its line."""
        end = time.monotonic() + 5
        while True:
            found = self._log.read_text().splitlines() if self._log.exists() else []
            if len(found) >= lines or time.monotonic() > end:
                return [json.loads(line) for line in found]
            time.sleep(0.01)


def read_all(connection: ssl.SSLSocket) -> bytes:
    answer = b""
    while part := connection.recv(65536):
        answer += part
    return answer


@pytest.fixture
def gateway(
    authority: Authority, stand_in: StandIn, tmp_path: Path
) -> Iterator[Callable[..., Front]]:
    """Start a gateway with other limits or another upstream."""
    started: list[Gateway] = []

    def start(
        *, upstream: str = "", ca: Path | None = None, name: str = "localhost", **limits: float
    ) -> Front:
        made = Gateway(
            "127.0.0.1:0",
            upstream or stand_in.address,
            authority.server,
            authority.server_key,
            upstream_ca=ca or authority.ca,
            upstream_name=name,
            access_log=tmp_path / "access.log",
            limits=Limits(**limits),  # type: ignore[arg-type]
        )
        made.start()
        started.append(made)
        front = Front(made.address[1], authority, tmp_path / "access.log")
        front.gateway = made  # type: ignore[attr-defined]
        return front

    yield start
    for each in started:
        each.stop(0.0)


@pytest.fixture(params=FRONTS)
def front(
    request: pytest.FixtureRequest,
    authority: Authority,
    stand_in: StandIn,
    gateway: Callable[..., Front],
    tmp_path: Path,
) -> Iterator[Front]:
    """The gateway, and nginx with the configuration written for it where nginx is installed."""
    if request.param == "gateway":
        yield gateway()
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path / "access.log"
    text = nginx_configuration(
        f"127.0.0.1:{port}",
        stand_in.address,
        authority.server,
        authority.server_key,
        upstream_ca=authority.ca,
        access_log=log,
    )
    errors = (tmp_path / "errors").open("w")
    process = subprocess.Popen(nginx_command(text, tmp_path), stderr=errors)
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.02)
    yield Front(port, authority, log)
    process.terminate()
    assert process.wait(10) == 0
    errors.close()


def nginx_command(configuration: str, folder: Path, *more: str) -> list[str]:
    """Run nginx in the foreground as one process, with its working files in ``folder``."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own = "\n".join(f"{kind}_temp_path {folder / kind};" for kind in kinds)
    path = folder / "nginx.conf"
    path.write_text(configuration.replace("http {\n", f"http {{\n{own}\n", 1))
    settings = f"daemon off; master_process off; pid {folder / 'pid'}; error_log stderr warn;"
    return ["nginx", "-p", str(folder), "-c", str(path), "-g", settings, *more]


@pytest.fixture
def nginx_syntax(tmp_path: Path) -> Callable[[str], str]:
    """What ``nginx -t`` says of a configuration; empty where nginx is not installed."""

    def check(configuration: str) -> str:
        if "nginx" not in FRONTS:
            return ""
        command = nginx_command(configuration, tmp_path, "-t")
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    return check
