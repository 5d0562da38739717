"""How the LASSO chose: paths of the coefficients, and the cross-validated error with its two penalties."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from numpy.typing import ArrayLike, NDArray

from pipelines.figures.canvas import (
    COLUMN_MM,
    GREY,
    INK,
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

_AXIS = "log10(λ)"


def lasso_paths(
    lambdas: ArrayLike,
    coefficients: ArrayLike,
    names: Sequence[str],
    *,
    lambda_min: float | None = None,
    lambda_1se: float | None = None,
    top: int = 10,
    style: Style = PLAIN,
) -> Drawing:
    """Coefficients against the penalty; the count of those that are not zero stands above.

    Parameters
    ----------
    lambdas
        Penalties, positive, shape (n,), in any order.
    coefficients
        Shape (n, features), of standardised features.
    names
        Names of the features.
    lambda_min, lambda_1se
        Penalties to mark by dashed lines.
    top
        How many features to colour and name: those that weigh most at `lambda_min` (else at the smallest penalty).

    Raises
    ------
    ValueError
        If shapes do not fit, a penalty is not positive, or a coefficient is no number.
    """
    penalties, order = _penalties(lambdas)
    table = np.asarray(coefficients, dtype=np.float64)
    if table.shape != (penalties.size, len(names)) or not np.isfinite(table).all():
        raise ValueError(
            f"coefficients: finite numbers in shape {(penalties.size, len(names))} are needed, not {table.shape}"
        )
    table = table[order]
    at = int(np.argmin(np.abs(np.log(penalties / lambda_min)))) if lambda_min else int(np.argmin(penalties))
    ranked = [int(n) for n in np.argsort(-np.abs(table[at]), kind="stable")[:top] if table[at, n] != 0.0]

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        x = np.log10(penalties)
        others = [n for n in range(len(names)) if n not in ranked and table[:, n].any()]
        for n in others:
            axes.plot(x, table[:, n], color=PALE, lw=0.6)
        for place, (n, colour) in enumerate(zip(ranked, colours(len(ranked)), strict=True)):
            dash = ("-", (0, (4, 1.5)))[place // 8 % 2]
            axes.plot(x, table[:, n], color=colour, ls=dash, lw=1.0, label=names[n])
        axes.axhline(0, color=INK, lw=0.5)
        _mark(axes, lambda_min, lambda_1se)
        _counts(axes, x, (table != 0).sum(axis=1), style)
        axes.set(xlabel=_AXIS, ylabel=say("Coefficient", style.language))
        frameless(axes, "right")
        if ranked:
            figure.legend(loc="outside lower center", ncols=1 if _long(names, ranked) else 2, labelspacing=0.25)

    legend = 3.2 * len(ranked) if _long(names, ranked) else 3.2 * -(-len(ranked) // 2)
    return drawing(
        paint,
        style,
        width_mm=COLUMN_MM,
        height_mm=65 + legend,
        description=f"LASSO paths of {len(names)} features over {penalties.size} penalties.",
    )


def lasso_cv(
    lambdas: ArrayLike,
    error: ArrayLike,
    spread: ArrayLike,
    nonzero: ArrayLike,
    *,
    lambda_min: float,
    lambda_1se: float,
    measure: str = "Binomial deviance",
    style: Style = PLAIN,
) -> Drawing:
    """Cross-validated error against the penalty, with λ.min and λ.1se as R's glmnet draws them.

    Parameters
    ----------
    lambdas, error, spread
        Penalties, mean error over the folds and its standard error, each of shape (n,).
    nonzero
        Number of coefficients that are not zero at each penalty.
    measure
        What the error is.

    Raises
    ------
    ValueError
        If lengths differ, a penalty is not positive, or a value is no number.
    """
    penalties, order = _penalties(lambdas)
    mean = numbers(error, "error", length=penalties.size)[order]
    half = numbers(spread, "standard error", length=penalties.size)[order]
    count = numbers(nonzero, "non-zero coefficients", length=penalties.size)[order]
    if lambda_min <= 0 or lambda_1se <= 0:
        raise ValueError("penalties are positive")

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        x = np.log10(penalties)
        axes.errorbar(x, mean, half, fmt="none", ecolor=GREY, elinewidth=0.5, capsize=1.2, capthick=0.5, zorder=1)
        axes.plot(x, mean, "o", ms=1.8, color=VERMILION, zorder=2)
        _mark(axes, lambda_min, lambda_1se)
        _counts(axes, x, count, style)
        axes.set(xlabel=_AXIS, ylabel=f"{measure} (± SE)")
        frameless(axes, "right")

    return drawing(
        paint,
        style,
        width_mm=COLUMN_MM,
        height_mm=65,
        description=f"{measure} in cross-validation; λ.min = {lambda_min:.4g}, λ.1se = {lambda_1se:.4g}.",
    )


def _penalties(lambdas: ArrayLike) -> tuple[Array, NDArray[np.intp]]:
    values = numbers(lambdas, "λ", least=2)
    if (values <= 0).any():
        raise ValueError("penalties are positive")
    order = np.argsort(values, kind="stable")
    return values[order], order


def _long(names: Sequence[str], ranked: Sequence[int]) -> bool:
    return any(len(names[n]) > 28 for n in ranked)


def _mark(axes: Axes, lambda_min: float | None, lambda_1se: float | None) -> None:
    for value, label, side in ((lambda_min, "λ.min", "right"), (lambda_1se, "λ.1se", "left")):
        if value:
            axes.axvline(np.log10(value), color=INK, lw=0.7, ls=(0, (3, 2)))
            axes.annotate(
                label,
                (np.log10(value), 1.0),
                (-2 if side == "right" else 2, -2),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha=side,
                va="top",
                size=6,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
            )


def _counts(axes: Axes, x: Array, count: ArrayLike, style: Style) -> None:
    values = gaps(count, "count")
    above = axes.secondary_xaxis("top")
    ticks = np.linspace(x[0], x[-1], 7)
    above.set_xticks(ticks, [str(int(values[int(np.argmin(np.abs(x - tick)))])) for tick in ticks])
    above.set_xlabel(say("Non-zero coefficients", style.language), size=style.small_pt)
