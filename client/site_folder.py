"""The clinic's site folder: where everything lies that never leaves the clinic.

    site.toml                 name, privacy limits and limits of quality, edited by people
    participants.csv          who was imported: diagnosis, consent, finished, recording
    recordings.toml           where the recordings lie; they are never moved or copied
    attributes/               what was read from them, one file per participant
    features.parquet          one row of temporal features per participant, with labels
    report/                   the clinic's report about its own participants, exact
    looks/                    pictures and clips that `show` was asked for, the only ones there are
    secrets/mask.key          this clinic's private mask key
    secrets/noise.key         the secret its noise is drawn with
    ledger.jsonl              the privacy ledger
    studies/<study hash>/     an approved study: study.toml, constants.json, frozen participants,
                              and the contributions that were made

Folders can be entered and files read by their owner only.
"""

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from client.ledger import Ledger, Limit, create_ledger, open_ledger
from client.policy import Policy, load_policy
from shared.errors import InputError, PrivacyError
from shared.files import write_atomic
from shared.privacy.keyed_noise import new_noise_secret
from shared.privacy.masks import MaskKey

__all__ = ["FrozenParticipants", "SiteFolder", "create_site_folder"]

_SITE_TOML: Final = """\
# This clinic, and the most privacy loss it allows for any one child over all studies together.
[site]
name = {name}

[privacy]
epsilon = {epsilon}
delta = {delta}
# Studies that withstand fewer colluding clinics than this are refused.
smallest_collusion_margin = 1

# When `fedaffect-client quality` calls a recording doubtful or unusable: take "# " away to change
# a limit. The manual of the program lists all of them.
# [quality]
# shortest_s = 300.0
# doubtful_face_share = 0.8
"""


@dataclass(frozen=True)
class FrozenParticipants:
    """Participants as they were when the clinic approved a study; they never change after.

    Attributes
    ----------
    participants : tuple of str
        Local pseudonyms, shape (n,).
    vectors : ndarray of int64, shape (n, k)
        Quantised unit vectors; a zero row takes part in no release.
    asd : ndarray of bool, shape (n,)
    """

    participants: tuple[str, ...]
    vectors: NDArray[np.int64]
    asd: NDArray[np.bool_]

    @property
    def digest(self) -> str:
        """SHA-256 over names, vectors and labels."""
        hashed = hashlib.sha256(json.dumps(self.participants).encode())
        hashed.update(np.ascontiguousarray(self.vectors, dtype="<i8").tobytes())
        hashed.update(np.ascontiguousarray(self.asd, dtype=np.uint8).tobytes())
        return hashed.hexdigest()

    def write(self, path: Path) -> None:
        """Write them to one file."""
        content = {
            "participants": list(self.participants),
            "asd": self.asd.tolist(),
            "dimension": self.vectors.shape[1],
            "vectors": self.vectors.tolist(),
        }
        write_atomic(path, json.dumps(content) + "\n")

    @classmethod
    def read(cls, path: Path) -> "FrozenParticipants":
        """Read what :meth:`write` wrote.

        Raises
        ------
        InputError
            When the file is missing or not whole.
        """
        try:
            content = json.loads(path.read_bytes())
            return cls(
                tuple(content["participants"]),
                np.array(content["vectors"], dtype=np.int64).reshape(-1, content["dimension"]),
                np.array(content["asd"], dtype=np.bool_),
            )
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(
                f"{path} is missing or damaged; copy it back from a backup. Without it this "
                "clinic can answer no further round of the study"
            ) from None


@dataclass(frozen=True)
class SiteFolder:
    """Paths and contents of one site folder.

    Attributes
    ----------
    root : Path
    """

    root: Path

    def policy(self) -> Policy:
        """Name and limits from site.toml."""
        return load_policy(self.root)

    def ledger(self) -> Ledger:
        """Return the clinic's privacy ledger."""
        return open_ledger(self.root)

    def mask_key(self) -> MaskKey:
        """Return the clinic's private mask key."""
        return MaskKey.from_bytes(self._secret("mask.key"))

    def noise_secret(self) -> bytes:
        """Return the secret the clinic's noise is drawn with."""
        return self._secret("noise.key")

    @property
    def participants(self) -> Path:
        """The clinic's table of participants."""
        return self.root / "participants.csv"

    @property
    def recordings(self) -> Path:
        """The file that says where the recordings are."""
        return self.root / "recordings.toml"

    @property
    def attributes(self) -> Path:
        """Folder of the attribute files."""
        return self.root / "attributes"

    @property
    def features(self) -> Path:
        """The clinic's feature table."""
        return self.root / "features.parquet"

    @property
    def report(self) -> Path:
        """Folder of the report about the clinic's own participants."""
        return self.root / "report"

    @property
    def looks(self) -> Path:
        """Folder of the pictures and clips that `show` was asked for."""
        return self.root / "looks"

    def study(self, digest: str) -> Path:
        """Folder of one approved study."""
        return self.root / "studies" / digest

    def _secret(self, name: str) -> bytes:
        path = self.root / "secrets" / name
        try:
            raw = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except FileNotFoundError:
            raise InputError(
                f"{path} is missing; copy it back from a backup. A new one would be a new clinic: "
                "running studies name the old key"
            ) from None
        except (ValueError, UnicodeDecodeError):
            raise InputError(f"{path} is damaged; copy it back from a backup") from None
        if len(raw) != 32:
            raise InputError(f"{path} is damaged; copy it back from a backup")
        return raw


def create_site_folder(
    root: Path, name: str, *, epsilon: float = 8.0, delta: float = 1e-5
) -> SiteFolder:
    """Make an empty site folder with fresh keys and an empty ledger.

    Parameters
    ----------
    root : Path
        Must be missing or empty.
    name : str
        The clinic's name, as it will stand in rosters.
    epsilon, delta : float
        The most any one child may lose over all studies.

    Raises
    ------
    InputError
        When the folder is not empty, the name is not usable, or the limits promise nothing.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root} is not an empty folder; give another for the new site")
    if not 1 <= len(name.strip()) <= 100:
        raise InputError(f"clinic name {name!r} asked; give 1 to 100 characters")
    try:
        Limit(epsilon, delta)
    except PrivacyError as error:
        raise InputError(f"these limits promise nothing: {error}") from None
    for place in (root, root / "secrets", root / "studies"):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):
            place.chmod(0o700)  # mkdir leaves an empty folder that was there as it is
    write_atomic(root / "secrets" / "mask.key", MaskKey.generate().to_bytes().hex() + "\n")
    write_atomic(root / "secrets" / "noise.key", new_noise_secret().hex() + "\n")
    write_atomic(
        root / "site.toml",
        _SITE_TOML.format(
            name=json.dumps(name.strip(), ensure_ascii=False), epsilon=float(epsilon), delta=delta
        ),
    )
    folder = SiteFolder(root)
    create_ledger(root, folder.policy().name)
    return folder
