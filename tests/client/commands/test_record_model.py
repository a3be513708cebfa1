import pytest
import typer
from released import private_model, write_model
from typer.testing import CliRunner

from client.commands.study import record_model_command
from shared.errors import InputError, LedgerError


@pytest.fixture
def run(deployed):
    """Call the command at Aspen; return what was printed, or the error a person would read."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(record_model_command)

    def call(model):
        site = deployed.site("Aspen").root
        result = CliRunner().invoke(app, [str(model), "--site", str(site)])
        return result.exception or result.output

    return call


def recorded(deployed, study):
    return deployed.at("Aspen", lambda book: tuple(book.study(study.digest).models))


def test_a_model_is_remembered_once_by_the_hash_of_its_file(run, deployed, tmp_path, capsys):
    study = deployed.approved()
    model_file = write_model(tmp_path / "m.json", private_model(study), study)
    for _ in range(2):
        printed = f"{run(tmp_path / 'm.json')}{capsys.readouterr().out}"
        assert f"Model {model_file.sha256} of study {study.digest}" in printed
    assert recorded(deployed, study) == (model_file.sha256,)


def test_a_model_of_an_unknown_study_is_refused(run, deployed, tmp_path):
    study = deployed.study()
    write_model(tmp_path / "m.json", private_model(study), study)
    assert isinstance(run(tmp_path / "m.json"), LedgerError)


@pytest.mark.parametrize("content", ["", "{}", '{"study": "%s", "direction": [1.0]}'])
def test_what_is_no_whole_model_file_is_refused(run, deployed, tmp_path, content):
    study = deployed.approved()
    path = tmp_path / "m.json"
    path.write_text(content % study.digest if "%" in content else content, encoding="utf-8")
    assert isinstance(run(path), InputError)
    assert isinstance(run(tmp_path / "none.json"), InputError)
    assert recorded(deployed, study) == ()
