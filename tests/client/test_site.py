import dataclasses

import numpy as np
import pytest
from flwr.app import Context, RecordDict
from small_federation import cohort, ranges_map, sites_of, study_of

from client.site import SITES_VARIABLE, SiteStudy, open_site
from shared.channels import ATTRIBUTE_GROUPS
from shared.errors import InputError, PrivacyError
from shared.features import FEATURE_NAMES, FEATURE_RANGES, FeatureTable, write_features
from shared.privacy.constants import DEFAULT_CONSTANTS, load_constants
from shared.privacy.constants_building import build_constants
from shared.privacy.discrete_gaussian import OperatingSystemNoise, SeededNoise
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap
from shared.study import study_to_toml


def features(n=25, seed=0):
    low, high = FEATURE_RANGES.T
    return low + (high - low) * np.random.default_rng(seed).uniform(0.1, 0.9, (n, len(low)))


def context(**node_config):
    return Context(run_id=1, node_id=1, node_config=node_config, state=RecordDict(), run_config={})


def table(n=6, **changes):
    fields = {
        "participants": tuple(f"P{i}" for i in range(n)),
        "values": features(n),
        "names": FEATURE_NAMES,
        "asd": np.arange(n) < n / 2,
        "clinic": ("Aspen",) * n,
    }
    return FeatureTable(**(fields | changes))


@pytest.fixture
def folder(tmp_path):
    study = study_of(AffectMap(load_constants(), ("au",)), attribute_groups=("au",))
    (tmp_path / "study.toml").write_text(study_to_toml(study))
    write_features(tmp_path / "features.parquet", table())
    return tmp_path, study


def test_opens_the_folder_of_the_node_configuration(folder):
    path, study = folder
    site = open_site(context(site=str(path)), study.digest)
    assert site.clinic == "Aspen"
    assert site.study == study
    assert isinstance(site.noise, OperatingSystemNoise)
    assert site.plan == study.plan(site.feature_map)
    np.testing.assert_array_equal(site.features, features(6))
    assert site.rows.shape == (6, 40)
    np.testing.assert_allclose(site.rows[:, :-1], np.sqrt(0.8) * site.vectors / GRID)


def test_opens_the_numbered_folder_of_a_virtual_node(folder, monkeypatch):
    path, study = folder
    (path / "sites").mkdir()
    for name in ("study.toml", "features.parquet"):
        (path / "sites" / "2").mkdir(exist_ok=True)
        (path / name).rename(path / "sites" / "2" / name)
    monkeypatch.setenv(SITES_VARIABLE, str(path / "sites"))
    node = context(**{"partition-id": 2})
    assert open_site(node, study.digest).clinic == "Aspen"


def test_own_constants_take_the_place_of_the_packaged_ones(folder):
    path, _ = folder
    constants = build_constants(features(25), "pilot")
    (path / "constants.json").write_text(constants.to_json())
    study = study_of(AffectMap(constants, ("au",)), attribute_groups=("au",))
    (path / "study.toml").write_text(study_to_toml(study))
    site = open_site(context(site=str(path)), study.digest)
    assert site.feature_map.digest == AffectMap(constants, ("au",)).digest


def test_constants_other_than_the_studys_are_refused(folder):
    path, study = folder
    (path / "constants.json").write_text(build_constants(features(25), "pilot").to_json())
    with pytest.raises(InputError, match="names feature map"):
        open_site(context(site=str(path)), study.digest)


def test_a_study_without_shared_noise_is_refused_at_a_clinic(folder):
    path, study = folder
    exact = study.model_copy(update={"method": "federated"})
    (path / "study.toml").write_text(study_to_toml(exact))
    with pytest.raises(PrivacyError, match="federated-dp only"):
        open_site(context(site=str(path)), exact.digest)


def test_a_study_this_clinic_does_not_hold_is_refused(folder):
    path, study = folder
    other = study.model_copy(update={"epsilon": 8.0})
    with pytest.raises(PrivacyError, match=r"was refused; this clinic holds study 'test'"):
        open_site(context(site=str(path)), other.digest)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"asd": None}, InputError, "needs a label for every participant"),
        ({"clinic": None}, InputError, "one clinic name"),
        ({"clinic": ("Aspen",) * 5 + ("Birch",)}, InputError, "one clinic name"),
        ({"clinic": ("Elm",) * 6}, PrivacyError, r"'Elm' is not in the roster.*Aspen, Birch"),
    ],
)
def test_a_feature_file_of_somebody_else_is_refused(folder, changes, error, message):
    path, study = folder
    write_features(path / "features.parquet", table(**changes))
    with pytest.raises(error, match=message):
        open_site(context(site=str(path)), study.digest)


def test_missing_folders_and_files_are_refused(folder, monkeypatch, tmp_path):
    path, study = folder
    monkeypatch.delenv(SITES_VARIABLE, raising=False)
    for node in (context(), context(site=""), context(**{"partition-id": 0})):
        with pytest.raises(InputError, match="no site folder; start it with --node-config"):
            open_site(node, study.digest)
    with pytest.raises(InputError, match="no study at"):
        open_site(context(site=str(tmp_path / "elsewhere")), study.digest)
    (path / "features.parquet").unlink()
    with pytest.raises(InputError, match="no feature file"):
        open_site(context(site=str(path)), study.digest)


def test_a_site_without_matching_labels_or_roster_cannot_be_made():
    chosen = ranges_map()
    rows, asd = cohort(9)
    site = sites_of(study_of(chosen), chosen, rows, asd)[0]
    with pytest.raises(InputError, match="3 feature rows and 2 labels"):
        dataclasses.replace(site, asd=site.asd[:2])
    with pytest.raises(PrivacyError, match="not in the roster"):
        dataclasses.replace(site, clinic="Elm")
    with pytest.raises(InputError, match="names feature map"):
        dataclasses.replace(site, feature_map=ranges_map(3))


def test_unusable_participants_are_left_out_of_rows_and_labels():
    chosen = AffectMap(load_constants(DEFAULT_CONSTANTS), ATTRIBUTE_GROUPS)
    values = features(5)
    values[[1, 4], 10] = np.nan
    site = SiteStudy(
        "Aspen",
        study_of(chosen),
        chosen,
        values,
        np.array([True, False, True, False, True]),
        SeededNoise(0, "Aspen"),
    )
    assert site.usable.tolist() == [True, False, True, True, False]
    assert site.labels.tolist() == [True, True, False]
    assert site.vectors.shape == (3, 78)
    assert site.rows.shape == (3, 79)
