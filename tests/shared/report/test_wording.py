import pytest

from shared.report import wording
from shared.report.document import Estimate


@pytest.mark.parametrize(
    ("value", "digits", "sign", "said"),
    [
        (0.7249, 2, False, ".72"),
        (-0.03, 2, False, "−.03"),
        (1.0, 2, False, "1.00"),
        (0.004, 2, True, "+.00"),
        (-0.004, 2, False, ".00"),
        (None, 2, False, "–"),
        (float("nan"), 2, False, "–"),
    ],
)
def test_numbers(value: float | None, digits: int, sign: bool, said: str) -> None:
    assert wording.number(value, digits, sign=sign) == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.1, 0.9, ".50 (.10 to .90)"),
        (None, None, ".50"),
        (0.1, None, ".50 (≥ .10)"),
        (None, 0.9, ".50 (≤ .90)"),
    ],
)
def test_intervals(low: float | None, high: float | None, said: str) -> None:
    assert wording.value_with_interval(Estimate(value=0.5, low=low, high=high)) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (88, "88"),
        ("<10", "< 10"),
        ("suppressed", "hidden"),
        (12.6, "13"),
        (-2.2, "−2"),
        (None, "–"),
        (12345, "12\N{NO-BREAK SPACE}345"),
    ],
)
def test_people(value: object, said: str) -> None:
    assert wording.people(value) == said  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("p", "said"), [(0.0009, "< .001"), (0.001, ".001"), (0.0423, ".042"), (1.0, "1.000")]
)
def test_p_values(p: float, said: str) -> None:
    assert wording.p_value(p) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.02, "2 %"), (0.1, "10 %"), (0.0114, "1.1 %"), (1.0, "100 %"), (None, "–")],
)
def test_shares(share: float | None, said: str) -> None:
    assert wording.percent(share) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("au12", "AU 12 lip corner pulled"),
        ("expression_joy", "Joy"),
        ("valence", "Valence"),
        ("head_pitch", "Head pitch"),
    ],
)
def test_channels(name: str, said: str) -> None:
    assert wording.channel_label(name) == said


def test_metrics_inside_a_sentence() -> None:
    assert wording.metric_in_prose("balanced_accuracy") == "balanced accuracy"
    assert wording.metric_in_prose("auc") == "AUC"
    assert wording.metric_label("some_new_metric") == "Some new metric"
