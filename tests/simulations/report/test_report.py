"""The page: complete, self-contained, accessible, and honest about what it is made from."""

import itertools
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from statistics import NormalDist

import pytest

from shared.privacy.accountant import attack_success
from simulations.report import render_report, write_report
from simulations.report.figures import STYLES, one_draw, what_epsilon_means
from simulations.report.summary import sentences
from simulations.report.wording import method_label, number, power_of_ten
from simulations.results import (
    POSTER_TABLE_1,
    ClinicSize,
    PlanFacts,
    Provenance,
    Results,
    build_records,
)

VOID = {"meta", "br", "hr", "img", "input", "link"}
ALL_GROUPS = "au+arousal+valence+expression"


class Page(HTMLParser):
    """Elements in order, with their attributes and text; fails on tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((tuple(self.open), data.strip()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self) -> str:
        text = " ".join(t for path, t in self.texts if "style" not in path and "svg" not in path)
        return re.sub(r"\s+", " ", text)


@pytest.fixture(scope="module")
def reproduction_html(reproduction: Results) -> str:
    return render_report(reproduction)


@pytest.fixture(scope="module")
def hospitals_html(hospitals: Results) -> str:
    return render_report(hospitals)


@pytest.fixture(scope="module", params=["reproduction", "hospitals"])
def either(request: pytest.FixtureRequest) -> tuple[Results, str]:
    results: Results = request.getfixturevalue(request.param)
    return results, request.getfixturevalue(f"{request.param}_html")


def changed(results: Results, **provenance: object) -> Results:
    known = results.provenance.model_dump() | provenance
    return results.model_copy(update={"provenance": Provenance.model_validate(known)})


class TestComplete:
    def test_every_number_of_the_file_is_on_the_page(self, either: tuple[Results, str]) -> None:
        results, text = either
        words = Page(text).words
        for record in (*results.results, *results.differences):
            digits = 2 if record.method == "poster" else 3
            signed = hasattr(record, "against")
            assert number(record.mean, digits, sign=signed) in words
            if record.low is not None and record.high is not None:
                low, high = (number(v, 3, sign=signed) for v in (record.low, record.high))
                assert f"{low} to {high}" in words
            if record.sd:
                assert f"({number(record.sd, 3)})" in words
            if record.reason:
                assert record.reason in words

    def test_numbers_stand_in_their_own_cells(
        self, reproduction: Results, reproduction_html: str
    ) -> None:
        table = reproduction_html.split('id="scores-au-arousal"')[1].split("</table>")[0]
        row = table.split("Local\u0020DP-SGD + FedAvg, ε\u00a0=\u00a02</th>")[1].split("</tr>")[0]
        means = re.findall(r"<td>([.\d]+)", row)
        expected = [
            reproduction.find("local-dp", "au+arousal", metric, epsilon=2)
            for metric in reproduction.metrics
        ]
        assert means == [number(record.mean, 3) for record in expected if record is not None]

    def test_provenance_is_shown(self, either: tuple[Results, str]) -> None:
        results, text = either
        words = Page(text).words
        assert results.provenance.command in words
        assert results.provenance.machine.cpu in words
        for name, version in results.provenance.software.items():
            assert f"{name} {version}" in words
        for warning in results.provenance.warnings:
            assert warning in words
        for value in results.provenance.further.values():
            assert str(value) in words

    def test_the_same_results_give_the_same_page(
        self, reproduction: Results, reproduction_html: str
    ) -> None:
        assert render_report(reproduction) == reproduction_html

    def test_write_report(self, tmp_path: Path, hospitals: Results, hospitals_html: str) -> None:
        path = tmp_path / "out" / "report.html"
        write_report(path, hospitals)
        assert path.read_text(encoding="utf-8") == hospitals_html


class TestSelfContained:
    def test_nothing_is_loaded_from_elsewhere(self, either: tuple[Results, str]) -> None:
        _, text = either
        assert not re.search(r"https?:|//[a-z]|@import|@font-face|javascript:", text)
        page = Page(text)
        assert not [tag for tag, _ in page.elements if tag in {"script", "link", "img", "iframe"}]
        for _, attributes in page.elements:
            for name, value in attributes.items():
                assert not name.startswith("on")
                if name in {"href", "xlink:href"}:
                    assert str(value).startswith("#")
        for target in re.findall(r"url\(([^)]*)\)", text):
            assert target.startswith("#")

    def test_ids_are_unique_and_references_resolve(self, either: tuple[Results, str]) -> None:
        _, text = either
        page = Page(text)
        ids = [a["id"] for _, a in page.elements if "id" in a]
        assert len(ids) == len(set(ids))
        named = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
        for _, attributes in page.elements:
            if "aria-labelledby" in attributes:
                named.add(attributes["aria-labelledby"])
        assert named <= set(ids)

    def test_text_from_a_table_cannot_become_markup(self, hospitals: Results) -> None:
        hostile = "<script>alert(1)</script>"
        site = f"{hostile} & $\\frac and a name too long for any axis of any plot on this page"
        records = build_records("alone", hostile, [{"f1": 0.5}], site=site)
        results = Results(provenance=hospitals.provenance, results=tuple(records))
        results = changed(results, data_description=hostile, note=hostile)
        assert "<script" not in render_report(results).lower()


class TestAccessible:
    def test_headings_go_down_one_level_at_a_time(self, either: tuple[Results, str]) -> None:
        _, text = either
        levels = [int(tag[1]) for tag, _ in Page(text).elements if re.fullmatch(r"h[1-6]", tag)]
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))

    def test_every_figure_says_what_it_shows(self, either: tuple[Results, str]) -> None:
        _, text = either
        drawings = Page(text).all("svg")
        plots = [svg for svg in drawings if svg.get("class") != "swatch"]
        assert len(plots) >= 7
        assert all(svg.get("role") == "img" and svg.get("aria-label") for svg in plots)
        assert all(s.get("aria-hidden") == "true" for s in drawings if s.get("class") == "swatch")

    def test_alt_text_holds_the_numbers_drawn(
        self, reproduction: Results, reproduction_html: str
    ) -> None:
        alts = [str(svg.get("aria-label")) for svg in Page(reproduction_html).all("svg")]
        (alt,) = [a for a in alts if a.startswith("AUC against epsilon")]
        for epsilon in reproduction.epsilons:
            record = reproduction.find("federated-dp", ALL_GROUPS, "auc", epsilon=epsilon)
            assert record is not None
            assert f"{number(record.mean)} at {epsilon:g}" in alt

    def test_tables_have_captions_and_scopes(self, either: tuple[Results, str]) -> None:
        _, text = either
        page = Page(text)
        assert len(page.all("table")) == len(page.all("caption")) > 2
        assert all(cell.get("scope") in {"row", "col"} for cell in page.all("th"))

    def test_the_page_names_its_language_and_fits_a_phone(self, reproduction_html: str) -> None:
        page = Page(reproduction_html)
        assert page.all("html")[0]["lang"] == "en"
        assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
            "meta"
        )

    def test_series_and_text_colours_have_contrast_on_white(self, reproduction_html: str) -> None:
        used = [style.colour for style in STYLES.values()]
        used += re.findall(r"--(?:ink|soft|accent): (#\w+)", reproduction_html)
        assert len(used) == len(STYLES) + 3
        for colour in used:
            assert 1.05 / (luminance(colour) + 0.05) >= 4.5, colour


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


class TestHonest:
    def test_surrogate_data_is_called_so(self, reproduction_html: str) -> None:
        words = Page(reproduction_html).words
        assert words.count("imulated children, not patients") >= 3
        assert "(surrogate cohort)" in reproduction_html.split("</title>")[0]

    def test_real_data_is_not_called_surrogate(self, hospitals_html: str) -> None:
        words = Page(hospitals_html).words
        assert "urrogate" not in words
        assert "imulated" not in words
        assert "not differentially private" in words

    def test_neither_is_a_diagnostic_device(self, either: tuple[Results, str]) -> None:
        assert "ot a diagnostic device" in Page(either[1]).words

    def test_small_real_counts_are_hidden(self, hospitals: Results) -> None:
        clinics = [
            ClinicSize(name="tiny", participants=7, positives=3),
            ClinicSize(name="uneven", participants=24, positives=19),
            ClinicSize(name="large", participants=64, positives=37),
        ]
        real = Page(render_report(changed(hospitals, clinics=clinics))).words
        assert "tiny < 10 – –" in real
        assert "uneven 24 hidden hidden" in real
        assert "large 64 37 27" in real

    def test_simulated_counts_are_shown(self, reproduction_html: str) -> None:
        assert "clinic-4 10 3 7" in Page(reproduction_html).words

    def test_one_cohort_claims_no_interval(self, reproduction: Results) -> None:
        once = [
            build_records(method, ALL_GROUPS, [{"f1": 0.7, "balanced_accuracy": 0.6, "auc": 0.7}])
            for method in ("pooled", "federated", "alone")
        ]
        results = Results(
            provenance=reproduction.provenance, results=(*itertools.chain(*once), *POSTER_TABLE_1)
        )
        words = Page(render_report(changed(results, data="real", cohorts=1, clinics=()))).words
        assert "95" not in words
        assert "so no interval is given" in words
        assert "One study is one draw" not in words

    def test_limits_of_the_run_come_first(self, hospitals: Results) -> None:
        words = Page(render_report(changed(hospitals, limits=("Ranges were guessed.",)))).words
        assert "Limits Ranges were guessed." in words


class TestSentences:
    def test_they_quote_the_paired_difference(self, reproduction: Results) -> None:
        row = reproduction.find_difference(
            "federated-dp", ALL_GROUPS, "f1", against="pooled", epsilon=4
        )
        assert row is not None
        low, high = (number(v, 3, sign=True) for v in (row.low, row.high))
        (said,) = [s for s in sentences(reproduction) if s.startswith("At ε = 4 (δ = 10⁻⁵)")]
        assert f"{number(row.mean, 3, sign=True)} F1 ({low} to {high})" in said
        assert "paired over the same repeats" in said

    def test_they_follow_the_numbers_when_the_order_turns(self, reproduction: Results) -> None:
        assert any("better" in s and "at every ε" in s for s in sentences(reproduction))
        swapped = {"federated-dp": "local-dp", "local-dp": "federated-dp"}
        turned = [
            r.model_copy(update={"method": swapped.get(r.method, r.method)})
            for r in reproduction.results
        ]
        results = Results(provenance=reproduction.provenance, results=tuple(turned))
        assert any("at no ε" in s and "local DP-SGD" in s for s in sentences(results))

    def test_a_federation_that_differs_is_not_called_the_same(self, hospitals: Results) -> None:
        assert any("gives the same scores" in s for s in sentences(hospitals))
        shifted = [
            r.model_copy(update={"mean": r.mean - 0.01})
            if r.method == "federated" and r.mean is not None
            else r
            for r in hospitals.results
        ]
        results = Results(provenance=hospitals.provenance, results=tuple(shifted))
        assert not any("gives the same scores" in s for s in sentences(results))
        assert any("stays within .010 of pooling" in s for s in sentences(results))

    def test_the_headline_metric_leads(self, hospitals: Results) -> None:
        first = sentences(changed(hospitals, headline_metric="accuracy"))[0]
        assert "accuracy .80" in first


class TestWhatEpsilonMeans:
    @pytest.mark.parametrize("mu", [0.0, 0.268, 0.925, 3.0])
    def test_the_bound(self, mu: float) -> None:
        normal = NormalDist()
        assert attack_success(mu, 0.05) == pytest.approx(normal.cdf(normal.inv_cdf(0.05) + mu))

    def test_as_many_dots_are_coloured_as_children_can_be_identified(self) -> None:
        plot = what_epsilon_means([PlanFacts(epsilon=4, delta=1e-5, mu=0.925, rounds=5)])
        assert plot is not None
        (panel,) = plot.panels
        assert panel.note == "at most 23.6 of 100"
        dots = re.findall(r"<use [^>]*fill: (#\w+)", panel.svg)
        assert len(dots) == 100
        assert dots.count("#b84a00") == math.ceil(23.6) - 5
        assert dots.count("#5b6470") == 5


@pytest.mark.parametrize(
    ("value", "text"), [(1e-5, "10⁻⁵"), (2e-3, "2·10⁻³"), (1e-12, "10⁻¹²"), (0.25, "2.5·10⁻¹")]
)
def test_power_of_ten(value: float, text: str) -> None:
    assert power_of_ten(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.7249, ".72"), (-0.031, "−.03"), (-0.001, ".00"), (1.0, "1.00"), (None, "–")],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


PROBE = """<script>
const cut = [...document.querySelectorAll('svg[role=img]')].flatMap(svg => {
  const b = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(t => {
    const r = t.getBoundingClientRect();
    return r.left < b.left - 1 || r.right > b.right + 1 || r.top < b.top - 1 ||
      r.bottom > b.bottom + 1;
  }).map(t => t.textContent);
});
document.title = JSON.stringify([document.documentElement.scrollWidth, cut.length, cut.join('|')]);
</script>"""


@pytest.mark.parametrize("width", [1280, 500])
def test_a_browser_shows_it_without_cutting(
    tmp_path: Path, either: tuple[Results, str], width: int
) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium on this machine")
    page = tmp_path / "report.html"
    page.write_text(either[1].replace("</body>", PROBE + "</body>"), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900"]
    command += ["--hide-scrollbars", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>\[(\d+),(\d+),(.*?)\]</title>", done.stdout)
    assert title is not None
    assert int(title[1]) <= width
    assert title[2] == "0", title[3]


def test_every_epsilon_of_one_draw_shows_its_own_numbers(hospitals: Results) -> None:
    plot = one_draw(hospitals)
    assert plot is not None
    (panel,) = [panel for panel in plot.panels if panel.title == "Balanced accuracy"]
    for epsilon in hospitals.epsilons:
        record = hospitals.find("federated-dp", "features", "balanced_accuracy", epsilon=epsilon)
        assert record is not None
        expected = f"{method_label('federated-dp', epsilon)}: mean {number(record.mean)}"
        assert expected in panel.svg
