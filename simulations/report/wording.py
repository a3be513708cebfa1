"""Names as a reader of a simulation sees them, the same on the page and on the terminal.

How numbers are printed, and what all pages have in common, is in :mod:`shared.report.wording`.
"""

from typing import Final, NamedTuple

from shared.report.wording import (
    combination_label,
    count,
    in_prose,
    join,
    metric_label,
    number,
    power_of_ten,
)
from simulations.results import METRICS, Method, Metric, Provenance, Results

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

METRIC_LABELS: Final[dict[Metric, str]] = {metric: metric_label(metric) for metric in METRICS}

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


class Row(NamedTuple):
    """One line of a table: a method at one ε, over the study or at one site."""

    method: Method
    epsilon: float | None
    site: str | None


def repeats(provenance: Provenance, n: int) -> str:
    """``20 surrogate cohorts``, ``1 cohort``, ``20 seeds``."""
    word: str = provenance.repeat
    if word == "cohort" and provenance.data == "surrogate":
        word = "surrogate cohort"
    return f"{n} {word}{'' if n == 1 else 's'}"


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
