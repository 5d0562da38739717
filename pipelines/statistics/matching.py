"""One-to-one nearest-neighbour matching without replacement, on a distance such as the propensity score."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.statistics.values import Floats

Order = Literal["largest", "smallest", "closest", "data"]
"""Who chooses first: the largest or smallest distance, the closest pair of all, or the rows as they come."""
CaliperUnit = Literal["absolute", "sd"]


@dataclass(frozen=True, slots=True)
class Caliper:
    """How far the members of a pair may lie apart.

    Attributes
    ----------
    width
        Positive; `absolute` on the scale of the distance, or in its standard deviations over all patients.
    """

    width: float
    unit: CaliperUnit

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise ValueError("a caliper must be wider than nothing")

    def on(self, distance: Floats) -> float:
        """The width on the scale of `distance`."""
        return self.width * (float(distance.std(ddof=1)) if self.unit == "sd" else 1.0)


@dataclass(frozen=True, slots=True)
class Matched:
    """Pairs of rows.

    Attributes
    ----------
    treated, control
        Row numbers, pair by pair, ordered by the treated row.
    caliper
        Width that was applied, on the scale of the distance; infinite without one.
    """

    treated: NDArray[np.intp]
    control: NDArray[np.intp]
    caliper: float

    def rows(self) -> NDArray[np.intp]:
        """All matched rows in ascending order."""
        return np.sort(np.concatenate([self.treated, self.control]))


def match_nearest(
    distance: Floats, treated: NDArray[np.bool_], *, caliper: Caliper | None = None, order: Order = "largest"
) -> Matched:
    """Give every treated row the nearest control that is still free.

    Parameters
    ----------
    distance
        One number a row, such as the logit of the propensity score, shape (n,).
    treated
        Which rows choose, shape (n,).
    caliper
        A pair further apart is not made, and its treated row stays alone.
    order
        Who chooses first; controls at one distance are taken in the order of the rows.

    References
    ----------
    Rosenbaum & Rubin 1985; Austin 2011. Equal to R's MatchIt 4.7.2 (method nearest, ratio 1) but for ties.
    """
    if not np.isfinite(distance).all():
        raise ValueError("a distance is missing")
    reach = np.inf if caliper is None else caliper.on(distance)
    choosers, free = np.flatnonzero(treated), np.flatnonzero(~treated)
    gaps = abs(distance[choosers][:, None] - distance[free][None, :])
    gaps[gaps > reach] = np.inf
    pairs = _closest_first(gaps) if order == "closest" else _in_turn(gaps, _turns(distance[choosers], order))
    chosen = sorted((choosers[row], free[column]) for row, column in pairs)
    return Matched(
        np.array([one for one, _ in chosen], dtype=np.intp), np.array([one for _, one in chosen], dtype=np.intp), reach
    )


def _turns(distance: Floats, order: Order) -> NDArray[np.intp]:
    match order:
        case "largest":
            return np.argsort(-distance, kind="stable")
        case "smallest":
            return np.argsort(distance, kind="stable")
        case _:
            return np.arange(distance.size)


def _in_turn(gaps: Floats, turns: NDArray[np.intp]) -> list[tuple[int, int]]:
    pairs = []
    for row in turns:
        if not gaps.shape[1]:
            break
        column = int(np.argmin(gaps[row]))
        if np.isfinite(gaps[row, column]):
            pairs.append((int(row), column))
            gaps[:, column] = np.inf
    return pairs


def _closest_first(gaps: Floats) -> list[tuple[int, int]]:
    pairs = []
    rows, columns = np.unravel_index(np.argsort(gaps, axis=None, kind="stable"), gaps.shape)
    row_free, column_free = np.ones(gaps.shape[0], bool), np.ones(gaps.shape[1], bool)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if not np.isfinite(gaps[row, column]):
            break
        if row_free[row] and column_free[column]:
            row_free[row] = column_free[column] = False
            pairs.append((row, column))
    return pairs
