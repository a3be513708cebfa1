"""From cohorts to the file, the page, the terminal and the losses a plan quotes."""

import json
import re

import numpy as np
import pytest
from rich.console import Console

from shared.errors import InputError
from shared.features import FEATURE_NAMES, FeatureTable
from shared.privacy.constants import load_constants
from simulations.cohort import public_people
from simulations.compare.cohorts import (
    CohortRun,
    CompareProtocol,
    Measured,
    compare_cohort,
    compare_cohorts,
)
from simulations.compare.constants import pilot_constants, wrong_constants
from simulations.compare.expected_loss import loss_table, write_expected_loss
from simulations.compare.mechanisms import DEFAULT, MECHANISMS
from simulations.compare.page import render_comparison
from simulations.compare.results import POOLED, Comparison, build_comparison, write_comparison
from simulations.compare.terminal import print_comparison

PROTOCOL = CompareProtocol(
    epsilons=(8.0, 2.0), participants=(88, 264), constants=("right", "wrong"), cohorts=2, draws=2
)


def _measured(shift: float) -> list[Measured]:
    """Every mechanism, each a little worse than the one before and at smaller epsilon."""

    def metrics(value: float) -> dict[str, float]:
        names = ("f1", "sensitivity", "specificity", "balanced_accuracy", "auc", "accuracy")
        return {name: value + place / 100 for place, name in enumerate(names)}

    found = [
        Measured("pooled", None, None, metrics(0.80 + shift)),
        Measured("alone", None, None, metrics(0.66 + shift)),
    ]
    for quality in PROTOCOL.constants:
        found.append(Measured("no-noise", quality, None, metrics(0.84 + shift)))
        for epsilon in PROTOCOL.epsilons:
            for place, mechanism in enumerate(MECHANISMS):
                value = 0.76 + shift - 0.01 * place - 0.1 / epsilon
                found.append(Measured(mechanism.name, quality, epsilon, metrics(value)))
    return found


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    runs = [
        (CohortRun(n, seed), _measured(0.01 * (seed - 6000) + 0.02 * (n > 88)))
        for n in PROTOCOL.participants
        for seed in (6000, 6001)
    ]
    return build_comparison(runs, PROTOCOL, command="fedaffect-sim compare", elapsed_s=1.0)


def test_means_and_paired_differences(comparison):
    row = comparison.find(DEFAULT, 88, "right", 8.0, "f1")
    assert row is not None
    assert (row.mean, row.n) == (pytest.approx(0.7525), 2)
    loss = comparison.difference(POOLED, DEFAULT, 88, "right", 8.0, "f1")
    assert loss is not None
    assert loss.mean == pytest.approx(0.0525)
    assert loss.sd == pytest.approx(0.0)  # the luck of the cohort cancels
    gap = comparison.difference(DEFAULT, "fedavg", 264, "wrong", 2.0, "auc")
    assert gap is not None
    assert gap.mean == pytest.approx(0.06)
    assert comparison.find(DEFAULT, 88, "pilot", 8.0, "f1") is None


def test_provenance_says_what_was_run(comparison):
    provenance = comparison.provenance
    assert "surrogate" in provenance.data
    assert [(s.participants, s.cohorts, s.draws) for s in provenance.sizes] == [
        (88, 2, 2),
        (264, 2, 2),
    ]
    assert set(provenance.constants) == {"right", "wrong"}
    assert {(p.participants, p.epsilon) for p in provenance.plans} == {
        (n, e) for n in (88, 264) for e in (8.0, 2.0)
    }


def test_file_is_strict_json_and_reads_back(comparison, tmp_path):
    write_comparison(tmp_path / "results.json", comparison)
    text = (tmp_path / "results.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert Comparison.model_validate_json(text) == comparison


def test_page_is_whole_and_asks_for_nothing_from_elsewhere(comparison):
    page = render_comparison(comparison)
    assert "Surrogate cohorts: simulated children, not patients" in page
    assert not re.search(r"<(script|link|img|iframe)\b|url\((?!#)|@import", page)
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert page.count("<svg") > 8
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for anchor in re.findall(r'href="#([^"]+)"', page):
        assert anchor in ids
    for mechanism in MECHANISMS:
        assert mechanism.label in page


def test_page_of_the_smallest_run():
    protocol = CompareProtocol(
        epsilons=(4.0,), participants=(88,), constants=("right",), cohorts=1, draws=1
    )
    kept = [
        measured._replace(epsilon=measured.epsilon and 4.0)
        for measured in _measured(0.0)
        if measured.epsilon != 2.0 and measured.constants != "wrong"
    ]
    one = build_comparison([(CohortRun(88, 6000), kept)], protocol, command="x", elapsed_s=1.0)
    page = render_comparison(one)
    assert "Mechanisms side by side" in page
    assert "Where the public constants come from" not in page
    assert "None" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_terminal_fits_80_columns_and_any_code_page(comparison, encoding, tmp_path):
    path = tmp_path / "log"
    with path.open("w", encoding=encoding) as file:
        print_comparison(comparison, Console(file=file, width=80))
    text = path.read_text(encoding=encoding)
    assert "…" not in text
    assert "Secure sum (default)" in text
    assert ".052 ± .000" in text or ".053 ± .000" in text
    tables = text[: text.index("Data:")]
    assert max(map(len, tables.splitlines())) <= 110


def test_losses_for_plans(comparison, tmp_path):
    write_expected_loss(tmp_path / "loss.json", comparison)
    table = json.loads((tmp_path / "loss.json").read_text(encoding="utf-8"))
    by_place = {(row["epsilon"], row["participants"]): row for row in table["losses"]}
    assert set(by_place) == {(e, n) for e in (8.0, 2.0) for n in (88, 264)}
    assert by_place[8.0, 88]["f1"] == pytest.approx(0.0525)
    assert by_place[2.0, 264]["auc"] == pytest.approx(0.09)
    assert "surrogate" in table["provenance"]["data"]


def test_losses_need_the_packaged_constants(comparison):
    wrong_only = comparison.model_copy(
        update={"results": tuple(r for r in comparison.results if r.constants != "right")}
    )
    with pytest.raises(InputError, match="add right"):
        loss_table(wrong_only)


def test_larger_cohorts_are_fewer_and_first():
    protocol = CompareProtocol(epsilons=(4.0,), cohorts=40, draws=20)
    assert [protocol.cohorts_of(n) for n in (88, 264, 968)] == [40, 23, 12]
    assert [protocol.draws_of(n) for n in (88, 264, 968)] == [20, 7, 2]
    assert CompareProtocol(epsilons=(4.0,), cohorts=3, draws=1).cohorts_of(968) == 3
    runs = protocol.runs
    assert len(runs) == 75
    assert runs[0] == CohortRun(968, 6000)
    assert runs[-1] == CohortRun(88, 6039)


def test_a_cohort_through_every_mechanism():
    table = _table(88)
    protocol = CompareProtocol(epsilons=(4.0, 1.0), constants=("right",), draws=2)
    found = compare_cohort(table, {"right": load_constants()}, protocol, seed=1)
    places = [(m.mechanism, m.constants, m.epsilon) for m in found]
    assert len(set(places)) == len(places) == 3 + 2 * len(MECHANISMS)
    again = compare_cohort(table, {"right": load_constants()}, protocol, seed=1)
    assert found == again
    for measured in found:
        assert all(0 <= value <= 1 for value in measured.metrics.values())


def test_cohorts_in_parallel_come_in_the_order_of_the_runs():
    protocol = CompareProtocol(
        epsilons=(4.0,), participants=(44,), constants=("right", "pilot"), cohorts=2, draws=1
    )
    found = list(compare_cohorts(protocol, 1))
    assert [run for run, _ in found] == protocol.runs
    qualities = {m.constants for _, cohort in found for m in cohort}
    assert qualities == {None, "right", "pilot"}


def test_constants_of_a_wrong_population_lie_farther_off():
    right = load_constants()
    people = public_people(20, 1).values
    assert np.array_equal(people, public_people(20, 1, deviation=1.0).values)
    assert (people != public_people(20, 1, deviation=3.0).values).any()
    pilot, wrong = pilot_constants(6000), wrong_constants()
    assert pilot.people == 20
    assert pilot.digest != pilot_constants(6001).digest

    def distance(mean: list[float]) -> float:
        return float(np.median(np.abs(np.subtract(mean, right.mean)) / right.sd))

    assert distance(wrong.mean) > 2 * distance(pilot.mean)


def _table(n: int) -> FeatureTable:
    """People of a public population with made-up labels that one feature tells a little of."""
    people = public_people(n, 3)
    asd = people.values[:, 0] > np.median(people.values[:, 0])
    clinic = tuple(f"clinic-{1 + number % 4}" for number in range(n))
    return FeatureTable(people.participants, people.values, FEATURE_NAMES, asd=asd, clinic=clinic)
