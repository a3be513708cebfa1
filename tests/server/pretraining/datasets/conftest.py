"""Picture files that are right and wrong."""

import cv2
import numpy as np
import pytest


@pytest.fixture
def draw():
    """Write a picture whose left half is red and right half blue, or a damaged one."""

    def make(path, width=60, height=40, damaged=False):
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = np.zeros((height, width, 3), np.uint8)
        picture[:, : width // 2, 2] = 255
        picture[:, width // 2 :, 0] = 255
        coded = cv2.imencode(path.suffix, picture)[1].tobytes()
        path.write_bytes(b"\x89PNG damaged" if damaged else coded)
        return path

    return make
