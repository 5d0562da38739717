"""Round numbers for an axis, chosen as R's `pretty` chooses them."""

from math import ceil, floor, log10
from typing import Final

import numpy as np

from pipelines.statistics.values import Floats

_ROUNDING: Final = 1e-7
# how much larger a step is preferred over a smaller one, for 1, 2 and 10, and for 5
_BIAS: Final = 1.5
_BIAS_OF_FIVE: Final = 0.5 + 1.5 * _BIAS


def pretty(low: float, high: float, n: int = 5) -> Floats:
    """About `n` intervals of round length that cover `low` to `high`, shape (number of ticks,).

    Raises
    ------
    ValueError
        If the limits are not finite, or not in ascending order.

    References
    ----------
    R's `pretty.default`; Becker, Chambers & Wilks 1988.

    >>> pretty(18, 81, 10).tolist()
    [15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0, 65.0, 70.0, 75.0, 80.0, 85.0]
    """
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"no axis leads from {low} to {high}")
    cell = (high - low) / n
    base = 10.0 ** floor(log10(cell))
    unit = base
    for multiple, bias in ((2, _BIAS), (5, _BIAS_OF_FIVE), (10, _BIAS)):
        if multiple * base - cell < bias * (cell - unit):
            unit = multiple * base
    first, last = floor(low / unit + _ROUNDING), ceil(high / unit - _ROUNDING)
    while first * unit > low + _ROUNDING * unit:
        first -= 1
    while last * unit < high - _ROUNDING * unit:
        last += 1
    return np.asarray(np.arange(first, last + 1) * unit, dtype=np.float64)
