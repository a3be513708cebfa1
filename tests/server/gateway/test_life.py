"""Start, stop, renew: what the server's `up` relies on."""

import socket
import ssl
import threading
import time
from datetime import UTC, datetime

import httpx
import pytest

from server.gateway import Gateway
from server.gateway.routes import FLEET_PATHS
from server.gateway.running import Running
from server.gateway.service import bound
from server.gateway.tls import client_context, server_context
from shared.errors import FedaffectError, InputError

PATH = FLEET_PATHS[0]
BOTH = ["[::]:0"] if socket.has_dualstack_ipv6() else []


def of(authority, upstream="127.0.0.1:1", listen="127.0.0.1:0", **changes):
    paths = {
        "certificate": authority.server,
        "key": authority.server_key,
        "upstream_ca": authority.ca,
        **changes,
    }
    return Gateway(listen, upstream, **paths)


def test_it_runs_between_start_and_stop_and_can_start_again(authority, stand_in):
    made = of(authority, stand_in.address)
    assert not made.running
    for _ in range(2):
        with made:
            assert made.running
            host, port = made.address
            url = f"https://{host}:{port}{PATH}"
            verify = ssl.create_default_context(cafile=authority.ca)
            assert httpx.post(url, content=b"x", verify=verify, trust_env=False).status_code == 200
            with pytest.raises(FedaffectError, match="runs already"):
                made.start()
        assert not made.running
        with socket.socket() as probe:
            assert probe.connect_ex((host, port)) != 0
    made.stop()  # once more does nothing
    with pytest.raises(FedaffectError, match="not started"):
        _ = made.address
    assert not [thread for thread in threading.enumerate() if thread.name == "gateway"]


def test_stop_lets_a_request_in_work_end_and_takes_no_new_one(gateway, stand_in):
    front = gateway()
    stand_in.wait_s = 0.5
    answers = []
    with front.client() as client, front.connect() as idle:  # both would stay
        asking = threading.Thread(target=lambda: answers.append(client.post(PATH, content=b"x")))
        asking.start()
        assert stand_in.entered.wait(5)
        began = time.monotonic()
        front.gateway.stop()
        assert time.monotonic() - began < 5
        assert idle.recv(10) == b""
        asking.join()
        assert (answers[0].status_code, answers[0].content) == (200, b"answered")
        with pytest.raises(httpx.ConnectError):
            client.post(PATH, content=b"x")


def test_stop_without_grace_breaks_off(gateway, stand_in):
    front = gateway()
    stand_in.wait_s = 2.0
    faults = []

    def ask():
        try:
            front.post(PATH)
        except httpx.TransportError as error:
            faults.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert stand_in.entered.wait(5)
    front.gateway.stop(grace_s=0.0)
    asking.join()
    assert len(faults) == 1
    assert front.log(1)[0]["outcome"] == "broken off: the gateway stopped"


def test_an_address_in_use_is_named(authority):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        made = of(authority, listen=listen)
        with pytest.raises(InputError, match=f"cannot listen on {listen}: Address already in use"):
            made.start()
        assert not made.running


def test_a_port_that_needs_a_right_says_which(monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(InputError, match="CAP_NET_BIND_SERVICE"):
        bound("127.0.0.1", 443)


def test_an_unknown_host_name_is_named(authority):
    with pytest.raises(InputError, match=r"cannot listen on nowhere\.invalid:0"):
        of(authority, listen="nowhere.invalid:0").start()


@pytest.mark.parametrize("listen", ["0.0.0.0:0", *BOTH])
def test_all_addresses_at_once(authority, stand_in, listen):
    with of(authority, stand_in.address, listen=listen) as made:
        url = f"https://127.0.0.1:{made.address[1]}{PATH}"
        verify = ssl.create_default_context(cafile=authority.ca)
        assert httpx.post(url, content=b"x", verify=verify, trust_env=False).status_code == 200


@pytest.mark.parametrize(
    "address",
    ["", "443", ":443", "host", "host:", "host:x", "host:65536", "host:-1", "::1:443", "a b:1"],
)
def test_an_address_of_another_form_is_refused(authority, address):
    with pytest.raises(InputError, match="it has to read host:port"):
        of(authority, listen=address)


@pytest.mark.parametrize("upstream", ["0.0.0.0:8000", "192.0.2.1:8000", "example.org:8000"])
def test_a_superlink_that_others_could_reach_is_refused(authority, upstream):
    with pytest.raises(InputError, match="has to listen on loopback"):
        of(authority, upstream)


@pytest.mark.parametrize("which", ["certificate", "key", "upstream_ca"])
def test_a_missing_file_is_named(authority, tmp_path, which):
    with pytest.raises(InputError, match=r"absent\.pem, cannot be read"):
        of(authority, **{which: tmp_path / "absent.pem"}).start()


@pytest.mark.parametrize("which", ["certificate", "key", "upstream_ca"])
def test_a_file_of_another_kind_is_named(authority, tmp_path, which):
    other = tmp_path / "other.pem"
    other.write_text("nothing of the kind")
    with pytest.raises(InputError, match=r"other\.pem"):
        of(authority, **{which: other}).start()


def test_a_key_of_another_certificate_is_refused(authority, stranger):
    with pytest.raises(InputError, match="is not the key of"):
        of(authority, key=stranger.server_key).start()


def test_a_certificate_out_of_its_time_is_refused(authority):
    expired, key = authority.issue("expired", days=-1)
    with pytest.raises(InputError, match="expired on"):
        server_context(expired, key)
    with pytest.raises(InputError, match="has not reached"):
        server_context(authority.server, authority.server_key, now=datetime(2000, 1, 1, tzinfo=UTC))


def test_a_client_context_trusts_its_ca_alone(authority):
    trusted = client_context(authority.ca).get_ca_certs()
    assert len(trusted) == 1


def test_a_renewed_certificate_serves_new_connections_and_a_bad_one_changes_nothing(
    authority, stand_in, tmp_path
):
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"

    def put(source, source_key):
        certificate.write_bytes(source.read_bytes())
        key.write_bytes(source_key.read_bytes())

    def served(port):
        tls = ssl.create_default_context(cafile=authority.ca)
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            tls.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            return secure.getpeercert()["serialNumber"]

    put(authority.server, authority.server_key)
    with of(authority, stand_in.address, certificate=certificate, key=key) as made:
        port = made.address[1]
        first = served(port)
        put(*authority.issue("renewed"))
        assert served(port) == first
        made.reload_certificate()
        second = served(port)
        assert second != first
        put(authority.server, authority.issue("another")[1])
        with pytest.raises(InputError, match="is not the key of"):
            made.reload_certificate()
        assert served(port) == second


def test_a_fault_in_the_loop_is_not_silent(authority):
    async def fails():
        raise RuntimeError

    tls = server_context(authority.server, authority.server_key)
    running = Running(bound("127.0.0.1", 0), tls)
    with pytest.raises(FedaffectError, match="ended while it started: RuntimeError"):
        running.start(fails)
    assert not running.alive
    running.stop(0.0)  # and stopping it still works
