"""Features of the intensities of a lesion, whatever their places: statistics, histogram, volume histogram, peaks."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from pipelines.extraction.ibsi.roi import PEAK_RADIUS_MM, Roi, grey_levels
from pipelines.extraction.ibsi.settings import FixedBinSize, IbsiSettings


def _distribution(values: NDArray[np.float64]) -> dict[str, float]:
    """The features that intensities and grey levels have in common (IBSI 3.3 and 3.4)."""
    mean, variance = float(values.mean()), float(values.var())
    p10, p25, median, p75, p90 = (float(p) for p in np.percentile(values, (10, 25, 50, 75, 90)))
    middle = values[(values >= p10) & (values <= p90)]
    centred = values - mean
    return {
        "mean": mean,
        "var": variance,
        "skew": float(np.mean(centred**3)) / variance**1.5 if variance > 0 else 0.0,
        "kurt": float(np.mean(centred**4)) / variance**2 - 3.0 if variance > 0 else 0.0,
        "median": median,
        "min": float(values.min()),
        "p10": p10,
        "p90": p90,
        "max": float(values.max()),
        "iqr": p75 - p25,
        "range": float(np.ptp(values)),
        "mad": float(np.abs(centred).mean()),
        # of a handful of voxels none may lie between the two percentiles
        "rmad": float(np.abs(middle - middle.mean()).mean()) if middle.size else math.nan,
        "medad": float(np.abs(values - median).mean()),
        "cov": math.sqrt(variance) / mean if mean else math.nan,
        "qcod": (p75 - p25) / (p75 + p25) if p75 + p25 else math.nan,
    }


def statistics(values: NDArray[np.float64]) -> dict[str, float]:
    """Intensity-based statistical features (IBSI 3.3)."""
    squares = values**2
    found = {f"stat_{name}": value for name, value in _distribution(values).items()}
    return {**found, "stat_energy": float(squares.sum()), "stat_rms": math.sqrt(squares.mean())}


def histogram(levels: NDArray[np.int64]) -> dict[str, float]:
    """Intensity histogram features (IBSI 3.4) of grey levels from 1."""
    found = {f"ih_{name}": value for name, value in _distribution(levels.astype(np.float64)).items()}
    counts = np.bincount(levels)[1:].astype(np.float64)
    shares = counts[counts > 0] / levels.size
    commonest = np.flatnonzero(counts == counts.max()) + 1
    # of several modes the one closest to the mean, and of two as close the lower
    mode = commonest[np.argmin(np.abs(commonest - levels.mean()))]
    gradient = np.gradient(counts) if counts.size > 1 else np.zeros(1)
    return {
        **found,
        "ih_mode": float(mode),
        "ih_entropy": -float((shares * np.log2(shares)).sum()),
        "ih_uniformity": float((shares**2).sum()),
        "ih_max_grad": float(gradient.max()),
        "ih_max_grad_g": float(gradient.argmax() + 1),
        "ih_min_grad": float(gradient.min()),
        "ih_min_grad_g": float(gradient.argmin() + 1),
    }


def volume_histogram(values: NDArray[np.float64], settings: IbsiSettings) -> dict[str, float]:
    """Intensity-volume histogram features (IBSI 3.5)."""
    how, bounds = settings.ivh_discretisation, settings.range_hu
    if how is None:
        used = values
        lowest, highest = bounds or (float(values.min()), float(values.max()))
        steps = np.arange(lowest, highest + 0.5)
    elif isinstance(how, FixedBinSize):
        lowest, highest = bounds or (float(values.min()), float(values.max()))
        used = np.asarray(lowest + (grey_levels(values, how, bounds) - 0.5) * how.width_hu)
        steps = np.arange(lowest + how.width_hu / 2, highest, how.width_hu)
    else:
        used = grey_levels(values, how, None).astype(np.float64)
        steps = np.arange(1.0, how.count + 1)
    below = np.searchsorted(np.sort(used), steps, side="left")
    volume = 1.0 - below / values.size
    span = steps[-1] - steps[0]
    fraction = (steps - steps[0]) / span if span > 0 else np.zeros(steps.size)
    v10, v90 = (_largest(volume[fraction >= share - 1e-12]) for share in (0.1, 0.9))
    i10, i90 = (_smallest(steps[volume <= share + 1e-12]) for share in (0.1, 0.9))
    return {
        "ivh_v10": v10,
        "ivh_v90": v90,
        "ivh_i10": i10,
        "ivh_i90": i90,
        "ivh_diff_v10_v90": v10 - v90,
        "ivh_diff_i10_i90": i10 - i90,
    }


def _largest(values: NDArray[np.float64]) -> float:
    return float(values.max()) if values.size else math.nan


def _smallest(values: NDArray[np.float64]) -> float:
    return float(values.min()) if values.size else math.nan


def peaks(roi: Roi) -> dict[str, float]:
    """Local intensity features (IBSI 3.2): means of spheres of 1 cm3 around voxels of the intensity mask.

    A sphere reaches beyond the lesion, and is cut off where the CT ends.
    """
    sphere = _ball(roi.spacing_mm, PEAK_RADIUS_MM)
    # an offset keeps the sums of the transform small
    offset = float(roi.values.mean())
    sums = fftconvolve(roi.image - offset, sphere, mode="same")
    counts = np.rint(fftconvolve(np.ones(roi.image.shape), sphere, mode="same"))
    means = (sums / counts)[roi.intensity] + offset
    values = roi.values
    return {
        "loc_peak_loc": float(means[values == values.max()].max()),
        "loc_peak_glob": float(means.max()),
    }


def _ball(spacing_mm: Sequence[float], radius_mm: float) -> NDArray[np.float64]:
    """1 for the voxels whose centres lie within `radius_mm` of the middle one."""
    reaches = [int(radius_mm // step) for step in spacing_mm]
    axes = [np.arange(-reach, reach + 1) * step for reach, step in zip(reaches, spacing_mm, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return np.asarray(z**2 + y**2 + x**2 <= radius_mm**2, dtype=np.float64)
