from dataclasses import astuple
from pathlib import Path
from string import Formatter

import pytest
from reportlab.pdfbase.ttfonts import TTFont

from pipelines.domain.reasons import CODES
from pipelines.outputs.page import words
from pipelines.outputs.page.settings import PageLanguage

FONTS = Path(words.__file__).parent / "fonts"


def glyphs(weight: str) -> set[int]:
    return set(TTFont(weight, str(FONTS / f"NotoSansSC-{weight}.ttf")).face.charToGlyph)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("weight", ["Regular", "Bold"])
def test_both_fonts_hold_every_word_of_the_page(language: PageLanguage, weight: str) -> None:
    *labels, meanings = astuple(words.WORDS[language])
    text = "".join([*labels, *meanings.values()])
    assert {ord(c) for c in text} - glyphs(weight) == set()


def test_the_regular_font_holds_gb_2312_latin_and_greek() -> None:
    available = glyphs("Regular")
    cells = [(row, cell) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF)]
    ideographs = [text for pair in cells if (text := bytes(pair).decode("gb2312", "ignore"))]
    assert len(ideographs) == 6763
    letters = "ÀÉÎÕÜßàéîõüçñøåæœşğıłńśźżčřžĐđΑΒΓΔΩαβγδμω"
    assert {c for c in (*ideographs, *letters) if ord(c) not in available} == set()


def test_the_languages_fill_in_the_same_values() -> None:
    def fields(text: str) -> list[str]:
        return sorted(name for _, name, _, _ in Formatter().parse(text) if name)

    english, chinese = (astuple(words.WORDS[language])[:-1] for language in ("en", "zh"))
    assert [fields(text) for text in english] == [fields(text) for text in chinese]


def test_every_code_that_a_case_may_bear_has_a_meaning_in_chinese() -> None:
    of_cases = {code for code in CODES if code.startswith(("CT-", "SEG-", "ROI-", "MAP-", "MODEL-"))}
    assert of_cases <= set(words.WORDS["zh"].meanings) <= set(CODES)
