import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ledger_cases import CHILDREN, LIMIT, clock_from, digest, opening

from client.ledger.book import Book
from client.ledger.budget import fits
from client.ledger.chain import encode_line, line_digest, read_chain
from client.ledger.events import LedgerCreated, StudyClosed
from client.ledger.files import LedgerFiles

OLD_LEDGERS = sorted((Path(__file__).parent / "ledgers").glob("*.jsonl"))


def chain_of(*events):
    content, previous, clock = b"", "0" * 64, clock_from()
    for number, event in enumerate(events, 1):
        line = encode_line(number, clock(), previous, event)
        content, previous = content + line, line_digest(line[:-1])
    return content


def small_chain() -> bytes:
    return chain_of(
        LedgerCreated(ledger="0" * 32, clinic="north"),
        opening(),
        StudyClosed(study=digest("study"), reason="finished"),
        opening("second"),
    )


def test_a_chain_reads_back_with_its_head():
    chain = read_chain(small_chain())
    assert chain.fault is None
    assert [entry.sequence for entry in chain.entries] == [1, 2, 3, 4]
    assert chain.head == line_digest(small_chain().splitlines()[-1])
    assert chain.entries[1].event == opening()
    assert chain.entries[0].time == datetime(2027, 3, 1, 9, tzinfo=UTC)


def test_times_are_written_in_utc_and_a_clock_says_its_zone():
    created = LedgerCreated(ledger="0" * 32, clinic="north")
    summer = datetime(2027, 6, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert b'"time":"2027-06-01T10:00:00.000Z"' in encode_line(1, summer, "0" * 64, created)
    with pytest.raises(ValueError, match="time zone"):
        encode_line(1, datetime(2027, 6, 1), "0" * 64, created)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@example(b"")
@example(b"\n")
@example(b"[" * 100_000)
@example(b'{"event":1e999,"previous":"","sequence":1,"time":""}\n')
@example(b"9" * 5000 + b"\n")
@example(b'{"event":NaN,"previous":"","sequence":1,"time":""}\n')
def test_arbitrary_bytes_never_verify_and_never_crash(content):
    chain = read_chain(content)
    assert chain.fault is not None
    assert chain.entries == ()
    assert chain.intact_bytes == 0


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_arbitrary_json_in_the_form_of_a_line_never_verifies(event):
    try:
        event_json = json.dumps(event, sort_keys=True, separators=(",", ":"))
    except (ValueError, UnicodeError):
        return
    line = (
        f'{{"event":{event_json},"previous":"{"0" * 64}","sequence":1,'
        '"time":"2027-03-01T09:00:00.000Z"}\n'
    )
    assert read_chain(line.encode()).fault is not None


@given(st.data())
def test_any_change_is_noticed_by_the_chain_or_by_its_head(data):
    """Flip a byte, remove, repeat or swap lines, or cut: no change leaves fault and head alone."""
    content = small_chain()
    lines = content.splitlines(keepends=True)
    first, second = data.draw(st.lists(st.sampled_from(range(len(lines))), min_size=2, max_size=2))
    swapped = list(lines)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    position = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = data.draw(
        st.sampled_from(
            [
                content[:position] + bytes([byte]) + content[position + 1 :],
                content[:position] + bytes([byte]) + content[position:],
                content[:position],
                content[:position] + content[position + 1 :],
                b"".join(lines[:first] + lines[first + 1 :]),
                b"".join(lines[:first] + lines[first:second] + lines[first:]),
                b"".join(swapped),
                content + data.draw(st.binary(min_size=1, max_size=50)),
            ]
        )
    )
    chain = read_chain(changed)
    if changed != content:
        assert chain.fault is not None or chain.head != read_chain(content).head
    intact = read_chain(changed[: chain.intact_bytes])
    assert intact.head == chain.head
    assert chain.intact_bytes == 0 or intact.fault is None


@pytest.mark.parametrize(
    ("number", "change", "kind"),
    [
        (2, lambda line: line.replace(b"P01", b"P09"), "edited"),  # noticed in the line after it
        (2, lambda line: line.replace(b":", b": ", 1), "edited"),
        (2, lambda line: line.replace(b'"version":1', b'"version":2'), "unknown"),
        (2, lambda line: line.replace(b"study.opened", b"study.forked"), "unknown"),
        (2, lambda line: line.replace(b'"sequence":2', b'"sequence":3'), "edited"),
        (2, lambda line: line.replace(b"2027-03-01T", b"2027-23-01T"), "edited"),
        (2, lambda line: line.replace(b"00:01.000Z", b"00:01.000"), "edited"),
        (2, lambda line: line[:-30], "edited"),
        (4, lambda line: line[:-30], "torn"),
        (4, lambda line: b"\0" * len(line), "torn"),
    ],
)
def test_faults_are_told_apart(number, change, kind):
    lines = small_chain().splitlines()
    lines[number - 1] = change(lines[number - 1])
    chain = read_chain(b"\n".join(lines) + b"\n")
    assert chain.fault is not None
    assert chain.fault.kind == kind
    assert chain.fault.line in (number, number + 1)
    assert len(chain.entries) == chain.fault.line - 1


def test_the_last_line_needs_its_newline():
    chain = read_chain(small_chain()[:-1])
    assert chain.fault is not None
    assert chain.fault.kind == "torn"
    assert len(chain.entries) == 3


def test_events_that_cannot_follow_each_other_are_refused_although_their_hashes_fit():
    created = LedgerCreated(ledger="0" * 32, clinic="north")
    for events in (
        (opening(),),
        (created, created),
        (created, opening(), opening()),
        (created, StudyClosed(study=digest("study"), reason="finished")),
    ):
        chain = read_chain(chain_of(*events))
        assert chain.fault is not None
        assert chain.fault.kind == "edited"
        assert len(chain.entries) == len(events) - 1


@pytest.mark.parametrize("path", OLD_LEDGERS, ids=lambda path: path.stem)
def test_old_ledgers_are_read_for_ever(path, tmp_path):
    """Never change these files: they hold every event type as each schema version wrote it."""
    chain = read_chain(path.read_bytes())
    assert chain.fault is None
    expected = json.loads(path.with_suffix(".json").read_text())
    assert chain.head == expected["head"]
    assert sorted({entry.event.type for entry in chain.entries}) == expected["types"]
    book = Book(chain, LedgerFiles(tmp_path / "site", tmp_path / "state"))
    for child, mu_squared in expected["mu_squared"].items():
        assert book.spent(child) == pytest.approx(mu_squared, rel=1e-12)
        assert fits(book.spent(child), 0.0, LIMIT)
    assert {child for child in CHILDREN if book.is_withdrawn(child)} == set(expected["withdrawn"])


def test_there_is_an_old_ledger():
    assert [path.stem for path in OLD_LEDGERS] == ["version-1"]
