"""A number as it is printed, with the range of values that round to it."""

import re
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = re.compile(r"(?P<sign>[<>≤≥]?)\s*(?P<number>-?(\d+\.?\d*|\.\d+)(e-?\d+)?)", re.IGNORECASE)
_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed number.

    Attributes
    ----------
    low, high
        All values that would be printed like that: half a unit of the last digit to both sides, or one side of a bound.
    """

    text: str
    value: float
    low: float
    high: float

    def allows(self, value: float) -> bool:
        """Whether `value` would be printed like this, whichever way a half is rounded."""
        return self.low - _SLACK <= value <= self.high + _SLACK

    def meets(self, low: float, high: float) -> bool:
        """Whether any value from `low` to `high` would be."""
        return low <= self.high + _SLACK and high >= self.low - _SLACK


def read_printed(text: str, *, percent: bool = False) -> Printed | None:
    """The number in a cell, such as `0.837`, `<0.001` or `1e-5`; None when there is no number.

    Parameters
    ----------
    percent
        Whether a sign of percent may follow.

    >>> read_printed("0.040").low
    0.0395
    >>> read_printed("<0.001").high
    0.001
    """
    cleaned = text.strip().replace("\N{MINUS SIGN}", "-").replace("\N{MIDDLE DOT}", ".")
    cleaned = cleaned.removesuffix("%").rstrip() if percent else cleaned
    found = _NUMBER.fullmatch(cleaned)
    if found is None:
        return None
    number = found["number"].lower()
    value = float(number)
    if found["sign"] in ("<", "≤"):
        return Printed(text.strip(), value, float("-inf"), value)
    if found["sign"] in (">", "≥"):
        return Printed(text.strip(), value, value, float("inf"))
    mantissa, _, exponent = number.partition("e")
    digits = len(mantissa.partition(".")[2]) - int(exponent or 0)
    half = 0.5 * 10.0**-digits
    return Printed(text.strip(), value, round(value - half, digits + 2), round(value + half, digits + 2))
