"""Checks one after the other: a rung that fails stops only those that stand on it.

A check is a function that returns what it found, or raises. Whatever it raises becomes a failed
finding, so that a person sees everything that is wrong with a computer in one run.
"""

import json
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from shared.errors import FedaffectError

__all__ = ["Finding", "Found", "Ladder", "Status", "to_json"]

Status = Literal["passed", "warning", "failed", "not run"]

_INSTALL: Final = "install the program again: `make install` in its folder"


@dataclass(frozen=True)
class Found:
    """What a check found.

    Attributes
    ----------
    text : str
        One line for a person.
    status : {"passed", "warning", "failed"}
    advice : str
        What to do next; empty when there is nothing to do.
    numbers : Mapping of str to Any
        The same for a script; JSON values only, a quantity's name ends in its unit.
    value : object
        What later checks go on with, such as an opened detector.
    """

    text: str
    status: Status = "passed"
    advice: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    value: Any = None


@dataclass(frozen=True)
class Finding:
    """Outcome of one rung.

    Attributes
    ----------
    name : str
        For scripts; does not change between versions.
    title : str
        For a person.
    status, text, advice, numbers
        As in ``Found``; "not run" where a rung below failed.
    """

    name: str
    title: str
    status: Status
    text: str
    advice: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)


class Ladder:
    """Runs checks and remembers what they found.

    Parameters
    ----------
    begin : callable, optional
        Called with the title of each check before it runs.
    end : callable, optional
        Called with each finding.
    """

    def __init__(
        self,
        begin: Callable[[str], None] | None = None,
        end: Callable[[Finding], None] | None = None,
    ) -> None:
        self._begin = begin
        self._end = end
        self._values: dict[str, Any] = {}
        self.findings: list[Finding] = []

    def step(
        self, name: str, title: str, check: Callable[[], Found], *, needs: Iterable[str] = ()
    ) -> Finding:
        """Run one check, unless one it needs failed.

        Parameters
        ----------
        name, title : str
        check : callable
        needs : iterable of str
            Names of earlier steps.

        Returns
        -------
        Finding
        """
        missing = [found for found in self.findings if found.name in needs and not _holds(found)]
        if missing:
            first = missing[0].title
            finding = Finding(name, title, "not run", f"needs what failed above: {first}")
        else:
            if self._begin is not None:
                self._begin(title)
            found = _found_by(check)
            self._values[name] = found.value
            finding = Finding(
                name, title, found.status, found.text, found.advice, dict(found.numbers)
            )
        self.findings.append(finding)
        if self._end is not None:
            self._end(finding)
        return finding

    def value(self, name: str) -> Any:
        """What the named step left for later ones; None if it did not run."""
        return self._values.get(name)

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return any(finding.status == "failed" for finding in self.findings)


def to_json(findings: Iterable[Finding]) -> str:
    """The findings for a script."""
    listed = list(findings)
    counts = {
        status: sum(finding.status == status for finding in listed)
        for status in ("passed", "warning", "failed", "not run")
    }
    content = {
        "version": 1,
        "counts": counts,
        "checks": [
            {
                "check": finding.name,
                "title": finding.title,
                "status": finding.status,
                "found": finding.text,
                "advice": finding.advice,
                **({"numbers": dict(finding.numbers)} if finding.numbers else {}),
            }
            for finding in listed
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def _holds(finding: Finding) -> bool:
    return finding.status in ("passed", "warning")


def _found_by(check: Callable[[], Found]) -> Found:
    try:
        return check()
    except FedaffectError as error:
        # Its message says what to do already.
        return Found(str(error), "failed")
    except OSError as error:
        return Found(
            f"the system refused a file operation: {error.strerror or error}",
            "failed",
            "see that the folder exists, is writable, and has room",
        )
    except ImportError as error:
        return Found(f"a library cannot be loaded ({error})", "failed", _INSTALL)
    except Exception as error:
        # Libraries raise what they like; the other checks go on. Where, but not the message: it
        # may hold data, and this line may travel.
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
        return Found(
            f"stopped by an error ({where})",
            "failed",
            f"{_INSTALL}; if that does not help, send this line to the coordinator",
        )
