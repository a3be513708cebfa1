"""Effect sizes of the surrogate cohort, read from the stored calibration."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Final

from shared.channels import ATTRIBUTE_GROUPS
from shared.errors import InputError
from simulations.cohort.population import Effects

__all__ = ["calibration_path", "stored_effects"]

CALIBRATION_FILE: Final = "calibration.json"


def calibration_path() -> Path:
    """Where the generator's calibration lies."""
    return Path(__file__).with_name(CALIBRATION_FILE)


def stored_effects() -> Effects:
    """Return e_G per attribute group, as the calibration command stored them.

    Raises
    ------
    InputError
        The file is missing or does not hold one positive number a group.
    """
    return dict(_read(calibration_path()))


@lru_cache(maxsize=1)
def _read(path: Path) -> tuple[tuple[str, float], ...]:
    try:
        effects = json.loads(path.read_text(encoding="utf-8"))["effects"]
        sizes = tuple((name, float(effects[name])) for name in ATTRIBUTE_GROUPS)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not a calibration of the surrogate cohort ({type(error).__name__}); "
            "make it with fedaffect-sim calibrate."
        ) from error
    if not all(0 < size < float("inf") for _, size in sizes):
        raise InputError(f"{path} holds an effect that is not positive; run the calibration again.")
    return sizes
