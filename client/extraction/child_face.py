"""Which of the faces in the picture is the child's.

Nothing recognises a face here; place and size must do. The child sits in front of the tablet for
the whole recording, so a long-term reference is kept: where its face usually is and how large,
averaged over seconds. The rule, in this order:

1. A face that goes on from the last look and fits the reference is the child's, however large
   another one is. Failing that, the face that fits the reference best; failing that, the one that
   goes on from the last look, for the child moves; or one where the child was seen last.
2. If none of these is seen, the child is lost, whoever else is in the picture. Only when another
   face stays in its place for some seconds is that face taken for the child's: the child, or the
   tablet, has moved. A reference that is younger than those seconds is given up as fast as it grew.
3. Such a change may be wrong: a parent stayed when the child left. So the former reference is kept
   until the new face was seen for longer than the old one was, and the child is taken back as soon
   as a face is in the old place again.
4. At first nothing is known. The largest face is taken, and within the first second a clearly
   larger one replaces it, because the child sits nearest to the tablet.

What this cannot tell: a parent whose face passes exactly in front of the child's is followed until
both are seen. A parent who is in the picture alone for longer than the first second, and stays when
the child comes, is taken for the child until that face is lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, hypot, log, sqrt
from typing import Any, Final

from client.extraction.detector import Detection

__all__ = ["ChildFace", "Patience", "Place", "Reference", "Stranger", "overlap"]

_FAR: Final = 0.9
"""A face that is this far from a place, in sizes of the place's face, no longer fits it. Two heads
side by side are farther apart."""
_LARGER: Final = log(1.6)
"""Nor does one that is larger or smaller by this factor."""
_SAME_FACE_OVERLAP: Final = 0.3
"""Intersection over union of one face's boxes at two looks."""
_SETTLED_S: Final = 1.0
_CLEARLY_LARGER: Final = 1.2
_UNSEEN_S: Final = 1.0
"""A face that was not seen for longer than this did not stay."""


def overlap(a: Detection, b: Detection) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    common = max(across, 0.0) * max(down, 0.0)
    total = a.width * a.height + b.width * b.height - common
    return common / total if total > 0 else 0.0


@dataclass(frozen=True)
class Patience:
    """How fast the reference changes.

    Attributes
    ----------
    average_s : float
        Time constant of the reference, seconds.
    give_up_s : float
        So long must another face stay, and the child be lost, until it is taken for the child's.
    """

    average_s: float
    give_up_s: float


@dataclass(frozen=True)
class Place:
    """Centre of a face and its size, the geometric mean of width and height; pixels."""

    x: float
    y: float
    size: float

    @classmethod
    def of(cls, face: Detection) -> "Place":
        """Place of a detected face."""
        size = sqrt(face.width * face.height)
        return cls(face.x + face.width / 2, face.y + face.height / 2, size)

    def misfit(self, face: Detection) -> float:
        """How badly a face fits here: 0 not at all, above 1 it is another face."""
        other = Place.of(face)
        far = hypot(other.x - self.x, other.y - self.y) / self.size
        return hypot(far / _FAR, log(other.size / self.size) / _LARGER)


@dataclass(frozen=True)
class Reference:
    """Where a face usually is, and for how many seconds it was seen."""

    place: Place
    seen_s: float = 0.0

    def after(self, face: Detection, seconds: float, average_s: float) -> "Reference":
        """With ``seconds`` more of the face: their mean at first, later an exponential one."""
        if seconds <= 0:
            return self
        longer = self.seen_s + seconds
        share = max(seconds / longer, 1 - exp(-seconds / average_s))
        here, old = Place.of(face), self.place
        place = Place(
            old.x + share * (here.x - old.x),
            old.y + share * (here.y - old.y),
            old.size * (here.size / old.size) ** share,
        )
        return Reference(place, longer)


@dataclass(frozen=True)
class Stranger:
    """A face that is seen while the child's is not; seconds of the recording."""

    place: Place
    since_s: float
    last_s: float


@dataclass(frozen=True)
class ChildFace:
    """What is remembered of the child's face; numbers only, never changed, always replaced.

    Attributes
    ----------
    reference : Reference or None
        None until a face was seen.
    former : Reference or None
        The one that was given up.
    last : Place or None
        Where the child's face was seen last.
    last_s : float
        When, seconds of the recording.
    stranger : Stranger or None
    """

    reference: Reference | None = None
    former: Reference | None = None
    last: Place | None = None
    last_s: float = 0.0
    stranger: Stranger | None = None

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ChildFace":
        """From what ``dataclasses.asdict`` and JSON made of one."""

        def place(value: Mapping[str, Any]) -> Place:
            return Place(**{name: float(number) for name, number in value.items()})

        def reference(value: Mapping[str, Any] | None) -> Reference | None:
            if value is None:
                return None
            return Reference(place(value["place"]), float(value["seen_s"]))

        other = content["stranger"]
        return cls(
            reference=reference(content["reference"]),
            former=reference(content["former"]),
            last=content["last"] and place(content["last"]),
            last_s=float(content["last_s"]),
            stranger=other
            and Stranger(place(other["place"]), float(other["since_s"]), float(other["last_s"])),
        )

    @property
    def settled(self) -> bool:
        """Whether the child's face was seen for long enough not to be replaced by a larger one."""
        return self.reference is not None and self.reference.seen_s >= _SETTLED_S

    def among(self, faces: Sequence[Detection], followed: Detection | None) -> Detection | None:
        """The child's face among those of a part of the picture; nothing is concluded if none is.

        Parameters
        ----------
        faces : sequence of Detection
        followed : Detection or None
            The child's face at the last look, None if it was lost then.
        """
        same = _continued(faces, followed)
        usual = None if self.reference is None else self.reference.place
        if usual is not None and (same is None or usual.misfit(same) > 1):
            same = _fitting(faces, usual) or same
        if same is None and self.last is not None:
            return _fitting(faces, self.last)
        return same

    def in_whole(
        self,
        faces: Sequence[Detection],
        followed: Detection | None,
        time_s: float,
        patience: Patience,
    ) -> "tuple[Detection | None, ChildFace]":
        """The child's face among all faces of the picture, and what is remembered then.

        A face that is returned is not yet noted as seen, see ``seen``.
        """
        if self.reference is None:
            first = max(faces, key=_area, default=None)
            return first, self if first is None else _founded(first, time_s)
        same = _continued(faces, followed)
        if (back := self._back(faces, same)) is not None:
            return back, replace(self, reference=self.former, former=None, stranger=None)
        if same is not None and not self.settled:
            largest = max(faces, key=_area)
            if Place.of(largest).size >= _CLEARLY_LARGER * Place.of(same).size:
                return largest, _founded(largest, time_s)
        chosen = self.among(faces, followed)
        return (chosen, self) if chosen is not None else self._watch(faces, time_s, patience)

    def seen(
        self, face: Detection, followed: Detection | None, time_s: float, patience: Patience
    ) -> "ChildFace":
        """With the child's face seen once more; time in which it was lost does not count."""
        if self.reference is None:
            return _founded(face, time_s)
        seconds = 0.0 if followed is None else time_s - self.last_s
        return replace(
            self,
            reference=self.reference.after(face, seconds, patience.average_s),
            last=Place.of(face),
            last_s=time_s,
            stranger=None,
        )

    def _back(self, faces: Sequence[Detection], same: Detection | None) -> Detection | None:
        """A face in the place of the former reference, while that has the older claim."""
        former, now = self.former, self.reference
        if former is None or now is None or now.seen_s > former.seen_s:
            return None
        if same is not None and former.place.misfit(same) <= 1:
            return None
        return _fitting([face for face in faces if face is not same], former.place)

    def _watch(
        self, faces: Sequence[Detection], time_s: float, patience: Patience
    ) -> "tuple[Detection | None, ChildFace]":
        """The child is lost: does another face stay?"""
        known, reference = self.stranger, self.reference
        if known is not None and time_s - known.last_s > _UNSEEN_S:
            known = None
        if not faces or reference is None:
            return None, replace(self, stranger=known)
        face = min(faces, key=known.place.misfit) if known is not None else None
        if face is None or known is None or known.place.misfit(face) > 1:
            face, since_s = max(faces, key=_area), time_s
        else:
            since_s = known.since_s
        if time_s - since_s < min(patience.give_up_s, reference.seen_s):
            return None, replace(self, stranger=Stranger(Place.of(face), since_s, time_s))
        claims = [
            claim
            for claim in (self.former, reference)
            if claim is not None and claim.seen_s >= patience.give_up_s
        ]
        former = max(claims, key=lambda claim: claim.seen_s, default=None)
        return face, replace(_founded(face, time_s), former=former)


def _founded(face: Detection, time_s: float) -> ChildFace:
    place = Place.of(face)
    return ChildFace(reference=Reference(place), last=place, last_s=time_s)


def _area(face: Detection) -> float:
    return face.width * face.height


def _fitting(faces: Sequence[Detection], place: Place) -> Detection | None:
    best = min(faces, key=place.misfit, default=None)
    return best if best is not None and place.misfit(best) <= 1 else None


def _continued(faces: Sequence[Detection], followed: Detection | None) -> Detection | None:
    """The face that goes on from ``followed``: it overlaps and has about its size."""
    if followed is None:
        return None
    place = Place.of(followed)
    going_on = [
        face
        for face in faces
        if overlap(face, followed) >= _SAME_FACE_OVERLAP and place.misfit(face) <= 1
    ]
    return max(going_on, key=lambda face: overlap(face, followed), default=None)
