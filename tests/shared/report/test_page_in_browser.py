"""The page as a browser and a screen reader find it."""

from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import pytest

NAMES = ("full", "withheld", "real")
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations", "incomplete"],
}


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_without_network_and_without_a_console_error(
    browser: Any, files: dict[str, Path], name: str
) -> None:
    page = browser.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(files[name].as_uri())
    page.wait_for_load_state("networkidle")
    page.close()
    assert said == []
    assert asked == [files[name].as_uri()]


@pytest.mark.parametrize(
    ("name", "width"), [("full", 1280), ("full", 400), ("withheld", 1280), ("real", 1280)]
)
def test_axe_finds_no_violation(
    browser: Any, files: dict[str, Path], name: str, width: int
) -> None:
    package = pytest.importorskip("axe_playwright_python", reason="the extra dev has axe-core")
    axe = resources(package).joinpath("axe.min.js").read_text(encoding="utf-8")
    context = browser.new_context(bypass_csp=True, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(files[name].as_uri())
    page.evaluate(axe)
    found = page.evaluate("options => axe.run(document, options)", RULES)
    context.close()
    assert len(found["passes"]) > 20
    assert [
        (violation["id"], [node["target"] for node in violation["nodes"]][:3])
        for violation in found["violations"]
    ] == []
    unsure = {entry["id"] for entry in found["incomplete"]}
    assert unsure <= {"color-contrast"}  # letters of plots; test_page.py computes their contrast


@pytest.mark.parametrize(
    ("name", "width"),
    [("full", 1280), ("full", 768), ("full", 400), ("withheld", 400), ("real", 400)],
)
def test_nothing_is_cut_or_wider_than_the_screen(
    browser: Any, files: dict[str, Path], name: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(files[name].as_uri())
    wide = page.evaluate("document.documentElement.scrollWidth")
    cut = page.evaluate(
        """() => [...document.querySelectorAll('svg[role=img]')].flatMap(svg => {
          const frame = svg.getBoundingClientRect();
          return [...svg.querySelectorAll('text')].filter(text => {
            const box = text.getBoundingClientRect();
            return box.left < frame.left - 1 || box.right > frame.right + 1
              || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
          }).map(text => text.textContent);
        })"""
    )
    page.close()
    assert wide <= width
    assert cut == []


def test_it_can_be_read_by_keyboard_alone(browser: Any, files: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 400, "height": 900})
    page.goto(files["full"].as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#summary"
    unreachable = page.evaluate(
        """() => [...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1
          && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX) && e.tabIndex < 0).length"""
    )
    page.close()
    assert unreachable == 0
