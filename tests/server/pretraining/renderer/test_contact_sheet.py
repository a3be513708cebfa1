import cv2
import numpy as np

from server.pretraining.renderer.contact_sheet import face_sheet, unit_sheet, write_picture
from server.pretraining.renderer.dataset import RenderedFaces, RenderingSettings


def test_every_unit_shows_more_with_more_intensity(kit):
    size = 64
    sheet = unit_sheet(kit, people=1, size=size)
    assert sheet.shape == (12 * size, 3 * size, 3)
    # Below the label.
    cells = sheet.reshape(12, size, 3, size, 3)[:, 20:].astype(int)
    half, full = (np.abs(cells[:, :, i] - cells[:, :, 0]).mean(axis=(1, 2, 3)) for i in (1, 2))
    assert half.min() > 0.3
    assert (full > half).all()


def test_the_face_sheet_shows_one_picture_of_each_person(kit, facekit):
    settings = RenderingSettings(facekit, seed=1, n=9, size=32, pictures_per_person=4)
    faces = RenderedFaces(settings, kit)
    sheet = face_sheet(faces, columns=2, rows=4)
    assert sheet.shape == (64, 64, 3)
    assert np.array_equal(sheet[:32, 32:], faces[[4]].pictures[0])
    assert not sheet[32:, 32:].any(), "three people on four places"


def test_pictures_are_written_with_their_colours(tmp_path):
    red = np.zeros((4, 4, 3), np.uint8)
    red[:, :, 0] = 200
    write_picture(tmp_path / "red.png", red)
    assert cv2.imread(str(tmp_path / "red.png"))[0, 0].tolist() == [0, 0, 200]
