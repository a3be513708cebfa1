"""Values that every section is made of, and what all sections have in common."""

import math
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = [
    "HIDDEN",
    "SMALL",
    "Count",
    "Curve",
    "Estimate",
    "Fact",
    "Matrix",
    "Metrics",
    "Model",
    "Number",
    "Probability",
    "Section",
    "Status",
    "check_same_length",
]

SMALL: Final = "<10"
HIDDEN: Final = "suppressed"

Status = Literal["released", "local", "not_released"]

Count = int | float | Literal["<10", "suppressed"] | None
"""People in a cell. A float is a noised count, which may be off, and negative, by its noise."""


def _finite(value: Any) -> Any:
    """Undefined numbers are null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    """Arrays as lists with null for what is undefined."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return _finite(value)


Number = Annotated[float | None, BeforeValidator(_finite)]
Probability = Annotated[
    Annotated[float, Field(ge=0, le=1)] | None,
    BeforeValidator(_finite),
]
Curve = Annotated[tuple[float | None, ...], BeforeValidator(_plain)]
Matrix = Annotated[tuple[tuple[float | None, ...], ...], BeforeValidator(_plain)]


class Model(BaseModel):
    """Base of all: frozen, strict about fields, without NaN; takes results with ``as_json()``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _from_result(cls, value: Any) -> Any:
        return value.as_json() if hasattr(value, "as_json") else value


class Estimate(Model):
    """A number with its 95 % interval.

    Attributes
    ----------
    value : float or None
        None where it is undefined.
    low, high : float or None
        Both None where no interval exists; one None where the interval is open on that side.
    method : str
        How the interval was made, such as ``"Wilson"``.
    """

    value: Number
    low: Number = None
    high: Number = None
    method: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("the lower end of an interval lies above its upper end")
        return self


Metrics = dict[str, Estimate]
"""By the metric's key: sensitivity, specificity, balanced_accuracy, accuracy, f1, auc, brier,
ppv, npv, calibration_in_the_large, calibration_slope, net_benefit; others show under their key."""


class Fact(Model):
    """A named line of text. Numbers in it are already in print form."""

    name: str = Field(min_length=1)
    value: str


class Section(Model):
    """What all sections have in common.

    Attributes
    ----------
    status : str
    cost_mu : float or None
        Gaussian-DP μ that releasing the section would take; only where ``not_released``.
    note : str
        Required where ``not_released``: why, and what to do to have it. Elsewhere what a reader
        must know before the numbers, such as how noise entered an interval.
    """

    required: ClassVar[tuple[str, ...]] = ()
    """Content fields that a section that is not withheld must fill."""

    status: Status
    cost_mu: float | None = Field(default=None, gt=0)
    note: str = ""

    @model_validator(mode="after")
    def _status_and_content_agree(self) -> Self:
        filled = {
            name
            for name, field in type(self).model_fields.items()
            if name not in Section.model_fields
            and getattr(self, name) != field.get_default(call_default_factory=True)
        }
        if self.status == "not_released":
            if filled:
                raise ValueError(f"not released, yet it carries {', '.join(sorted(filled))}")
            if not self.note:
                raise ValueError("not released: `note` has to say why")
        else:
            if missing := [name for name in self.required if name not in filled]:
                raise ValueError(f"{self.status}, but {', '.join(missing)} is empty")
            if self.cost_mu is not None:
                raise ValueError("cost_mu is what a withheld section would cost; this one is here")
        return self


def check_same_length(**curves: tuple[Any, ...]) -> None:
    """Refuse curves of different lengths; empty ones are left out."""
    lengths = {name: len(curve) for name, curve in curves.items() if curve}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"curves of different lengths: {lengths}")
