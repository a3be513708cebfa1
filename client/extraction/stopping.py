"""Stop long work at a place of its own choosing when a person or the system asks for it.

Ctrl-C as an exception would come in the middle of anything, also of starting a process or of
writing to the screen. Here it only leaves a note, which the work looks at several times a second.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["StopRequest", "Stopped", "stop_requests"]


class Stopped(Exception):
    """The work was asked to stop, and did.

    Attributes
    ----------
    exit_code : int
        128 and the number of the signal: 130 for Ctrl-C, 143 for a polite end by the system.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__("stopped")
        self.exit_code = 128 + signal_number


class StopRequest:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self._signal: int | None = None

    def note(self, signal_number: int) -> None:
        """Remember that a signal came.

        Raises
        ------
        KeyboardInterrupt
            When one came before: whoever asks twice does not want to wait.
        """
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = signal_number

    def check(self) -> None:
        """Go on, or stop here.

        Raises
        ------
        Stopped
            When a signal came.
        """
        if self._signal is not None:
            raise Stopped(self._signal)


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Note Ctrl-C and SIGTERM for the length of the block, instead of being interrupted by them.

    A signal that is ignored, as in a job in the background, stays ignored. Python takes signals in
    the main thread only; elsewhere nothing is ever noted.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, _: FrameType | None) -> None:
        request.note(number)

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
