"""The part of the Chinese font that a page needs, to travel inside the page."""

import io
import re
from base64 import b64encode
from typing import Final

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from pipelines.figures.canvas import HAN, HAN_FONT, han_font

_OTHERS: Final = re.compile("[^\u0000-\u2e7f]")


def font_face(page: str) -> str:
    """A CSS rule with a font that holds the Chinese characters of the page; empty when there are none.

    A computer without Chinese fonts shows boxes otherwise. The font is that of the figures, so that text in both looks
    alike; it may be embedded (SIL Open Font License 1.1).
    """
    characters = sorted(set(_OTHERS.findall(page)))
    if not HAN.search("".join(characters)):
        return ""
    options = Options()
    options.recalc_timestamp = False
    options.layout_features = []
    options.hinting = False
    options.notdef_outline = True
    with han_font() as path, TTFont(path, recalcTimestamp=False) as font:
        subsetter = Subsetter(options)
        subsetter.populate(text="".join(characters))
        subsetter.subset(font)
        buffer = io.BytesIO()
        font.save(buffer)
    data = b64encode(buffer.getvalue()).decode("ascii")
    return f'@font-face {{ font-family: "{HAN_FONT}"; src: url(data:font/ttf;base64,{data}) format("truetype"); }}'
