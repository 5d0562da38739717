"""A table of results that is written as CSV for programs and set in a report for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from pipelines.cohort.table_file import write_csv
from pipelines.figures.report import Table
from pipelines.figures.values import p_bare


@dataclass(frozen=True, slots=True)
class Sheet:
    """A named table of values.

    Attributes
    ----------
    name
        Of its file, without ending.
    columns
        Head of each column with the format of its numbers in the report (`.2f`); `p` for a p value, empty for text.
    rows
        Numbers as they were computed; None for an empty cell.
    """

    name: str
    caption: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[object, ...], ...]
    notes: tuple[str, ...] = ()

    def csv(self) -> bytes:
        """All digits that matter, with heads for programs."""
        return write_csv([head.lower().replace(" ", "_") for head, _ in self.columns], self.rows)

    def table(self) -> Table:
        """As a report sets it."""
        formats = [form for _, form in self.columns]
        return Table(
            self.caption,
            tuple(head for head, _ in self.columns),
            tuple(tuple(_shown(cell, form) for cell, form in zip(row, formats, strict=True)) for row in self.rows),
            self.notes,
        )


def sheet(name: str, caption: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *notes: str) -> Sheet:
    """A sheet whose columns are given as `head` or `head|format`."""
    pairs = [head.partition("|") for head in columns]
    return Sheet(
        name, caption, tuple((head, form) for head, _, form in pairs), tuple(tuple(row) for row in rows), tuple(notes)
    )


def _shown(cell: object, form: str) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        if not isfinite(cell):
            return "not reached" if form.endswith("m") else "–"
        if form == "p":
            return p_bare(cell)
        return format(cell, form.removesuffix("m") or ".4g")
    return str(cell)
