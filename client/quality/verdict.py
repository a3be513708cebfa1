"""Usable, doubtful or unusable, and why, in words a person at the clinic can act on."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from client.quality.limits import QualityLimits
from client.quality.measures import RecordingMeasures

__all__ = ["Level", "Verdict", "clock", "judge"]

Level = Literal["usable", "doubtful", "unusable"]


class Verdict(NamedTuple):
    """The worst level any measure reached, and the reasons, the worst first."""

    level: Level
    reasons: tuple[str, ...]


def judge(measures: RecordingMeasures, limits: QualityLimits) -> Verdict:
    """Compare the measures of a recording with a clinic's limits.

    What was not measured is not held against a recording.
    """
    found = list(_findings(measures, limits))
    unusable = tuple(text for level, text in found if level == "unusable")
    doubtful = tuple(text for level, text in found if level == "doubtful")
    level: Level = "unusable" if unusable else "doubtful" if doubtful else "usable"
    return Verdict(level, unusable + doubtful)


def clock(seconds: float) -> str:
    """Minutes and seconds, such as ``6:39``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _findings(m: RecordingMeasures, limits: QualityLimits) -> Iterator[tuple[Level, str]]:
    if not m.face_s:
        yield "unusable", "no face was found; is it the right recording?"
        return
    if m.face_s < limits.least_face_s:
        needed = f"{limits.least_face_s:g} s are needed"
        yield "unusable", f"the face is seen for {m.face_s:.0f} s in all, {needed}"
    yield from _too_little(
        m.face_share,
        limits.doubtful_face_share,
        limits.unusable_face_share,
        f"the face is seen in {m.face_share:.0%} of the recording",
    )
    yield from _too_much(
        m.longest_gap_s,
        limits.doubtful_gap_s,
        limits.unusable_gap_s,
        f"no face for {m.longest_gap_s:.0f} s from {clock(m.longest_gap_from_s)} on",
    )
    if m.brightness is not None:
        shown = f"(brightness {m.brightness:.0f})"
        yield from _too_little(
            m.brightness, limits.doubtful_dark, limits.unusable_dark, f"the face is dark {shown}"
        )
        yield from _too_much(
            m.brightness,
            limits.doubtful_bright,
            limits.unusable_bright,
            f"the face is overexposed {shown}",
        )
    dark = m.brightness is not None and m.brightness < limits.doubtful_dark
    yield from _too_little(
        None if dark else m.sharpness,  # a dark face shows little detail however well focused
        limits.doubtful_sharpness,
        limits.unusable_sharpness,
        f"the face is blurred (sharpness {m.sharpness or 0:.0f})",
    )
    yield from _too_little(
        m.frame_rate_hz,
        limits.doubtful_frame_rate_hz,
        limits.unusable_frame_rate_hz,
        f"only {m.frame_rate_hz or 0:.1f} frames a second",
    )
    if m.duration_s < limits.shortest_s:
        yield "doubtful", f"only {clock(m.duration_s)} long, not {clock(limits.shortest_s)} or more"
    if (m.second_face_share or 0) > limits.doubtful_second_face_share:
        share = f"{m.second_face_share:.0%}"
        yield "doubtful", f"a second face in {share} of the looks; is the child's face the larger?"


def _too_little(
    value: float | None, doubtful: float, unusable: float, text: str
) -> Iterator[tuple[Level, str]]:
    if value is not None and value < doubtful:
        yield ("unusable" if value < unusable else "doubtful"), text


def _too_much(
    value: float, doubtful: float, unusable: float, text: str
) -> Iterator[tuple[Level, str]]:
    if value > doubtful:
        yield ("unusable" if value > unusable else "doubtful"), text
