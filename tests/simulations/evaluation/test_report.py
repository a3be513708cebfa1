"""The report of a fixed small cohort, number by number, and what must hold of any report."""

import json
import re
import time
from pathlib import Path

import pytest

from shared.evaluation.evaluate import STEPS, EvaluationSettings, evaluate_participants
from shared.report.page import write_report
from simulations.cohort.cohort import surrogate_cohort
from simulations.cohort.folder import write_cohort_dir
from simulations.evaluation.report import surrogate_or_cohort_report
from simulations.evaluation.source import cohort_source

GOLDEN = Path(__file__).with_name("golden_report.json")
"""Written by ``python -m tests.simulations.evaluation.test_report`` after a wanted change."""

NOT_OF_THE_DATA = ("created", "elapsed_s", "machine", "command", "versions", "hashes")


def made(folder: Path):
    cohort = surrogate_cohort(9_310_000, clinics=3, n_asd=16, n_non_asd=14)
    write_cohort_dir(cohort, folder / "cohort")
    source = cohort_source(folder / "cohort", None)
    steps: list[str] = []
    found = evaluate_participants(
        source.people,
        EvaluationSettings(seed=1, folds=5, repeats=2, permutations=99, bootstrap=40),
        on_step=steps.append,
    )
    report = surrogate_or_cohort_report(
        found, source, epsilons=(4.0,), delta=1e-5, elapsed_since=time.monotonic()
    )
    return report, steps


def numbers(document, place=""):
    """Everything but what differs from run to run, by its place."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key not in NOT_OF_THE_DATA:
                yield from numbers(value, f"{place}.{key}")
    elif isinstance(document, list):
        yield f"{place}#", len(document)
        for at, value in enumerate(document):
            yield from numbers(value, f"{place}[{at}]")
    else:
        yield place, document


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return made(tmp_path_factory.mktemp("report"))


def test_golden_numbers(report):
    document, steps = report
    found = dict(numbers(json.loads(document.model_dump_json())))
    wanted = json.loads(GOLDEN.read_text())
    assert found.keys() == wanted.keys()
    for place, value in wanted.items():
        if isinstance(value, float):
            assert found[place] == pytest.approx(value, rel=1e-4, abs=1e-6), place
        else:
            assert found[place] == value, place
    assert tuple(steps) == STEPS


def test_the_page_is_written_beside_its_numbers(report, tmp_path):
    document, _ = report
    data, page = write_report(tmp_path, document)
    assert json.loads(data.read_text()) == json.loads(document.model_dump_json())
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page.read_text())


def test_all_fifteen_combinations_and_every_way_to_train_are_in_it(report):
    document, _ = report
    assert len(document.combinations.rows) == 15
    assert [row.method for row in document.baselines.rows] == [
        "Pooled",
        "One clinic alone",
        "Federated",
        "Federated, differentially private",
        "Local DP-SGD + FedAvg",
    ]
    pooled, _, federated, *_ = document.baselines.rows
    assert pooled.metrics == federated.metrics
    headline = document.performance.metrics
    for name in ("sensitivity", "specificity", "auc"):
        assert pooled.metrics[name].value == pytest.approx(headline[name].value, abs=1e-9)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        golden, _ = made(Path(temporary))
    text = json.dumps(dict(numbers(json.loads(golden.model_dump_json()))), indent=0)
    GOLDEN.write_text(text + "\n")
