import json

import pytest

from client.doctor.ladder import Found, Ladder, to_json
from shared.errors import InputError


def raising(error):
    def check():
        raise error

    return check


def test_a_failed_rung_stops_only_what_stands_on_it():
    ladder = Ladder()
    ladder.step("a", "First", raising(InputError("a is wrong; mend it")))
    ladder.step("b", "Second", lambda: Found("never reached"), needs=("a",))
    ladder.step("c", "Third", lambda: Found("never reached"), needs=("b",))
    ladder.step("d", "Fourth", lambda: Found("fine", value=7))
    assert [finding.status for finding in ladder.findings] == [
        "failed",
        "not run",
        "not run",
        "passed",
    ]
    assert ladder.findings[1].text == "needs what failed above: First"
    assert ladder.findings[0].text == "a is wrong; mend it"
    assert ladder.value("d") == 7
    assert ladder.value("b") is None
    assert ladder.failed


def test_a_warning_stops_nothing_and_is_no_failure():
    ladder = Ladder()
    ladder.step("a", "First", lambda: Found("so so", "warning", "look at it"))
    assert ladder.step("b", "Second", lambda: Found("fine"), needs=("a",)).status == "passed"
    assert not ladder.failed


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (RuntimeError("P017"), "RuntimeError in test_ladder.py, line"),
        (ImportError("libfoo.so"), "cannot be loaded (libfoo.so)"),
    ],
)
def test_whatever_a_check_raises_is_a_finding_with_advice(error, text):
    finding = Ladder().step("a", "First", raising(error))
    assert finding.status == "failed"
    assert text in finding.text
    assert "P017" not in finding.text
    assert finding.advice


def test_a_person_can_still_stop_it():
    with pytest.raises(KeyboardInterrupt):
        Ladder().step("a", "First", raising(KeyboardInterrupt()))


def test_titles_and_findings_are_told_as_they_come():
    begun, ended = [], []
    ladder = Ladder(begun.append, ended.append)
    ladder.step("a", "First", raising(InputError("wrong")))
    ladder.step("b", "Second", lambda: Found("fine"), needs=("a",))
    assert begun == ["First"]
    assert ended == ladder.findings


def test_a_script_gets_everything_as_json():
    ladder = Ladder()
    ladder.step("a", "First", lambda: Found("so so", "warning", "look", {"free_bytes": 3}))
    ladder.step("b", "Second", raising(InputError("wrong")))
    read = json.loads(to_json(ladder.findings))
    assert read["counts"] == {"passed": 0, "warning": 1, "failed": 1, "not run": 0}
    assert read["checks"][0] == {
        "check": "a",
        "title": "First",
        "status": "warning",
        "found": "so so",
        "advice": "look",
        "numbers": {"free_bytes": 3},
    }
    assert "numbers" not in read["checks"][1]
