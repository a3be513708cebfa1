import sys

import pytest

from client.doctor.software import check_libraries, check_python


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 10), "failed"), ((3, 11), "passed"), ((3, 13), "passed"), ((3, 14), "warning")],
)
def test_only_tested_pythons_pass(version, status):
    found = check_python(version)
    assert found.status == status
    assert f"{version[0]}.{version[1]}" in found.text


def test_all_libraries_are_there_with_their_versions():
    found = check_libraries()
    assert found.status == "passed"
    assert found.numbers["packages"]["openvino"] in found.text


@pytest.mark.parametrize("module", ["av", "cv2", "torch"])
def test_a_library_that_cannot_be_loaded_is_named(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    found = check_libraries()
    assert found.status == "failed"
    assert "cannot be loaded" in found.text
    assert "make install" in found.advice


def test_without_openvino_the_network_is_slower(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    found = check_libraries()
    assert found.status == "warning"
    assert "PyTorch runs the network, several times slower" in found.text
