"""The parts of the page: each is drawn from its top left corner and tells where it ends."""

from collections.abc import Iterable, Sequence
from typing import Final

from pydicom import Dataset

from pipelines.domain.case import Findings, MeasuredLesion
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Score, ScoreClass
from pipelines.outputs.case_report import top_contributions
from pipelines.outputs.page.facts import (
    UNKNOWN,
    age,
    day,
    person,
    probability_text,
    score_lines,
    term_text,
    value_of,
    warning_counts,
    warning_text,
)
from pipelines.outputs.page.nomogram import nomogram
from pipelines.outputs.page.sheet import BLACK, Colour, Point, Sheet
from pipelines.outputs.page.view import WINDOW_LEVEL_HU, WINDOW_WIDTH_HU, View
from pipelines.outputs.page.words import Words

MUTED: Final[Colour] = (0.37, 0.41, 0.47)
RULE: Final[Colour] = (0.80, 0.83, 0.87)
PALE: Final[Colour] = (0.945, 0.955, 0.965)
ACCENT: Final[Colour] = (0.05, 0.30, 0.52)
ALERT: Final[Colour] = (0.70, 0.13, 0.09)
POSITIVE: Final[Colour] = (0.00, 0.45, 0.47)
NEGATIVE: Final[Colour] = (0.45, 0.33, 0.62)
WHITE: Final[Colour] = (1.0, 1.0, 1.0)
_SHADE: Final[Colour] = (0.08, 0.09, 0.11)
_CONTOUR: Final[Colour] = (1.0, 0.78, 0.10)
_AXIS: Final[Colour] = (0.25, 0.85, 1.0)
_SIDES: Final = {ScoreClass.POSITIVE: POSITIVE, ScoreClass.NEGATIVE: NEGATIVE}
_TABLE_ROWS: Final = 12
_CELL: Final = 10.4
_AXIS_STEP: Final = 27.0


def heading(sheet: Sheet, x: float, y: float, width: float, text: str) -> float:
    """A title with a line below it."""
    sheet.text(x, y + 8, text, 8.5, weight="bold", colour=ACCENT, width=width)
    sheet.line((x, y + 12), (x + width, y + 12), colour=RULE)
    return y + 16


def patient_block(sheet: Sheet, x: float, y: float, width: float, header: Dataset, words: Words) -> float:
    """Who it is and which study: identity as the CT has it."""
    sheet.box(x, y, width, 54, colour=PALE)
    rows = (
        (
            (words.name, person(header.get("PatientName")), 0.44),
            (words.patient_id, value_of(header, "PatientID"), 0.28),
            (words.birth_date, day(header.get("PatientBirthDate")), 0.16),
            (words.sex, value_of(header, "PatientSex"), 0.12),
        ),
        (
            (words.study, value_of(header, "StudyDescription"), 0.44),
            (words.accession, value_of(header, "AccessionNumber"), 0.28),
            (words.study_date, day(header.get("StudyDate")), 0.16),
            (words.age, age(header.get("PatientAge")), 0.12),
        ),
    )
    for number, row in enumerate(rows):
        left, top = x + 8, y + 10 + 25 * number
        for label, value, share in row:
            room = share * (width - 16) - 8
            sheet.text(left, top, label, 6.5, colour=MUTED, width=room)
            size = sheet.fitting(value, (9, 8, 7, 6), room, "bold")
            sheet.text(left, top + 11, value, size, weight="bold", width=room)
            left += share * (width - 16)
    return y + 54


def banner(sheet: Sheet, x: float, y: float, width: float, text: str) -> float:
    """A notice that nobody overlooks."""
    sheet.box(x, y, width, 19, colour=ALERT)
    size = sheet.fitting(text, (10.5, 9.5, 8.5, 7.5), width - 16, "bold")
    sheet.text(x + width / 2, y + 13.2, text, size, weight="bold", colour=WHITE, align="centre", width=width - 16)
    return y + 19


def picture(sheet: Sheet, x: float, y: float, width: float, height: float, view: View, *, small: bool = False) -> float:
    """The lesion with its contour, its two axes, the sides of the patient and a scale bar."""
    sheet.picture(x, y, width, height, view.pixels)
    scale = width / view.pixels.shape[1]

    def on_page(ends: Iterable[tuple[Point, Point]]) -> list[tuple[Point, Point]]:
        return [((x + scale * a, y + scale * b), (x + scale * c, y + scale * d)) for (a, b), (c, d) in ends]

    thickness = 0.5 if small else 0.8
    for drawn, colour in ((view.contour, _CONTOUR), (view.axes, _AXIS)):
        lines = on_page(drawn)
        # tissue may be as bright as any line: a dark one below keeps them apart
        sheet.lines(lines, colour=_SHADE, thickness=2.2 * thickness)
        sheet.lines(lines, colour=colour, thickness=thickness)
    size = 6.0 if small else 8.5
    sheet.box(x, y + height / 2 - size * 0.7, size + 2, size * 1.4, colour=_SHADE)
    sheet.text(x + size / 2 + 1, y + height / 2 + size * 0.36, view.left, size, colour=WHITE, align="centre")
    sheet.box(x + width / 2 - size / 2 - 1, y, size + 2, size * 1.4, colour=_SHADE)
    sheet.text(x + width / 2, y + size * 1.06, view.top, size, colour=WHITE, align="centre")
    bar = view.bar_mm / view.pixel_mm * scale
    right, low = x + width - 6, y + height - 5
    room = max(bar, sheet.width(f"{view.bar_mm} mm", size - 1)) + 8
    sheet.box(right - bar / 2 - room / 2, low - size - 5, room, size + 10, colour=_SHADE)
    sheet.lines(
        [((right - bar, low), (right, low)), *(((e, low - 2.5), (e, low)) for e in (right - bar, right))],
        colour=WHITE,
        thickness=0.9,
    )
    sheet.text(right - bar / 2, low - 4, f"{view.bar_mm} mm", size - 1, colour=WHITE, align="centre")
    return y + height


def place_text(findings: Findings, view: View, words: Words) -> str:
    """Where the slice of a picture lies."""
    grid = findings.case.ct.grid
    z = grid.slice_position_mm(view.slice_index)[2]
    return words.place.format(index=view.slice_index + 1, count=grid.shape[0], z=f"{z:.1f}")


def window_text(words: Words) -> str:
    """The window of the pictures."""
    return words.window.format(width=f"{WINDOW_WIDTH_HU:g}", level=f"{WINDOW_LEVEL_HU:g}")


def lesion_text(measured: MeasuredLesion, template: str) -> str:
    """Number and label of a lesion."""
    lesion = measured.lesion
    return template.format(number=lesion.number, label=lesion.label or lesion.tracking_id)


def prediction(sheet: Sheet, x: float, y: float, width: float, score: Score, words: Words) -> float:
    """Class, probability on its scale, and the nomogram."""
    colour = _SIDES[score.outcome]
    y = heading(sheet, x, y, width, words.prediction)
    y = sheet.paragraph(
        x, y + 14, score.outcome_label, 15, width=width, max_lines=2, weight="bold", colour=colour, leading=1.2
    )
    side = words.positive if score.outcome is ScoreClass.POSITIVE else words.negative
    sheet.text(x, y - 5, side, 8, colour=MUTED, width=width)
    probability, cut_off = probability_text(score)
    y += 19
    sheet.text(x, y, f"{words.probability}", 8.5, colour=MUTED)
    label = sheet.width(words.probability, 8.5)
    sheet.text(x + label + 6, y, probability, 20, weight="bold", width=width / 2)
    cut = f"{words.cut_off} {cut_off}"
    sheet.text(x + width, y, cut, 10, weight="bold", align="right", width=width / 3)
    y = _scale(sheet, x, y + 9, width, score)
    y = sheet.paragraph(x, y + 7, score.cut_off_rule, 6.5, width=width, max_lines=2, colour=MUTED)
    for line in score_lines(score, words):
        sheet.text(x, y, line, sheet.fitting(line, (7, 6.5, 6, 5.5), width), width=width)
        y += 9
    return _nomogram(sheet, x, y + 2, width, score, words)


def no_prediction(sheet: Sheet, x: float, y: float, width: float, reason: Rejected | None, words: Words) -> float:
    """Why there is no score."""
    y = heading(sheet, x, y, width, words.prediction)
    y = sheet.paragraph(x, y + 14, words.no_prediction, 15, width=width, max_lines=2, weight="bold")
    text = words.no_model if reason is None else warning_text(reason, words)
    return sheet.paragraph(x, y + 2, text, 8.5, width=width, max_lines=14)


def _scale(sheet: Sheet, x: float, y: float, width: float, score: Score) -> float:
    cut, here = x + width * score.cut_off, x + width * score.probability
    sheet.box(x, y + 6, max(cut - x, 0.01), 7, colour=NEGATIVE)
    sheet.box(cut, y + 6, max(x + width - cut, 0.01), 7, colour=POSITIVE)
    sheet.line((cut, y + 3), (cut, y + 16), colour=BLACK, thickness=1.4)
    sheet.area((here, y + 6.5), (here - 4, y), (here + 4, y), colour=BLACK)
    for n in range(6):
        align = ("left", "centre", "right")[(n > 0) + (n == 5)]
        sheet.text(x + width * n / 5, y + 21, f"{n / 5:g}", 6, colour=MUTED, align=align)  # type: ignore[arg-type]
    return y + 23


def _nomogram(sheet: Sheet, x: float, y: float, width: float, score: Score, words: Words) -> float:
    y = heading(sheet, x, y, width, words.nomogram) + 8
    nom = nomogram(score.signature, None if score.place is None else (score.place.lowest, score.place.highest))
    label = 68.0
    left, length = x + label, width - label - 6
    here = left + length * nom.points(score.signature) / 100
    rows: tuple[tuple[str, list[tuple[float, str]]], ...] = (
        (words.points, [(10.0 * n, f"{10 * n}") for n in range(11)]),
        (words.signature, [(nom.points(s), f"{s:g}") for s in nom.signatures]),
        (words.probability, [(at, f"{p:g}") for p, at in nom.probabilities]),
    )
    sheet.line((here, y - 3), (here, y + _AXIS_STEP * 2 + 3), colour=ALERT, thickness=0.8, dashed=True)
    for name, ticks in rows:
        sheet.text(x, y + 2, name, 7, width=label - 4)
        sheet.line((left, y), (left + length, y), thickness=0.7)
        free = -1.0
        for points, text in ticks:
            at = left + length * points / 100
            sheet.line((at, y), (at, y + 2.5), thickness=0.5)
            half = sheet.width(text, 5.5) / 2
            if at - half >= free:
                # the line of the patient ends above the number and goes on below it
                sheet.box(at - half - 0.5, y + 4, 2 * half + 1, 6, colour=WHITE)
                sheet.text(at, y + 9, text, 5.5, align="centre", colour=MUTED)
                free = at + half + 2
        sheet.area((here - 2.2, y), (here, y - 2.2), (here + 2.2, y), (here, y + 2.2), colour=ALERT)
        y += _AXIS_STEP
    return y - _AXIS_STEP + 13


def contributions(sheet: Sheet, x: float, y: float, width: float, score: Score, words: Words) -> float:
    """The largest terms of the signature as bars to both sides of zero."""
    y = heading(sheet, x, y, width, words.contributions)
    note = words.contributions_note.format(signature=f"{score.signature:.4g}")
    sheet.text(x, y + 6, note, 6.2, colour=MUTED, width=width)
    y += 16
    top = top_contributions(score)
    largest = max((abs(c.term) for c in top), default=0.0) or 1.0
    names, values = 0.58 * width, 30.0
    room = (width - names - values - 6) / 2
    zero = x + names + 3 + room
    for contribution in top:
        length = room * contribution.term / largest
        size = sheet.fitting(contribution.feature, (6.5, 6.0, 5.5, 5.0), names)
        sheet.text(x, y + 2, contribution.feature, size, width=names)
        colour = POSITIVE if contribution.term >= 0 else NEGATIVE
        sheet.box(min(zero, zero + length), y - 3.2, max(abs(length), 0.3), 6.4, colour=colour)
        sheet.text(x + width, y + 2.2, term_text(contribution.term), 6.5, align="right", width=values)
        y += 11
    sheet.line((zero, y - 11 * len(top) - 5), (zero, y - 5), colour=BLACK, thickness=0.5)
    return y


def measurements(sheet: Sheet, x: float, y: float, width: float, findings: Findings, words: Words) -> float:
    """Volume and diameters of each lesion, and what became of it."""
    y = heading(sheet, x, y, width, words.measurements) + 6
    shares = (0.08, 0.26, 0.18, 0.15, 0.15, 0.18)
    edges = [x + width * sum(shares[:n]) for n in range(len(shares) + 1)]
    titles = (words.number, words.label, words.volume, words.long_axis, words.short_axis, words.remark)
    _row(sheet, y, edges, titles, 6.2, MUTED)
    lesions = findings.lesions
    shown = lesions if len(lesions) <= _TABLE_ROWS else lesions[: _TABLE_ROWS - 1]
    for measured in shown:
        y += _CELL
        sheet.line((x, y - 7.5), (x + width, y - 7.5), colour=RULE, thickness=0.4)
        _row(sheet, y, edges, _cells(measured, findings, words), 7, BLACK)
    if len(shown) < len(lesions):
        y += _CELL
        rest = words.more_lesions.format(count=len(lesions) - len(shown))
        sheet.text(x, y, rest, 7, colour=MUTED, width=width)
    return y + 8


def _row(sheet: Sheet, y: float, edges: Sequence[float], cells: Sequence[str], size: float, colour: Colour) -> None:
    for column, cell in enumerate(cells):
        room = edges[column + 1] - edges[column] - 4
        if 2 <= column <= 4:
            sheet.text(edges[column + 1] - 6, y, cell, size, colour=colour, align="right", width=room)
        else:
            sheet.text(edges[column], y, cell, size, colour=colour, width=room)


def _cells(measured: MeasuredLesion, findings: Findings, words: Words) -> tuple[str, ...]:
    lesion = measured.lesion
    diameters = measured.diameters
    lengths = (
        (UNKNOWN, UNKNOWN)
        if diameters is None
        else (f"{diameters.long.length_mm:.1f}", f"{diameters.short.length_mm:.1f}")
    )
    scored = isinstance(findings.score, Score) and findings.score.lesion_number == lesion.number
    remark = measured.features.code if isinstance(measured.features, Rejected) else words.scored if scored else ""
    volume = f"{lesion.mask.volume_ml(findings.case.ct.grid):.4g}"
    return f"{lesion.number}", lesion.label or lesion.tracking_id, volume, *lengths, remark


def notes(
    sheet: Sheet, x: float, y: float, width: float, *, bottom: float, remarks: Sequence[Rejected], words: Words
) -> float:
    """The warnings in what room there is; of those without room at least the codes."""
    y = heading(sheet, x, y, width, words.notes) + 6
    if not remarks:
        sheet.text(x, y, words.no_notes, 7, colour=MUTED)
        return y + 9
    size, step = 7.0, 9.0
    rows = int((bottom - y) // step) + 1
    # each warning gets its due share of the rows, two to four of them
    for most in (4, 3, 2, 1):
        broken = [sheet.broken(warning_text(w, words), size, width=width - 8, max_lines=most) for w in remarks]
        if sum(map(len, broken)) <= rows:
            break
    left = rows
    for number, lines in enumerate(broken):
        rest = list(remarks[number:])
        last = number == len(broken) - 1
        if len(lines) > left - (not last):
            more = words.more_notes.format(count=len(rest), codes=warning_counts(rest))
            sheet.text(x, y, more, size, weight="bold", colour=ALERT, width=width)
            return y + step
        sheet.box(x, y - 5.2, 2, 6, colour=ALERT)
        for line in lines:
            sheet.text(x + 8, y, line, size)
            y += step
        left -= len(lines)
    return y
