import pytest
from deployed import gradient

from client.releases import InLedger, Unrecorded
from shared.errors import LedgerError, PrivacyError
from shared.privacy.planner import PlannedRelease

RELEASE = PlannedRelease(1, "gradient", 2.5)


def test_without_books_every_call_creates_anew():
    made = iter([b"one", b"two"])
    book = Unrecorded()
    assert book.ready("any") == ""
    for expected in (b"one", b"two"):
        assert book.once("any", RELEASE, "input", lambda: next(made), "head") == (expected, "")


@pytest.fixture
def kept(deployed):
    study = deployed.approved()
    site = deployed.opened(study)
    asked = gradient(study).digest

    def once(release=site.plan.releases[0], digest=asked, create=lambda: b"sum", head=""):
        return site.book.once(study.digest, release, digest, create, head)

    return deployed, study, once


def test_a_release_is_in_the_ledger_before_its_bytes_are_returned(kept):
    deployed, study, once = kept
    seen = []

    def create():
        seen.append((deployed.site("Aspen").root / "ledger.jsonl").read_bytes())
        return b"sum"

    sealed, head = once(create=create)
    assert sealed == b"sum"
    assert b"release.created" not in seen[0]  # nothing is charged for a sum that cannot be made
    assert head == deployed.at("Aspen", lambda book: book.head)
    record = deployed.at("Aspen", lambda book: book.find_release(study.digest, 1))
    plan = deployed.opened(study).plan
    assert (record.kind, record.sigma) == ("gradient", plan.sigma_gradient)
    assert record.input_digest == gradient(study).digest


def test_a_sum_that_cannot_be_made_costs_nothing(kept):
    deployed, _, once = kept

    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        once(create=fails)
    assert deployed.events().count("release.created") == 0
    assert once()[0] == b"sum"


def test_a_second_call_replays_and_an_echoed_head_is_checked_first(kept):
    _, _, once = kept
    sealed, head = once()
    assert once(create=pytest.fail, head=head) == (sealed, head)
    with pytest.raises(LedgerError, match="the server remembers a state"):
        once(head="0" * 64)


def test_less_noise_than_the_ledger_reserved_is_refused(kept):
    deployed, study, once = kept
    planned = deployed.opened(study).plan.releases[0]
    with pytest.raises(LedgerError, match="less noise"):
        once(release=planned._replace(sigma=0.99 * planned.sigma))
    assert deployed.events().count("release.created") == 0


def test_the_folder_and_the_ledger_belong_together(deployed):
    study = deployed.approved()
    folder = deployed.site("Birch")
    book = InLedger(folder.ledger(), folder.root)
    assert book.ready(study.digest) == deployed.at("Birch", lambda open_book: open_book.head)
    deployed.at("Birch", lambda open_book: open_book.withdraw("Birch-child-0"))
    with pytest.raises(PrivacyError, match="ended at this clinic") as told:
        book.ready(study.digest)
    assert "child" not in str(told.value)  # why it ended is nobody's business
