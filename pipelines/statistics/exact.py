"""The exact test of a table of counts with any number of rows and columns."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipelines.statistics.values import Floats

Counts = NDArray[np.int64]

# tables whose probability differs by less count as equally likely, as in R's fisher.test
_TOLERANCE: Final = 1e-7
_WORK: Final = 5_000_000
_PARTIAL: Final = 1e-9


class TooLargeError(ValueError):
    """The table has too many fellows of the same margins to count them all."""


def freeman_halton(table: Counts) -> float:
    """Probability of a table no more likely than this one, given its margins.

    Parameters
    ----------
    table
        Counts, shape (rows, columns).

    Raises
    ------
    TooLargeError
        If the sum would take minutes; `freeman_halton_sampled` approximates it.

    References
    ----------
    Freeman & Halton 1951; the walk over row margins with bounds is that of Mehta & Patel 1983.
    """
    table = _compact(table)
    if min(table.shape) < 2:
        return 1.0
    walk = _Walk(table.sum(axis=1), -float(special.gammaln(table + 1.0).sum()))
    columns = tuple(sorted(table.sum(axis=0).tolist()))
    total = walk.total(len(table), columns)
    return float(min(1.0, np.exp(walk.no_more_likely(columns) - total)))


def freeman_halton_sampled(table: Counts, *, seed: int, samples: int = 100_000) -> float:
    """`freeman_halton` estimated from random tables of the same margins; never below 1 / (samples + 1).

    References
    ----------
    Agresti 2013, section 3.5; R's `fisher.test(simulate.p.value = TRUE)` counts in the same way.
    """
    table = _compact(table)
    if min(table.shape) < 2:
        return 1.0
    generator = np.random.default_rng(seed)
    row_of = np.repeat(np.arange(table.shape[0]), table.sum(axis=1))
    column_of = np.repeat(np.arange(table.shape[1]), table.sum(axis=0))
    observed = -special.gammaln(table + 1.0).sum()
    hits, size = 0, table.size
    batch = max(1, 2_000_000 // row_of.size)
    for start in range(0, samples, batch):
        count = min(batch, samples - start)
        shuffled = generator.permuted(np.tile(column_of, (count, 1)), axis=1)
        cells = row_of * table.shape[1] + shuffled + size * np.arange(count)[:, None]
        drawn = np.bincount(cells.ravel(), minlength=size * count).reshape(count, size)
        hits += int((-special.gammaln(drawn + 1.0).sum(axis=1) <= observed + _TOLERANCE).sum())
    return (hits + 1) / (samples + 1)


def _compact(table: Counts) -> Counts:
    """Rows and columns with cases alone, and the shorter side as columns, which a state has to remember."""
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    return table if table.shape[0] >= table.shape[1] else table.T


@dataclass
class _Walk:
    """Adds up tables row by row; what is left of the column margins is all that a state needs to know.

    All weights are logarithms; the weight of a table is minus the sum of the log factorials of its cells.
    """

    rows: Counts
    observed: float
    _extremes: dict[tuple[int, tuple[int, ...]], tuple[float, float]] = field(default_factory=dict)
    _work: int = 0

    @cached_property
    def left(self) -> Counts:
        """Number of cases in the first k rows, k = 0 .. number of rows."""
        return np.concatenate([[0], np.cumsum(self.rows)])

    def total(self, rows: int, columns: tuple[int, ...]) -> float:
        """Weight of all tables of the first `rows` rows with these column margins (Vandermonde)."""
        return float(
            special.gammaln(self.left[rows] + 1.0)
            - special.gammaln(self.rows[:rows] + 1.0).sum()
            - special.gammaln(np.array(columns) + 1.0).sum()
        )

    def no_more_likely(self, columns: tuple[int, ...]) -> float:
        """Weight of all tables that weigh no more than the observed one."""
        states: dict[tuple[int, ...], list[tuple[Floats, Floats]]] = {columns: [(np.zeros(1), np.ones(1))]}
        settled: list[float] = []
        for row in range(len(self.rows), 0, -1):
            following: dict[tuple[int, ...], list[tuple[Floats, Floats]]] = {}
            for state, parts in states.items():
                past, times = _merged(parts)
                for after, weight in self._fillings(row, state):
                    low, high = self._bounds(row - 1, after)
                    reached = past + weight
                    self._spend(reached.size)
                    done = reached + high <= self.observed + _TOLERANCE
                    if done.any():
                        settled.append(
                            float(special.logsumexp(reached[done], b=times[done])) + self.total(row - 1, after)
                        )
                    open_ = ~done & (reached + low <= self.observed + _TOLERANCE)
                    if open_.any():
                        following.setdefault(after, []).append((reached[open_], times[open_]))
            states = following
        return float(special.logsumexp(settled)) if settled else -np.inf

    def _bounds(self, rows: int, columns: tuple[int, ...]) -> tuple[float, float]:
        """Smallest and largest weight that the first `rows` rows can have."""
        if rows == 0:
            return 0.0, 0.0
        known = self._extremes.get((rows, columns))
        if known is None:
            low, high = np.inf, -np.inf
            for after, weight in self._fillings(rows, columns):
                inner = self._bounds(rows - 1, after)
                low, high = min(low, weight + inner[0]), max(high, weight + inner[1])
            known = self._extremes[rows, columns] = (low, high)
        return known

    def _fillings(self, row: int, columns: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], float]]:
        """Every way to fill row number `row` (from 1), as the margins that remain and the row's weight."""
        limits = np.array(columns)
        cells = np.zeros((1, 0), dtype=np.int64)
        missing = np.array([self.rows[row - 1]])
        for index, limit in enumerate(limits):
            room = limits[index + 1 :].sum()
            low, high = np.maximum(missing - room, 0), np.minimum(missing, limit)
            number = high - low + 1
            self._spend(int(number.sum()))
            chosen = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number) + np.repeat(low, number)
            cells = np.column_stack([np.repeat(cells, number, axis=0), chosen])
            missing = np.repeat(missing, number) - chosen
        weights = -special.gammaln(cells + 1.0).sum(axis=1)
        # what remains is as likely in any order of the columns
        remaining = np.sort(limits - cells, axis=1)
        yield from zip(map(tuple, remaining.tolist()), weights.tolist(), strict=True)

    def _spend(self, steps: int) -> None:
        self._work += steps
        if self._work > _WORK:
            raise TooLargeError("too many tables have these margins to count them all")


def _merged(parts: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Equal weights of several ways to one state as one, with how often each occurs."""
    weights = np.concatenate([weight for weight, _ in parts])
    times = np.concatenate([time for _, time in parts])
    _, first, place = np.unique(np.round(weights / _PARTIAL), return_index=True, return_inverse=True)
    return weights[first], np.bincount(place, weights=times).astype(np.float64)
