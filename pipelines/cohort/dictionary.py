"""What a table of patients may hold: its columns, and the check of every cell against them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from pipelines.domain.reasons import Rejected

Kind = Literal["text", "number", "whole", "date", "category", "categories"]
"""`categories` holds any number of levels, separated by semicolons."""
Cell = str | int | float | datetime | date | bool | None
"""A cell as a CSV file (text only) or a workbook gives it."""
Value = str | int | float | date | tuple[str, ...] | None
"""A cell that was understood; None for a missing one."""

MISSING: Final = frozenset({"", "na", "n/a", "nan", "null", "none", ".", "-", "?", "unknown", "未知", "不详", "缺失"})
"""What counts as missing in any column, in lower case."""
_DATE: Final = re.compile(
    r"(\d{4})(?:[-/.](\d{1,2})[-/.](\d{1,2})|(\d{2})(\d{2}))(?:[ T]00:00(?::00)?)?|(\d{4})年(\d{1,2})月(\d{1,2})日"
)
_WIDE: Final = str.maketrans("；，、＜＞～～－％＋０１２３４５６７８９", ";,,<>~~-%+0123456789")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name
        As it heads the column; capitals, blanks, hyphens and underscores make no difference there.
    meaning
        One sentence for the data dictionary, with the unit of a number.
    levels
        Of a category: each level with the other ways of writing it.
    least, most
        Bounds of a number, inclusive.
    required
        Whether the column must be there and every cell filled.
    aliases
        Other heads of the same column, in Chinese for example.
    """

    name: str
    meaning: str
    kind: Kind
    levels: Mapping[str, tuple[str, ...]] | None = None
    least: float | None = None
    most: float | None = None
    required: bool = False
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.levels is not None) != (self.kind in ("category", "categories")):
            raise ValueError(f"column {self.name}: a category, and nothing else, has levels")

    @property
    def allowed(self) -> str:
        """What a cell may hold, for a person."""
        match self.kind:
            case "category":
                text = "one of " + ", ".join(self.levels or ())
            case "categories":
                text = "any of " + ", ".join(self.levels or ()) + ", separated by semicolons, or `no` for none of them"
            case "date":
                text = "a day such as 2021-03-09"
            case "number" | "whole":
                text = "a number" if self.kind == "number" else "a whole number"
                if self.least is not None and self.most is not None:
                    text += f" from {self.least:g} to {self.most:g}"
                elif self.least is not None:
                    text += f" from {self.least:g} up"
            case _:
                text = "any text"
        return text if self.required else f"{text}, or nothing"


@dataclass(frozen=True, slots=True)
class Dictionary:
    """The columns of a table, which is all that is known of it beforehand.

    Attributes
    ----------
    key
        Columns that together name a row; no two rows may agree in them.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A row that was understood.

    Attributes
    ----------
    row
        As a spreadsheet counts: the header is row 1.
    """

    row: int
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Checked:
    """A table after the check.

    Attributes
    ----------
    records
        Rows in which every cell was understood.
    problems
        Everything that was not, one entry a cell; a table with problems is not to be analysed.
    unused
        Columns that the dictionary does not know, by their heads.
    """

    records: tuple[Record, ...]
    problems: tuple[Rejected, ...]
    unused: tuple[str, ...]


def check_table(dictionary: Dictionary, header: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> Checked:
    """Hold every cell against the dictionary, and say of each that fails where it is and what may stand there.

    Parameters
    ----------
    header, rows
        As read from the file; empty rows are passed over. The content of a cell is never repeated in a problem, for it
        may be a patient's name in the wrong column.
    """
    heads = [_plain(head) for head in header]
    places, problems = _places(dictionary, heads)
    known = {_plain(name) for column in dictionary.columns for name in (column.name, *column.aliases)}
    unused = tuple(str(name) for name, head in zip(header, heads, strict=True) if head and head not in known)
    if problems:
        return Checked((), tuple(problems), unused)
    records, seen = [], dict[tuple[Value, ...], int]()
    for number, cells in enumerate(rows, start=2):
        if all(cell is None or str(cell).strip() == "" for cell in cells):
            continue
        values: dict[str, Value] = {}
        faults = []
        for column in dictionary.columns:
            place = places.get(column.name)
            value = parse_cell(column, cells[place] if place is not None and place < len(cells) else None)
            if isinstance(value, Fault):
                faults.append(_problem(number, column, value))
            else:
                values[column.name] = value
        key = tuple(values.get(name) for name in dictionary.key)
        if not faults and key in seen:
            faults.append(
                Rejected(
                    "COH-001",
                    f"Row {number} repeats row {seen[key]}: both have the same {' and '.join(dictionary.key)}.",
                    "Keep one of them.",
                )
            )
        problems += faults
        if not faults:
            seen[key] = number
            records.append(Record(number, values))
    return Checked(tuple(records), tuple(problems), unused)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a cell was not understood, in a few words."""

    why: str


def parse_cell(column: Column, cell: Cell) -> Value | Fault:
    """The value of one cell, or what is wrong with it.

    Examples
    --------
    >>> parse_cell(Column("age", "Age in years", "number", least=0, most=120), "６４")
    64.0
    >>> parse_cell(Column("day", "A day", "date"), "2021/3/9")
    datetime.date(2021, 3, 9)
    >>> parse_cell(Column("sex", "Sex", "category", {"male": ("m", "男"), "female": ("f", "女")}), "男")
    'male'
    """
    # a free text is taken as it is: `NA` may be an identifier
    text = "" if cell is None else str(cell).strip()
    if isinstance(cell, float) and cell.is_integer():
        # workbooks keep every number as a fraction
        text = str(int(cell))
    if text == "" or (column.kind != "text" and text.lower() in MISSING and not _names_level(column, text)):
        return Fault("is empty") if column.required else None
    match column.kind:
        case "text":
            return text
        case "number" | "whole":
            return _number(column, text)
        case "date":
            return _date(cell, text)
        case "category":
            return _level(column, text) or Fault("is not a known level")
        case "categories":
            return _levels(column, text)


def _number(column: Column, text: str) -> float | int | Fault:
    try:
        number = float(text.translate(_WIDE))
    except ValueError:
        return Fault("is no number")
    if number != number or abs(number) == float("inf"):
        return Fault("is no number")
    if (column.least is not None and number < column.least) or (column.most is not None and number > column.most):
        return Fault("is out of range")
    if column.kind == "number":
        return number
    return int(number) if number.is_integer() else Fault("is no whole number")


def _date(cell: Cell, text: str) -> date | Fault:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    found = _DATE.fullmatch(text.translate(_WIDE))
    if found is None:
        return Fault("is no complete date")
    parts = [int(part) for part in found.groups() if part is not None]
    try:
        return date(*parts)
    except ValueError:
        return Fault("is a day that does not exist")


def _levels(column: Column, text: str) -> tuple[str, ...] | Fault:
    if _plain(text) in ("no", "0", "无"):
        return ()
    levels = [_level(column, part) for part in re.split(r"[;,|]", text.translate(_WIDE)) if part.strip()]
    if any(level is None for level in levels):
        return Fault("names a level that is not known")
    return tuple(name for name in column.levels or () if name in levels)


def _names_level(column: Column, text: str) -> bool:
    return column.levels is not None and _level(column, text) is not None


def _level(column: Column, text: str) -> str | None:
    wanted = _plain(text)
    for level, others in (column.levels or {}).items():
        if wanted in (_plain(level), *map(_plain, others)):
            return level
    return None


def _plain(text: Cell) -> str:
    if isinstance(text, bool):
        return "yes" if text else "no"
    if isinstance(text, float) and text.is_integer():
        text = int(text)
    return re.sub(r"[\s_\-]+", "", "" if text is None else str(text).translate(_WIDE)).lower()


def _places(dictionary: Dictionary, heads: Sequence[str]) -> tuple[dict[str, int], list[Rejected]]:
    places, problems = dict[str, int](), []
    for column in dictionary.columns:
        names = {_plain(name) for name in (column.name, *column.aliases)}
        found = [place for place, head in enumerate(heads) if head in names]
        if len(found) > 1:
            where = " and ".join(str(place + 1) for place in found)
            problems.append(
                Rejected("COH-002", f"Columns {where} are both `{column.name}`.", "Leave one of them, or rename it.")
            )
        elif found:
            places[column.name] = found[0]
        elif column.required:
            also = f" (or {', '.join(column.aliases)})" if column.aliases else ""
            problems.append(
                Rejected(
                    "COH-002",
                    f"There is no column `{column.name}`: {column.meaning}",
                    f"Add a column headed {column.name}{also} with {column.allowed}.",
                )
            )
    return places, problems


def _problem(row: int, column: Column, fault: Fault) -> Rejected:
    return Rejected(
        "COH-001", f"Row {row}, column `{column.name}`, {fault.why}.", f"Write {column.allowed}. {column.meaning}"
    )
