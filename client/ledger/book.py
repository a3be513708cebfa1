"""The ledger while it is locked: what was spent, and every change of it.

A change is judged in full before its line is written (all or nothing), then appended and synced,
then counted outside the site folder. A change that could not be completed ends the book: the next
one reads again what the disk holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from client.ledger.budget import Limit, fits, refusal
from client.ledger.chain import Chain, Entry, decode_line, encode_line
from client.ledger.events import (
    Event,
    LedgerCreated,
    ModelRecorded,
    ParticipantWithdrawn,
    PlannedRelease,
    ReleaseCreated,
    StudyClosed,
    StudyOpened,
)
from client.ledger.files import LedgerFiles, disk_refusals
from client.ledger.history import StudyRecord, cost_of_plan
from shared.errors import BudgetError, LedgerError

__all__ = ["Book", "LineageEntry", "WithdrawalOutcome"]


@dataclass(frozen=True)
class LineageEntry:
    """One study that used a participant's row, and what came of it.

    Attributes
    ----------
    study, title : str
    closed : bool
    rounds_created, rounds_planned : int
    mu_squared : float
        Created, and reserved while the study is open.
    models : tuple of str
        SHA-256 of each model recorded.
    """

    study: str
    title: str
    closed: bool
    rounds_created: int
    rounds_planned: int
    mu_squared: float
    models: tuple[str, ...]


@dataclass(frozen=True)
class WithdrawalOutcome:
    """What a withdrawal did, and what it cannot undo.

    Attributes
    ----------
    participant : str
    recorded_now : bool
        False when the participant had withdrawn before; everything else is then the same, so that
        an interrupted withdrawal can be finished.
    studies_closed : tuple of str
        Studies the withdrawal ended.
    lineage : tuple of LineageEntry
        Every study with the participant's row. Their stored contributions are the caller's to
        destroy; their released models cannot be recalled.
    """

    participant: str
    recorded_now: bool
    studies_closed: tuple[str, ...]
    lineage: tuple[LineageEntry, ...]


class Book:
    """A verified ledger under lock; made by ``Ledger.locked`` and valid inside it only."""

    def __init__(self, chain: Chain, files: LedgerFiles) -> None:
        self._files = files
        self._entries = list(chain.entries)
        self._size = chain.intact_bytes
        self._history = chain.history
        self._created = chain.created
        self._valid = True

    @property
    def head(self) -> str:
        """SHA-256 of the last line, hexadecimal; stands for everything before it."""
        return self._entries[-1].digest

    @property
    def created(self) -> LedgerCreated:
        """First event: id, clinic, unit, adjacency."""
        return self._created

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every line: number, time, event, hash."""
        return tuple(self._entries)

    @property
    def events(self) -> tuple[Event, ...]:
        """Every event, oldest first."""
        return tuple(entry.event for entry in self._entries)

    @property
    def studies(self) -> Mapping[str, StudyRecord]:
        """Every study ever opened, by its hash, oldest first."""
        return MappingProxyType(self._history.studies)

    @property
    def participants(self) -> tuple[str, ...]:
        """Everyone who was ever in a study, sorted."""
        return self._history.participants()

    def contains(self, head: str) -> bool:
        """Whether this ledger has, or once had, the given head."""
        return any(entry.digest == head for entry in self._entries)

    def check_echo(self, head: str) -> None:
        """Compare with the head that the server remembers of this clinic.

        Raises
        ------
        LedgerError
            When this ledger never had that head.
        """
        if not self.contains(head):
            raise LedgerError(
                "the server remembers a state of this clinic's privacy ledger that the ledger "
                "never had: it was copied back from an older copy, or made anew; nothing is "
                "released. Restore the newest export with `fedaffect-client ledger restore`, or "
                "call the coordinator"
            )

    def is_withdrawn(self, participant: str) -> bool:
        """Whether this participant left for good."""
        return self._history.is_withdrawn(participant)

    def spent(self, participant: str) -> float:
        """Mu^2 of a participant over all studies: created, and reserved by open studies."""
        return self._history.spent(participant)

    def remaining(self, participant: str, limit: Limit) -> float:
        """Mu^2 left for a participant, >= 0."""
        return max(0.0, limit.mu_squared - self.spent(participant))

    def spent_out(
        self, participants: Iterable[str], plan: tuple[PlannedRelease, ...], limit: Limit
    ) -> list[str]:
        """Return those whose budget does not hold the plan, in the order given.

        The caller may offer to exclude them; nobody is left out silently.
        """
        requested = cost_of_plan(plan)
        return [name for name in participants if not fits(self.spent(name), requested, limit)]

    def lineage(self, participant: str) -> tuple[LineageEntry, ...]:
        """Return every study that used a participant's row, oldest first."""
        return tuple(
            LineageEntry(
                study=digest,
                title=record.opening.title,
                closed=record.closed,
                rounds_created=len(record.releases),
                rounds_planned=len(record.opening.releases),
                mu_squared=sum(record.costs()),
                models=tuple(record.models),
            )
            for digest, record in self._history.studies.items()
            if record.includes(participant)
        )

    def study(self, digest: str) -> StudyRecord:
        """Return a study's record.

        Raises
        ------
        LedgerError
            When the study was never opened here.
        """
        return self._history.study(digest)

    def find_release(self, study: str, round_number: int) -> ReleaseCreated | None:
        """Return the release of a round, None when it was never created.

        Raises
        ------
        LedgerError
            When the study was never opened here.
        """
        return self.study(study).release(round_number)

    def check(self, event: Event) -> None:
        """Refuse an event that may not come next; writes nothing.

        Raises
        ------
        LedgerError
            Saying which rule it breaks.
        """
        if not self._valid:
            raise LedgerError("this view of the ledger has ended; open the ledger again")
        self._history.check(event)

    def open_study(self, opening: StudyOpened, limit: Limit) -> None:
        """Approve a study: reserve its whole plan for every participant, or refuse it.

        Raises
        ------
        BudgetError
            When the plan does not fit someone's budget; the numbers are those of whoever has
            least left, ``participants`` names all it does not fit.
        LedgerError
            When the study was approved before, includes someone twice or someone who withdrew, or
            continues a study that is still open.
        """
        self.check(opening)
        requested = cost_of_plan(opening.releases)
        most = max((self.spent(name) for name in opening.participants), default=0.0)
        if not fits(most, requested, limit):
            raise BudgetError(
                refusal(most, requested, limit),
                self.spent_out(opening.participants, opening.releases, limit),
            )
        self.record(opening)

    def create_release(self, release: ReleaseCreated) -> None:
        """Record a contribution; from now on it is spent.

        Raises
        ------
        LedgerError
            When the study is closed or unknown, the round is not the next of its plan, or the
            release has less noise than planned.
        """
        self.record(release)

    def close_study(self, study: str, reason: str) -> None:
        """End a study at this clinic; rounds never created return to the budget.

        Raises
        ------
        LedgerError
            When the study is closed or unknown.
        """
        self.record(StudyClosed(study=study, reason=reason))

    def withdraw(self, participant: str) -> WithdrawalOutcome:
        """Take a participant out of everything to come; end their running studies.

        One line does both, so no crash can come between. Withdrawing someone again writes nothing.
        """
        closes = tuple(
            digest
            for digest, record in self._history.studies.items()
            if not record.closed and record.includes(participant)
        )
        new = not self.is_withdrawn(participant)
        if new:
            self.record(ParticipantWithdrawn(participant=participant, studies_closed=closes))
        return WithdrawalOutcome(
            participant=participant,
            recorded_now=new,
            studies_closed=closes,
            lineage=self.lineage(participant),
        )

    def record_model(self, study: str, model_digest: str) -> None:
        """Remember a study's model, for the lineage of its participants; once is enough.

        Raises
        ------
        LedgerError
            When the study was never opened here.
        """
        if model_digest not in self.study(study).models:
            self.record(ModelRecorded(study=study, model_digest=model_digest))

    def record(self, event: Event) -> None:
        """Judge an event, append its line and count it; all synced when this returns.

        Raises
        ------
        LedgerError
            When the event may not come next, or the disk refused. In both cases nothing may be
            released on account of it.
        """
        self.check(event)
        number = len(self._entries) + 1
        line = encode_line(number, self._files.clock(), self.head, event)
        # A line this program could not read again would lock the ledger up; better to find out now.
        entry = decode_line(line[:-1], number, self.head)
        self._valid = False
        with disk_refusals("the privacy ledger could not be written"):
            self._files.disk.append(self._files.ledger, line, at=self._size)
        with disk_refusals("the ledger's counter could not be written"):
            self._files.write_counter(
                number, entry.digest, self._created.ledger, self._created.clinic
            )
        self._history.apply(entry.event)
        self._entries.append(entry)
        self._size += len(line)
        self._valid = True

    def end(self) -> None:
        """Make the book unusable, because the lock is going to be released."""
        self._valid = False
