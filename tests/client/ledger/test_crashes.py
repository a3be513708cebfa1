"""The program, the disk or the power fails at every single write: nothing is under-counted.

After each failure the ledger is in order or has an unfinished last line that ``repair`` cuts; the
interrupted operation, done again, ends as if it had never been interrupted.
"""

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from ledger_cases import (
    LIMIT,
    PowerCut,
    Site,
    SteppedDisk,
    Stopped,
    answer_to,
    digest,
    disk_full,
    opening,
)
from ledger_process import ROUNDS

from client.ledger import adopt_ledger, destroy_contributions, repair_ledger, restore_ledger
from client.ledger.budget import TOLERANCE, cost, total
from client.ledger.chain import read_chain
from client.ledger.disk import Disk
from client.ledger.files import contribution_path
from shared.errors import InputError, LedgerError

MOMENTS = ("before", "half", "after")
SUPPORT = Path(__file__).parents[2] / "support"


@dataclass
class Operation:
    """Something that changes the ledger, and how far it brings it."""

    run: Callable[[Site, Disk], object]
    prepare: Callable[[Site], object] = lambda site: None
    refused_again: str = ""


def _locked(change) -> Callable[[Site, Disk], object]:
    def run(site: Site, disk: Disk) -> object:
        with site.open(disk).locked() as book:
            return change(book)

    return run


def _damage(site: Site) -> None:
    shutil.copy(site.ledger_file, site.base / "export.jsonl")
    site.ledger_file.write_bytes(b"damaged")


def _tear(site: Site) -> None:
    with site.ledger_file.open("ab") as stream:
        stream.write(b'{"event":{"sigma":')


OPERATIONS = {
    "open a study": Operation(
        _locked(lambda book: book.open_study(opening("next", 0.2), LIMIT)),
        refused_again="approved before",
    ),
    "contribute": Operation(lambda site, disk: site.contribute(3, disk=disk)),
    "close a study": Operation(
        _locked(lambda book: book.close_study(digest("study"), "finished")),
        refused_again="closed",
    ),
    "withdraw": Operation(_locked(lambda book: book.withdraw("P02"))),
    "record a model": Operation(
        _locked(lambda book: book.record_model(digest("study"), digest("model")))
    ),
    "repair": Operation(lambda site, disk: repair_ledger(site.files(disk)), _tear),
    "restore": Operation(
        lambda site, disk: restore_ledger(site.files(disk), site.base / "export.jsonl"),
        _damage,
        refused_again="nothing to restore",
    ),
    "adopt": Operation(
        lambda site, disk: adopt_ledger(
            site.files(disk), read_chain(site.ledger_file.read_bytes()).entries[3].digest
        ),
        lambda site: site.counter_file.unlink(),
        refused_again="nothing to adopt",
    ),
}


def prepared(tmp_path: Path, operation: Operation) -> Site:
    site = Site(tmp_path / "prepared")
    site.create()
    site.approve()
    site.contribute(1)
    site.contribute(2)
    operation.prepare(site)
    return site


def copies(site: Site):
    """Fresh copies of a site, one for each attempt, all in the place it had.

    The counter notes the place, so the attempts take turns in it.
    """
    original = site.base.with_name("original")
    shutil.copytree(site.base, original)
    while True:
        shutil.rmtree(site.base)
        shutil.copytree(original, site.base)
        yield Site(site.base)


def events_of(site: Site) -> list[str]:
    """The ledger's events, repaired first if need be; recovery may have been recorded twice."""
    repair_or_nothing(site)
    with site.open().locked() as book:
        types = [event.type for event in book.events if event.type != "ledger.repaired"]
    return [kind for kind, _ in itertools.groupby(types) if kind.startswith("ledger.")] + [
        kind for kind in types if not kind.startswith("ledger.")
    ]


def repair_or_nothing(site: Site) -> None:
    chain = read_chain(site.ledger_file.read_bytes())
    if chain.fault is not None and chain.fault.kind == "torn":
        repair_ledger(site.files())


def check_and_complete(site: Site, operation: Operation, full: list[str]) -> None:
    """After a failure: usable, as before or as after, and completed by doing it again."""
    try:
        operation.run(site, Disk())
    except (LedgerError, InputError) as error:
        if "ledger repair" in str(error):
            repair_ledger(site.files())
            check_and_complete(site, operation, full)
            return
        if not operation.refused_again or operation.refused_again not in str(error):
            raise
    assert events_of(site) == full
    if full.count("release.created") == 3:
        assert site.contribute(3)[0] == answer_to(digest("study"), 3)
        assert contribution_path(site.folder, digest("study"), 3).exists()


def attempts(tmp_path: Path, operation: Operation):
    """Each step and moment at which the operation can be stopped, with a fresh site."""
    site = prepared(tmp_path, operation)
    fresh = copies(site)
    counting = SteppedDisk()
    once = next(fresh)
    operation.run(once, counting)
    full = events_of(once)
    assert counting.steps >= 3
    for at in range(1, counting.steps + 1):
        for moment in MOMENTS if at in counting.writes else ("before", "after"):
            yield next(fresh), at, moment, full


@pytest.mark.parametrize("name", OPERATIONS)
def test_stopped_at_each_write(tmp_path, name):
    operation = OPERATIONS[name]
    for site, at, moment, full in attempts(tmp_path, operation):
        with pytest.raises(Stopped):
            operation.run(site, SteppedDisk(at=at, moment=moment))
        check_and_complete(site, operation, full)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.parametrize("name", OPERATIONS)
def test_the_power_fails_at_each_write(tmp_path, name):
    operation = OPERATIONS[name]
    for site, at, moment, full in attempts(tmp_path, operation):
        disk = PowerCut(site.folder, site.state, at=at, moment=moment)
        with pytest.raises(Stopped):
            operation.run(site, disk)
        disk.lose()
        check_and_complete(site, operation, full)


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("name", OPERATIONS)
def test_the_disk_is_full_at_each_write(tmp_path, name, lasting):
    operation = OPERATIONS[name]
    for site, at, moment, full in attempts(tmp_path, operation):
        with pytest.raises(LedgerError, match=r"No space left.*nothing was released") as error:
            operation.run(site, SteppedDisk(disk_full, at, moment, lasting))
        assert str(site.base) not in str(error.value)
        check_and_complete(site, operation, full)


def test_a_full_disk_leaves_no_unfinished_line_when_it_can_be_taken_back(site, study):
    before = site.ledger_file.read_bytes()
    with pytest.raises(LedgerError, match="could not be written"):
        site.contribute(3, disk=SteppedDisk(disk_full, at=1, moment="half"))
    assert site.ledger_file.read_bytes() == before
    with pytest.raises(LedgerError, match="could not be written"):
        site.contribute(3, disk=SteppedDisk(disk_full, at=1, moment="half", lasting=True))
    assert site.ledger_file.read_bytes().startswith(before)
    assert len(site.ledger_file.read_bytes()) > len(before)
    with pytest.raises(LedgerError, match="ledger repair"):
        site.contribute(3)
    repair_ledger(site.files())
    site.contribute(3)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_what_was_returned_survives_a_power_cut(site):
    site.approve()
    disk = PowerCut(site.folder, site.state)
    contribution, head = site.contribute(1, disk=disk)
    disk.lose()
    assert site.head() == head
    assert site.contribute(1, create=lambda: b"")[0] == contribution


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_disk_that_does_not_sync_is_found_out(site, study):
    """The tests above would notice a missing fsync: without any, a power cut loses the release."""

    class Hasty(PowerCut):
        def sync(self, handle: int) -> None:
            pass

    disk = Hasty(site.folder, site.state)
    _, head = site.contribute(3, disk=disk)
    disk.lose()
    chain = read_chain(site.ledger_file.read_bytes())
    assert chain.fault is None
    assert chain.entries
    assert head not in {entry.digest for entry in chain.entries}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stopped_creation_leaves_a_ledger_or_none(tmp_path, moment):
    counting = SteppedDisk()
    Site(tmp_path / "count").create(counting)
    for at in range(1, counting.steps + 1):
        site = Site(tmp_path / str(at))
        with pytest.raises(Stopped):
            site.create(SteppedDisk(at=at, moment=moment))
        if not site.ledger_file.exists():
            site.create()
        site.approve()
        site.contribute(1)


def test_an_interrupted_withdrawal_is_finished_by_doing_it_again(site, study):
    with site.open().locked() as book:
        book.withdraw("P01")
    with site.open().locked() as book:
        outcome = book.withdraw("P01")
    assert [destroy_contributions(site.folder, entry.study) for entry in outcome.lineage] == [2]
    assert not contribution_path(site.folder, study.study, 1).exists()


class Worker:
    """A process that forks the one that is killed, so that 200 deaths need one start."""

    def __init__(self) -> None:
        paths = os.pathsep.join(map(str, (SUPPORT.parents[1], SUPPORT)))
        self._process = subprocess.Popen(
            [sys.executable, str(SUPPORT / "ledger_process.py"), "work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate(timeout=60)

    def run(self, site: Site, **order) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order["base"] = str(site.base)
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


def check_after_a_kill(site: Site, created_before: int) -> int:
    """Everything that was returned is in the ledger and paid for, and nothing is over the limit."""
    repair_or_nothing(site)
    notes = site.base / "returned"
    # A worker is never killed inside its one write of a note, but perhaps before it.
    returned = set(notes.read_text().splitlines()) if notes.exists() else set()
    with site.open().locked() as book:
        releases = {
            f"{digest} {release.round}": release
            for digest, record in book.studies.items()
            for release in record.releases
        }
        assert returned <= set(releases)
        for name in returned:
            study, round_number = name.split()
            path = contribution_path(site.folder, study, int(round_number))
            assert path.read_bytes() == answer_to(study, int(round_number))
        for child in ("P01", "P03"):
            spent = book.spent(child)
            assert spent >= total(cost(releases[name]) for name in returned)
            assert spent >= total(map(cost, releases.values())) * (1 - 1e-15)
            assert spent <= LIMIT.mu_squared * (1 + TOLERANCE)
    assert len(releases) >= created_before
    return len(releases)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize(
    ("kills_at_steps", "kills_at_random_times", "studies"),
    [(12, 0, 5), pytest.param(216, 100, 50, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])],
)
def test_a_process_killed_at_any_write_never_under_counts(
    tmp_path, kills_at_steps, kills_at_random_times, studies
):
    site = Site(tmp_path)
    site.create()
    created, killed = 0, 0
    chance = random.Random(1)
    # Approving and closing make 6 writes and syncs, a contribution 10 and the folder's: 24 steps
    # cover each kind, wherever a worker takes up the work of the one before it.
    cases = [
        {"at": 1 + n % 24, "moment": MOMENTS[(n + n // 24) % 3]} for n in range(kills_at_steps)
    ]
    cases += [{"after_s": chance.uniform(0.001, 0.2)} for _ in range(kills_at_random_times)]
    with Worker() as worker:
        for case in cases:
            ended = worker.run(site, studies=studies, **case)
            if ended == 0:  # the budget was spent before the kill: go on with a new site
                site = Site(tmp_path / f"after {killed}")
                site.create()
                created = 0
                ended = worker.run(site, studies=studies, **case)
            assert ended == -signal.SIGKILL
            killed += 1
            created = check_after_a_kill(site, created)
        assert killed == len(cases)
        assert worker.run(site, studies=studies) == 0
    check_after_a_kill(site, created)
    with site.open().locked() as book:
        finished = sum(len(record.releases) == ROUNDS for record in book.studies.values())
        assert finished == studies
        assert book.spent("P01") == pytest.approx(LIMIT.mu_squared, rel=1e-9)
