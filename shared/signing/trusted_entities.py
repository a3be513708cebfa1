"""The file that tells a clinic's node whose signature makes a program run there.

It has Flower's form (YAML, ``--trusted-entities``): one line a reviewer, the key's identifier and
the key. Flower runs *unsigned* code when this file is an empty mapping, so nothing may start a node
before :func:`check_trusted_entities` accepted the file.
"""

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from shared.errors import InputError
from shared.files import write_atomic
from shared.signing.reviewer import Reviewer

__all__ = ["check_trusted_entities", "read_reviewers", "write_trusted_entities"]

_Reviewers = tuple[Reviewer, ...]

_LARGEST: Final = 2**16
"""Bytes; some 500 reviewers."""


def write_trusted_entities(path: Path, reviewers: Iterable[Reviewer]) -> None:
    """Write a file that :func:`check_trusted_entities` and Flower's SuperNode read.

    Parameters
    ----------
    path : Path
    reviewers : iterable of Reviewer
        At least one; a repeated key is written once.

    Raises
    ------
    InputError
        When there is none: such a file would make Flower run anything.
    """
    lines = {
        reviewer.key_id: f"{reviewer.key_id}: {json.dumps(reviewer.ssh_line, ensure_ascii=False)}\n"
        for reviewer in reviewers
    }
    if not lines:
        raise InputError("no reviewer given; a trust file names one at least")
    write_atomic(path, "".join(lines[key] for key in sorted(lines)))


def check_trusted_entities(path: Path) -> tuple[Reviewer, ...]:
    """Read a node's trust file, and refuse one that would let the node run unsigned code.

    Parameters
    ----------
    path : Path

    Returns
    -------
    tuple of Reviewer
        One at least, sorted by key identifier.

    Raises
    ------
    InputError
        When the file is missing, empty or unreadable, when other users may change it, or when it
        holds anything but Ed25519 keys under their own identifiers.
    """
    again = "approve the program again with `fedaffect-client approve-code`"
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(
            f"no trusted reviewers: {path} is missing, and a node without it would run any code; "
            f"{again}"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); {again}") from None
    reviewers = read_reviewers(path, again)
    if os.name == "posix" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise InputError(
            f"other users of this computer may change {path}, so it proves nothing; {again}"
        )
    return reviewers


def read_reviewers(path: Path, again: str = "ask the reviewer for the file again") -> _Reviewers:
    """Read reviewers' public keys from a file of Flower's form, as a reviewer sends it.

    Parameters
    ----------
    path : Path
    again : str
        What an error tells the person to do.

    Raises
    ------
    InputError
        As :func:`check_trusted_entities`, but whoever may change the file.
    """
    import yaml  # type: ignore[import-untyped]

    try:
        if not path.is_file():
            raise InputError(f"{path} is missing or not a file; {again}")
        with path.open("rb") as stream:
            text = stream.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise InputError(f"{path} is larger than any file of reviewers' keys; {again}")
        content = yaml.safe_load(text.decode("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); {again}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise InputError(f"{path} holds no reviewers' keys (not YAML); {again}") from None
    if content is None or content == {}:
        raise InputError(
            f"no trusted reviewers: {path} is empty, and a node with it would run any code; {again}"
        )
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no reviewers' keys under their identifiers; {again}")
    reviewers = []
    for key_id, line in content.items():
        if not isinstance(key_id, str) or not isinstance(line, str):
            raise InputError(f"{path} holds something else than reviewers' keys; {again}")
        try:
            reviewer = Reviewer.from_ssh_line(line)
        except InputError as error:
            raise InputError(f"{path}, {key_id}: {error}") from None
        if reviewer.key_id != key_id:
            raise InputError(
                f"{path}: the key under {key_id} is another one ({reviewer.key_id}), so the file "
                f"was edited; {again}"
            )
        reviewers.append(reviewer)
    return tuple(sorted(reviewers, key=lambda reviewer: reviewer.key_id))
