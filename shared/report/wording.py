"""Names and numbers as a reader sees them, the same on every page and on the terminal.

All print forms of a number stand here, so a test can list every form in which a number of the
document may appear on the page.
"""

import math
from collections.abc import Sequence
from typing import Final

from shared.channels import channel_title
from shared.report.document import HIDDEN, SMALL, SMALL_CELL, Count, Estimate, Subgroup

__all__ = [
    "FEATURE_LABELS",
    "METRIC_LABELS",
    "MINUS",
    "channel_label",
    "combination_label",
    "count",
    "feature_label",
    "in_prose",
    "interval",
    "join",
    "metric_in_prose",
    "metric_label",
    "number",
    "p_value",
    "people",
    "percent",
    "power_of_ten",
    "subgroup_label",
    "value_with_interval",
]

METRIC_LABELS: Final[dict[str, str]] = {
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "f1": "F1",
    "auc": "AUC",
    "ppv": "PPV",
    "npv": "NPV",
    "brier": "Brier score",
    "calibration_in_the_large": "Calibration in the large",
    "calibration_slope": "Calibration slope",
    "net_benefit": "Net benefit",
}

FEATURE_LABELS: Final[dict[str, str]] = {
    "q25": "25th percentile",
    "q90": "90th percentile",
    "sd": "standard deviation",
    "mad": "median absolute deviation",
    "iqr": "interquartile range",
    "autocorrelation_1s": "autocorrelation over 1 s",
}
"""Of statistics whose names are abbreviations; the others read as they are."""

_ABBREVIATIONS: Final = ("AU", "F1", "PPV", "NPV", "Brier")
MINUS: Final = "−"
NONE: Final = "–"
_SMALLEST_P: Final = 0.001


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A rate without its leading zero, as the field prints it: ``.72``; ``–`` where undefined.

    >>> number(0.7249), number(-0.03), number(1.0), number(None)
    ('.72', '−.03', '1.00', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{abs(value):.{digits}f}"
    text = text[1:] if text.startswith("0.") else text
    if float(f"{value:.{digits}f}") < 0:
        return MINUS + text
    return "+" + text if sign else text


def interval(estimate: Estimate, digits: int = 2, *, sign: bool = False) -> str:
    """Both ends, ``.62 to .86``; empty without an interval, ``≥ .62`` where one end is open."""
    low = number(estimate.low, digits, sign=sign)
    high = number(estimate.high, digits, sign=sign)
    if estimate.low is None:
        return "" if estimate.high is None else f"≤ {high}"
    return f"≥ {low}" if estimate.high is None else f"{low} to {high}"


def value_with_interval(estimate: Estimate | None, digits: int = 2, *, sign: bool = False) -> str:
    """``.76 (.62 to .86)``."""
    if estimate is None:
        return NONE
    text = number(estimate.value, digits, sign=sign)
    ends = interval(estimate, digits, sign=sign)
    return f"{text} ({ends})" if ends else text


def percent(value: float | None) -> str:
    """A share in whole per cent where that is exact enough: ``30 %``, ``0.4 %``."""
    if value is None:
        return NONE
    return f"{100 * value:.2g} %" if value < 0.1 else f"{100 * value:.0f} %"


def p_value(value: float | None) -> str:
    """``.012``; ``< .001`` below that."""
    if value is None:
        return NONE
    return "< .001" if value < _SMALLEST_P else number(value, 3)


def people(value: Count) -> str:
    """A count of people: ``88``, ``< 10``, ``hidden``; a noised count is rounded."""
    if value is None:
        return NONE
    if value == SMALL:
        return f"< {SMALL_CELL}"
    if value == HIDDEN:
        return "hidden"
    assert isinstance(value, (int, float))
    return f"{round(value):,}".replace(",", "\N{NO-BREAK SPACE}").replace("-", MINUS)


def count(value: float) -> str:
    """A plain quantity such as ε: ``4``, ``0.5``."""
    return f"{value:g}"


def power_of_ten(value: float) -> str:
    """A small probability such as δ in one glance: ``10⁻⁵``, ``2·10⁻³``."""
    exponent = math.floor(math.log10(value) + 1e-9)
    lead = value / 10**exponent
    power = "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if math.isclose(lead, 1, rel_tol=1e-6) else f"{lead:.3g}·{power}"


def subgroup_label(group: Subgroup) -> str:
    """``"Sex: girls"``."""
    return f"{group.attribute[:1].upper()}{group.attribute[1:]}: {group.level}"


def join(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def metric_label(metric: str) -> str:
    """Name of a metric's key; an unknown key as words."""
    return METRIC_LABELS.get(metric, metric.replace("_", " ").capitalize())


def metric_in_prose(metric: str) -> str:
    """The name inside a sentence: ``"balanced accuracy"``, ``"AUC"``."""
    label = metric_label(metric)
    return label if label.startswith(_ABBREVIATIONS) else label[0].lower() + label[1:]


def combination_label(combination: str) -> str:
    """``"au+arousal"`` as ``"AU + arousal"``; the name of a table's features capitalised."""
    parts = ["AU" if part == "au" else part for part in combination.split("+")]
    text = "all features" if parts == ["features"] else " + ".join(parts)
    return text[0].upper() + text[1:]


def in_prose(combination: str) -> str:
    """The label of a combination inside a sentence: ``"AU + arousal"``, ``"all features"``."""
    label = combination_label(combination)
    return label if label.startswith("AU") else label[0].lower() + label[1:]


def channel_label(channel: str) -> str:
    """Name of a channel, such as ``"AU 12 lip corner pulled"``; other columns keep their own."""
    if channel.startswith("expression_"):
        return channel.removeprefix("expression_").replace("_", " ").capitalize()
    title = channel_title(channel)
    return title if title.startswith("AU ") else channel.replace("_", " ").capitalize()


def feature_label(feature: str) -> str:
    """A statistic's name as words: ``"q25"`` as ``"25th percentile"``."""
    return FEATURE_LABELS.get(feature, feature.replace("_", " "))
