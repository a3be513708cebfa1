import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from client.quality.limits import QualityLimits, load_quality_limits
from client.quality.measures import RecordingMeasures
from client.quality.verdict import clock, judge
from shared.errors import InputError

GOOD = RecordingMeasures(400, 390, 0.975, 3, 60, 120, 250, 0.02, 30, True)


def test_a_good_recording_is_usable_without_a_reason():
    assert judge(GOOD, QualityLimits()) == ("usable", ())


@pytest.mark.parametrize(
    ("change", "level", "reason"),
    [
        ({"face_s": 0.0, "face_share": 0.0}, "unusable", "no face was found"),
        ({"face_s": 29.9}, "unusable", "30 s are needed"),
        ({"face_share": 0.79}, "doubtful", "seen in 79% of the recording"),
        ({"face_share": 0.49}, "unusable", "seen in 49% of the recording"),
        ({"longest_gap_s": 10.1}, "doubtful", "no face for 10 s from 1:00 on"),
        ({"longest_gap_s": 61}, "unusable", "no face for 61 s from 1:00 on"),
        ({"brightness": 49}, "doubtful", "the face is dark (brightness 49)"),
        ({"brightness": 24, "sharpness": 2}, "unusable", "the face is dark (brightness 24)"),
        ({"brightness": 211}, "doubtful", "overexposed"),
        ({"brightness": 236}, "unusable", "overexposed"),
        ({"sharpness": 29}, "doubtful", "blurred (sharpness 29)"),
        ({"sharpness": 9}, "unusable", "blurred (sharpness 9)"),
        ({"frame_rate_hz": 19.4}, "doubtful", "only 19.4 frames a second"),
        ({"frame_rate_hz": 9}, "unusable", "only 9.0 frames a second"),
        ({"duration_s": 299}, "doubtful", "only 4:59 long, not 5:00 or more"),
        ({"second_face_share": 0.11}, "doubtful", "a second face in 11% of the looks"),
    ],
)
def test_each_measure_alone_gives_one_reason(change, level, reason):
    verdict = judge(dataclasses.replace(GOOD, **change), QualityLimits())
    assert verdict.level == level
    assert len(verdict.reasons) == 1
    assert reason in verdict.reasons[0]


def test_a_value_on_the_limit_is_good_enough():
    on = {"face_share": 0.8, "longest_gap_s": 10, "brightness": 50, "sharpness": 30}
    on |= {"frame_rate_hz": 20, "duration_s": 300, "second_face_share": 0.1, "face_s": 30}
    assert judge(dataclasses.replace(GOOD, **on), QualityLimits()).level == "usable"


def test_the_worst_reason_comes_first():
    bad = dataclasses.replace(GOOD, face_share=0.7, sharpness=5)
    verdict = judge(bad, QualityLimits())
    assert verdict.level == "unusable"
    assert ["blurred" in reason for reason in verdict.reasons] == [True, False]


def test_a_clinic_sets_its_own_limits():
    assert judge(GOOD, QualityLimits(shortest_s=600)).level == "doubtful"
    assert judge(GOOD, QualityLimits(doubtful_face_share=0.99)).level == "doubtful"


def test_time_is_shown_as_minutes_and_seconds():
    assert [clock(s) for s in (0, 59.6, 399, 3600)] == ["0:00", "1:00", "6:39", "60:00"]


SITE = '[site]\nname = "n"\n[privacy]\nepsilon = 1.0\ndelta = 1e-5\n'


def test_a_site_file_without_the_section_has_the_defaults(tmp_path):
    (tmp_path / "site.toml").write_text(SITE)
    assert load_quality_limits(tmp_path) == QualityLimits()
    (tmp_path / "site.toml").write_text(SITE + "[quality]\nshortest_s = 60\n")
    assert load_quality_limits(tmp_path) == QualityLimits(shortest_s=60)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("[quality]\nshortest = 60\n", r"\[quality\] shortest"),
        ("[quality]\ndoubtful_face_share = 80\n", r"\[quality\] doubtful_face_share"),
        ("[quality]\nshortest_s = nan\n", r"\[quality\] shortest_s"),
        ("[quality]\nleast_face_s = 5\n", r"\[quality\] least_face_s"),
        ("[quality]\nunusable_dark = 60\n", "doubtful_dark 50 must be more than unusable_dark 60"),
        ("[quality]\nunusable_gap_s = 5\n", "doubtful_gap_s 10 must be less than unusable_gap_s 5"),
        ("[quality\n", "not a TOML file"),
        ("[[quality]]\n", "must be a section"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(tmp_path, section, message):
    (tmp_path / "site.toml").write_text(SITE + section)
    with pytest.raises(InputError, match=message):
        load_quality_limits(tmp_path)


def test_the_manual_lists_every_limit_with_its_default():
    manual = (Path(__file__).parents[3] / "client" / "README.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"```toml\n(\[quality\].*?)```", manual, flags=re.DOTALL)
    assert tomllib.loads(listed)["quality"] == QualityLimits().model_dump()
