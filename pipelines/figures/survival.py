"""Kaplan-Meier curves with confidence bands, censoring marks, medians, and the number at risk below."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from pipelines.figures.canvas import (
    COLUMN_MM,
    DASHES,
    GREY,
    INK,
    PLAIN,
    Drawing,
    Style,
    colours,
    drawing,
    frameless,
)
from pipelines.figures.values import Array, ci_text, filled, gaps, numbers, p_text
from pipelines.figures.words import say

_STEPS: Final = (0.25, 0.5, 1, 2, 3, 6, 12, 24, 36)


@dataclass(frozen=True, slots=True, eq=False)
class SurvivalCurve:
    """One group.

    Attributes
    ----------
    label
        The group.
    times, survival
        The estimate as a step function: from `times[i]` on, `survival[i]` (0 to 1, not rising). It starts at 1 at time
        0 whether or not that is given.
    durations
        Follow-up of every patient, from which the number at risk is counted (those with at least that time).
    censored
        Which of the patients are censored, as long as `durations`; their marks are drawn on the curve.
    lower, upper
        Confidence limits as step functions; NaN where they are not known.
    median, median_ci
        Median with its limits: NaN or infinity for "not reached".
    """

    label: str
    times: ArrayLike
    survival: ArrayLike
    durations: ArrayLike
    censored: ArrayLike
    lower: ArrayLike | None = None
    upper: ArrayLike | None = None
    median: float | None = None
    median_ci: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        t = numbers(self.times, f"{self.label}: times")
        s = numbers(self.survival, f"{self.label}: survival", length=t.size)
        if t[0] < 0 or (np.diff(t) < 0).any():
            raise ValueError(f"{self.label}: times must rise from 0")
        if s.min() < -1e-12 or s.max() > 1 + 1e-12 or (np.diff(s) > 1e-12).any():
            raise ValueError(f"{self.label}: survival must fall between 1 and 0")
        followed = numbers(self.durations, f"{self.label}: durations")
        numbers(np.asarray(self.censored, dtype=np.float64), f"{self.label}: censored", length=followed.size)
        if (self.lower is None) != (self.upper is None):
            raise ValueError(f"{self.label}: one confidence limit is missing")
        for limit in (self.lower, self.upper):
            if limit is not None:
                gaps(limit, f"{self.label}: limits", length=t.size)


def kaplan_meier(
    curves: Sequence[SurvivalCurve],
    *,
    xlabel: str = "Time (months)",
    ylabel: str = "Survival probability",
    p: float | None = None,
    test: str = "Log-rank",
    notes: Sequence[str] = (),
    until: float | None = None,
    ticks: Sequence[float] | None = None,
    landmark: float | None = None,
    style: Style = PLAIN,
) -> Drawing:
    """Draw survival curves.

    Parameters
    ----------
    curves
        One per group, at least one.
    xlabel, ylabel
        Name and unit of time, and the end point.
    p, test
        p value of the comparison and the name of its test.
    notes
        Further lines, for example "HR 0.64 (0.55–0.76)".
    until
        End of the axis of time; the longest follow-up when not given.
    ticks
        Where to count those at risk; round numbers when not given.
    landmark
        A time to mark by a dotted line.

    Raises
    ------
    ValueError
        Without curves, or if `until` is not positive.
    """
    filled(curves, "survival")
    end = until or max(float(numbers(curve.durations, "durations").max()) for curve in curves)
    if end <= 0:
        raise ValueError("the axis of time must end after 0")
    at = [float(tick) for tick in (_round(end) if ticks is None else ticks) if 0 <= tick <= end]
    # a legend beside high curves would cover them
    high = len(curves) > 3 or any(_reach(curve, 0.4 * end) > 0.6 for curve in curves)

    def paint(figure: FigureBase) -> None:
        table = 3.0 + 3.0 * len(curves)
        grid = figure.add_gridspec(2, 1, height_ratios=[52.0, table])
        axes, below = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
        tint = colours(len(curves))
        for number, curve in enumerate(curves):
            _curve(axes, curve, tint[number], DASHES[number % len(DASHES)], style)
        if any(curve.median is not None and np.isfinite(curve.median) for curve in curves):
            _medians(axes, curves, tint)
        if landmark is not None:
            axes.axvline(landmark, color=GREY, lw=0.8, ls=(0, (1, 1.5)))
        lines = [*notes, *([f"{test} {p_text(p)}".strip()] if p_text(p) else [])]
        axes.set(xlim=(0, end * 1.02), ylim=(0, 1.03), ylabel=ylabel, xlabel=xlabel)
        axes.set_xticks(at, [f"{tick:g}" for tick in at])
        title = "\n".join(lines) or None
        if high:
            columns = 1 if len(curves) == 1 else 2
            figure.legend(loc="outside upper center", ncols=columns, title=title, alignment="left", labelspacing=0.3)
        else:
            axes.legend(loc="upper right", title=title, alignment="left", labelspacing=0.3)
        frameless(axes)
        below.set(xlim=axes.get_xlim(), ylim=(len(curves) - 0.5, -1.2), xticks=[])
        below.set_yticks(range(len(curves)), [curve.label for curve in curves])
        for label, colour in zip(below.get_yticklabels(), tint, strict=True):
            label.set_color(colour)
        # beside the first numbers, which stand centred on time 0
        below.tick_params(length=0, pad=8)
        below.text(0, -1.0, say("Number at risk", style.language), size=style.small_pt, va="center", ha="left")
        for row, curve in enumerate(curves):
            followed = numbers(curve.durations, "durations")
            for tick in at:
                below.text(tick, row, str(int((followed >= tick).sum())), size=style.small_pt, ha="center", va="center")
        frameless(below, "top", "right", "bottom", "left")

    told = "; ".join(f"{curve.label} n={numbers(curve.durations, 'n').size}" for curve in curves)
    return drawing(
        paint,
        style,
        width_mm=COLUMN_MM,
        height_mm=68 + 3.2 * len(curves) + (3.0 * (len(curves) + 1) + 3.0 * len(notes) if high else 0.0),
        description=f"Kaplan-Meier curves, {ylabel}: {told}." + (f" {test} {p_text(p)}." if p_text(p) else ""),
    )


def _curve(axes: Axes, curve: SurvivalCurve, colour: str, dash: Any, style: Style) -> None:
    t, s = numbers(curve.times, "times"), numbers(curve.survival, "survival")
    followed = numbers(curve.durations, "durations")
    last = max(float(followed.max()), float(t[-1]))
    x, y = np.r_[0.0, t, last], np.r_[1.0, s, s[-1]]
    median = ""
    if curve.median is not None:
        median = f"\n{say('Median', style.language)} {_median(curve, style)}"
    axes.step(x, y, where="post", color=colour, ls=dash, label=f"{curve.label} (n = {followed.size}){median}")
    if curve.lower is not None and curve.upper is not None:
        low, high = gaps(curve.lower, "lower"), gaps(curve.upper, "upper")
        axes.fill_between(
            x, np.r_[1.0, low, low[-1]], np.r_[1.0, high, high[-1]], step="post", color=colour, alpha=0.13, lw=0
        )
    marks = np.unique(followed[np.asarray(curve.censored, dtype=bool)])
    axes.plot(marks, _at(x, y, marks), "|", ms=3.2, mew=0.6, color=colour)


def _reach(curve: SurvivalCurve, time: float) -> float:
    t, s = numbers(curve.times, "times"), numbers(curve.survival, "survival")
    return float(_at(np.r_[0.0, t], np.r_[1.0, s], np.array([time]))[0])


def _round(end: float) -> list[float]:
    """Ticks a patient's months or years are told in, else round numbers."""
    step = next((step for step in _STEPS if end / step <= 7), 0.0)
    if not step:
        return [float(tick) for tick in MaxNLocator(6).tick_values(0, end)]
    return [step * n for n in range(int(end / step + 1e-9) + 1)]


def _at(x: Array, y: Array, times: Array) -> Array:
    return np.asarray(y[np.searchsorted(x, times, side="right") - 1], dtype=np.float64)


def _median(curve: SurvivalCurve, style: Style) -> str:
    none = say("not reached", style.language)
    if curve.median is None or not np.isfinite(curve.median):
        return none
    if curve.median_ci is None:
        return f"{curve.median:.1f}"
    low, high = curve.median_ci
    if np.isfinite(low) and np.isfinite(high):
        return ci_text(curve.median, low, high, 1)
    ends = [f"{value:.1f}" if np.isfinite(value) else "NR" for value in (low, high)]
    return f"{curve.median:.1f} ({ends[0]}–{ends[1]})"


def _medians(axes: Axes, curves: Sequence[SurvivalCurve], tint: Sequence[str]) -> None:
    reached = [(curve.median, colour) for curve, colour in zip(curves, tint, strict=True) if curve.median is not None]
    known = [(median, colour) for median, colour in reached if np.isfinite(median)]
    axes.plot([0, max(median for median, _ in known)], [0.5, 0.5], color=INK, lw=0.5, ls=(0, (3, 2)), zorder=0)
    for median, colour in known:
        axes.plot([median, median], [0, 0.5], color=colour, lw=0.6, ls=(0, (3, 2)), zorder=0)
