"""Does a bundle fit what is installed here?

A bundle brings this program's own modules but not the libraries, and the commands that a clinic's
staff type run from the installed program: both have to be those the reviewers meant.
"""

import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from shared.signing.bundle import BundleFacts

__all__ = ["installed_version", "misfits"]


def installed_version(package: str) -> str | None:
    """Version of an installed package; None when it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def misfits(
    facts: BundleFacts,
    installed: Callable[[str], str | None] = installed_version,
    python: str | None = None,
) -> list[str]:
    """Say in words what is installed that the bundle cannot run with.

    Parameters
    ----------
    facts : BundleFacts
    installed : callable
        Version of an installed package, or None.
    python : str, optional
        Python's version; by default the running one's.

    Returns
    -------
    list of str
        Empty when everything fits.
    """
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    python = python or platform.python_version()
    found = []
    own = installed(facts.name)
    if own != facts.version:
        found.append(f"{facts.name} {facts.version}, but {own or 'none'} is installed")
    try:
        if not SpecifierSet(facts.requires_python).contains(python, prereleases=True):
            found.append(f"Python {facts.requires_python}, but this is {python}")
        for line in facts.requires:
            needed = Requirement(line)
            if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
                continue
            here = installed(needed.name)
            if here is None or not needed.specifier.contains(here, prereleases=True):
                wanted = f"{needed.name} {needed.specifier}".rstrip()
                found.append(f"{wanted}, but {here or 'none'} is installed")
    except ValueError as error:  # what packaging raises at a malformed line
        found.append(f"something that cannot be read ({error})")
    return found
