"""Approve a study: check it against this clinic's rules, freeze participants, open the ledger.

After it, everything the clinic will ever answer in this study is fixed: the participants and their
vectors, the plan, the noise. Nothing is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from client.ledger import Book, ExcludedParticipant, PlannedRelease, StudyOpened
from client.ledger.budget import refusal
from client.ledger.history import cost_of_plan
from client.site_folder import FrozenParticipants, SiteFolder
from shared.errors import BudgetError, InputError, PrivacyError
from shared.features import read_features
from shared.files import sync_folder, write_atomic
from shared.privacy.constants import PublicConstants, load_constants
from shared.privacy.constants_check import ConstantsFinding, check_constants
from shared.privacy.grid import GRID
from shared.privacy.masks import fingerprint
from shared.privacy.plan_in_words import plan_in_words
from shared.privacy.planner import Plan
from shared.privacy.unit_vectors import AffectMap
from shared.software import software
from shared.study import Parent, Study, load_study, study_to_toml

__all__ = ["Approval", "open_studies", "prepare_approval"]

_SPENT: Final = "budget spent"
_WITHDRAWN: Final = "withdrawn"


@dataclass(frozen=True)
class Approval:
    """A study that passed this clinic's checks and waits for a person's yes.

    Attributes
    ----------
    folder : SiteFolder
    study : Study
    plan : Plan
    constants : PublicConstants
    frozen : FrozenParticipants
        Those who will take part.
    excluded : dict of str to str
        Local pseudonyms of those who will not, with the reason.
    unusable : tuple of str
        Participants who take part with a zero row, because a feature of theirs is missing.
    finding : ConstantsFinding
        How far this clinic's features lie from the public constants.
    """

    folder: SiteFolder
    study: Study
    plan: Plan
    constants: PublicConstants
    frozen: FrozenParticipants
    excluded: dict[str, str]
    unusable: tuple[str, ...]
    finding: ConstantsFinding

    def in_words(self) -> str:
        """What a person has to know before saying yes."""
        study, own = self.study, self.folder.policy().name
        lines = [
            f"Study      {study.title}",
            f"Hash       {study.digest}",
            "",
            plan_in_words(self.plan),
            "",
            f"At this clinic: {len(self.frozen.participants)} participants take part"
            f"{_listed(', left out', [f'{n} ({why})' for n, why in self.excluded.items()])}"
            f"{_listed(', without usable features', self.unusable)}.",
            self.finding.in_words(),
        ]
        if study.parent is not None:
            lines.append(
                f"It goes on from study {study.parent.study[:12]}... and shares its promise; "
                f"mu^2 {study.parent.spent_mu2:.3f} of that are spent. If this clinic took part "
                "in earlier studies of these children that are not in this line, their cost is "
                "counted against the clinic's own limit only."
            )
        lines += ["", "Clinics and the fingerprints of their mask keys:"]
        lines += [
            f"  {fingerprint(clinic.mask_key) if clinic.mask_key else 'no mask key':24}  "
            f"{clinic.name}{' (this clinic)' if clinic.name == own else ''}"
            for clinic in study.roster
        ]
        lines.append(
            "Confirm them with the other clinics by telephone or on paper: the promise holds while "
            f"at most {study.collusion_margin} of these clinics side with the server, and an "
            "invented clinic sides with it."
        )
        return "\n".join(lines)

    def commit(self) -> None:
        """Write the study's files and open it in the ledger, which reserves its whole plan.

        Raises
        ------
        PrivacyError
            When the ledger has no room, or the study was opened before.
        """
        place = self.folder.study(self.study.digest)
        opening = _opening(self.study, self.plan, self.constants, self.frozen, self.excluded)
        with self.folder.ledger().locked() as book:
            book.check(opening)
            # Files first: a study open in the ledger without them could never be answered.
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(place / "study.toml", study_to_toml(self.study))
            write_atomic(place / "constants.json", self.constants.to_json())
            self.frozen.write(place / "participants.json")
            sync_folder(place.parent)
            book.open_study(opening, self.folder.policy().limit)


def prepare_approval(
    folder: SiteFolder,
    study_file: Path,
    *,
    constants_file: Path | None = None,
    features_file: Path | None = None,
    exclude_spent: bool = False,
) -> Approval:
    """Check a study against this clinic's rules and see who would take part.

    Parameters
    ----------
    folder : SiteFolder
    study_file : Path
        From the coordinator.
    constants_file : Path, optional
        The study's public constants; by default the file ``constants.json`` beside the study, or
        the packaged ones.
    features_file : Path, optional
        By default the site folder's own ``features.parquet``.
    exclude_spent : bool
        Leave out children whose budget cannot bear the study, instead of refusing it.

    Raises
    ------
    InputError
        When a file is missing or does not fit.
    PrivacyError
        When the study breaks a rule of this clinic or a child's budget cannot bear it.
    """
    study = load_study(study_file)
    policy = folder.policy()
    _check_rules(study, policy.name, policy.smallest_collusion_margin, folder.mask_key().public)
    constants = _constants(study_file, constants_file)
    feature_map = AffectMap(constants, study.attribute_groups)
    plan = study.plan(feature_map)

    path = features_file or folder.features
    table = read_features(path)
    if table.asd is None:
        raise InputError(f"{path} has no diagnoses; a study needs a label for every participant")
    if table.clinic is not None and set(table.clinic) - {policy.name}:
        raise InputError(
            f"{path} holds participants of {', '.join(sorted(set(table.clinic)))}; this clinic is "
            f"{policy.name!r}"
        )
    limit, releases = policy.limit, _releases(plan)
    with folder.ledger().locked() as book:
        if study.digest in book.studies:
            raise PrivacyError(
                f"study {study.title!r} ({study.digest[:12]}...) was approved here before; a "
                "repetition needs a study file of its own"
            )
        if study.parent is not None:
            _check_parent(study.parent, book)
        excluded = {n: _WITHDRAWN for n in table.participants if book.is_withdrawn(n)}
        staying = [name for name in table.participants if name not in excluded]
        spent = book.spent_out(staying, releases, limit)
        if spent and not exclude_spent:
            most = max(book.spent(name) for name in spent)
            raise BudgetError(
                f"{refusal(most, cost_of_plan(releases), limit)} (--exclude-spent). It concerns "
                f"{_named(spent)}",
                spent,
            )
        excluded |= dict.fromkeys(spent, _SPENT)
    if len(excluded) == len(table):
        raise InputError(f"nobody of {_named(table.participants)} may take part in this study")
    keep = np.array([name not in excluded for name in table.participants], dtype=bool)
    kept = table.select(keep)
    vectors = feature_map.unit_vectors(kept.values)
    asd = np.asarray(kept.asd, dtype=np.bool_)
    absent: NDArray[np.bool_] = ~np.any(vectors, axis=1)
    return Approval(
        folder=folder,
        study=study,
        plan=plan,
        constants=constants,
        frozen=FrozenParticipants(kept.participants, vectors, asd),
        excluded=excluded,
        unusable=tuple(name for name, gone in zip(kept.participants, absent, strict=True) if gone),
        finding=check_constants(constants, kept.values[~absent]),
    )


def open_studies(folder: SiteFolder) -> list[str]:
    """Hashes of the studies that are open in the clinic's ledger."""
    with folder.ledger().locked() as book:
        return [digest for digest, record in book.studies.items() if not record.closed]


def _check_rules(study: Study, clinic: str, smallest_margin: int, public_key: str) -> None:
    """Refuse a study this clinic would never answer."""
    if study.method != "federated-dp" or study.mode == "none":
        raise PrivacyError(
            f"study {study.title!r} has method {study.method!r} and mode {study.mode!r}, which is "
            "for simulations; a clinic approves federated-dp with noise only"
        )
    if clinic not in study.clinics:
        raise PrivacyError(
            f"clinic {clinic!r} is not in the roster of study {study.title!r} "
            f"({', '.join(study.clinics)}); ask the coordinator"
        )
    if study.mode == "secure-sum":
        if study.collusion_margin < smallest_margin:
            raise PrivacyError(
                f"study {study.title!r} withstands {study.collusion_margin} colluding clinics; "
                f"site.toml asks for {smallest_margin} at least"
            )
        key = dict(zip(study.clinics, study.mask_keys, strict=False)).get(clinic)
        if key != public_key:
            raise PrivacyError(
                f"study {study.title!r} names {'another' if key else 'no'} mask key for this "
                "clinic; send the coordinator the key that `fedaffect-client mask-key` prints"
            )


def _check_parent(parent: Parent, book: Book) -> None:
    """Hold a successor against everything this clinic created of the promise it shares.

    That is every study with the same first ancestor, siblings included: two successors of one
    study must not both spend what it left.
    """
    origin = _origin(parent.study, book)
    created = 0.0
    for digest, record in book.studies.items():
        if _origin(digest, book) != origin:
            continue
        if not record.closed:
            raise PrivacyError(
                f"study {digest[:12]}... is still open here; end it first "
                f"(`fedaffect-client end {digest[:12]}`), so that its unused rounds return to the "
                "budget"
            )
        created += sum((r.sensitivity / r.sigma) ** 2 for r in record.releases)
    if created > parent.spent_mu2 * (1 + 1e-9):
        raise PrivacyError(
            f"this clinic released mu^2 {created:.4f} in the studies that this one continues; the "
            f"study counts {parent.spent_mu2:.4f} only. Ask the coordinator for one that counts "
            "every round that was asked"
        )


def _origin(digest: str, book: Book) -> str:
    """First ancestor of a study, as far as this clinic knows its ancestors."""
    while digest in book.studies and book.studies[digest].opening.parent is not None:
        digest = str(book.studies[digest].opening.parent)
    return digest


def _constants(study_file: Path, given: Path | None) -> PublicConstants:
    beside = study_file.with_name("constants.json")
    if given is None and beside.exists():
        given = beside
    return load_constants(given) if given else load_constants()


def _releases(plan: Plan) -> tuple[PlannedRelease, ...]:
    return tuple(
        PlannedRelease(round=number, kind=kind, sigma=sigma)
        for number, kind, sigma in plan.releases
    )


def _opening(
    study: Study,
    plan: Plan,
    constants: PublicConstants,
    frozen: FrozenParticipants,
    excluded: dict[str, str],
) -> StudyOpened:
    return StudyOpened(
        study=study.digest,
        title=study.title,
        plan_digest=plan.digest,
        constants_digest=constants.digest,
        code_version=software(),
        clinics=len(study.roster),
        collusion_margin=study.collusion_margin,
        roster=study.clinics,
        grid=GRID,
        participants=frozen.participants,
        data_digest=frozen.digest,
        releases=_releases(plan),
        parent=study.parent.study if study.parent else None,
        excluded=tuple(
            ExcludedParticipant(participant=name, reason=why) for name, why in excluded.items()
        ),
    )


def _listed(what: str, names: Sequence[str]) -> str:
    return f"{what}: {_named(names)}" if names else ""


def _named(names: Sequence[str]) -> str:
    return f"{len(names)} ({', '.join(names[:10])}{', ...' if len(names) > 10 else ''})"
