"""A sheet of paper to draw on: the one module that knows ReportLab.

Lengths are in points (1/72 inch) from the top left corner; text stands on its baseline.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

Colour = tuple[float, float, float]
Point = tuple[float, float]
Align = Literal["left", "centre", "right"]
Weight = Literal["regular", "bold"]

WIDTH: Final = 595.28
HEIGHT: Final = 841.89
BLACK: Final[Colour] = (0.09, 0.11, 0.15)
ELLIPSIS: Final = "..."
_FONTS: Final = {"regular": "NotoSansSC-Regular", "bold": "NotoSansSC-Bold"}
_WIDE: Final = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
# between ideographs a line may end anywhere, but not before a closing mark
_PIECES: Final = re.compile(rf"[{_WIDE}][、。，．：；！？）》」』]*|\s+|[^\s{_WIDE}]+")


class Sheet:
    """One page of A4 that becomes a PDF; the same drawing gives the same bytes."""

    def __init__(self, *, title: str, author: str, language: str, made_at: datetime) -> None:
        for name in _FONTS.values():
            if name not in pdfmetrics.getRegisteredFontNames():
                pdfmetrics.registerFont(TTFont(name, str(Path(__file__).parent / "fonts" / f"{name}.ttf")))
        self._file = BytesIO()
        # without `invariant` the document would bear the time of the call and a random ID
        self._canvas = Canvas(self._file, pagesize=(WIDTH, HEIGHT), invariant=1, lang=language, pageCompression=1)
        offset = made_at.strftime("%z") or "+0000"
        moment = f"D:{made_at:%Y%m%d%H%M%S}{offset[:3]}'{offset[3:5]}'"
        self._canvas.setDateFormatter(lambda *_: moment)
        self._canvas.setTitle(title)
        self._canvas.setAuthor(author)
        self._canvas.setCreator(author)
        self._canvas.setLineCap(1)

    def finish(self) -> bytes:
        """The PDF; nothing can be drawn after it."""
        self._canvas.showPage()
        self._canvas.save()
        return self._file.getvalue()

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        colour: Colour = BLACK,
        weight: Weight = "regular",
        align: Align = "left",
        width: float | None = None,
    ) -> None:
        """One line; shortened with an ellipsis where it is wider than `width`."""
        line = printable(text)
        font = _font(line, weight)
        if width is not None:
            line = _shortened(line, font, size, width)
        # where the bold font lacks a glyph, the regular one is drawn with an outline
        outlined = weight == "bold" and font != _FONTS["bold"]
        shift = {"left": 0.0, "centre": 0.5, "right": 1.0}[align] * pdfmetrics.stringWidth(line, font, size)
        self._canvas.setFillColorRGB(*colour)
        self._canvas.setFont(font, size)
        if outlined:
            self._canvas.setStrokeColorRGB(*colour)
            self._canvas.setLineWidth(0.035 * size)
            self._canvas.setDash([])
        self._canvas.drawString(x - shift, HEIGHT - y, line, mode=2 if outlined else None)

    def fitting(self, text: str, sizes: Sequence[float], width: float, weight: Weight = "regular") -> float:
        """The first of `sizes` in which `text` is not wider than `width`, or the last."""
        return next((size for size in sizes if self.width(text, size, weight) <= width), sizes[-1])

    def width(self, text: str, size: float, weight: Weight = "regular") -> float:
        """How wide `text` would be in one line."""
        line = printable(text)
        return float(pdfmetrics.stringWidth(line, _font(line, weight), size))

    def paragraph(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        width: float,
        max_lines: int,
        leading: float = 1.35,
        colour: Colour = BLACK,
        weight: Weight = "regular",
    ) -> float:
        """Broken lines, the last with an ellipsis where there would be more than `max_lines`; y of the next line."""
        lines = self.broken(text, size, width=width, max_lines=max_lines, weight=weight)
        for line in lines:
            self.text(x, y, line, size, colour=colour, weight=weight)
            y += size * leading
        return y

    def broken(self, text: str, size: float, *, width: float, max_lines: int, weight: Weight = "regular") -> list[str]:
        """`text` in lines of at most `width`."""
        clean = printable(text)
        font = _font(clean, weight)
        lines = list(_lines(clean, font, size, width))
        if len(lines) <= max_lines:
            return lines
        return [*lines[: max_lines - 1], _shortened(f"{lines[max_lines - 1]}{ELLIPSIS}", font, size, width)]

    def line(
        self, start: Point, end: Point, *, colour: Colour = BLACK, thickness: float = 0.6, dashed: bool = False
    ) -> None:
        """A straight line."""
        self.lines([(start, end)], colour=colour, thickness=thickness, dashed=dashed)

    def lines(
        self,
        ends: Iterable[tuple[Point, Point]],
        *,
        colour: Colour = BLACK,
        thickness: float = 0.6,
        dashed: bool = False,
    ) -> None:
        """Straight lines, each from one end to the other."""
        path = self._canvas.beginPath()
        for (x1, y1), (x2, y2) in ends:
            path.moveTo(x1, HEIGHT - y1)
            path.lineTo(x2, HEIGHT - y2)
        self._canvas.setStrokeColorRGB(*colour)
        self._canvas.setLineWidth(thickness)
        self._canvas.setDash([2, 2] if dashed else [])
        self._canvas.drawPath(path, stroke=1, fill=0)

    def area(self, *points: Point, colour: Colour) -> None:
        """A filled polygon."""
        path = self._canvas.beginPath()
        path.moveTo(points[0][0], HEIGHT - points[0][1])
        for x, y in points[1:]:
            path.lineTo(x, HEIGHT - y)
        path.close()
        self._canvas.setFillColorRGB(*colour)
        self._canvas.drawPath(path, stroke=0, fill=1)

    def box(self, x: float, y: float, width: float, height: float, *, colour: Colour) -> None:
        """A filled rectangle with its top left corner at x, y."""
        self.area((x, y), (x + width, y), (x + width, y + height), (x, y + height), colour=colour)

    def frame(self, x: float, y: float, width: float, height: float, *, colour: Colour) -> None:
        """The outline of a rectangle with its top left corner at x, y."""
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
        self.lines(list(pairwise(corners)), colour=colour)

    def picture(self, x: float, y: float, width: float, height: float, grey: NDArray[np.uint8]) -> None:
        """An image of grey values, shape (rows, columns)."""
        image = ImageReader(Image.fromarray(grey))
        self._canvas.drawImage(image, x, HEIGHT - y - height, width, height)


def printable(text: str) -> str:
    """`text` as one line: control characters and line ends become spaces, what is no character a replacement."""
    shown = {"Cc": " ", "Zl": " ", "Zp": " ", "Cs": "\N{REPLACEMENT CHARACTER}"}
    return "".join(shown.get(unicodedata.category(c), c) for c in text).strip()


def _font(text: str, weight: Weight) -> str:
    """The font of `weight`; the bold one has no more ideographs than the page's own words need."""
    if weight == "bold":
        glyphs = pdfmetrics.getFont(_FONTS["bold"]).face.charToGlyph
        if all(ord(c) in glyphs for c in text):
            return _FONTS["bold"]
    return _FONTS["regular"]


def _shortened(text: str, font: str, size: float, width: float) -> str:
    if pdfmetrics.stringWidth(text, font, size) <= width:
        return text
    kept = text.removesuffix(ELLIPSIS)
    while kept and pdfmetrics.stringWidth(kept + ELLIPSIS, font, size) > width:
        kept = kept[:-1]
    return kept.rstrip() + ELLIPSIS


def _lines(text: str, font: str, size: float, width: float) -> Iterator[str]:
    line = ""
    for piece in _PIECES.findall(text):
        if pdfmetrics.stringWidth(line + piece.rstrip(), font, size) <= width:
            line += piece
            continue
        if line.strip():
            yield line.strip()
        line = piece.lstrip()
        # a UID or a path may be longer than a line
        while pdfmetrics.stringWidth(line, font, size) > width and len(line) > 1:
            fits = next(n for n in range(len(line) - 1, 0, -1) if n == 1 or _fits(line[:n], font, size, width))
            yield line[:fits]
            line = line[fits:]
    if line.strip():
        yield line.strip()


def _fits(text: str, font: str, size: float, width: float) -> bool:
    return bool(pdfmetrics.stringWidth(text, font, size) <= width)
