"""Words for names: how mechanisms and constants are called on the page and terminal."""

from typing import Final

from simulations.compare.constants import Quality
from simulations.compare.mechanisms import MECHANISMS, REFERENCES
from simulations.report.wording import number

__all__ = ["QUALITY_LABELS", "interval", "label_of"]

QUALITY_LABELS: Final[dict[Quality, str]] = {
    "right": "Constants of the right population",
    "pilot": "Constants of 20 pilot people",
    "wrong": "Constants of a wrong population",
}

_LABELS: Final = {one.name: one.label for one in (*MECHANISMS, *REFERENCES)}


def label_of(name: str) -> str:
    """What a mechanism or reference is called."""
    return _LABELS[name]


def interval(low: float | None, high: float | None, *, sign: bool = False) -> str:
    """``.71 to .74``; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"{number(low, 3, sign=sign)} to {number(high, 3, sign=sign)}"
