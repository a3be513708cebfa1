"""Where a recording becomes doubtful, and where unusable: the section [quality] of ``site.toml``.

All entries are optional. The defaults were set on faces of known size, light and blur: in a sharp
picture a face 112 pixels wide and wider has a sharpness of about 400 (never below 300), one of 80,
64 and 48 pixels about 250, 170 and 100; blurred by a Gaussian of 1, 2, 3, 5 and 8 % of its width,
whatever its size, a face has about 75, 16, 7, 4 and 3 (``fedaffect-sim bench sharpness``).
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from client.policy import POLICY_FILE, read_site_file
from shared.errors import InputError
from shared.features.temporal import SHORTEST_SERIES_S

__all__ = ["QualityLimits", "load_quality_limits"]

_Share = Annotated[float, Field(ge=0, le=1)]
_Grey = Annotated[float, Field(ge=0, le=255)]
_Seconds = Annotated[float, Field(ge=0, le=86400)]
_Positive = Annotated[float, Field(ge=0, le=1e6)]

_ORDERED = (
    # The first is reached before the second as a recording gets worse, from above or from below.
    ("doubtful_face_share", "unusable_face_share", "falls"),
    ("doubtful_gap_s", "unusable_gap_s", "rises"),
    ("doubtful_dark", "unusable_dark", "falls"),
    ("doubtful_bright", "unusable_bright", "rises"),
    ("doubtful_sharpness", "unusable_sharpness", "falls"),
    ("doubtful_frame_rate_hz", "unusable_frame_rate_hz", "falls"),
)


class QualityLimits(BaseModel):
    """Limits of the quality report.

    Attributes
    ----------
    shortest_s : float
        A shorter recording is doubtful: part of it is missing. Set it near the length of what the
        children watch; the default fits a film of six and a half minutes.
    least_face_s : float
        With less time of face a recording is unusable; features need 30 s.
    doubtful_face_share, unusable_face_share : float
        Share of the recording in which the face was found, below which it is so.
    doubtful_gap_s, unusable_gap_s : float
        Longest time without a face, above which it is so.
    doubtful_dark, unusable_dark : float
        Median luminance of the face, 0 to 255, below which it is so.
    doubtful_bright, unusable_bright : float
        And above which it is so.
    doubtful_sharpness, unusable_sharpness : float
        Median sharpness of the face, below which it is so.
    doubtful_frame_rate_hz, unusable_frame_rate_hz : float
        Frames a second, below which it is so.
    doubtful_second_face_share : float
        Share of the moments the detector looked in which it saw two faces or more, above which it
        is doubtful whose face was read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    shortest_s: _Seconds = 300.0
    least_face_s: Annotated[float, Field(ge=SHORTEST_SERIES_S, le=86400)] = SHORTEST_SERIES_S
    doubtful_face_share: _Share = 0.8
    unusable_face_share: _Share = 0.5
    doubtful_gap_s: _Seconds = 10.0
    unusable_gap_s: _Seconds = 60.0
    doubtful_dark: _Grey = 50.0
    unusable_dark: _Grey = 25.0
    doubtful_bright: _Grey = 210.0
    unusable_bright: _Grey = 235.0
    doubtful_sharpness: _Positive = 30.0
    unusable_sharpness: _Positive = 10.0
    doubtful_frame_rate_hz: _Positive = 20.0
    unusable_frame_rate_hz: _Positive = 10.0
    doubtful_second_face_share: _Share = 0.1

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for doubtful, unusable, direction in _ORDERED:
            first, second = getattr(self, doubtful), getattr(self, unusable)
            if first < second if direction == "falls" else first > second:
                more = "more" if direction == "falls" else "less"
                raise ValueError(f"{doubtful} {first:g} must be {more} than {unusable} {second:g}")
        return self


def load_quality_limits(site: Path) -> QualityLimits:
    """Limits of a site folder; the defaults where ``site.toml`` does not set them.

    Raises
    ------
    InputError
        When ``site.toml`` is missing or no TOML, or a limit is unknown, out of bounds, or an
        unusable one lies on the wrong side of the doubtful one.
    """
    section = read_site_file(site).get("quality", {})
    path = site / POLICY_FILE
    if not isinstance(section, dict):
        raise InputError(f"{path}: 'quality' must be a section, [quality]")
    try:
        return QualityLimits.model_validate(section)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}".removeprefix(": ")
            for item in error.errors()
        )
        raise InputError(f"{path}: [quality] {problems}") from None
