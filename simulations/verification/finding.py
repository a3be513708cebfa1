"""One measured property of a statistic, beside the range it must lie in."""

import math
from dataclasses import dataclass

from shared.evaluation.estimate import finite

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """What was measured, and whether it is as it must be.

    Attributes
    ----------
    name : str
        What was measured, in words of the reader.
    value : float
    low, high : float
        Range the value must lie in, ends included; NaN when it is only measured.
    holds : bool or None
        None when it is only measured.
    case : str
        Where the same is measured under several conditions, which one; tables show one row per
        name and one column per case.
    """

    name: str
    value: float
    low: float
    high: float
    holds: bool | None
    case: str = ""

    @classmethod
    def judged(cls, name: str, value: float, low: float, high: float, case: str = "") -> "Finding":
        """A property that must lie within a range; NaN never does."""
        return cls(name, value, low, high, bool(low <= value <= high), case)

    @classmethod
    def measured(cls, name: str, value: float, case: str = "") -> "Finding":
        """A property that is printed and not judged."""
        return cls(name, value, math.nan, math.nan, None, case)

    def as_json(self) -> dict[str, object]:
        """Fields by name; NaN becomes None."""
        return {
            "name": self.name,
            "value": finite(self.value),
            "low": finite(self.low),
            "high": finite(self.high),
            "holds": self.holds,
            "case": self.case,
        }
