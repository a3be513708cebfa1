import sys

import numpy as np
import pytest
from small_federation import (
    cohort,
    converse,
    federation_of,
    people_map,
    ranges_map,
    sites_of,
    study_of,
)

from server.training import start_training
from shared.errors import FederationError, InputError
from shared.model import LinearModel, PrivateModel
from simulations.engines import Federation, train_federation

FEATURES, ASD = cohort(60)
METHODS = ("federated", "federated-dp", "local-dp")


def member(method, chosen=None, **changes):
    chosen = chosen or people_map()
    study = study_of(chosen, method=method, participants=60, **changes)
    rows = FEATURES if method == "federated" else chosen.standardise(FEATURES)
    return study, chosen, sites_of(study, chosen, rows, ASD)


def members():
    return [
        *(member(method) for method in METHODS),
        member("federated-dp", ranges_map(), epsilon=0.4),  # other rounds, no threshold
    ]


def numbers(model):
    if isinstance(model, LinearModel):
        return np.array([*model.coefficients, model.intercept])
    assert isinstance(model, PrivateModel)
    return np.array([*model.direction, model.threshold, model.mu])


def test_studies_in_lockstep_equal_studies_one_by_one_and_bare_conversations():
    together = train_federation(federation_of(*members()))
    assert len(together) == 4
    for study, chosen, sites in members():
        alone = train_federation(federation_of((study, chosen, sites)))
        assert together[study.digest] == alone[study.digest]
        assert alone[study.digest] == converse(start_training(study, chosen), sites)


def test_every_exchange_is_told_with_its_number_and_messages():
    told = []
    one = member("federated-dp")
    train_federation(federation_of(one), on_exchange=lambda *numbers: told.append(numbers))
    exchanges = one[0].plan(one[1]).exchanges
    assert told == [(number, 3) for number in range(1 + exchanges)]  # one finds the roster


def test_a_study_a_clinic_does_not_hold_fails_by_name():
    study, chosen, sites = member("federated-dp")
    federation = federation_of((study, chosen, sites))
    del federation.clinics[1][study.digest]
    with pytest.raises(FederationError, match=r"waiting for Birch.*is not held by this clinic"):
        train_federation(federation)


def test_an_unknown_engine_is_refused():
    with pytest.raises(InputError, match="engine 'spark' asked; choose one of inprocess, ray"):
        train_federation(Federation([], []), "spark")


def test_ray_gives_the_same_models(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    ours = train_federation(federation_of(*members()))
    theirs = train_federation(federation_of(*members()), "ray")
    assert ours.keys() == theirs.keys()
    for study, model in ours.items():
        np.testing.assert_allclose(numbers(theirs[study]), numbers(model), rtol=1e-9, atol=1e-12)


def test_ray_that_is_missing_or_gives_no_model_is_told(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "ray", None)
        with pytest.raises(InputError, match=r"Ray is not installed.*--engine inprocess"):
            train_federation(federation_of(member("federated")), "ray")
    pytest.importorskip("ray")
    monkeypatch.setattr("flwr.simulation.run_simulation", lambda **settings: None)
    with pytest.raises(FederationError, match="1 of 1 studies gave no model"):
        train_federation(federation_of(member("federated")), "ray")
