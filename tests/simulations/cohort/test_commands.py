import pytest
import typer
from typer.testing import CliRunner

from shared.errors import InputError
from simulations.cohort.effects import calibration_path
from simulations.cohort.folder import load_cohort_dir
from simulations.commands.cohort import calibrate_command, cohort_command


def run(command, *arguments):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)
    return CliRunner().invoke(app, list(arguments))


def test_cohort_writes_a_folder_that_can_be_read(tmp_path):
    result = run(cohort_command, "--out", str(tmp_path / "c"), "--seed", "1", "--clinics", "3")
    assert result.exit_code == 0, result.exception
    assert "105 recorded, 88 consented and finished" in " ".join(result.stdout.split())
    table = load_cohort_dir(tmp_path / "c")
    assert len(table) == 88
    assert len(set(table.clinic)) == 3


@pytest.mark.parametrize("arguments", [["--world", "flat"], ["--seed", "-1"], ["--clinics", "99"]])
def test_wrong_options_write_nothing(tmp_path, arguments):
    result = run(cohort_command, "--out", str(tmp_path / "c"), *arguments)
    assert isinstance(result.exception, InputError)
    assert not (tmp_path / "c").exists()


def test_check_measures_and_leaves_the_calibration_alone():
    before = calibration_path().read_bytes()
    result = run(calibrate_command, "--check", "--cohorts", "2", "--processes", "2")
    assert result.exit_code in (0, 1)
    assert "2 surrogate cohorts" in " ".join(result.stdout.split())
    assert calibration_path().read_bytes() == before
