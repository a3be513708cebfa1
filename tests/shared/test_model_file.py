import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from released import affect_study, forged, linear_model, model_text, private_model, write_model

from shared.channels import ATTRIBUTE_GROUPS
from shared.errors import InputError
from shared.features import FEATURE_RANGES
from shared.model import PrivateModel
from shared.model_file import MODEL_FILE_VERSION, model_file_text, read_model_file
from shared.privacy.constants import load_constants
from shared.study import LocalTraining

LOCAL = LocalTraining(rounds=3, steps=2, learning_rate=1.0, clipping_norm=0.5)
VALENCE = affect_study(("valence",))
TEXT = model_text(study=VALENCE)


@pytest.fixture
def read(tmp_path):
    """Read a model file of this text; a refusal is returned."""

    def call(text):
        path = tmp_path / "model.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        try:
            return read_model_file(path)
        except InputError as error:
            return error

    return call


@pytest.mark.parametrize(
    ("study", "make"),
    [
        (affect_study(), private_model),
        (affect_study(("au", "valence"), epsilon=1.0, mode="local"), private_model),
        (affect_study(evaluation_bins=2), private_model),
        (affect_study(method="local-dp", local=LOCAL), private_model),
        (affect_study(("arousal",), method="federated"), linear_model),
    ],
)
def test_what_is_written_is_read_back(tmp_path, study, make):
    model = make(study)
    read = write_model(tmp_path / "m.json", model, study)
    assert (read.model, read.study, read.software) == (model, study, "fedaffect test")
    assert read.constants.digest == load_constants().digest
    assert read.sha256 == hashlib.sha256((tmp_path / "m.json").read_bytes()).hexdigest()
    assert read.feature_map.groups == study.attribute_groups


def test_the_file_needs_nothing_but_itself_to_score(tmp_path, monkeypatch):
    low, high = FEATURE_RANGES.T
    features = low + (high - low) * np.random.default_rng(0).uniform(0.1, 0.9, (3, len(low)))
    known = write_model(tmp_path / "m.json")
    expected = known.model.scores(features, known.feature_map)
    monkeypatch.setattr("shared.privacy.constants.DEFAULT_CONSTANTS", tmp_path / "none")
    again = read_model_file(tmp_path / "m.json")
    assert np.array_equal(again.model.scores(features, again.feature_map), expected)


def test_the_same_training_gives_the_same_bytes():
    assert model_text() == model_text()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"study": "0" * 64}, "the model names study"),
        ({"direction": (0.5, 0.5)}, "2 numbers; its map has 6"),
        ({"direction": (0.0,) * 6}, "its length is 0"),
        ({"direction": (0.5,) * 5 + (1e-9,)}, "not on the grid"),
        ({"direction": (65536.0,) * 6}, "too large"),
        ({"threshold": 2.0}, "farther out"),
        ({"epsilon": 3.9}, "not the study's"),
        ({"delta": 2e-5}, "not the study's"),
        ({"mu": 0.5}, "not what the study's plan spends"),
        ({"evaluation_counts": (1.0, 2.0, 3.0, 4.0)}, "evaluation_counts"),
    ],
)
def test_a_model_that_is_not_the_studys_is_neither_written_nor_read(read, change, told):
    wrong = replace(private_model(VALENCE), **change)
    with pytest.raises(InputError, match=told):
        model_file_text(wrong, VALENCE, load_constants(), "test")
    content = json.loads(TEXT)["content"]["model"] | json.loads(json.dumps(change))
    error = read(forged(TEXT, model=content))
    assert isinstance(error, InputError)
    assert told in str(error)
    assert "Ask the coordinator" in str(error)


@pytest.mark.parametrize("asked", [False, True])
def test_a_file_of_version_1_is_read(tmp_path, asked):
    study = affect_study(("valence",), evaluation_bins=2 if asked else 0)
    document = json.loads(model_text(private_model(study), study))
    content = document["content"]
    content["study"]["confusion_counts"] = content["study"].pop("evaluation_bins") == 2
    content["model"]["confusion_counts"] = content["model"].pop("evaluation_counts")
    path = tmp_path / "m.json"
    path.write_text(forged(json.dumps(document | {"version": 1})))
    read = read_model_file(path)
    assert (read.model, read.study) == (private_model(study), study)
    path.write_text(forged(json.dumps(document)))  # the old name in a new file
    with pytest.raises(InputError, match="confusion_counts"):
        read_model_file(path)


@pytest.mark.parametrize("bins", [2, 6])
def test_evaluation_counts_are_two_for_each_score_bin_where_the_study_asks(bins):
    study = affect_study(("valence",), evaluation_bins=bins)
    for counts in (None, (), (1.0, 2.0), (1.0,) * (2 * bins + 2)):
        with pytest.raises(InputError, match=f"two for each of its {bins} score bins"):
            model_text(private_model(study, evaluation_counts=counts), study)
    model_text(private_model(study, evaluation_counts=(1.0,) * (2 * bins)), study)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mean": (0.0,)}, "mean: 1 numbers; its attribute groups have 16"),
        ({"scale": (0.0,) * 16}, "not above 0"),
        ({"coefficients": ()}, "coefficients: 0 numbers"),
    ],
)
def test_a_linear_model_must_fit_its_features(change, told):
    study = affect_study(("valence",), method="federated")
    with pytest.raises(InputError, match=told):
        model_text(linear_model(study, **change), study)


def test_the_kind_of_model_must_be_the_methods():
    exact = affect_study(method="federated")
    with pytest.raises(InputError, match="without privacy releases no private model"):
        model_text(replace(private_model(affect_study()), study=exact.digest), exact)
    with pytest.raises(InputError, match="with privacy releases no model without it"):
        model_text(replace(linear_model(exact), study=VALENCE.digest), VALENCE)


def test_a_study_of_other_data_has_no_affect_model():
    table = affect_study(attribute_groups=())
    with pytest.raises(InputError, match="no attribute groups"):
        model_text(replace(private_model(affect_study()), study=table.digest), table)


def test_another_map_or_damaged_constants_are_refused(read):
    content = json.loads(TEXT)["content"]
    constants = content["constants"]
    moved = constants | {"mean": [value + 0.01 for value in constants["mean"]]}
    assert "names feature map" in str(read(forged(TEXT, constants=moved)))
    flat = constants | {"sd": [0.0] * len(constants["sd"])}
    assert "numbers above 0 are needed" in str(read(forged(TEXT, constants=flat)))
    group = constants["groups"]["valence"] | {"fine_whitening": [[1.0] * 3] * 3}
    singular = constants | {"groups": constants["groups"] | {"valence": group}}
    assert "cannot be undone" in str(read(forged(TEXT, constants=singular)))


def test_a_study_that_was_edited_is_another_study(read):
    study = json.loads(TEXT)["content"]["study"] | {"participants": 880}
    assert "the study in the file is" in str(read(forged(TEXT, study=study)))


def test_a_changed_number_is_noticed_without_knowing_the_right_one(read):
    direction = json.loads(TEXT)["content"]["model"]["direction"]
    changed = TEXT.replace(repr(direction[0]), repr(direction[0] + 2**-20))
    assert changed != TEXT
    assert "damaged on its way or changed" in str(read(changed))


def test_files_of_other_versions_say_what_to_do(read):
    old = {"kind": "PrivateModel", "study": "0" * 64, "direction": [1.0], "threshold": 0.0}
    error = str(read(json.dumps(old)))
    assert "older version" in error
    assert "asks the clinics nothing" in error
    newer = json.loads(TEXT) | {"version": MODEL_FILE_VERSION + 1}
    assert "Install a newer fedaffect" in str(read(json.dumps(newer)))
    assert "unknown version 0" in str(read(json.dumps(newer | {"version": 0})))


def test_a_missing_file_and_a_folder_are_no_model(tmp_path):
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(InputError, match="there is no model file"):
            read_model_file(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"null",
        b'"direction"',
        b"[" * 100_000,
        b'{"format": "fedaffect-model", "version": 1, "sha256": 5, "content": {}}',
        b'{"direction": NaN}',
        b"9" * 10_000,
        b" " * (5 * 2**20),
    ],
)
def test_no_content_crashes_the_reader(read, content):
    assert isinstance(read(content), InputError)


def test_a_title_cannot_write_to_the_terminal(tmp_path):
    study = affect_study(("valence",), title="a\x1b[2Jb\u202ec\nd")
    assert write_model(tmp_path / "m.json", private_model(study), study).title == "a [2Jb c d"


BYTES = TEXT.encode()
DAMAGE = st.tuples(
    st.integers(0, len(BYTES)),
    st.integers(0, 40),
    st.one_of(st.binary(max_size=8), st.sampled_from([b"-", b"0", b"e9", b'"', b"}", b" "])),
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DAMAGE, min_size=1, max_size=3))
def test_damaged_bytes_are_refused_or_change_nothing(read, damages):
    content = BYTES
    for start, length, instead in damages:
        content = content[:start] + instead + content[start + length :]
    found = read(content)
    if not isinstance(found, InputError):
        intact = read(BYTES)
        assert (found.model, found.study) == (intact.model, intact.study)
        assert found.constants == intact.constants


HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.sampled_from(["", "\x1b[2J", "\ud800", "x" * 1000, 1e308, -1e308, 1e-308, [], {}, [[]]]),
    st.lists(st.floats(allow_nan=False), max_size=7),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def places(value, path=()):
    """Paths to a value and everything in it; of lists the first two items."""
    yield path
    inside = value if isinstance(value, dict) else {}
    if isinstance(value, list):
        inside = dict(enumerate(value[:2]))
    for key, item in inside.items():
        yield from places(item, (*path, key))


CONTENT = json.loads(TEXT)["content"]
PLACES = [path for path in places(CONTENT) if path]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PLACES), HOSTILE, st.booleans())
def test_hostile_content_with_a_fitting_hash_is_refused_or_scores(read, place, value, rename):
    content = json.loads(json.dumps(CONTENT))
    holder = content
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    if rename and place[0] == "study":
        try:
            content["model"]["study"] = affect_study(**content["study"]).digest
        except (TypeError, ValueError):
            return
    found = read(forged(TEXT, **content))
    if isinstance(found, InputError):
        return
    model = found.model
    assert isinstance(model, PrivateModel)
    low, high = FEATURE_RANGES.T
    score = model.scores(((low + high) / 2)[None], found.feature_map)[0]
    assert math.isfinite(score)
    assert abs(score) <= 2
    assert found.study.attribute_groups == ("valence",) != ATTRIBUTE_GROUPS
    assert len(model.direction) == found.feature_map.dimension
