"""The program as one file: a Flower app bundle (FAB), and what it says about itself.

A bundle is a zip archive with a list of its files and their SHA-256 in ``.info/CONTENT``. What is
read here was written by somebody else: every limit is checked before anything is unpacked, and
nothing is written to disk.
"""

import hashlib
import io
import struct
import tomllib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.errors import InputError

__all__ = ["LARGEST_BUNDLE", "Bundle", "BundleFacts", "parse_bundle", "read_bundle"]

LARGEST_BUNDLE: Final = 10 * 1024 * 1024
"""Bytes; Flower takes no larger one."""

_LARGEST_UNPACKED: Final = 10 * LARGEST_BUNDLE
_MOST_FILES: Final = 5000
_PACKINGS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_CONTENT: Final = ".info/CONTENT"
_PROJECT: Final = "pyproject.toml"

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
AppId = Annotated[
    str, StringConstraints(pattern=r"^@[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", max_length=200)
]
AppVersion = Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$", max_length=30)]
_Line = Annotated[str, StringConstraints(max_length=500)]


class BundleFacts(BaseModel):
    """What a bundle is and what it needs; a reviewer signs all of it.

    Attributes
    ----------
    app : str
        Flower's name of the program, ``@publisher/name``.
    version : str
        Three numbers, the only form Flower serves.
    sha256 : str
        Of the bundle's bytes, hexadecimal.
    requires_python : str
        Python versions it runs with, for example ``>=3.11,<3.14``.
    requires : tuple of str
        Packages it runs with, as they stand in its pyproject.toml (PEP 508).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    app: AppId
    version: AppVersion
    sha256: Sha256
    requires_python: _Line
    requires: Annotated[tuple[_Line, ...], Field(max_length=200)]

    @property
    def name(self) -> str:
        """Name of the package, without the publisher."""
        return self.app.partition("/")[2]

    @property
    def file_name(self) -> str:
        """Flower's own name for the bundle's file."""
        publisher, _, name = self.app.lstrip("@").partition("/")
        return f"{publisher}.{name}.{self.version.replace('.', '-')}.{self.sha256[:8]}.fab"


@dataclass(frozen=True)
class Bundle:
    """A whole bundle.

    Attributes
    ----------
    content : bytes
    facts : BundleFacts
    files : dict of str to str
        SHA-256 of each file in it, by path.
    """

    content: bytes
    facts: BundleFacts
    files: dict[str, str]


def read_bundle(path: Path) -> Bundle:
    """Read and check a bundle file.

    Raises
    ------
    InputError
        When it is missing, too large, damaged, or no program of this kind.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BUNDLE + 1)
    except OSError as error:
        raise InputError(f"bundle {path} cannot be read: {error.strerror or error}") from None
    return parse_bundle(content, str(path))


def parse_bundle(content: bytes, where: str) -> Bundle:
    """Check a bundle's bytes; ``where`` names them in errors.

    Raises
    ------
    InputError
        See :func:`read_bundle`.
    """
    if len(content) > LARGEST_BUNDLE:
        raise InputError(f"{where} is larger than {LARGEST_BUNDLE} bytes, which no bundle may be")
    try:
        files, project = _unpacked(content)
        facts = _facts(project, hashlib.sha256(content).hexdigest())
    except _Unusable as error:
        raise InputError(f"{where} is no whole bundle: {error}; get it again") from None
    return Bundle(content, facts, files)


class _Unusable(Exception):
    """Why these bytes are no bundle."""


def _unpacked(content: bytes) -> tuple[dict[str, str], bytes]:
    """SHA-256 of each file as its manifest and its bytes say, and the text of pyproject.toml."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if len(names) > _MOST_FILES or sum(m.file_size for m in members) > _LARGEST_UNPACKED:
                raise _Unusable("it holds more than a program does")
            if len(set(names)) != len(names) or not all(map(_is_plain, names)):
                raise _Unusable("a file in it has two entries or a path that leaves its folder")
            if any(m.compress_type not in _PACKINGS or m.flag_bits & 1 for m in members):
                raise _Unusable("it is packed in a way that bundles are not")
            if _CONTENT not in names or _PROJECT not in names:
                raise _Unusable(f"{_CONTENT} or {_PROJECT} is missing")
            manifest = _manifest(archive.read(_CONTENT))
            found = {
                name: hashlib.sha256(archive.read(name)).hexdigest()
                for name in names
                if name != _CONTENT
            }
            project = archive.read(_PROJECT)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError) as error:
        raise _Unusable("the archive is damaged") from error
    if manifest != found:
        raise _Unusable("its files are not those that its own list names")
    return found, project


def _manifest(text: bytes) -> dict[str, str]:
    try:
        lines = [line.rsplit(",", 2) for line in text.decode("utf-8").split("\n")]
        listed = {path: digest for path, digest, _ in lines}
    except ValueError as error:
        raise _Unusable("its list of files is damaged") from error
    if len(listed) != len(lines):
        raise _Unusable("its list names a file twice")
    return listed


def _is_plain(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        str(path) == name
        and not path.is_absolute()
        and ".." not in path.parts
        and "\\" not in name
        and ":" not in name
        and name.isprintable()
    )


def _facts(project_text: bytes, digest: str) -> BundleFacts:
    try:
        content: dict[str, Any] = tomllib.loads(project_text.decode("utf-8"))
        project, app = content["project"], content["tool"]["flwr"]["app"]
        if not {"serverapp", "clientapp"} <= set(app["components"]):
            raise _Unusable("it has no part for the server or none for the clinic")
        return BundleFacts(
            app=f"@{app['publisher']}/{project['name']}",
            version=project["version"],
            sha256=digest,
            requires_python=project["requires-python"],
            requires=tuple(project["dependencies"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _Unusable(
            "its pyproject.toml lacks publisher, name, a version of three numbers, "
            "requires-python or dependencies"
        ) from error
