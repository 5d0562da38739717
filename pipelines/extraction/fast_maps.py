"""Feature maps from the fast engine: features in a cube around every voxel of a lesion."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.case import Lesion
from pipelines.domain.features import FeatureMap
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import Volume
from pipelines.extraction import native
from pipelines.extraction.jobs import Mapper
from pipelines.extraction.limits import Unsupported, too_small
from pipelines.extraction.map_images import MapImage, filtered_images, original_image
from pipelines.extraction.names import image_types
from pipelines.extraction.placement import feature_map
from pipelines.extraction.settings import ExtractionSettings
from pipelines.extraction.textures import GLCM_FEATURES, SIZE_FEATURES, bin_edges

# in the order of the kernels
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
_NAMES: Final[dict[str, tuple[str | None, ...]]] = {"firstorder": _FIRSTORDER, "glcm": GLCM_FEATURES, **SIZE_FEATURES}
_KNOWN: Final[dict[str, frozenset[str | None]]] = {
    "firstorder": frozenset({*_FIRSTORDER, "TotalEnergy"}),
    "glcm": frozenset({*GLCM_FEATURES, "SumAverage"}),
    **{family: frozenset(names) for family, names in SIZE_FEATURES.items()},
}
# how many voxels PyRadiomics computes at once: it shows in JointAverage
_BATCH: Final = 1000
_MOST_LEVELS: Final = 2000
JOB_VOXELS: Final = 1 << 11
"""Voxels of a job: few enough for threads to end together."""

Values = dict[str, NDArray[np.float64]]


def supports(ct: Volume, feature: str, settings: ExtractionSettings, kernel_radius_voxels: int) -> str | None:
    """Why a map of `feature` needs PyRadiomics; None when the fast engine computes it.

    A few reasons show only while it computes: then `feature_maps` returns `Unsupported`.
    """
    image_type, family, name = feature.split("_")
    if image_type not in image_types(settings) or name not in _KNOWN.get(family, ()):
        return f"{feature} has no fast map"
    unusable = native.unusable()
    if unusable is not None:
        return unusable
    if ct.hu.dtype != np.int16:
        return f"the CT holds {ct.hu.dtype} values, not int16"
    if image_type != "original" and settings.interpolator not in ("sitkBSpline", "sitkNearestNeighbor"):
        return f"the interpolator is {settings.interpolator}"
    if not 1 <= kernel_radius_voxels <= native.MAX_RADIUS:
        return f"the radius of the cubes is {kernel_radius_voxels} voxels"
    return None


def feature_maps(
    ct: Volume,
    lesion: Lesion,
    features: Sequence[str],
    settings: ExtractionSettings,
    *,
    kernel_radius_voxels: int = 1,
    mapper: Mapper = map,
) -> tuple[FeatureMap, ...] | Rejected | Unsupported:
    """Compute `features` in a cube around every voxel of `lesion`, on the grid of the CT.

    All features of a class on one image cost as much as one. Those of the original image are computed on the CT as it
    is; those of a filtered image on the resampled grid of the profile, where each voxel of the CT shows the nearest.

    Parameters
    ----------
    mapper
        Runs the jobs for parts of the lesion; one that runs them in several threads gives the same maps sooner, because
        the kernels do not hold Python's lock.
    """
    found = voxel_values(ct, lesion, features, settings, kernel_radius_voxels=kernel_radius_voxels, mapper=mapper)
    if isinstance(found, Rejected | Unsupported):
        return found
    places = np.flatnonzero(lesion.mask.voxels)
    return tuple(feature_map(lesion, feature, found[feature], kernel_radius_voxels, places) for feature in features)


def voxel_values(
    ct: Volume,
    lesion: Lesion,
    features: Sequence[str],
    settings: ExtractionSettings,
    *,
    kernel_radius_voxels: int = 1,
    mapper: Mapper = map,
) -> Values | Rejected | Unsupported:
    """The values of `feature_maps` for each voxel of the lesion, in the order of the array; NaN where there is none.

    Equal to `pipelines.extraction.oracle.voxel_values`, but for Imc2 where the grey levels of a direction are
    independent of each other: it is 0 there, in PyRadiomics noise of 1e-8, 0 or left out of the mean.
    """
    small = too_small(lesion)
    if small is not None:
        return small
    for feature in features:
        reason = supports(ct, feature, settings, kernel_radius_voxels)
        if reason is not None:
            return Unsupported(reason)
    wanted: dict[str, list[str]] = {}
    for feature in features:
        image_type, _, of_image = feature.partition("_")
        wanted.setdefault(image_type, []).append(of_image)
    images = _images(ct, lesion, [*wanted], settings)
    if isinstance(images, Unsupported):
        return images
    found: Values = {}
    for image_type, names in wanted.items():
        image = images[image_type]
        values = _image_values(image, names, settings, kernel_radius_voxels, mapper)
        if isinstance(values, Unsupported):
            return values
        shown = slice(None) if image.shown is None else image.shown
        found |= {f"{image_type}_{name}": values[name][shown] for name in names}
    return found


def _images(
    ct: Volume, lesion: Lesion, wanted: Sequence[str], settings: ExtractionSettings
) -> Mapping[str, MapImage] | Unsupported:
    images = {"original": original_image(ct, lesion)} if "original" in wanted else {}
    for image in images.values():
        if image.values.dtype != np.int16:  # voxels may be decoded only now
            return Unsupported(f"the CT holds {image.values.dtype} values, not int16")
    filtered = [image_type for image_type in wanted if image_type != "original"]
    if not filtered:
        return images
    made = filtered_images(ct, lesion, filtered, settings)
    return made if isinstance(made, Unsupported) else images | made


def _image_values(
    image: MapImage, wanted: Sequence[str], settings: ExtractionSettings, radius: int, mapper: Mapper
) -> Values | Unsupported:
    """Values of `wanted` (`class_Feature`) around each voxel of `image`."""
    count = image.values.size
    families = {name.split("_")[0] for name in wanted}
    textures = _cubes(image, image.values, settings, radius)
    # PyRadiomics bins single-precision images in double precision here, and in single precision for textures
    as_double = image.values.astype(np.float64)
    single = image.values.dtype == np.float32
    plain = _cubes(image, as_double, settings, radius) if single and "firstorder" in families else textures
    if isinstance(textures, Unsupported):
        return textures
    if isinstance(plain, Unsupported):
        return plain
    directions = np.zeros(count, dtype=np.uint16)
    framed = np.zeros(textures.levels.shape)
    framed.reshape(-1)[textures.centres] = as_double
    needed = {family: _needed(family, wanted) for family in families}
    rows = {family: np.empty((int(marks.sum()), count)) for family, marks in needed.items()}

    def run(job: tuple[str, slice]) -> None:
        family, part = job
        to = native.Columns(part, needed[family], rows[family])
        if family == "firstorder":
            native.firstorder_maps(plain, framed, to, shift=settings.voxel_array_shift_hu)
        elif family == "glcm":
            native.glcm_maps(textures, to, directions)
        else:
            native.size_maps(textures, family, to)

    # the class that takes longest comes first; what is asked for twice is computed once
    for _ in mapper(run, [(family, part) for family in sorted(families, reverse=True) for part in _parts(count)]):
        pass
    found: Values = {
        f"{family}_{name}": row
        for family, marks in needed.items()
        for name, row in zip(
            (name for name, mark in zip(_NAMES[family], marks, strict=True) if mark), rows[family], strict=True
        )
    }
    if "glcm_SumAverage" in wanted:
        found["glcm_SumAverage"] = 2.0 * found["glcm_JointAverage"]
    if "firstorder_TotalEnergy" in wanted:
        found["firstorder_TotalEnergy"] = found["firstorder_Energy"] * image.voxel_mm3
    if "glcm_JointAverage" in wanted:
        _leave_out_empty_directions(found["glcm_JointAverage"], directions)
    return found


def _needed(family: str, wanted: Sequence[str]) -> NDArray[np.uint8]:
    """Mark the features of a class that `wanted` (`class_Feature`) are made of, in the order of the kernels."""
    from_others = {"glcm_SumAverage": "glcm_JointAverage", "firstorder_TotalEnergy": "firstorder_Energy"}
    computed = {from_others.get(name, name) for name in wanted}
    return np.array([f"{family}_{name}" in computed for name in _NAMES[family]], dtype=np.uint8)


def _cubes(
    image: MapImage, values: NDArray[np.generic], settings: ExtractionSettings, radius: int
) -> native.Cubes | Unsupported:
    edges = bin_edges(values, settings.bin_width_hu)
    if edges.size - 1 > _MOST_LEVELS:
        return Unsupported(f"there are more than {_MOST_LEVELS} grey levels")
    of_voxels = np.empty(values.size, dtype=np.uint16)
    native.grey_levels(values.astype(np.float64), edges, settings.bin_width_hu, of_voxels)
    levels = np.zeros([size + 2 * radius for size in image.mask.shape], dtype=np.uint16)
    levels[(slice(radius, -radius),) * 3][image.mask] = of_voxels
    return native.cubes_of(levels, radius)


def _parts(count: int) -> Iterator[slice]:
    for first in range(0, count, JOB_VOXELS):
        yield slice(first, min(first + JOB_VOXELS, count))


def _leave_out_empty_directions(average: NDArray[np.float64], directions: NDArray[np.uint16]) -> None:
    """Make `average` NaN where PyRadiomics' is.

    It leaves out the directions that are empty in a whole batch; where another one is empty, its mean is NaN.
    """
    for first in range(0, directions.size, _BATCH):
        batch = directions[first : first + _BATCH]
        average[first : first + _BATCH][batch != np.bitwise_or.reduce(batch)] = np.nan
