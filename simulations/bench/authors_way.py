"""The way of the seed authors, to compare with: every step as their published example does it.

OpenCV decodes every frame to a full colour picture, dlib's HOG detector looks at it at full size,
once upsampled, the box is enlarged by 30 % of its size on each side and cut at the borders, PIL
scales the crop to the network's size, and PyTorch runs the network as it was trained, one picture
at a time (Li et al., ICIP 2019; example of their repository). Written from the description; none
of their code is used. With several faces the largest is read.
"""

import importlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = ["AuthorsCost", "AuthorsWay"]

_MARGIN: Final = 0.3
_UPSAMPLE: Final = 1


class AuthorsCost(NamedTuple):
    """CPU milliseconds a frame, one thread.

    ``decode_ms`` is the mean over all frames that were decoded, the others over the frames that
    were read; ``faces`` of them had a face.
    """

    decode_ms: float
    detect_ms: float
    crop_ms: float
    network_ms: float
    frames_decoded: int
    frames_read: int
    faces: int

    @property
    def whole_ms(self) -> float:
        """All steps of one frame."""
        return self.decode_ms + self.detect_ms + self.crop_ms + self.network_ms


class AuthorsWay:
    """Reads a recording frame by frame as the authors do, and times each step.

    Parameters
    ----------
    network : torch.nn.Module
        Eager, in evaluation mode.
    size : int
        Side of its input, pixels.

    Raises
    ------
    InputError
        When dlib is not installed.
    """

    def __init__(self, network: "torch.nn.Module", size: int) -> None:
        self._detector = _import_dlib().get_frontal_face_detector()
        self._network = network
        self._size = size

    def measure(self, video: Path, *, first: int, frames: int, read: int) -> AuthorsCost:
        """Decode a stretch of a recording and read some of its frames.

        Parameters
        ----------
        video : Path
        first : int
            Where the stretch begins; frames before it are decoded untimed.
        frames : int
            Length of the stretch, >= 1. Every frame of it is decoded.
        read : int
            Frames of it that are read, evenly spread, 1 to ``frames``: detection takes most of the
            time and is much the same for each.

        Returns
        -------
        AuthorsCost

        Raises
        ------
        InputError
            When the recording ends before the stretch does.
        """
        import cv2

        chosen = set(np.linspace(0, frames - 1, read).round().astype(int).tolist())
        clock = _Steps()
        capture = cv2.VideoCapture(str(video))
        faces = 0
        with _one_thread():
            for _ in range(first):
                capture.grab()
            for number in range(frames):
                with clock.step("decode"):
                    there, picture = capture.read()
                if not there:
                    raise InputError(f"{video}: fewer than {first + frames} frames")
                if number in chosen:
                    faces += self._read(picture, clock)
        capture.release()
        per_read = {name: 1000 * clock.seconds[name] / len(chosen) for name in _STEPS[1:]}
        return AuthorsCost(
            decode_ms=1000 * clock.seconds["decode"] / frames,
            detect_ms=per_read["detect"],
            crop_ms=per_read["crop"],
            network_ms=per_read["network"],
            frames_decoded=frames,
            frames_read=len(chosen),
            faces=faces,
        )

    def _read(self, picture: NDArray[np.uint8], clock: "_Steps") -> bool:
        import torch

        with clock.step("detect"):
            boxes = self._detector(picture, _UPSAMPLE)
        box = max(boxes, key=lambda found: found.width() * found.height(), default=None)
        with clock.step("crop"):
            crop = _crop(picture, box, self._size)
        with clock.step("network"), torch.inference_mode():
            outputs = self._network(torch.from_numpy(crop)).numpy()
        if not np.isfinite(outputs).all():
            raise RuntimeError("the network gave a number that is not finite")
        return box is not None


def _crop(picture: NDArray[np.uint8], box: Any, size: int) -> NDArray[np.float32]:
    """Network input, shape (1, 3, size, size), 0 to 1; the whole picture where there is no box."""
    from PIL import Image

    height, width = picture.shape[:2]
    left, top, right, bottom = 0, 0, width - 1, height - 1
    if box is not None:
        across, down = _MARGIN * box.width(), _MARGIN * box.height()
        left, top = max(int(box.left() - across), 0), max(int(box.top() - down), 0)
        right = min(int(box.right() + across), width - 1)
        bottom = min(int(box.bottom() + down), height - 1)
    cut = Image.fromarray(picture[top:bottom, left:right])
    scaled = np.asarray(cut.resize((size, size), Image.Resampling.BILINEAR), np.float32) / 255
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


_STEPS: Final = ("decode", "detect", "crop", "network")


class _Steps:
    """CPU seconds of this process by step."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(_STEPS, 0.0)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.process_time()
        yield
        self.seconds[name] += time.process_time() - started


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch and OpenCV compute with one thread inside."""
    import cv2
    import torch

    torch_threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(torch_threads)
        cv2.setNumThreads(cv2_threads)


def _import_dlib() -> Any:
    try:
        return importlib.import_module("dlib")
    except ImportError:
        raise InputError(
            "the authors' way needs dlib, which only this benchmark uses: "
            "`pip install dlib-bin` (or --without-authors leaves it out)"
        ) from None
