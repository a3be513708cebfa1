"""Opening an approved study from the clinic's own files; faults of them: tests/test_deployed.py."""

import numpy as np
import pytest
from deployed import MAP, changed, features_of, node_context, table_of

from client.open_site import SITES_VARIABLE, open_site
from client.releases import InLedger
from shared.errors import InputError, LedgerError, PrivacyError
from shared.features import write_features
from shared.privacy.constants_building import build_constants
from shared.privacy.keyed_noise import KeyedNoise
from shared.privacy.unit_vectors import AffectMap
from shared.study import study_to_toml


def test_opens_the_folder_of_the_node_configuration(deployed):
    study = deployed.approved()
    folder = deployed.site("Birch")
    site = open_site(node_context(site=str(folder.root)), study.digest)
    assert site.clinic == "Birch"
    assert site.study == study
    assert site.plan == study.plan(MAP)
    assert isinstance(site.noise, KeyedNoise)
    assert site.mask_key == folder.mask_key()
    assert site.book == InLedger(site.book.ledger, folder.root)
    table = table_of("Birch", seed=1)
    np.testing.assert_array_equal(site.vectors, MAP.unit_vectors(table.values))
    np.testing.assert_array_equal(site.labels, table.asd)


def test_opens_the_numbered_folder_of_a_virtual_node(deployed):
    study = deployed.approved()
    assert open_site(node_context(**{"partition-id": 2}), study.digest).clinic == "Cedar"
    # The node's own configuration comes first.
    site = str(deployed.site("Aspen").root)
    both = node_context(**{"partition-id": 2, "site": site})
    assert open_site(both, study.digest).clinic == "Aspen"


@pytest.mark.parametrize("configured", [{}, {"site": ""}, {"site": 3}, {"partition-id": 0}])
def test_a_node_without_a_folder_is_told_how_to_be_started(configured, monkeypatch):
    monkeypatch.delenv(SITES_VARIABLE, raising=False)
    with pytest.raises(InputError, match="no site folder; start it with --node-config"):
        open_site(node_context(**configured), "a" * 64)


def test_features_that_change_after_the_approval_change_nothing(deployed):
    study = deployed.approved()
    before = deployed.opened(study).vectors
    write_features(deployed.site("Aspen").features, table_of("Aspen", 20, seed=9))
    np.testing.assert_array_equal(deployed.opened(study).vectors, before)
    deployed.site("Aspen").features.unlink()
    np.testing.assert_array_equal(deployed.opened(study).vectors, before)


def test_the_constants_of_the_approval_are_kept_with_the_study(deployed):
    constants = build_constants(features_of(25), "pilot")
    pilot = AffectMap(constants, ("valence",))
    study = deployed.study(feature_map=pilot.digest)
    beside = deployed.write(study).with_name("constants.json")
    beside.write_text(constants.to_json())
    deployed.approve(study, ["Aspen"])
    beside.unlink()
    site = deployed.opened(study)
    assert site.feature_map.digest == pilot.digest
    # Constants that were changed afterwards are another map than the study's.
    own = deployed.site("Aspen").study(study.digest) / "constants.json"
    own.write_text(build_constants(features_of(26), "pilot").to_json())
    with pytest.raises(InputError, match="names feature map"):
        deployed.opened(study)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "federated"}, "answers federated-dp with noise only"),
        ({"mode": "none"}, "answers federated-dp with noise only"),
        ({"roster": ["Aspen", "Birch", "Cedar"]}, "names no mask keys"),
    ],
)
def test_a_study_for_simulations_is_not_opened_even_if_its_files_are_there(
    deployed, changes, message
):
    study = deployed.approved()
    other = changed(study, **changes)
    place = deployed.site("Aspen").study(other.digest)
    place.mkdir()
    for path in deployed.site("Aspen").study(study.digest).glob("*.json"):
        (place / path.name).write_bytes(path.read_bytes())
    (place / "study.toml").write_text(study_to_toml(other))
    with pytest.raises(PrivacyError, match=message):
        deployed.opened(other)


def test_a_closed_study_can_be_opened_but_is_not_ready(deployed):
    study = deployed.approved()
    head = deployed.opened(study).book.ready(study.digest)
    assert head == deployed.at("Aspen", lambda book: book.head)
    deployed.at("Aspen", lambda book: book.close_study(study.digest, "over"))
    with pytest.raises(PrivacyError, match="was ended at this clinic"):
        deployed.opened(study).book.ready(study.digest)
    with pytest.raises(LedgerError, match="never approved"):
        deployed.opened(study).book.ready("0" * 64)
