"""Checks of counts and what is printed about them: percentages, sums, sensitivity and specificity."""

from collections.abc import Iterator, Sequence
from math import ceil, floor

from pipelines.audit.entries import Diagnostic, Percentage, Place, Same, Total
from pipelines.audit.findings import Finding
from pipelines.audit.printed import Printed


def check_percentage(entry: Percentage) -> Iterator[Finding]:
    """GRIM (Brown & Heathers 2017): whether some count, or the one that is printed, rounds to the percentage."""
    if entry.n is None:
        if not attainable(entry.percent, entry.total, 100):
            yield _finding(
                "AUD-001",
                entry.place,
                f"{entry.percent.text} % of {entry.total}",
                nearest(entry.percent, entry.total, 100),
            )
    else:
        yield from check_cell(entry.place, entry.n, entry.total, entry.percent)


def check_cell(place: Place, n: int, total: int, percent: Printed) -> Iterator[Finding]:
    """Whether a count of a total is the percentage beside it."""
    if not percent.allows(100 * n / total):
        yield _finding("AUD-002", place, f"{n} of {total} as {percent.text} %", f"{100 * n / total:.2f} %")


def check_total(entry: Total) -> Iterator[Finding]:
    """Whether parts add up."""
    if sum(entry.parts) != entry.total:
        parts = " + ".join(map(str, entry.parts))
        # which single part would make the sum right
        others = [entry.total - (sum(entry.parts) - part) for part in entry.parts]
        fitting = [f"{other} for {part}" for part, other in zip(entry.parts, others, strict=True) if other >= 0]
        yield _finding(
            "AUD-003",
            entry.place,
            f"{parts} = {entry.total}",
            f"{parts} = {sum(entry.parts)}" + (f"; {' or '.join(fitting)} would fit" if fitting else ""),
        )


def check_same(entry: Same) -> Iterator[Finding]:
    """Whether the values of one quantity can be one and the same before rounding."""
    # a whole number is a count and not rounded
    counted = all(value.text.isdecimal() for value in entry.values)
    apart = (
        len({value.value for value in entry.values}) > 1
        if counted
        else (max(value.low for value in entry.values) > min(value.high for value in entry.values))
    )
    if apart:
        yield _finding(
            "AUD-004", entry.place, " and ".join(value.text for value in entry.values), "one value for one quantity"
        )


def check_diagnostic(entry: Diagnostic) -> Iterator[Finding]:
    """Whether sensitivity and specificity are shares of their classes, or of the other ones."""
    wanted = {
        "sensitivity": (entry.sensitivity, entry.positives, entry.negatives),
        "specificity": (entry.specificity, entry.negatives, entry.positives),
    }
    impossible = [name for name, (value, n, _) in wanted.items() if not attainable(value, n, scale_of(value))]
    if not impossible:
        return
    if all(attainable(value, other, scale_of(value)) for value, _, other in wanted.values()):
        told = ", ".join(f"{name} {value.text} = {hits(value, other)}" for name, (value, _, other) in wanted.items())
        hint = f"the positive class is the other one: {told}"
    else:
        hint = "; ".join(
            nearest(value, n, scale_of(value)) for name, (value, n, _) in wanted.items() if name in impossible
        )
    yield _finding(
        "AUD-016",
        entry.place,
        "; ".join(f"{name} {wanted[name][0].text} of {wanted[name][1]}" for name in impossible)
        + f" (positive class {entry.positive_class})",
        hint,
    )


def scale_of(value: Printed) -> int:
    """100 for a percentage, 1 for a share."""
    return 100 if value.value > 1 or value.text.endswith("%") else 1


def attainable(value: Printed, total: int, scale: int) -> bool:
    """Whether some count of `total` rounds to the share."""
    return any(value.allows(scale * n / total) for n in _around(value, total, scale))


def hits(value: Printed, total: int) -> str:
    """The counts that round to the share, such as 18/25."""
    scale = scale_of(value)
    return " or ".join(f"{n}/{total}" for n in _around(value, total, scale) if value.allows(scale * n / total))


def nearest(value: Printed, total: int, scale: int) -> str:
    """The shares on both sides of the printed one."""
    digits = len(value.text.rstrip(" %").partition(".")[2])
    told = [f"{n}/{total} = {scale * n / total:.{digits}f}" for n in _around(value, total, scale)]
    return " or ".join(told)


def _around(value: Printed, total: int, scale: int) -> Sequence[int]:
    exact = value.value / scale * total
    return [n for n in sorted({floor(exact), ceil(exact)}) if 0 <= n <= total]


def _finding(code: str, place: Place, printed: str, possible: str) -> Finding:
    return Finding(code, place.table, place.row, printed, possible)
