import signal
import threading

import pytest

from client.extraction.stopping import Stopped, stop_requests


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_noted_and_stops_where_the_work_looks(number, code):
    before = signal.getsignal(number)
    with stop_requests() as request:
        request.check()
        signal.raise_signal(number)
        with pytest.raises(Stopped) as stopped:
            request.check()
    assert stopped.value.exit_code == code
    assert signal.getsignal(number) is before


def ctrl_c_twice():
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)


def test_asked_twice_it_does_not_wait():
    with stop_requests(), pytest.raises(KeyboardInterrupt):
        ctrl_c_twice()


def test_a_signal_that_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_requests() as request:
            signal.raise_signal(signal.SIGINT)
            request.check()
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_signals_are_left_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with stop_requests() as request:
            seen.append(signal.getsignal(signal.SIGINT))
            request.check()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
