"""Receiver operating characteristics: several curves, their confidence bands and operating points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import FigureBase
from numpy.typing import ArrayLike

from pipelines.figures.canvas import (
    COLUMN_MM,
    DASHES,
    GREY,
    PLAIN,
    Drawing,
    Style,
    colours,
    drawing,
    frameless,
)
from pipelines.figures.values import ci_text, filled, gaps, numbers
from pipelines.figures.words import say


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """One curve.

    Attributes
    ----------
    label
        The model or the set of patients.
    fpr, tpr
        1 - specificity and sensitivity at falling thresholds, both from 0 to 1, equally long, not falling.
    auc
        Area under the curve.
    auc_ci
        Its confidence limits.
    band
        Confidence band of the sensitivity: (fpr, lower, upper), equally long; NaN where it is not known.
    operating_point
        (fpr, tpr) at the cut-off.
    cut_off
        The cut-off, written into the legend.
    positive, negative
        Numbers of patients with and without the outcome.
    """

    label: str
    fpr: ArrayLike
    tpr: ArrayLike
    auc: float
    auc_ci: tuple[float, float] | None = None
    band: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None
    operating_point: tuple[float, float] | None = None
    cut_off: float | None = None
    positive: int | None = None
    negative: int | None = None

    def __post_init__(self) -> None:
        x = numbers(self.fpr, f"{self.label}: 1 - specificity", least=2)
        y = numbers(self.tpr, f"{self.label}: sensitivity", length=x.size)
        for values, what in ((x, "1 - specificity"), (y, "sensitivity")):
            if values.min() < 0 or values.max() > 1 or (np.diff(values) < 0).any():
                raise ValueError(f"{self.label}: {what} must rise between 0 and 1")
        if not 0 <= self.auc <= 1:
            raise ValueError(f"{self.label}: an AUC lies between 0 and 1, not at {self.auc}")
        if self.band is not None:
            size = gaps(self.band[0], f"{self.label}: band", least=2).size
            gaps(self.band[1], f"{self.label}: band", length=size)
            gaps(self.band[2], f"{self.label}: band", length=size)


def roc_curves(curves: Sequence[RocCurve], *, style: Style = PLAIN) -> Drawing:
    """Draw ROC curves in one square; AUC, interval and numbers stand in the legend.

    Raises
    ------
    ValueError
        Without curves.
    """
    filled(curves, "ROC")

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=GREY, lw=0.7, ls=(0, (1, 2)))
        for number, (curve, colour) in enumerate(zip(curves, colours(len(curves)), strict=True)):
            if curve.band is not None:
                at, low, high = (gaps(part, "band") for part in curve.band)
                axes.fill_between(at, low, high, color=colour, alpha=0.15, lw=0)
            axes.plot(
                numbers(curve.fpr, "fpr"),
                numbers(curve.tpr, "tpr"),
                color=colour,
                ls=DASHES[number % len(DASHES)],
                label=_label(curve, style),
            )
            if curve.operating_point is not None:
                axes.plot(*curve.operating_point, "o", ms=4, mfc="white", mec=colour, mew=1.1, clip_on=False, zorder=5)
        axes.set(
            xlim=(-0.01, 1.01),
            ylim=(-0.01, 1.01),
            aspect="equal",
            xlabel=say("1 − specificity", style.language),
            ylabel=say("Sensitivity", style.language),
        )
        frameless(axes)
        if len(curves) <= 3:
            axes.legend(loc="lower right")
        else:
            figure.legend(loc="outside lower center")

    told = "; ".join(f"{curve.label} AUC {curve.auc:.3f}" for curve in curves)
    return drawing(
        paint,
        style,
        width_mm=COLUMN_MM,
        height_mm=80 if len(curves) <= 3 else 80 + 9 * len(curves),
        description=f"ROC curves: {told}.",
    )


def _label(curve: RocCurve, style: Style) -> str:
    area = ci_text(curve.auc, *(curve.auc_ci or (float("nan"), float("nan"))), 3)
    count = "" if curve.positive is None or curve.negative is None else f" (n = {curve.positive}/{curve.negative})"
    lines = [f"{curve.label}{count}", f"AUC {area}"]
    if curve.operating_point is not None:
        fpr, tpr = curve.operating_point
        at = "" if curve.cut_off is None else f" {curve.cut_off:.3g}"
        sens, spec, cut = (say(word, style.language) for word in ("sens.", "spec.", "Cut-off"))
        lines.append(f"{cut}{at}: {sens} {tpr:.3f}, {spec} {1 - fpr:.3f}")
    return "\n".join(lines)
