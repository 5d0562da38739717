"""The curves of the page: the sum of diameters and each lesion over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from pipelines.domain.recist import LesionRole, Tenths
from pipelines.outputs.page import panels
from pipelines.outputs.page.panels import ALERT, MUTED, RULE, WHITE
from pipelines.outputs.page.sheet import BLACK, Colour, Sheet
from pipelines.outputs.response_report import ResponseFindings, counted, lesion_lines

# the colours of Okabe and Ito, which people with any kind of colour vision tell apart
_COLOURS: Final[tuple[Colour, ...]] = (
    (0.00, 0.45, 0.70),
    (0.84, 0.37, 0.00),
    (0.00, 0.62, 0.45),
    (0.80, 0.47, 0.65),
    (0.34, 0.71, 0.91),
    (0.90, 0.62, 0.00),
    (0.37, 0.41, 0.47),
)
_MOST_CURVES: Final = len(_COLOURS)
_LEFT: Final = 24.0
_STEPS: Final = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart: (day, tenths of a millimetre) of each visit at which there is a size."""

    name: str
    points: tuple[tuple[int, Tenths], ...]
    colour: Colour
    dashed: bool = False


def days_of(findings: ResponseFindings) -> dict[str, int]:
    """Days from the baseline by label of the visit."""
    points = findings.followed.time_points
    first = next(point for point in points if point.label == findings.assessment.baseline.label)
    start = first.progressed_on.earliest
    return {point.label: (point.progressed_on.earliest - start).days for point in points}


def sum_curve(findings: ResponseFindings) -> Curve:
    """The sum of diameters from the baseline on; visits at which a target lesion is missing have none."""
    told, days = findings.assessment, days_of(findings)
    sums = [(told.baseline.label, told.baseline.sum.total), *((said.label, said.sum.total) for said in told.visits)]
    return Curve("", tuple((days[label], total) for label, total in sums if total is not None), BLACK)


def lesion_curves(findings: ResponseFindings) -> tuple[Curve, ...]:
    """Target lesions and new ones; as many as have a colour of their own."""
    days = days_of(findings)
    lines = [line for line in lesion_lines(findings) if line.role in (LesionRole.TARGET, LesionRole.NEW)]
    curves = []
    for line, colour in zip(lines, _COLOURS, strict=False):
        points = [
            (days[point.label], size)
            for point in findings.followed.time_points
            if days[point.label] >= 0
            and (seen := point.of(line.lesion)) is not None
            and (size := counted(seen)) is not None
        ]
        name = findings.names.get(line.lesion, "")
        curves.append(Curve(name, tuple(points), colour, dashed=line.role is LesionRole.NEW))
    return tuple(curves)


def chart(
    sheet: Sheet,
    x: float,
    y: float,
    width: float,
    height: float,
    curves: Sequence[Curve],
    *,
    title: str,
    thresholds: Sequence[tuple[float, str]] = (),
    named: bool,
) -> float:
    """A chart from its top left corner; y of its end.

    Parameters
    ----------
    thresholds
        (tenths of a millimetre, what it is) of dashed lines across.
    named
        True to write the name of each curve at its end.
    """
    top = panels.heading(sheet, x, y, width, title) + 6
    left, right = x + _LEFT, x + width - (64.0 if named else 40.0)
    low = top + height
    sizes = [size for curve in curves for _, size in curve.points] + [round(value) for value, _ in thresholds]
    last = max((day for curve in curves for day, _ in curve.points), default=0) or 1
    highest = max(sizes, default=0) / 10 or 1.0
    step = next((one for one in _STEPS if highest / one <= 5), _STEPS[-1])
    full = step * (int(highest / step) + 1)

    def place(day: float, tenths: float) -> tuple[float, float]:
        return left + (right - left) * day / last, low - height * tenths / 10 / full

    for mark in range(0, full + 1, step):
        _, at = place(0, 10 * mark)
        sheet.line((left, at), (right, at), colour=RULE, thickness=0.4)
        sheet.text(left - 4, at + 2.2, f"{mark}", 6, colour=MUTED, align="right")
    free = -1.0
    for day in sorted({day for curve in curves for day, _ in curve.points}):
        at, _ = place(day, 0)
        sheet.line((at, low), (at, low + 2.5), thickness=0.5)
        half = sheet.width(f"{day}", 6) / 2
        if at - half >= free:
            sheet.text(at, low + 9, f"{day}", 6, colour=MUTED, align="centre")
            free = at + half + 3
    labels: list[float] = []
    for value, what in thresholds:
        _, at = place(0, value)
        sheet.line((left, at), (right, at), colour=ALERT, thickness=0.6, dashed=True)
        labels = [*labels, _free_height(at + 2, labels)]
        sheet.text(right + 13, labels[-1], what, 5.8, colour=ALERT, width=30)
    ends: list[float] = []
    for curve in curves:
        ends = _curve(sheet, curve, [place(day, size) for day, size in curve.points], ends, right, named=named)
    return low + 14


def _curve(
    sheet: Sheet, curve: Curve, places: Sequence[tuple[float, float]], ends: list[float], right: float, *, named: bool
) -> list[float]:
    """Draw a curve with its smallest value in a ring; the heights at which names stand by now."""
    if not places:
        return ends
    sheet.lines(list(pairwise(places)), colour=curve.colour, thickness=1.3, dashed=curve.dashed)
    for (px, py), (_, size) in zip(places, curve.points, strict=True):
        sheet.box(px - 1.6, py - 1.6, 3.2, 3.2, colour=curve.colour)
        if not named:
            told = f"{size / 10:.1f}"
            half = sheet.width(told, 6) / 2
            sheet.box(px - half - 0.5, py - 11.5, 2 * half + 1, 6.5, colour=WHITE)
            sheet.text(px, py - 6, told, 6, align="centre")
    least = min(range(len(places)), key=lambda at: (curve.points[at][1], -curve.points[at][0]))
    _ring(sheet, *places[least], curve.colour)
    if not named:
        return ends
    at = _free_height(places[-1][1] + 2, ends)
    sheet.text(right + 5, at, curve.name, 6, colour=curve.colour, width=58)
    return [*ends, at]


def _free_height(wanted: float, taken: Sequence[float]) -> float:
    """The first height from `wanted` on at which a line of small text touches no other one."""
    while any(abs(wanted - other) < 6.6 for other in taken):
        wanted += 0.5
    return wanted


def _ring(sheet: Sheet, x: float, y: float, colour: Colour) -> None:
    corners = [(3.6, 0.0), (2.5, 2.5), (0.0, 3.6), (-2.5, 2.5), (-3.6, 0.0), (-2.5, -2.5), (0.0, -3.6), (2.5, -2.5)]
    ends = [
        ((x + a, y + b), (x + c, y + d)) for (a, b), (c, d) in zip(corners, [*corners[1:], corners[0]], strict=True)
    ]
    sheet.lines(ends, colour=colour, thickness=0.8)
