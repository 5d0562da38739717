"""The sheet on which every figure is drawn: size, type, colours, and the way to SVG and PNG.

Nothing here touches pyplot. A figure is a `Drawing`: a recipe that is carried out anew for each format, so that neither
the order of the formats nor what was drawn before can change a byte.
"""

import io
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import as_file, files
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure, FigureBase, SubFigure
from matplotlib.font_manager import fontManager
from matplotlib.transforms import Bbox

Language = Literal["en", "zh"]

MM: Final = 1 / 25.4
"""Inches in a millimetre."""
COLUMN_MM: Final = 85.0
"""Width of a figure that fills one column of a journal."""
PAGE_MM: Final = 170.0
"""Width of a figure that fills both columns."""

BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, INK, GREY, PALE = "#E69F00", "#56B4E9", "#222222", "#8A8A8A", "#D9D9D9"
PALETTE: Final = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK, GREY)
"""Colours that people with any colour vision tell apart (Okabe and Ito 2008), but for yellow: it is too light."""
DASHES: Final = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
"""Line styles that go with the colours, for prints in black and white."""

BOLD: Final[dict[str, Any]] = {"weight": "bold", "family": "DejaVu Sans"}
"""For texts in Latin letters: the Chinese font that is shipped in full has one weight."""

_LETTER_MM: Final = 4.5
_LEAST_PANEL_MM: Final = 55.0
HAN: Final = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
HAN_FONT: Final = "Noto Sans SC"
# what a viewer without DejaVu has: DejaVu descends from Bitstream Vera, whose letters are as wide as Verdana's
_STAND_INS: Final = "'DejaVu Sans', Verdana, 'Bitstream Vera Sans', 'Noto Sans SC', 'Microsoft YaHei', sans-serif"
_FAMILY: Final = re.compile(r" font-family: 'DejaVu Sans'(, 'Noto Sans SC')?;?")
_DOCTYPE: Final = re.compile(r"<!DOCTYPE[^>]*>\n")


@dataclass(frozen=True, slots=True)
class Style:
    """How a figure is set.

    Attributes
    ----------
    width_mm
        Width of the figure; None leaves it to the figure, which knows whether it needs one column or two.
    language
        Language of the words that the figure adds by itself ("en" or "zh"); labels are drawn as given, and those in
        Chinese find their characters in either case.
    font_pt
        Size of ordinary text; the smallest text is one point smaller, and never below 6 pt.
    """

    width_mm: float | None = None
    language: Language = "en"
    font_pt: float = 7.0

    def __post_init__(self) -> None:
        if self.width_mm is not None and not 40 <= self.width_mm <= 500:
            raise ValueError(f"a figure is 40 to 500 mm wide, not {self.width_mm}")
        if not 6 <= self.font_pt <= 14:
            raise ValueError(f"text is 6 to 14 pt large, not {self.font_pt}")

    @property
    def small_pt(self) -> float:
        """Size of notes and tick labels."""
        return max(6.0, self.font_pt - 1)


PLAIN: Final = Style()


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure that can be drawn in any format, each time the same bytes.

    Attributes
    ----------
    width_mm, height_mm
        Size on paper.
    paint
        Draws on an empty figure of that size.
    description
        What the figure shows, in one sentence, for those who cannot see it.
    font_pt
        Size of ordinary text.
    """

    width_mm: float
    height_mm: float
    paint: Callable[[FigureBase], None] = field(repr=False)
    description: str
    font_pt: float = 7.0

    def svg(self) -> bytes:
        """The figure as SVG (UTF-8) with its text as text, without a date and without anything from outside."""
        buffer = io.BytesIO()
        with mpl.rc_context(_settings(self.font_pt)):
            figure = self._figure(FigureCanvasSVG, 72)
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        text = _DOCTYPE.sub("", buffer.getvalue().decode("utf-8"))
        # said once for all texts, and with stand-ins
        text = _FAMILY.sub("", text).replace('<g id="figure_1">', f'<g id="figure_1" font-family="{_STAND_INS}">', 1)
        return text.encode("utf-8")

    def png(self, dpi: int = 300) -> bytes:
        """The figure as PNG.

        Parameters
        ----------
        dpi
            Pixels per inch, 50 to 1200; journals ask for 300 or 600.
        """
        if not 50 <= dpi <= 1200:
            raise ValueError(f"a picture has 50 to 1200 pixels per inch, not {dpi}")
        buffer = io.BytesIO()
        with mpl.rc_context(_settings(self.font_pt)):
            figure = self._figure(FigureCanvasAgg, dpi)
            figure.savefig(buffer, format="png", dpi="figure", metadata={"Software": None})
        return buffer.getvalue()

    def _figure(self, canvas: type[FigureCanvasBase], dpi: int) -> Figure:
        size = (self.width_mm * MM, self.height_mm * MM)
        figure = Figure(figsize=size, dpi=dpi, layout="constrained", facecolor="white")
        canvas(figure)
        self.paint(figure)
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
            _settle(figure)
        return figure


def _settle(figure: Figure | SubFigure) -> None:
    # the solver of the layout orders its unknowns by their addresses: the last digits differ from run to run
    for axes in figure.axes:
        axes.set_position(Bbox(np.round(axes.get_position(original=True).get_points(), 6)))
    for part in figure.subfigs:
        part.bbox_relative.set_points(np.round(part.bbox_relative.get_points(), 6))
        _settle(part)


def drawing(
    paint: Callable[[FigureBase], None], style: Style, *, width_mm: float, height_mm: float, description: str
) -> Drawing:
    """A drawing of the width that the style asks for, else of `width_mm`."""
    return Drawing(style.width_mm or width_mm, height_mm, paint, description, style.font_pt)


def panels(drawings: Sequence[Drawing], *, columns: int = 2, letters: bool = True, style: Style = PLAIN) -> Drawing:
    """Several drawings as panels A, B, C... of one figure, row by row.

    Parameters
    ----------
    drawings
        At least one; each is fitted to its cell. A row is as high as its highest drawing.
    columns
        Panels side by side, fewer where each would be narrower than 55 mm.
    letters
        Whether to put a letter at the upper left corner of each.

    Raises
    ------
    ValueError
        Without drawings or columns.
    """
    if not drawings or columns < 1:
        raise ValueError("panels need at least one drawing and one column")
    width = style.width_mm or (COLUMN_MM if columns == 1 and drawings[0].width_mm <= COLUMN_MM else PAGE_MM)
    columns = min(columns, len(drawings), max(1, int(width // _LEAST_PANEL_MM)))
    rows = [drawings[start : start + columns] for start in range(0, len(drawings), columns)]
    heights = [max(each.height_mm for each in row) + (_LETTER_MM if letters else 0.0) for row in rows]

    def paint(figure: FigureBase) -> None:
        cells = figure.subfigures(len(rows), columns, squeeze=False, height_ratios=heights)
        for number, each in enumerate(drawings):
            cell = cells[number // columns][number % columns]
            body = cell
            if letters:
                strip, body = cell.subfigures(2, 1, height_ratios=[_LETTER_MM, size_mm(cell)[1] - _LETTER_MM])
                strip.text(*inset(strip, 1.0, 0.8), letter(number), **BOLD, size=style.font_pt + 2, va="top", ha="left")
            each.paint(body)

    described = " ".join(f"{letter(number)}: {each.description}" for number, each in enumerate(drawings))
    return Drawing(width, sum(heights), paint, described, style.font_pt)


def letter(number: int) -> str:
    """The letter of a panel: A to Z, then AA.

    >>> letter(0), letter(26)
    ('A', 'AA')
    """
    return chr(65 + number) if number < 26 else letter(number // 26 - 1) + letter(number % 26)


def colours(count: int) -> list[str]:
    """As many colours as asked for; they repeat after eight."""
    return list(islice(cycle(PALETTE), count))


def size_mm(figure: FigureBase) -> tuple[float, float]:
    """Width and height of a figure, or of a panel of one, in mm."""
    inches = figure.bbox.transformed(figure.dpi_scale_trans.inverted())  # type: ignore[attr-defined]
    return inches.width / MM, inches.height / MM


def inset(figure: FigureBase, left_mm: float, top_mm: float) -> tuple[float, float]:
    """Where in the figure (0 to 1) a point lies that is so far from its upper left corner."""
    width, height = size_mm(figure)
    return left_mm / width, 1 - top_mm / height


def sheet(figure: FigureBase) -> Axes:
    """Axes without frame that cover the whole figure and count millimetres from the upper left corner."""
    if isinstance(figure, Figure):
        figure.set_layout_engine("none")
    width, height = size_mm(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return axes


def frameless(axes: Axes, *sides: str) -> None:
    """Take away sides of the frame; without names the upper and the right one."""
    for side in sides or ("top", "right"):
        axes.spines[side].set_visible(False)


def _settings(font_pt: float) -> Any:
    bring_fonts()
    small = max(6.0, font_pt - 1)
    thin = 0.6
    return {
        **{key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith(("backend", "interactive"))},
        "svg.hashsalt": "pulmonode",
        "svg.fonttype": "none",
        # a label is never a formula: feature names and file names may hold dollar signs
        "text.parse_math": False,
        "axes.formatter.use_mathtext": False,
        "axes.unicode_minus": True,
        "font.family": ["DejaVu Sans", HAN_FONT],
        "font.size": font_pt,
        "axes.titlesize": font_pt + 0.5,
        "axes.labelsize": font_pt,
        "xtick.labelsize": small,
        "ytick.labelsize": small,
        "legend.fontsize": small,
        "legend.frameon": False,
        "legend.title_fontsize": small,
        "legend.handlelength": 1.6,
        "legend.borderaxespad": 0.4,
        "axes.linewidth": thin,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.axisbelow": True,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        **{
            f"{axis}.major.{what}": value
            for axis in ("xtick", "ytick")
            for what, value in (("width", thin), ("size", 2.2))
        },
        "xtick.major.pad": 2.0,
        "ytick.major.pad": 2.0,
        "axes.labelpad": 2.5,
        "lines.linewidth": 1.1,
        "patch.linewidth": thin,
        "hatch.linewidth": 0.4,
        "savefig.dpi": 300,
        "figure.dpi": 72,
        "figure.constrained_layout.h_pad": 1.2 * MM,
        "figure.constrained_layout.w_pad": 1.2 * MM,
        "path.simplify": True,
    }


@cache
def bring_fonts() -> None:
    """Make the font with Chinese characters known to matplotlib, if it is not."""
    # matplotlib finds fonts by name in one list of the process; adding one that it lacks changes nothing for others
    with han_font() as path:
        if path.exists() and all(entry.name != HAN_FONT for entry in fontManager.ttflist):
            fontManager.addfont(path)


def han_font() -> AbstractContextManager[Path]:
    """Where the font with Chinese characters lies."""
    return as_file(files("pipelines").joinpath("outputs/page/fonts/NotoSansSC-Regular.ttf"))


def emphasis(text: str) -> dict[str, Any]:
    """What sets a text bold where its characters have a bold font.

    >>> emphasis("AUC")["weight"], emphasis("受试者")
    ('bold', {})
    """
    return {} if HAN.search(text) else dict(BOLD)
