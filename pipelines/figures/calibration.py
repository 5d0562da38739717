"""How well probabilities are calibrated: flexible curves, groups, and where the predictions lie."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
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
from pipelines.figures.values import filled, gaps, numbers
from pipelines.figures.words import say


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationCurve:
    """One model in one set of patients.

    Attributes
    ----------
    label
        The model or the set.
    predicted, observed
        The flexible curve: predicted probability (rising) and the proportion observed there.
    lower, upper
        Confidence limits of the curve; NaN where they are not known.
    groups
        Groups of patients as (mean predicted, observed, lower, upper), drawn as points with bars.
    predictions
        The probabilities of all patients, for the histogram below.
    outcomes
        Their outcomes (0 or 1), which divide the histogram into above and below.
    note
        Lines for the corner, for example "slope 0.94 (0.71–1.20)".
    """

    label: str
    predicted: ArrayLike
    observed: ArrayLike
    lower: ArrayLike | None = None
    upper: ArrayLike | None = None
    groups: tuple[tuple[float, float, float, float], ...] = ()
    predictions: ArrayLike | None = None
    outcomes: ArrayLike | None = None
    note: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        x = numbers(self.predicted, f"{self.label}: predicted", least=2)
        numbers(self.observed, f"{self.label}: observed", length=x.size)
        if (self.lower is None) != (self.upper is None):
            raise ValueError(f"{self.label}: one confidence limit is missing")
        for limit in (self.lower, self.upper):
            if limit is not None:
                gaps(limit, f"{self.label}: limits", length=x.size)
        if self.predictions is not None:
            all_of_them = numbers(self.predictions, f"{self.label}: predictions")
            if all_of_them.min() < 0 or all_of_them.max() > 1:
                raise ValueError(f"{self.label}: probabilities lie between 0 and 1")
            if self.outcomes is not None:
                numbers(self.outcomes, f"{self.label}: outcomes", length=all_of_them.size)


def calibration_plot(curves: Sequence[CalibrationCurve], *, outcome: str = "", style: Style = PLAIN) -> Drawing:
    """Draw calibration curves over the ideal diagonal, with a histogram of the predictions below.

    Parameters
    ----------
    curves
        At least one.
    outcome
        What is predicted, for the axes.

    Raises
    ------
    ValueError
        Without curves.
    """
    filled(curves, "calibration")
    shown = [n for n, curve in enumerate(curves) if curve.predictions is not None]
    of = f" ({outcome})" if outcome else ""

    def paint(figure: FigureBase) -> None:
        grid = figure.add_gridspec(1 + len(shown), 1, height_ratios=[6, *(1 for _ in shown)])
        axes = figure.add_subplot(grid[0])
        axes.plot([0, 1], [0, 1], color=GREY, lw=0.7, ls=(0, (1, 2)), label=say("Ideal", style.language))
        for number, (curve, colour) in enumerate(zip(curves, colours(len(curves)), strict=True)):
            x, y = numbers(curve.predicted, "predicted"), numbers(curve.observed, "observed")
            if curve.lower is not None and curve.upper is not None:
                low, high = gaps(curve.lower, "lower"), gaps(curve.upper, "upper")
                axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
            size = "" if curve.predictions is None else f" (n = {numbers(curve.predictions, 'n').size})"
            axes.plot(x, y, color=colour, ls=DASHES[number % len(DASHES)], label=f"{curve.label}{size}")
            for mean, seen, low_end, high_end in curve.groups:
                axes.plot([mean, mean], [low_end, high_end], color=colour, lw=0.6)
                axes.plot(mean, seen, "o", ms=3, mfc="white", mec=colour, mew=0.9)
        handles, labels = axes.get_legend_handles_labels()
        notes = [f"{curve.label}: {line}" if len(curves) > 1 else line for curve in curves for line in curve.note]
        axes.legend([*handles[1:], handles[0]], [*labels[1:], labels[0]], loc="upper left")
        if notes:
            axes.text(0.98, 0.02, "\n".join(notes), transform=axes.transAxes, ha="right", va="bottom", size=6)
        axes.set(xlim=(0, 1), ylim=(0, 1), ylabel=say("Observed proportion", style.language) + of)
        frameless(axes)
        last = axes
        for place, number in enumerate(shown):
            last.tick_params(labelbottom=False)
            last = figure.add_subplot(grid[1 + place], sharex=axes)
            _histogram(last, curves[number], colours(len(curves))[number], style)
        last.set_xlabel(say("Predicted probability", style.language) + of)

    return drawing(
        paint,
        style,
        width_mm=COLUMN_MM,
        height_mm=72 + 14 * len(shown),
        description=f"Calibration of {', '.join(curve.label for curve in curves)}.",
    )


def _histogram(axes: Axes, curve: CalibrationCurve, colour: str, style: Style) -> None:
    values = numbers(curve.predictions if curve.predictions is not None else (), "predictions")
    edges = np.linspace(0, 1, 41)
    happened = np.ones(values.size, bool) if curve.outcomes is None else numbers(curve.outcomes, "outcomes") > 0.5
    for part, sign in ((values[happened], 1), (values[~happened], -1)):
        count, _ = np.histogram(part, edges)
        axes.bar(edges[:-1], sign * count, width=0.023, align="edge", color=colour if sign > 0 else GREY, lw=0)
    axes.axhline(0, color=INK, lw=0.5)
    most = max(1, *(abs(int(limit)) for limit in axes.get_ylim()))
    ticks = [most] if curve.outcomes is None else [-most, most]
    axes.set_yticks([0, *ticks], ["0", *(str(abs(tick)) for tick in ticks)])
    axes.set_ylabel(say("Patients", style.language), size=style.small_pt)
    frameless(axes)
