"""Let one step of a pipeline run ahead of the next in a thread of its own, by a bounded number.

Decoding and OpenCV give Python's lock back while they compute, so threads are enough to keep
several cores busy, and pictures need not travel between processes.
"""

import threading
from collections.abc import Generator, Iterable
from queue import Empty, Queue
from typing import TypeVar

__all__ = ["ahead"]

_Item = TypeVar("_Item")


class _End:
    """Stands in the queue for "no more", with the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(items: Iterable[_Item], most: int) -> Generator[_Item, None, None]:
    """Yield ``items`` in order while a thread makes the next ones.

    Parameters
    ----------
    items : iterable
        Taken from by that thread alone.
    most : int
        Items that may wait at a time, >= 1: this bounds the memory.

    Yields
    ------
    item
        An error that ``items`` raises is raised here, in its place. When the generator is closed
        early, it returns after the thread has ended, so that nothing uses ``items`` any more.
    """
    waiting: Queue[_Item | _End] = Queue(most)
    stopped = threading.Event()

    def make() -> None:
        end = _End()
        try:
            for item in items:
                waiting.put(item)
                if stopped.is_set():
                    return
        except BaseException as error:  # handed over to the one who takes the items
            end = _End(error)
        waiting.put(end)

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        while thread.is_alive():
            # A thread that waits for room must find it.
            try:
                waiting.get(timeout=0.01)
            except Empty:
                continue
