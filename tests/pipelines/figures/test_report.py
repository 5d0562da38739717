import re
import subprocess
import sys
from base64 import b64decode
from html.parser import HTMLParser
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from pipelines.figures.canvas import Style
from pipelines.figures.report import Code, Notice, Paragraph, Picture, Report, Section, Table
from tests.pipelines.figures.samples import gallery
from tests.tools import tool
from tests.viewer.browser import chromium

ROOT = Path(__file__).parents[3]
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Collects what is in a page and checks that what opens also closes."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.decode("utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


FIGURES = gallery(Style())


def report(language: str = "en") -> Report:
    table = Table(
        "Baseline, n (%)",
        ("Characteristic", "All", "P"),
        (("Age, years", "", ""), ("≥ 60", "314 (54.2)", "0.296"), ("Follow-up", "18.2 (9.1–30.2)", "<0.001")),
        ("χ² test.",),
    )
    return Report(
        "Progression <patterns>",
        "579 patients",
        (
            Section("Patients", (Paragraph("One & <b>two</b>.\n\nThree."), Picture(FIGURES["roc"], "Curves."), table)),
            Section(
                "Balance", (Notice("SMD 0.188"), Picture(FIGURES["love"], "Balance."), Notice("x", "info", "Note")), 2
            ),
            Section("Model", (Code("a < b\n  c"), Picture(FIGURES["correlation_small"], "Correlations."))),
        ),
        "zh" if language == "zh" else "en",
        "pulmonode",
    )


@pytest.fixture(scope="module")
def page() -> bytes:
    return report().html()


def test_a_report_needs_nothing_from_outside_and_runs_nothing(page: bytes) -> None:
    parsed = Page(page)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in parsed.tags}
    for _, attributes in parsed.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href", "action", "data", "srcset"):
                assert (value or "").startswith(("#", "data:image/png;base64,")), (name, value)
    assert not re.search(rb"@import|url\((?!#|data:font/ttf;base64,)", page)


def test_every_name_in_the_page_is_unique_and_every_link_arrives(page: bytes) -> None:
    parsed = Page(page)
    names = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(names) == len(set(names))
    links = {
        value for _, a in parsed.tags for key, value in a.items() if key.endswith("href") and (value or "")[:1] == "#"
    }
    assert {(link or "")[1:] for link in links} <= set(names)
    clips = set(re.findall(r"url\(#([^)]+)\)", page.decode()))
    assert clips
    assert clips <= set(names)


def test_text_is_escaped_and_numbered(page: bytes) -> None:
    parsed = Page(page)
    assert "Progression <patterns>" in parsed.text
    assert "One & <b>two</b>." in parsed.text
    assert ("b", {}) in parsed.tags  # of the captions alone
    for words in ("Figure 1", "Figure 2", "Figure 3", "Table 1", "1.1", "Contents", "Warning", "Note", "a < b\n  c"):
        assert words in parsed.text


def test_numbers_stand_to_the_right_and_names_to_the_left() -> None:
    table = report().sections[0].blocks[2]
    assert isinstance(table, Table)
    assert table.numeric == (False, True, True)
    mixed = Table("x", ("a", "b", "c"), (("1", "−0.5 to 3", "2/3"), ("n/a", "p", "12.1% (70/131)")))
    assert mixed.numeric == (False, False, True)
    with pytest.raises(ValueError, match="2 cells are needed"):
        Table("x", ("a", "b"), (("1",),))


@pytest.mark.parametrize(("language", "tag", "words"), [("en", "en", "Contents"), ("zh", "zh-CN", "目录")])
def test_the_page_says_its_language(language: str, tag: str, words: str) -> None:
    page = Page(report(language).html())
    assert ("html", {"lang": tag}) in page.tags
    assert words in page.text


def test_chinese_characters_bring_their_font_along(page: bytes) -> None:
    assert b"@font-face" not in page
    chinese = report("zh").html()
    face = re.search(rb"font/ttf;base64,([^)]+)\)", chinese)
    assert face
    held = TTFont(BytesIO(b64decode(face[1]))).getBestCmap()
    used = {ord(character) for character in Page(chinese).text if character > "\u2e80"}
    assert used >= {ord("目"), ord("录"), ord("图")}
    assert used <= set(held)
    assert len(face[1]) < 60_000
    assert report("zh").html() == chinese


def test_a_report_is_the_same_in_another_process(page: bytes) -> None:
    code = (
        "import sys; from tests.pipelines.figures.test_report import report; sys.stdout.buffer.write(report().html())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT)
    assert other.stdout == page


def test_the_template_is_part_of_the_package() -> None:
    assert files("pipelines.figures").joinpath("templates/report.html").is_file()
    assert '"figures/templates/*"' in (ROOT / "pyproject.toml").read_text()


def test_a_browser_shows_the_report_as_on_paper(tmp_path: Path, page: bytes) -> None:
    tool("chromium", "chromium")
    (tmp_path / "report.html").write_bytes(page)
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": 1000, "height": 900})
        asked: list[str] = []
        complaints: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.goto((tmp_path / "report.html").as_uri())
        assert len(asked) == 1
        assert complaints == []
        # no figure is wider than its page, none is empty
        boxes = [figure.bounding_box() for figure in tab.locator("figure svg").all()]
        assert all(box and 200 < box["width"] <= 820 and box["height"] > 100 for box in boxes)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 1000
        tab.emulate_media(media="print")
        width = tab.locator("figure svg").first.evaluate("svg => svg.getBoundingClientRect().width")
        assert width == pytest.approx(85 / 25.4 * 96, abs=1)
