"""What a privacy ledger remembers: one kind of event for each thing that was done.

Events say what happened (which sum, about whom, with how much noise); what it cost is computed from
them whenever it is asked (``budget.py``), so better accounting never needs another ledger.

**Compatibility law.** An event type is never removed and never redefined. A type gains new fields
only with a default that means "as before"; anything else is a new ``version`` or a new type beside
the old one. A program that meets a type, version or field it does not know refuses the whole ledger
and asks to be updated, because skipping a line could hide a release.
``tests/client/ledger/ledgers/`` keeps old ledgers that every later program must read.

Participants appear by the clinic's own pseudonyms. The ledger never leaves the clinic; only its
head, a hash, does.
"""

import math
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from shared.errors import LedgerError

__all__ = [
    "Event",
    "ExcludedParticipant",
    "LedgerAdopted",
    "LedgerCreated",
    "LedgerRepaired",
    "LedgerRestored",
    "ModelRecorded",
    "ParticipantWithdrawn",
    "PlannedRelease",
    "ReleaseCreated",
    "StudyClosed",
    "StudyOpened",
    "UnknownEventError",
    "participant_key",
    "read_event",
]


class UnknownEventError(LedgerError):
    """An event was written by a newer program."""


def participant_key(pseudonym: str) -> str:
    """Return what makes two pseudonyms the same child.

    Upper and lower case, blanks around the name and the way accents are encoded do not: they are
    lost when a spreadsheet or a file system of another kind is in between.
    """
    return unicodedata.normalize("NFC", pseudonym.strip().casefold())


def _finite_and_positive(name: str) -> Callable[[float], float]:
    def check(value: float) -> float:
        if not (math.isfinite(value) and value > 0):
            raise LedgerError(f"{name} {value} asked; it must be a finite number > 0")
        return value

    return check


# AfterValidator lets a LedgerError through as it is; pydantic's own bounds would quote the value
# without saying which quantity of the mechanism it is.
_Sigma = Annotated[float, Field(strict=True), AfterValidator(_finite_and_positive("sigma"))]
_Sensitivity = Annotated[
    float, Field(strict=True), AfterValidator(_finite_and_positive("sensitivity"))
]
_Digest = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
_Text = Annotated[str, Field(min_length=1, max_length=400)]
_Count = Annotated[int, Field(strict=True, ge=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LedgerCreated(_Record):
    """First line of every ledger: whose it is, and what its budgets mean.

    Attributes
    ----------
    ledger : str
        Random id, 32 hexadecimal digits; names the counter outside the site folder.
    clinic : str
    unit, adjacency : str
        The privacy unit and the neighbouring relation every cost in this ledger refers to.
    """

    type: Literal["ledger.created"] = "ledger.created"
    version: Literal[1] = 1
    ledger: Annotated[str, Field(pattern=r"\A[0-9a-f]{32}\z")]
    clinic: _Text
    unit: Literal["participant"] = "participant"
    adjacency: Literal["add or remove one"] = "add or remove one"


class PlannedRelease(_Record):
    """One noised sum a study is going to open.

    Attributes
    ----------
    round : int
        From 1, without gaps.
    kind : str
        Kind of question, such as ``gradient``.
    sigma : float
        Noise standard deviation of the opened sum, over all clinics that do not collude, for
        values scaled so that the study's main release has sensitivity 1.
    sensitivity : float
        How far one participant moves the sum (L2), in the same unit. The release is mu-GDP with
        mu = sensitivity / sigma.
    """

    round: _Count
    kind: _Text
    sigma: _Sigma
    sensitivity: _Sensitivity = 1.0


class ExcludedParticipant(_Record):
    """A participant the clinic holds and left out of a study, and why."""

    participant: _Text
    reason: _Text


class StudyOpened(_Record):
    """A study was approved at this clinic, and its whole plan is reserved.

    Attributes
    ----------
    study : str
        The study's hash.
    title : str
    plan_digest, constants_digest : str
        SHA-256 of the plan and of the public constants.
    code_version : str
        Name and version of the program.
    clinics, collusion_margin : int
        K, and how many of them may side with the server without weakening the promise.
    roster : tuple of str
        The clinics' names.
    grid : int
        Integer steps of one unit of the sums.
    participants : tuple of str
        Pseudonyms of everyone whose row enters, each once.
    data_digest : str
        SHA-256 of the frozen vectors and labels.
    releases : tuple of PlannedRelease
        The whole plan, in order.
    parent : str or None
        The study this one continues.
    excluded : tuple of ExcludedParticipant
    """

    type: Literal["study.opened"] = "study.opened"
    version: Literal[1] = 1
    study: _Digest
    title: _Text
    plan_digest: _Digest
    constants_digest: _Digest
    code_version: _Text
    clinics: _Count
    collusion_margin: Annotated[int, Field(strict=True, ge=0)]
    roster: tuple[_Text, ...]
    grid: _Count
    participants: tuple[_Text, ...]
    data_digest: _Digest
    releases: Annotated[tuple[PlannedRelease, ...], Field(min_length=1)]
    parent: _Digest | None = None
    excluded: tuple[ExcludedParticipant, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.roster) != self.clinics or len(set(self.roster)) != self.clinics:
            raise LedgerError(
                f"{self.clinics} clinics and a roster of {len(set(self.roster))} names were given; "
                "every clinic needs one name of its own"
            )
        if self.collusion_margin >= self.clinics:
            raise LedgerError(
                f"collusion margin {self.collusion_margin} asked of {self.clinics} clinics; it "
                "must be smaller"
            )
        if [release.round for release in self.releases] != list(range(1, len(self.releases) + 1)):
            raise LedgerError("the planned rounds must be 1, 2, 3, ... without gaps")
        return self


class ReleaseCreated(_Record):
    """A contribution was made: from this line on it counts as released, whatever becomes of it.

    Attributes
    ----------
    study, round, kind
        Which release of the plan.
    input_digest : str
        SHA-256 of what the server sent for this round.
    contribution_digest : str
        SHA-256 of the bytes that may be sent, and of no others.
    sensitivity, sigma : float
        As in :class:`PlannedRelease`, of what was done.
    """

    type: Literal["release.created"] = "release.created"
    version: Literal[1] = 1
    study: _Digest
    round: _Count
    kind: _Text
    input_digest: _Digest
    contribution_digest: _Digest
    sensitivity: _Sensitivity = 1.0
    sigma: _Sigma


class StudyClosed(_Record):
    """A study ended at this clinic; rounds never created return to the budget."""

    type: Literal["study.closed"] = "study.closed"
    version: Literal[1] = 1
    study: _Digest
    reason: _Text


class ParticipantWithdrawn(_Record):
    """A participant left for good; the studies named here ended by the same line."""

    type: Literal["participant.withdrawn"] = "participant.withdrawn"
    version: Literal[1] = 1
    participant: _Text
    studies_closed: tuple[_Digest, ...] = ()


class ModelRecorded(_Record):
    """A study's model is known at this clinic."""

    type: Literal["model.recorded"] = "model.recorded"
    version: Literal[1] = 1
    study: _Digest
    model_digest: _Digest


class LedgerRepaired(_Record):
    """An incomplete last line, which no release depended on, was cut off."""

    type: Literal["ledger.repaired"] = "ledger.repaired"
    version: Literal[1] = 1
    cut_bytes: _Count
    cut_digest: _Digest


class LedgerRestored(_Record):
    """A damaged ledger was replaced by an export."""

    type: Literal["ledger.restored"] = "ledger.restored"
    version: Literal[1] = 1
    replaced_digest: _Digest | None = None


class LedgerAdopted(_Record):
    """The ledger moved to a machine without its counter.

    ``confirmed_head`` is the last head the coordinator had received from this clinic, None when it
    had received none.
    """

    type: Literal["ledger.adopted"] = "ledger.adopted"
    version: Literal[1] = 1
    confirmed_head: _Digest | None = None


Event = Annotated[
    LedgerCreated
    | StudyOpened
    | ReleaseCreated
    | StudyClosed
    | ParticipantWithdrawn
    | ModelRecorded
    | LedgerRepaired
    | LedgerRestored
    | LedgerAdopted,
    Field(discriminator="type"),
]

_ADAPTER: Final[TypeAdapter[Event]] = TypeAdapter(Event)
_KNOWN: Final = frozenset(
    (model.model_fields["type"].default, model.model_fields["version"].default)
    for model in get_args(get_args(Event)[0])
)


def read_event(raw: Any) -> Event:
    """Read an event from parsed JSON.

    Raises
    ------
    UnknownEventError
        When its type, version or one of its fields is unknown.
    LedgerError
        When a field is missing or out of bounds. The message quotes no field's content.
    """
    if not isinstance(raw, dict):
        raise LedgerError("it holds no event")
    kind, version = raw.get("type"), raw.get("version")
    if not (isinstance(kind, str) and type(version) is int):
        raise LedgerError("it holds an event without a type and a version")
    if (kind, version) not in _KNOWN:
        raise UnknownEventError(
            f"it holds an event {kind[:40]!r} of version {version}, which this program does not "
            "know"
        )
    try:
        return _ADAPTER.validate_python(raw)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        if any(fault["type"] == "extra_forbidden" for fault in faults):
            raise UnknownEventError(
                f"its event {kind!r} has a field this program does not know"
            ) from None
        field = ".".join(str(part) for part in faults[0]["loc"][1:])
        raise LedgerError(
            f"its event {kind!r} has a wrong field {field!r}: {faults[0]['msg']}"
        ) from None
