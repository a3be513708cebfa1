"""Counts, rates and time limits: a client that is slow or greedy keeps nobody else out."""

import threading
import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway import Limits
from server.gateway.limits import PeerBook
from server.gateway.routes import FLEET_PATHS
from shared.errors import InputError

PATH = FLEET_PATHS[0]
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n".encode()


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_limit_that_is_none_is_refused(value):
    with pytest.raises(InputError, match=r"limit idle_s is .*; it has to be a number above 0"):
        Limits(idle_s=value)


def test_a_connection_that_says_nothing_is_closed(gateway):
    with gateway(head_s=0.1).connect() as connection:
        assert connection.recv(10) == b""


def test_a_head_that_comes_byte_by_byte_is_cut_off(gateway):
    front = gateway(head_s=0.2)
    with front.connect() as connection:
        try:
            for letter in b"POST / HTTP/1.1\r\nA: " + b"a" * 1000:
                connection.sendall(bytes([letter]))
                time.sleep(0.01)
        except OSError:
            pass
        else:
            pytest.fail("it was never closed")
    assert front.log(1)[0]["outcome"] == "broken off: the client"


def test_a_body_that_does_not_come_is_refused(gateway, stand_in):
    with gateway(body_s=0.1).connect() as connection:
        connection.sendall(HEAD + b"x")
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
    assert stand_in.received == []


def test_an_idle_connection_is_closed(gateway):
    with gateway(idle_s=0.1).connect() as connection:
        connection.sendall(HEAD + b"abc")
        answer = b""
        while part := connection.recv(1000):
            answer += part
        assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_client_that_shakes_no_hands_is_cut_off(gateway):
    import socket

    front = gateway(handshake_s=0.1)
    with socket.create_connection(("127.0.0.1", front.port), timeout=10) as connection:
        assert connection.recv(10) == b""
    assert front.log(1)[0]["outcome"] == "no TLS: the handshake took too long"


def test_a_client_that_does_not_take_its_answer_is_cut_off(gateway, stand_in):
    stand_in.parts = [bytes(2**20)] * 30
    front = gateway(send_s=0.2)
    with front.connect() as connection:
        connection.sendall(HEAD + b"abc")
        (line,) = front.log(1)
    assert line["outcome"] == "broken off: the client"
    assert line["sent_bytes"] < 30 * 2**20


def test_too_many_requests_at_once_are_asked_to_come_again(gateway, stand_in):
    front = gateway(requests_per_peer=1)
    stand_in.wait_s = 1.0
    slow = threading.Thread(target=front.post, args=(PATH,))
    slow.start()
    assert stand_in.entered.wait(5)
    answer = front.post(PATH)
    # 429 would end Flower's node; it asks again after 503.
    assert (answer.status_code, answer.json()["code"]) == (503, 9108)
    assert answer.headers["retry-after"] == "2"
    slow.join()
    stand_in.wait_s = 0.0
    assert front.post(PATH).status_code == 200


def test_requests_beyond_the_rate_are_asked_to_come_again(gateway):
    front = gateway(rate_per_peer=0.001, burst_per_peer=2)
    with front.client() as client:
        assert [client.post(PATH, content=b"x").status_code for _ in range(3)] == [200, 200, 503]


def test_too_many_connections_are_closed_before_the_handshake(gateway):
    front = gateway(connections_per_peer=1)
    with front.connect() as connection:
        with pytest.raises(httpx.TransportError):
            front.post(PATH)
        assert front.log(1)[0]["outcome"] == "refused: too many connections"
        connection.sendall(HEAD + b"abc")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")  # the first goes on


def test_a_connection_that_ended_counts_no_more(gateway):
    front = gateway(connections_per_peer=1)
    for _ in range(3):
        end = time.monotonic() + 5
        while True:
            try:
                assert front.post(PATH).status_code == 200
                break
            except httpx.TransportError:  # the one before is still being closed
                assert time.monotonic() < end
                time.sleep(0.02)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_gets_its_burst_then_its_rate():
    clock = Clock()
    book = PeerBook(Limits(rate_per_peer=2.0, burst_per_peer=3), clock)

    def asked(address: str = "192.0.2.1") -> bool:
        done = book.open_request(address)
        if done:
            book.close_request(address)
        return done

    assert [asked() for _ in range(4)] == [True, True, True, False]
    assert asked("192.0.2.2")
    clock.now = 0.5
    assert [asked() for _ in range(2)] == [True, False]
    clock.now = 1000.0
    assert [asked() for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_which_addresses_count_as_one(one, other, same):
    book = PeerBook(Limits(connections_per_peer=1), Clock())
    assert book.open_connection(one)
    assert book.open_connection(other) is not same


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=60))
def test_counts_never_pass_their_limits_and_come_back_to_nothing(steps):
    clock = Clock()
    limits = Limits(requests=3, requests_per_peer=2, connections=4, connections_per_peer=3)
    book = PeerBook(limits, clock)
    held: dict[tuple[str, bool], int] = {}
    for letter, is_request, opens in steps:
        address = f"192.0.2.{ord(letter)}"
        clock.now += 0.01
        key = address, is_request
        if opens:
            of_all = sum(count for (_, kind), count in held.items() if kind is is_request)
            most, most_of_all = (2, 3) if is_request else (3, 4)
            room = held.get(key, 0) < most and of_all < most_of_all
            ask = book.open_request if is_request else book.open_connection
            assert ask(address) is room
            held[key] = held.get(key, 0) + room
        elif held.get(key):
            (book.close_request if is_request else book.close_connection)(address)
            held[key] -= 1
        requests = sum(count for (_, kind), count in held.items() if kind)
        connections = sum(held.values()) - requests
        assert (book.requests, book.connections) == (requests, connections)
    for (address, kind), count in held.items():
        for _ in range(count):
            (book.close_request if kind else book.close_connection)(address)
    assert (book.requests, book.connections) == (0, 0)


def test_addresses_at_rest_are_forgotten_and_others_are_not():
    clock = Clock()
    limits = Limits(
        connections_per_peer=1, requests_per_peer=1, rate_per_peer=1.0, burst_per_peer=1
    )
    book = PeerBook(limits, clock)
    assert book.open_connection("192.0.2.1")
    assert book.open_request("192.0.2.2")
    for number in range(4100):
        assert book.open_request(f"2001:db8:{number:x}::1")
        book.close_request(f"2001:db8:{number:x}::1")
        clock.now += 0.01
    assert len(book._peers) < 300
    # These still hold what they held.
    assert not book.open_connection("192.0.2.1")
    assert not book.open_request("192.0.2.2")
