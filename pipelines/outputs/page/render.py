"""Lays the page out."""

from datetime import datetime
from typing import Final

from pipelines.domain.case import Findings
from pipelines.domain.outcome import Producer
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Score
from pipelines.outputs.inherited import inherited
from pipelines.outputs.page import panels
from pipelines.outputs.page.facts import FURTHER_VIEWS, shown_lesions, warnings
from pipelines.outputs.page.panels import MUTED, RULE
from pipelines.outputs.page.sheet import HEIGHT, WIDTH, Sheet
from pipelines.outputs.page.view import View, lesion_view
from pipelines.outputs.page.words import Words
from pipelines.outputs.provenance import MODEL_NAME

_MARGIN: Final = 34.0
_ROOM: Final = WIDTH - 2 * _MARGIN
_FOOT: Final = HEIGHT - _MARGIN - 46
_LARGE: Final = (236.0, 236.0)
_SMALL: Final = ((_ROOM - 3 * 9) / FURTHER_VIEWS, 84.0)
_PIXELS_PER_POINT: Final = 2
_GAP: Final = 20.0


def page_views(findings: Findings) -> list[View]:
    """The pictures of the page, the large one first."""
    ct = findings.case.ct
    sizes = (_LARGE, *(_SMALL,) * FURTHER_VIEWS)
    return [
        lesion_view(ct, lesion, columns=round(_PIXELS_PER_POINT * wide), rows=round(_PIXELS_PER_POINT * high))
        for lesion, (wide, high) in zip(shown_lesions(findings), sizes, strict=False)
    ]


def page_pdf(findings: Findings, producer: Producer, words: Words, made_at: datetime) -> bytes:
    """The page as PDF, one sheet of A4; the same for the same arguments."""
    sheet = Sheet(title=words.title, author=MODEL_NAME, language=words.code, made_at=made_at)
    x, y = _MARGIN, _MARGIN
    sheet.text(x, y + 8, words.title, 14, weight="bold", colour=panels.ACCENT, width=_ROOM / 2)
    sheet.text(x + _ROOM, y + 8, findings.method.pipeline, 9, colour=MUTED, align="right", width=_ROOM / 2)
    y = panels.patient_block(sheet, x, y + 17, _ROOM, inherited(findings.case.header), words) + 6
    score = findings.score
    if isinstance(score, Score) and score.model.demonstration:
        y = panels.banner(sheet, x, y, _ROOM, words.demonstration) + 6
    views = page_views(findings)
    y = _main(sheet, x, y + 2, findings, views[0], words)
    if len(views) > 1:
        y = _further(sheet, x, y, findings, views[1:], words)
    y = _numbers(sheet, x, y, findings, words)
    panels.notes(sheet, x, y + 2, _ROOM, bottom=_FOOT - 8, remarks=warnings(findings), words=words)
    _foot(sheet, findings, producer, words, made_at)
    return sheet.finish()


def _main(sheet: Sheet, x: float, y: float, findings: Findings, view: View, words: Words) -> float:
    width, height = _LARGE
    first = shown_lesions(findings)[0]
    score = findings.score
    title = words.scored_lesion if isinstance(score, Score) else words.lesion
    panels.heading(sheet, x, y, width, panels.lesion_text(first, title))
    below = panels.picture(sheet, x, y + 18, width, height, view) + 9
    sheet.text(x, below, panels.place_text(findings, view, words), 6.5, colour=MUTED, width=width * 0.6)
    sheet.text(x + width, below, panels.window_text(words), 6.5, colour=MUTED, align="right", width=width * 0.4)
    right = x + width + _GAP
    room = _ROOM - width - _GAP
    match score:
        case Score():
            other = panels.prediction(sheet, right, y, room, score, words)
        case Rejected() | None:
            other = panels.no_prediction(sheet, right, y, room, score, words)
    return max(below + 8, other)


def _further(sheet: Sheet, x: float, y: float, findings: Findings, views: list[View], words: Words) -> float:
    width, height = _SMALL
    y = panels.heading(sheet, x, y, _ROOM, words.other_lesions) + 2
    for number, (view, measured) in enumerate(zip(views, shown_lesions(findings)[1:], strict=True)):
        left = x + number * (width + 9)
        panels.picture(sheet, left, y, width, height, view, small=True)
        sheet.text(left, y + height + 8, panels.lesion_text(measured, words.lesion), 6.5, width=width)
    return y + height + 16


def _numbers(sheet: Sheet, x: float, y: float, findings: Findings, words: Words) -> float:
    if not isinstance(findings.score, Score):
        return panels.measurements(sheet, x, y, _ROOM, findings, words)
    half = (_ROOM - _GAP) / 2
    left = panels.contributions(sheet, x, y, half, findings.score, words)
    right = panels.measurements(sheet, x + half + _GAP, y, half, findings, words)
    return max(left, right)


def _foot(sheet: Sheet, findings: Findings, producer: Producer, words: Words, made_at: datetime) -> None:
    y = _FOOT
    sheet.line((_MARGIN, y), (_MARGIN + _ROOM, y), colour=RULE)
    sheet.text(_MARGIN, y + 11, words.purpose, 7.5, weight="bold", width=_ROOM)
    method = findings.method
    tools = ", ".join(f"{name} {version}" for name, version in method.software)
    lines = [
        f"{words.software}: {MODEL_NAME} {producer.software_version}, {method.pipeline} {method.pipeline_version}, "
        f"{method.profile} (SHA-256 {method.settings_digest[:16]}), {tools}",
        f"{words.produced}: {made_at:%Y-%m-%d %H:%M:%S %z}, {producer.station}",
    ]
    if isinstance(findings.score, Score):
        model = findings.score.model
        demonstration = f" ({words.model_demonstration})" if model.demonstration else ""
        digest = f"SHA-256 {model.sha256}"
        named = f"{words.model}: {model.name} {model.version}{demonstration}"
        room = _ROOM - sheet.width(digest, 6.2) - 10
        sheet.text(_MARGIN, y + 21, named, 6.2, colour=MUTED, width=room)
        sheet.text(_MARGIN + _ROOM, y + 21, digest, 6.2, colour=MUTED, align="right")
        y += 9
    for number, line in enumerate(lines):
        sheet.text(_MARGIN, y + 21 + 9 * number, line, 6.2, colour=MUTED, width=_ROOM)
