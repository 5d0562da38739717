"""What the features are worth: importances, correlations, agreement between readers."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.figure import FigureBase
from matplotlib.patches import Patch
from numpy.typing import ArrayLike
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from pipelines.figures import text
from pipelines.figures.canvas import (
    BLUE,
    COLUMN_MM,
    INK,
    PAGE_MM,
    PALE,
    PLAIN,
    VERMILION,
    Drawing,
    Style,
    colours,
    drawing,
    frameless,
)
from pipelines.figures.values import Array, gaps, numbers
from pipelines.figures.words import say


def importances(
    names: Sequence[str],
    values: ArrayLike,
    classes: Sequence[str],
    *,
    top: int = 50,
    xlabel: str | None = None,
    style: Style = PLAIN,
) -> Drawing:
    """Bars of the most important features, largest first, coloured by the class of the feature.

    Parameters
    ----------
    names, values, classes
        Names, importances (finite; ranked by size without sign) and classes of the features, all of one length.
    top
        How many to show at most.
    xlabel
        What the importance is, with its unit.

    Raises
    ------
    ValueError
        Without features, with values that are no numbers, or when lengths differ.
    """
    worth = numbers(values, "importances", length=len(names))
    if len(classes) != len(names) or top < 1:
        raise ValueError("every feature has one class, and at least one is shown")
    order = np.argsort(-np.abs(worth), kind="stable")[:top]
    kinds = list(dict.fromkeys(classes[n] for n in order))
    colour = dict(zip(kinds, colours(len(kinds)), strict=True))
    pitch = 2.75 if order.size > 20 else 3.6
    width = style.width_mm or PAGE_MM
    columns = max(1, int(width / 32))

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        axes.barh(range(order.size), worth[order], color=[colour[classes[n]] for n in order], height=0.72)
        labels = [text.shortened(names[n], 0.46 * width, 6.0) for n in order]
        axes.set_yticks(range(order.size), labels, size=6)
        axes.tick_params(axis="y", length=0)
        axes.set(ylim=(order.size - 0.4, -0.6), xlabel=xlabel or say("Importance", style.language))
        axes.axvline(0, color=INK, lw=0.6)
        frameless(axes, "top", "right", "left")
        shown = [
            Patch(color=colour[kind], label=f"{kind} (n = {sum(classes[n] == kind for n in order)})") for kind in kinds
        ]
        figure.legend(handles=shown, loc="outside upper center", ncols=columns)

    return drawing(
        paint,
        style,
        width_mm=PAGE_MM,
        height_mm=pitch * order.size + 14 + 5 * -(-len(kinds) // columns),
        description=f"Importance of {order.size} of {len(names)} features; the largest is {names[order[0]]}.",
    )


def correlation_map(
    matrix: ArrayLike,
    names: Sequence[str],
    *,
    order: Sequence[int] | Literal["clustered", "given"] = "clustered",
    measure: str | None = None,
    style: Style = PLAIN,
) -> Drawing:
    """Heat map of correlations from -1 to 1.

    Parameters
    ----------
    matrix
        Symmetric, shape (features, features); NaN (a constant feature) is drawn grey.
    names
        Names of the features.
    order
        Order of the rows: a permutation, "given", or "clustered": by average linkage of 1 - abs(r), leaves placed so
        that neighbours are as similar as may be.
    measure
        What the numbers are; Pearson's correlation when not given.

    Raises
    ------
    ValueError
        If shapes do not fit, a value leaves [-1, 1], or `order` is no permutation.
    """
    table = np.asarray(matrix, dtype=np.float64)
    count = len(names)
    if count == 0 or table.shape != (count, count):
        raise ValueError(f"a matrix of shape {(count, count)} with at least one feature is needed, not {table.shape}")
    known = table[np.isfinite(table)]
    if np.abs(known).max(initial=0.0) > 1 + 1e-9 or not np.allclose(table, table.T, atol=1e-9, equal_nan=True):
        raise ValueError("correlations are symmetric and lie between -1 and 1")
    places = _clustered(table) if order == "clustered" else list(range(count) if order == "given" else map(int, order))
    if sorted(places) != list(range(count)):
        raise ValueError("the order does not name every feature once")
    label = measure or say("Pearson correlation", style.language)
    width = style.width_mm or (130.0 if count <= 12 else PAGE_MM if count <= 60 else COLUMN_MM + 15)
    longest = min(max(text.width_mm(name, 6.0) for name in names), 0.26 * width)
    room = width - longest - 22.0
    # a name needs the height of its line
    named = room / count >= 2.5
    side = min(room, 7.0 * count) if named else width - 20.0

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        shown = np.ma.masked_invalid(table[np.ix_(places, places)])
        axes.set_facecolor(PALE)
        # raster, not one path per cell: 200 features would make 40 000
        picture = axes.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        if named:
            short = [text.shortened(names[n], longest, 6.0) for n in places]
            axes.set_xticks(range(count), short, rotation=90, size=6)
            axes.set_yticks(range(count), short, size=6)
        else:
            axes.set(xticks=[], yticks=[], xlabel=f"{say('Features', style.language)} (n = {count})")
        if count <= 12 and side / count >= 6.0:
            for row in range(count):
                for column in range(count):
                    value = shown[row, column]
                    if value is not np.ma.masked:
                        ink = "white" if abs(value) > 0.65 else INK
                        axes.text(
                            column,
                            row,
                            f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−"),
                            ha="center",
                            va="center",
                            size=6,
                            color=ink,
                        )
        axes.tick_params(length=0)
        bar = figure.colorbar(picture, ax=axes, shrink=0.6, aspect=25, pad=0.02, label=label)
        bar.outline.set_visible(False)

    return drawing(
        paint,
        style,
        width_mm=width,
        height_mm=side + (longest if named else 5.0) + 5.0,
        description=f"{label} of {count} features.",
    )


def _clustered(table: Array) -> list[int]:
    if len(table) < 3:
        return list(range(len(table)))
    distance = 1.0 - np.abs(np.nan_to_num(table))
    np.fill_diagonal(distance, 0.0)
    condensed = squareform((distance + distance.T) / 2, checks=False)
    return [int(n) for n in leaves_list(optimal_leaf_ordering(linkage(condensed, "average"), condensed))]


def icc_histogram(
    values: ArrayLike, *, threshold: float = 0.8, form: str = "ICC(2,1)", style: Style = PLAIN
) -> Drawing:
    """Histogram of intraclass correlation coefficients with the threshold above which a feature is kept.

    Parameters
    ----------
    values
        One coefficient per feature; NaN (not computable) is counted in the legend. Values below -0.2 are drawn in the
        first bar, which says so.
    threshold
        Features at or below are dropped.
    form
        Which coefficient it is.

    Raises
    ------
    ValueError
        If no value is a number.
    """
    given = gaps(values, "ICC")
    known = given[np.isfinite(given)]
    if known.size == 0:
        raise ValueError("ICC: no value is a number")
    low = -0.2 if known.min() < 0 else 0.0
    kept = known[known > threshold]
    rest = known[known <= threshold]

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        edges = np.linspace(low, 1.0, round((1.0 - low) / 0.025) + 1)
        words = {word: say(word, style.language) for word in ("kept", "dropped", "not computable")}
        for part, colour, word in ((kept, BLUE, "kept"), (rest, VERMILION, "dropped")):
            axes.hist(
                np.clip(part, low, 1.0),
                bins=edges.tolist(),
                color=colour,
                edgecolor="white",
                linewidth=0.3,
                label=f"{words[word]} (n = {part.size})",
            )
        axes.axvline(threshold, color=INK, lw=0.8, ls=(0, (3, 2)))
        if given.size > known.size:
            axes.plot([], [], " ", label=f"{words['not computable']} (n = {given.size - known.size})")
        if known.min() < low:
            ticks = [low, *np.arange(0, 1.01, 0.2)]
            axes.set_xticks(ticks, [f"≤ −{-low:g}", *(f"{tick:.1f}" for tick in ticks[1:])])
        name = say("Intraclass correlation coefficient", style.language)
        axes.set(xlabel=f"{name}, {form}", ylabel=say("Features", style.language), xlim=(low, 1.0))
        axes.legend(loc="upper left")
        frameless(axes)

    return drawing(
        paint,
        style,
        width_mm=COLUMN_MM,
        height_mm=55,
        description=f"{form} of {given.size} features: {kept.size} above {threshold}.",
    )
