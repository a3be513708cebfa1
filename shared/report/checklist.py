"""STARD-AI and TRIPOD+AI, item by item, with the section that answers each.

Items are in short wording of our own. STARD items carry the numbers of STARD 2015 (Bossuyt et al.,
BMJ 2015;351:h5527); what STARD-AI (Sounderajah et al., Nature Medicine 2025) adds stands below them
by topic, as "AI". TRIPOD+AI: Collins et al., BMJ 2024;385:e078378.

A program knows how a model was made and scored. It does not know who approved or paid for a study:
such items say so instead of pointing at a section that does not answer them.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from shared.errors import InputError
from shared.report.document import ChecklistItem, Checklists

__all__ = ["Standard", "checklist_items", "fill_checklists"]

Standard = Literal["STARD-AI", "TRIPOD+AI"]

_ADDED: Final = "AI"
"""In place of a number: an addition of STARD-AI."""


@functools.cache
def checklist_items() -> tuple[ChecklistItem, ...]:
    """Both guidelines as ``checklist.json`` has them, before any author stated anything."""
    text = Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
    return tuple(ChecklistItem.model_validate(item) for item in json.loads(text))


def fill_checklists(
    *,
    status: Literal["released", "local"] = "released",
    stated: Mapping[tuple[Standard, str], str] | None = None,
) -> Checklists:
    """Both checklists, each item with where it is answered.

    Parameters
    ----------
    status : str
        Of the section; the checklists hold no data.
    stated : mapping, optional
        By guideline and number, what the study's authors say to an item that no program can
        answer, such as ``{("STARD-AI", "28"): "Registered as ISRCTN00000000"}``.

    Raises
    ------
    InputError
        An item does not exist.
    """
    stated = dict(stated or {})
    items = checklist_items()
    known = {(item.standard, item.number) for item in items if item.number != _ADDED}
    if unknown := sorted(stated.keys() - known):
        standard, number = unknown[0]
        raise InputError(
            f"an answer was given to {standard} item {number!r}, which does not exist: use one of "
            + ", ".join(i.number for i in items if i.standard == standard and i.number != _ADDED)
        )
    return Checklists(
        status=status,
        items=tuple(
            item.model_copy(update={"stated": stated[key], "remark": ""})
            if (key := (item.standard, item.number)) in stated
            else item
            for item in items
        ),
    )
