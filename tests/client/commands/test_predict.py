import json
import stat

import pytest
import typer
from deployed import table_of
from released import private_model, recorded, write_model
from typer.testing import CliRunner

from client.commands.predict import predict_command
from client.extraction import recipe
from shared.attributes import write_attributes
from shared.errors import FedaffectError, InputError, PrivacyError
from shared.features import write_features


@pytest.fixture
def run(capsys):
    """Call the command; return exit code and what was printed, or the error a person would read."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(predict_command)

    def call(*arguments):
        result = CliRunner().invoke(app, [*map(str, arguments)])
        printed = capsys.readouterr().out + result.output
        if result.exception and not isinstance(result.exception, SystemExit):
            assert isinstance(result.exception, FedaffectError), result.exception
            return result.exception, printed
        return result.exit_code, printed

    return call


@pytest.fixture
def model(tmp_path):
    write_model(tmp_path / "model.json")
    return tmp_path / "model.json"


@pytest.fixture
def attributes(tmp_path):
    path = tmp_path / "P01.parquet"
    write_attributes(path, recorded())
    return path


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_stored_series_gives_a_number_and_nothing_is_written(run, model, attributes, tmp_path):
    before = names(tmp_path)
    code, printed = run("--attributes", attributes, "--model", model)
    assert code == 0
    assert printed.count("NOT A DIAGNOSIS") == 2
    assert "Probability of ASD:" in printed
    assert "only 2:00 long" in printed
    assert "could not be checked" in printed
    assert names(tmp_path) == before


def test_json_is_one_document_and_out_keeps_it(run, model, attributes, tmp_path):
    out = tmp_path / "result.json"
    code, printed = run("--attributes", attributes, "--model", model, "--json", "--out", out)
    assert code == 0
    document = json.loads(printed)
    assert document == json.loads(out.read_text(encoding="utf-8"))
    assert 0 < document["probability"]["value"] < 1
    assert document["recording"]["verdict"] == "doubtful"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_names_that_no_encoding_takes_are_no_crash(run, model, tmp_path):
    path, out = tmp_path / "P.parquet", tmp_path / "r.json"
    write_attributes(path, recorded("P\ud800"))
    assert run("--attributes", path, "--model", model)[0] == 0
    code, printed = run("--attributes", path, "--model", model, "--json", "--out", out)
    assert code == 0
    assert json.loads(printed)["recording"]["participant"] == "P\ud800"


def test_an_unusable_recording_leaves_with_1_and_says_why(run, model, tmp_path):
    path, out = tmp_path / "short.parquet", tmp_path / "r.json"
    write_attributes(path, recorded("short", seconds=10))
    code, printed = run("--attributes", path, "--model", model, "--out", out)
    assert code == 1
    assert "short: no number is given" in printed
    assert "30 s are needed" in printed
    assert "Probability" not in printed
    assert json.loads(out.read_text(encoding="utf-8"))["probability"] is None
    code, printed = run("--attributes", path, "--model", model, "--json")
    assert (code, json.loads(printed)["probability"]) == (1, None)


def test_a_recording_is_read_by_the_extractor_and_named_by_its_file(
    run, model, tmp_path, monkeypatch, extractor, write_video, scene
):
    opened = []

    def open_recipe(self):
        opened.append(self)
        return extractor

    monkeypatch.setattr(recipe.ExtractorRecipe, "open", open_recipe)
    pictures = [scene(face=(60 + i % 5, 30, 40, 40)) for i in range(24)]
    video = write_video(tmp_path / "P07.mp4", pictures)
    before = names(tmp_path)
    code, printed = run(video, "--model", model, "--detector", "yunet", "--threads", "1")
    assert code == 1
    assert "P07: no number is given" in printed
    assert "the face is seen for 1 s in all" in printed
    assert (opened[0].detector, opened[0].threads) == ("yunet", 1)
    assert names(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--model", "{model}"), "give one recording"),
        (("v.mp4", "--attributes", "{attributes}", "--model", "{model}"), "give one recording"),
        (("--attributes", "{attributes}"), "--model is missing"),
        (("--attributes", "{attributes}", "--model", "{attributes}"), "not a model file"),
        (("--attributes", "{attributes}", "--model", "none.json"), "there is no model file"),
        (("--attributes", "{model}", "--model", "{model}"), "not a readable Parquet file"),
        (("none.mp4", "--model", "{model}"), "there is no recording none.mp4"),
        (("--attributes", "{attributes}", "--model", "{model}", "--out", "a.txt"), "ending in"),
        (
            ("--attributes", "{attributes}", "--model", "{model}", "--site", "no"),
            "no privacy ledger",
        ),
    ],
)
def test_mistakes_are_told_and_no_number_is_given(run, model, attributes, arguments, told):
    given = [part.format(model=model, attributes=attributes) for part in arguments]
    error, printed = run(*given)
    assert isinstance(error, FedaffectError)
    assert error.exit_code in (2, 3)
    assert told in str(error)
    assert "Probability" not in printed


def test_a_site_folder_adds_its_limits_and_what_it_knows(run, deployed, tmp_path):
    site = deployed.site("Aspen")
    for number, clinic in enumerate(deployed.clinics):
        write_features(deployed.site(clinic).features, table_of(clinic, 20, seed=number))
    study = deployed.approved(participants=60, rounds=None)
    write_model(tmp_path / "m.json", private_model(study), study)
    with (site.root / "site.toml").open("a", encoding="utf-8") as file:
        file.write("\n[quality]\nshortest_s = 60.0\n")
    path = tmp_path / "P01.parquet"
    write_attributes(path, recorded())
    asked = ("--attributes", path, "--model", tmp_path / "m.json", "--site", site.root)
    code, printed = run(*asked)
    assert code == 0
    assert "P01, 2:00 min, face seen in" in printed
    assert "usable" in printed
    assert "is not recorded at this clinic" in printed

    with site.ledger().locked() as book:
        book.withdraw("Aspen-child-3")
    write_attributes(path, recorded("Aspen-child-3"))
    error, printed = run(*asked)
    assert isinstance(error, PrivacyError)
    assert "Probability" not in printed
    video = tmp_path / "Aspen-child-3.mp4"
    video.touch()
    error, _ = run(video, *asked[2:])
    assert isinstance(error, PrivacyError)


def test_a_study_without_measured_probabilities_is_told(run, deployed, attributes, tmp_path):
    study = deployed.study()
    write_model(tmp_path / "m.json", private_model(study), study)
    error, _ = run("--attributes", attributes, "--model", tmp_path / "m.json")
    assert isinstance(error, InputError)
    assert "declares 18 children" in str(error)


def test_help_has_examples_and_exit_codes(run):
    code, printed = run("--help")
    said = " ".join(printed.split())
    assert code == 0
    assert "not a diagnosis" in said
    assert said.count("Example: fedaffect-client predict") == 2
    assert "Exit codes: 0 a number was given" in said
