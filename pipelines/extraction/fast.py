"""The fast engine: PyRadiomics' features of a lesion from kernels of our own."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.case import Lesion
from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import Mask, Volume
from pipelines.extraction import memory, native
from pipelines.extraction.gaussian import laplacian, laplacian_exists, smoothed
from pipelines.extraction.jobs import Mapper
from pipelines.extraction.limits import Unsupported, too_small
from pipelines.extraction.marching_cubes import cube_table
from pipelines.extraction.memory import Memory
from pipelines.extraction.names import FEATURE_CLASSES, feature_names, features_of, image_types
from pipelines.extraction.native import Turned, laplacian_size
from pipelines.extraction.region import Region, Workspace, region_of, workspace_for
from pipelines.extraction.resampling import Resampled, resample
from pipelines.extraction.settings import ExtractionSettings
from pipelines.extraction.shape import shape_features
from pipelines.extraction.textures import ImageValues, image_features, near_an_edge
from pipelines.extraction.wavelets import sub_band_values

Voxel = TypeVar("Voxel", bound=np.generic)

Found = dict[tuple[str, str], dict[str, float]]
"""Features by image and class, then by name."""

Images = Callable[[Region, Workspace], Iterator[ImageValues]]
"""Makes images one after the other; the memory of one may be that of the next."""

Job = Callable[[], Found | Unsupported]


def supports(ct: Volume, lesion: Lesion, settings: ExtractionSettings) -> str | None:
    """Why this lesion needs PyRadiomics; None when the fast engine computes it.

    A few reasons show only while it computes: then `extract` returns `Unsupported`.
    """
    unusable = native.unusable()
    if unusable is not None:
        return unusable
    if ct.hu.dtype.name not in native.VOXEL_TYPES:
        return f"the CT holds {ct.hu.dtype} values"
    if settings.interpolator not in ("sitkBSpline", "sitkNearestNeighbor"):
        return f"the interpolator is {settings.interpolator}"
    if max(lesion.mask.voxels.shape) >= 2**15:
        return "the lesion is larger than the run lengths can count"
    return None


def extract(
    ct: Volume, lesion: Lesion, settings: ExtractionSettings, *, mapper: Mapper = map, room: Memory | None = None
) -> FeatureVector | Rejected | Unsupported:
    """Compute all features of `lesion`, equal to those of `pipelines.extraction.oracle.extract`.

    Parameters
    ----------
    mapper
        Runs the jobs for single images; one that runs them in several threads gives the same numbers sooner, because
        the kernels do not hold Python's lock.
    room
        Memory that the lesions before have used, for those of one CT; of its own by default.

    Returns
    -------
    FeatureVector
        `feature_names(settings)` with their values; NaN where PyRadiomics gives none.
    Rejected
        `ROI-001` for a lesion that spans fewer than two voxels in two directions.
    Unsupported
        When PyRadiomics has to decide.
    """
    small = too_small(lesion)
    if small is not None:
        return small
    reason = supports(ct, lesion, settings)
    if reason is not None:
        return Unsupported(reason)
    if room is None:
        room = Memory()
    try:
        return _extract(ct, lesion, settings, mapper, room)
    finally:
        room.reuse()


def _extract(
    ct: Volume, lesion: Lesion, settings: ExtractionSettings, mapper: Mapper, room: Memory
) -> FeatureVector | Unsupported:
    resampled = resample(ct, lesion, settings, room)
    if isinstance(resampled, Unsupported):
        return resampled
    if settings.gaussian_sigma_mm > 0:
        if min(resampled.image.shape) < 4:
            return Unsupported("the CT has too few slices to be smoothed")
        image = smoothed(_real(resampled.image), resampled.spacing_mm, settings.gaussian_sigma_mm)
        resampled = Resampled(image, resampled.mask, resampled.spacing_mm, resampled.noisy)
    mask = resampled.mask
    if mask is None or sum(size > 1 for size in mask.voxels.shape) < 2:
        return Unsupported("the lesion vanishes or becomes a line on the resampled grid")
    return _measured(resampled, mask, settings, mapper, room)


def _measured(
    resampled: Resampled, mask: Mask, settings: ExtractionSettings, mapper: Mapper, room: Memory
) -> FeatureVector | Unsupported:
    spacing = resampled.spacing_mm
    (a, b, c), (high, wide, broad) = mask.offset, mask.voxels.shape
    region = region_of(mask.voxels, ((a, a + high), (b, b + wide), (c, c + broad)))
    numbers = laplacian_size(resampled.image.shape, region.box) if settings.log_sigmas_mm else 0
    spare: list[Workspace] = []

    def of_shape() -> Found:
        return {("original", "shape"): shape_features(mask.voxels, spacing, cube_table(spacing))}

    def of_images(images: Images) -> Found | Unsupported:
        # as many workspaces as there are jobs at a time
        try:
            workspace = spare.pop()
        except IndexError:
            workspace = workspace_for(region, room, numbers)
        found: Found = {}
        for image in images(region, workspace):
            if resampled.noisy and near_an_edge(image.values, settings.bin_width_hu):
                return Unsupported("double-precision HU lie at the edge of a grey level")
            features = image_features(image, region, workspace, settings, math.prod(reversed(spacing)))
            if isinstance(features, Unsupported):
                return features
            found.update({(image.image_type, family): values for family, values in features.items()})
        spare.append(workspace)
        return found

    jobs = [partial(of_images, images) for images in _images(resampled, settings, room)]
    found: Found = {}
    # what takes longest comes first
    ordered: list[Job] = [*reversed(jobs), of_shape]
    for part in mapper(_run, ordered):
        if isinstance(part, Unsupported):
            return part
        found.update(part)
    return FeatureVector(feature_names(settings), np.array(_in_order(found, settings), dtype=np.float64))


def _in_order(found: Found, settings: ExtractionSettings) -> list[float]:
    """Values in the order of `feature_names`; NaN for a Laplacian that does not fit the image."""
    values: list[float] = []
    images = [(image_type, family) for image_type in image_types(settings) for family in FEATURE_CLASSES]
    for part in (("original", "shape"), *images):
        names = features_of(part[1])
        if part in found or not part[0].startswith("log-"):
            features = found[part]
            values += [features[name] for name in names]
        else:
            values += [math.nan] * len(names)
    return values


def _run(job: Job) -> Found | Unsupported:
    return job()


def _images(resampled: Resampled, settings: ExtractionSettings, room: Memory) -> Iterator[Images]:
    """Makers of the images of a lesion, some of which share their beginnings."""
    image, spacing = resampled.image, resampled.spacing_mm
    yield partial(_original, image)
    turned = Turned.of(image, room) if settings.log_sigmas_mm else None
    for sigma in settings.log_sigmas_mm:
        if turned is not None and laplacian_exists(image.shape, spacing, sigma):
            yield partial(_laplacian, turned, spacing, sigma)
    if settings.wavelet:
        for first in "LH":
            yield partial(_sub_bands, image, first)


def _original(image: NDArray[np.generic], region: Region, workspace: Workspace) -> Iterator[ImageValues]:
    with workspace.room.borrowed(region.shape, image.dtype) as part:
        part[...] = image[tuple(slice(first, stop) for first, stop in region.box)]
        native.gather(part, region.runs, workspace.values)
    yield ImageValues("original", workspace.values, image.dtype)


def _laplacian(
    image: Turned,
    spacing_mm: tuple[float, float, float],
    sigma_mm: float,
    region: Region,
    workspace: Workspace,
) -> Iterator[ImageValues]:
    filtered = laplacian(image, spacing_mm, sigma_mm, region.box, region.reach, workspace.numbers)
    native.gather(filtered, region.runs, workspace.values)
    yield ImageValues(f"log-sigma-{str(sigma_mm).replace('.', '-')}-mm-3D", workspace.values, filtered.dtype)


def _sub_bands(image: NDArray[np.generic], first: str, region: Region, workspace: Workspace) -> Iterator[ImageValues]:
    found = workspace.values, workspace.more_values
    real = np.dtype(np.float32 if image.dtype == np.float32 else np.float64)
    for pair in sub_band_values(image, region.box, region.runs, first, found, workspace.room):
        for name, values in zip(pair, found, strict=True):
            yield ImageValues(name, values, real)


def _real(image: NDArray[np.generic]) -> NDArray[np.floating]:
    """The image as the recursive filters read it: double precision for what single precision cannot hold."""
    exact: type[np.floating] = np.float32 if image.dtype.name in ("int16", "uint16", "float32") else np.float64
    if image.dtype == exact:
        return np.ascontiguousarray(image, dtype=exact)
    real = memory.empty(image.shape, exact)
    real[...] = image
    return real
