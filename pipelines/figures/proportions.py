"""Shares of patients: bars by group with intervals and p values, stacked bars, and shares over time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import FigureBase

from pipelines.figures import text
from pipelines.figures.canvas import (
    BLUE,
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
from pipelines.figures.values import filled, p_text
from pipelines.figures.words import say


@dataclass(frozen=True, slots=True)
class Share:
    """Patients with something out of all of a group.

    Attributes
    ----------
    count, n
        Numerator and denominator; `n` may be 0, the share is then unknown and no bar is drawn.
    ci
        Confidence limits of the share, from 0 to 1.
    """

    count: int
    n: int
    ci: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.n:
            raise ValueError(f"{self.count} of {self.n} is no share")
        if self.ci is not None and not 0 <= self.ci[0] <= self.ci[1] <= 1:
            raise ValueError(f"limits of a share rise between 0 and 1, not {self.ci}")

    @property
    def percent(self) -> float:
        """The share in percent; NaN of nobody."""
        return 100 * self.count / self.n if self.n else float("nan")


@dataclass(frozen=True, slots=True)
class SharesOfGroup:
    """The shares of one group, one per category (or time bin)."""

    label: str
    shares: tuple[Share, ...]


def grouped_bars(
    categories: Sequence[str],
    groups: Sequence[SharesOfGroup],
    *,
    p: Sequence[float | None] = (),
    ylabel: str | None = None,
    note: str = "",
    style: Style = PLAIN,
) -> Drawing:
    """Bars of percentages side by side, with intervals, counts and a p value over each category.

    For sites of progression by group, where percentages add up to more than 100, and for response rates.

    Parameters
    ----------
    categories
        Names under the bars.
    groups
        One colour each; every group has one share per category.
    p
        One per category, or none.
    ylabel
        "Percentage of patients (%)" when not given.
    note
        A line over the figure, for example the name of the test.

    Raises
    ------
    ValueError
        Without categories or groups, or if numbers of shares or p values do not fit.
    """
    _fit(categories, groups)
    if p and len(p) != len(categories):
        raise ValueError(f"{len(categories)} p values are needed, not {len(p)}")
    wide = 0.8 / len(groups)
    bars = len(categories) * len(groups)
    width = style.width_mm or (COLUMN_MM if bars <= 8 else PAGE_MM)

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        tops = np.zeros(len(categories))
        for number, (group, colour) in enumerate(zip(groups, colours(len(groups)), strict=True)):
            sizes = {share.n for share in group.shares}
            name = f"{group.label} (n = {sizes.pop()})" if len(sizes) == 1 else group.label
            x = np.arange(len(categories)) + (number - (len(groups) - 1) / 2) * wide
            axes.bar(
                x, [np.nan_to_num(share.percent) for share in group.shares], wide * 0.9, color=colour, lw=0, label=name
            )
            for place, (at, share) in enumerate(zip(x, group.shares, strict=True)):
                top = np.nan_to_num(share.percent)
                if share.ci is not None:
                    low, high = 100 * share.ci[0], 100 * share.ci[1]
                    axes.plot([at, at], [low, high], color=INK, lw=0.7)
                    top = max(top, high)
                told = "–" if not share.n else f"{share.percent:.1f}"
                axes.annotate(told, (at, top), (0, 1.5), textcoords="offset points", ha="center", va="bottom", size=6)
                tops[place] = max(tops[place], top)
        most = float(tops.max()) or 1.0
        for place, chance in enumerate(p):
            if p_text(chance):
                left, right = place - 0.4, place + 0.4
                y = tops[place] + 0.075 * most
                axes.plot([left, left, right, right], [y, y + 0.015 * most, y + 0.015 * most, y], color=INK, lw=0.5)
                axes.text(place, y + 0.025 * most, p_text(chance), ha="center", va="bottom", size=6)
        each = 0.86 * width / len(categories)
        labels = ["\n".join(text.wrapped(name, each, style.font_pt)) for name in categories]
        axes.set_xticks(range(len(categories)), labels, size=style.font_pt)
        axes.set(ylim=(0, most * 1.2), ylabel=ylabel or f"{say('Percentage of patients', style.language)} (%)")
        if len(categories) == 1:
            axes.set_xlim(-0.9, 0.9)
        axes.tick_params(axis="x", length=0)
        figure.legend(loc="outside upper center", ncols=min(len(groups), 3 if width < 120 else 5), title=note or None)
        frameless(axes)

    return drawing(
        paint,
        style,
        width_mm=width,
        height_mm=68,
        description=f"Percentages of {', '.join(categories)} in {' and '.join(group.label for group in groups)}.",
    )


def stacked_bars(
    levels: Sequence[str],
    groups: Sequence[SharesOfGroup],
    *,
    p: float | None = None,
    test: str = "",
    title: str = "",
    style: Style = PLAIN,
) -> Drawing:
    """One bar per group, divided into levels that add up to 100 %, for example PD-L1 by progression pattern.

    Parameters
    ----------
    levels
        Ordered from low to high, drawn from light to dark.
    groups
        Each with one share per level; counts add up to the group's n.
    p, test
        p value of the comparison and the name of its test.
    title
        What the levels are, over the legend.

    Raises
    ------
    ValueError
        Without levels or groups, or if the counts of a group do not add up to its n.
    """
    _fit(levels, groups)
    for group in groups:
        if {share.n for share in group.shares} != {sum(share.count for share in group.shares)}:
            raise ValueError(f"{group.label}: the counts of the levels do not add up to n")
    greys = [
        (1 - w) * np.array([0.87, 0.92, 0.97]) + w * np.array([0.0, 0.33, 0.55]) for w in np.linspace(0, 1, len(levels))
    ]

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        base = np.zeros(len(groups))
        for number, level in enumerate(levels):
            high = np.array([np.nan_to_num(group.shares[number].percent) for group in groups])
            tone = greys[number]
            axes.bar(range(len(groups)), high, 0.62, base, color=tuple(tone), label=level, edgecolor="white", lw=0.5)
            for place, group in enumerate(groups):
                if high[place] >= 5:
                    share = group.shares[number]
                    ink = "white" if tone.mean() < 0.6 else INK
                    told = (
                        f"{share.count}\n({share.percent:.1f}%)"
                        if high[place] >= 9
                        else f"{share.count} ({share.percent:.1f}%)"
                    )
                    axes.text(place, base[place] + high[place] / 2, told, ha="center", va="center", size=6, color=ink)
            base += high
        labels = [f"{group.label}\nn = {group.shares[0].n}" for group in groups]
        axes.set_xticks(range(len(groups)), labels, size=style.font_pt)
        axes.set(
            ylim=(0, 100), ylabel=f"{say('Percentage of patients', style.language)} (%)", xlim=(-0.6, len(groups) - 0.4)
        )
        if p_text(p):
            axes.set_title(f"{test} {p_text(p)}".strip(), size=style.small_pt)
        axes.tick_params(axis="x", length=0)
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles[::-1], names[::-1], loc="outside right center", title=title or None)
        frameless(axes)

    return drawing(
        paint,
        style,
        width_mm=max(COLUMN_MM, min(PAGE_MM, 30.0 * len(groups) + 25)),
        height_mm=70,
        description=f"{title or 'Levels'} by group: {', '.join(group.label for group in groups)}.",
    )


def shares_over_time(
    bins: Sequence[str],
    shares: Sequence[Share],
    *,
    label: str,
    xlabel: str = "Time to progression (months)",
    other: str = "",
    p_trend: float | None = None,
    test: str = "",
    style: Style = PLAIN,
) -> Drawing:
    """The share of one pattern in bins of time, with intervals, counts and a p value for the trend.

    Parameters
    ----------
    bins
        Names of the bins, in order.
    shares
        One per bin; a bin without patients stays empty.
    label, other
        What is counted, and what the rest is.
    p_trend, test
        p value of the trend and the name of its test.

    Raises
    ------
    ValueError
        Without bins, if lengths differ, or if all bins are empty.
    """
    filled(bins, "time bins")
    if len(shares) != len(bins):
        raise ValueError(f"{len(bins)} shares are needed, not {len(shares)}")
    if not any(share.n for share in shares):
        raise ValueError("no bin holds a patient")

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        x = np.arange(len(bins))
        y = np.array([share.percent for share in shares])
        axes.bar(x, np.where(np.isfinite(y), 100.0, 0.0), 0.7, color="#ECECEC", lw=0, label=other or None)
        axes.bar(x, np.nan_to_num(y), 0.7, color=BLUE, alpha=0.85, lw=0, label=label)
        axes.axhline(50, color=INK, lw=0.5, ls=(0, (3, 2)))
        for at, share in zip(x, shares, strict=True):
            if share.ci is not None and share.n:
                low, high = 100 * share.ci[0], 100 * share.ci[1]
                axes.plot([at, at], [low, high], color=INK, lw=0.8)
                for end in (low, high):
                    axes.plot([at - 0.06, at + 0.06], [end, end], color=INK, lw=0.8)
            axes.annotate(
                f"{share.count}/{share.n}", (at, 100 if share.n else 0), (0, 2), textcoords="offset points",
                ha="center", va="bottom", size=6,
            )  # fmt: skip
        axes.set_xticks(x, bins)
        axes.set(ylim=(0, 107), xlabel=xlabel, ylabel=f"{say('Percentage of patients', style.language)} (%)")
        axes.set_yticks(range(0, 101, 20))
        chance = p_text(p_trend)
        title = f"{test or say('Trend', style.language)} {chance}" if chance else None
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles[::-1], names[::-1], loc="outside upper center", ncols=2, title=title)
        axes.tick_params(axis="x", length=0)
        frameless(axes)

    return drawing(
        paint,
        style,
        width_mm=COLUMN_MM if len(bins) <= 8 else PAGE_MM,
        height_mm=68,
        description=f"Share of {label} in {len(bins)} bins of time.",
    )


def _fit(categories: Sequence[str], groups: Sequence[SharesOfGroup]) -> None:
    filled(categories, "categories")
    filled(groups, "groups")
    for group in groups:
        if len(group.shares) != len(categories):
            raise ValueError(f"{group.label}: {len(categories)} shares are needed, not {len(group.shares)}")
