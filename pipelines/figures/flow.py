"""The flow of patients through a study: boxes with n at each step, exclusions at the side, arms below."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle

from pipelines.figures import text
from pipelines.figures.canvas import BLUE, GREY, INK, PAGE_MM, PLAIN, Drawing, Style, drawing, sheet
from pipelines.figures.values import filled
from pipelines.figures.words import say

_PAD, _GAP = 1.4, 5.0
_ARROW = {"arrowstyle": "-|>,head_length=0.25,head_width=0.12", "color": INK, "lw": 0.6, "shrinkA": 0, "shrinkB": 0}


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One box: who was still there.

    Attributes
    ----------
    label
        What the step is; wrapped to the width of its box.
    n
        Number of patients.
    detail
        Further lines in the box, for example "responders n = 67".
    excluded
        Reasons and numbers of those who leave after this step, drawn at the side.
    """

    label: str
    n: int
    detail: tuple[str, ...] = ()
    excluded: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if self.n < 0 or any(n < 0 for _, n in self.excluded):
            raise ValueError(f"{self.label}: numbers of patients are not negative")
        if sum(n for _, n in self.excluded) > self.n:
            raise ValueError(f"{self.label}: more patients are excluded than there were")


def flow_diagram(
    trunk: Sequence[FlowStep], arms: Sequence[Sequence[FlowStep]] = (), *, style: Style = PLAIN
) -> Drawing:
    """Draw a flow diagram.

    Parameters
    ----------
    trunk
        Steps of all patients, from top to bottom.
    arms
        Groups into which the last step of the trunk divides, each with its own steps.

    Raises
    ------
    ValueError
        If there are no steps, an arm is empty, or numbers do not add up: a step that is followed by another must have n
        equal to the next one plus the excluded, and the arms must not have more patients than the trunk's end.
    """
    filled(trunk, "flow diagram")
    for steps in (trunk, *arms):
        filled(steps, "arm of the flow diagram")
        for step, following in pairwise(steps):
            left = step.n - sum(n for _, n in step.excluded)
            if left != following.n:
                raise ValueError(f"{following.label}: {left} patients come from the step before, not {following.n}")
    left = trunk[-1].n - sum(n for _, n in trunk[-1].excluded)
    if arms and sum(arm[0].n for arm in arms) > left:
        raise ValueError(f"the arms hold more than the {left} patients before them")
    width = style.width_mm or PAGE_MM
    height = _layout(None, trunk, arms, width, style)

    def paint(figure: FigureBase) -> None:
        axes = sheet(figure)
        _layout(axes, trunk, arms, axes.get_xlim()[1], style)

    ends = ", ".join(f"{arm[-1].label} n={arm[-1].n}" for arm in arms) or f"{trunk[-1].label} n={trunk[-1].n}"
    return drawing(
        paint,
        style,
        width_mm=width,
        height_mm=height,
        description=f"Flow diagram from {trunk[0].n} patients ({trunk[0].label}) to {ends}.",
    )


def _layout(
    axes: Axes | None, trunk: Sequence[FlowStep], arms: Sequence[Sequence[FlowStep]], width: float, style: Style
) -> float:
    margin = 2.0
    bottom, centre = _column(axes, trunk, margin, width - margin, margin, style, last=not arms)
    if not arms:
        return bottom + margin
    room = (width - 2 * margin) / len(arms)
    fork, ends = bottom + _GAP / 2, []
    for number, arm in enumerate(arms):
        start = margin + number * room
        end, middle = _column(axes, arm, start + 1.0, start + room - 1.0, bottom + _GAP, style, last=True)
        ends.append(end)
        if axes is not None:
            axes.plot([centre, centre, middle], [bottom, fork, fork], color=INK, lw=0.6, solid_joinstyle="miter")
            axes.annotate("", (middle, bottom + _GAP), (middle, fork), arrowprops=_ARROW)
    return max(ends) + margin


def _column(
    axes: Axes | None,
    steps: Sequence[FlowStep],
    start: float,
    end: float,
    top: float,
    style: Style,
    *,
    last: bool,
) -> tuple[float, float]:
    """Draw steps below each other (or only measure them); gives the lower end and the middle of the boxes."""
    room = end - start
    # in a narrow column the excluded stand between the boxes
    beside_boxes = room > 60 and any(step.excluded for step in steps)
    wide = min(0.5 * room if beside_boxes else 0.92 * room, 85.0)
    left = start if beside_boxes else start + (room - wide) / 2
    centre, y = left + wide / 2, top
    for number, step in enumerate(steps):
        lines = [*text.wrapped(step.label, wide - 2 * _PAD, style.font_pt), f"n = {step.n}"]
        for detail in step.detail:
            lines += text.wrapped(_joined(detail), wide - 2 * _PAD, style.font_pt)
        high = text.height_mm(len(lines), style.font_pt) + 2 * _PAD
        if axes is not None:
            _box(axes, (left, y, wide, high), lines, style.font_pt, BLUE, centred=True)
        y += high
        gap = _GAP if number + 1 < len(steps) or not last else 0.0
        if step.excluded:
            side = left + wide + 3.5 if beside_boxes else centre + 2.5
            beside = end - side
            lines = _reasons(step, beside - 2 * _PAD, style)
            tall = text.height_mm(len(lines), style.small_pt) + 2 * _PAD
            gap = max(2 * _GAP, tall + 3.0)
            if axes is not None:
                _box(axes, (side, y + (gap - tall) / 2, beside, tall), lines, style.small_pt, GREY, centred=False)
                axes.plot([centre, centre], [y, y + gap / 2], color=INK, lw=0.6)
                axes.annotate("", (side, y + gap / 2), (centre, y + gap / 2), arrowprops=_ARROW)
        if axes is not None and number + 1 < len(steps):
            axes.annotate("", (centre, y + gap), (centre, y), arrowprops=_ARROW)
        elif axes is not None and not last and gap:
            axes.plot([centre, centre], [y, y + gap], color=INK, lw=0.6)
        y += gap
    return y, centre


def _reasons(step: FlowStep, room: float, style: Style) -> list[str]:
    total = sum(n for _, n in step.excluded)
    lines = [f"{say('Excluded', style.language)} n = {total}"] if len(step.excluded) > 1 else []
    for reason, n in step.excluded:
        told = f"{reason} {_joined(f'(n = {n})')}"
        first, *rest = text.wrapped(told, room - (2.0 if lines else 0.0), style.small_pt)
        lines += [f"• {first}" if lines else first, *(f"   {line}" if lines else line for line in rest)]
    return lines


def _joined(words: str) -> str:
    return words.replace(" = ", f"{text.NO_BREAK}={text.NO_BREAK}")


def _box(
    axes: Axes, box: tuple[float, float, float, float], lines: list[str], size: float, edge: str, *, centred: bool
) -> None:
    left, top, wide, high = box
    axes.add_patch(Rectangle((left, top), wide, high, facecolor="white", edgecolor=edge, lw=0.8))
    pitch = text.height_mm(1, size)
    for number, line in enumerate(lines):
        x, align = (left + wide / 2, "center") if centred else (left + _PAD, "left")
        axes.text(x, top + _PAD + pitch * (number + 0.5), line, size=size, ha=align, va="center")
