"""How long a text is on paper, and where it breaks."""

import re
from functools import lru_cache
from typing import Final

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from pipelines.figures.canvas import bring_fonts

_POINT_MM: Final = 25.4 / 72
# a text breaks after spaces, slashes and underscores, after hyphens before a small letter (not in PD-1), and beside any
# Chinese character
_HAN: Final = "\u2e80-\u9fff\uff00-\uffef"
_PIECES: Final = re.compile(rf"[{_HAN}]|(?:[^ /_\-{_HAN}]|-(?![a-z]))*(?:[/_]|-(?=[a-z]))? *")
NO_BREAK: Final = "\u00a0"
"""A space at which no line ends."""
LINE: Final = 1.25
"""Distance of lines, in heights of the type."""


@lru_cache(maxsize=4096)
def width_mm(text: str, size_pt: float, *, bold: bool = False) -> float:
    """Width of one line of text in mm."""
    bring_fonts()
    properties = FontProperties(family=["DejaVu Sans", "Noto Sans SC"], size=size_pt)
    if bold and text.isascii():
        properties = FontProperties(family="DejaVu Sans", size=size_pt, weight="bold")
    return float(text_to_path.get_text_width_height_descent(text, properties, ismath=False)[0]) * _POINT_MM


def wrapped(text: str, room_mm: float, size_pt: float, *, bold: bool = False) -> list[str]:
    """The lines of a text that may be `room_mm` wide; a word that is longer is cut where the line ends."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in filter(None, _PIECES.findall(paragraph)):
            if line and width_mm((line + piece).rstrip(" "), size_pt, bold=bold) > room_mm:
                lines.append(line.rstrip(" "))
                line = ""
            line += piece
            while len(line) > 1 and width_mm(line.rstrip(" "), size_pt, bold=bold) > room_mm:
                end = next(n for n in range(len(line) - 1, 0, -1) if n == 1 or width_mm(line[:n], size_pt) <= room_mm)
                lines.append(line[:end])
                line = line[end:]
        lines.append(line.rstrip(" "))
    return lines


def height_mm(lines: int, size_pt: float) -> float:
    """Height of so many lines in mm."""
    return lines * size_pt * LINE * _POINT_MM


def shortened(text: str, room_mm: float, size_pt: float) -> str:
    """The text, with an ellipsis in its middle when it is wider than `room_mm`: names differ at both ends."""
    if width_mm(text, size_pt) <= room_mm:
        return text
    for kept in range(len(text) - 1, 1, -1):
        head = (kept + 1) // 2
        candidate = f"{text[:head]}…{text[len(text) - (kept - head) :]}"
        if width_mm(candidate, size_pt) <= room_mm:
            return candidate
    return text[:1] + "…"
