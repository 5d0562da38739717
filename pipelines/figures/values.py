"""What every figure asks of its numbers: that there are some, that they are numbers, that they fit together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def numbers(values: ArrayLike, what: str, *, least: int = 1, length: int | None = None) -> Array:
    """A row of finite numbers.

    Raises
    ------
    ValueError
        If there are fewer than `least`, not exactly `length`, or if one is NaN or infinite.
    """
    array = gaps(values, what, least=least, length=length)
    if not np.isfinite(array).all():
        raise ValueError(f"{what}: {int((~np.isfinite(array)).sum())} of {array.size} values are no finite numbers")
    return array


def gaps(values: ArrayLike, what: str, *, least: int = 1, length: int | None = None) -> Array:
    """A row of numbers in which NaN and infinity stand for what is not known.

    Raises
    ------
    ValueError
        If there are fewer than `least`, or not exactly `length`.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{what}: one row of numbers is needed, not an array of shape {array.shape}")
    if array.size < least:
        raise ValueError(f"{what}: at least {least} values are needed, not {array.size}")
    if length is not None and array.size != length:
        raise ValueError(f"{what}: {length} values are needed, not {array.size}")
    return array


def filled(things: Sequence[object], what: str) -> None:
    """Refuse an empty list.

    Raises
    ------
    ValueError
        If it is empty.
    """
    if len(things) == 0:
        raise ValueError(f"{what}: at least one is needed")


def p_text(p: float | None) -> str:
    """A p value as journals print it; nothing when there is none.

    >>> p_text(0.00004), p_text(0.0234), p_text(0.2), p_text(None)
    ('P < 0.001', 'P = 0.023', 'P = 0.20', '')
    """
    bare = p_bare(p)
    return "" if not bare else f"P {bare}" if bare[0] == "<" else f"P = {bare}"


def p_bare(p: float | None) -> str:
    """A p value for a column headed P.

    >>> p_bare(0.00004), p_bare(0.0234), p_bare(0.2)
    ('< 0.001', '0.023', '0.20')
    """
    if p is None or not np.isfinite(p):
        return ""
    if not 0 <= p <= 1:
        raise ValueError(f"a p value lies between 0 and 1, not at {p}")
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def ci_text(value: float, lower: float, upper: float, digits: int = 2) -> str:
    """A value with its confidence interval.

    >>> ci_text(0.912, 0.837, 0.96, 3)
    '0.912 (0.837–0.960)'
    >>> ci_text(1.5, float("nan"), float("nan"))
    '1.50'
    """
    if not (np.isfinite(lower) and np.isfinite(upper)):
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({lower:.{digits}f}–{upper:.{digits}f})"
