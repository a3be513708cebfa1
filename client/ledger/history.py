"""What a chain of events adds up to, and which event may follow it.

The same rules judge an event before it is written and when it is read again, so a ledger this
program wrote is always one it accepts, and a plan is tried out in full before its line is written.
Budget limits are not judged here: they are the clinic's policy of the day (``book.py``).

No message names or counts participants, because a refused release is told to the server; who is
meant stands in the error's ``participants``.
"""

from dataclasses import dataclass, field
from typing import assert_never

from client.ledger.budget import cost, total
from client.ledger.events import (
    Event,
    LedgerAdopted,
    LedgerCreated,
    LedgerRepaired,
    LedgerRestored,
    ModelRecorded,
    ParticipantWithdrawn,
    PlannedRelease,
    ReleaseCreated,
    StudyClosed,
    StudyOpened,
    participant_key,
)
from shared.errors import LedgerError

__all__ = ["History", "StudyRecord", "cost_of_plan"]


def cost_of_plan(releases: tuple[PlannedRelease, ...]) -> float:
    """Mu^2 of a whole plan."""
    return total(cost(release) for release in releases)


@dataclass
class StudyRecord:
    """One study as this clinic saw it.

    Attributes
    ----------
    opening : StudyOpened
    releases : list of ReleaseCreated
        In the order of the plan, from round 1 without gaps.
    closed : bool
    models : list of str
        SHA-256 of each model recorded.
    """

    opening: StudyOpened
    releases: list[ReleaseCreated] = field(default_factory=list)
    closed: bool = False
    models: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._keys = {participant_key(name) for name in self.opening.participants}

    def includes(self, participant: str) -> bool:
        """Whether this participant's row is in the study."""
        return participant_key(participant) in self._keys

    @property
    def to_come(self) -> tuple[PlannedRelease, ...]:
        """Rounds of the plan that can still be created."""
        return () if self.closed else self.opening.releases[len(self.releases) :]

    def costs(self) -> list[float]:
        """Mu^2 of each created release and of each one still reserved."""
        return [*map(cost, self.releases), *map(cost, self.to_come)]

    def release(self, round_number: int) -> ReleaseCreated | None:
        """Return the release of a round, None when it was never created."""
        found = 1 <= round_number <= len(self.releases)
        return self.releases[round_number - 1] if found else None


class History:
    """Everything the events so far say."""

    def __init__(self) -> None:
        self.created: LedgerCreated | None = None
        self.studies: dict[str, StudyRecord] = {}
        self._withdrawn: set[str] = set()

    def is_withdrawn(self, participant: str) -> bool:
        """Whether this participant left for good."""
        return participant_key(participant) in self._withdrawn

    def spent(self, participant: str) -> float:
        """Mu^2 created about this participant in any study, and reserved by open ones."""
        return total(
            value
            for record in self.studies.values()
            if record.includes(participant)
            for value in record.costs()
        )

    def participants(self) -> tuple[str, ...]:
        """Everyone who was ever in a study, each once, by the first spelling, sorted."""
        names: dict[str, str] = {}
        for record in self.studies.values():
            for name in record.opening.participants:
                names.setdefault(participant_key(name), name)
        return tuple(sorted(names.values()))

    def study(self, digest: str) -> StudyRecord:
        """Return a study's record.

        Raises
        ------
        LedgerError
            When the study was never opened here.
        """
        record = self.studies.get(digest)
        if record is None:
            raise LedgerError(
                f"study {digest[:12]}... was never approved at this clinic; approve it first"
            )
        return record

    def check(self, event: Event) -> None:
        """Refuse an event that may not come next.

        Raises
        ------
        LedgerError
            Saying which rule it breaks.
        """
        if (self.created is None) != isinstance(event, LedgerCreated):
            raise LedgerError("a ledger begins with its creation, and has one")
        match event:
            case StudyOpened():
                self._check_opening(event)
            case ReleaseCreated():
                self._check_release(event)
            case StudyClosed():
                self._open_study(event.study)
            case ParticipantWithdrawn():
                self._check_withdrawal(event)
            case ModelRecorded():
                if event.model_digest in self.study(event.study).models:
                    raise LedgerError(f"model {event.model_digest[:12]}... is recorded already")
            case LedgerCreated() | LedgerRepaired() | LedgerRestored() | LedgerAdopted():
                pass
            case _:
                assert_never(event)

    def apply(self, event: Event) -> None:
        """Check an event and take it into account.

        Raises
        ------
        LedgerError
            As :meth:`check`; nothing was changed then.
        """
        self.check(event)
        match event:
            case LedgerCreated():
                self.created = event
            case StudyOpened():
                self.studies[event.study] = StudyRecord(event)
            case ReleaseCreated():
                self.studies[event.study].releases.append(event)
            case StudyClosed():
                self.studies[event.study].closed = True
            case ParticipantWithdrawn():
                self._withdrawn.add(participant_key(event.participant))
                for study in event.studies_closed:
                    self.studies[study].closed = True
            case ModelRecorded():
                self.studies[event.study].models.append(event.model_digest)
            case _:
                pass

    def _open_study(self, digest: str) -> StudyRecord:
        record = self.study(digest)
        if record.closed:
            # Not why: that a child withdrew is nobody's business outside the clinic.
            raise LedgerError(
                f"study {record.opening.title!r} ({digest[:12]}...) is closed at this clinic; "
                "nothing more is released for it"
            )
        return record

    def _check_opening(self, opening: StudyOpened) -> None:
        where = f"study {opening.title!r} ({opening.study[:12]}...)"
        if opening.study in self.studies:
            raise LedgerError(
                f"{where} was approved before; a study is approved once, and a repetition needs a "
                "study file of its own"
            )
        seen: set[str] = set()
        twice = [name for name in opening.participants if _seen(name, seen)]
        if twice:
            raise LedgerError(
                f"{where} holds two rows of one participant, which would double what the noise "
                "has to hide; merge the rows",
                twice,
            )
        both = [row.participant for row in opening.excluded if _seen(row.participant, seen)]
        if both:
            raise LedgerError(
                f"{where} excludes a participant twice or although a row of theirs enters", both
            )
        gone = [name for name in opening.participants if self.is_withdrawn(name)]
        if gone:
            raise LedgerError(
                f"{where} includes a participant who withdrew; make the features without them",
                gone,
            )
        parent = self.studies.get(opening.parent or "")
        if parent is not None and not parent.closed:
            raise LedgerError(
                f"{where} continues study {parent.opening.title!r}, which is still open here; "
                "close that one first, so that its unused rounds return to the budget"
            )
        cost_of_plan(opening.releases)

    def _check_release(self, release: ReleaseCreated) -> None:
        record = self._open_study(release.study)
        plan = record.opening.releases
        if not release.round <= len(plan):
            raise LedgerError(
                f"round {release.round} was refused; the plan approved here has {len(plan)} rounds"
            )
        expected = len(record.releases) + 1
        if release.round < expected:
            raise LedgerError(
                f"round {release.round} was refused; it was created before, and a round is created "
                "once"
            )
        if release.round > expected:
            raise LedgerError(f"round {release.round} was refused; round {expected} comes first")
        planned = plan[release.round - 1]
        if release.kind != planned.kind:
            raise LedgerError(
                f"round {release.round} was refused; {release.kind!r} was asked and the plan has "
                f"{planned.kind!r} there"
            )
        if release.sensitivity != planned.sensitivity:
            raise LedgerError(
                f"round {release.round} was refused; sensitivity {release.sensitivity:g} was asked "
                f"and the plan has {planned.sensitivity:g}"
            )
        if release.sigma < planned.sigma:
            raise LedgerError(
                f"round {release.round} was refused; sigma {release.sigma!r} was asked, which is "
                f"less noise than the {planned.sigma!r} of the plan"
            )

    def _check_withdrawal(self, event: ParticipantWithdrawn) -> None:
        if self.is_withdrawn(event.participant):
            raise LedgerError("this participant withdrew before", [event.participant])
        still_open = {
            digest
            for digest, record in self.studies.items()
            if not record.closed and record.includes(event.participant)
        }
        if set(event.studies_closed) != still_open:
            raise LedgerError(
                "a withdrawal closes exactly the open studies that include the participant",
                [event.participant],
            )


def _seen(name: str, seen: set[str]) -> bool:
    key = participant_key(name)
    if key in seen:
        return True
    seen.add(key)
    return False
