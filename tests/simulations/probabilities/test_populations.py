import functools

import numpy as np
import pytest
from drawn_features import drawn_features
from scipy.special import expit

from shared.channels import ATTRIBUTE_GROUPS
from shared.features import temporal_features
from shared.privacy.constants import load_constants
from simulations.probabilities import populations
from simulations.probabilities.populations import (
    ASD_SHARE,
    draw_population,
    fitted_line,
    standard_study,
)


@functools.cache
def population():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(populations, "_features", drawn_features)
        return draw_population(8_009_800, reference=120, pool=100, held_out=40)


@functools.cache
def mapped():
    return population().mapped(load_constants(), ("au", "expression"))


def test_parts_share_nobody_and_have_the_same_share_of_asd():
    own = population()
    parts = (own.reference, own.pool, own.held_out)
    assert [len(part) for part in parts] == [120, 100, 40]
    assert len(np.unique(np.concatenate(parts))) == 260
    for part in parts:
        assert own.asd[part].mean() == pytest.approx(ASD_SHARE, abs=0.5 / len(part) + 1e-9)


def test_features_are_those_of_the_childs_own_series():
    own = draw_population(8_009_800, reference=8, pool=8, held_out=4, clinics=2)
    for child in (0, 17):
        series = own.cohort.series(int(own.rows[child]))
        assert np.array_equal(own.features[child], temporal_features(series))
        assert own.cohort.participants[own.rows[child]].asd == own.asd[child]


def test_the_same_seed_gives_the_same_models_and_more_noise_worse_ones():
    own = mapped()
    phi, asd = own.phi[population().held_out], population().asd[population().held_out]
    study = standard_study(own.feature_map, 4.0, 88)
    one, again = (own.studies(study, 6).scaled_scores(phi) for _ in range(2))
    assert np.array_equal(one, again)
    assert one.shape == (6, 40)

    def separation(epsilon):
        scores = own.studies(standard_study(own.feature_map, epsilon, 88), 30).scaled_scores(phi)
        return scores[:, asd].mean() - scores[:, ~asd].mean()

    assert separation(8.0) > 1.5 * separation(1.0) > 0


def test_a_clinic_can_be_left_out_and_the_share_chosen():
    own = mapped()
    seen = []

    class Watched(type(own)):
        def _trained(self, part, train, plan, inflation, rng):
            seen.append((part, train, inflation))
            return super()._trained(part, train, plan, inflation, rng)

    watched = Watched(own.population, own.feature_map, own.phi)
    watched.studies(standard_study(own.feature_map, 4.0, 44), 3, asd_share=0.25, without_clinic=0)
    part, train, inflation = seen[0]
    assert inflation == pytest.approx(np.sqrt(4 / 3), rel=1e-6)
    assert not train[:, population().clinic[part] == 0].any()
    assert (train.sum(axis=1) == 44).all()
    assert (train[:, population().asd[part]].sum(axis=1) == 11).all()


def test_the_very_large_study_is_trained_without_noise_and_put_on_log_odds():
    model, slope, intercept = mapped().reference()
    again, *_ = mapped().reference()
    assert np.array_equal(model.directions, again.directions)
    own = population()
    others = np.concatenate([own.pool, own.held_out])
    stated = expit(intercept + slope * model.scaled_scores(mapped().phi[others])[0])
    # A fitted logistic regression agrees with the labels on average.
    assert stated.mean() == pytest.approx(own.asd[others].mean(), abs=1e-3)
    assert slope > 0


def test_a_line_is_recovered():
    rng = np.random.default_rng(0)
    scores = 2 * rng.standard_normal(40_000)
    asd = rng.random(40_000) < expit(0.3 + 1.2 * scores)
    assert fitted_line(scores, asd) == pytest.approx((1.2, 0.3), abs=0.05)


def test_the_standard_study_reads_the_maps_groups():
    feature_map = population().mapped(load_constants(), ATTRIBUTE_GROUPS).feature_map
    study = standard_study(feature_map, 2.0, 264)
    study.check_map(feature_map)
    assert (study.attribute_groups, len(study.clinics)) == (ATTRIBUTE_GROUPS, 4)
