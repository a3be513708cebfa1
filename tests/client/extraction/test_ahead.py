import threading
import time

import pytest

from client.extraction.ahead import ahead


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("n", [0, 1, 5, 100])
def test_items_come_in_order(n):
    assert list(ahead(iter(range(n)), 3)) == list(range(n))


def test_no_more_than_allowed_are_made_in_advance():
    made = []

    def items():
        for number in range(50):
            made.append(number)
            yield number

    taken = ahead(items(), 4)
    assert next(taken) == 0
    wait_for(lambda: len(made) >= 6)  # one taken, four waiting, one that finds no room
    time.sleep(0.05)
    assert len(made) == 6
    assert [*taken] == list(range(1, 50))


def test_an_error_arrives_in_its_place():
    def items():
        yield 1
        raise KeyError("broken")

    taken = ahead(items(), 2)
    assert next(taken) == 1
    with pytest.raises(KeyError, match="broken"):
        next(taken)


@pytest.mark.parametrize("before", [0, 1, 3])
def test_closing_early_ends_the_thread_first(before):
    threads = threading.active_count()
    running = threading.Event()

    def endless():
        running.set()
        number = 0
        while True:
            yield number
            number += 1

    taken = ahead(endless(), 2)
    for expected in range(before):
        assert next(taken) == expected
    taken.close()
    assert threading.active_count() == threads
    assert running.is_set() is (before > 0)  # not even started before the first item is asked for


def test_items_are_made_in_another_thread():
    (thread,) = ahead((threading.get_ident() for _ in range(1)), 1)
    assert thread != threading.get_ident()
