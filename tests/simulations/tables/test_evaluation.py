"""Every method on a small made-up table, with the awkward sites real tables have."""

import numpy as np
import pandas as pd
import pytest

from shared.errors import InputError
from simulations.tables.evaluation import evaluate_table
from simulations.tables.ranges import PublicRange
from simulations.tables.reading import Columns, TableData, read_table

RANGES = [PublicRange(name, -4.0, 4.0) for name in ("a", "b", "constant")]


@pytest.fixture
def data(tmp_path) -> TableData:
    """Four sites: two ordinary ones, one with a single class, one with a single row."""
    rng = np.random.default_rng(3)
    rows = 121
    site = np.array(["north"] * 60 + ["south"] * 50 + ["east"] * 10 + ["west"])
    a, b = rng.normal(size=(2, rows))
    label = (a + 0.5 * b + 0.3 * rng.normal(size=rows) > 0).astype(int)
    label[site == "east"] = 1
    a[::17] = np.nan
    frame = pd.DataFrame({"y": label, "site": site, "a": a, "b": b, "constant": 1.0})
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    return read_table(path, Columns("y", "site"), ranges=RANGES)


def run(data: TableData, **changes):
    options = {
        "epsilons": (4.0,),
        "delta": 1e-4,
        "regularisation_c": 1.0,
        "collusion_margin": 1,
        "seeds": [0],
        "processes": 1,
    } | changes
    (found,) = evaluate_table(data, **options)
    return {(m.method, m.site, m.epsilon): m.metrics for m in found}


def test_awkward_sites_have_defined_results(data):
    found = run(data)
    assert found["federated", None, None] == pytest.approx(found["pooled", None, None])
    assert found["pooled", None, None]["accuracy"] > 0.8
    assert found["federated-dp", None, 4.0]["accuracy"] > 0.7
    # A site that has seen one class calls everyone that class.
    assert found["alone", "east", None]["sensitivity"] == 1.0
    assert found["alone", "east", None]["specificity"] == 0.0
    assert found["alone", "east", None]["auc"] == 0.5
    # A site without negatives among its test rows has no specificity.
    assert np.isnan(found["pooled", "east", None]["specificity"])


def test_without_a_public_map_there_is_no_private_row(data, tmp_path):
    plain = read_table(tmp_path / "t.csv", Columns("y", "site"))
    assert plain.feature_map is None
    methods = {method for method, _, _ in run(plain, epsilons=())}
    assert methods == {"pooled", "alone", "federated"}


def test_public_people_serve_instead_of_ranges(data, tmp_path):
    rng = np.random.default_rng(4)
    people = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "constant"])
    people["constant"] = 1.0
    people.to_csv(tmp_path / "people.csv", index=False)
    with_people = read_table(
        tmp_path / "t.csv", Columns("y", "site"), public=tmp_path / "people.csv"
    )
    assert run(with_people)["federated-dp", None, 4.0]["auc"] > 0.75


def test_training_rows_of_one_class_are_refused(data):
    test = data.positive.copy()  # everyone positive is tested, so training holds one class
    one_class = TableData(**{**vars(data), "test": test})
    with pytest.raises(InputError, match="both"):
        run(one_class)
