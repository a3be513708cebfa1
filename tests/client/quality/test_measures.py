import json

import numpy as np
import pytest

from client.quality.limits import QualityLimits
from client.quality.measures import measure_recording
from client.quality.verdict import judge
from shared.attributes import AttributeSeries, PictureMeasures
from shared.channels import CHANNELS


def series(found, pictures=True, seen=None, source=None, brightness=120.0, sharpness=250.0):
    found = np.asarray(found, bool)
    n = len(found)
    of_face = np.where(found, 1.0, np.nan)
    measures = PictureMeasures(
        brightness * of_face, sharpness * of_face, np.full(n, 1) if seen is None else seen
    )
    return AttributeSeries(
        participant="P01",
        time_s=np.arange(n) / 24,
        frame=np.arange(n),
        face_found=found,
        face_confidence=found,
        box=np.repeat(of_face[:, None], 4, axis=1),
        values=np.repeat(0.1 * of_face[:, None], len(CHANNELS), axis=1),
        provenance={} if source is None else {"source": source},
        pictures=measures if pictures else None,
    )


def test_gaps_shares_and_rates_are_measured():
    found = np.ones(24 * 400, bool)
    found[24 * 10 : 24 * 15] = False
    found[24 * 100 : 24 * 120] = False
    seen = np.full(len(found), -1)
    seen[::5] = 1
    seen[: 24 * 40 : 5] = 3
    source = json.dumps({"frames": 12000, "end_s": 400.0})
    m = measure_recording(series(found, seen=seen, source=source))
    assert (m.duration_s, m.face_s, m.face_share) == (400, 375, 375 / 400)
    assert (m.longest_gap_s, m.longest_gap_from_s) == (20, 100)
    assert (m.brightness, m.sharpness, m.frame_rate_hz) == (120, 250, 30)
    assert m.second_face_share == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize(
    ("found", "gap"),
    [([], (0, 0)), ([1, 1], (0, 0)), ([0, 0, 1], (0, 2)), ([1, 0, 0, 1, 0], (1, 2)), ([0], (0, 1))],
)
def test_the_longest_gap_may_lie_anywhere(found, gap):
    m = measure_recording(series(found))
    assert (m.longest_gap_from_s * 24, m.longest_gap_s * 24) == pytest.approx(gap)


def test_what_an_old_file_lacks_is_none_and_not_held_against_it():
    m = measure_recording(series(np.ones(24 * 400), pictures=False))
    assert not m.measured
    assert (m.brightness, m.sharpness, m.second_face_share, m.frame_rate_hz) == (None,) * 4
    assert judge(m, QualityLimits()) == ("usable", ())


@pytest.mark.parametrize("source", ["{", "[]", "{}", '{"frames": "x", "end_s": 1}'])
def test_a_damaged_source_note_gives_no_frame_rate(source):
    assert measure_recording(series([1], source=source)).frame_rate_hz is None


def test_a_recording_of_no_length_and_one_without_a_face_are_measured():
    assert measure_recording(series([])).face_share == 0
    m = measure_recording(series([0, 0]))
    assert (m.brightness, m.sharpness) == (None, None)
