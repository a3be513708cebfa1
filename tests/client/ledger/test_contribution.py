import math
import stat
import sys

import pytest
from ledger_cases import CHILDREN, answer_to, digest

from client.ledger.files import contribution_path
from shared.errors import LedgerError, PrivacyError


def test_a_contribution_is_recorded_counted_and_stored_before_it_is_returned(site):
    opened = site.approve()
    contribution, head = site.contribute(1)
    assert contribution == answer_to(opened.study, 1)
    assert contribution_path(site.folder, opened.study, 1).read_bytes() == contribution
    with site.open().locked() as book:
        assert book.head == head
        made = book.find_release(opened.study, 1)
        assert made is not None
        assert made.input_digest == digest("weights")
        assert book.find_release(opened.study, 2) is None
    assert head in site.counter_file.read_text()


def test_the_same_question_gets_the_same_bytes_without_computing(site, study):
    before = site.ledger_file.read_bytes()
    first, _ = site.contribute(1)
    again, _ = site.contribute(1)
    assert first == again == answer_to(study.study, 1)
    assert site.created == [(1, "weights"), (2, "weights")]
    assert site.ledger_file.read_bytes() == before


@pytest.mark.parametrize("lost", [None, b"", b"other bytes"])
def test_a_lost_or_damaged_contribution_is_made_again_only_if_it_comes_out_the_same(
    site, study, lost
):
    path = contribution_path(site.folder, study.study, 2)
    original = path.read_bytes()
    path.unlink() if lost is None else path.write_bytes(lost)
    before = site.ledger_file.read_bytes()
    with pytest.raises(LedgerError, match=r"refused for ever.*byte for byte"):
        site.contribute(2, create=lambda: b"another noise")
    assert path.exists() == (lost is not None)
    assert site.contribute(2)[0] == original
    assert path.read_bytes() == original
    assert site.ledger_file.read_bytes() == before


def test_another_input_for_a_round_is_refused(site, study):
    spent = site.spent()
    with pytest.raises(LedgerError, match="another input"):
        site.contribute(2, asked="other weights")
    with pytest.raises(LedgerError, match="another input"):
        site.contribute(2, kind="threshold")
    assert site.spent() == spent
    assert len(site.created) == 2


@pytest.mark.parametrize(
    ("round_number", "changes", "message"),
    [
        (3, {"kind": "threshold"}, "the plan has 'gradient' there"),
        (3, {"sigma": 1.0}, "less noise than"),
        (3, {"sigma": math.nan}, "sigma nan asked"),
        (3, {"sigma": math.inf}, "sigma inf asked"),
        (3, {"sigma": -2.0}, r"sigma -2\.0 asked"),
        (3, {"input_digest": "weights"}, "input_digest is malformed"),
        (3, {"study": digest("other")}, "never approved"),
        (3, {"echoed_head": digest("never")}, "never had"),
        (4, {}, "round 3 comes first"),
        (6, {}, "the plan approved here has 5 rounds"),
        (0, {}, "round is malformed"),
        (-1, {}, "round is malformed"),
    ],
)
def test_whatever_can_refuse_refuses_before_anything_is_computed(
    site, study, round_number, changes, message
):
    before = site.ledger_file.read_bytes()
    with pytest.raises(LedgerError, match=message) as refused:
        site.contribute(round_number, **changes)
    assert isinstance(refused.value, PrivacyError)
    assert not any(name in str(refused.value) for name in CHILDREN)
    assert site.created == [(1, "weights"), (2, "weights")]
    assert site.ledger_file.read_bytes() == before


def test_more_noise_than_planned_is_allowed_and_costs_less(site, study):
    before = site.spent()
    planned = study.releases[2].sigma
    site.contribute(3, sigma=2 * planned)
    assert site.spent() == pytest.approx(before - 0.75 / planned**2)


def test_a_computation_that_fails_spends_nothing(site, study):
    before = site.ledger_file.read_bytes()

    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        site.contribute(3, create=fail)
    assert site.ledger_file.read_bytes() == before
    assert site.contribute(3)[0] == answer_to(study.study, 3)


def test_every_head_the_ledger_ever_had_is_an_echo_it_accepts(site, study):
    with site.open().locked() as book:
        heads = [entry.digest for entry in book.entries]
    for head in heads:
        site.contribute(2, echoed_head=head)
    site.contribute(3, echoed_head=heads[-1])


def test_a_closed_study_answers_nothing_more(site, study):
    with site.open().locked() as book:
        book.close_study(study.study, "finished")
    for round_number in (2, 3):
        with pytest.raises(LedgerError, match="closed at this clinic"):
            site.contribute(round_number)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_files_are_for_their_owner_only(site, study):
    files = [
        site.ledger_file,
        site.counter_file,
        contribution_path(site.folder, study.study, 1),
    ]
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600] * 3
    folders = [site.state, contribution_path(site.folder, study.study, 1).parent]
    assert [stat.S_IMODE(path.stat().st_mode) for path in folders] == [0o700] * 2
