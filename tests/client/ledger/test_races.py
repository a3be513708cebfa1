"""Several threads and processes want the same budget and the same round."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ledger_cases import LIMIT, digest
from ledger_process import race

from shared.errors import LedgerError

SUPPORT = Path(__file__).parents[2] / "support"


def check_one_winner(site, approved, inputs):
    assert len(approved) == 1
    assert len(inputs) == 1
    with site.open().locked() as book:
        assert book.spent("P01") == pytest.approx(0.9 * LIMIT.mu_squared)
        assert list(book.studies) == [digest("study"), digest(approved[0])]
        made = book.find_release(digest("study"), 3)
        assert made is not None
        assert made.input_digest == digest(inputs[0])
        assert [entry.sequence for entry in book.entries] == list(range(1, 7))


def test_ten_threads_spend_the_last_budget_once(site, study):
    result = race(site.base, "thread", 10)
    check_one_winner(site, result["approved"], result["inputs"])


@pytest.mark.parametrize(
    "repetitions", [1, pytest.param(10, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)
def test_two_processes_of_ten_threads_spend_the_last_budget_once(tmp_path, repetitions):
    from ledger_cases import Site

    for repetition in range(repetitions):
        site = Site(tmp_path / str(repetition))
        site.create()
        site.approve()
        site.contribute(1)
        site.contribute(2)
        processes = [
            subprocess.Popen(
                [
                    sys.executable,
                    str(SUPPORT / "ledger_process.py"),
                    "race",
                    str(site.base),
                    name,
                    "10",
                ],
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, _paths()))},
            )
            for name in ("first", "second")
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        (site.base / "go").touch()
        results = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
        check_one_winner(
            site,
            [name for result in results for name in result["approved"]],
            [name for result in results for name in result["inputs"]],
        )


def test_waiting_for_another_program_ends_with_a_message(site, study):
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with site.open().locked():
            inside.set()
            leave.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert inside.wait(20)
    try:
        with (
            pytest.raises(LedgerError, match=r"another program has been using .* for 0\.05 s"),
            site.open(timeout_s=0.05).locked(),
        ):
            pass
    finally:
        leave.set()
        holder.join()
    assert site.spent() > 0


def _paths() -> list[Path]:
    return [SUPPORT.parents[1], SUPPORT]
