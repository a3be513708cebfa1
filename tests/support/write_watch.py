"""Watch what a command and all its processes write, and prove that it can write nowhere else.

Three ways, because each sees what another misses:

* ``watched``: a hook of the interpreter (PEP 578) in every Python process notes each file that is
  opened for writing, renamed, made or linked, wherever it is, and keeps a copy of every file at the
  moment it gets its final name. It does not see files that native code opens by itself.
* A watch on folders (inotify) sees native code as well, but only in these folders, and it misses
  what is made and removed within a millisecond in a folder that is itself new.
* A look at the processes' memory maps finds shared memory, which is no file anybody opens.
* ``confined``: the kernel (Landlock) refuses every process of the command to write anywhere but
  below given folders, native code included. A command that succeeds all the same wrote nowhere
  else. Not every kernel has it.
"""

import contextlib
import ctypes
import json
import os
import re
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from real_command import command_line, environment
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

__all__ = ["Writes", "can_confine", "confine", "watched"]

_HOOK = """
import json, os, shutil, sys
_notes = os.open(os.environ["WRITE_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_copies, _count, _busy = os.environ["WRITE_COPIES"], 0, False
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

def _note(kind, path):
    if not isinstance(path, int):
        line = json.dumps([kind, os.path.abspath(os.fsdecode(path))])
        os.write(_notes, (line + "\\n").encode())

def _hook(event, arguments):
    global _busy, _count
    if _busy:
        return
    _busy = True
    try:
        if event == "open":
            path, mode, flags = arguments
            if (flags or 0) & _WRITES:
                _note("open", path)
        elif event == "os.rename":
            _note("rename", arguments[1])
            _count += 1
            shutil.copy(arguments[0], os.path.join(_copies, f"{os.getpid()}-{_count}"))
        elif event in ("os.mkdir", "os.link", "os.symlink"):
            _note(event, arguments[event != "os.mkdir"])
        elif event in ("socket.connect", "socket.sendto", "subprocess.Popen", "os.system"):
            os.write(_notes, (json.dumps([event, repr(arguments[1:])]) + "\\n").encode())
    except (OSError, TypeError, ValueError):
        pass
    finally:
        _busy = False

sys.addaudithook(_hook)
"""

# linux/landlock.h; the numbers of these calls are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_NO_NEW_PRIVILEGES = 38
# WRITE_FILE; REMOVE_DIR, REMOVE_FILE, MAKE_CHAR to MAKE_SYM: all that the first version knows.
_WRITING = (1 << 1) | sum(1 << bit for bit in range(4, 13))
_WRITING_A_FILE = 1 << 1


@dataclass
class Writes:
    """What was written.

    Attributes
    ----------
    noted : list of (kind, path)
        By Python code, in any folder.
    seen : set of Path
        By anybody, in the watched folder.
    shared_memory : dict of str to int
        Name and largest size, bytes, of segments in the processes' memory.
    copies : list of Path
        Files as they were when they got their names.
    """

    copies: list[Path] = field(default_factory=list)
    noted: list[tuple[str, str]] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)
    shared_memory: dict[str, int] = field(default_factory=dict)

    @property
    def paths(self) -> set[Path]:
        """All files and folders that anybody wrote."""
        return self.seen | {Path(path) for kind, path in self.noted if "/" in path}


def watched(
    base: Path, *arguments: object, plant: str = "", cwd: Path, **more: str
) -> tuple["subprocess.CompletedProcess[str]", Writes]:
    """Run the command, watch all below ``base``; ``plant`` is code that its processes run first."""
    own = base.with_name(f"{base.name}-watch")
    shutil.rmtree(own, ignore_errors=True)
    (own / "copies").mkdir(parents=True)
    (own / "sitecustomize.py").write_text(f"{_HOOK}\n{plant}")
    root = environment()["PYTHONPATH"]
    variables = environment(
        PYTHONPATH=f"{own}{os.pathsep}{root}",
        PYTHONDONTWRITEBYTECODE="1",
        WRITE_NOTES=str(own / "notes"),
        WRITE_COPIES=str(own / "copies"),
        HOME=str(base / "home"),
        XDG_CACHE_HOME=str(base / "home" / ".cache"),
        TMPDIR=str(base / "tmp"),
        **more,
    )
    writes = Writes()
    with _folder_watch(base, writes.seen):
        process = subprocess.Popen(
            command_line(*arguments),
            env=variables,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with _memory_watch(process.pid, writes.shared_memory):
            out, errors = process.communicate(timeout=240)
    lines = (own / "notes").read_text().splitlines()
    writes.noted = [(kind, path) for kind, path in map(json.loads, lines)]
    writes.copies = sorted((own / "copies").iterdir())
    done = subprocess.CompletedProcess(process.args, process.returncode, out, errors)
    return done, writes


@contextlib.contextmanager
def _folder_watch(folder: Path, seen: set[Path]) -> Iterator[None]:
    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("created", "modified", "moved", "closed"):
                for path in filter(None, (event.src_path, event.dest_path)):
                    seen.add(Path(os.fsdecode(path)))

    observer = Observer()
    observer.schedule(Handler(), str(folder), recursive=True)
    observer.start()
    try:
        yield
        time.sleep(0.1)
    finally:
        observer.stop()
        observer.join()


@contextlib.contextmanager
def _memory_watch(process_id: int, found: dict[str, int]) -> Iterator[None]:
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.02):
            for each in _descendants(process_id):
                for name, size in _shared_memory(each):
                    found[name] = max(found.get(name, 0), size)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _descendants(process_id: int) -> list[int]:
    found = [process_id]
    for each in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += [int(word) for word in (task / "children").read_text().split()]
    return found


def _shared_memory(process_id: int) -> Iterator[tuple[str, int]]:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process_id}/maps").read_text().splitlines():
            if match := re.match(r"(\w+)-(\w+) .* (/dev/shm/.*|/memfd:.*)", line):
                yield match[3], int(match[2], 16) - int(match[1], 16)


def can_confine() -> bool:
    """Whether this kernel has Landlock."""
    system = ctypes.CDLL(None, use_errno=True)
    return bool(system.syscall(_CREATE_RULESET, None, 0, 1) >= 1)


def confine(folders: list[str]) -> None:
    """Let this process and all it starts write below ``folders`` only, for ever."""
    system: Any = ctypes.CDLL(None, use_errno=True)

    def call(*arguments: Any) -> int:
        result = system.syscall(*arguments)
        if result < 0:
            raise OSError(ctypes.get_errno(), "the kernel refuses to confine")
        return int(result)

    handled = struct.pack("=Q", _WRITING)
    rules = call(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    for folder in folders:
        allowed = _WRITING if Path(folder).is_dir() else _WRITING_A_FILE
        place = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        call(_ADD_RULE, rules, 1, struct.pack("=Qi", allowed, place), 0)
        os.close(place)
    system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    call(_RESTRICT_SELF, rules, 0)
