import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from contextlib import closing
from pathlib import Path

import pytest
import worker_services
from worker_services import Commands, DiesAtStart, Refuses

from client.extraction.workers import Begun, Died, Done, Progressed, WorkerPool
from shared.errors import InputError


def run(tasks, jobs=1, service=None):
    with WorkerPool(service or Commands(), jobs) as pool:
        for task in tasks:
            pool.add(task)
        return [event for event in pool.events() if event is not None]


def results(events):
    return [event.result for event in events if isinstance(event, Done)]


def is_gone(pid, within_s=5.0):
    """Whether a process ends in time; one that only waits to be collected has ended."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            if "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]:
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_one_worker_does_all_tasks_in_order_and_in_another_process():
    events = run([("count", 2), ("pid",)])
    (pid,) = set(results(events))
    assert pid != os.getpid()
    assert events == [
        Begun(("count", 2)),
        Progressed(("count", 2), 0),
        Progressed(("count", 2), 1),
        Done(("count", 2), pid),
        Begun(("pid",)),
        Done(("pid",), pid),
    ]
    assert is_gone(pid)


def test_as_many_workers_as_jobs_run_at_once_and_no_more(tmp_path):
    events = run([("meet", tmp_path)] * 2 + [("pid",)] * 4, jobs=2)
    assert len(set(results(events))) == 2
    running = most = 0
    for event in events:
        running += isinstance(event, Begun) - isinstance(event, Done)
        most = max(most, running)
    assert most == 2


def test_tasks_can_be_added_while_others_run():
    with WorkerPool(Commands(), 1) as pool:
        pool.add(("pid",))
        seen = []
        for event in pool.events():
            if isinstance(event, Done):
                seen.append(event.task)
                if len(seen) < 3:
                    pool.add(("count", len(seen)))
    assert seen == [("pid",), ("count", 1), ("count", 2)]


def test_workers_that_die_at_once_lose_their_task_only():
    """With this process as busy as it gets: nothing may depend on who looks first."""
    done = threading.Event()
    threading.Thread(target=lambda: deque(iter(done.is_set, True), maxlen=0)).start()
    crashes = [("signal", signal.SIGSEGV), ("exit", 3), ("signal", signal.SIGKILL)] * 2
    tasks = [task for crash in crashes for task in (crash, ("pid",))]
    try:
        events = run(tasks, jobs=2)
    finally:
        done.set()
    died = [(event.task, event.exit_code) for event in events if isinstance(event, Died)]
    assert Counter(died) == {
        (("signal", signal.SIGSEGV), -11): 2,
        (("exit", 3), 3): 2,
        (("signal", signal.SIGKILL), -9): 2,
    }
    assert len(results(events)) == 6


def test_an_idle_worker_that_is_killed_is_replaced():
    with WorkerPool(Commands(), 1) as pool:
        pool.add(("pid",))
        pids = []
        for event in pool.events():
            if isinstance(event, Done):
                pids.append(event.result)
                if len(pids) == 1:
                    os.kill(pids[0], signal.SIGKILL)
                    assert is_gone(pids[0])
                    pool.add(("pid",))
    first, second = pids
    assert first != second


def test_a_service_that_cannot_open_is_refused_with_its_own_words():
    with pytest.raises(InputError, match="no such network; name another"):
        run([("pid",)], jobs=2, service=Refuses())


def test_when_no_worker_can_start_every_task_is_told_so(tmp_path, capfd):
    starts = tmp_path / "starts"
    events = run([("pid",), ("count", 1)], service=DiesAtStart(starts))
    assert events == [
        Died(("pid",), 7, started=False),
        Died(("count", 1), 7, started=False),
    ]
    assert len(starts.read_text().split()) == 2


def test_leaving_the_block_kills_what_still_runs():
    began = time.monotonic()
    with WorkerPool(Commands(), 2) as pool:
        pool.add(("sleep", 60))
        pool.add(("sleep", 60))
        with closing(pool.events()) as events:
            assert isinstance(next(event for event in events if event), Begun)
        pids = [worker._process.pid for worker in pool._workers]
    assert time.monotonic() - began < 30
    assert len(pids) == 2
    assert all(is_gone(pid, 0.1) for pid in pids)


@pytest.fixture
def two_sleepers():
    """A program with two workers that sleep, in a process group of its own."""
    program = subprocess.Popen(
        [sys.executable, worker_services.__file__],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
        process_group=0,
    )
    assert program.stdout.readline() == "starts\n"
    yield program
    program.kill()
    program.communicate()


def test_workers_do_not_outlive_a_parent_that_is_killed(two_sleepers):
    pids = [int(pid) for pid in two_sleepers.stdout.readline().split()]
    assert len(pids) == 2
    two_sleepers.kill()
    assert all(is_gone(pid) for pid in pids)


def test_ctrl_c_while_workers_start_is_left_to_the_parent(two_sleepers):
    """It reaches every process of the terminal; a worker must neither die of it nor print."""
    pids = []
    listener = threading.Thread(target=lambda: pids.extend(two_sleepers.stdout.readline().split()))
    listener.start()
    while listener.is_alive():
        os.killpg(two_sleepers.pid, signal.SIGINT)
        listener.join(0.005)
    assert len(pids) == 2
    os.killpg(two_sleepers.pid, signal.SIGINT)
    assert not any(is_gone(int(pid), 0.1) for pid in pids)
    two_sleepers.kill()
    assert two_sleepers.communicate()[1] == ""
