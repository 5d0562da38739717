"""Love plots: how far apart two groups are in each covariate, before and after matching."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import FigureBase
from numpy.typing import ArrayLike

from pipelines.figures import text
from pipelines.figures.canvas import (
    BLUE,
    COLUMN_MM,
    INK,
    PALE,
    PLAIN,
    VERMILION,
    Drawing,
    Style,
    drawing,
    frameless,
)
from pipelines.figures.values import gaps, numbers
from pipelines.figures.words import say


def love_plot(
    covariates: Sequence[str],
    before: ArrayLike,
    after: ArrayLike | None = None,
    *,
    threshold: float = 0.1,
    n_before: int | None = None,
    n_after: int | None = None,
    matched_on: Sequence[bool] | None = None,
    style: Style = PLAIN,
) -> Drawing:
    """Absolute standardised mean differences, largest before matching at the top.

    Parameters
    ----------
    covariates
        Their names.
    before, after
        Standardised mean differences; the sign is dropped. NaN in `after` is not drawn.
    threshold
        Limit of balance, drawn as a dashed line; values at or beyond it after matching are printed in figures.
    n_before, n_after
        Numbers of patients for the legend.
    matched_on
        Which covariates were matched on; the others get an asterisk.

    Raises
    ------
    ValueError
        Without covariates, if lengths differ, or with a value before matching that is no number.
    """
    first = np.abs(numbers(before, "SMD before", length=len(covariates)))
    second = None if after is None else np.abs(gaps(after, "SMD after", length=len(covariates)))
    if matched_on is not None and len(matched_on) != len(covariates):
        raise ValueError("matched_on: one value per covariate is needed")
    order = [int(n) for n in np.argsort(-first, kind="stable")]
    unmatched = [] if matched_on is None else [n for n in order if not matched_on[n]]

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        rows = range(len(order))
        for row, n in enumerate(order):
            axes.axhline(row, color=PALE, lw=0.4, zorder=0)
            if second is not None and np.isfinite(second[n]):
                axes.plot([first[n], second[n]], [row, row], color=PALE, lw=1.6, zorder=1)
                if second[n] >= threshold:
                    axes.annotate(
                        f"{second[n]:.3f}", (second[n], row), (0, 3), textcoords="offset points",
                        ha="center", va="bottom", size=6, color=BLUE,
                    )  # fmt: skip
        axes.plot(
            first[order],
            rows,
            "o",
            ms=4,
            mfc="white",
            mec=VERMILION,
            mew=1.0,
            label=_counted("Before matching", n_before, style),
        )
        if second is not None:
            axes.plot(second[order], rows, "o", ms=4, color=BLUE, label=_counted("After matching", n_after, style))
        axes.axvline(threshold, color=INK, lw=0.7, ls=(0, (3, 2)))
        axes.axvline(0, color=INK, lw=0.6)
        labels = [text.shortened(covariates[n] + ("*" if n in unmatched else ""), 38.0, style.small_pt) for n in order]
        axes.set_yticks(list(rows), labels)
        axes.tick_params(axis="y", length=0)
        axes.set(ylim=(len(order) - 0.4, -0.7), xlabel=say("Standardised mean difference", style.language))
        axes.set_xlim(left=0, right=max(axes.get_xlim()[1], threshold * 1.5))
        figure.legend(loc="outside upper center", ncols=2)
        frameless(axes, "top", "right", "left")

    return drawing(
        paint,
        style,
        width_mm=COLUMN_MM,
        height_mm=24 + 5.2 * len(order),
        description=f"Standardised mean differences of {len(order)} covariates"
        + ("." if second is None else f"; {int((second >= threshold).sum())} at or above {threshold} after matching."),
    )


def _counted(words: str, n: int | None, style: Style) -> str:
    return say(words, style.language) + ("" if n is None else f" (n = {n})")
