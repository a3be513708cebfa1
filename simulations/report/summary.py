"""The findings of a run in a few sentences, written from its numbers.

A sentence appears only when its numbers are there, and says what they say: no better or worse word
is fixed in advance.
"""

from typing import NamedTuple

from shared.privacy.accountant import attack_success
from simulations.report.figures import FALSE_ACCUSATIONS, NORMAL_95
from simulations.report.wording import (
    METRIC_LABELS,
    count,
    fullest_combination,
    headline_epsilon,
    in_prose,
    join,
    method_label,
    number,
    power_of_ten,
    repeats,
)
from simulations.results import Method, Metric, Record, Results

__all__ = ["Tile", "sentences", "tiles"]


class Tile(NamedTuple):
    """One method at a glance."""

    label: str
    value: str
    unit: str
    interval: str
    others: list[str]
    method: Method


def tiles(results: Results) -> list[Tile]:
    """The methods worth comparing first, on the fullest inputs, at the headline ε."""
    combination, metric = fullest_combination(results), results.provenance.headline_metric
    epsilon = headline_epsilon(results)
    wanted: list[tuple[Method, float | None]] = [("pooled", None)]
    wanted += [("federated-dp", epsilon), ("local-dp", epsilon)] if epsilon else []
    wanted += [("alone", None), ("always-positive", None)]
    shown = []
    for method, e in wanted:
        record = results.find(method, combination, metric, epsilon=e)
        if record is None or record.mean is None:
            continue
        pair: tuple[Metric, ...] = ("balanced_accuracy", "auc")
        others = [
            f"{METRIC_LABELS[m] if m == 'auc' else METRIC_LABELS[m].lower()} {number(other.mean)}"
            for m in pair
            if m != metric
            and (other := results.find(method, combination, m, epsilon=e)) is not None
        ]
        shown.append(
            Tile(
                label=method_label(method, e, positive=results.provenance.positive_name),
                value=number(record.mean),
                unit=METRIC_LABELS[metric],
                interval=_interval(record),
                others=others,
                method=method,
            )
        )
    return shown


def sentences(results: Results) -> list[str]:
    """Findings on the fullest inputs, in the order a reader asks for them."""
    combination = fullest_combination(results)
    found = [
        _pooled(results, combination),
        _federated(results, combination),
        _price(results, combination),
        _against_local(results, combination),
        _alone(results, combination),
        _trivial(results, combination),
        _one_repeat(results, combination),
        _attack(results),
    ]
    return [sentence for sentence in found if sentence]


def _interval(record: Record) -> str:
    if record.low is None or record.high is None:
        return ""
    return f"{number(record.low)} to {number(record.high)}"


def _name(metric: Metric) -> str:
    return METRIC_LABELS[metric] if metric in ("f1", "auc") else METRIC_LABELS[metric].lower()


def _pooled(results: Results, combination: str) -> str | None:
    metric = results.provenance.headline_metric
    record = results.find("pooled", combination, metric)
    if record is None or record.mean is None:
        return None
    inputs = in_prose(combination)
    parts = (
        f"With all rows in one place and no privacy, logistic regression on {inputs} reaches "
        f"{_name(metric)} {number(record.mean)}"
    )
    if interval := _interval(record):
        over = repeats(results.provenance, record.n)
        parts += f" (95 % interval of the mean {interval}, over {over})"
    published = results.find("poster", combination, metric)
    if published is not None:
        parts += f"; the published value is {number(published.mean)}"
    return parts + "."


def _federated(results: Results, combination: str) -> str | None:
    gaps = []
    for metric in results.metrics:
        ours = results.find("federated", combination, metric)
        pooled = results.find("pooled", combination, metric)
        if ours is None or pooled is None or ours.mean is None or pooled.mean is None:
            continue
        gaps.append((abs(ours.mean - pooled.mean), metric))
    if not gaps:
        return None
    gap, metric = max(gaps)
    if gap < 0.0005:
        return (
            "Federated training without privacy gives the same scores: distributing the "
            "computation costs nothing, so what the private federation loses is the price of "
            "privacy."
        )
    return (
        "Federated training without privacy stays within "
        f"{number(gap, 3)} of pooling in every metric (largest gap: {_name(metric)})."
    )


def _price(results: Results, combination: str) -> str | None:
    epsilon = headline_epsilon(results)
    parts = []
    for metric in dict.fromkeys((results.provenance.headline_metric, "balanced_accuracy", "auc")):
        paired = results.find_difference(
            "federated-dp", combination, metric, against="pooled", epsilon=epsilon
        )
        ours = results.find("federated-dp", combination, metric, epsilon=epsilon)
        pooled = results.find("pooled", combination, metric)
        if ours is None or pooled is None or ours.mean is None or pooled.mean is None:
            continue
        gap = paired.mean if paired is not None else ours.mean - pooled.mean
        if gap is None:
            continue
        text = f"{number(gap, 3, sign=True)} {_name(metric)}"
        if paired is not None and paired.low is not None and paired.high is not None:
            text += f" ({number(paired.low, 3, sign=True)} to {number(paired.high, 3, sign=True)})"
        parts.append(text)
    if not parts or epsilon is None:
        return None
    paired_at_all = "(" in parts[0]
    how = ", paired over the same repeats with 95 % intervals" if paired_at_all else ""
    return (
        f"At ε = {count(epsilon)} ({_delta(results, epsilon)}) the private federation differs "
        f"from pooling all rows by {join(parts)}{how}."
    )


def _delta(results: Results, epsilon: float) -> str:
    deltas = sorted({r.delta for r in results.results if r.epsilon == epsilon and r.delta})
    return "δ = " + ", ".join(power_of_ten(delta) for delta in deltas)


def _against_local(results: Results, combination: str) -> str | None:
    above: list[str] = []
    below: list[str] = []
    values: list[str] = []
    for epsilon in results.epsilons:
        ours = results.find("federated-dp", combination, "auc", epsilon=epsilon)
        local = results.find("local-dp", combination, "auc", epsilon=epsilon)
        if ours is None or local is None or ours.mean is None or local.mean is None:
            continue
        (above if ours.mean > local.mean else below).append(count(epsilon))
        values.append(f"{number(ours.mean)} against {number(local.mean)} at ε = {count(epsilon)}")
    if not values:
        return None
    where = "at every ε" if not below else f"at ε = {join(above)}" if above else "at no ε"
    return (
        "Noise shared by all clinics ranks participants better than noise added in full at each "
        f"clinic and averaged (local DP-SGD + FedAvg) {where}: AUC {join(values)}."
    )


def _alone(results: Results, combination: str) -> str | None:
    alone = results.find("alone", combination, "auc")
    if alone is None or alone.mean is None:
        return None
    better = [
        count(e)
        for e in results.epsilons
        if (r := results.find("federated-dp", combination, "auc", epsilon=e)) is not None
        and r.mean is not None
        and r.mean > alone.mean
    ]
    text = f"A clinic that shares nothing reaches AUC {number(alone.mean)}"
    if not results.epsilons:
        return text + "."
    if better:
        return f"{text}; the private federation is above it at ε = {join(better)}."
    return f"{text}; the private federation is above it at no ε that was run."


def _trivial(results: Results, combination: str) -> str | None:
    trivial = results.find("always-positive", combination, "f1")
    if trivial is None or trivial.mean is None:
        return None
    name = results.provenance.positive_name
    models = [
        record
        for record in results.results
        if record.metric == "f1"
        and record.combination == combination
        and record.site is None
        and record.method not in ("poster", "always-positive")
        and record.mean is not None
    ]
    below = [record for record in models if (record.mean or 0.0) < trivial.mean]
    text = (
        f"Calling every participant {name} scores F1 {number(trivial.mean)} with balanced "
        "accuracy .50, so F1 alone ranks nothing"
    )
    if not below:
        return text + "."
    return (
        f"{text}: {len(below)} of the {len(models)} trained rows in the table of these inputs "
        "score less."
    )


def _one_repeat(results: Results, combination: str) -> str | None:
    metric = results.provenance.headline_metric
    record = results.find("pooled", combination, metric)
    if record is None or record.sd is None or results.provenance.repeat != "cohort":
        return None
    people = results.provenance.participants
    study = f"A single study of {people} children" if people else "A single study of this size"
    swing = NORMAL_95 * record.sd
    text = (
        f"{study} is one draw: in 95 of 100 cohorts its {_name(metric)} lies within "
        f"±{number(swing)} of the mean"
    )
    epsilon = headline_epsilon(results)
    private = results.find("federated-dp", combination, metric, epsilon=epsilon)
    if private is None or private.mean is None or record.mean is None or epsilon is None:
        return text + "."
    gap = abs(record.mean - private.mean)
    more = "wider" if swing > gap else "no wider"
    return f"{text}, {more} than the {number(gap)} that privacy costs at ε = {count(epsilon)}."


def _attack(results: Results) -> str | None:
    epsilon = headline_epsilon(results)
    plan = next((p for p in results.provenance.plans if p.epsilon == epsilon), None)
    if plan is None:
        return None
    return (
        f"What ε = {count(plan.epsilon)} promises: an attacker who knows everything except "
        "whether this participant took part, and who may wrongly accuse 5 of 100 outsiders, "
        f"identifies at most {100 * attack_success(plan.mu, FALSE_ACCUSATIONS):.1f} of 100 real "
        "participants; "
        "guessing identifies 5."
    )
