"""PyRadiomics as the reference engine; no other module imports it."""

import logging
from importlib import metadata
from typing import Any, Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from radiomics import imageoperations
from radiomics.featureextractor import RadiomicsFeatureExtractor

from pipelines.domain.case import Lesion
from pipelines.domain.features import FeatureMap, FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import CtVolume, Volume
from pipelines.extraction.limits import refused, too_small
from pipelines.extraction.names import FEATURE_CLASSES, feature_names, features_of
from pipelines.extraction.settings import ExtractionSettings

_WHOLE: Final = (slice(0, None), slice(0, None), slice(0, None))
# voxels whose neighbourhoods PyRadiomics holds in memory at once
_VOXEL_BATCH: Final = 1000


def software() -> tuple[tuple[str, str], ...]:
    """(name, version) of the libraries that the numbers come from."""
    return tuple(
        (name, metadata.version(distribution))
        for name, distribution in (
            ("PyRadiomics", "pyradiomics-bhklab"),
            ("SimpleITK", "SimpleITK"),
            ("PyWavelets", "PyWavelets"),
            ("NumPy", "numpy"),
        )
    )


def extract(ct: Volume, lesion: Lesion, settings: ExtractionSettings) -> FeatureVector | Rejected:
    """Compute all features of `lesion`.

    Returns
    -------
    FeatureVector
        `feature_names(settings)` with their values; NaN where PyRadiomics gives none.
    Rejected
        `ROI-001` for a lesion that spans fewer than two voxels in two directions, `ROI-003` for one that PyRadiomics
        refuses.
    """
    small = too_small(lesion)
    if small is not None:
        return small
    # never cropped: PyRadiomics anchors its resampling grid to the image it is given
    image = _image(ct, _WHOLE)
    mask = _with_geometry(lesion.mask.on(ct.grid).astype(np.uint8), ct, _WHOLE)
    spacing = (settings.resampled_spacing_mm,) * 3
    try:
        if settings.gaussian_sigma_mm > 0:
            image, mask = imageoperations.resampleImage(
                image,
                mask,
                resampledPixelSpacing=list(spacing),
                interpolator=settings.interpolator,
                padDistance=settings.pad_distance_mm,
                label=1,
            )
            image = sitk.SmoothingRecursiveGaussian(sitk.Cast(image, sitk.sitkFloat64), settings.gaussian_sigma_mm)
            extractor = _extractor(settings, resampled_spacing=None)
        else:
            extractor = _extractor(settings, resampled_spacing=spacing)
        found = extractor.execute(image, mask)
    except ValueError as fault:
        return refused(lesion, fault)
    names = feature_names(settings)
    return FeatureVector(names, np.array([float(found.get(name, np.nan)) for name in names], dtype=np.float64))


def feature_map(
    ct: CtVolume, lesion: Lesion, feature: str, settings: ExtractionSettings, *, kernel_radius_voxels: int = 1
) -> FeatureMap | Rejected:
    """Compute `feature` in a cube around every voxel of `lesion`, on the grid of the CT.

    Parameters
    ----------
    feature
        A feature of the original image such as `original_firstorder_Entropy`.
    kernel_radius_voxels
        1 for a cube of 3 x 3 x 3 voxels; only voxels of the lesion count.
    """
    small = too_small(lesion)
    if small is not None:
        return small
    image_type, family, name = feature.split("_")
    if image_type != "original":
        raise ValueError(f"{feature} is not a feature of the original image")
    box = _box_around(ct, lesion, margin=kernel_radius_voxels + 1)
    image = _image(ct, box)
    mask = _with_geometry(lesion.mask.on(ct.grid)[box].astype(np.uint8), ct, box)
    _quiet()
    extractor = RadiomicsFeatureExtractor(
        additionalInfo=False,
        binWidth=settings.bin_width_hu,
        voxelArrayShift=settings.voxel_array_shift_hu,
        kernelRadius=kernel_radius_voxels,
        maskedKernel=True,
        initValue=0,
        voxelBatch=_VOXEL_BATCH,
    )
    extractor.disableAllFeatures()
    extractor.enableFeaturesByName(**{family: [name]})
    try:
        found = extractor.execute(image, mask, voxelBased=True)
    except ValueError as fault:
        return refused(lesion, fault)
    # PyRadiomics crops the map to the lesion; its geometry says where that is
    on_box = sitk.Resample(found[feature], mask, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0, sitk.sitkFloat64)
    inner = tuple(
        slice(offset - part.start, offset - part.start + size)
        for offset, part, size in zip(lesion.mask.offset, box, lesion.mask.voxels.shape, strict=True)
    )
    values = np.nan_to_num(sitk.GetArrayFromImage(on_box)[inner])
    return FeatureMap(
        feature,
        lesion.number,
        kernel_radius_voxels,
        lesion.mask.offset,
        np.where(lesion.mask.voxels, values, 0.0).astype(np.float32),
    )


def _quiet() -> None:
    """PyRadiomics sets its logger to INFO when it is imported and writes dozens of lines a lesion."""
    logging.getLogger("radiomics").setLevel(logging.ERROR)


def _extractor(
    settings: ExtractionSettings, *, resampled_spacing: tuple[float, float, float] | None
) -> RadiomicsFeatureExtractor:
    _quiet()
    extractor = RadiomicsFeatureExtractor(
        additionalInfo=False,
        interpolator=settings.interpolator,
        resampledPixelSpacing=None if resampled_spacing is None else list(resampled_spacing),
        padDistance=settings.pad_distance_mm,
        binWidth=settings.bin_width_hu,
        voxelArrayShift=settings.voxel_array_shift_hu,
        label=1,
    )
    extractor.disableAllImageTypes()
    extractor.enableImageTypeByName("Original")
    if settings.log_sigmas_mm:
        extractor.enableImageTypeByName("LoG", customArgs={"sigma": list(settings.log_sigmas_mm)})
    if settings.wavelet:
        extractor.enableImageTypeByName("Wavelet")
    extractor.disableAllFeatures()
    for family in ("shape", *FEATURE_CLASSES):
        extractor.enableFeaturesByName(**{family: list(features_of(family))})
    return extractor


def _box_around(ct: Volume, lesion: Lesion, *, margin: int) -> tuple[slice, slice, slice]:
    a, b, c = (
        slice(max(0, part.start - margin), min(extent, part.stop + margin))
        for part, extent in zip(lesion.mask.box, ct.grid.shape, strict=True)
    )
    return a, b, c


def _image(ct: Volume, box: tuple[slice, slice, slice]) -> sitk.Image:
    return _with_geometry(ct.hu[box], ct, box)


def _with_geometry(voxels: NDArray[Any], ct: Volume, box: tuple[slice, slice, slice]) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels))
    image.SetSpacing(ct.grid.spacing_mm)
    image.SetDirection(ct.grid.direction)
    image.SetOrigin(ct.grid.origin_mm)
    image.SetOrigin(image.TransformIndexToPhysicalPoint([part.start for part in reversed(box)]))
    return image
