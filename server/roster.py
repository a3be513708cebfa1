"""Talk to a named roster over a Flower grid: everyone answers, or the exchange fails loudly.

Flower's strategies wait for a quorum and average what arrives; a study has a roster, and a sum of
part of it is never opened.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Final

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from server.journal import Journal
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

__all__ = ["Roster", "ledger_owner"]

_POLL_S: Final = 0.2


def ledger_owner(study: Study, clinic: str) -> str:
    """Whose ledger a head belongs to: the clinic's name, and its mask key where it has one.

    Two coordinations may both have a clinic of one name; they have no key in common.
    """
    key = next(member.mask_key for member in study.roster if member.name == clinic)
    return f"{clinic} {key}".rstrip()


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
    journal : Journal
        Knows the heads of the clinics' ledgers, which are echoed to them.
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
        journal: Journal,
        poll_s: float = _POLL_S,
    ) -> None:
        rosters = {study.clinics for study in studies}
        if len(rosters) != 1:
            raise FederationError("studies with different rosters cannot share an exchange")
        (self.clinics,) = rosters
        self._owners = {clinic: ledger_owner(studies[0], clinic) for clinic in self.clinics}
        self._grid = grid
        self._deadline_s = deadline_s
        self._journal = journal
        self._poll_s = poll_s
        self._nodes = self._find(studies)

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
                Message(
                    pack_questions(questions, self._journal.head(self._owners[clinic])),
                    self._nodes[clinic],
                    EXCHANGE,
                )
                for clinic in self.clinics
            ]
        )
        by_node = {reply.metadata.src_node_id: reply for reply in replies}
        answers: dict[str, list[Answer]] = {study: [] for study in questions}
        for clinic in self.clinics:
            # Heads first, of all: those of clinics that answered count although another failed.
            self._remember_heads(clinic, by_node.get(self._nodes[clinic]), list(questions))
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

    def _remember_heads(self, clinic: str, reply: Message | None, studies: list[str]) -> None:
        if reply is None or reply.has_error():
            return
        with contextlib.suppress(FederationError):  # told when the answer is read
            for answer in unpack_answers(reply.content, studies).values():
                self._journal.remember_head(self._owners[clinic], answer.head)

    def _find(self, studies: Sequence[Study]) -> dict[str, int]:
        """Ask every online node which clinic it is, until the roster is complete.

        A node answers only when it holds every study, has it open in its ledger, and therefore has
        room for the whole of it.
        """
        digests = [study.digest for study in studies]
        maps = [study.feature_map for study in studies]
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
                if ready is None or ready.get("feature_map") != maps:
                    refusals.append(f"clinic {names[0]!r} holds another feature map")
                    continue
                clinic = str(names[0])
                if clinic in found:
                    raise FederationError(
                        f"two nodes say they are clinic {clinic!r}; stop one of them"
                    )
                found[clinic] = reply.metadata.src_node_id
                heads = ready.get("head")
                # Only a first acquaintance: a ledger that was copied back would tell an old head.
                owner = self._owners.get(clinic)
                if isinstance(heads, list) and heads and owner and not self._journal.head(owner):
                    self._journal.remember_head(owner, str(heads[-1]))
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
