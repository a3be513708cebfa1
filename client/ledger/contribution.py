"""One contribution for each round of a study, made once, spent once, sent as often as needed.

The order is what the privacy promise rests on: everything that can refuse refuses before a number
is computed; the release is in the ledger, synced and counted before its bytes are returned; and
afterwards the same question gets the same bytes and any other question gets none. Nothing is ever
taken back on the server's word: created is spent.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from client.ledger.events import ReleaseCreated
from client.ledger.files import contribution_path, contributions_folder, disk_refusals
from client.ledger.ledger import Ledger
from shared.errors import LedgerError

__all__ = ["contribute_once", "destroy_contributions"]

_NOT_MADE_YET = "0" * 64


def contribute_once(
    ledger: Ledger,
    folder: Path,
    *,
    study: str,
    round_number: int,
    kind: str,
    sigma: float,
    input_digest: str,
    create: Callable[[], bytes],
    echoed_head: str | None = None,
) -> tuple[bytes, str]:
    """Return this clinic's contribution to one round, making it if it was never made.

    Parameters
    ----------
    ledger : Ledger
    folder : Path
        Site folder, where contributions are kept.
    study : str
        The study's hash.
    round_number : int
        From 1.
    kind : str
        Kind of question; must be the plan's for this round.
    sigma : float
        Noise multiplier of the opened sum; at least the plan's.
    input_digest : str
        SHA-256 of what the server sent. The first one fixes the round.
    create : callable
        Computes the bytes. Called when everything else is settled; when it raises, nothing was
        spent. Called a second time for one round only when the stored bytes are lost, and then
        believed only if it returns them again.
    echoed_head : str, optional
        The head of this ledger that the server remembers.

    Returns
    -------
    contribution : bytes
    head : str
        The ledger's head, for the server to remember.

    Raises
    ------
    LedgerError
        When the round is refused. The message names and counts no participants.
    """
    with ledger.locked() as book:
        if echoed_head is not None:
            book.check_echo(echoed_head)
        record = book.study(study)
        path = contribution_path(folder, study, round_number)
        made = record.release(round_number)
        if made is not None and not record.closed:
            _check_same(made, kind, input_digest)
            stored = _stored(path)
            if stored is None or _digest(stored) != made.contribution_digest:
                stored = _made_again(create(), made)
                _store(ledger, path, stored)
            return stored, book.head

        plan = record.opening.releases
        in_plan = 1 <= round_number <= len(plan)
        release = _release(
            study=study,
            round=round_number,
            kind=kind,
            input_digest=input_digest,
            contribution_digest=_NOT_MADE_YET,
            sensitivity=plan[round_number - 1].sensitivity if in_plan else 1.0,
            sigma=sigma,
        )
        book.check(release)
        contribution = create()
        book.create_release(
            release.model_copy(update={"contribution_digest": _digest(contribution)})
        )
        _store(ledger, path, contribution)
        return contribution, book.head


def destroy_contributions(folder: Path, study: str) -> int:
    """Delete a study's stored contributions; return how many there were.

    To be called when the study is closed, so that none can be made again. What was sent was sent.

    Raises
    ------
    LedgerError
        When the system refuses.
    """
    found = sorted(contributions_folder(folder, study).glob("*round-*"))
    with disk_refusals("a stored contribution could not be deleted"):
        for path in found:
            path.unlink(missing_ok=True)
    return len(found)


def _release(**fields: object) -> ReleaseCreated:
    try:
        return ReleaseCreated.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise LedgerError(
            f"a release was refused: its {'.'.join(map(str, first['loc']))} is malformed "
            f"({first['msg']}). Is the server another version?"
        ) from None


def _check_same(made: ReleaseCreated, kind: str, input_digest: str) -> None:
    if made.input_digest != input_digest or made.kind != kind:
        raise LedgerError(
            f"round {made.round} was refused; this clinic answered it before, for another input, "
            "and a round has one input. Ask the coordinator to repeat the round with the input it "
            "began with, or to end the study"
        )


def _made_again(contribution: bytes, made: ReleaseCreated) -> bytes:
    if _digest(contribution) != made.contribution_digest:
        raise LedgerError(
            f"round {made.round} was refused for ever; its stored contribution is lost and could "
            "not be reproduced byte for byte, and a different one would be a second release. End "
            "the study; a successor can go on from the last model"
        )
    return contribution


def _stored(path: Path) -> bytes | None:
    with disk_refusals("a stored contribution could not be read"):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def _store(ledger: Ledger, path: Path, contribution: bytes) -> None:
    with disk_refusals("the contribution is in the privacy ledger and could not be stored"):
        ledger.files.disk.replace(path, contribution)


def _digest(contribution: bytes) -> str:
    return hashlib.sha256(contribution).hexdigest()
