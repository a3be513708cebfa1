"""A short video of one person from an attribute series: a face whose course is known.

Reading it again with the extraction tells whether the network follows a face over time. The action
units of the series are shown, and faces it lost are missing; expressions, valence and arousal have
no muscles of their own.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.action_units import shape_weights
from server.pretraining.renderer.geometry import Framing, Window, posed, projected, window_of
from server.pretraining.renderer.identity import make_identity
from server.pretraining.renderer.mesh import FaceKit
from server.pretraining.renderer.render import Renderer
from server.pretraining.renderer.scene import Scene, random_scene
from shared.channels import FRAME_RATE_HZ, GROUP_CHANNELS
from shared.errors import InputError
from shared.files import atomic_path

if TYPE_CHECKING:
    from shared.attributes import AttributeSeries

__all__ = ["VideoSettings", "render_video"]

_PERSON, _SCENE = 1, 3
_LONGEST_S: Final = 600.0
_SWAY_DEGREES: Final = 3.0
_SWAY_S: Final = (3.0, 9.0)
"""Size and periods of the head's slow movement."""


@dataclass(frozen=True)
class VideoSettings:
    """How the video looks.

    Attributes
    ----------
    seed : int
        Chooses the person, the light and the background.
    width, height : int
        Pixels, even.
    face_share : float
        Height of the face box as a share of the picture's.
    quality : int
        H.264 constant rate factor, 0 (lossless) to 51.
    """

    seed: int = 0
    width: int = 480
    height: int = 360
    face_share: float = 0.55
    quality: int = 20

    def __post_init__(self) -> None:
        limits = {
            "seed": (0, 2**31 - 1),
            "width": (64, 1920),
            "height": (64, 1920),
            "face_share": (0.1, 1.0),
            "quality": (0, 51),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} {value} asked; {low:g} to {high:g} are possible")
        if self.width % 2 or self.height % 2:
            raise InputError(f"{self.width} x {self.height} asked; both sides must be even")


def render_video(
    path: Path,
    series: "AttributeSeries",
    kit: FaceKit,
    settings: VideoSettings = VideoSettings(),
) -> None:
    """Write an H.264 video, one frame a row of the series, 24 a second.

    Parameters
    ----------
    path : Path
        File to write, ``.mp4``.
    series : AttributeSeries
        Its action-unit channels are shown as intensities, on both sides of the face.
    kit : FaceKit
    settings : VideoSettings, optional

    Raises
    ------
    InputError
        When the series is empty or longer than ten minutes, or the file name is no .mp4.
    """
    import av

    n = len(series.time_s)
    if not 0 < n <= _LONGEST_S * FRAME_RATE_HZ:
        raise InputError(
            f"a series of {n} rows was given; a video needs 1 row to {_LONGEST_S:g} seconds"
        )
    if path.suffix != ".mp4":
        raise InputError(f"{path} asked; name a video to write ....mp4")
    shown = np.nan_to_num(series.values[:, list(GROUP_CHANNELS["au"])]).clip(0, 1)
    film = _Film(kit, settings)
    with atomic_path(path) as temporary:
        container: Any = av.open(str(temporary), "w", format="mp4")
        with container:
            stream = container.add_stream("libx264", rate=Fraction(FRAME_RATE_HZ))
            stream.width, stream.height = settings.width, settings.height
            stream.pix_fmt = "yuv420p"
            # One thread: the same file on every machine.
            stream.codec_context.thread_count = 1
            stream.options = {"crf": str(settings.quality), "preset": "veryfast"}
            for row in range(n):
                picture = film.frame(row, shown[row] if series.face_found[row] else None)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())


class _Film:
    """One person before one camera that stands still."""

    def __init__(self, kit: FaceKit, settings: VideoSettings) -> None:
        self._kit = kit
        self._settings = settings
        self._renderer = Renderer(kit, oversampling=1.0)
        self._identity = make_identity(kit, np.random.default_rng([settings.seed, _PERSON]))
        rng = np.random.default_rng([settings.seed, _SCENE])
        self._scene = replace(
            random_scene(rng), yaw=0.0, pitch=0.0, roll=0.0, occluders=(), shadow=0.4
        )
        self._framing = Framing(
            settings.width, settings.height, place=(0.5, 0.5, settings.face_share)
        )
        self._window = self._still_window()
        self._periods = rng.uniform(*_SWAY_S, (3, 2))
        self._phases = rng.uniform(0, 2 * np.pi, (3, 2))

    def _still_window(self) -> Window:
        resting = posed(self._identity.base[self._kit.landmarks], self._scene)
        marks = projected(resting, self._scene.distance_cm)
        return window_of(marks, self._scene, self._framing)[0]

    def _scene_at(self, row: int) -> Scene:
        time_s = row / FRAME_RATE_HZ
        waves = np.sin(2 * np.pi * time_s / self._periods + self._phases).sum(axis=1)
        yaw, pitch, roll = (float(v) for v in _SWAY_DEGREES * waves / 2)
        return replace(self._scene, yaw=yaw, pitch=pitch, roll=roll)

    def frame(self, row: int, units: NDArray[np.float32] | None) -> NDArray[np.uint8]:
        """Picture of one row, uint8 RGB; without a face where ``units`` is None."""
        width, height = self._settings.width, self._settings.height
        scene = self._scene_at(row)
        if units is None:
            picture = self._renderer.background(scene, width, height)
        else:
            intensity = np.repeat(units.astype(np.float32)[:, None], 2, axis=1)
            vertices = self._kit.deformed(self._identity.base, shape_weights(intensity))
            picture = self._renderer.render(
                self._identity, vertices, intensity, scene, self._framing, window=self._window
            ).picture
        return np.asarray(np.rint(np.clip(picture, 0, 1) * 255), np.uint8)
