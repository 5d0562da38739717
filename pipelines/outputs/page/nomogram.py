"""A nomogram with one predictor: from the Rad-signature by points to the probability."""

import math
from dataclasses import dataclass
from typing import Final

_LEAST_RANGE: Final = 5.0
"""Log odds that the axes reach at least on both sides: probabilities of 0.7 % to 99.3 %."""
_PROBABILITIES: Final = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Nomogram:
    """Three parallel axes; what stands above each other belongs together.

    Attributes
    ----------
    low, high
        Rad-signature (log odds) at 0 and at 100 points.
    """

    low: float
    high: float

    def points(self, signature: float) -> float:
        """Points of a signature: 100 for the whole length of its axis, as with every strongest predictor.

        References
        ----------
        R package rms, nomogram(): points are (beta x - min) / range * 100.
        """
        return 100.0 * (signature - self.low) / (self.high - self.low)

    @property
    def signatures(self) -> list[float]:
        """Round numbers along the axis of the signature."""
        step = next(s for s in _steps(self.high - self.low) if (self.high - self.low) / s <= 10)
        return [step * n for n in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]

    @property
    def probabilities(self) -> list[tuple[float, float]]:
        """Probabilities along their axis, each with its points."""
        every = [(p, self.points(math.log(p / (1.0 - p)))) for p in _PROBABILITIES]
        return [(p, points) for p, points in every if 0.0 <= points <= 100.0]


def nomogram(signature: float, training: tuple[float, float] | None = None) -> Nomogram:
    """The nomogram on which `signature` has a place.

    Parameters
    ----------
    training
        Lowest and highest signature of the training data: what the axes span, as those of R's rms do, and beyond it as
        far as `signature` needs. None where that is not known.
    """
    if training is not None and training[0] < training[1]:
        return Nomogram(min(training[0], signature), max(training[1], signature))
    reach = max(_LEAST_RANGE, math.ceil(abs(signature)))
    return Nomogram(-reach, reach)


def _steps(length: float) -> list[float]:
    first = math.floor(math.log10(length)) - 2
    return [digit * 10.0**exponent for exponent in range(first, first + 4) for digit in (1, 2, 5)]
