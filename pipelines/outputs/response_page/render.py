"""Lays the page of response out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pipelines.domain.outcome import Producer
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import LesionState
from pipelines.outputs.inherited import inherited
from pipelines.outputs.page import panels
from pipelines.outputs.page.facts import UNKNOWN, warning_counts
from pipelines.outputs.page.panels import ACCENT, ALERT, MUTED, PALE, RULE
from pipelines.outputs.page.sheet import BLACK, HEIGHT, WIDTH, Colour, Sheet
from pipelines.outputs.page.words import Words
from pipelines.outputs.provenance import MODEL_NAME
from pipelines.outputs.response_page.charts import chart, days_of, lesion_curves, sum_curve
from pipelines.outputs.response_page.pictures import Cell, PictureRow
from pipelines.outputs.response_page.words import ResponseWords
from pipelines.outputs.response_report import ResponseFindings, notes_of

_MARGIN: Final = 34.0
_ROOM: Final = WIDTH - 2 * _MARGIN
_FOOT: Final = HEIGHT - _MARGIN - 40
_NOTES: Final = 58.0
_ROWS: Final = 9
_CELL: Final = 10.4
_SHARES: Final = (0.12, 0.06, 0.10, 0.11, 0.17, 0.08, 0.14, 0.06, 0.08, 0.08)
_NAME: Final = 74.0
_PICTURE: Final = (86.0, 60.0)
_LARGEST: Final = 1.4
PIXELS: Final = (round(3 * _PICTURE[0]), round(3 * _PICTURE[1]))
"""Columns and rows of each picture."""
_SHADE: Final[Colour] = (0.86, 0.88, 0.90)


def response_pdf(
    findings: ResponseFindings,
    pictures: Sequence[PictureRow],
    producer: Producer,
    words: ResponseWords,
    common: Words,
    made_at: datetime,
) -> bytes:
    """The page as PDF, one sheet of A4; the same for the same arguments."""
    sheet = Sheet(title=words.title, author=MODEL_NAME, language=common.code, made_at=made_at)
    x, y = _MARGIN, _MARGIN
    sheet.text(x, y + 8, f"{words.title}  {findings.label}", 14, weight="bold", colour=ACCENT, width=_ROOM * 0.6)
    sheet.text(x + _ROOM, y + 8, findings.method.pipeline, 9, colour=MUTED, align="right", width=_ROOM * 0.4)
    y = panels.patient_block(sheet, x, y + 17, _ROOM, inherited(findings.case.header), common) + 6
    y = _conclusions(sheet, x, y, findings, words)
    y = _table(sheet, x, y + 4, findings, words)
    y = _charts(sheet, x, y, findings, words)
    y = _pictures(sheet, x, y, pictures, words, common)
    _evidence_and_notes(sheet, x, max(y, _FOOT - _NOTES), findings, words)
    _foot(sheet, findings, producer, words, common, made_at)
    return sheet.finish()


def conclusions(findings: ResponseFindings, words: ResponseWords) -> tuple[tuple[str, str, str], ...]:
    """(what, answer, why) of each conclusion of the assessment."""
    told = findings.assessment
    due = told.follow_up
    window = words.next_unset if due.due_from is None else f"{due.due_from} {UNKNOWN} {due.due_until}"
    return (
        (words.best, words.term(told.best.response.value), words.reason(told.best.why)),
        (words.pattern, words.term(told.pattern.pattern.value), words.reason(told.pattern.why)),
        (words.resistance, words.term(told.resistance.resistance.value), words.reason(told.resistance.why)),
        (words.next_scan, window, words.reason(due.why)),
    )


def _conclusions(sheet: Sheet, x: float, y: float, findings: ResponseFindings, words: ResponseWords) -> float:
    width = (_ROOM - 3 * 6) / 4
    for number, (what, answer, why) in enumerate(conclusions(findings, words)):
        left = x + number * (width + 6)
        sheet.box(left, y, width, 58, colour=PALE)
        sheet.text(left + 6, y + 10, what, 6.5, colour=MUTED, width=width - 12)
        size = sheet.fitting(answer, (11, 10, 9, 8, 7), width - 12, "bold")
        sheet.text(left + 6, y + 23, answer, size, weight="bold", colour=ACCENT, width=width - 12)
        sheet.paragraph(left + 6, y + 33, why, 6, width=width - 12, max_lines=3, colour=BLACK)
    return y + 58


def table_rows(findings: ResponseFindings, words: ResponseWords) -> tuple[tuple[str, ...], ...]:
    """The visits as they stand in the table, the baseline first."""
    told, days = findings.assessment, days_of(findings)
    base = told.baseline
    rows = [(base.label, "0", _mm(base.sum.total), words.baseline, *("",) * 6)]
    for said in told.visits:
        grown = said.from_nadir_mm
        nadir = _percent(said.percent_from_nadir) + ("" if grown is None else f" ({grown:+.1f} mm)")
        rows.append(
            (
                said.label,
                f"{days[said.label]}",
                _mm(said.sum.measured) + ("*" if said.sum.missing else ""),
                _percent(said.percent_from_baseline),
                nadir,
                _response(said.target.value, words),
                _response(said.non_target.value, words),
                f"{len(said.new_lesions)}",
                said.overall.value,
                said.immune.value,
            )
        )
    return tuple(rows)


def _response(value: str, words: ResponseWords) -> str:
    return words.term(value) if value == "none" else value


def _table(sheet: Sheet, x: float, y: float, findings: ResponseFindings, words: ResponseWords) -> float:
    y = panels.heading(sheet, x, y, _ROOM, words.table) + 6
    edges = [x + _ROOM * sum(_SHARES[:n]) for n in range(len(_SHARES) + 1)]
    _row(sheet, y, edges, words.columns, 6.2, MUTED)
    rows = table_rows(findings, words)
    shown = rows if len(rows) <= _ROWS else (rows[0], *rows[-(_ROWS - 2) :])
    for row in shown:
        y += _CELL
        sheet.line((x, y - 7.5), (x + _ROOM, y - 7.5), colour=RULE, thickness=0.4)
        _row(sheet, y, edges, row, 7, ALERT if row[8] == "PD" else BLACK)
    if len(shown) < len(rows):
        y += _CELL
        sheet.text(x, y, words.earlier.format(count=len(rows) - len(shown)), 6.5, colour=MUTED, width=_ROOM)
    return y + 6


def _row(sheet: Sheet, y: float, edges: Sequence[float], cells: Sequence[str], size: float, colour: Colour) -> None:
    for column, cell in enumerate(cells):
        room = edges[column + 1] - edges[column] - 4
        fits = sheet.fitting(cell, (size, 6.2, 5.6, 5.0), room)
        if 1 <= column <= 4:
            sheet.text(edges[column + 1] - 8, y, cell, fits, colour=colour, align="right", width=room)
        else:
            sheet.text(edges[column], y, cell, fits, colour=colour, width=room)


def _charts(sheet: Sheet, x: float, y: float, findings: ResponseFindings, words: ResponseWords) -> float:
    width, height = (_ROOM - 20) / 2, 86.0
    told = findings.assessment
    total, visit = told.baseline.sum.total, findings.visit
    thresholds = [] if not total else [(0.7 * total, f"{UNKNOWN}30 %")]
    if visit is not None and visit.nadir:
        thresholds.append((max(1.2 * visit.nadir, visit.nadir + 50), "+20 %"))
    left = chart(
        sheet, x, y, width, height, [sum_curve(findings)], title=words.sums, thresholds=thresholds, named=False
    )
    right = chart(sheet, x + width + 20, y, width, height, lesion_curves(findings), title=words.lesions, named=True)
    sheet.text(x + width + 20, right + 4, words.least, 5.8, colour=MUTED, width=width / 2)
    for end, edge in ((left, x + width), (right, x + _ROOM)):
        sheet.text(edge, end + 4, words.days, 5.8, colour=MUTED, align="right", width=width / 2)
    if visit is not None and visit.nadir is not None:
        sheet.text(x, left + 4, words.nadir.format(value=f"{_mm(visit.nadir)} mm"), 5.8, colour=MUTED, width=width)
    return max(left, right) + 9


def _pictures(
    sheet: Sheet, x: float, y: float, rows: Sequence[PictureRow], words: ResponseWords, common: Words
) -> float:
    y = panels.heading(sheet, x, y, _ROOM, f"{words.pictures}, {panels.window_text(common)}") + 2
    if not rows:
        return y
    room = _FOOT - _NOTES - y - 10
    step = (_ROOM - _NAME) / max(len(row.cells) for row in rows)
    scale = min(_LARGEST, (room / len(rows) - 11) / _PICTURE[1], (step - 5) / _PICTURE[0])
    width, height = (side * scale for side in _PICTURE)
    for row in rows:
        sheet.text(x, y + 12, row.name, 7, weight="bold", width=_NAME - 6)
        sheet.text(x, y + 22, words.term(row.organ), 6.5, width=_NAME - 6)
        sheet.text(x, y + 31, words.term(row.role.value), 6.5, colour=MUTED, width=_NAME - 6)
        for number, cell in enumerate(row.cells):
            left = x + _NAME + number * step
            if cell.view is None:
                sheet.box(left, y, width, height, colour=_SHADE)
                middle = left + width / 2
                sheet.text(middle, y + height / 2 + 2, _without(cell, words), 6.5, align="centre", width=width)
            else:
                panels.picture(sheet, left, y, width, height, cell.view, small=True)
            sheet.frame(left, y, width, height, colour=RULE)
            size = "" if cell.size is None else f"{_mm(cell.size)} mm"
            sheet.text(left, y + height + 7.5, f"{cell.label}  {size}", 6.2, width=step - 2)
        y += height + 11
    return y + 2


def _without(cell: Cell, words: ResponseWords) -> str:
    measured = cell.state in (LesionState.MEASURED, LesionState.SPLIT)
    return words.no_picture if measured else UNKNOWN if cell.size is None else words.term(cell.state.value)


def evidence_lines(findings: ResponseFindings, words: ResponseWords) -> tuple[str, ...]:
    """What progresses, each lesion with what shows it."""
    lines = []
    for one in findings.assessment.pattern.lesions:
        grown = "" if one.growth is None else f", {one.growth / 10:+.1f} mm"
        share = "" if one.growth_percent is None else f" ({one.growth_percent:+.1f} %)"
        name = findings.names.get(one.lesion, "")
        lines.append(f"{name} ({words.term(one.organ.value)}): {words.term(one.evidence.value)}{grown}{share}")
    return tuple(lines)


def _evidence_and_notes(sheet: Sheet, x: float, y: float, findings: ResponseFindings, words: ResponseWords) -> None:
    half = (_ROOM - 20) / 2
    at = panels.heading(sheet, x, y, half, words.evidence) + 5
    text = "; ".join(evidence_lines(findings, words)) or words.no_notes
    sheet.paragraph(x, at, text, 6.4, width=half, max_lines=5)
    right = x + half + 20
    at = panels.heading(sheet, right, y, half, words.notes) + 5
    notes = notes_of(findings)
    if not notes:
        sheet.text(right, at, words.no_notes, 6.4)
        return
    lines = [line for note in notes for line in sheet.broken(_note(note, words), 6.0, width=half, max_lines=2)]
    room = int((_FOOT - 4 - at) // 7.6) + 1
    for number, line in enumerate(lines):
        if number == room - 1 and len(lines) > room:
            sheet.text(right, at, f"... {warning_counts(list(notes))}", 6.0, weight="bold", colour=ALERT, width=half)
            return
        sheet.text(right, at, line, 6.0)
        at += 7.6


def _note(note: Rejected, words: ResponseWords) -> str:
    meaning = words.meanings.get(note.code)
    return f"{note.code} {note.detail}" if meaning is None else f"{note.code} {meaning}。{note.detail}"


def _foot(
    sheet: Sheet,
    findings: ResponseFindings,
    producer: Producer,
    words: ResponseWords,
    common: Words,
    made_at: datetime,
) -> None:
    y = _FOOT + 2
    sheet.line((_MARGIN, y), (_MARGIN + _ROOM, y), colour=RULE)
    sheet.text(_MARGIN, y + 10, common.purpose, 7.5, weight="bold", width=_ROOM)
    method = findings.method
    rules = "; ".join(f"{name}: {value}" for name, value in method.settings)
    decided = f"; {words.decided_by}: {findings.decided_by}" if findings.decided_by else ""
    sheet.text(_MARGIN, y + 20, f"{words.rules}: {rules}{decided}", 6, colour=MUTED, width=_ROOM)
    made = f"{common.produced}: {made_at:%Y-%m-%d %H:%M:%S %z}, {producer.station}"
    software = f"{common.software}: {MODEL_NAME} {producer.software_version}, {method.pipeline}"
    digest = f"SHA-256 {method.settings_digest[:16]}"
    sheet.text(_MARGIN, y + 29, f"{software} ({digest}); {made}", 6, colour=MUTED, width=_ROOM)


def _mm(length: float | None) -> str:
    return UNKNOWN if length is None else f"{length / 10:.1f}"


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:+.1f} %"
