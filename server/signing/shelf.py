"""The bundles a server offers to its nodes, each with its reviewers' signatures.

    <server folder>/bundles/<version>/bundle.fab                the program
    <server folder>/bundles/<version>/code-registration.json    its facts and signatures, which the
                                                                coordinator sends to the clinics

A version stands for one bundle for ever: other bytes need another version.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import InputError
from shared.files import write_atomic
from shared.signing.bundle import Bundle, read_bundle
from shared.signing.offer import CodeOffer, read_offer, write_registration

__all__ = ["Shelf"]

_BUNDLE: Final = "bundle.fab"
_REGISTRATION: Final = "code-registration.json"


@dataclass(frozen=True)
class Shelf:
    """The bundles in a server folder.

    Attributes
    ----------
    server : Path
        The server folder.
    """

    server: Path

    @property
    def folder(self) -> Path:
        """Where the bundles lie."""
        return self.server / "bundles"

    def registration(self, version: str) -> Path:
        """File to send to the clinics for ``fedaffect-client approve-code``."""
        return self.folder / version / _REGISTRATION

    def add(self, offer: CodeOffer) -> Path:
        """Offer a signed bundle to the nodes; signatures of the same bundle are added up.

        Parameters
        ----------
        offer : CodeOffer
            With the bundle itself.

        Returns
        -------
        Path
            The registration to send to the clinics.

        Raises
        ------
        InputError
            When the bundle is missing or nobody signed it, or its version is another bundle's here.
        """
        if offer.bundle is None:
            raise InputError("a registration alone was given; the server needs the bundle (.fab)")
        if not offer.records:
            raise InputError(
                "nobody signed this bundle and no node would run it; a reviewer signs with "
                "`fedaffect-server bundle sign`, and the signature file belongs beside the bundle"
            )
        version, place = offer.facts.version, self.folder / offer.facts.version
        records = {record.signer.key_id: record for record in offer.records}
        if self.registration(version).exists():
            here, _ = self.find(version)
            if here.facts.sha256 != offer.facts.sha256:
                raise InputError(
                    f"version {version} is offered here with SHA-256 {here.facts.sha256[:16]}...; "
                    f"this bundle has {offer.facts.sha256[:16]}... . Raise the version in "
                    "pyproject.toml and build again"
                )
            records = {record.signer.key_id: record for record in here.records} | records
        for folder in (self.folder, place):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(place / _BUNDLE, offer.bundle.content)
        write_registration(self.registration(version), offer.facts, tuple(records.values()))
        return self.registration(version)

    def versions(self) -> list[str]:
        """Versions that are offered, sorted as text."""
        if not self.folder.is_dir():
            return []
        names = (place.name for place in self.folder.iterdir())
        return sorted(name for name in names if self.registration(name).is_file())

    def find(self, version: str) -> tuple[CodeOffer, Bundle]:
        """Registration and bytes of a version, checked against each other again.

        Raises
        ------
        InputError
            When the version is not offered, or its files were changed since.
        """
        if version not in self.versions():
            raise InputError(
                f"version {version!r} asked; {', '.join(self.versions()) or 'none'} offered here. "
                "`fedaffect-server bundle publish` adds one"
            )
        offer = read_offer(self.registration(version))
        bundle = read_bundle(self.folder / version / _BUNDLE)
        if bundle.facts != offer.facts:
            raise InputError(
                f"the bundle of version {version} was changed on this server after it was signed; "
                "publish it again and find out who changed it"
            )
        return offer, bundle
