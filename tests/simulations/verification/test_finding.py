import json
import math

import pytest

from simulations.verification.finding import Finding


@pytest.mark.parametrize(
    ("value", "holds"), [(0.92, True), (0.98, True), (0.919, False), (math.nan, False)]
)
def test_a_property_holds_within_its_range(value: float, holds: bool) -> None:
    assert Finding.judged("coverage", value, 0.92, 0.98).holds is holds


def test_what_is_only_measured_is_not_judged() -> None:
    found = Finding.measured("slope", 0.5, "case")
    assert found.holds is None
    assert json.loads(json.dumps(found.as_json(), allow_nan=False)) == {
        "name": "slope",
        "value": 0.5,
        "low": None,
        "high": None,
        "holds": None,
        "case": "case",
    }
