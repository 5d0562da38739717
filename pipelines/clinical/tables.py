"""Tables of clinical data, one row a patient, checked cell by cell."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from pipelines.domain.clinical import Key, PatientKey, patient_key
from pipelines.domain.clinical_fields import BY_NAME, column_of, contradictions, key_of, parse_value

PATIENT_ID: Final = "patient_id"
ISSUER: Final = "issuer"


@dataclass(frozen=True, slots=True)
class CellProblem:
    """What is wrong with a cell; never what stands in it, which may be anything of a patient's.

    Attributes
    ----------
    row
        As spreadsheets count: the row of the headings is 1.
    column
        Its heading where that is one of the dictionary, else its number.
    """

    row: int
    column: str
    why: str

    def __str__(self) -> str:
        return f"row {self.row}, column {self.column}: {self.why}"


@dataclass(frozen=True, slots=True)
class PatientRow:
    """What a table says of one patient; empty cells say nothing."""

    row: int
    patient: PatientKey
    entries: Mapping[Key, str]


@dataclass(frozen=True, slots=True)
class ReadTable:
    """The rows of a table without a problem, and the problems of the others."""

    rows: tuple[PatientRow, ...] = ()
    problems: tuple[CellProblem, ...] = ()


@dataclass(slots=True)
class _Reading:
    rows: list[PatientRow] = field(default_factory=list)
    problems: list[CellProblem] = field(default_factory=list)
    seen: dict[PatientKey, int] = field(default_factory=dict)


def read_table(data: bytes, suffix: str) -> ReadTable:
    """Read a CSV file (UTF-8 or GB 18030; comma, semicolon or tab) or the first sheet of an Excel workbook.

    Returns
    -------
    ReadTable
        A problem in the headings concerns all rows, so that none is read.
    """
    try:
        lines = list(_workbook(data) if suffix.lower() == ".xlsx" else _text(data))
    except ValueError as fault:
        return ReadTable(problems=(CellProblem(1, "1", str(fault)),))
    while lines and not any(lines[-1]):
        lines.pop()
    if not lines:
        return ReadTable(problems=(CellProblem(1, "1", "the table is empty"),))
    headings = [heading.strip().lower() for heading in lines[0]]
    columns, problems = _columns(headings)
    if problems:
        return ReadTable(problems=tuple(problems))
    reading = _Reading()
    for number, cells in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in cells):
            _read_row(reading, number, headings, columns, cells)
    return ReadTable(tuple(reading.rows), tuple(reading.problems))


def _columns(headings: Sequence[str]) -> tuple[dict[int, Key], list[CellProblem]]:
    keys: dict[int, Key] = {}
    problems = []
    for at, heading in enumerate(headings):
        if heading in (PATIENT_ID, ISSUER, ""):
            continue
        key = key_of(heading)
        if key is None:
            problems.append(CellProblem(1, str(at + 1), "the heading is none of the data dictionary"))
        elif key in keys.values():
            problems.append(CellProblem(1, heading, "the heading comes twice"))
        else:
            keys[at] = key
    if headings.count(PATIENT_ID) != 1 or headings.count(ISSUER) > 1:
        problems.append(CellProblem(1, PATIENT_ID, "one column has the Patient ID, and one at most its issuer"))
    return keys, problems


def _read_row(
    reading: _Reading, number: int, headings: Sequence[str], columns: Mapping[int, Key], cells: Sequence[str]
) -> None:
    of = dict(zip(headings, cells, strict=False))
    problems = []
    patient_id = of.get(PATIENT_ID, "").strip()
    patient = patient_key(patient_id, of.get(ISSUER, ""))
    if not patient_id:
        problems.append(CellProblem(number, PATIENT_ID, "a Patient ID is needed"))
    elif patient in reading.seen:
        problems.append(CellProblem(number, PATIENT_ID, f"row {reading.seen[patient]} is of the same patient"))
    else:
        reading.seen[patient] = number
    if len(cells) > len(headings) and any(cell.strip() for cell in cells[len(headings) :]):
        problems.append(CellProblem(number, str(len(headings) + 1), "the row has more cells than there are headings"))
    entries: dict[Key, str] = {}
    for at, key in columns.items():
        try:
            value = parse_value(BY_NAME[key.name], cells[at] if at < len(cells) else "")
        except ValueError as fault:
            problems.append(CellProblem(number, column_of(key), str(fault)))
        else:
            if value:
                entries[key] = value
    problems += [CellProblem(number, column_of(key), why) for key, why in contradictions(entries)]
    if problems:
        reading.problems += problems
    else:
        reading.rows.append(PatientRow(number, patient, entries))


def _text(data: bytes) -> Iterator[list[str]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        try:
            yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        except csv.Error:
            raise ValueError("the file is no table of comma-separated values") from None
        return
    raise ValueError("the text is neither UTF-8 nor GB 18030")


def _workbook(data: bytes) -> Iterator[list[str]]:
    from openpyxl import load_workbook

    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        rows = [[_shown(cell) for cell in row] for row in book.worksheets[0].iter_rows(values_only=True)]
    except Exception:  # archives and documents within them break in many ways, all with one meaning
        raise ValueError("the file is no Excel workbook") from None
    yield from rows


def _shown(cell: Any) -> str:
    """A cell as it would be written: Excel keeps days as points in time and numbers as fractions."""
    match cell:
        case None:
            return ""
        case datetime():
            return cell.date().isoformat()
        case date():
            return cell.isoformat()
        case float() if cell.is_integer():
            return str(int(cell))
    return str(cell)
