"""Reports of text, tables and figures as one HTML file that needs nothing from outside."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from pipelines.figures.canvas import Drawing, Language
from pipelines.figures.embedded import font_face
from pipelines.figures.words import say

_NUMBER: Final = re.compile(
    r"[<>≤≥±=~]?\s*[-−+]?[\d.,\s]*\d\s*%?(\s*[\(\[/–~±-].*)?|[-–—]|NA|NaN|", re.ASCII | re.IGNORECASE
)
_ID: Final = re.compile(r'\bid="([^"]+)"|\burl\(#([^)]+)\)|\bhref="#([^"]+)"')


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; empty lines divide it into paragraphs."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A box that stands out: something to know ("info"), to beware of ("warning"), or wrong ("error")."""

    text: str
    kind: Literal["info", "warning", "error"] = "warning"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption above and notes below.

    Attributes
    ----------
    caption
        What the table shows; the report numbers it.
    header
        Heads of the columns.
    rows
        Cells as text, each row as long as the header. A row whose cells are empty but for the first is a subheading.
    notes
        Lines under the table.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.header:
            raise ValueError("a table has at least one column")
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"{self.caption}: {len(self.header)} cells are needed in a row, not {len(row)}")

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers, and are set to the right: all cells but empty ones look like a number."""
        columns: list[list[str]] = [[row[n].strip() for row in self.rows] for n in range(len(self.header))]
        return tuple(any(column) and all(_NUMBER.fullmatch(cell) for cell in column) for column in columns)


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure with its caption below; the report numbers it."""

    drawing: Drawing
    caption: str


@dataclass(frozen=True, slots=True)
class Code:
    """Text in which every character counts: a formula, settings, a model."""

    text: str
    caption: str = ""


Block = Paragraph | Notice | Table | Picture | Code


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands below it."""

    heading: str
    blocks: tuple[Block, ...] = ()
    level: Literal[1, 2] = 1


@dataclass(frozen=True, slots=True)
class Report:
    """A report; `html` sets it.

    Attributes
    ----------
    title, subtitle
        The heads of the page. A date belongs into the subtitle if anywhere: the report asks no clock.
    sections
        In the order of reading; those of level 2 belong to the one of level 1 before them.
    language
        Of the words that the report adds, and of the page.
    footer
        A line at the end, for example which software made the report from which data.
    """

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    language: Language = "en"
    footer: str = ""

    def html(self) -> bytes:
        """The report as one HTML file in UTF-8: no scripts, no links to the outside, the same bytes each time."""
        page = _template().render(report=self, contents=_contents(self.sections), parts=_parts(self))
        face = font_face(page)
        return (page.replace("<style>\n", f"<style>\n{face}\n", 1) if face else page).encode("utf-8")


@dataclass(frozen=True, slots=True)
class _Part:
    """A section as the template sees it."""

    anchor: str
    number: str
    section: Section
    blocks: tuple[tuple[str, Block, str, str], ...]


def _parts(report: Report) -> list[_Part]:
    tables = pictures = 0
    parts = []
    for (anchor, number, _), section in zip(_contents(report.sections), report.sections, strict=True):
        blocks: list[tuple[str, Block, str, str]] = []
        for block in section.blocks:
            name, svg = "", ""
            if isinstance(block, Table):
                tables += 1
                name = f"{say('Table', report.language)} {tables}"
            elif isinstance(block, Picture):
                pictures += 1
                name = f"{say('Figure', report.language)} {pictures}"
                svg = inline_svg(block.drawing, f"f{pictures}")
            elif isinstance(block, Notice):
                name = block.title or say("Notice" if block.kind == "info" else "Warning", report.language)
            blocks.append((type(block).__name__.lower(), block, name, svg))
        parts.append(_Part(anchor, number, section, tuple(blocks)))
    return parts


def _contents(sections: Sequence[Section]) -> list[tuple[str, str, Section]]:
    first = second = 0
    found = []
    for section in sections:
        if section.level == 1:
            first, second = first + 1, 0
        else:
            second += 1
        number = f"{first}" if section.level == 1 else f"{first}.{second}"
        found.append((f"s{number.replace('.', '-')}", number, section))
    return found


def inline_svg(drawing: Drawing, prefix: str) -> str:
    """The SVG of a drawing for use inside HTML: without prologue, with names of its own, with its description."""
    text = drawing.svg().decode("utf-8")
    text = text[text.index("<svg") :]

    def renamed(match: re.Match[str]) -> str:
        name, clip, link = match.groups()
        if name is not None:
            return f'id="{prefix}-{name}"'
        return f"url(#{prefix}-{clip})" if clip is not None else f'href="#{prefix}-{link}"'

    # matplotlib's names repeat from figure to figure
    text = _ID.sub(renamed, text)
    head, body = text.split(">", 1)
    title = html.escape(drawing.description)
    return f'{head} role="img" style="--paper: {drawing.width_mm:g}mm"><title>{title}</title>{body}'


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("pipelines.figures", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["say"] = say
    return environment.get_template("report.html")
