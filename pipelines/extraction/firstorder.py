"""The eighteen first-order features of the intensities in a lesion."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

EPSILON: Final = float(np.spacing(1))
"""What PyRadiomics adds to a probability before it takes the logarithm."""

# Below these ratios of a sum to the sum of its absolute terms, rounding reaches the tenth digit.
_CANCELLED: Final = 1e-5


def firstorder_features(
    values: NDArray[np.float64], histogram: NDArray[np.int64], *, shift: float, voxel_mm3: float
) -> dict[str, float]:
    """First-order features by name, as `radiomics.firstorder` computes them.

    Parameters
    ----------
    values
        Intensities of all voxels, in the order of the array.
    histogram
        Number of voxels by grey level.
    shift
        Added to intensities before they are squared (`voxelArrayShift`).

    References
    ----------
    PyRadiomics `firstorder.py`; IBSI 3.3 and 3.4. Kurtosis is not the excess; the quantiles are Hyndman & Fan's type 7.
    """
    count = values.size
    p10, p25, p75, p90, median = _quantiles(values)
    mean = float(values.mean())
    deviation = values - mean
    distance = np.abs(deviation)
    squared = deviation * deviation
    m2 = float(squared.mean())
    m3 = float((squared * deviation).mean())
    m4 = float((squared * squared).mean())
    mad = float(distance.mean())
    if abs(m3) < _CANCELLED * float((squared * distance).mean()):
        m3 = float(np.power(deviation, 3).mean())
    shifted = values + shift
    np.multiply(shifted, shifted, out=shifted)
    energy = float(shifted.sum())
    inner = values[(values >= p10) & (values <= p90)]
    probability = histogram[histogram > 0] / count
    least, most = float(values.min()), float(values.max())
    return {
        "10Percentile": p10,
        "90Percentile": p90,
        "Energy": energy,
        "Entropy": float(-(probability * np.log2(probability + EPSILON)).sum()),
        "InterquartileRange": p75 - p25,
        "Kurtosis": m4 / (m2**2.0 if m2 else 1.0),
        "Maximum": most,
        "Mean": mean,
        "MeanAbsoluteDeviation": mad,
        "Median": median,
        "Minimum": least,
        "Range": most - least,
        "RobustMeanAbsoluteDeviation": float(np.abs(inner - inner.mean()).mean()),
        "RootMeanSquared": float(np.sqrt(energy / count)),
        "Skewness": m3 / (m2**1.5 if m2 else 1.0),
        "TotalEnergy": energy * voxel_mm3,
        "Uniformity": float((probability**2).sum()),
        "Variance": m2,
    }


def _quantiles(values: NDArray[np.float64]) -> tuple[float, float, float, float, float]:
    """The quantiles 0.10, 0.25, 0.75, 0.90 and the median, all from one partial sort."""
    last = values.size - 1
    wanted = [fraction * last for fraction in (0.10, 0.25, 0.75, 0.90)]
    below = [int(position) for position in wanted]
    middle = (last // 2, (last + 1) // 2)
    ranks = sorted({*below, *(min(rank + 1, last) for rank in below), *middle})
    ordered = np.partition(values, ranks)

    def between(position: float, rank: int) -> float:
        # numpy's interpolation, which starts from the nearer of the two values
        lower, upper = float(ordered[rank]), float(ordered[min(rank + 1, last)])
        weight = position - rank
        step = upper - lower
        return upper - step * (1.0 - weight) if weight >= 0.5 else lower + step * weight

    p10, p25, p75, p90 = (between(position, rank) for position, rank in zip(wanted, below, strict=True))
    return p10, p25, p75, p90, (float(ordered[middle[0]]) + float(ordered[middle[1]])) / 2.0
