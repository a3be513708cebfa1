"""Names and numbers as a reader sees them, the same on the page and on the terminal."""

import math
from typing import Final, NamedTuple

from simulations.results import Method, Metric, Provenance, Results

__all__ = [
    "METHOD_DEFINITIONS",
    "METRIC_DEFINITIONS",
    "METRIC_LABELS",
    "Row",
    "combination_label",
    "count",
    "fullest_combination",
    "headline_epsilon",
    "in_prose",
    "join",
    "method_label",
    "number",
    "power_of_ten",
    "repeats",
    "rows_of",
]

METRIC_LABELS: Final[dict[Metric, str]] = {
    "f1": "F1",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "balanced_accuracy": "Balanced accuracy",
    "auc": "AUC",
    "accuracy": "Accuracy",
}

METRIC_DEFINITIONS: Final[dict[Metric, str]] = {
    "f1": "2·TP / (2·TP + FP + FN): harmonic mean of precision and sensitivity. It rewards calling "
    "everyone positive when positives are common, so it is read next to balanced accuracy.",
    "sensitivity": "TP / (TP + FN): share found among participants of class {positive}.",
    "specificity": "TN / (TN + FP): share cleared among participants of class {negative}.",
    "balanced_accuracy": "Mean of sensitivity and specificity; ½ for any rule that ignores the "
    "input.",
    "auc": "Area under the ROC curve: the chance that a random participant of class {positive} "
    "scores higher than one of class {negative}. It needs no threshold; ½ is guessing. "
    "Computed within each test fold, then averaged.",
    "accuracy": "Share of all participants classified correctly.",
}

METHOD_DEFINITIONS: Final[dict[Method, str]] = {
    "poster": "Values printed in Table 1 of Li et al., ICIP 2019; it reports neither AUC nor "
    "intervals.",
    "always-positive": "Every participant is called {positive}; computed from the class counts.",
    "pooled": "All rows in one place, logistic regression, no privacy.",
    "alone": "Each clinic trains on its own rows and shares nothing; the first line is the mean "
    "over clinics weighted by their size. No differential privacy.",
    "federated": "The same regression trained over the clinics, which send exact sums.",
    "federated-dp": "Clipped gradient sums with noise shared by all clinics: every clinic adds "
    "a share, and only the noisy total is opened.",
    "local-dp": "Every clinic runs DP-SGD with full noise of its own, and the models are averaged.",
}

MINUS: Final = "−"


class Row(NamedTuple):
    """One line of a table: a method at one ε, over the study or at one site."""

    method: Method
    epsilon: float | None
    site: str | None


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A rate without its leading zero, as the field prints it: ``.72``; ``–`` where undefined.

    >>> number(0.7249), number(-0.03), number(1.0), number(None)
    ('.72', '−.03', '1.00', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{abs(value):.{digits}f}"
    text = text[1:] if text.startswith("0.") else text
    if float(f"{value:.{digits}f}") < 0:
        return MINUS + text
    return "+" + text if sign else text


def count(value: float) -> str:
    """A plain quantity such as ε: ``4``, ``0.5``."""
    return f"{value:g}"


def power_of_ten(value: float) -> str:
    """A small probability such as δ in one glance: ``10⁻⁵``, ``2·10⁻³``."""
    exponent = math.floor(math.log10(value) + 1e-9)
    lead = value / 10**exponent
    power = "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if math.isclose(lead, 1, rel_tol=1e-6) else f"{lead:.3g}·{power}"


def join(parts: list[str]) -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def repeats(provenance: Provenance, n: int) -> str:
    """``20 surrogate cohorts``, ``1 cohort``, ``20 seeds``."""
    word: str = provenance.repeat
    if word == "cohort" and provenance.data == "surrogate":
        word = "surrogate cohort"
    return f"{n} {word}{'' if n == 1 else 's'}"


def combination_label(combination: str) -> str:
    """``"au+arousal"`` as ``"AU + arousal"``; the name of a table's features capitalised."""
    parts = ["AU" if part == "au" else part for part in combination.split("+")]
    text = "all features" if parts == ["features"] else " + ".join(parts)
    return text[0].upper() + text[1:]


def in_prose(combination: str) -> str:
    """The label of a combination inside a sentence: ``"AU + arousal"``, ``"all features"``."""
    label = combination_label(combination)
    return label if label.startswith("AU") else label[0].lower() + label[1:]


def method_label(
    method: Method, epsilon: float | None = None, *, positive: str = "ASD", site: str = "clinic"
) -> str:
    """What a method is called; with its ε where it has one."""
    label = {
        "poster": "Published, Table 1",
        "always-positive": f"Always {positive}",
        "pooled": "Pooled, no privacy",
        "alone": f"One {site} alone",
        "federated": "Federated, no privacy",
        "federated-dp": "Federated DP",
        "local-dp": "Local DP-SGD + FedAvg",
    }[method]
    return label if epsilon is None else f"{label}, ε = {count(epsilon)}"


def rows_of(results: Results, combination: str, *, sites: bool = True) -> list[Row]:
    """Lines of the table of one combination, in reading order.

    Published and trivial rows first, then the methods without privacy, then each private method
    from the largest ε to the smallest. Rows of single sites follow the row of the whole study.
    """
    order: tuple[Method, ...] = (
        "poster",
        "always-positive",
        "pooled",
        "alone",
        "federated",
        "federated-dp",
        "local-dp",
    )
    present = {
        Row(r.method, r.epsilon, r.site) for r in results.results if r.combination == combination
    }
    site_rank = {site: rank for rank, site in enumerate(results.sites())}
    return sorted(
        (row for row in present if sites or row.site is None),
        key=lambda row: (
            order.index(row.method),
            -(row.epsilon or 0),
            -1 if row.site is None else site_rank[row.site],
        ),
    )


def fullest_combination(results: Results) -> str:
    """The combination with the most groups, the one the page speaks about first."""
    return max(results.combinations, key=lambda name: name.count("+"))


def headline_epsilon(results: Results) -> float | None:
    """The ε that the summary quotes: 4 where it was run, else the largest below, else the least."""
    private = {r.epsilon for r in results.results if r.method == "federated-dp" and r.epsilon}
    if not private:
        return None
    return max((e for e in private if e <= 4), default=min(private))
