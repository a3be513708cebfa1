import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import simulations.audit
from shared.console import run_command
from shared.errors import InputError
from shared.privacy.accountant import epsilon_of, mu_of
from shared.privacy.grid import GRID
from simulations.audit import PRODUCT, audit_arithmetic
from simulations.commands.audit import audit_command

AUDIT_OPTIONS = ("--epsilon", "8,1", "--runs", "5000", "--json")


def test_claims_and_bounds_as_json():
    done = subprocess.run(
        [sys.executable, "-m", "simulations.cli", "audit", *AUDIT_OPTIONS],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(row["epsilon_claim"], row["rounds"]) for row in found[:2]] == [(8, 1), (8, 4)]
    assert {row["rounds"] for row in found if row["epsilon_claim"] == 1} == {1, 4}
    for row in found:
        assert row["mu_claim"] == pytest.approx(mu_of(row["epsilon_claim"], row["delta"]))
        assert 0 < row["mu_lower"] <= row["mu_claim"]
        assert row["epsilon_lower"] == pytest.approx(epsilon_of(row["mu_lower"], row["delta"]))
        assert row["epsilon_lower"] <= row["epsilon_claim"]
        assert row["refuted"] is False


def test_both_paths_as_tables(monkeypatch, capsys):
    monkeypatch.setattr(simulations.audit, "rounds_to_audit", lambda epsilon, delta: [1])
    audit_command(epsilon="4", runs=20_000, messages=100)
    printed = capsys.readouterr().out
    assert "arithmetic: 20,000 runs" in printed
    assert "messages: 100 runs" in printed
    assert "stands" in printed
    assert "weak" in printed  # a hundred runs a side prove little, and it says so
    assert "does not prove privacy" in printed
    assert "REFUTED" not in printed


def test_a_refuted_promise_is_an_error_that_says_which(monkeypatch, capsys):
    broken = replace(PRODUCT, quantise_gradients=lambda g: np.rint(3 * GRID * g).astype(np.int64))
    monkeypatch.setattr(
        simulations.audit, "audit_arithmetic", partial(audit_arithmetic, mechanism=broken)
    )
    with pytest.raises(SystemExit) as stopped:
        run_command(partial(audit_command, epsilon="4", runs=1000))
    assert stopped.value.code == 1
    printed = capsys.readouterr()
    assert "REFUTED" in printed.out
    assert re.search(r"refuted in (\d) of \1 audits: with epsilon 4 claimed", printed.err)
    assert "mu 0.925" in printed.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": "0"}, "--epsilon"),
        ({"delta": 0.5}, "--delta"),
        ({"messages": 5}, "--messages 5 asked; give 0, or at least 100"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        audit_command(**options)
