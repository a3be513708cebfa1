import subprocess
import sys

import cv2
import numpy as np
import pytest

from server.pretraining.renderer.action_units import active_units
from server.pretraining.renderer.dataset import (
    RenderedFaces,
    RenderingSettings,
    render_in_processes,
)
from shared.errors import InputError


@pytest.fixture
def settings(facekit):
    def make(**changes):
        given = {"facekit": facekit, "seed": 4, "n": 12, "size": 48, "pictures_per_person": 3}
        return RenderingSettings(**{**given, **changes})

    return make


def same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in vars(a))


def test_faces_have_what_they_promise(settings, kit):
    faces = RenderedFaces(settings(), kit)[range(12)]
    assert faces.pictures.shape == (12, 48, 48, 3)
    assert faces.pictures.dtype == np.uint8
    assert faces.active.shape == faces.intensity.shape == (12, 12)
    assert np.array_equal(faces.active, active_units(faces.intensity))
    assert ((faces.intensity >= 0) & (faces.intensity <= 1)).all()
    assert faces.person.tolist() == [0, 0, 0, 2, 2, 2, 4, 4, 4, 6, 6, 6]
    assert faces.pictures.std(axis=(1, 2, 3)).min() > 3
    middle = faces.landmarks[:, 30]
    assert ((middle > 6) & (middle < 42)).all()


def test_a_face_depends_on_its_number_alone(settings, kit):
    ordered = RenderedFaces(settings(), kit)[range(6)]
    other = RenderedFaces(settings(n=500), kit)
    mixed = other[[5, 0, 3]]
    assert same(mixed, other[[5, 0, 3]])
    for row, index in enumerate((5, 0, 3)):
        assert np.array_equal(mixed.pictures[row], ordered.pictures[index])
        assert np.array_equal(mixed.intensity[row], ordered.intensity[index])


def test_another_process_renders_the_same(settings, kit, facekit):
    here = RenderedFaces(settings(), kit)[[0, 7]].pictures
    code = (
        "import sys, hashlib; from pathlib import Path\n"
        "from server.pretraining.renderer.dataset import RenderedFaces, RenderingSettings\n"
        f"s = RenderingSettings(Path({str(facekit)!r}), 4, 12, 48, pictures_per_person=3)\n"
        "print(hashlib.sha256(RenderedFaces(s)[[0, 7]].pictures.tobytes()).hexdigest())\n"
    )
    import hashlib

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == hashlib.sha256(here.tobytes()).hexdigest()


def test_workers_give_the_same_faces_in_order(settings):
    single = list(render_in_processes(settings(n=5), 1))
    double = list(render_in_processes(settings(n=5), 2))
    assert [len(part) for part in single] == [3, 2]
    assert all(same(a, b) for a, b in zip(single, double, strict=True))


def test_parts_share_nobody(settings, kit):
    train, held_out = (
        RenderedFaces(settings(part=part, n=3000), kit) for part in ("train", "held_out")
    )
    people = [{faces.person(index) for index in range(3000)} for faces in (train, held_out)]
    assert not people[0] & people[1]
    assert len(people[0]) == len(people[1]) == 1000
    assert not np.array_equal(train[[0]].pictures, held_out[[0]].pictures)


def test_other_seeds_give_other_faces(settings, kit):
    a, b = (RenderedFaces(settings(seed=seed), kit)[[0]] for seed in (1, 2))
    assert not np.array_equal(a.pictures, b.pictures)


def test_grey_share_is_kept(settings, kit):
    faces = RenderedFaces(settings(grey_share=1.0), kit)[range(4)].pictures
    # JPEG may tint by a level.
    assert np.ptp(faces.astype(int), axis=3).max() <= 2


def test_numbers_outside_are_refused(settings, kit):
    faces = RenderedFaces(settings(), kit)
    assert len(faces) == 12
    for index in (-1, 12):
        with pytest.raises(IndexError, match=f"picture {index} of 12"):
            faces[[index]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n": 0}, "--n 0 asked; 1 to 1e"),
        ({"size": 16}, "--size 16 asked; 32 to 1024"),
        ({"seed": -1}, "--seed -1 asked"),
        ({"crop_margin": 2.0}, "--crop-margin 2.0 asked; 0 to 1"),
        ({"part": "test"}, "--part test asked; train or held_out"),
    ],
)
def test_settings_are_checked(settings, changes, said):
    with pytest.raises(InputError) as told:
        settings(**changes)
    assert said in str(told.value)


def test_own_backgrounds_stand_behind_some_faces(settings, kit, tmp_path):
    for name in ("a.png", "b.jpg"):
        cv2.imwrite(str(tmp_path / name), np.full((700, 300, 3), (0, 255, 0), np.uint8))
    (tmp_path / "broken.png").write_text("no picture")
    (tmp_path / "notes.txt").write_text("not meant")
    with_pictures = RenderedFaces(settings(backgrounds=tmp_path, grey_share=0.0), kit)
    without = RenderedFaces(settings(grey_share=0.0), kit)
    a, b = with_pictures[range(12)], without[range(12)]
    differs = (a.pictures != b.pictures).any(axis=(1, 2, 3))
    assert 0 < differs.sum() < 12
    assert np.array_equal(a.intensity, b.intensity)


def test_folders_without_pictures_are_refused(settings, kit, tmp_path):
    with pytest.raises(InputError, match="no such folder of background pictures"):
        RenderedFaces(settings(backgrounds=tmp_path / "none"), kit)
    (tmp_path / "broken.png").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(InputError, match="no readable picture"):
        RenderedFaces(settings(backgrounds=tmp_path), kit)
