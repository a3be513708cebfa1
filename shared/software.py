"""Name and version of the program, as they go into files that outlive a run."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["software"]


def software() -> str:
    """``"fedaffect 0.1.0"``; the version is "unknown" when run from sources not installed."""
    try:
        return f"fedaffect {version('fedaffect')}"
    except PackageNotFoundError:
        return "fedaffect unknown"
