import numpy as np
import pytest

from client.prediction.words import channel_parts, describe, group_parts
from shared.channels import CHANNELS
from shared.privacy.attribution import Attribution

AU12, JOY, VALENCE = (CHANNELS.index(name) for name in ("au12", "expression_joy", "valence"))


@pytest.mark.parametrize(
    ("channel", "kind", "deviation", "words"),
    [
        ("au12", "variability", -1.0, "AU 12 lip corner pulled: varies less than average"),
        ("au12", "variability", 0.2, "AU 12 lip corner pulled: varies slightly more than average"),
        ("expression_joy", "level", 2.0, "Joy: shown much more strongly than average"),
        ("expression_joy", "level", -1.0, "Joy: shown less strongly than average"),
        ("valence", "level", 1.0, "Valence: higher than average"),
        ("arousal", "level", -1.6, "Arousal: much lower than average"),
        ("arousal", "dynamics", 1.0, "Arousal: changes faster than average"),
        ("au43", "dynamics", -1.0, "AU 43 eyes closed: changes more slowly than average"),
    ],
)
def test_words_follow_the_deviation(channel, kind, deviation, words):
    assert describe(channel, kind, deviation) == words


def test_words_are_right_about_a_real_change():
    """A face that smiles more, varies more, or changes more slowly is described so."""
    from released import affect_study, private_model, recorded

    from shared.features import temporal_features
    from shared.privacy.attribution import attribute_score
    from shared.privacy.constants import load_constants
    from shared.privacy.unit_vectors import AffectMap

    feature_map = AffectMap(load_constants(), ("au",))
    direction = np.array(private_model(affect_study(("au",))).direction)

    def deviations(values):
        features = temporal_features(values)
        return attribute_score(features, feature_map, direction, 0.0).deviations[AU12]

    plain = recorded(seconds=120).values.copy()
    plain[:, AU12] = np.clip(plain[:, AU12], 0.0, 0.45)
    before = deviations(plain)
    wider, slower = plain.copy(), plain.copy()
    middle = np.nanmedian(plain[:, AU12])
    wider[:, AU12] = np.clip(middle + 2 * (plain[:, AU12] - middle), 0, 1)
    assert deviations(wider)[1] > before[1] + 0.3
    slower[:, AU12] = np.repeat(plain[:, AU12], 4)[: len(plain)]
    slower[np.isnan(plain[:, 0]) | np.isnan(slower[:, AU12])] = np.nan
    assert deviations(slower)[2] < before[2] - 0.3
    stronger = plain.copy()
    # The neutral face is that of the most neutral frames; the others smile more.
    smiling = stronger[:, 0] < np.nanquantile(stronger[:, 0], 0.75)
    stronger[smiling, AU12] += 0.2
    assert deviations(stronger)[0] > before[0] + 0.3


def attribution():
    parts, deviations = np.zeros((22, 3)), np.full((22, 3), np.nan)
    for channel in (AU12, JOY):
        deviations[channel] = (1.0, -1.0, 2.0)
    parts[AU12] = (0.1, -0.5, 0.1)
    parts[JOY] = (0.4, 0.3, -0.1)
    return Attribution(parts, 0.25, deviations)


def test_channels_are_ordered_by_size_and_named_by_what_did_most_of_it():
    joy, au12 = channel_parts(attribution())
    assert (joy.channel, joy.towards, joy.part) == ("expression_joy", "ASD", pytest.approx(0.6))
    assert joy.words == "Joy: shown more strongly than average"
    # Its level and dynamics speak for ASD, but what moved it is its variability.
    assert (au12.towards, au12.words) == (
        "non-ASD",
        "AU 12 lip corner pulled: varies less than average",
    )
    assert au12.classes == pytest.approx({"level": 0.1, "variability": -0.5, "dynamics": 0.1})
    assert au12.deviations["dynamics"] == 2.0


def test_groups_add_up():
    found = group_parts(attribution())
    assert found == pytest.approx({"au": -0.3, "expression": 0.6})
    assert sum(found.values()) + 0.25 == pytest.approx(attribution().score)
