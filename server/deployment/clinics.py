"""What the server knows of each clinic: one file each, ``clinics/<name>.toml``.

An invited clinic's file holds the secret its registration has to prove; once the clinic is
registered the secret is gone, which is what makes an invitation good for one registration.
"""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from server.deployment.server_folder import ServerFolder
from shared.deployment.clinic_name import clinic_name_field
from shared.deployment.document import Moment, read_document, write_document
from shared.deployment.node_key import node_key_field
from shared.errors import InputError

__all__ = ["KnownClinic", "clinic_file", "find_clinic", "known_clinics", "write_clinic"]

_HEADING: Final = (
    "A clinic, as `fedaffect-server invite` and `register` wrote it; not to be edited."
)


class KnownClinic(BaseModel):
    """A clinic that was invited or is registered.

    Attributes
    ----------
    name : str
    state : str
        ``invited`` or ``registered``.
    invitation : str
        Digest of its latest invitation.
    invited, expires : datetime
        When that was issued, and until when it can be answered.
    secret : str or None
        The invitation's secret, hexadecimal; only while invited.
    node_key, mask_key, fingerprint, software : str or None
        Public Flower key (OpenSSH), public mask key (hexadecimal), the fingerprint that was
        compared by telephone, and the clinic's program; only when registered.
    registered : datetime or None
        When it was registered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(clinic_name_field)]
    state: Literal["invited", "registered"]
    invitation: str = Field(pattern=r"^[0-9a-f]{64}$")
    invited: Moment
    expires: Moment
    secret: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", repr=False)
    node_key: Annotated[str, AfterValidator(node_key_field)] | None = None
    mask_key: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    fingerprint: str | None = None
    software: str | None = None
    registered: Moment | None = None

    @model_validator(mode="after")
    def _fits_its_state(self) -> Self:
        answered = (self.node_key, self.mask_key, self.fingerprint, self.software, self.registered)
        if self.state == "invited":
            whole = self.secret is not None and all(field is None for field in answered)
        else:
            whole = self.secret is None and all(field is not None for field in answered)
        if not whole:
            raise ValueError(f"its fields are not those of a clinic that is {self.state}")
        return self


def clinic_file(folder: ServerFolder, name: str) -> Path:
    """Where a clinic's file is, or would be."""
    return folder.clinics / f"{name}.toml"


def known_clinics(folder: ServerFolder) -> tuple[KnownClinic, ...]:
    """All clinics of a server, by name.

    Raises
    ------
    InputError
        When a file is damaged, or is not the file of the clinic it names.
    """
    found = []
    for path in sorted(folder.clinics.glob("[!.]*.toml")):
        remedy = "copy it back from a backup, or move it away and invite the clinic anew"
        clinic = read_document(path, KnownClinic, "clinic's file", remedy)
        # Some file systems give names back in decomposed form.
        if unicodedata.normalize("NFC", path.name) != f"{clinic.name}.toml":
            raise InputError(f"{path} is the file of clinic {clinic.name!r}; give it back its name")
        found.append(clinic)
    return tuple(found)


def find_clinic(clinics: Sequence[KnownClinic], name: str) -> KnownClinic | None:
    """The clinic of this name; names that differ in capitals only count as one."""
    wanted = name.casefold()
    return next((clinic for clinic in clinics if clinic.name.casefold() == wanted), None)


def write_clinic(folder: ServerFolder, clinic: KnownClinic) -> Path:
    """Write a clinic's file and return its path."""
    path = clinic_file(folder, clinic.name)
    write_document(path, clinic, _HEADING)
    return path
