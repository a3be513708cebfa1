import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from shared.errors import FedaffectError
from simulations.cli import app
from simulations.commands import verify
from simulations.verification.finding import Finding

Check = Callable[[int, int], list[Finding]]


def use(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    def check(draws: int, seed: int) -> list[Finding]:
        assert (draws, seed) == (200, 5)
        return list(findings)

    checks: dict[str, Check] = {"Coverage": check}
    monkeypatch.setattr(verify, "_checks", lambda: checks)


def run(*options: str) -> tuple[str, BaseException | None]:
    done = CliRunner().invoke(
        app, ["verify-statistics", "--draws", "200", "--seed", "5", *options], env={"COLUMNS": "90"}
    )
    return done.stdout, done.exception


def test_a_row_for_each_property_and_a_column_for_each_case(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(
        monkeypatch,
        Finding.judged("F1", 0.95, 0.92, 0.98, "AUC .7"),
        Finding.judged("F1", 0.96, 0.92, 0.98, "AUC .8"),
        Finding.measured("slope", 0.9, "AUC .7"),
    )
    verify.verify_command(draws=200, seed=5)
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if "F1" in line).split() == [
        *("F1", "0.950", "0.960", "0.920", "to", "0.980", "yes")
    ]
    assert next(line for line in lines if "slope" in line).split() == ["slope", "0.900"]
    assert lines[-1] == "All 2 properties that must hold do, with 200 draws."


def test_one_that_does_not_hold_ends_with_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    use(
        monkeypatch,
        Finding.judged("F1", 0.95, 0.92, 0.98, "AUC .7"),
        Finding.judged("F1", 0.91, 0.92, 0.98, "AUC .8"),
    )
    with pytest.raises(FedaffectError, match=r"1 of 2 properties do not hold: F1 AUC \.8") as error:
        verify.verify_command(draws=200, seed=5)
    assert error.value.exit_code == 1
    assert isinstance(run()[1], FedaffectError)


def test_json_is_machine_readable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, Finding.measured("slope", 0.9))
    verify.verify_command(draws=200, seed=5, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["draws"] == 200
    assert found["checks"]["Coverage"][0]["value"] == 0.9


def test_small_differences_are_not_shown_as_zero() -> None:
    assert verify._number(1.1e-16) == "1.1e-16"
    assert verify._number(0.95) == "0.950"
    assert verify._number(0.0) == "0.000"


def test_the_checks_are_those_of_all_statistics() -> None:
    assert len(verify._checks()) == 7
