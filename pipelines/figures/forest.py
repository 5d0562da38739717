"""Forest plots: odds or hazard ratios with their intervals as marks and as text, several models side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Polygon
from matplotlib.ticker import NullLocator

from pipelines.figures import text
from pipelines.figures.canvas import (
    GREY,
    INK,
    PAGE_MM,
    PLAIN,
    Drawing,
    Style,
    colours,
    drawing,
    emphasis,
    frameless,
    sheet,
    size_mm,
)
from pipelines.figures.values import ci_text, filled, p_bare
from pipelines.figures.words import say

_PITCH, _HEAD, _FOOT, _LEAST_SCALE = 4.6, 7.0, 11.0, 12.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A ratio (or a difference) with its confidence interval.

    Attributes
    ----------
    value, lower, upper
        All positive on a logarithmic axis; limits may be infinite or NaN (separation), and are then drawn as arrows or
        not at all.
    p
        p value, None where there is none.
    """

    value: float
    lower: float
    upper: float
    p: float | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.value):
            raise ValueError("an estimate is a number; leave it out when there is none")
        if self.lower > self.value or self.upper < self.value:
            raise ValueError(f"the interval {self.lower} to {self.upper} does not hold the estimate {self.value}")


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One row.

    Attributes
    ----------
    label
        Variable, level, subgroup or imputation.
    estimates
        One per model, None where the model does not hold it; empty for a heading.
    kind
        "estimate"; "heading" (bold, no marks); "reference" (the level that others are compared with);
        "pooled" (a diamond).
    n
        A text for the second column, for example "255/232" or "n = 468".
    """

    label: str
    estimates: tuple[Estimate | None, ...] = ()
    kind: Literal["estimate", "heading", "reference", "pooled"] = "estimate"
    n: str = ""


def forest_plot(
    rows: Sequence[ForestRow],
    *,
    measure: str = "OR",
    models: Sequence[str] = ("",),
    n_heading: str = "n",
    favours: tuple[str, str] | None = None,
    null: float | None = None,
    log: bool = True,
    limits: tuple[float, float] | None = None,
    style: Style = PLAIN,
) -> Drawing:
    """Draw a forest plot with text columns.

    Parameters
    ----------
    rows
        From top to bottom. Rows of one variable follow its heading and are set in.
    measure
        "OR", "HR", "Mean difference"; heads the text column with "(95% CI)".
    models
        Names of the models side by side, for example ("Crude", "Adjusted").
    n_heading
        Head of the second column, which is left out when no row has `n`.
    favours
        What lies to the left and to the right of no effect; say the outcome here ("Oligoprogression", "Systemic").
    null
        Value of no effect; 1 on a logarithmic axis, else 0.
    log
        Whether the axis is logarithmic.
    limits
        Range of the axes; from the estimates when not given. Intervals beyond end in arrows.

    Raises
    ------
    ValueError
        Without any estimate, if a row has another number of estimates than there are models, or with an estimate
        that is not positive on a logarithmic axis. When it is drawn: if the width leaves no room beside the text; two
        models need about 130 mm.
    """
    filled(models, "models of the forest plot")
    every = [each for row in rows for each in row.estimates if each is not None]
    filled(every, "forest plot")
    for row in rows:
        if row.kind in ("estimate", "pooled") and len(row.estimates) != len(models):
            raise ValueError(f"{row.label}: {len(models)} estimates are needed, not {len(row.estimates)}")
    if log and any(each.value <= 0 or each.lower < 0 for each in every):
        raise ValueError("on a logarithmic axis every estimate is positive")
    centre = (1.0 if log else 0.0) if null is None else null
    low, high = limits or _limits(every, centre, log=log)
    counted = any(row.n for row in rows)

    def paint(figure: FigureBase) -> None:
        base = sheet(figure)
        width, height = size_mm(figure)
        indent = [2.5 if row.kind != "heading" and any(r.kind == "heading" for r in rows) else 0.0 for row in rows]
        small = style.small_pt
        names = max(
            text.width_mm(row.label, small, bold=row.kind == "heading") + d for row, d in zip(rows, indent, strict=True)
        )
        names = min(names + 2.0, 0.36 * width)
        tally = max((text.width_mm(row.n, small) for row in rows), default=0.0)
        tally = max(tally, text.width_mm(n_heading, small)) + 3.0 if counted else 0.0
        told = (
            max(text.width_mm(f"{measure} (95% CI)", small), *(text.width_mm(_told(each), small) for each in every))
            + 3.0
        )
        chance = max(text.width_mm("< 0.001", small) + 2.0, 0.0) if any(each.p is not None for each in every) else 0.0
        room = (width - 4.0 - names - tally) / len(models)
        scale_room = room - told - chance - 2.0
        if scale_room < _LEAST_SCALE:
            raise ValueError(f"{width - len(models) * (scale_room - _LEAST_SCALE):.0f} mm are needed, not {width:.0f}")
        y = [_HEAD + (2.0 if models != ("",) else 0.0) + _PITCH * (n + 0.5) for n in range(len(rows))]
        for row, at, shift in zip(rows, y, indent, strict=True):
            label = text.shortened(row.label, names - shift - 1.0, small)
            bold = emphasis(label) if row.kind in ("heading", "pooled") else {}
            base.text(2.0 + shift, at, label, size=small, va="center", **bold)
            base.text(2.0 + names + tally - 3.0, at, row.n, size=small, va="center", ha="right")
        head = y[0] - _PITCH
        if counted:
            base.text(
                2.0 + names + tally - 3.0, head, n_heading, size=small, va="center", ha="right", **emphasis(n_heading)
            )
        for number, (model, colour) in enumerate(zip(models, colours(len(models)), strict=True)):
            start = 2.0 + names + tally + number * room
            bottom, top = y[-1] + 0.5 * _PITCH + 0.8, head + 0.5 * _PITCH
            axes = figure.add_axes(
                (start / width, 1 - bottom / height, scale_room / width, (bottom - top) / height), facecolor="none"
            )
            _marks(axes, rows, number, colour, (low, high), (top, bottom), y, centre, log=log)
            _scale(axes, (low, high), measure, scale_room, log=log)
            if favours is not None:
                middle = np.log(centre / low) / np.log(high / low) if log else (centre - low) / (high - low)
                gap = start + float(middle) * scale_room
                for words, place, side in ((f"← {favours[0]}", gap - 1, "right"), (f"{favours[1]} →", gap + 1, "left")):
                    base.text(place, bottom + 8.0, words, size=6, ha=side, va="center", color=GREY)
            left = start + scale_room + 2.0
            base.text(left, head, f"{measure} (95% CI)", size=small, va="center", **emphasis(measure))
            if chance:
                base.text(left + told + chance - 3.0, head, "P", size=small, va="center", ha="right", **emphasis("P"))
            if model:
                base.text(start, head - 4.2, model, size=style.font_pt, va="center", **emphasis(model))
            for row, at in zip(rows, y, strict=True):
                given = row.estimates[number] if number < len(row.estimates) else None
                if row.kind == "reference":
                    base.text(left, at, say("reference", style.language), size=small, va="center", color=GREY)
                elif given is not None:
                    base.text(left, at, _told(given), size=small, va="center")
                    base.text(left + told + chance - 3.0, at, p_bare(given.p), size=small, va="center", ha="right")
                elif row.kind != "heading":
                    base.text(left, at, "–", size=small, va="center", color=GREY)
        base.plot([2.0, width - 2.0], [head + 0.5 * _PITCH] * 2, color=INK, lw=0.5)

    extra = 2.0 if tuple(models) != ("",) else 0.0
    return drawing(
        paint,
        style,
        width_mm=PAGE_MM,
        height_mm=_HEAD + extra + _PITCH * len(rows) + _FOOT + (2.0 if favours else 0.0),
        description=f"Forest plot of {measure} with 95% confidence intervals, {len(rows)} rows.",
    )


def _told(estimate: Estimate) -> str:
    digits = 2 if abs(estimate.value) < 100 else 0
    upper = estimate.upper if np.isfinite(estimate.upper) else float("inf")
    if np.isinf(upper) and np.isfinite(estimate.lower):
        return f"{estimate.value:.{digits}f} ({estimate.lower:.{digits}f}–∞)"
    return ci_text(estimate.value, estimate.lower, estimate.upper, digits)


def _limits(every: Sequence[Estimate], centre: float, *, log: bool) -> tuple[float, float]:
    ends = [
        end
        for each in every
        for end in (each.lower, each.value, each.upper)
        if np.isfinite(end) and (end > 0 or not log)
    ]
    if not log:
        low, high = min(*ends, centre), max(*ends, centre)
        pad = 0.06 * (high - low) or 1.0
        return low - pad, high + pad
    # an interval that reaches four times as far as any estimate is as good as without end; the rest must stay readable
    values = [each.value for each in every]
    low = max(min(*ends, centre), min(*values, centre) / 4)
    high = min(max(*ends, centre), max(*values, centre) * 4)
    return min(low / 1.12, centre / 1.25), max(high * 1.12, centre * 1.25)


def _marks(
    axes: Axes,
    rows: Sequence[ForestRow],
    number: int,
    colour: str,
    limits: tuple[float, float],
    span: tuple[float, float],
    y: Sequence[float],
    centre: float,
    *,
    log: bool,
) -> None:
    axes.set(xscale="log" if log else "linear", xlim=limits, ylim=(span[1], span[0]))
    axes.axvline(centre, color=INK, lw=0.6, ls=(0, (3, 2)), zorder=0)
    low, high = limits
    for row, at in zip(rows, y, strict=True):
        given = row.estimates[number] if number < len(row.estimates) else None
        if row.kind == "reference":
            axes.plot(centre, at, "s", ms=2.6, mfc="white", mec=GREY, mew=0.7)
        if given is None or row.kind in ("heading", "reference"):
            continue
        if row.kind == "pooled":
            corners = [
                (max(given.lower, low), at),
                (given.value, at - 1.3),
                (min(given.upper, high), at),
                (given.value, at + 1.3),
            ]
            axes.add_patch(Polygon(corners, closed=True, facecolor=colour, edgecolor=colour, lw=0.6))
            continue
        if np.isfinite(given.lower) or np.isfinite(given.upper):
            left, right = max(np.nan_to_num(given.lower, nan=low), low), min(np.nan_to_num(given.upper, nan=high), high)
            axes.plot([left, right], [at, at], color=colour, lw=1.0, solid_capstyle="butt")
            for beyond, end, mark in ((given.lower < low, low, "<"), (given.upper > high, high, ">")):
                if beyond:
                    axes.plot(end, at, mark, ms=3, color=colour, clip_on=False)
        if low <= given.value <= high:
            axes.plot(given.value, at, "s", ms=3.6, color=colour)


def _scale(axes: Axes, limits: tuple[float, float], measure: str, room_mm: float, *, log: bool) -> None:
    if log:
        ticks = _ticks(limits, room_mm)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks([])
    axes.set_xlabel(measure + (" (log)" if log else ""), labelpad=1.0)
    frameless(axes, "top", "left", "right")


def _ticks(limits: tuple[float, float], room_mm: float) -> list[float]:
    """Round numbers on a logarithmic axis, as many as have room for their text."""
    low, high = limits
    choices = ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
    found: list[float] = []
    for digits in choices:
        found = [d * 10.0**e for e in range(-6, 7) for d in digits if low <= d * 10.0**e <= high]
        places = [room_mm * float(np.log(tick / low) / np.log(high / low)) for tick in found]
        widths = [text.width_mm(f"{tick:g}", 6.0) for tick in found]
        needs = [(a + b) / 2 + 1.5 for a, b in pairwise(widths)]
        if all(b - a >= need for (a, b), need in zip(pairwise(places), needs, strict=True)):
            break
    return found
