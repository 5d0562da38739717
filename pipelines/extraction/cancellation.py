"""Co-occurrence features whose terms cancel, added up in PyRadiomics' own order because only that gives its digits."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction.firstorder import EPSILON
from pipelines.extraction.region import STEPS


def matters(features: Mapping[str, float], gap: float, *, levels: int) -> bool:
    """True when rounding could reach the tenth digit of a feature.

    In a small lesion the levels of neighbours can be independent of each other, or their differences all alike: exact
    zeros in arithmetic, and noise of the size 1e-16 (of which Imc2 takes the root) in floating point.

    Parameters
    ----------
    features
        As the kernels found them.
    gap
        Smallest HXY2 - HXY of a direction.
    levels
        Grey levels that occur.
    """
    if levels < 2:
        return False
    return (
        gap < 1e-5
        or abs(features["Correlation"]) < 1e-5
        or abs(features["Imc1"]) < 1e-5
        or abs(features["ClusterShade"]) < 1e-5 * features["ClusterProminence"]
        or min(features["DifferenceEntropy"], features["SumEntropy"]) < 1e-6
        or min(features["DifferenceVariance"], features["SumSquares"]) < 1e-6
    )


def glcm_features(
    pairs: NDArray[np.uint32], histogram: NDArray[np.int64], shape: tuple[int, int, int]
) -> dict[str, float]:
    """The features that can cancel, from the same NumPy operations on arrays of the same layout as in PyRadiomics.

    Parameters
    ----------
    pairs
        Co-occurrences, shape (13, levels + 1, levels + 1), of each direction.
    shape
        Of the smallest box around the lesion: PyRadiomics knows no direction that leads out of it at once.

    References
    ----------
    PyRadiomics `glcm.py`.
    """
    # PyRadiomics looks from a voxel at its successor, the kernels at its predecessor
    known = [all(size > 1 for size, to in zip(shape, step, strict=True) if to) for step in STEPS]
    counts = np.ascontiguousarray(pairs[known, 1:, 1:].transpose(2, 1, 0)[None], dtype=np.float64)
    occurring, missing = np.flatnonzero(histogram[1:]), np.flatnonzero(histogram[1:] == 0)
    # how numpy.delete lays its result out depends on how much it deletes, and the order of all sums on that
    p = np.delete(np.delete(counts, missing, 1), missing, 2)
    p += np.transpose(p, (0, 2, 1, 3)).copy()
    total = np.sum(p, (1, 2))
    empty = np.where(np.sum(total, 0) == 0)
    if len(empty[0]):
        p = np.delete(p, empty, 3)
        total = np.delete(total, empty, 1)
    p /= total[:, None, None, :]

    level_count = histogram.size - 1
    level = (occurring + 1).astype(np.float64)
    i, j = np.meshgrid(level, level, indexing="ij", sparse=True)
    i4, j4 = i[None, :, :, None], j[None, :, :, None]
    px, py = p.sum(2, keepdims=True), p.sum(1, keepdims=True)
    ux, uy = np.sum(i4 * p, (1, 2), keepdims=True), np.sum(j4 * p, (1, 2), keepdims=True)

    k = np.arange(0, level_count, dtype=np.float64)
    differences = np.array([np.sum(p[:, np.abs(i - j) == step, :], 1) for step in k]).transpose((1, 0, 2))
    k_sum = np.arange(2, level_count * 2 + 1, dtype=np.float64)
    sums = np.array([np.sum(p[:, i + j == step, :], 1) for step in k_sum]).transpose((1, 0, 2))
    average = np.sum(k[None, :, None] * differences, 1, keepdims=True)

    sx = np.sum(p * (i4 - ux) ** 2, (1, 2), keepdims=True) ** 0.5
    sy = np.sum(p * (j4 - uy) ** 2, (1, 2), keepdims=True) ** 0.5
    correlation = np.sum(p * (i4 - ux) * (j4 - uy), (1, 2), keepdims=True) / (sx * sy + EPSILON)
    correlation[sx * sy == 0] = 1

    hxy = -1 * np.sum(p * np.log2(p + EPSILON), (1, 2))
    hx = -1 * np.sum(px * np.log2(px + EPSILON), (1, 2))
    hy = -1 * np.sum(py * np.log2(py + EPSILON), (1, 2))
    hxy1 = -1 * np.sum(p * np.log2(px * py + EPSILON), (1, 2))
    hxy2 = -1 * np.sum(px * py * np.log2(px * py + EPSILON), (1, 2))
    largest = np.fmax(hx, hy)
    imc1 = hxy - hxy1
    imc1[largest != 0] /= largest[largest != 0]
    imc1[largest == 0] = 0
    with np.errstate(invalid="ignore"):
        imc2 = (1 - np.e ** (-2 * (hxy2 - hxy))) ** 0.5
    imc2[hxy2 == hxy] = 0

    return {
        "ClusterShade": _mean(np.sum(p * ((i + j)[None, :, :, None] - ux - uy) ** 3, (1, 2))),
        "Correlation": _mean(correlation),
        "DifferenceEntropy": _mean(-1 * np.sum(differences * np.log2(differences + EPSILON), 1)),
        "DifferenceVariance": _mean(np.sum(differences * (k[None, :, None] - average) ** 2, 1)),
        "Imc1": _mean(imc1),
        "Imc2": _mean(imc2),
        "SumEntropy": _mean(-1 * np.sum(sums * np.log2(sums + EPSILON), 1)),
        "SumSquares": _mean(np.sum(p * (i4 - ux) ** 2, (1, 2))),
    }


def _mean(by_direction: NDArray[np.float64]) -> float:
    """Mean over the directions; as in PyRadiomics a direction without a value does not count."""
    flat = by_direction.reshape(1, -1)
    return float(np.nanmean(flat, 1)[0]) if np.isfinite(flat).any() else float("nan")
