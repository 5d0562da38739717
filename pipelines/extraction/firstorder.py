"""The eighteen first-order features of the intensities in a lesion."""

from collections.abc import Sequence
from functools import lru_cache
from math import log2, nan, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction import native

EPSILON: Final = float(np.spacing(1))
"""What PyRadiomics adds to a probability before it takes the logarithm."""

# Below these ratios of a sum to the sum of its absolute terms, rounding reaches the tenth digit.
_CANCELLED: Final = 1e-5


def firstorder_features(
    values: NDArray[np.float64],
    summary: native.Summary,
    histogram: NDArray[np.int64],
    ordered: Sequence[float],
    *,
    shift: float,
    voxel_mm3: float,
) -> dict[str, float]:
    """First-order features by name, as `radiomics.firstorder` computes them.

    Parameters
    ----------
    values
        Intensities of all voxels, in the order of the array.
    summary
        Of them.
    histogram
        Number of voxels by grey level, from level 0, which none has.
    ordered
        The values at the `quantile_ranks` of their ascending order.
    shift
        Added to intensities before they are squared (`voxelArrayShift`).

    References
    ----------
    PyRadiomics `firstorder.py`; IBSI 3.3 and 3.4. Kurtosis is not the excess; the quantiles are Hyndman & Fan's type 7.
    """
    count = values.size
    p10, p25, p75, p90, median = _quantiles(ordered, count)
    mean = summary.total / count
    inner = (p10, p90)
    sums = native.moments(values, mean, shift, inner)
    m2, m3, m4, mad = (total / count for total in sums[:4])
    # the sum of the absolute cubes is no greater (Cauchy-Schwarz)
    if abs(sums.third) < _CANCELLED * sqrt(sums.second * sums.fourth):
        m3 = float(np.power(values - mean, 3).mean())
    energy = sums.squares
    robust_mad = sums.inner_absolute / sums.inner_count if sums.inner_count else nan
    if robust_mad <= _CANCELLED * max(mad, abs(mean)):
        # almost all alike: what is left is the rounding of PyRadiomics' mean, which runs over gaps
        gapped = np.where((values >= p10) & (values <= p90), values, np.nan)
        robust_mad = float(np.nanmean(np.abs(gapped - np.nanmean(gapped))))
    # plain numbers: of so few, NumPy would take longer
    probabilities = [voxels / count for voxels in histogram.tolist() if voxels]
    return {
        "10Percentile": p10,
        "90Percentile": p90,
        "Energy": energy,
        "Entropy": -sum(p * log2(p + EPSILON) for p in probabilities),
        "InterquartileRange": p75 - p25,
        "Kurtosis": m4 / (m2**2.0 if m2 else 1.0),
        "Maximum": summary.most,
        "Mean": mean,
        "MeanAbsoluteDeviation": mad,
        "Median": median,
        "Minimum": summary.least,
        "Range": summary.most - summary.least,
        "RobustMeanAbsoluteDeviation": robust_mad,
        "RootMeanSquared": sqrt(energy / count),
        "Skewness": m3 / (m2**1.5 if m2 else 1.0),
        "TotalEnergy": energy * voxel_mm3,
        "Uniformity": sum(p * p for p in probabilities),
        "Variance": m2,
    }


@lru_cache(maxsize=16)
def quantile_ranks(count: int) -> tuple[int, ...]:
    """Places among `count` ordered values, from 0 and ascending, between which their quantiles lie."""
    last = count - 1
    below = [int(position) for position in _positions(last)]
    return tuple(sorted({*below, *(min(rank + 1, last) for rank in below), last // 2, (last + 1) // 2}))


def _positions(last: int) -> list[float]:
    return [fraction * last for fraction in (0.10, 0.25, 0.75, 0.90)]


def _quantiles(ordered: Sequence[float], count: int) -> tuple[float, float, float, float, float]:
    """The quantiles 0.10, 0.25, 0.75, 0.90 and the median."""
    last = count - 1
    at = dict(zip(quantile_ranks(count), ordered, strict=True))

    def at_position(position: float) -> float:
        # numpy's interpolation, which starts from the nearer of the two values
        rank = int(position)
        lower, upper = at[rank], at[min(rank + 1, last)]
        weight = position - rank
        step = upper - lower
        return upper - step * (1.0 - weight) if weight >= 0.5 else lower + step * weight

    p10, p25, p75, p90 = map(at_position, _positions(last))
    return p10, p25, p75, p90, (at[last // 2] + at[(last + 1) // 2]) / 2.0
