"""Approve the program that will run beside a clinic's data: who signed it, and does it fit.

    <site>/code/reviewers.yaml            reviewers this clinic knows; fingerprints were compared
    <site>/code/trusted-entities.yaml     those of them who signed the approved bundle: the only
                                          ones whose signature makes a program run at this node
    <site>/code/approvals.jsonl           every approval: what, who, when

The node's start script passes ``trusted-entities.yaml`` to Flower's SuperNode, after
``check_trusted_entities`` accepted it: Flower runs unsigned code when that file is empty. Flower
asks for one signature by a listed key, of whatever age and bundle; that the program is the one that
was approved here, ``require_approved_code`` checks as the program's own first act.
"""

import getpass
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import filelock
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

import shared
from client.ledger.files import Clock, utc_now
from client.policy import load_policy
from shared.errors import InputError, PrivacyError
from shared.files import sha256_of, write_atomic
from shared.signing.bundle import AppId, AppVersion, Sha256
from shared.signing.fitting import misfits
from shared.signing.offer import CodeOffer, read_offer
from shared.signing.reviewer import Reviewer
from shared.signing.trusted_entities import (
    check_trusted_entities,
    read_reviewers,
    write_trusted_entities,
)
from shared.software import software

__all__ = [
    "ApprovedCode",
    "CodeApproval",
    "approved_code",
    "check_trusted_entities",
    "prepare_code_approval",
    "require_approved_code",
    "trust_file",
]

_FOLDER: Final = "code"
_PATIENCE_S: Final = 10.0
_MOST_NAMED: Final = 5
_BUNDLE_FOLDER: Final = re.compile(r".+\.[0-9]+\.[0-9]+\.[0-9]+\.[0-9a-f]{8}")
"""How Flower names the folder of a bundle: publisher, name, version, start of its SHA-256."""


def trust_file(site: Path) -> Path:
    """File for ``flower-supernode --trusted-entities``, once ``check_trusted_entities`` took it."""
    return site / _FOLDER / "trusted-entities.yaml"


class ApprovedCode(BaseModel):
    """One approval, as it stands in the clinic's record.

    Attributes
    ----------
    approved_at : datetime
        UTC.
    approved_by : str
        Name that the person gave.
    account : str
        The computer's account it was done with.
    app, version, sha256 : str
        The bundle.
    signers : tuple of str
        ``<name> (<key identifier>)`` of the known reviewers who signed it.
    software : str
        Program that recorded it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    approved_at: AwareDatetime
    approved_by: Annotated[str, Field(min_length=1, max_length=100)]
    account: str
    app: AppId
    version: AppVersion
    sha256: Sha256
    signers: Annotated[tuple[str, ...], Field(min_length=1)]
    software: str


@dataclass(frozen=True)
class CodeApproval:
    """A bundle that passed all checks and waits for a person's yes.

    Attributes
    ----------
    site : Path
    clinic : str
    offer : CodeOffer
    known : tuple of Reviewer
        Reviewers the clinic knows, the new ones included.
    new : tuple of Reviewer
        Reviewers it did not know so far; their fingerprints have to be compared.
    signers : tuple of Reviewer
        Known reviewers who signed; one at least.
    before : ApprovedCode or None
        What was approved last.
    """

    site: Path
    clinic: str
    offer: CodeOffer
    known: tuple[Reviewer, ...]
    new: tuple[Reviewer, ...]
    signers: tuple[Reviewer, ...]
    before: ApprovedCode | None

    def in_words(self) -> str:
        """What a person has to know before saying yes."""
        facts, new = self.offer.facts, {reviewer.key_id for reviewer in self.new}
        names = {reviewer.key_id: reviewer.name for reviewer in self.signers}
        lines = [
            f"Program    {facts.name} {facts.version} for clinic {self.clinic}",
            f"SHA-256    {facts.sha256}",
            f"Fits       Python {facts.requires_python} and all {len(facts.requires)} packages "
            "it names, as installed here",
            f"Installed  {self._compared()}",
            f"Before     {self._before()}",
            "",
            "Signed by",
        ]
        for record in self.offer.records:
            key = record.signer.key_id
            name = names.get(key, f"somebody this clinic does not know ({key}), not counted")
            mark = ", NEW at this clinic" if key in new else ""
            lines.append(f"  {record.signer.fingerprint}  {record.signed_on}  {name}{mark}")
        gone = [
            reviewer.name for reviewer in self._trusted_before() if reviewer.key_id not in names
        ]
        if gone:
            lines.append(f"Did not sign this bundle and will no longer count: {', '.join(gone)}")
        if new:
            lines.append(
                "Compare the fingerprint of a new reviewer with the reviewer by telephone or on "
                "paper: from now on, what that key signed runs beside this clinic's data."
            )
        return "\n".join(lines)

    def commit(self, by: str, clock: Clock = utc_now) -> ApprovedCode:
        """Record the approval and write the trust file that the node starts with.

        Parameters
        ----------
        by : str
            Name of the person who approves.
        clock : callable
            Time now, with a time zone.

        Raises
        ------
        InputError
            When no name is given, the record is damaged, or another program holds it.
        """
        by = by.strip()
        if not 1 <= len(by) <= 100 or not by.isprintable():
            raise InputError("an approval records who gave it; give your name (--by)")
        facts = self.offer.facts
        approved = ApprovedCode(
            approved_at=clock(),
            approved_by=by,
            account=_account(),
            app=facts.app,
            version=facts.version,
            sha256=facts.sha256,
            signers=tuple(f"{reviewer.name} ({reviewer.key_id})" for reviewer in self.signers),
            software=software(),
        )
        folder = self.site / _FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            with filelock.FileLock(folder / ".lock", timeout=_PATIENCE_S, mode=0o600):
                lines = [*_history(self.site), approved]
                text = "".join(line.model_dump_json() + "\n" for line in lines)
                # Recorded before it counts: nothing may run here that no record explains.
                write_atomic(_record_file(self.site), text)
                write_trusted_entities(_reviewers_file(self.site), self.known)
                write_trusted_entities(trust_file(self.site), self.signers)
        except filelock.Timeout:
            raise InputError(
                f"another program is approving code at {self.site}; try again when it is done"
            ) from None
        return approved

    def _compared(self) -> str:
        if self.offer.bundle is None:
            return "not compared with the bundle, whose registration alone was given"
        program = Path(shared.__file__).parents[1]
        differ = [
            name
            for name, digest in self.offer.bundle.files.items()
            if name.endswith((".py", ".json")) and _digest(program / name) != digest
        ]
        if not differ:
            return "the same files as in the bundle"
        named = ", ".join(sorted(differ)[:_MOST_NAMED])
        more = ", ..." if len(differ) > _MOST_NAMED else ""
        return f"CAUTION, {len(differ)} files differ from the bundle's: {named}{more}"

    def _before(self) -> str:
        if self.before is None:
            return "nothing approved so far"
        before = self.before
        words = (
            f"{before.version}, SHA-256 {before.sha256[:16]}..., approved by {before.approved_by} "
            f"on {before.approved_at.date()}"
        )
        return words + (" (this very bundle)" if before.sha256 == self.offer.facts.sha256 else "")

    def _trusted_before(self) -> tuple[Reviewer, ...]:
        path = trust_file(self.site)
        return check_trusted_entities(path) if path.exists() else ()


def prepare_code_approval(
    site: Path,
    path: Path,
    *,
    reviewers: Sequence[Path] = (),
    signatures: Sequence[Path] = (),
    older: bool = False,
) -> CodeApproval:
    """Check a bundle, its signatures and its needs. Nothing is written.

    Parameters
    ----------
    site : Path
        The clinic's site folder.
    path : Path
        Bundle (``.fab``, signature files beside it) or code registration (``.json``).
    reviewers : sequence of Path
        Entity files (``reviewer.yaml``) of reviewers this clinic does not know yet.
    signatures : sequence of Path
        Signature files that do not lie beside the bundle.
    older : bool
        Accept a version below the approved one.

    Raises
    ------
    InputError
        When the bundle is damaged or unsigned; when a signature is not genuine or about another
        bundle; when no known reviewer signed; when the installed versions do not fit.
    """
    clinic = load_policy(site).name
    offer = read_offer(path, signatures)
    facts = offer.facts
    if not offer.records:
        raise InputError(
            f"{path} is not signed; a node runs reviewed code only. Ask the coordinator for the "
            "reviewers' signature files and put them beside the bundle, or give --signature"
        )
    known = _known(site)
    given = [reviewer for file in reviewers for reviewer in read_reviewers(file)]
    new = {r.key_id: r for r in given if r.key_id not in known}
    known |= new
    signers = tuple(known[s.key_id] for s in offer.signers if s.key_id in known)
    if not signers:
        names = ", ".join(f"{s.name} ({s.fingerprint})" for s in offer.signers)
        raise InputError(
            f"signed by {names} only, whom this clinic does not know "
            f"({len(known)} known). If this reviewer is to be trusted, ask for the file "
            "reviewer.yaml, compare the fingerprint by telephone, and give --reviewer"
        )
    if lacking := misfits(facts):
        raise InputError(
            f"{facts.name} {facts.version} does not fit what is installed here. It needs "
            f"{'; '.join(lacking)}. Install the version that the invitation names, or ask the "
            "coordinator for a bundle of this version"
        )
    before = approved_code(site)
    if before is not None and not older and _numbers(facts.version) < _numbers(before.version):
        raise InputError(
            f"version {facts.version} asked; {before.version} is approved here, and an older "
            "program may have faults that were mended since. Give --older if this is meant"
        )
    return CodeApproval(
        site=site,
        clinic=clinic,
        offer=offer,
        known=tuple(known.values()),
        new=tuple(new.values()),
        signers=signers,
        before=before,
    )


def approved_code(site: Path) -> ApprovedCode | None:
    """Return what this clinic approved last; None when nothing was.

    Raises
    ------
    InputError
        When the record is damaged.
    """
    history = _history(site)
    return history[-1] if history else None


def require_approved_code(site: Path, program: Path | None = None) -> None:
    """Refuse to go on in a bundle other than the one this clinic approved last.

    A reviewer's signature never ends, so a server could send an older bundle that the same reviewer
    signed. Flower unpacks a bundle that it verified into a folder named after it; a program that
    runs from elsewhere, such as a simulation's, is no bundle and passes.

    Parameters
    ----------
    site : Path
        The clinic's site folder.
    program : Path, optional
        Folder of the running program; by default of this one.

    Raises
    ------
    PrivacyError
        When the running bundle is not the approved one.
    """
    folder = program or Path(shared.__file__).resolve().parents[1]
    if folder.parent.name != "apps" or not _BUNDLE_FOLDER.fullmatch(folder.name):
        return
    approved = approved_code(site)
    if approved is None or folder.name != _bundle_folder(approved):
        running = folder.name.rpartition(".")[2]
        raise PrivacyError(
            f"the server sent a bundle with SHA-256 {running}..., and this clinic approved "
            f"{'none' if approved is None else f'{approved.sha256[:8]}... last'}. Approve this one "
            "with `fedaffect-client approve-code`, or ask the coordinator for the approved one"
        )


def _bundle_folder(approved: ApprovedCode) -> str:
    publisher, _, name = approved.app.lstrip("@").partition("/")
    return f"{publisher}.{name}.{approved.version}.{approved.sha256[:8]}"


def _history(site: Path) -> list[ApprovedCode]:
    path = _record_file(site)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError):
        lines = ["damaged"]
    try:
        return [ApprovedCode.model_validate_json(line) for line in lines]
    except ValidationError:
        raise InputError(
            f"{path}, the record of approvals, is damaged; copy it back from a backup"
        ) from None


def _known(site: Path) -> dict[str, Reviewer]:
    path = _reviewers_file(site)
    if not path.exists():
        return {}
    return {reviewer.key_id: reviewer for reviewer in check_trusted_entities(path)}


def _record_file(site: Path) -> Path:
    return site / _FOLDER / "approvals.jsonl"


def _reviewers_file(site: Path) -> Path:
    return site / _FOLDER / "reviewers.yaml"


def _digest(path: Path) -> str:
    """SHA-256 of an installed file; empty when it is not there."""
    return sha256_of(path) if path.is_file() else ""


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a computer without account names
        return "unknown"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
