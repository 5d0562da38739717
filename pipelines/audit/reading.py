"""Entries from cells of text, or everything that is wrong with the cells."""

from collections.abc import Callable, Mapping
from typing import Final

from pipelines.audit.entries import (
    Area,
    Counts,
    Diagnostic,
    Entry,
    Means,
    Percentage,
    Place,
    RatioEntry,
    Same,
    Total,
)
from pipelines.audit.printed import Printed, read_printed

Record = Mapping[str, str]
"""Cells by the name of their column; empty ones are left out."""

TESTS: Final = ("chi-square", "yates", "exact", "wald")
CLAIMS: Final = ("higher", "lower")
# stands in for a number that is missing until all problems of its entry are known
_NOTHING: Final = Printed("", 1.0, 1.0, 1.0)


class _Cells:
    """Takes cells by name and remembers what was wrong with them, so that all problems are told at once."""

    def __init__(self, record: Record) -> None:
        self.record = dict(record)
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        return self.record.pop(name, None)

    def needed(self, name: str) -> str:
        found = self.text(name)
        if found is None:
            self.problems.append(f"`{name}` is missing")
        return found or ""

    def optional(self, name: str, *, percent: bool = False) -> Printed | None:
        found = self.text(name)
        return None if found is None else self._number(name, found, percent=percent)

    def number(self, name: str, *, percent: bool = False) -> Printed:
        found = self.needed(name)
        return self._number(name, found, percent=percent) if found else _NOTHING

    def count(self, name: str) -> int:
        found = self.needed(name)
        return self._count(name, found) if found else 1

    def counts(self, name: str) -> tuple[int, ...] | None:
        found = self.text(name)
        return None if found is None else tuple(self._count(name, part) for part in _split(found, "/;+"))

    def grid(self, name: str) -> tuple[tuple[int, ...], ...] | None:
        found = self.text(name)
        if found is None:
            return None
        rows = tuple(tuple(self._count(name, cell) for cell in _split(row, "/")) for row in _split(found, ";"))
        if len({len(row) for row in rows}) != 1 or len(rows) < 2 or len(rows[0]) < 2:
            self.problems.append(f"`{name}` needs two levels and two groups at least, such as 39/36; 10/13")
        return rows

    def numbers(self, name: str, *, percent: bool = False) -> tuple[tuple[Printed, ...], ...] | None:
        found = self.text(name)
        if found is None:
            return None
        return tuple(
            tuple(self._number(name, cell, percent=percent) for cell in _split(row, "/")) for row in _split(found, ";")
        )

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        found = self.text(name)
        if found is not None and found not in allowed:
            self.problems.append(f"`{name}` is {found}; it can be {', '.join(allowed)}")
        return found

    def coverage(self) -> float:
        found = self.optional("level")
        if found is None:
            return 0.95
        if not 0 < found.value < 1:
            self.problems.append("`level` lies between 0 and 1")
            return 0.95
        return found.value

    def _number(self, name: str, text: str, *, percent: bool) -> Printed:
        found = read_printed(text, percent=percent)
        if found is None:
            self.problems.append(f"`{name}` is no number: {text}")
        return found or _NOTHING

    def _count(self, name: str, text: str) -> int:
        if not text.isdecimal():
            self.problems.append(f"`{name}` is no count: {text}")
            return 1
        return int(text)


def read_entry(record: Record) -> Entry | tuple[str, ...]:
    """One entry, or everything that is wrong with its cells."""
    cells = _Cells(record)
    kind = cells.needed("kind")
    place = Place(cells.text("table") or "", cells.needed("row"))
    reader = _READERS.get(kind)
    if reader is None:
        return (*cells.problems, f"`kind` is {kind or 'empty'}; it can be {', '.join(_READERS)}")
    entry = reader(place, cells)
    unknown = [f"`{name}` is not known in an entry of kind {kind}" for name in cells.record]
    return (*cells.problems, *unknown) if cells.problems or unknown else entry


def _percentage(place: Place, cells: _Cells) -> Entry:
    given = cells.counts("n")
    total = cells.count("total")
    if total == 0 or (given is not None and len(given) != 1):
        cells.problems.append("a percentage is of one count, and of a total above 0")
    return Percentage(place, cells.number("percent", percent=True), total, given[0] if given else None)


def _total(place: Place, cells: _Cells) -> Entry:
    parts = cells.counts("parts")
    if parts is None:
        cells.problems.append("`parts` is missing")
    return Total(place, parts or (), cells.count("total"))


def _same(place: Place, cells: _Cells) -> Entry:
    values = [value for row in cells.numbers("values") or () for value in row]
    if len(values) < 2:
        cells.problems.append("`values` needs two numbers at least, such as 10/9")
    return Same(place, tuple(values))


def _counts(place: Place, cells: _Cells) -> Entry:
    counts = cells.grid("counts")
    if counts is None:
        cells.problems.append("`counts` is missing")
    found = Counts(
        place=place,
        counts=counts or ((1, 1), (1, 1)),
        percents=cells.numbers("percents", percent=True),
        sizes=cells.counts("sizes"),
        totals=cells.counts("totals"),
        p=cells.optional("p"),
        test=cells.choice("test", TESTS),
        statistic=cells.optional("statistic"),
        smd=cells.optional("smd"),
    )
    levels, groups = len(found.counts), len(found.counts[0])
    if found.percents is not None and [len(row) for row in found.percents] != [groups] * levels:
        cells.problems.append("`percents` has another shape than `counts`")
    if found.sizes is not None and len(found.sizes) != groups:
        cells.problems.append("`sizes` has another number of groups than `counts`")
    if found.totals is not None and len(found.totals) != levels:
        cells.problems.append("`totals` has another number of levels than `counts`")
    if found.test in ("yates", "wald") and (levels, groups) != (2, 2):
        cells.problems.append(f"the test {found.test} is of two levels in two groups")
    if found.smd is not None and groups != 2:
        cells.problems.append("a standardised difference is of two groups")
    sums = [sum(row) for row in found.counts], [sum(column) for column in zip(*found.counts, strict=False)]
    if not cells.problems and not (sum(value > 0 for value in sums[0]) > 1 and all(sums[1])):
        cells.problems.append("every group needs cases, and two levels at least")
    return found


def _means(place: Place, cells: _Cells) -> Entry:
    n = cells.counts("n") or ()
    means, sds = ((cells.numbers(name) or ((),))[0] for name in ("means", "sds"))
    if not len(n) == len(means) == len(sds) == 2 or min(n) < 2 or min(sd.value for sd in sds) <= 0:
        cells.problems.append("`n`, `means` and `sds` need two groups, such as 49/49")
        return Means(place, (2, 2), (_NOTHING, _NOTHING), (_NOTHING, _NOTHING), _NOTHING)
    return Means(place, (n[0], n[1]), (means[0], means[1]), (sds[0], sds[1]), cells.number("p"))


def _ratio(place: Place, cells: _Cells) -> Entry:
    limits = {name: cells.number(name) for name in ("estimate", "lower", "upper")}
    if any(printed.value <= 0 for printed in limits.values()):
        cells.problems.append("a ratio and its limits are above 0")
    counts = cells.grid("counts")
    if counts is not None and (len(counts), len(counts[0])) != (2, 2):
        cells.problems.append("`counts` of a ratio is of two rows and two columns")
    return RatioEntry(
        place=place,
        **limits,
        p=cells.optional("p"),
        level=cells.coverage(),
        counts=counts,
        claim=cells.choice("claim", CLAIMS),
    )


def _diagnostic(place: Place, cells: _Cells) -> Entry:
    found = Diagnostic(
        place=place,
        positive_class=cells.needed("positive_class"),
        positives=cells.count("positives"),
        negatives=cells.count("negatives"),
        sensitivity=cells.number("sensitivity", percent=True),
        specificity=cells.number("specificity", percent=True),
    )
    if 0 in (found.positives, found.negatives):
        cells.problems.append("both classes need cases")
    return found


def _area(place: Place, cells: _Cells) -> Entry:
    return Area(
        place,
        cells.number("auc"),
        cells.number("lower"),
        cells.number("upper"),
        cells.count("n"),
        cells.coverage(),
    )


def _split(text: str, separators: str) -> list[str]:
    for separator in separators[1:]:
        text = text.replace(separator, separators[0])
    return [part.strip() for part in text.split(separators[0]) if part.strip()]


_READERS: Final[dict[str, Callable[[Place, _Cells], Entry]]] = {
    "percentage": _percentage,
    "total": _total,
    "same": _same,
    "counts": _counts,
    "means": _means,
    "ratio": _ratio,
    "diagnostic": _diagnostic,
    "auc": _area,
}
KINDS: Final = tuple(_READERS)
