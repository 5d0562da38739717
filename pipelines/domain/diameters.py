"""The two diameters of a lesion that RECIST asks for, and where they were measured."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A place in one image, in pixels.

    Attributes
    ----------
    column, row
        The top left corner of the first pixel is 0, 0 and its centre 0.5, 0.5 (PS3.3 C.18.6.1.2).
    """

    column: float
    row: float


@dataclass(frozen=True, slots=True)
class Caliper:
    """A straight line across a lesion within one slice.

    Attributes
    ----------
    length_mm
        Distance of its ends, which counts the pixel spacing of each direction.
    """

    start: Point
    end: Point
    length_mm: float


@dataclass(frozen=True, slots=True)
class Diameters:
    """Long axis and short axis of a lesion on the slice where the long axis is longest.

    Attributes
    ----------
    slice_index
        Index of that slice in the CT volume.
    short
        The longest line at a right angle to the long axis.
    parts
        Separate parts that the lesion has on that slice; only the one with the long axis was measured.
    """

    slice_index: int
    long: Caliper
    short: Caliper
    parts: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.short.length_mm <= self.long.length_mm or not math.isfinite(self.long.length_mm):
            raise ValueError("the short axis of a lesion is not longer than its long axis")
