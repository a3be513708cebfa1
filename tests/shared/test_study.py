import hashlib
import json
import math
import tomllib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from small_federation import CLINICS, LOCAL, people_map, ranges_map, roster_of, study_of

from shared.errors import InputError
from shared.privacy.accountant import mu_of
from shared.privacy.grid import GRID
from shared.study import Parent, RosterClinic, Study, load_study, study_to_toml

PARENT = Parent(study="a" * 64, spent_mu2=0.25, weights=(0.5, -1.25))
KEY = roster_of("Aspen")[0].mask_key
OTHER_VALUES = {
    "title": "another",
    "roster": roster_of("Aspen", "Birch", "Dogwood"),
    "participants": 91,
    "method": "federated",
    "mode": "local",
    "feature_map": "0" * 64,
    "attribute_groups": ("au",),
    "epsilon": 4.0000000001,
    "delta": 1.1e-5,
    "collusion_margin": 0,
    "rounds": 5,
    "evaluation_bins": 2,
    "parent": PARENT,
    "regularisation_c": 2.0,
    "local": LOCAL,
}


def study_with(method, evaluation_bins, **fields):
    """Only one method has an evaluation exchange."""
    bins = evaluation_bins if method == "federated-dp" else 0
    return study_of(method=method, evaluation_bins=bins, **fields)


studies = st.builds(
    study_with,
    feature_map=st.sampled_from([None, ranges_map()]),
    title=st.text(min_size=1, max_size=30),
    roster=st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=5, unique=True).map(tuple)
    | st.just((RosterClinic(name="no"), RosterClinic(name="keys"))),
    participants=st.integers(1, 10**6),
    method=st.sampled_from(["federated", "federated-dp", "local-dp"]),
    mode=st.sampled_from(["secure-sum", "local", "none"]),
    rounds=st.none() | st.integers(1, 64),
    evaluation_bins=st.sampled_from([0, 2, 4, 6, 8]),
    parent=st.none()
    | st.builds(
        Parent,
        study=st.sampled_from(["0" * 64, "9f" * 32]),
        spent_mu2=st.floats(0, 1e6),
        weights=st.lists(st.floats(-1e5, 1e5), min_size=1, max_size=4).map(tuple),
    ),
    epsilon=st.floats(1e-3, 100),
    delta=st.floats(1e-12, 0.1),
    regularisation_c=st.floats(1e-6, 1e6),
    local=st.just(LOCAL),
)


@given(studies)
def test_toml_gives_back_the_same_study(study):
    again = Study.model_validate(tomllib.loads(study_to_toml(study)))
    assert again == study
    assert again.digest == study.digest


def test_file_gives_back_the_same_study(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(study_to_toml(study_of(ranges_map())), encoding="utf-8")
    assert load_study(path).digest == study_of(ranges_map()).digest


def test_digest_is_stable_and_tells_every_field():
    assert set(OTHER_VALUES) == set(Study.model_fields)
    reference = study_of(ranges_map())
    assert reference.digest == study_of(ranges_map()).digest
    fields = reference.model_dump()
    digests = {Study(**(fields | {name: value})).digest for name, value in OTHER_VALUES.items()}
    assert len(digests | {reference.digest}) == len(OTHER_VALUES) + 1
    reordered = study_of(ranges_map(), roster=CLINICS[::-1])
    assert reordered.digest != reference.digest


def test_digest_is_the_hash_of_canonical_json():
    study = Study(title="t", roster=("a", "b"), participants=10, epsilon=4, delta=1e-5)
    canonical = (
        '{"attribute_groups": [], "collusion_margin": 1, "confusion_counts": false, '
        '"delta": 1e-05, "epsilon": 4.0, "feature_map": "", "local": null, '
        '"method": "federated-dp", "mode": "secure-sum", "parent": null, "participants": 10, '
        '"regularisation_c": 1.0, "roster": [{"mask_key": "", "name": "a"}, '
        '{"mask_key": "", "name": "b"}], "rounds": null, "title": "t"}'
    )
    assert study.digest == hashlib.sha256(canonical.encode()).hexdigest()


@pytest.mark.parametrize(("before", "now"), [(False, 0), (True, 2)])
def test_a_study_from_before_there_were_bins_keeps_its_hash(tmp_path, before, now):
    """Ledgers, journals and model files name studies by it."""
    text = study_to_toml(study_of(ranges_map()))
    assert "evaluation_bins = 0" in text
    path = tmp_path / "study.toml"
    flag = f"confusion_counts = {str(before).lower()}"
    path.write_text(text.replace("evaluation_bins = 0", flag), encoding="utf-8")
    study = load_study(path)
    assert study == study_of(ranges_map(), evaluation_bins=now)
    fields = study.model_dump(mode="json")
    del fields["evaluation_bins"]
    canonical = json.dumps(fields | {"confusion_counts": before}, sort_keys=True)
    assert study.digest == hashlib.sha256(canonical.encode()).hexdigest()


def test_every_number_of_bins_is_another_study():
    digests = {study_of(ranges_map(), evaluation_bins=bins).digest for bins in (0, 2, 4, 6, 8)}
    assert len(digests) == 5


def test_a_plain_name_stands_for_a_clinic_without_a_key():
    study = Study(title="t", roster=("a", "b"), participants=10, epsilon=4, delta=1e-5)
    assert study.clinics == ("a", "b")
    assert study.roster[0] == RosterClinic(name="a", mask_key="")
    assert study.mask_keys == ()


def test_sums_are_masked_in_secure_sum_studies_only():
    keys = tuple(clinic.mask_key for clinic in roster_of(*CLINICS))
    assert study_of().mask_keys == keys
    for changes in ({"mode": "local"}, {"mode": "none"}, {"method": "federated"}):
        assert study_of(**changes).mask_keys == ()


def test_a_clinics_share_of_the_noise_follows_the_mode():
    sigma = 2.7
    whole = (GRID * Fraction(sigma)) ** 2
    for margin in (0, 1, 2):
        study = study_of(collusion_margin=margin)
        assert study.share(sigma) == math.ceil(whole / (3 - margin))
        assert study_of(collusion_margin=margin, mode="local").share(sigma) == math.ceil(whole)
        assert study_of(collusion_margin=margin, mode="none").share(sigma) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epsilon": None}, "method federated-dp needs epsilon and delta"),
        ({"delta": None}, "method federated-dp needs epsilon and delta"),
        ({"method": "local-dp", "local": None}, r"needs a \[local\] section"),
        ({"roster": ("Aspen", "Aspen")}, "stands twice"),
        ({"roster": ()}, "roster"),
        ({"roster": ["Aspen", ""]}, "roster.1.name"),
        ({"roster": ["Aspen", 3]}, "roster.1"),
        ({"roster": [*roster_of("Aspen"), "Birch"]}, "own, or none has"),
        ({"roster": (*roster_of("Aspen"), {"name": "B", "mask_key": KEY})}, "own, or none has"),
        ({"roster": [{"name": "A", "mask_key": KEY.upper()}]}, "roster.0.mask_key"),
        ({"roster": [{"name": "A", "mask_key": KEY[:-1]}]}, "roster.0.mask_key"),
        ({"roster": [{"name": "A", "mask_key": KEY + "\n"}]}, "roster.0.mask_key"),
        ({"roster": [{"name": "A", "key": KEY}]}, "roster.0.key"),
        ({"mode": "open"}, "mode"),
        ({"rounds": 0}, "rounds"),
        ({"rounds": 65}, "rounds"),
        ({"parent": {"study": "A" * 64, "spent_mu2": 0, "weights": [0]}}, "parent.study"),
        ({"parent": {"study": "a" * 64, "spent_mu2": -1, "weights": [0]}}, "parent.spent_mu2"),
        ({"parent": {"study": "a" * 64, "spent_mu2": 0, "weights": []}}, "parent.weights"),
        ({"parent": {"study": "a" * 64, "spent_mu2": 0, "weights": [math.nan]}}, "weights"),
        ({"collusion_margin": 3}, "smaller than the number of clinics"),
        ({"collusion_margin": -1}, "collusion_margin"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": math.inf}, "epsilon"),
        ({"epsilon": math.nan}, "epsilon"),
        ({"delta": 1.0}, "delta"),
        ({"participants": 0}, "participants"),
        ({"regularisation_c": math.inf}, "regularisation_c"),
        ({"attribute_groups": ("gaze",)}, "attribute_groups"),
        ({"method": "secret"}, "method"),
        ({"title": ""}, "title"),
        ({"sigma": 1.0}, "sigma"),
        ({"evaluation_bins": 3}, "evaluation_bins"),
        ({"evaluation_bins": 10}, "evaluation_bins"),
        ({"evaluation_bins": True}, "evaluation_bins"),
        ({"method": "local-dp", "evaluation_bins": 2}, "evaluation_bins needs method federated-dp"),
        ({"method": "federated", "evaluation_bins": 4}, "federated has no such exchange"),
        ({"confusion_counts": 2}, "write evaluation_bins = 2"),
        ({"confusion_counts": True, "evaluation_bins": 4}, "confusion_counts is now evaluation"),
    ],
)
def test_an_impossible_study_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        study_of(ranges_map(), **changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "is not a TOML file"),
        ("title = 't'\nroster = ['a', 'b']", "participants: Field required"),
        ("title = 't'\nroster = ['a']\nparticipants = 9\nsigma = 1", "sigma: Extra inputs"),
        (
            "title = 't'\nroster = ['a']\nparticipants = 9",
            "study: Value error, method federated-dp needs epsilon",
        ),
        (
            "title = 't'\nroster = ['a']\nparticipants = 9\nmethod = 'local-dp'\nepsilon = 1.0\n"
            "delta = 0.1\nlocal = {rounds = 0, steps = 1, learning_rate = 1, clipping_norm = 1}",
            "local.rounds: ",
        ),
    ],
)
def test_a_bad_file_is_refused_by_field(tmp_path, text, message):
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_study(path)


def test_no_file_and_no_text_are_refused(tmp_path):
    with pytest.raises(InputError, match="no study at"):
        load_study(tmp_path / "study.toml")
    (tmp_path / "study.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a TOML file"):
        load_study(tmp_path / "study.toml")


def test_a_frozen_study_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        study_of(ranges_map()).epsilon = 8.0


def test_plan_follows_from_study_and_map():
    plan = study_of(people_map()).plan(people_map())
    assert plan.mu == pytest.approx(mu_of(4, 1e-5))
    assert (plan.participants, plan.clinics, plan.collusion_margin) == (90, 3, 1)
    assert plan.sigma_threshold is not None
    assert study_of(ranges_map()).plan(ranges_map()).sigma_threshold is None
    parent = PARENT.model_copy(update={"weights": (0.5,) * people_map().dimension})
    asked = study_of(people_map(), rounds=1, evaluation_bins=2, parent=parent)
    plan = asked.plan(people_map())
    assert plan.rounds == 1
    assert plan.sigma_evaluation is not None
    assert plan.mu**2 == pytest.approx(mu_of(4, 1e-5) ** 2 - 0.25)


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.1,) * 5, (2.0**17,) * 5, (1e18,) * 5])
def test_inherited_weights_that_no_training_released_are_refused(weights):
    # Off the grid or too long, a margin would depend on who else is in the batch.
    parent = PARENT.model_copy(update={"weights": weights})
    with pytest.raises(InputError, match="not weights of its feature map"):
        study_of(people_map(), rounds=1, parent=parent).plan(people_map())


def test_two_parties_derive_the_same_plan_from_their_own_copies(tmp_path):
    study = study_of(people_map(), evaluation_bins=2)
    path = tmp_path / "study.toml"
    path.write_text(study_to_toml(study), encoding="utf-8")
    assert load_study(path).plan(people_map()).digest == study.plan(people_map()).digest


def test_no_plan_with_another_map_or_method():
    with pytest.raises(InputError, match=r"names feature map .*public constants"):
        study_of(ranges_map()).plan(ranges_map(3))
    with pytest.raises(InputError, match="method 'federated'"):
        study_of(method="federated").plan(ranges_map())
