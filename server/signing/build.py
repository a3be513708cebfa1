"""Build this program's bundle, the same bytes from the same source on every computer.

Flower chooses and packs the files; what could still differ between computers is taken out: line
ends that a version control tool changed, and the mark of the system that wrote the archive.
"""

import io
import zipfile
from pathlib import Path
from typing import Final

import shared
from shared.errors import InputError
from shared.signing.bundle import Bundle, parse_bundle

__all__ = ["build_bundle", "program_source"]

_PROJECT: Final = "pyproject.toml"
_UNIX: Final = 3
"""Of the zip format: the system that wrote an entry."""


def program_source() -> Path:
    """Folder that the running program's source lies in.

    Raises
    ------
    InputError
        When it runs from an installation, which lacks what a bundle is built from.
    """
    folder = Path(shared.__file__).resolve().parents[1]
    if not (folder / _PROJECT).is_file():
        raise InputError(
            "a bundle is built from the program's source, and this program is installed without "
            "it; give the folder of the source (--source)"
        )
    return folder


def build_bundle(source: Path) -> Bundle:
    """Build the bundle of the source in a folder.

    Parameters
    ----------
    source : Path
        Folder with ``pyproject.toml``, which names the files that go in. Files that version
        control ignores and tests never do.

    Returns
    -------
    Bundle

    Raises
    ------
    InputError
        When the folder holds no such source, or Flower's rules for bundles are broken.
    """
    if not (source / _PROJECT).is_file():
        raise InputError(f"{source} holds no {_PROJECT}; give the folder of the program's source")
    from click import ClickException
    from flwr.cli.build import build_fab_from_files
    from flwr.cli.utils import AppPathDepthError

    try:
        packed, _ = build_fab_from_files(_tidy(source))
    except (ValueError, ClickException, AppPathDepthError, RecursionError) as error:
        raise InputError(f"no bundle can be built from {source}: {error}") from None
    return parse_bundle(_same_everywhere(packed), f"the bundle of {source}")


def _tidy(source: Path) -> dict[str, bytes]:
    """Files that may enter, by path; text of this program has plain line ends everywhere."""
    rooms = [source, *(p for p in source.iterdir() if (p / "__init__.py").is_file())]
    paths = [p for p in rooms[0].iterdir() if p.is_file()]
    for room in rooms[1:]:
        paths += [p for p in room.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    return {
        path.relative_to(source).as_posix(): path.read_bytes().replace(b"\r\n", b"\n")
        for path in paths
        if not path.is_symlink() and path.suffix in {"", ".py", ".toml", ".json", ".md"}
    }


def _same_everywhere(packed: bytes) -> bytes:
    """Repack the archive with marks that do not depend on the computer."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(packed)) as archive,
        zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as plain,
    ):
        for member in archive.infolist():
            entry = zipfile.ZipInfo(member.filename, member.date_time)
            entry.create_system = _UNIX
            entry.external_attr = 0o600 << 16
            plain.writestr(entry, archive.read(member))
    return target.getvalue()
