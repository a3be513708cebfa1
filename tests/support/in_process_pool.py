"""Does in this process what workers do elsewhere, for tests of what they do: they start slowly."""

from collections import deque
from typing import Generic, TypeVar

from client.extraction.workers import Begun, Done, Progressed

Task = TypeVar("Task")


class InProcessPool(Generic[Task]):
    """Like ``WorkerPool``, one task after the other; nothing can die here but all."""

    def __init__(self, service, jobs):
        self._service = service
        self._waiting = deque()

    def add(self, task):
        self._waiting.append(task)

    def events(self):
        handle = self._service.open() if self._waiting else None
        while self._waiting:
            task = self._waiting.popleft()
            yield Begun(task)
            states = []
            result = handle(task, states.append)
            for state in states:
                yield Progressed(task, state)
            yield Done(task, result)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None
