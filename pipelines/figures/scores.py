"""Scores by class: box and violin plots in which every patient is a point."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.figure import FigureBase
from numpy.typing import ArrayLike

from pipelines.figures.canvas import GREY, INK, PAGE_MM, PLAIN, Drawing, Style, colours, drawing, frameless
from pipelines.figures.values import Array, filled, numbers, p_text
from pipelines.figures.words import say


def scores_by_class(
    groups: Sequence[tuple[str, ArrayLike]],
    *,
    ylabel: str,
    kind: Literal["box", "violin"] = "box",
    cut_off: float | None = None,
    p: float | None = None,
    test: str = "",
    style: Style = PLAIN,
) -> Drawing:
    """Distribution of a score in each class, with every patient as a point.

    Parameters
    ----------
    groups
        (class, values); values are finite. A violin needs two different values, with fewer a box is drawn.
    ylabel
        What the score is, with unit.
    cut_off
        Drawn as a dashed line.
    p, test
        p value of the difference and the name of its test.

    Raises
    ------
    ValueError
        Without classes, or with an empty class.
    """
    filled(groups, "classes")
    data = [numbers(values, name) for name, values in groups]

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        for place, (values, colour) in enumerate(zip(data, colours(len(data)), strict=True)):
            if kind == "violin" and np.unique(values).size > 1:
                body = axes.violinplot(values, [place], widths=0.8, showextrema=False)["bodies"]
                for part in body:  # type: ignore[attr-defined]
                    part.set(facecolor=colour, alpha=0.25, edgecolor=colour, linewidth=0.7)
            axes.plot(place + _spread(values, 0.3), values, "o", ms=1.8, mew=0, color=colour, alpha=0.7, zorder=3)
            axes.boxplot(
                values,
                positions=[place],
                widths=0.14 if kind == "violin" else 0.5,
                showfliers=False,
                manage_ticks=False,
                medianprops={"color": INK, "lw": 1.2},
                boxprops={"color": INK, "lw": 0.7},
                whiskerprops={"color": INK, "lw": 0.7},
                capprops={"color": INK, "lw": 0.7},
            )
        if cut_off is not None:
            axes.axhline(cut_off, color=GREY, lw=0.8, ls=(0, (3, 2)))
            axes.annotate(
                f"{say('Cut-off', style.language)}\n{cut_off:.3g}", (1, cut_off), (2, 0),
                xycoords=("axes fraction", "data"), textcoords="offset points", ha="left", va="center", size=6,
            )  # fmt: skip
        if p_text(p):
            axes.set_title(f"{test} {p_text(p)}".strip(), size=style.small_pt)
        labels = [f"{name}\nn = {values.size}" for (name, _), values in zip(groups, data, strict=True)]
        axes.set_xticks(range(len(data)), labels, size=style.font_pt)
        axes.set(xlim=(-0.6, len(data) - 0.4), ylabel=ylabel)
        frameless(axes)

    return drawing(
        paint,
        style,
        width_mm=max(60.0, min(PAGE_MM, 28.0 * len(data) + 14)),
        height_mm=70,
        description=f"{ylabel} by class: "
        + "; ".join(f"{name} median {np.median(values):.3g}" for (name, _), values in zip(groups, data, strict=True))
        + ".",
    )


def _spread(values: Array, most: float) -> Array:
    """Sideways places of points so that equal values lie beside each other: by rank within a bin, not by chance."""
    span = float(np.ptp(values)) or 1.0
    bins = np.floor((values - values.min()) / span * 30)
    places = np.zeros(values.size)
    fullest = max(int((bins == b).sum()) for b in np.unique(bins))
    step = min(0.05, 2 * most / max(1, fullest))
    for b in np.unique(bins):
        inside = np.flatnonzero(bins == b)
        places[inside] = (np.arange(inside.size) - (inside.size - 1) / 2) * step
    return places
