"""Feature maps from the fast engine: first-order and co-occurrence features around every voxel of a lesion."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.case import Lesion
from pipelines.domain.features import FeatureMap
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import CtVolume
from pipelines.extraction import native
from pipelines.extraction.limits import Unsupported, too_small
from pipelines.extraction.settings import ExtractionSettings
from pipelines.extraction.textures import GLCM_FEATURES, bin_edges

# in the order of kernels.c
_FIRSTORDER: Final = (
    "10Percentile",
    "90Percentile",
    "Energy",
    "Entropy",
    "InterquartileRange",
    "Kurtosis",
    "Maximum",
    "Mean",
    "MeanAbsoluteDeviation",
    "Median",
    "Minimum",
    "Range",
    "RobustMeanAbsoluteDeviation",
    "RootMeanSquared",
    "Skewness",
    "Uniformity",
    "Variance",
)
# two levels that are independent of each other: zero in arithmetic, noise or NaN in PyRadiomics
_LEFT_OUT: Final = frozenset({"Imc1", "Imc2"})
# how many voxels PyRadiomics computes at once: it shows in JointAverage
_BATCH: Final = 1000
_MOST_LEVELS: Final = 2000


def supports(ct: CtVolume, feature: str, kernel_radius_voxels: int) -> str | None:
    """Why a map of `feature` needs PyRadiomics; None when the fast engine computes it."""
    image_type, family, name = feature.split("_")
    known = {
        "firstorder": {*_FIRSTORDER, "TotalEnergy"},
        "glcm": set(GLCM_FEATURES) - _LEFT_OUT,
    }
    if image_type != "original" or name not in known.get(family, set()):
        return f"{feature} has no fast map"
    if native.kernels_path() is None:
        return "the kernels have not been built"
    if ct.hu.dtype != np.int16:
        return f"the CT holds {ct.hu.dtype} values, not int16"
    if not 1 <= kernel_radius_voxels <= native.MAX_RADIUS:
        return f"the radius of the cubes is {kernel_radius_voxels} voxels"
    return None


def feature_map(
    ct: CtVolume, lesion: Lesion, feature: str, settings: ExtractionSettings, *, kernel_radius_voxels: int = 1
) -> FeatureMap | Rejected | Unsupported:
    """One of `feature_maps`."""
    made = feature_maps(ct, lesion, [feature], settings, kernel_radius_voxels=kernel_radius_voxels)
    return made if isinstance(made, Rejected | Unsupported) else made[0]


def feature_maps(
    ct: CtVolume,
    lesion: Lesion,
    features: Sequence[str],
    settings: ExtractionSettings,
    *,
    kernel_radius_voxels: int = 1,
) -> tuple[FeatureMap, ...] | Rejected | Unsupported:
    """Compute `features` in a cube around every voxel of `lesion`, on the grid of the CT.

    Equal to those of `pipelines.extraction.oracle.feature_map`; all features of a class cost as much as one.
    """
    small = too_small(lesion)
    if small is not None:
        return small
    for feature in features:
        reason = supports(ct, feature, kernel_radius_voxels)
        if reason is not None:
            return Unsupported(reason)
    mask = lesion.mask.voxels
    native_values = ct.hu[lesion.mask.box][mask]
    if native_values.dtype != np.int16:  # voxels may be decoded only now
        return Unsupported(f"the CT holds {native_values.dtype} values, not int16")
    edges = bin_edges(native_values, settings.bin_width_hu)
    if edges.size - 1 > _MOST_LEVELS:
        return Unsupported(f"there are more than {_MOST_LEVELS} grey levels")
    of_voxels = native_values.astype(np.float64)
    levels_of_voxels = np.empty(of_voxels.size, dtype=np.uint16)
    native.grey_levels(of_voxels, edges, settings.bin_width_hu, levels_of_voxels)
    radius = kernel_radius_voxels
    framed = [size + 2 * radius for size in mask.shape]
    inner = (slice(radius, -radius),) * 3
    levels, values = np.zeros(framed, dtype=np.uint16), np.zeros(framed)
    levels[inner][mask] = levels_of_voxels
    values[inner][mask] = of_voxels

    by_name: dict[str, NDArray[np.float64]] = {}
    families = {feature.split("_")[1] for feature in features}
    if "firstorder" in families:
        by_name |= _firstorder(levels, values, radius, shift=settings.voxel_array_shift_hu, voxel_mm3=ct.grid.voxel_mm3)
    if "glcm" in families:
        by_name |= _glcm(levels, radius)
    return tuple(_map(lesion, feature, by_name[feature], radius) for feature in features)


def _firstorder(
    levels: NDArray[np.uint16], values: NDArray[np.float64], radius: int, *, shift: float, voxel_mm3: float
) -> dict[str, NDArray[np.float64]]:
    features = native.firstorder_maps(levels, values, radius, shift=shift)
    found = {f"original_firstorder_{name}": features[:, column] for column, name in enumerate(_FIRSTORDER)}
    found["original_firstorder_TotalEnergy"] = found["original_firstorder_Energy"] * voxel_mm3
    return found


def _glcm(levels: NDArray[np.uint16], radius: int) -> dict[str, NDArray[np.float64]]:
    features, directions = native.glcm_maps(levels, radius)
    found = {f"original_glcm_{name}": features[:, column] for column, name in enumerate(GLCM_FEATURES)}
    average = found["original_glcm_JointAverage"]
    # PyRadiomics leaves out the directions that are empty in a whole batch; where another one is empty, its mean is NaN
    for first in range(0, directions.size, _BATCH):
        batch = directions[first : first + _BATCH]
        average[first : first + _BATCH][batch != np.bitwise_or.reduce(batch)] = np.nan
    return found


def _map(lesion: Lesion, feature: str, values: NDArray[np.float64], radius: int) -> FeatureMap:
    whole = np.zeros(lesion.mask.voxels.shape, dtype=np.float32)
    whole[lesion.mask.voxels] = np.nan_to_num(values)
    return FeatureMap(feature, lesion.number, radius, lesion.mask.offset, whole)
