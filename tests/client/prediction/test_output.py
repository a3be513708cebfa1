"""What a person sees, and what a script gets."""

import io
import json
import re

import pytest
from released import affect_study, linear_model, private_model, recorded, write_model
from rich.console import Console

from client.prediction.document import refusal_document, to_document
from client.prediction.predicting import NoPrediction, predict
from client.prediction.terminal import print_prediction, print_refusal
from client.quality.limits import QualityLimits


@pytest.fixture
def result(tmp_path):
    """Predict and print; returns the prediction, the page, and its words without line breaks."""

    def call(series=None, model=None, study=None, warnings=(), width=80):
        model_file = write_model(tmp_path / "m.json", model, study)
        prediction = predict(
            series or recorded(),
            model_file,
            QualityLimits(shortest_s=60),
            warnings=warnings,
            half_samples=20,
        )
        page = printed(lambda console: print_prediction(prediction, console), width)
        return prediction, page, " ".join(re.sub("[┃━┏┓┗┛]", " ", page).split())

    return call


def printed(show, width=80):
    stream = io.StringIO()
    show(Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 60, 200])
def test_the_caution_stands_first_and_last_and_every_line_fits(result, width):
    _, page, _ = result(width=width)
    lines = page.splitlines()
    assert max(map(len, lines)) <= min(width, 80)
    cautions = [number for number, line in enumerate(lines) if "NOT A DIAGNOSIS" in line]
    assert (len(cautions), cautions[0]) == (2, 1)
    assert len(lines) - cautions[-1] <= 3


def test_everything_a_reader_needs_is_said(result):
    prediction, _, words = result(warnings=["something is odd"])
    stated = prediction.log_odds.stated
    assert f"Probability of ASD: {100 * stated.probability:.0f} %" in words
    assert "if 56 % of the children seen have it" in words
    assert "56 %, as in the simulated studies" in words
    for share in ("10", "2"):
        at = prediction.log_odds.at(int(share) / 100)
        assert re.search(rf"\b{share} % +(<1|{100 * at.probability:.0f}) %", words)
    assert "calibrated on simulated children (surrogate)" in words
    assert "! something is odd" in words
    assert "P01, 2:00 min" in words
    assert "88 children of 4 clinics, ε = 4" in words
    assert prediction.model_file.study.digest[:12] in words
    assert "300 surrogate people" in words


def test_the_parts_shown_add_up_to_the_probability(result):
    prediction, page, _ = result()
    section = page.split("What moved the number")[1].split("The 5 channels")[0]
    numbers = [
        float(number.replace("−", "-"))
        for number in re.findall(r"^([+−]\d+\.\d\d) ", section, re.MULTILINE)
    ]
    assert len(numbers) == 6
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.031)
    assert numbers[-1] == pytest.approx(prediction.log_odds.estimate, abs=0.006)
    named = page.split("The 5 channels")[1].split("Average:")[0]
    assert len(re.findall("towards", named)) == 5


@pytest.mark.parametrize(("epsilon", "shift"), [(8.0, 0.25), (8.0, -0.25), (1.0, 0.0)])
def test_it_says_whether_the_recording_tells(result, epsilon, shift):
    study = affect_study(epsilon=epsilon, participants=968)
    model = private_model(study, threshold=-shift * 0.8)
    prediction, _, words = result(model=model, study=study)
    tells = prediction.log_odds.tells
    said = {
        "neither": "This recording does not tell: the interval lies on both sides of 50 %.",
        "ASD": "The whole interval lies on the side of ASD.",
        "non-ASD": "The whole interval lies on the side of non-ASD.",
    }
    assert [text in words for text in said.values()].count(True) == 1
    assert said[tells] in words


def test_a_simulated_child_and_a_different_study_are_named(result):
    study = affect_study(participants=5000)
    _, _, words = result(recorded(source="surrogate"), private_model(study), study)
    assert "simulated child, not a person" in words
    assert "5000 children; simulated studies had up to 968" in words


def test_a_model_without_privacy_is_called_uncalibrated(result):
    study = affect_study(method="federated")
    prediction, _, words = result(model=linear_model(study), study=study)
    assert "trained without privacy, for simulations" in words
    assert "was not calibrated" in words
    assert "of the children seen" not in words
    document = to_document(prediction)
    assert document["calibration"] is None
    assert document["at_other_shares"] == []
    assert document["log_odds"]["sd_model"] is None


def test_names_from_files_cannot_write_to_the_terminal(result):
    study = affect_study(title="study\x1b[2J [bold]x[/]")
    _, page, _ = result(recorded("P\x1b[31m01"), private_model(study), study)
    assert "\x1b[2J" not in page
    assert "\x1b[31m" not in page
    assert "[bold]x[/]" in page


def test_the_document_holds_what_the_page_shows(result):
    prediction, _, _ = result()
    document = json.loads(json.dumps(to_document(prediction), allow_nan=False))
    assert document["statement"] == "not a diagnosis"
    stated = prediction.log_odds.stated
    assert document["probability"]["value"] == stated.probability
    assert document["probability"]["tells"] == prediction.log_odds.tells
    assert [one["asd_share"] for one in document["at_other_shares"]] == [0.1, 0.02]
    parts = document["parts"]
    assert sum(parts["groups"].values()) + parts["start"] == pytest.approx(
        document["log_odds"]["estimate"]
    )
    assert len(parts["channels"]) == 22
    assert sum(one["part"] for one in parts["channels"]) == pytest.approx(
        sum(parts["groups"].values())
    )
    assert document["model"]["sha256"] == prediction.model_file.sha256


def test_a_refusal_gives_reasons_and_no_number():
    error = NoPrediction(["no face was found"])
    page = printed(lambda console: print_refusal("P01", error, console))
    assert "NOT A DIAGNOSIS" in page
    assert "P01: no number is given" in page
    assert "no face was found" in page
    assert "%" not in page
    document = refusal_document("P01", error)
    assert document["probability"] is None
    assert document["reasons"] == ["no face was found"]
