import hashlib
import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.font_manager import fontManager

from pipelines.figures.canvas import Drawing, Style
from pipelines.figures.decision import DecisionCurve, decision_curves
from pipelines.figures.text import width_mm
from tests.pipelines.figures.samples import gallery

ROOT = Path(__file__).parents[3]
SVG = "{http://www.w3.org/2000/svg}"
FIGURES = gallery(Style())
NARROW = gallery(Style(width_mm=85))
CHINESE = gallery(Style(language="zh"))


def texts(drawing: Drawing) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(drawing.svg()).iter(f"{SVG}text")]


@pytest.fixture(scope="module")
def drawn() -> dict[str, bytes]:
    return {name: drawing.svg() for name, drawing in FIGURES.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_the_svg_is_xml_with_its_text_as_text_and_nothing_from_outside(name: str, drawn: dict[str, bytes]) -> None:
    root = ET.fromstring(drawn[name])
    assert root.tag == f"{SVG}svg"
    assert float(root.get("width", "").removesuffix("pt")) == pytest.approx(FIGURES[name].width_mm / 25.4 * 72)
    assert len(list(root.iter(f"{SVG}text"))) >= 4
    links = [value for node in root.iter() for key, value in node.items() if key.endswith("href")]
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert b"<!DOCTYPE" not in drawn[name]
    assert b"<dc:date" not in drawn[name]


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_smaller_than_six_points(name: str, drawn: dict[str, bytes]) -> None:
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:bold )?([\d.]+)px", drawn[name].decode())]
    assert sizes
    assert min(sizes) >= 6


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_leaves_the_sheet(name: str, drawn: dict[str, bytes]) -> None:
    _inside(drawn[name])


def _inside(svg: bytes) -> None:
    # every line of text with its width as the bundled font sets it; turned texts by their anchor
    root = ET.fromstring(svg)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    assert width == pytest.approx(float(root.get("width", "").removesuffix("pt")))
    for text in root.iter(f"{SVG}text"):
        style, words = text.get("style", ""), "".join(text.itertext())
        moved = re.search(r"translate\(([-\d.]+) ([-\d.]+)\)", text.get("transform", ""))
        x, y = map(float, moved.groups() if moved else (text.get("x", "0"), text.get("y", "0")))
        size = re.search(r"([\d.]+)px", style)
        turned = re.search(r"rotate\(-?(?!0[ )])\d", text.get("transform", ""))
        long = 0.0 if turned or not size else width_mm(words, float(size[1]), bold="bold" in style) / 25.4 * 72
        before = {"middle": long / 2, "end": long}.get((re.findall(r"text-anchor: (\w+)", style) or [""])[0], 0.0)
        assert x - before >= -1, words
        assert x - before + long <= width + 1, words
        assert -1 <= y <= height + 1, words


def test_two_processes_draw_the_same_bytes(drawn: dict[str, bytes]) -> None:
    names = ["roc", "correlation_small", "panels", "forest", "scores_violin", "nomogram_cox"]
    code = (
        "import hashlib; from pipelines.figures.canvas import Style;"
        "from tests.pipelines.figures.samples import gallery;"
        f"g = gallery(Style()); print([hashlib.sha256(x).hexdigest() for n in {names}"
        " for x in (g[n].png(100), g[n].svg())])"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env={"PYTHONHASHSEED": "7"}
    )
    ours = [hashlib.sha256(x).hexdigest() for name in names for x in (FIGURES[name].png(100), drawn[name])]
    assert other.stdout.strip() == str(ours)


def test_neither_earlier_figures_nor_settings_of_others_change_a_figure() -> None:
    drawing = FIGURES["love"]
    before = drawing.png(100), drawing.svg()
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "lines.linewidth": 9, "svg.fonttype": "path"}):
        FIGURES["roc"].png(100)
        assert (drawing.png(100), drawing.svg()) == before
    assert mpl.rcParams["font.size"] == mpl.rcParamsDefault["font.size"]


def test_nothing_of_pyplot_is_loaded() -> None:
    code = (
        "import sys; from pipelines.figures.canvas import Style; from tests.pipelines.figures.samples import gallery;"
        "gallery(Style())['roc'].png(72); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


def test_a_png_has_as_many_pixels_as_its_paper_asks_for() -> None:
    png = FIGURES["icc"].png(300)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    assert (width, height) == (pytest.approx(85 / 25.4 * 300, abs=1), pytest.approx(55 / 25.4 * 300, abs=1))
    with pytest.raises(ValueError, match="50 to 1200"):
        FIGURES["icc"].png(10)


def test_text_is_drawn_as_given_and_never_read_as_a_formula() -> None:
    shown = texts(decision_curves([DecisionCurve("a_{1} costs $x$ <b>", [0.1, 0.2], [0.3, 0.2])], prevalence=0.4))
    assert "a_{1} costs $x$ <b>" in shown


def test_words_of_ours_follow_the_language_and_every_character_has_a_glyph(
    caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    for drawing in CHINESE.values():
        drawing.png(50)
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
    assert not [record for record in caplog.records if "findfont" in record.message]
    assert "风险人数" in texts(CHINESE["survival"])
    assert "Number at risk" in texts(FIGURES["survival"])
    assert [entry.name for entry in fontManager.ttflist].count("Noto Sans SC") == 1


@pytest.mark.parametrize("name", sorted(set(FIGURES) - {"forest"}))
def test_every_figure_fits_one_column(name: str) -> None:
    if FIGURES[name].width_mm == 85:
        assert NARROW[name].width_mm == 85
    else:
        _inside(NARROW[name].svg())


def test_two_models_in_one_column_are_refused_with_the_width_they_need() -> None:
    with pytest.raises(ValueError, match=r"1\d\d mm are needed, not 85"):
        NARROW["forest"].svg()


def test_a_style_is_refused_that_nobody_can_read() -> None:
    for wrong in ({"width_mm": 10.0}, {"font_pt": 5.0}):
        with pytest.raises(ValueError, match=r"mm wide|pt large"):
            Style(**wrong)  # type: ignore[arg-type]
