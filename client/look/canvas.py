"""A sheet of paper to draw on: crisp text, flat colours, pictures fitted into frames.

Colours are those of the quality page. What matters never hangs on colour alone: a lost face is
hatched and says so, curves have strips of their own. The typeface is DejaVu Sans, which comes with
matplotlib, so a sheet looks the same on every computer.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = [
    "ACCENT",
    "INK",
    "LINE",
    "LOST",
    "PAPER",
    "SOFT",
    "WASH",
    "Area",
    "Canvas",
    "fitted",
    "rgb",
]

INK: Final = "#1d2228"
SOFT: Final = "#535b66"
LINE: Final = "#b9c0c8"
WASH: Final = "#f0f2f5"
PAPER: Final = "#ffffff"
ACCENT: Final = "#0b4a75"
LOST: Final = "#a8201a"

_HATCH_PERIOD: Final = 10


class Area(NamedTuple):
    """A rectangle in whole pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The column behind the last."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The row behind the last."""
        return self.y + self.height


class Canvas:
    """An RGB picture under construction.

    Parameters
    ----------
    width, height : int
    """

    def __init__(self, width: int, height: int) -> None:
        from PIL import Image, ImageDraw

        self.width, self.height = width, height
        self._image = Image.new("RGB", (width, height), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def copy(self) -> "Canvas":
        """Another canvas with the same content."""
        from PIL import ImageDraw

        other = Canvas.__new__(Canvas)
        other.width, other.height = self.width, self.height
        other._image = self._image.copy()
        other._draw = ImageDraw.Draw(other._image)
        return other

    def pixels(self) -> NDArray[np.uint8]:
        """Content, shape (height, width, 3), uint8, RGB."""
        return np.asarray(self._image)

    def save_png(self, path: Path) -> None:
        """Write the content as PNG without any metadata, whatever the file's name."""
        self._image.save(path, format="PNG", compress_level=6)

    def text(
        self,
        x: int,
        baseline: int,
        text: str,
        *,
        size: int = 15,
        bold: bool = False,
        colour: str = INK,
        align: str = "left",
    ) -> int:
        """Write one line and return its width; ``align`` is left, right or middle."""
        font = _font(size, bold)
        anchor = {"left": "ls", "right": "rs", "middle": "ms"}[align]
        self._draw.text((x, baseline), text, fill=colour, font=font, anchor=anchor)
        return round(font.getlength(text))

    def fill(self, area: Area, colour: str) -> None:
        """Paint a rectangle."""
        if area.width > 0 and area.height > 0:
            self._draw.rectangle((area.x, area.y, area.right - 1, area.bottom - 1), fill=colour)

    def frame(self, area: Area, colour: str, width: int = 1) -> None:
        """Draw the border of a rectangle, inside it."""
        if area.width > 1 and area.height > 1:
            corners = (area.x, area.y, area.right - 1, area.bottom - 1)
            self._draw.rectangle(corners, outline=colour, width=width)

    def line(self, start: tuple[int, int], stop: tuple[int, int], colour: str) -> None:
        """Draw a thin line at any angle, with smooth edges."""
        import cv2

        left, top = min(start[0], stop[0]) - 1, min(start[1], stop[1]) - 1
        right, bottom = max(start[0], stop[0]) + 2, max(start[1], stop[1]) + 2
        area = Area(max(left, 0), max(top, 0), right - left, bottom - top)
        pixels = self.pixels()[area.y : area.bottom, area.x : area.right].copy()
        ends = [(x - area.x, y - area.y) for x, y in (start, stop)]
        cv2.line(pixels, ends[0], ends[1], rgb(colour).tolist(), 1, cv2.LINE_AA)
        self.picture(area, pixels)

    def picture(self, area: Area, pixels: NDArray[np.uint8]) -> None:
        """Put a picture of exactly the area's size."""
        from PIL import Image

        self._image.paste(Image.fromarray(np.ascontiguousarray(pixels)), (area.x, area.y))

    def hatch(self, area: Area) -> None:
        """Fill a rectangle with slanting stripes: here is nothing to be seen."""
        if area.width <= 0 or area.height <= 0:
            return
        rows, columns = np.ogrid[area.y : area.bottom, area.x : area.right]
        stripes = ((rows + columns) % _HATCH_PERIOD < _HATCH_PERIOD // 2)[:, :, None]
        self.picture(area, np.where(stripes, rgb("#dfe3e8"), rgb(WASH)).astype(np.uint8))

    def badge(
        self,
        x: int,
        baseline: int,
        text: str,
        *,
        size: int,
        colour: str = INK,
        align: str = "left",
    ) -> int:
        """White bold text on a coloured plate; returns the plate's width."""
        pad = size // 2
        width = round(_font(size, True).getlength(text)) + 2 * pad
        left = x - {"left": 0, "middle": width // 2, "right": width}[align]
        self.fill(Area(left, baseline - size - 2, width, size + 8), colour)
        self.text(left + pad, baseline, text, size=size, bold=True, colour=PAPER)
        return width

    def bar(self, area: Area, share: float, colour: str) -> None:
        """A bar filled from the left; ``share`` is 0 to 1."""
        self.fill(area, WASH)
        filled = round(min(max(share, 0.0), 1.0) * area.width)
        self.fill(area._replace(width=filled), colour)


def fitted(text: str, width: int, *, size: int = 15, bold: bool = False) -> str:
    """The text, cut and with three dots behind if it is wider than ``width`` pixels."""
    font = _font(size, bold)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def rgb(colour: str) -> NDArray[np.uint8]:
    """Red, green and blue of a colour written as ``#rrggbb``."""
    return np.frombuffer(bytes.fromhex(colour.removeprefix("#")), np.uint8)


@lru_cache(maxsize=32)
def _font(size: int, bold: bool) -> "FreeTypeFont":
    from PIL import ImageFont

    # Found, not imported: importing it takes long and makes a folder in the user's home.
    found = find_spec("matplotlib")
    fonts = Path((found and found.origin) or "").parent / "mpl-data" / "fonts" / "ttf"
    return ImageFont.truetype(fonts / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), size)
