"""Decision curves: the net benefit of models against treating all and treating none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
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
class DecisionCurve:
    """Net benefit of one model.

    Attributes
    ----------
    label
        The model.
    thresholds
        Threshold probabilities, rising, from 0 to below 1.
    net_benefit
        Net benefit at each; NaN where it is not known.
    lower, upper
        Its confidence limits; NaN where they are not known.
    """

    label: str
    thresholds: ArrayLike
    net_benefit: ArrayLike
    lower: ArrayLike | None = None
    upper: ArrayLike | None = None

    def __post_init__(self) -> None:
        x = numbers(self.thresholds, f"{self.label}: thresholds", least=2)
        if x.min() < 0 or x.max() >= 1 or (np.diff(x) <= 0).any():
            raise ValueError(f"{self.label}: threshold probabilities must rise between 0 and 1")
        gaps(self.net_benefit, f"{self.label}: net benefit", length=x.size)
        if (self.lower is None) != (self.upper is None):
            raise ValueError(f"{self.label}: one confidence limit is missing")
        for limit in (self.lower, self.upper):
            if limit is not None:
                gaps(limit, f"{self.label}: limits", length=x.size)


def decision_curves(
    curves: Sequence[DecisionCurve], *, prevalence: float, n: int | None = None, style: Style = PLAIN
) -> Drawing:
    """Draw decision curves with those of treating all and treating none.

    Parameters
    ----------
    curves
        At least one.
    prevalence
        Share of patients with the outcome, above 0 and below 1: from it follows the curve of treating all.
    n
        Number of patients, for the legend.

    Raises
    ------
    ValueError
        Without curves, or with a prevalence that is none.

    References
    ----------
    Vickers and Elkin, Med Decis Making 2006;26:565.
    """
    filled(curves, "decision curve")
    if not 0 < prevalence < 1:
        raise ValueError(f"a prevalence lies between 0 and 1, not at {prevalence}")

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        grid = np.linspace(0, 0.99, 199)
        axes.plot(
            grid,
            prevalence - (1 - prevalence) * grid / (1 - grid),
            color=GREY,
            lw=0.9,
            label=say("Treat all", style.language),
        )
        axes.axhline(0, color=INK, lw=0.9, label=say("Treat none", style.language))
        top, last = prevalence, 0.0
        for number, (curve, colour) in enumerate(zip(curves, colours(len(curves)), strict=True)):
            x, y = numbers(curve.thresholds, "thresholds"), gaps(curve.net_benefit, "net benefit")
            if curve.lower is not None and curve.upper is not None:
                high = gaps(curve.upper, "upper")
                axes.fill_between(x, gaps(curve.lower, "lower"), high, color=colour, alpha=0.15, lw=0)
                top = max(top, np.nanmax(high, initial=0.0))
            axes.plot(x, y, color=colour, ls=DASHES[number % len(DASHES)], label=curve.label)
            top, last = max(top, np.nanmax(y, initial=0.0)), max(last, x[-1])
        axes.set(
            xlim=(0, min(1.0, last)),
            ylim=(-0.15 * top, 1.08 * top),
            xlabel=say("Threshold probability", style.language),
            ylabel=say("Net benefit", style.language),
        )
        handles, labels = axes.get_legend_handles_labels()
        title = None if n is None else f"n = {n}"
        axes.legend([*handles[2:], *handles[:2]], [*labels[2:], *labels[:2]], loc="upper right", title=title)
        frameless(axes)

    return drawing(
        paint,
        style,
        width_mm=COLUMN_MM,
        height_mm=65,
        description=f"Decision curves of {', '.join(curve.label for curve in curves)}, of treating all and none.",
    )
