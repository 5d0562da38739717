from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.outputs.page.pdf import pictures_of, rendered, rendered_shape, text_of
from pipelines.outputs.page.sheet import HEIGHT, WIDTH, Sheet

MOMENT = datetime(2026, 3, 1, 10, 20, 30, tzinfo=UTC)


def sheet() -> Sheet:
    return Sheet(title="Test", author="test", language="en-US", made_at=MOMENT)


def drawn(draw: Callable[[Sheet], object]) -> bytes:
    made = sheet()
    draw(made)
    return made.finish()


def ink(pdf: bytes) -> np.ndarray:
    return np.argwhere(rendered(pdf).min(axis=2) < 128)


def test_the_same_drawing_gives_the_same_bytes_and_bears_the_time_that_it_is_given() -> None:
    one, other = (drawn(lambda s: s.text(50, 50, "病灶 Lesion", 12)) for _ in range(2))
    assert one == other
    assert b"D:20260301102030+00'00'" in one


@pytest.mark.parametrize("text", ["Ω ≥ µ cm³ ł", "王小东 喆", "右肺上叶结节 3 mm"])
def test_text_can_be_selected(text: str) -> None:
    assert text in text_of(drawn(lambda s: s.text(50, 50, text, 12, weight="bold")))[0]


@pytest.mark.parametrize("text", ["\U00020bb7", "محمد", "\ud800", "a\x00b\nc", "👍🏽", "ไทย"])
def test_a_character_without_a_glyph_is_a_visible_mark_and_no_error(text: str) -> None:
    assert len(ink(drawn(lambda s: s.text(50, 50, f"{text}.", 12)))) > 10


def test_an_unknown_character_is_a_box() -> None:
    marks = ink(drawn(lambda s: s.text(50, 50, "\U00020bb7", 40)))
    high, wide = marks.max(axis=0) - marks.min(axis=0)
    assert high > 40 and wide > 30


def test_a_line_that_is_too_long_ends_with_dots_within_its_width() -> None:
    pdf = drawn(lambda s: s.text(50, 50, "word " * 50, 10, width=100))
    assert text_of(pdf)[0].strip().endswith("...")
    columns = ink(pdf)[:, 1] * WIDTH / rendered(pdf).shape[1]
    assert columns.min() >= 49 and columns.max() <= 151


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=300), width=st.floats(20, 300))
def test_broken_lines_stay_within_their_width_and_lose_nothing(text: str, width: float) -> None:
    made = sheet()
    lines = made.broken(text, 7, width=width, max_lines=10_000)
    # one character may be wider than any line
    assert all(made.width(line, 7) <= width + 1e-6 or len(line) == 1 for line in lines)
    kept = "".join("".join(lines).split())
    from pipelines.outputs.page.sheet import printable

    assert kept == "".join(printable(text).split())


def test_a_paragraph_has_no_more_lines_than_it_may_have() -> None:
    lines = sheet().broken("one two three four five six " * 20, 7, width=80, max_lines=3)
    assert len(lines) == 3
    assert lines[-1].endswith("...")


def test_a_chinese_line_does_not_begin_with_a_closing_mark() -> None:
    lines = sheet().broken("病灶过小，无法测量。" * 10, 7, width=60, max_lines=100)
    assert not any(line[0] in "，。" for line in lines)


def test_pictures_and_size_come_back_as_they_were_drawn() -> None:
    grey = np.arange(100, dtype=np.uint8).reshape(10, 10)
    pdf = drawn(lambda s: s.picture(50, 50, 100, 100, grey))
    (picture,) = pictures_of(pdf)
    assert np.array_equal(picture.reshape(10, 10), grey)
    assert rendered(pdf).shape[:2] == rendered_shape(WIDTH, HEIGHT)
