"""Run the Flower apps in this process, on a grid that hands each message straight to the client.

No serialisation, no other process, no waiting: for tests, sweeps and the reproduction. Flower gives
no public way to number messages outside its own runtime, so the few private names this needs stand
here and nowhere else; a new Flower release is checked against this file.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from client.app import create_client_app
from server.app import create_server_app
from shared.errors import FederationError
from shared.model import TrainedModel
from shared.study import Study
from simulations.engines.federation import Federation

__all__ = ["InProcessGrid", "train_in_process"]

_RUN_ID = 1
_ERROR_CODE = 2


class InProcessGrid(Grid):
    """A Flower grid whose nodes are calls of one ClientApp.

    Parameters
    ----------
    client_app : ClientApp
        Answers every message.
    nodes : int
        Number of virtual nodes; node i has ``partition-id`` i in its configuration.
    on_exchange : callable
        Told before each batch of messages how many there are.
    """

    def __init__(
        self,
        client_app: ClientApp,
        nodes: int,
        on_exchange: Callable[[int], None] = lambda messages: None,
    ) -> None:
        self._client_app = client_app
        self._contexts = {
            node + 1: Context(
                run_id=_RUN_ID,
                node_id=node + 1,
                node_config={"partition-id": node, "num-partitions": nodes},
                state=RecordDict(),
                run_config={},
            )
            for node in range(nodes)
        }
        self._numbers = itertools.count(1)
        self._replies: dict[str, Message] = {}
        self._on_exchange = on_exchange

    def set_run(self, run: Run) -> None:
        """Not needed here: there is one run."""

    @property
    def run(self) -> Run:
        """The only run."""
        return Run.create_empty(_RUN_ID)

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Create a message the way Flower's own grids do."""
        return Message(content, dst_node_id, message_type, group_id=group_id, ttl=ttl)

    def get_node_ids(self) -> list[int]:
        """Identifiers of the virtual nodes."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Have every message answered at once, and keep the replies."""
        batch = list(messages)
        self._on_exchange(len(batch))
        identifiers = []
        for message in batch:
            identifier = str(next(self._numbers))
            message.metadata.__dict__["_message_id"] = identifier
            message.metadata.__dict__["_src_node_id"] = 0
            message.metadata.__dict__["_run_id"] = _RUN_ID
            self._replies[identifier] = self._answer(message)
            identifiers.append(identifier)
        return identifiers

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Hand the replies over, once."""
        return [self._replies.pop(key) for key in message_ids if key in self._replies]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Push and pull in one call."""
        return self.pull_messages(self.push_messages(messages))

    def _answer(self, message: Message) -> Message:
        try:
            return self._client_app(message, self._contexts[message.metadata.dst_node_id])
        except Exception as error:  # a node turns any failure into an error reply, and so do we
            reason = f"{type(error).__name__}: {error}"
            return Message(Error(code=_ERROR_CODE, reason=reason), reply_to=message)


def train_in_process(
    federation: Federation,
    on_exchange: Callable[[int, int], None] = lambda exchange, studies: None,
) -> dict[str, TrainedModel]:
    """Train all studies of a federation in this process.

    Raises
    ------
    FederationError
        When a clinic refuses or a training cannot finish.
    """
    models: dict[str, TrainedModel] = {}

    def deliver(context: Context, study: Study, model: TrainedModel) -> None:
        models[study.digest] = model

    counted = itertools.count()

    def count(messages: int) -> None:
        on_exchange(next(counted), messages)

    with _task_identity():
        grid = InProcessGrid(
            create_client_app(federation.open_study), len(federation.clinics), count
        )
        server_app = create_server_app(lambda context: federation.prepared, deliver, deadline_s=0.0)
        server_app(
            grid,
            Context(run_id=_RUN_ID, node_id=0, node_config={}, state=RecordDict(), run_config={}),
        )
    missing = len(federation.prepared) - len(models)
    if missing:
        raise FederationError(f"{missing} of {len(federation.prepared)} studies gave no model")
    return models


@contextlib.contextmanager
def _task_identity() -> Iterator[None]:
    """Give this process the identity a Flower task has, without which no message can be made."""
    before = (TaskIdentity._task_id, TaskIdentity._run_id, TaskIdentity._node_id)
    TaskIdentity._task_id, TaskIdentity._run_id, TaskIdentity._node_id = 1, _RUN_ID, 0
    try:
        yield
    finally:
        TaskIdentity._task_id, TaskIdentity._run_id, TaskIdentity._node_id = before
