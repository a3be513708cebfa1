"""Open the data sets that a training configuration names."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from server.pretraining.config import (
    AffectNetData,
    Data,
    EmotioNetData,
    FerPlusData,
    RenderedData,
    TrainingConfig,
)
from server.pretraining.datasets.stored_faces import open_stored_faces
from server.pretraining.labelled_faces import LabelledFaces
from shared.errors import InputError

__all__ = ["Places", "open_data"]


@dataclass(frozen=True)
class Places:
    """Where things lie on this machine.

    Attributes
    ----------
    cache : Path
        Folder for rendered and decoded pictures.
    ferplus, facekit : Path or None
        Used where the configuration names no path of its own.
    workers : int
        Processes that render and decode.
    """

    cache: Path
    ferplus: Path | None = None
    facekit: Path | None = None
    workers: int = 1


def open_data(
    config: TrainingConfig,
    places: Places,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[LabelledFaces]:
    """All data sets of a configuration, in its order.

    Parameters
    ----------
    config : TrainingConfig
    places : Places
    progress : callable, optional
        Called with a data set's name, the pictures made and the pictures in all.

    Raises
    ------
    InputError
        When a data set is missing, unreadable or empty.
    """
    sets = [_open(data, config, places, progress) for data in config.data]
    for faces in sets:
        if len(faces) == 0:
            raise InputError(f"data set {faces.name} holds no face to train on")
    return sets


def _open(
    data: Data,
    config: TrainingConfig,
    places: Places,
    progress: Callable[[str, int, int], None] | None,
) -> LabelledFaces:
    def told(done: int, n: int) -> None:
        if progress is not None:
            progress(data.kind, done, n)

    margin = config.input.crop_margin
    match data:
        case FerPlusData():
            from server.pretraining.datasets.ferplus import load_ferplus, training_faces

            path = data.path or places.ferplus
            if path is None:
                raise InputError("no FER+ archive given; name it with --data FILE")
            return training_faces(load_ferplus(path))
        case RenderedData():
            return _rendered(data, margin, places, told)
        case AffectNetData():
            from server.pretraining.datasets.affectnet import affectnet_faces

            return affectnet_faces(
                data.path,
                places.cache,
                side=data.side,
                crop_margin=margin,
                workers=places.workers,
                progress=told,
            )
        case EmotioNetData():
            from server.pretraining.datasets.emotionet import emotionet_faces

            return emotionet_faces(
                data.path,
                data.pictures,
                places.cache,
                side=data.side,
                crop_margin=margin,
                detect_faces=data.detect_faces,
                workers=places.workers,
                progress=told,
            )
        case _:
            return open_stored_faces(data.path)


def _rendered(
    data: RenderedData, margin: float, places: Places, progress: Callable[[int, int], None]
) -> LabelledFaces:
    from server.pretraining.datasets.rendered import rendered_faces
    from server.pretraining.renderer.dataset import RenderingSettings

    facekit = data.facekit or places.facekit
    if facekit is None:
        raise InputError("no head model given; name ICT-FaceKit with --facekit FILE")
    settings = RenderingSettings(
        facekit=facekit,
        seed=data.seed,
        n=data.n,
        size=data.side,
        pictures_per_person=data.pictures_per_person,
        crop_margin=margin,
        grey_share=data.grey_share,
        backgrounds=data.backgrounds,
    )
    faces = rendered_faces(
        settings,
        places.cache,
        places.workers,
        softness=data.label_softness,
        progress=progress,
    )
    return replace(faces, name="rendered")
