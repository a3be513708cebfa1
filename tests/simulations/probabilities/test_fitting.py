import json

import numpy as np
import pytest
from scipy.special import expit

from shared.channels import all_combinations
from shared.privacy import expected_calibration
from shared.privacy.constants import load_constants
from simulations.probabilities.fitting import FitProtocol, Scored, fit_rows, score_populations
from simulations.probabilities.table import write_table

SMALL = FitProtocol(
    epsilons=(4.0,),
    participants=(88,),
    combinations=(("au",),),
    populations=2,
    reference=100,
    pool=100,
    held_out=30,
)
PLACE = ("au", 4.0, 88)


def known(growth, seed):
    """Children whose very large study is known: centre .2 + 1.5 z, variance 1 + growth z^2."""
    rng = np.random.default_rng(seed)
    z = 1.3 * rng.standard_normal((4, 4000))
    # One child has one value in the very large study, so every child is scored once here.
    spread = np.sqrt(np.maximum(1 + growth * z**2, 0.05))
    large = 0.2 + 1.5 * z + spread * rng.standard_normal(z.shape)
    asd = rng.random(z.shape) < expit(large)
    return [{PLACE: Scored(z[i : i + 1], asd[i], large[i])} for i in range(4)]


@pytest.mark.parametrize("growth", [0.0, 0.2])
def test_known_lines_are_found(growth):
    (row,) = fit_rows(SMALL, known(growth, 0))
    assert (row.groups, row.epsilon, row.participants) == PLACE
    assert (row.large_slope, row.large_intercept) == pytest.approx((1.5, 0.2), abs=0.06)
    assert (row.variance, row.variance_growth) == pytest.approx((1.0, growth), abs=0.08)
    # A probability about an uncertain log-odds is flatter than the log-odds themselves.
    assert 1.1 < row.slope < 1.4


def test_a_variance_that_would_fall_below_zero_does_not_grow():
    (row,) = fit_rows(SMALL, known(-0.15, 1))
    assert row.variance_growth == 0
    assert 0.5 < row.variance < 1


def test_populations_are_scored_at_every_place(quick_features):
    scored = list(score_populations(SMALL, 1))
    assert [set(one) for one in scored] == [{PLACE}, {PLACE}]
    found = scored[0][PLACE]
    assert found.scores.shape == (4, 30)
    assert found.asd.shape == found.large.shape == (30,)
    assert not np.array_equal(found.large, scored[1][PLACE].large)


def test_the_table_that_is_written_is_the_table_that_is_read(tmp_path, monkeypatch):
    protocol = FitProtocol(epsilons=(4.0, 8.0), participants=(88, 264), populations=4)
    scored = [
        {
            ("+".join(groups), epsilon, n): one[PLACE]
            for groups in all_combinations()
            for epsilon in protocol.epsilons
            for n in protocol.participants
        }
        for one in known(0.1, 2)
    ]
    rows = fit_rows(protocol, scored)
    path = tmp_path / "table.json"
    write_table(path, protocol, rows, "fedaffect-sim probabilities --store")
    monkeypatch.setattr(expected_calibration, "EXPECTED_CALIBRATION", path)
    expected_calibration._table.cache_clear()
    try:
        from released import affect_study

        from shared.privacy.unit_vectors import AffectMap

        found = expected_calibration.expected_calibration(
            affect_study(("au",)), AffectMap(load_constants(), ("au",))
        )
    finally:
        expected_calibration._table.cache_clear()
    assert found.slope == rows[0].slope
    assert found.differences == ()
    provenance = json.loads(path.read_text(encoding="utf-8"))["provenance"]
    assert provenance["asd_share"] == 49 / 88
    assert "4 surrogate populations" in provenance["data"]
