"""One mark per patient: waterfall, spider and swimmer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from pipelines.figures.canvas import (
    COLUMN_MM,
    INK,
    PAGE_MM,
    PLAIN,
    Drawing,
    Style,
    colours,
    drawing,
    frameless,
)
from pipelines.figures.values import filled, gaps, numbers
from pipelines.figures.words import say

_MARKS = "o^sDvP*X"


def waterfall(
    values: ArrayLike,
    classes: Sequence[str],
    *,
    ylabel: str,
    levels: Sequence[str] = (),
    lines: Sequence[tuple[float, str]] = (),
    limits: tuple[float, float] | None = None,
    style: Style = PLAIN,
) -> Drawing:
    """Bars of scores or of best changes, one per patient, falling from left to right, coloured by class.

    Parameters
    ----------
    values
        One number per patient; NaN (not evaluable) is counted in the legend and not drawn.
    classes
        Class of each patient, for example best overall response.
    ylabel
        What the bars are, with unit ("Best change of the sum of diameters (%)").
    levels
        Order of the classes in the legend; by first appearance when not given.
    lines
        Dashed lines with a text each, for example (20, "PD") and (-30, "PR").
    limits
        Range of the axis; bars beyond are cut and get their number.

    Raises
    ------
    ValueError
        If no value is a number, lengths differ, or a class is not among the levels.
    """
    given = gaps(values, "values", length=len(classes))
    known = [int(n) for n in np.flatnonzero(np.isfinite(given))]
    if not known:
        raise ValueError("values: no value is a number")
    named = _levels(classes, levels)
    colour = dict(zip(named, colours(len(named)), strict=True))
    order = sorted(known, key=lambda n: (-given[n], named.index(classes[n]), n))

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        drawn = given[order] if limits is None else np.clip(given[order], *limits)
        axes.bar(range(len(order)), drawn, width=0.85, color=[colour[classes[n]] for n in order], lw=0)
        axes.axhline(0, color=INK, lw=0.6)
        for level, label in lines:
            axes.axhline(level, color=INK, lw=0.6, ls=(0, (3, 2)))
            axes.annotate(
                label, (1, level), (2, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                va="center", ha="left", size=6,
            )  # fmt: skip
        if limits is not None:
            for place, n in enumerate(order):
                if not limits[0] <= given[n] <= limits[1]:
                    axes.annotate(
                        f"{given[n]:.0f}",
                        (place, drawn[place]),
                        ha="center",
                        va="top",
                        size=6,
                        rotation=90,
                        color="white",
                    )
            axes.set_ylim(*limits)
        axes.set(xlim=(-1, len(order)), xticks=[], ylabel=ylabel)
        axes.set_xlabel(f"{say('Patients, one bar each', style.language)} (n = {len(order)})")
        handles: list[Patch | Line2D] = [
            Patch(color=colour[level], label=f"{level} (n = {sum(classes[n] == level for n in order)})")
            for level in named
        ]
        if len(order) < len(classes):
            gone = f"{say('not evaluable', style.language)} (n = {len(classes) - len(order)})"
            handles.append(Line2D([], [], ls="", label=gone))
        axes.legend(handles=handles, loc="upper right")
        frameless(axes, "top", "right", "bottom")

    wide = len(order) > 60
    return drawing(
        paint,
        style,
        width_mm=PAGE_MM if wide else COLUMN_MM,
        height_mm=65,
        description=f"Waterfall of {len(order)} patients: {ylabel}.",
    )


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Change of one patient over time.

    Attributes
    ----------
    times
        Rising, in the unit of the axis.
    changes
        Change from baseline in percent at each; NaN where not evaluable.
    group
        Class of the patient, which gives the colour.
    events
        Marks on the line as (time, kind), for example (5.2, "New lesion").
    """

    times: ArrayLike
    changes: ArrayLike
    group: str
    events: tuple[tuple[float, str], ...] = ()

    def __post_init__(self) -> None:
        gaps(self.changes, "changes of a course", length=numbers(self.times, "times of a course").size)


def spider(
    courses: Sequence[Course],
    *,
    levels: Sequence[str] = (),
    xlabel: str = "Time from start of treatment (months)",
    ylabel: str = "Change of the sum of diameters (%)",
    limits: tuple[float, float] = (-100.0, 100.0),
    style: Style = PLAIN,
) -> Drawing:
    """Lines of change over time, one per patient, with the limits of RECIST 1.1 at +20 % and -30 %.

    Raises
    ------
    ValueError
        Without courses.
    """
    filled(courses, "spider plot")
    named = _levels([course.group for course in courses], levels)
    colour = dict(zip(named, colours(len(named)), strict=True))
    kinds = list(dict.fromkeys(kind for course in courses for _, kind in course.events))

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        for level in (20.0, -30.0):
            axes.axhline(level, color=INK, lw=0.6, ls=(0, (3, 2)))
        axes.axhline(0, color=INK, lw=0.5)
        for course in courses:
            x, y = numbers(course.times, "times"), np.clip(gaps(course.changes, "changes"), *limits)
            known = np.isfinite(y)
            axes.plot(x[known], y[known], "-o", ms=1.6, lw=0.7, color=colour[course.group], alpha=0.85)
            for at, kind in course.events:
                height = float(np.interp(at, x[known], y[known])) if known.any() else 0.0
                mark = _MARKS[kinds.index(kind) % len(_MARKS)]
                axes.plot(at, height, mark, ms=4, mfc="white", mec=INK, mew=0.7, zorder=4)
        counts = {level: sum(course.group == level for course in courses) for level in named}
        handles = [Line2D([], [], color=colour[level], label=f"{level} (n = {counts[level]})") for level in named]
        handles += [
            Line2D([], [], ls="", marker=_MARKS[n % len(_MARKS)], ms=4, mfc="white", mec=INK, mew=0.7, label=kind)
            for n, kind in enumerate(kinds)
        ]
        pad = 0.04 * (limits[1] - limits[0])
        axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(limits[0] - pad, limits[1] + pad))
        axes.set_xlim(left=0)
        figure.legend(handles=handles, loc="outside right upper")
        frameless(axes)

    return drawing(
        paint, style, width_mm=120.0, height_mm=70, description=f"Change over time of {len(courses)} patients."
    )


@dataclass(frozen=True, slots=True)
class Swimmer:
    """The lane of one patient.

    Attributes
    ----------
    label
        Row label: a number of the study, never a name.
    segments
        Stretches as (start, end, kind), for example (0, 5.5, "First line").
    events
        Marks as (time, kind), for example (3.1, "PR").
    ongoing
        Whether the last stretch goes on (an arrow).
    """

    label: str
    segments: tuple[tuple[float, float, str], ...]
    events: tuple[tuple[float, str], ...] = ()
    ongoing: bool = False

    def __post_init__(self) -> None:
        filled(self.segments, f"lane {self.label}")
        if any(not (np.isfinite(start) and np.isfinite(end) and start <= end) for start, end, _ in self.segments):
            raise ValueError(f"lane {self.label}: a stretch must end after it starts")


def swimmer(
    lanes: Sequence[Swimmer],
    *,
    events: Sequence[str] = (),
    xlabel: str = "Time from start of treatment (months)",
    style: Style = PLAIN,
) -> Drawing:
    """Lanes of patients, longest at the top, with what happened when.

    Parameters
    ----------
    lanes
        At least one.
    events
        Order of the kinds of events in the legend; by first appearance when not given.
    xlabel
        Name and unit of time.

    Raises
    ------
    ValueError
        Without lanes.
    """
    filled(lanes, "swimmer plot")
    order = sorted(lanes, key=lambda lane: -max(end for _, end, _ in lane.segments))
    kinds = list(dict.fromkeys(kind for lane in lanes for _, _, kind in lane.segments))
    named = _levels([kind for lane in lanes for _, kind in lane.events], events)
    tint = dict(zip(kinds, colours(len(kinds)), strict=True))
    pitch = 3.4 if len(lanes) <= 60 else 1.2

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        for row, lane in enumerate(order):
            for start, end, kind in lane.segments:
                axes.barh(row, end - start, left=start, height=0.68, color=tint[kind], alpha=0.75, lw=0)
            for at, kind in lane.events:
                mark = _MARKS[named.index(kind) % len(_MARKS)]
                axes.plot(at, row, mark, ms=3.4 if pitch > 2 else 1.6, mfc="white", mec=INK, mew=0.7, zorder=4)
            if lane.ongoing:
                end = max(end for _, end, _ in lane.segments)
                axes.annotate("▶", (end, row), (1, 0), textcoords="offset points", va="center", size=6)
        if pitch > 2:
            axes.set_yticks(range(len(order)), [lane.label for lane in order], size=6)
        else:
            axes.set_yticks([])
        axes.tick_params(axis="y", length=0)
        axes.set(
            ylim=(len(order) - 0.4, -0.6), xlabel=xlabel, ylabel=f"{say('Patients', style.language)} (n = {len(order)})"
        )
        axes.set_xlim(left=0)
        handles: list[Patch | Line2D] = [Patch(color=tint[kind], alpha=0.75, label=kind) for kind in kinds]
        handles += [
            Line2D([], [], ls="", marker=_MARKS[n % len(_MARKS)], ms=3.4, mfc="white", mec=INK, mew=0.7, label=kind)
            for n, kind in enumerate(named)
        ]
        if any(lane.ongoing for lane in lanes):
            handles.append(Line2D([], [], ls="", marker=">", ms=3, color=INK, label=say("ongoing", style.language)))
        axes.legend(handles=handles, loc="lower right")
        frameless(axes)

    return drawing(
        paint,
        style,
        width_mm=PAGE_MM,
        height_mm=pitch * len(lanes) + 14,
        description=f"Courses of {len(lanes)} patients.",
    )


def _levels(classes: Sequence[str], levels: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(classes))
    unknown = set(found) - set(levels) if levels else set()
    if unknown:
        raise ValueError(f"classes that are not among the levels: {', '.join(sorted(unknown))}")
    return [level for level in levels if level in found] if levels else found
