"""What reaches the SuperLink, what does not, and that the bytes of what does are the same."""

import random
import ssl
import statistics
import time

import httpx
import pytest

from server.gateway.refusals import REFUSALS
from server.gateway.routes import FLEET_PATHS

SIGNED = {
    "content-type": "application/x-protobuf",
    "flwr-public-key": "AAAA+/==",
    "flwr-signature": "BBBB+/==",
    "flwr-timestamp": "2026-01-02T03:04:05+00:00",
    "flwr-package-version": "1.41.0",
}


def noise(length: int) -> bytes:
    return random.Random(length).randbytes(length)


@pytest.mark.parametrize("path", FLEET_PATHS)
def test_a_fleet_route_passes_with_its_bytes_and_signed_headers(front, stand_in, path):
    body = noise(70_001)
    stand_in.parts = [b"", noise(3), noise(100_000)]
    answer = front.post(path, body, headers=SIGNED)
    assert (answer.status_code, answer.headers["flwr-note"]) == (200, "kept")
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert answer.content == b"".join(stand_in.parts)
    (received,) = stand_in.received
    assert (received.method, received.path, received.body) == ("POST", path, body)
    assert set(SIGNED.items()) <= set(received.headers)


def test_one_connection_carries_many_requests(front, stand_in):
    with front.client() as client:
        for length in (0, 1, 65_536, 5 * 2**20):
            stand_in.parts = [noise(length)]
            answer = client.post(FLEET_PATHS[0], content=noise(length + 1))
            assert answer.content == noise(length)
            assert stand_in.received[-1].body == noise(length + 1)
    assert len({line["peer"] for line in front.log(4)}) == 1


def test_no_packet_waits_for_an_acknowledgement(gateway):
    front, took = gateway(), []
    with front.client() as client:
        for _ in range(31):
            began = time.perf_counter()
            client.post(FLEET_PATHS[0], content=b"x")
            took.append(time.perf_counter() - began)
    assert statistics.median(took) < 0.03  # 0.006 s; 0.048 s where small packets are held back


def test_no_connection_to_the_superlink_outlives_its_request(gateway, stand_in):
    front = gateway()
    with front.client() as client:
        for _ in range(3):
            client.post(FLEET_PATHS[0], content=b"x")
        end = time.monotonic() + 5
        while stand_in.connections():
            assert time.monotonic() < end
            time.sleep(0.01)


def test_an_answer_is_passed_on_while_it_comes(gateway, stand_in):
    stand_in.parts, stand_in.break_off = [b"first"], True
    front = gateway()
    with (
        front.client() as client,
        client.stream("POST", FLEET_PATHS[0], content=b"x") as answer,
    ):
        parts = answer.iter_raw()
        assert next(parts) == b"first"
        with pytest.raises(httpx.TransportError):
            next(parts)
    assert front.log(1)[0]["outcome"] == "broken off: the server behind the gateway"


def test_no_header_of_another_service_passes(front, stand_in):
    sent = {
        "flwr-task-token": "t",
        "flwr-superexec-signature": "s",
        "x-forwarded-for": "127.0.0.1",
        "forwarded": "for=127.0.0.1",
        "authorization": "Bearer b",
        "cookie": "c=d",
        "x-forwarded-proto": "https",
    }
    front.post(FLEET_PATHS[0], headers={**sent, "x-forwarded-for": "203.0.113.9"})
    received = dict(stand_in.received[0].headers)
    # The web server of the SuperLink believes this header, so it holds the true address.
    assert received.pop("x-forwarded-for") == "127.0.0.1"
    assert not set(sent) & set(received)


FORBIDDEN = [
    "/",
    "/health",
    "/docs",
    "/openapi.json",
    "/v1/control/start-run",
    "/v1/control/list-nodes",
    "/v1/control/register-node",
    "/v1/runtime/acquire-task",
    "/v1/runtime/push-object",
    "/v1/fleet",
    "/v1/fleet/",
    "/v1/fleet/pull-messages/",
    "/v1/fleet/Pull-Messages",
    "/V1/fleet/pull-messages",
    "/v1//fleet/pull-messages",
    "//v1/fleet/pull-messages",
    "/v1/fleet/pull-messages?a=b",
    "/v1/fleet/pull-messages%20",
    "/v1/fleet/pull%2Dmessages",
    "/v1/fleet/../control/list-nodes",
    "/v1/fleet/%2e%2e/control/list-nodes",
    "/v1/fleet/..%2fcontrol/list-nodes",
    "/v1/fleet/pull-messages/../../control/list-nodes",
    "/v1/fleet/x/../pull-messages",
    "https://127.0.0.1/v1/control/list-nodes",
    "/flwr.proto.Fleet/PullMessages",
    "/flwr.proto.Control/ListRuns",
    "/grpc.health.v1.Health/Check",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
]


@pytest.mark.parametrize("target", FORBIDDEN)
def test_every_other_path_and_spelling_is_refused(front, stand_in, target):
    answer = front.raw(
        b"POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
        % target.encode()
    )
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b'"code": 9101, "status": "PERMISSION_DENIED"' in answer
    assert stand_in.received == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_no_other_method_passes(front, stand_in, method):
    with front.client() as client:
        answer = client.request(method, FLEET_PATHS[0])
    assert answer.status_code == 403
    assert method == "HEAD" or answer.json()["code"] == 9102
    assert stand_in.received == []


def test_connect_is_refused(front, stand_in):
    answer = front.raw(b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.split()[1] in (b"403", b"405", b"400")
    assert stand_in.received == []


@pytest.mark.parametrize("name", ["register-node", "unregister-node"])
def test_a_node_without_an_invitation_reads_what_to_do(front, stand_in, name):
    answer = front.post(f"/v1/fleet/{name}")
    # 403 would tell Flower's node that a run was stopped, and hide the text.
    assert answer.status_code == 404
    assert answer.json()["code"] == 9103
    assert "invitation" in answer.json()["detail"]
    assert stand_in.received == []


def test_an_oversized_message_is_refused_and_the_sender_can_read_why(gateway, stand_in):
    front = gateway(body_bytes=1000)
    assert front.post(FLEET_PATHS[0], bytes(1000)).status_code == 200
    answer = front.post(FLEET_PATHS[0], bytes(20 * 2**20))  # goes on sending while it is refused
    assert (answer.status_code, answer.json()["code"]) == (413, 9106)
    assert answer.json()["status"] == "RESOURCE_EXHAUSTED"
    assert len(stand_in.received) == 1


def test_a_refused_sender_is_not_cut_off_while_it_sends(gateway):
    with gateway().connect() as connection:
        connection.sendall(
            b"POST /v1/fleet/get-run HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n"
        )
        for _ in range(10):
            time.sleep(0.02)
            connection.sendall(bytes(1_000_000))
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_an_oversized_message_is_refused_by_either_front(front, stand_in):
    assert front.post(FLEET_PATHS[0], bytes(8 * 2**20 + 1)).status_code == 413
    assert stand_in.received == []


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"POST /v1/fleet/get-run HTTP/1.1\r\nHost: a\r\n\r\n", b"411", 9105),
        (
            b"POST /v1/fleet/get-run HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\nx\r\n0\r\n\r\n",
            b"411",
            9105,
        ),
        (  # the classical smuggling request
            b"POST /v1/fleet/get-run HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nPOST /v1/control/x HTTP/1.1\r\n\r\n",
            b"411",
            9105,
        ),
        (
            b"POST /v1/fleet/get-run HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
            b"Content-Length: 5\r\n\r\nabcde",
            b"400",
            9104,
        ),
        (b"POST /v1/fleet/get-run HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"400", 9104),
        (b"nonsense\r\n\r\n", b"400", 9104),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"403", 9101),
        (b"POST / HTTP/1.1\r\nA: " + b"a" * 20_000, b"400", 9104),
    ],
)
def test_a_request_whose_end_is_in_doubt_is_refused(gateway, stand_in, request_bytes, status, code):
    answer = gateway().raw(request_bytes)
    assert answer.split()[1] == status
    assert f'"code": {code}'.encode() in answer
    assert answer.count(b"HTTP/1.1 4") == 1  # what came after it was not read as a request
    assert stand_in.received == []


def test_two_requests_in_one_packet_are_answered_in_order(gateway, stand_in):
    one = "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n{}\r\n{}"
    front = gateway()
    answer = front.raw(
        (
            one.format(FLEET_PATHS[0], "", "1")
            + one.format(FLEET_PATHS[1], "Connection: close\r\n", "2")
        ).encode()
    )
    assert answer.count(b"HTTP/1.1 200") == 2
    assert [(r.path, r.body) for r in stand_in.received] == [
        (FLEET_PATHS[0], b"1"),
        (FLEET_PATHS[1], b"2"),
    ]


def test_a_client_that_waits_for_leave_to_send_gets_it(gateway, stand_in):
    with gateway().connect() as connection:
        connection.sendall(
            b"POST /v1/fleet/get-run HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
            b"Connection: close\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(b"ok")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert stand_in.received[0].body == b"ok"


def test_a_message_cut_short_never_reaches_the_superlink(gateway, stand_in):
    front = gateway()
    with front.connect() as connection:
        connection.sendall(
            b"POST /v1/fleet/get-run HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"
        )
    (line,) = front.log(1)
    assert (line["outcome"], line["received_bytes"]) == ("broken off: the client", 4)
    assert stand_in.received == []


def test_a_superlink_that_is_down_is_unavailable_until_it_is_up(gateway, stand_in):
    front = gateway(upstream="127.0.0.1:1")
    answer = front.post(FLEET_PATHS[0])
    # Flower's node asks again after 503, and after no other of the codes that could stand here.
    assert (answer.status_code, answer.json()["status"]) == (503, "UNAVAILABLE")
    assert "the server behind it does not answer" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "2"
    assert front.log(1)[0]["outcome"] == "refused: UNAVAILABLE 9109"


def test_a_superlink_with_a_certificate_of_another_ca_gets_nothing(gateway, stand_in, stranger):
    answer = gateway(ca=stranger.ca).post(FLEET_PATHS[0])
    assert (answer.status_code, answer.json()["code"]) == (502, 9111)
    assert stand_in.received == []


def test_a_superlink_whose_certificate_has_another_name_gets_nothing(gateway, stand_in):
    answer = gateway(name="elsewhere.example").post(FLEET_PATHS[0])
    assert (answer.status_code, answer.json()["code"]) == (502, 9111)
    assert stand_in.received == []


def test_a_superlink_that_takes_too_long(gateway, stand_in):
    stand_in.wait_s = 2.0
    answer = gateway(upstream_s=0.2).post(FLEET_PATHS[0])
    assert (answer.status_code, answer.json()["code"]) == (504, 9110)


def test_a_client_that_speaks_plain_http_is_refused(gateway, stand_in):
    front = gateway()
    with pytest.raises(httpx.TransportError):
        httpx.post(f"http://127.0.0.1:{front.port}{FLEET_PATHS[0]}", content=b"x", trust_env=False)
    assert front.log(1)[0]["outcome"] == "no TLS: the client speaks plain HTTP"
    assert stand_in.received == []


def test_a_client_that_trusts_another_ca_sends_nothing(gateway, stand_in, stranger):
    front = gateway()
    front.tls = ssl.create_default_context(cafile=stranger.ca)
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        front.post(FLEET_PATHS[0])
    assert front.log(1)[0]["outcome"] == "no TLS: the client does not trust the server's CA"
    assert stand_in.received == []


def test_an_older_tls_is_refused(gateway, stand_in):
    front = gateway()
    front.tls.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx.ConnectError):
        front.post(FLEET_PATHS[0])
    assert front.log(1)[0]["outcome"] == "no TLS: the client speaks no TLS 1.3"


def test_flower_reads_every_refusal_and_no_code_is_flowers_own():
    from flwr.supercore.error import ApiErrorCode, FlowerError

    codes = [refusal.code for refusal in REFUSALS]
    assert len(set(codes)) == len(codes)
    assert not set(codes) & {int(code) for code in ApiErrorCode}
    for refusal in REFUSALS:
        read = FlowerError.from_json(refusal.body().decode())
        assert read is not None
        assert (read.code, read.message) == (refusal.code, refusal.detail)
        # 429 and 401 would end a node's process.
        assert refusal.status not in (401, 429)


def test_the_routes_are_flowers_fleet_routes():
    from flwr.superlink.routers.fleet.router import router

    from server.gateway.routes import REGISTRATION_PATHS

    assert {route.path for route in router.routes} == {*FLEET_PATHS, *REGISTRATION_PATHS}


def test_the_headers_of_flowers_node_all_pass():
    from flwr.common.constant import TIMESTAMP_HEADER
    from flwr.supercore import constant
    from flwr.supercore.runtime_version_compatibility import RuntimeVersionMetadata

    from server.gateway.upstream import REQUEST_HEADERS

    needed = {
        TIMESTAMP_HEADER,
        constant.FLEET_HTTP_PUBLIC_KEY_HEADER,
        constant.FLEET_HTTP_SIGNATURE_HEADER,
        *dict(RuntimeVersionMetadata.from_local_component("SuperNode").as_metadata()),
    }
    passing = {header.decode() for header in REQUEST_HEADERS}
    assert needed <= passing
    assert constant.TASK_TOKEN_HEADER not in passing
    assert constant.SUPEREXEC_AUTH_SIGNATURE_HEADER not in passing
