import os

import pytest

from client.doctor import machine
from client.doctor.machine import Memory, check_memory, check_processor, memory, usable_cores

GIB = 2**30


@pytest.mark.parametrize(
    ("found", "status", "said"),
    [
        (Memory(8 * GIB, 6 * GIB), "passed", "8.0 GiB, 6.0 GiB of it free"),
        (Memory(8 * GIB, None), "passed", "8.0 GiB"),
        (Memory(8 * GIB, GIB), "warning", "1.5 GiB are needed"),
        (Memory(GIB, GIB), "failed", "1.5 GiB are needed"),
        (Memory(None, None), "warning", "does not tell"),
    ],
)
def test_memory_is_compared_with_the_need(found, status, said):
    result = check_memory(found)
    assert result.status == status
    assert said in result.text


def test_this_computer_tells_its_memory():
    total, available = memory()
    assert total is not None
    assert total > GIB // 2
    assert available is None or 0 < available <= total


def test_a_system_without_meminfo_tells_the_total(monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(machine.Path, "read_text", missing)
    if hasattr(os, "sysconf"):
        assert memory() == Memory(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), None)


def test_the_processor_has_a_name_and_cores(monkeypatch):
    found = check_processor()
    assert found.numbers["name"]
    assert found.numbers["cores"] == usable_cores() >= 1
    monkeypatch.setattr(machine, "usable_cores", lambda: 1)
    assert check_processor().status == "warning"


def test_without_openvino_the_processor_keeps_a_name(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "openvino", None)
    assert check_processor().numbers["name"]
