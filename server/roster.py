"""Talk to a named roster over a Flower grid: everyone answers, or the exchange fails loudly.

Flower's strategies wait for a quorum and average what arrives; a study has a roster, and a sum of
part of it is never opened.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from shared.errors import FederationError
from shared.messages import (
    EXCHANGE,
    READY,
    Answer,
    Question,
    pack_questions,
    unpack_answers,
)
from shared.study import Study

__all__ = ["Roster"]

_POLL_S: Final = 0.2


class Roster:
    """The clinics of some studies with a common roster, found among the grid's nodes.

    Parameters
    ----------
    grid : Grid
        Flower's connection to the nodes.
    studies : sequence of Study
        Studies to be trained; all name the same clinics.
    deadline_s : float
        Longest wait, in seconds, for all clinics to appear and for each exchange.
    poll_s : float
        Pause between looks at the grid, in seconds.

    Raises
    ------
    FederationError
        When the studies differ in their roster, a clinic does not appear in time or does not hold
        a study, or a name is claimed twice.
    """

    def __init__(
        self,
        grid: Grid,
        studies: Sequence[Study],
        *,
        deadline_s: float,
        poll_s: float = _POLL_S,
    ) -> None:
        rosters = {study.clinics for study in studies}
        if len(rosters) != 1:
            raise FederationError("studies with different rosters cannot share an exchange")
        (self.clinics,) = rosters
        self._grid = grid
        self._deadline_s = deadline_s
        self._poll_s = poll_s
        self._nodes = self._find([study.digest for study in studies])

    def ask(self, questions: Mapping[str, Question]) -> dict[str, list[Answer]]:
        """Put one question per study to every clinic.

        Returns
        -------
        dict
            For each study the answers in roster order.

        Raises
        ------
        FederationError
            When a clinic is late, refuses, or answers something else.
        """
        replies = self._exchange(
            [
                Message(pack_questions(questions), self._nodes[clinic], EXCHANGE)
                for clinic in self.clinics
            ]
        )
        by_node = {reply.metadata.src_node_id: reply for reply in replies}
        answers: dict[str, list[Answer]] = {study: [] for study in questions}
        for clinic in self.clinics:
            reply = by_node.get(self._nodes[clinic])
            if reply is None:
                raise FederationError(
                    f"clinic {clinic!r} did not answer within {self._deadline_s:.0f} s; the sum "
                    "stays closed. Start its node and train again"
                )
            if reply.has_error():
                raise FederationError(f"clinic {clinic!r} refused: {reply.error.reason}")
            for study, answer in unpack_answers(reply.content, list(questions)).items():
                answers[study].append(answer)
        return answers

    def _find(self, digests: list[str]) -> dict[str, int]:
        """Ask every online node which clinic it is, until the roster is complete."""
        end = time.monotonic() + self._deadline_s
        asked: set[int] = set()
        found: dict[str, int] = {}
        refusals: list[str] = []
        while True:
            new = [node for node in self._grid.get_node_ids() if node not in asked]
            asked.update(new)
            content = RecordDict({"studies": ConfigRecord({"study": digests})})
            for reply in self._exchange([Message(content, node, READY) for node in new]):
                if reply.has_error():
                    refusals.append(reply.error.reason or "a node failed without a reason")
                    continue
                ready = reply.content.config_records.get("ready")
                names = ready.get("clinic") if ready is not None else None
                if not isinstance(names, list) or len(set(names)) != 1:
                    refusals.append("a node did not name its clinic; is it on another version?")
                    continue
                clinic = str(names[0])
                if clinic in found:
                    raise FederationError(
                        f"two nodes say they are clinic {clinic!r}; stop one of them"
                    )
                found[clinic] = reply.metadata.src_node_id
            missing = [clinic for clinic in self.clinics if clinic not in found]
            if not missing:
                return found
            if time.monotonic() > end:
                reasons = f" Refusals: {'; '.join(sorted(set(refusals)))}." if refusals else ""
                raise FederationError(
                    f"waiting for {', '.join(missing)} ({len(found)} of {len(self.clinics)} "
                    f"clinics are ready) ended after {self._deadline_s:.0f} s.{reasons} Start the "
                    "missing nodes and train again"
                )
            time.sleep(self._poll_s)

    def _exchange(self, messages: list[Message]) -> list[Message]:
        # Flower's own send_and_receive looks every 3 s; most answers are there much sooner.
        waiting = set(self._grid.push_messages(messages))
        end = time.monotonic() + self._deadline_s
        replies: list[Message] = []
        while waiting:
            arrived = list(self._grid.pull_messages(list(waiting)))
            replies.extend(arrived)
            waiting -= {reply.metadata.reply_to_message_id for reply in arrived}
            if not waiting or time.monotonic() > end:
                break
            if not arrived:
                time.sleep(self._poll_s)
        return replies
