import json

import numpy as np
import pytest

from shared.channels import ATTRIBUTE_GROUPS, all_combinations, combination_name
from shared.errors import InputError
from shared.features import FEATURE_NAMES, FEATURE_RANGES, FEATURES_VERSION
from shared.privacy.constants import (
    CONSTANTS_VERSION,
    composites,
    load_constants,
    standard_scores,
)
from shared.privacy.constants_building import build_constants
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap


def people(n, seed=0):
    """Correlated features well within their public ranges."""
    rng = np.random.default_rng(seed)
    low, high = FEATURE_RANGES.T
    latent = rng.standard_normal((n, 5)) @ rng.standard_normal((5, len(low)))
    noise = rng.standard_normal((n, len(low)))
    return low + (high - low) / (1 + np.exp(1.5 - 0.3 * latent - 0.3 * noise))


@pytest.fixture(scope="module")
def constants():
    return build_constants(people(60), "sixty made-up people")


@pytest.fixture
def content(constants):
    return json.loads(constants.to_json())


def load(tmp_path, content):
    path = tmp_path / "constants.json"
    path.write_text(json.dumps(content))
    return load_constants(path)


def test_packaged_constants_are_current():
    packaged = load_constants()
    assert (packaged.version, packaged.features_version) == (CONSTANTS_VERSION, FEATURES_VERSION)
    assert packaged.people >= 20
    assert set(packaged.top_eigenvalue) == {combination_name(c) for c in all_combinations()}
    assert all(0 < value <= 1 for value in packaged.top_eigenvalue.values())
    # Unit vectors of k coordinates have a mean outer product of trace one, at most.
    assert min(packaged.top_eigenvalue.values()) > 0.9 / 78


def test_file_gives_back_the_same_constants(tmp_path, constants, content):
    loaded = load(tmp_path, content)
    assert loaded == constants
    assert loaded.digest == constants.digest


@pytest.mark.parametrize(
    "where",
    [
        ("mean", 3),
        ("sd", -1),
        ("groups", "au", "fine_whitening", 2, 5),
        ("groups", "valence", "coarse_variance"),
        ("top_eigenvalue", "au"),
    ],
)
def test_digest_tells_every_number(tmp_path, constants, content, where):
    *path, last = where
    inner = content
    for key in path:
        inner = inner[key]
    inner[last] = float(np.nextafter(inner[last], 0))
    assert load(tmp_path, content).digest != constants.digest


def test_public_people_are_centred_and_have_the_planned_spread(constants):
    scores = standard_scores(constants, people(60))
    assert np.abs(scores).max() <= 3
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=0.1)
    for group in ATTRIBUTE_GROUPS:
        block = constants.groups[group]
        fine, coarse = composites(scores, group)
        for values, whitening, centre, variance in (
            (fine, block.fine_whitening, block.fine_centre, block.fine_variance),
            (coarse, block.coarse_whitening, block.coarse_centre, block.coarse_variance),
        ):
            white = values @ np.array(whitening) - np.array(centre)
            np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-9)
            assert white.var(axis=0, ddof=1).sum() == pytest.approx(variance)
            np.testing.assert_allclose(np.array(whitening), np.array(whitening).T, atol=1e-12)
            # The whitening undoes the covariance, shrunk by a fifth towards its diagonal.
            covariance = np.cov(values, rowvar=False)
            shrunk = 0.2 * np.diag(np.diag(covariance)) + 0.8 * covariance
            np.testing.assert_allclose(
                np.array(whitening) @ shrunk @ np.array(whitening),
                np.eye(len(covariance)),
                atol=1e-8,
            )


def test_top_eigenvalue_is_that_of_the_public_unit_vectors(constants):
    chosen = AffectMap(constants, ATTRIBUTE_GROUPS)
    rows = chosen.unit_vectors(people(60)) / GRID
    moment = rows.T @ rows / len(rows)
    assert chosen.top_eigenvalue == pytest.approx(np.linalg.eigvalsh(moment)[-1], rel=1e-9)
    assert np.linalg.norm(chosen.unit_vectors(people(60)) / GRID, axis=1).min() > 0.99


def test_composites_are_signed_means_of_their_members():
    scores = np.ones((1, len(FEATURE_NAMES)))
    fine, coarse = composites(scores, "au")
    assert fine.shape == (1, 36)
    np.testing.assert_allclose(coarse[0], fine.reshape(12, 3).mean(axis=0))


def test_too_few_complete_people_are_refused():
    few = people(25)
    few[:6, 0] = np.nan
    with pytest.raises(InputError, match=r"19 usable public people \(25 given\)"):
        build_constants(few, "pilot")


def test_people_with_gaps_are_left_out():
    some = people(30)
    some[0, 5] = np.inf
    assert build_constants(some, "pilot").people == 29


def drop_last(items):
    items.pop()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda c: c.update(version=CONSTANTS_VERSION + 1),
            f"constants {CONSTANTS_VERSION + 1} and features",
        ),
        (lambda c: c.update(features_version=99), "features 99"),
        (lambda c: drop_last(c["mean"]), r"\(351 of them\)"),
        (lambda c: drop_last(c["sd"]), "sd: 352 numbers above 0"),
        (lambda c: c["sd"].__setitem__(0, 0.0), "sd: 352 numbers above 0"),
        (lambda c: c["mean"].__setitem__(7, float("nan")), "mean.7"),
        (lambda c: c.update(people=19), "people: 19, at least 20"),
        (lambda c: c["groups"].pop("valence"), "groups: valence is missing"),
        (lambda c: drop_last(c["groups"]["au"]["fine_centre"]), "groups.au: a fine whitening"),
        (lambda c: drop_last(c["groups"]["au"]["coarse_whitening"][0]), "a coarse whitening"),
        (lambda c: c["groups"]["au"].update(fine_variance=0.0), "groups.au: a fine whitening"),
        (lambda c: c["top_eigenvalue"].pop("au"), "top_eigenvalue: au must"),
        (lambda c: c["top_eigenvalue"].update(au=1.2), "top_eigenvalue: au must"),
        (lambda c: c.pop("people"), "people: Field required"),
        (lambda c: c.update(extra=1), "extra: "),
    ],
)
def test_a_spoilt_file_is_refused(tmp_path, content, spoil, message):
    spoil(content)
    with pytest.raises(InputError, match=message):
        load(tmp_path, content)


def test_half_a_file_and_no_file_are_refused(tmp_path, constants):
    path = tmp_path / "constants.json"
    with pytest.raises(InputError, match="no public constants"):
        load_constants(path)
    text = constants.to_json()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(InputError, match="not a constants file"):
        load_constants(path)
