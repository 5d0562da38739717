"""Tables as hospitals keep them: CSV in any of the usual encodings, and workbooks."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from openpyxl import load_workbook

from pipelines.cohort.dictionary import Cell, Column
from pipelines.domain.reasons import Rejected


@dataclass(frozen=True, slots=True)
class RawTable:
    """Cells as they were found, none of them understood yet."""

    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]


def read_csv(data: bytes) -> RawTable | Rejected:
    """A CSV file; separated by commas, semicolons or tabs, in UTF-8 or the Chinese GB 18030."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            return _unreadable("is neither UTF-8 nor GB 18030 text")
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)]
    except csv.Error:
        return _unreadable("breaks off within quotation marks")
    return RawTable(rows[0], tuple(rows[1:])) if rows else _unreadable("is empty")


def read_workbook(data: bytes, sheet: str | None = None) -> RawTable | Rejected:
    """One sheet of an .xlsx workbook: the one of that name, else the first when none is named.

    Formulas count with the value that was saved with them.
    """
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        names = {name.strip().lower(): name for name in book.sheetnames}
        if sheet is not None and sheet not in names:
            return _unreadable(f"has no sheet `{sheet}`")
        chosen = book[names[sheet]] if sheet is not None else book.worksheets[0]
        rows = [tuple(row) for row in chosen.iter_rows(values_only=True)]
    except Exception:  # archives and documents within them break in many ways, all with one meaning
        return _unreadable("is no .xlsx workbook")
    return RawTable(rows[0], tuple(rows[1:])) if rows else _unreadable("is empty")


def sheets(data: bytes) -> tuple[str, ...]:
    """Names of the sheets in lower case; none when it is no workbook."""
    try:
        book = load_workbook(io.BytesIO(data), read_only=True)
    except Exception:  # as above
        return ()
    return tuple(name.strip().lower() for name in book.sheetnames)


def write_csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    """A table as CSV in UTF-8, with numbers as short as they read back the same; None becomes an empty cell."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_text(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8")


def dictionary_csv(columns: Sequence[Column]) -> bytes:
    """The data dictionary as a table for people."""
    return write_csv(
        ["column", "also", "meaning", "kind", "allowed", "required"],
        [[c.name, "; ".join(c.aliases), c.meaning, c.kind, c.allowed, "yes" if c.required else "no"] for c in columns],
    )


def _text(cell: object) -> str:
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, float):
        return f"{cell:.10g}"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return str(cell)


def _unreadable(why: str) -> Rejected:
    return Rejected("COH-003", f"The table {why}.", "Save it as CSV in UTF-8, or as a workbook (.xlsx).")
