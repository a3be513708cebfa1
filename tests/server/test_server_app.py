import pytest
from flwr.app import Context, RecordDict
from small_federation import cohort, grid_of, sites_of, study_of

from server.app import app
from shared.channels import ATTRIBUTE_GROUPS
from shared.errors import InputError
from shared.features import FEATURE_RANGES
from shared.model import PrivateModel
from shared.model_file import read_model_file
from shared.privacy.constants import load_constants
from shared.privacy.constants_building import build_constants
from shared.privacy.unit_vectors import AffectMap
from shared.study import study_to_toml


def features(n):
    low, high = FEATURE_RANGES.T
    return low + (high - low) * (0.5 + 0.1 * cohort(n, len(low))[0].clip(-4, 4))


def context(**run_config):
    return Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config=run_config)


@pytest.mark.parametrize("own_constants", [False, True])
def test_trains_the_study_of_the_run_configuration_to_a_file(tmp_path, own_constants, capsys):
    constants = load_constants()
    if own_constants:
        constants = build_constants(features(30), "pilot")
        (tmp_path / "constants.json").write_text(constants.to_json())
    chosen = AffectMap(constants, ATTRIBUTE_GROUPS)
    study = study_of(chosen, attribute_groups=ATTRIBUTE_GROUPS)
    (tmp_path / "study.toml").write_text(study_to_toml(study))
    sites = sites_of(study, chosen, features(30), cohort(30)[1])

    with grid_of(lambda node, digest: sites[node.node_config["partition-id"]]) as grid:
        app(grid, context(study=str(tmp_path / "study.toml")))

    (written,) = tmp_path.glob("model-*.json")
    assert written.name == f"model-{study.digest[:12]}.json"
    found = read_model_file(written)
    assert isinstance(found.model, PrivateModel)
    assert (found.study, found.model.study) == (study, study.digest)
    assert found.feature_map.digest == chosen.digest
    assert found.software.startswith("fedaffect ")
    assert len(found.model.direction) == 78
    assert found.model.mu == pytest.approx(0.925, abs=1e-3)
    assert str(written) in capsys.readouterr().out


@pytest.mark.parametrize("run_config", [{}, {"study": ""}, {"study": 3}])
def test_a_run_without_a_study_is_refused(run_config):
    with grid_of(lambda node, digest: None) as grid, pytest.raises(InputError, match="flwr run"):
        app(grid, context(**run_config))
