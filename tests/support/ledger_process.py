"""A process that uses a ledger until it is killed, and one that races others for it.

``python ledger_process.py work``: for each line of JSON on stdin, fork a worker that releases as
much as it may, wait for its end, and print its exit status. The worker notes every contribution
that was returned to it, which is the moment from which it may have left the clinic.
``python ledger_process.py race BASE NAME THREADS``: see :func:`race`.
"""

import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ledger_cases import LIMIT, Site, SteppedDisk, answer_to, digest, opening

from client.ledger import BudgetError, contribute_once
from shared.errors import LedgerError

ROUNDS = len(opening().releases)


def kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def work(base: Path, studies: int, at: int, moment: str) -> None:
    """Open study after study and make their contributions, until the budget of ``studies`` ends."""
    site = Site(base)
    disk = SteppedDisk(kill_myself, at, moment)
    ledger = site.open(disk)
    notes = os.open(base / "returned", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    number = 0
    while True:
        opened = opening(f"study {number}", 1 / studies)
        with ledger.locked() as book:
            record = book.studies.get(opened.study)
            if record is None:
                try:
                    book.open_study(opened, LIMIT)
                except BudgetError:
                    return
            elif record.closed:
                number += 1
                continue
            done = len(book.study(opened.study).releases)
        # The last round is asked for again: a worker killed before it was returned repeats it.
        for round_number in range(max(1, done), ROUNDS + 1):
            contribution, _ = site.contribute(round_number, opened=opened, ledger=ledger)
            assert contribution == answer_to(opened.study, round_number)
            os.write(notes, f"{opened.study} {round_number}\n".encode())
        with ledger.locked() as book:
            book.close_study(opened.study, "finished")
        number += 1


def serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                work(
                    Path(order["base"]),
                    order["studies"],
                    order.get("at", 0),
                    order.get("moment", "before"),
                )
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        if "after_s" in order:
            time.sleep(order["after_s"])
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def race(base: Path, name: str, threads: int) -> dict[str, list[str]]:
    """Let threads compete for the last budget, and for the only input of one round.

    Each thread approves a study of its own, of which the budget holds one, and then contributes
    to round 3 of the study under way with an input of its own.
    """
    site = Site(base)
    ledger = site.open(timeout_s=60)
    start = threading.Barrier(threads)
    approved: list[str] = []
    inputs: list[str] = []

    def compete(number: int) -> None:
        mine = f"{name} {number}"
        start.wait()
        try:
            with ledger.locked() as book:
                book.open_study(opening(mine, 0.6), LIMIT)
            approved.append(mine)
        except BudgetError:
            pass
        study = opening()
        try:
            contribution, _ = contribute_once(
                ledger,
                site.folder,
                study=study.study,
                round_number=3,
                kind="gradient",
                sigma=study.releases[2].sigma,
                input_digest=digest(mine),
                create=lambda: answer_to(study.study, 3, mine),
            )
        except LedgerError as error:
            if "another input" not in str(error):
                raise
        else:
            assert contribution == answer_to(study.study, 3, mine)
            inputs.append(mine)

    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(compete, number) for number in range(threads)]:
            future.result()
    return {"approved": approved, "inputs": inputs}


if __name__ == "__main__":
    if sys.argv[1] == "work":
        serve()
    else:
        place = Path(sys.argv[2])
        print("ready", flush=True)
        while not (place / "go").exists():
            time.sleep(0.001)
        print(json.dumps(race(place, sys.argv[3], int(sys.argv[4]))))
