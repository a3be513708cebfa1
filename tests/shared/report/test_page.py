"""The page holds what the document holds, and no more."""

import json
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from shared.report import wording, write_report
from shared.report.document import SECTIONS, Report, read_report
from shared.report.figures import style
from shared.report.headings import HEADINGS, PARTS
from shared.report.svg import INK

NAMES = ("full", "withheld", "real")
NUMBER = re.compile(r"[+−]?(?:\d[\d\N{NO-BREAK SPACE}]*)?\.?\d+")
TEMPLATES = Path(wording.__file__).parent / "templates"


class Reader(HTMLParser):
    """Text, headings and pictures of a page; axis labels of pictures are left out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.headings: list[int] = []
        self.pictures: list[dict[str, str | None]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.silent = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if tag in ("svg", "style"):
            self.silent += 1
        if tag == "svg":
            self.pictures.append(found)
            self.words.append(found.get("aria-label") or "")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if found.get("id"):
            self.ids.append(found["id"] or "")
        if tag == "a":
            self.links.append(found.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("svg", "style"):
            self.silent -= 1

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.words.append(data)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def numbers_in(text: str) -> set[str]:
    return {found.strip("\N{NO-BREAK SPACE}") for found in NUMBER.findall(text)}


def printable(report: Report) -> set[str]:
    """Every print form of every number of the document, and the numbers in its sentences."""
    forms: set[str] = set()
    for value in leaves(json.loads(report.model_dump_json())):
        if isinstance(value, str):
            forms |= numbers_in(wording.channel_label(value)) | numbers_in(value)
            forms |= numbers_in(wording.feature_label(value))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            texts = [wording.people(value), wording.percent(value), wording.count(value)]
            texts += [f"{value:.4g}".replace("-", wording.MINUS), str(value)]
            for digits in (0, 2, 3):
                texts += [wording.number(value, digits, sign=sign) for sign in (True, False)]
            if 0 < value < 1:
                texts.append(wording.power_of_ten(value))
            forms |= {form for text in texts for form in numbers_in(text)}
    return forms


def standing() -> set[str]:
    """Numbers in the page's fixed words, which are about no study."""
    fixed = (TEMPLATES / "report.html").read_text(encoding="utf-8")
    fixed += " 95 % 5 of 100 5 % < 10 < .001 .50 is guessing 0 is perfect 1 is perfect STARD 2015"
    fixed += " 0:01:33 F1 SHA-256 14 March 2026, 09:26 352 8"
    return numbers_in(re.sub(r"<style>.*?</style>", "", fixed, flags=re.DOTALL))


@pytest.mark.parametrize("name", NAMES)
def test_every_number_of_the_page_stands_in_the_document(
    examples: dict[str, Report], pages: dict[str, str], name: str
) -> None:
    shown = numbers_in(" ".join(Reader(pages[name]).words))
    assert shown - printable(examples[name]) - standing() == set()
    assert name == "withheld" or len(shown) > 200


def test_a_number_from_elsewhere_would_be_found(
    examples: dict[str, Report], pages: dict[str, str]
) -> None:
    forged = pages["full"].replace("<h2", "<p>.4242</p><h2", 1)
    shown = numbers_in(" ".join(Reader(forged).words))
    assert shown - printable(examples["full"]) - standing() == {".4242"}


@pytest.mark.parametrize("name", NAMES)
def test_headings_pictures_and_links_are_in_order(pages: dict[str, str], name: str) -> None:
    read = Reader(pages[name])
    assert read.headings[0] == 1
    assert read.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(read.headings))
    assert len(read.ids) == len(set(read.ids))
    assert {link[1:] for link in read.links} <= set(read.ids)
    for picture in read.pictures:
        described = picture.get("role") == "img" and len(picture.get("aria-label") or "") > 20
        assert described or picture.get("aria-hidden") == "true"
    assert set(SECTIONS) <= set(read.ids)


def test_the_full_page_has_its_pictures(pages: dict[str, str]) -> None:
    drawn = [p for p in Reader(pages["full"]).pictures if p.get("role") == "img"]
    said = " ".join(p.get("aria-label") or "" for p in drawn)
    assert len(drawn) == 10
    for word in ("ROC", "Calibration plot", "Decision curve", "Heat map", "over time"):
        assert word in said


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(pages: dict[str, str], name: str) -> None:
    text = " ".join(" ".join(Reader(pages[name]).words).split())
    assert "Not a diagnostic device" in text
    assert ("simulated children, not patients" in text) == (name == "full")
    assert not re.search(r"(src|href)=[\"']?https?:", pages[name])
    assert "<script" not in pages[name]


def test_the_head_of_exact_rows_says_where_they_stay(pages: dict[str, str]) -> None:
    from shared.report import render_report
    from tests.support.example_report import complete_report

    assert "Keep it where the rows are" in render_report(complete_report("clinic"))
    assert "Keep it where the rows are" not in pages["real"]


def test_a_withheld_section_shows_its_reason_and_its_price(pages: dict[str, str]) -> None:
    text = " ".join(Reader(pages["withheld"]).words)
    assert text.count("The study did not ask for it") == len(SECTIONS)
    assert text.count("μ\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}.214") == len(SECTIONS)


def test_small_cells_show_as_such(pages: dict[str, str]) -> None:
    text = unescape(" ".join(Reader(pages["real"]).words))
    assert "< 10" in text
    assert "hidden" in text


def test_text_of_a_study_is_escaped(examples: dict[str, Report]) -> None:
    from shared.report import render_report

    nasty = "<script>alert('x')</script> & \"quoted\" $x$"
    full = examples["full"]
    clinics = tuple(group.model_copy(update={"level": nasty}) for group in full.fairness.subgroups)
    report = full.model_copy(
        update={
            "title": nasty,
            "fairness": full.fairness.model_copy(update={"subgroups": clinics}),
        }
    )
    page = render_report(report)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_both_files_are_written_and_the_json_is_the_document(
    tmp_path: Path, examples: dict[str, Report], pages: dict[str, str]
) -> None:
    data, page = write_report(tmp_path / "out", examples["full"])
    assert read_report(data) == examples["full"]
    assert page.read_text(encoding="utf-8") == pages["full"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["report.html", "report.json"]
    assert data.stat().st_mode & 0o077 == 0


def test_the_page_is_the_same_each_time(examples: dict[str, Report], pages: dict[str, str]) -> None:
    from shared.report import render_report

    assert render_report(examples["full"]) == pages["full"]


def test_headings_cover_all_sections_in_order() -> None:
    assert tuple(HEADINGS) == SECTIONS
    assert tuple(key for _, keys in PARTS for key in keys) == SECTIONS


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", [INK, style.CHANCE, style.MODEL, style.REFERENCE, *style.SERIES])
def test_colours_of_the_plots_stand_out_from_paper(colour: str) -> None:
    paper = luminance("#f5f6f8")
    assert (paper + 0.05) / (luminance(colour) + 0.05) >= 4.5
