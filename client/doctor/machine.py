"""Memory and processor of this computer."""

import os
import sys
from pathlib import Path
from typing import Final, NamedTuple

from client.doctor.ladder import Found

__all__ = ["Memory", "check_memory", "check_processor", "memory", "usable_cores"]

_GIB: Final = 2**30
_NEEDED_BYTES: Final = 1.5 * _GIB
"""Most memory that reading recordings takes; it does not grow with their length."""


class Memory(NamedTuple):
    """Bytes of memory; None where the system does not tell."""

    total: int | None
    available: int | None


def memory() -> Memory:
    """Memory of this computer, and how much of it programs can still have."""
    if sys.platform == "win32":
        return _windows_memory()
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        entries = {name: value for name, _, value in (line.partition(":") for line in lines)}
        total, available = (
            int(entries[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable")
        )
    except (OSError, KeyError, ValueError):
        try:
            return Memory(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), None)
        except (OSError, ValueError):
            return Memory(None, None)
    return Memory(total, available)


def check_memory(found: Memory | None = None) -> Found:
    """Whether there is memory enough to read a recording."""
    total, available = found or memory()
    need = f"{_NEEDED_BYTES / _GIB:g} GiB are needed"
    if total is None:
        return Found(f"the system does not tell how much there is; {need}", "warning")
    text = f"{total / _GIB:.1f} GiB"
    if available is not None:
        text += f", {available / _GIB:.1f} GiB of it free"
    numbers = {"total_bytes": total, "available_bytes": available, "needed_bytes": _NEEDED_BYTES}
    if total < _NEEDED_BYTES:
        return Found(f"{text}; {need}", "failed", "use a computer with more memory", numbers)
    if available is not None and available < _NEEDED_BYTES:
        return Found(f"{text}; {need}", "warning", "close other programs before `extract`", numbers)
    return Found(text, numbers=numbers)


def check_processor() -> Found:
    """Name and cores of the processor, and whether it computes with bf16."""
    from shared.affect.openvino_backend import has_native_bf16

    cores = usable_cores()
    bf16 = has_native_bf16()
    name = _processor_name()
    text = (
        f"{name}, {cores} core{'s' if cores > 1 else ''} for this program, "
        f"{'with' if bf16 else 'without'} bf16"
    )
    numbers = {"name": name, "cores": cores, "bf16": bf16}
    if cores == 1:
        return Found(
            f"{text}; decoding and reading cannot run side by side",
            "warning",
            "a computer with two cores or more is nearly twice as fast",
            numbers,
        )
    return Found(text, numbers=numbers)


def usable_cores() -> int:
    """Processor cores that this program may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor_name() -> str:
    import platform

    from shared.affect.openvino_import import openvino_core

    try:
        name = str(openvino_core().get_property("CPU", "FULL_DEVICE_NAME"))
    except Exception:
        # Without OpenVINO, or with a broken one, the short name has to do.
        name = platform.processor() or platform.machine()
    return " ".join(name.split())


def _windows_memory() -> Memory:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (  # MEMORYSTATUSEX
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("available", ctypes.c_ulonglong),
            *((f"unused{number}", ctypes.c_ulonglong) for number in range(5)),
        )

    status = Status(length=ctypes.sizeof(Status))
    library = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    if not library.GlobalMemoryStatusEx(ctypes.byref(status)):
        return Memory(None, None)
    return Memory(status.total, status.available)
