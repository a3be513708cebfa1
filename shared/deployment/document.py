"""Read a small TOML file that a person may have edited, mailed or damaged.

Invitation, registration and the records about them are read by this one function, so that every
fault in them becomes one sentence. A message names fields, never their values: some are secrets.
"""

import datetime
import json
import tomllib
from pathlib import Path
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ValidationError

from shared.errors import InputError

__all__ = ["Moment", "canonical", "read_document", "write_document"]

_LARGEST_FILE: Final = 1 << 16

_Document = TypeVar("_Document", bound=BaseModel)


def _utc_second(moment: datetime.datetime) -> datetime.datetime:
    # One way to write a moment, because documents are signed by what they say.
    return moment.astimezone(datetime.UTC).replace(microsecond=0)


Moment = Annotated[AwareDatetime, AfterValidator(_utc_second)]
"""A time in UTC, to the second."""


def read_document(path: Path, model: type[_Document], what: str, remedy: str) -> _Document:
    """Read ``path`` as a ``model``.

    Parameters
    ----------
    path : Path
        TOML, at most 64 KiB.
    model : type of BaseModel
        What its fields must be.
    what, remedy : str
        Name of such a file, and what a person does when it cannot be used; both end up in errors.

    Raises
    ------
    InputError
        When the file is missing, no TOML, or a field is missing, unknown or out of bounds.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LARGEST_FILE + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise InputError(f"no {what} at {path}; {remedy}") from None
    if len(raw) > _LARGEST_FILE:
        raise InputError(f"{path} is larger than any {what}; {remedy}")
    try:
        return model.model_validate(tomllib.loads(raw.decode("utf-8-sig")))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or what}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        )
        raise InputError(f"{path} is no whole {what} ({problems}); {remedy}") from None
    except ValueError:  # no TOML, or no UTF-8
        # The parser's own words may quote the line, and a line may hold a secret.
        raise InputError(f"{path} is damaged: it is not a TOML file; {remedy}") from None


def write_document(path: Path, document: BaseModel, heading: str) -> None:
    """Write what :func:`read_document` reads, readable by its owner only.

    Parameters
    ----------
    path : Path
    document : BaseModel
        Fields that are None are left out.
    heading : str
        Told to people at the top of the file; lines without their ``#``.
    """
    import tomli_w

    from shared.files import write_atomic

    comments = "".join(f"# {line}\n" for line in heading.splitlines())
    fields = tomli_w.dumps(document.model_dump(exclude_none=True), multiline_strings=True)
    write_atomic(path, comments + fields)


def canonical(document: BaseModel, *, without: str) -> bytes:
    """Bytes of all fields but one, the same however the file is laid out: what is signed."""
    fields = document.model_dump(mode="json", exclude={without})
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
