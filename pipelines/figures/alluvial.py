"""Where metastases were at baseline and where the disease progressed: an alluvial diagram with counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from pipelines.figures import text
from pipelines.figures.canvas import INK, PAGE_MM, PLAIN, Drawing, Style, colours, drawing, emphasis, sheet
from pipelines.figures.values import filled
from pipelines.figures.words import say

_NODE, _SPACE = 3.5, 2.2


@dataclass(frozen=True, slots=True)
class AlluvialNode:
    """A site on one side: its name, and how many patients have it (each counted once)."""

    label: str
    n: int

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError(f"{self.label}: a number of patients is not negative")


@dataclass(frozen=True, slots=True)
class Ribbon:
    """How many patients have `source` at baseline and `target` at progression."""

    source: str
    target: str
    n: int

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError(f"{self.source} to {self.target}: a number of patients is not negative")


def alluvial(
    sources: Sequence[AlluvialNode],
    targets: Sequence[AlluvialNode],
    ribbons: Sequence[Ribbon],
    *,
    patients: int,
    headings: tuple[str, str] | None = None,
    style: Style = PLAIN,
) -> Drawing:
    """Draw baseline sites, sites of progression, and the patients between them.

    A patient with several sites is in several ribbons; the height of a node is the sum of its ribbons, its number the
    patients. Sites on both sides are coloured alike, and a table below gives those who progressed at the same site
    again by both denominators: all patients, and those with the site at baseline.

    Parameters
    ----------
    sources, targets
        Sites at baseline (left) and at progression (right), from top to bottom.
    ribbons
        Pairs with a number; those of 0 are not drawn.
    patients
        All patients, the first denominator.
    headings
        Over the two sides.

    Raises
    ------
    ValueError
        Without sites or ribbons, if a ribbon names a site that is not there or has more patients than one of its
        sites, if a pair comes twice, or if a site has more patients than there are.
    """
    for things, what in ((sources, "baseline sites"), (targets, "sites of progression"), (ribbons, "ribbons")):
        filled(things, what)
    left, right = {node.label: node.n for node in sources}, {node.label: node.n for node in targets}
    pairs = {(ribbon.source, ribbon.target): ribbon.n for ribbon in ribbons}
    if len(pairs) != len(ribbons) or len(left) != len(sources) or len(right) != len(targets):
        raise ValueError("a site or a pair of sites comes twice")
    if max([*left.values(), *right.values()]) > patients:
        raise ValueError(f"a site has more than all {patients} patients")
    for (source, target), n in pairs.items():
        if source not in left or target not in right:
            raise ValueError(f"{source} to {target}: the site is not among the nodes")
        if n > min(left[source], right[target]):
            raise ValueError(f"{source} to {target}: {n} patients are more than one of the sites has")
    if not any(pairs.values()):
        raise ValueError("every ribbon is empty")
    same = [label for label in left if (label, label) in pairs and left[label]]
    sites = list(dict.fromkeys([*left, *right]))
    tint = dict(zip(sites, colours(len(sites)), strict=True))
    flow_mm = max(60.0, 7.5 * max(len(left), len(right)))
    heads = headings or (say("Baseline sites", style.language), say("Sites of progression", style.language))
    table_mm = 9.0 + 4.2 * len(same) if same else 0.0

    def paint(figure: FigureBase) -> None:
        axes = sheet(figure)
        width = axes.get_xlim()[1]
        small = style.small_pt
        labels = [[_label(node, patients) for node in side] for side in (sources, targets)]
        room = [max(text.width_mm(label, small) for label in side) + 4.5 for side in labels]
        x = (room[0], width - room[1] - _NODE)
        for place, head, align in ((x[0] + _NODE, heads[0], "right"), (x[1], heads[1], "left")):
            axes.text(place, 4.0, head, size=style.font_pt, ha=align, va="center", **emphasis(head))
        flows = (
            {name: sum(n for (source, _), n in pairs.items() if source == name) for name in left},
            {name: sum(n for (_, target), n in pairs.items() if target == name) for name in right},
        )
        gaps = max(len(left), len(right)) - 1
        # nodes without ribbons stay visible, and labels need the height of a line
        least = text.height_mm(1, small)
        unit = (flow_mm - _SPACE * gaps) / max(sum(flow.values()) for flow in flows)
        tops = []
        for side, (flow, nodes) in enumerate(zip(flows, labels, strict=True)):
            heights = [max(flow[name] * unit, 0.5) for name in flow]
            spaces = [max(_SPACE, least - (a + b) / 2) for a, b in pairwise(heights)]
            total = sum(heights) + sum(spaces)
            y, places = 8.0 + max(0.0, (flow_mm - total) / 2), {}
            for number, (name, high) in enumerate(zip(flow, heights, strict=True)):
                axes.add_patch(Rectangle((x[side], y), _NODE, high, facecolor=tint[name], edgecolor="none"))
                edge, align = (x[0] - 1.2, "right") if side == 0 else (x[1] + _NODE + 1.2, "left")
                axes.text(edge, y + high / 2, nodes[number], size=small, ha=align, va="center")
                places[name] = y
                y += high + (spaces[number] if number < len(spaces) else 0.0)
            tops.append(places)
        _ribbons(axes, pairs, (left, right), tops, (x[0] + _NODE, x[1]), unit, tint)
        if same:
            _table(axes, [(name, pairs[name, name], left[name]) for name in same], patients, flow_mm + 17.0, style)

    return drawing(
        paint,
        style,
        width_mm=PAGE_MM,
        height_mm=flow_mm + 11.0 + table_mm,
        description=f"Alluvial diagram of {patients} patients from {len(sources)} baseline sites "
        f"to {len(targets)} sites of progression.",
    )


def _label(node: AlluvialNode, patients: int) -> str:
    return f"{node.label}  {node.n} ({100 * node.n / patients:.1f}%)"


def _ribbons(
    axes: Axes,
    pairs: dict[tuple[str, str], int],
    names: tuple[dict[str, int], dict[str, int]],
    tops: Sequence[dict[str, float]],
    x: tuple[float, float],
    unit: float,
    tint: dict[str, str],
) -> None:
    starts, ends = dict(tops[0]), dict(tops[1])
    middle = (x[0] + x[1]) / 2
    placed = {}
    for source in names[0]:
        for target in names[1]:
            if pairs.get((source, target)):
                placed[source, target] = starts[source]
                starts[source] += pairs[source, target] * unit
    for target in names[1]:
        for source in names[0]:
            n = pairs.get((source, target), 0)
            if not n:
                continue
            a, b, high = placed[source, target], ends[target], n * unit
            ends[target] += high
            points = [
                (x[0], a), (middle, a), (middle, b), (x[1], b),
                (x[1], b + high), (middle, b + high), (middle, a + high), (x[0], a + high), (x[0], a),
            ]  # fmt: skip
            codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
            strong = source == target
            axes.add_patch(PathPatch(Path(points, codes), facecolor=tint[source], alpha=0.6 if strong else 0.22, lw=0))
            if high > 2.6:
                axes.text(x[0] + 1.0, a + high / 2, str(n), size=6, va="center", ha="left", color=INK)


def _table(axes: Axes, rows: Sequence[tuple[str, int, int]], patients: int, top: float, style: Style) -> None:
    small = style.small_pt
    first = say("Same site again", style.language)
    left = 3.0 + max(text.width_mm(first, small, bold=True), *(text.width_mm(name, small) for name, _, _ in rows))
    cells = [(str(n), f"{100 * n / patients:.1f}%", f"{100 * n / base:.1f}% ({n}/{base})") for _, n, base in rows]
    of_all = f"{say('of all', style.language)} (n{text.NO_BREAK}={text.NO_BREAK}{patients})"
    room = (axes.get_xlim()[1] - 3.0 - left - 3 * 5.0) / 3
    stops, heads = [], []
    for number, head in enumerate(("n", of_all, say("of those with the site at baseline", style.language))):
        lines = text.wrapped(head, room + (8.0 if number == 2 else -4.0), small)
        wide = [text.width_mm(line, small) for line in (*lines, *(row[number] for row in cells))]
        left += 5.0 + max(wide)
        stops.append(left)
        heads.append(lines)
    axes.text(3, top, first, size=small, va="bottom", **emphasis(first))
    for lines, stop in zip(heads, stops, strict=True):
        axes.text(stop, top, "\n".join(lines), size=small, ha="right", va="bottom", linespacing=1.1)
    axes.plot([3, stops[-1]], [top + 0.9] * 2, color=INK, lw=0.5)
    for number, ((name, _, _), row) in enumerate(zip(rows, cells, strict=True)):
        y = top + 3.2 + 4.2 * number
        axes.text(3, y, name, size=small, va="center")
        for cell, stop in zip(row, stops, strict=True):
            axes.text(stop, y, cell, size=small, ha="right", va="center")
