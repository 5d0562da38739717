"""Entries of an audit as they lie in files: CSV, workbooks and TOML."""

import csv
import io
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from pipelines.audit.entries import Entry
from pipelines.audit.reading import Record, read_entry


@dataclass(frozen=True, slots=True)
class Listed:
    """The entries of a file, or what is wrong with it; where there are problems the entries do not count."""

    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


class _UnreadableError(ValueError):
    """The file is not of its format."""


def read_entries(data: bytes, suffix: str) -> Listed:
    """All entries of a file whose name ends in `suffix`: `.csv`, `.xlsx` or `.toml`."""
    reader = _FORMATS.get(suffix.lower())
    if reader is None:
        return Listed((), (f"a file ends in {', '.join(_FORMATS)}, not in {suffix or 'nothing'}",))
    entries: list[Entry] = []
    problems: list[str] = []
    try:
        for where, record in reader(data):
            found = read_entry(record)
            if isinstance(found, tuple):
                problems += [f"{where}: {problem}" for problem in found]
            else:
                entries.append(found)
    except _UnreadableError as fault:
        problems.append(str(fault))
    if not entries and not problems:
        problems.append("there is no entry")
    return Listed(tuple(entries), tuple(problems))


def _csv(data: bytes) -> Iterator[tuple[str, Record]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise _UnreadableError("the file is no UTF-8 text") from fault
    separator = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        lines = [(f"line {rows.line_num}", row) for row in rows]
    except csv.Error as fault:
        raise _UnreadableError(f"line {rows.line_num} cannot be read: {fault}") from fault
    yield from _rows(lines)


def _workbook(data: bytes) -> Iterator[tuple[str, Record]]:
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as fault:
        raise _UnreadableError("the file is no workbook (.xlsx)") from fault
    for sheet in book.worksheets:
        rows = [
            (f"sheet {sheet.title}, row {number}", ["" if cell is None else str(cell) for cell in row])
            for number, row in enumerate(sheet.iter_rows(values_only=True), start=1)
        ]
        if rows:
            yield from _rows(rows)


def _toml(data: bytes) -> Iterator[tuple[str, Record]]:
    try:
        # a number keeps the digits that it is printed with
        document = tomllib.loads(data.decode("utf-8"), parse_float=str)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise _UnreadableError(f"the file is no TOML: {fault}") from fault
    for kind, entries in document.items():
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise _UnreadableError(f"`{kind}` is not a list of entries, [[{kind}]]")
        for number, entry in enumerate(entries, start=1):
            yield f"{kind} {number}", {"kind": kind, **{name: _text(value) for name, value in entry.items()}}


def _rows(rows: list[tuple[str, list[str]]]) -> Iterator[tuple[str, Record]]:
    """Rows below a head as records; empty cells and rows are left out, and rows whose first cell begins with #."""
    told = [(where, [cell.strip() for cell in row]) for where, row in rows]
    told = [(where, row) for where, row in told if any(row) and not row[0].startswith("#")]
    if not told:
        return
    (_, head), *body = told
    for where, row in body:
        if any(row[len(head) :]):
            raise _UnreadableError(f"{where}: there are more cells than columns in the head")
        yield where, {name: cell for name, cell in zip(head, row, strict=False) if cell}


def _text(value: Any) -> str:
    """A value of TOML as a cell: lists are parts, lists of lists are rows."""
    if isinstance(value, list):
        nested = any(isinstance(part, list) for part in value)
        return ("; " if nested else "/").join(_text(part) for part in value)
    return str(value)


_FORMATS: Final[dict[str, Callable[[bytes], Iterator[tuple[str, Record]]]]] = {
    ".csv": _csv,
    ".xlsx": _workbook,
    ".toml": _toml,
}
