"""Features of the grey level co-occurrence matrix (GLCM)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction.ibsi.neighbourhood import Levels, Step


def pairs_along(levels: Levels, step: Step) -> NDArray[np.int64]:
    """Symmetric counts of the levels of neighbours, shape (level_count, level_count)."""
    size = levels.level_count
    here, there = levels.centres, levels.beside(step)
    within = there > 0
    counts = np.bincount((here[within] - 1) * size + there[within] - 1, minlength=size * size).reshape(size, size)
    return counts + counts.T


def merged_pairs(matrices: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """All pairs together."""
    return np.asarray(np.sum(matrices, axis=0), dtype=np.int64)


def pair_features(counts: NDArray[np.int64]) -> dict[str, float] | None:
    """The 25 features (IBSI 3.6); None when no two voxels touch."""
    total = counts.sum()
    if total == 0:
        return None
    p = np.asarray(counts / total, dtype=np.float64)
    size = len(p)
    i, j = np.meshgrid(np.arange(1.0, size + 1), np.arange(1.0, size + 1), indexing="ij")
    apart = np.abs(i - j)
    levels = np.arange(1.0, size + 1)
    marginal = p.sum(axis=1)
    mean = float((levels * marginal).sum())
    variance = float(((levels - mean) ** 2 * marginal).sum())
    differences = np.bincount(apart.astype(int).ravel(), weights=p.ravel()).astype(np.float64)
    sums = np.bincount((i + j).astype(int).ravel(), weights=p.ravel())[2:].astype(np.float64)
    apart_by = np.arange(differences.size, dtype=np.float64)
    sum_levels = np.arange(2.0, 2 * size + 1)
    difference_mean, sum_mean = float((apart_by * differences).sum()), float((sum_levels * sums).sum())
    clustered = i + j - 2.0 * mean
    off = apart > 0
    return {
        "cm_joint_max": float(p.max()),
        "cm_joint_avg": mean,
        "cm_joint_var": variance,
        "cm_joint_entr": _entropy(p),
        "cm_diff_avg": difference_mean,
        "cm_diff_var": float(((apart_by - difference_mean) ** 2 * differences).sum()),
        "cm_diff_entr": _entropy(differences),
        "cm_sum_avg": sum_mean,
        "cm_sum_var": float(((sum_levels - sum_mean) ** 2 * sums).sum()),
        "cm_sum_entr": _entropy(sums),
        "cm_energy": float((p**2).sum()),
        "cm_contrast": float((apart**2 * p).sum()),
        "cm_dissimilarity": float((apart * p).sum()),
        "cm_inv_diff": float((p / (1 + apart)).sum()),
        "cm_inv_diff_norm": float((p / (1 + apart / size)).sum()),
        "cm_inv_diff_mom": float((p / (1 + apart**2)).sum()),
        "cm_inv_diff_mom_norm": float((p / (1 + (apart / size) ** 2)).sum()),
        "cm_inv_var": float((p[off] / apart[off] ** 2).sum()),
        # one single level is as correlated as can be
        "cm_corr": float(((i - mean) * (j - mean) * p).sum()) / variance if variance > 0 else 1.0,
        "cm_auto_corr": float((i * j * p).sum()),
        "cm_clust_tend": float((clustered**2 * p).sum()),
        "cm_clust_shade": float((clustered**3 * p).sum()),
        "cm_clust_prom": float((clustered**4 * p).sum()),
        **_information(p, marginal),
    }


def _entropy(p: NDArray[np.float64]) -> float:
    there = p[p > 0]
    return -float((there * np.log2(there)).sum())


def _information(p: NDArray[np.float64], marginal: NDArray[np.float64]) -> dict[str, float]:
    """How much one level tells about its neighbour's."""
    product = np.outer(marginal, marginal)
    there = product > 0
    logarithm = np.log2(product[there])
    joint, one = _entropy(p), _entropy(marginal)
    mixed = -float((p[there] * logarithm).sum())
    independent = -float((product[there] * logarithm).sum())
    return {
        "cm_info_corr1": (joint - mixed) / one if one > 0 else 0.0,
        "cm_info_corr2": math.sqrt(max(0.0, 1.0 - math.exp(-2.0 * (independent - joint)))),
    }
