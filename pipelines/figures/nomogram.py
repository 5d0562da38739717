"""Nomograms as R's rms draws them: points, one axis per variable, total points, and what they mean."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from pipelines.figures import text
from pipelines.figures.canvas import (
    INK,
    PAGE_MM,
    PLAIN,
    Drawing,
    Style,
    drawing,
    sheet,
)
from pipelines.figures.values import numbers
from pipelines.figures.words import say

_PITCH, _TICK = 8.5, 1.2


@dataclass(frozen=True, slots=True)
class NomogramAxis:
    """One scale: marks with a text each.

    Attributes
    ----------
    label
        Name of the variable, or of the outcome ("Probability of response", "12-month survival"), with its unit.
    at
        Where the marks stand, in points (of a variable) or in total points (of an outcome).
    marks
        What is written at each of them: values, levels, probabilities.
    """

    label: str
    at: tuple[float, ...]
    marks: tuple[str, ...]

    def __post_init__(self) -> None:
        numbers(self.at, self.label, length=len(self.marks))


def nomogram(
    variables: Sequence[NomogramAxis],
    outcomes: Sequence[NomogramAxis],
    *,
    most_points: float = 100.0,
    total: tuple[float, float] | None = None,
    style: Style = PLAIN,
) -> Drawing:
    """Draw a nomogram for a logistic or a Cox model.

    Parameters
    ----------
    variables
        One axis per variable, marks in points.
    outcomes
        One axis per outcome below the total points: a probability, or survival at several times.
    most_points
        Upper end of the axis of points.
    total
        Range of the total points; from 0 to the most that the variables reach together when not given. Marks of
        outcomes outside it are left out.

    Raises
    ------
    ValueError
        Without variables or outcomes, or when an outcome has no mark in the range of the total points.
    """
    if not variables or not outcomes:
        raise ValueError("a nomogram has at least one variable and one outcome")
    low, high = total or (0.0, sum(max(axis.at) for axis in variables))
    if high <= low:
        raise ValueError("the total points have no range")
    if total is None:
        high = math.ceil(high / _step(low, high) - 1e-9) * _step(low, high)
    for axis in outcomes:
        if not any(low <= at <= high for at in axis.at):
            raise ValueError(f"{axis.label}: no mark lies within the total points {low:g} to {high:g}")
    points = _counted(say("Points", style.language), 0.0, most_points)
    totals = _counted(say("Total points", style.language), low, high)
    rows = [(points, 0.0, most_points), *((axis, 0.0, most_points) for axis in variables)]
    rows += [(totals, low, high), *((axis, low, high) for axis in outcomes)]

    def paint(figure: FigureBase) -> None:
        axes = sheet(figure)
        width = axes.get_xlim()[1]
        widest = max(text.width_mm(axis.label, style.font_pt) for axis, _, _ in rows)
        names = min(widest, 0.34 * width) + 5
        for number, (axis, start, end) in enumerate(rows):
            y = 5.0 + _PITCH * number + (3.0 if number > len(variables) else 0.0)
            _scale(axes, axis, start, end, (names, width - 5), y, style)
            lines = text.wrapped(axis.label, names - 5, style.font_pt)
            axes.text(2, y, "\n".join(lines), size=style.font_pt, va="center", linespacing=1.1)

    return drawing(
        paint,
        style,
        width_mm=PAGE_MM,
        height_mm=5.0 + _PITCH * len(rows) + 3.0,
        description=f"Nomogram from {', '.join(axis.label for axis in variables)} to "
        f"{', '.join(axis.label for axis in outcomes)}.",
    )


def _step(low: float, high: float) -> float:
    steps = (digit * 10.0**power for power in range(-3, 9) for digit in (1, 2, 5))
    return next(step for step in steps if high - low <= 10 * step)


def _counted(label: str, low: float, high: float) -> NomogramAxis:
    step = _step(low, high)
    marks = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
    return NomogramAxis(label, tuple(float(mark) for mark in marks), tuple(f"{mark:g}" for mark in marks + 0.0))


def _scale(
    axes: Axes, axis: NomogramAxis, low: float, high: float, span: tuple[float, float], y: float, style: Style
) -> None:
    def place(at: float) -> float:
        return span[0] + (at - low) / (high - low) * (span[1] - span[0])

    counted = axis.label in (say("Points", style.language), say("Total points", style.language))
    marks = sorted((place(at), mark) for at, mark in zip(axis.at, axis.marks, strict=True) if low <= at <= high)
    ends = (place(low), place(high)) if counted else (marks[0][0], marks[-1][0])
    axes.plot(ends, (y, y), color=INK, lw=0.7)
    reach = [-np.inf, -np.inf]
    for x, mark in marks:
        half = text.width_mm(mark, style.small_pt) / 2 + 0.5
        # below the axis, else above it, else a bare tick: marks that crowd must not overprint
        side = next((side for side in (0, 1) if x - half > reach[side]), None)
        sign = -1.0 if side == 1 else 1.0
        axes.plot((x, x), (y, y + sign * _TICK), color=INK, lw=0.6)
        if side is not None:
            reach[side] = x + half
            axes.text(
                x, y + sign * (_TICK + 0.4), mark, size=style.small_pt, ha="center", va="top" if sign > 0 else "bottom"
            )
    if counted:
        small = (marks[1][0] - marks[0][0]) / 5 if len(marks) > 1 else 0.0
        for step in range(1, 5 * (len(marks) - 1)):
            axes.plot([marks[0][0] + step * small] * 2, (y, y + _TICK / 2), color=INK, lw=0.4)
