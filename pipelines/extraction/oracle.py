"""PyRadiomics as the reference engine; no other module computes with it."""

import logging
from collections.abc import Sequence
from importlib import metadata
from typing import Any, Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from pipelines.domain.case import Lesion
from pipelines.domain.feature_codes import describe
from pipelines.domain.features import FeatureMap, FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import Volume
from pipelines.extraction.customisation import Customisation, Value
from pipelines.extraction.limits import refused, too_small
from pipelines.extraction.names import FEATURE_CLASSES, feature_names, features_of
from pipelines.extraction.placement import feature_map, shown_voxels
from pipelines.extraction.resampling import positions_of
from pipelines.extraction.settings import ExtractionSettings
from pipelines.extraction.toolbox import DISTRIBUTION, pyradiomics

_WHOLE: Final = (slice(0, None), slice(0, None), slice(0, None))
# voxels whose neighbourhoods PyRadiomics holds in memory at once
_VOXEL_BATCH: Final = 1000


def software() -> tuple[tuple[str, str], ...]:
    """(name, version) of the libraries that the numbers come from."""
    return tuple(
        (name, metadata.version(distribution))
        for name, distribution in (
            ("PyRadiomics", DISTRIBUTION),
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
    custom = settings.customisation
    # a file may ask for lines of voxels too; then PyRadiomics alone decides
    small = too_small(lesion) if custom is None or custom.setting("minimumROIDimensions") != 1 else None
    if small is not None:
        return small
    # never cropped: PyRadiomics anchors its resampling grid to the image it is given
    image = _image(ct, _WHOLE)
    mask = _with_geometry(lesion.mask.on(ct.grid).astype(np.uint8), ct, _WHOLE)
    try:
        if custom is not None:
            found = _customised(custom).execute(image, mask, label=1)
        else:
            found = _profiled(image, mask, settings)
    except ValueError as fault:
        return refused(lesion, fault)
    except RuntimeError as fault:
        # ITK or the compiled part of PyRadiomics: the last line says why, those before name source files
        return refused(lesion, ValueError(str(fault).strip().splitlines()[-1]))
    names = feature_names(settings)
    return FeatureVector(names, np.array([float(found.get(name, np.nan)) for name in names], dtype=np.float64))


def _profiled(image: sitk.Image, mask: sitk.Image, settings: ExtractionSettings) -> dict[str, Any]:
    spacing = (settings.resampled_spacing_mm,) * 3
    if settings.gaussian_sigma_mm == 0:
        resampled: dict[str, Any] = _extractor(settings, resampled_spacing=spacing).execute(image, mask)
        return resampled
    image, mask = pyradiomics().imageoperations.resampleImage(
        image,
        mask,
        resampledPixelSpacing=list(spacing),
        interpolator=settings.interpolator,
        padDistance=settings.pad_distance_mm,
        label=1,
    )
    image = sitk.SmoothingRecursiveGaussian(sitk.Cast(image, sitk.sitkFloat64), settings.gaussian_sigma_mm)
    smoothed: dict[str, Any] = _extractor(settings, resampled_spacing=None).execute(image, mask)
    return smoothed


def feature_maps(
    ct: Volume,
    lesion: Lesion,
    features: Sequence[str],
    settings: ExtractionSettings,
    *,
    kernel_radius_voxels: int = 1,
) -> tuple[FeatureMap, ...] | Rejected:
    """Compute `features` in a cube around every voxel of `lesion`, on the grid of the CT.

    Parameters
    ----------
    features
        Of the original image, which is mapped on the CT as it is, or of filtered images, which are mapped on the
        resampled grid of the profile; each voxel of the CT shows the nearest one of that grid.
    kernel_radius_voxels
        1 for a cube of 3 x 3 x 3 voxels; only voxels of the lesion count.
    """
    found = voxel_values(ct, lesion, features, settings, kernel_radius_voxels=kernel_radius_voxels)
    if isinstance(found, Rejected):
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
) -> dict[str, NDArray[np.float64]] | Rejected:
    """The values of `feature_maps` for each voxel of the lesion, in the order of the array; NaN where there is none."""
    small = too_small(lesion)
    if small is not None:
        return small
    _quiet()
    found: dict[str, NDArray[np.float64]] = {}
    try:
        for filtered in (False, True):
            wanted = [feature for feature in features if filtered != feature.startswith("original_")]
            if wanted and filtered:
                found |= _filtered_values(ct, lesion, wanted, settings, kernel_radius_voxels)
            elif wanted:
                found |= _original_values(ct, lesion, wanted, settings, kernel_radius_voxels)
    except ValueError as fault:
        return refused(lesion, fault)
    missing = [feature for feature in features if feature not in found]
    return refused(lesion, ValueError(f"no map of {', '.join(missing)}")) if missing else found


def _original_values(
    ct: Volume, lesion: Lesion, features: Sequence[str], settings: ExtractionSettings, radius: int
) -> dict[str, NDArray[np.float64]]:
    box = _box_around(ct, lesion, margin=radius + 1)
    mask = lesion.mask.on(ct.grid)[box]
    found = _executed(_image(ct, box), _with_geometry(mask.astype(np.uint8), ct, box), features, settings, radius)
    return {feature: values[mask] for feature, values in found.items()}


def _filtered_values(
    ct: Volume, lesion: Lesion, features: Sequence[str], settings: ExtractionSettings, radius: int
) -> dict[str, NDArray[np.float64]]:
    image, mask = pyradiomics().imageoperations.resampleImage(
        _image(ct, _WHOLE),
        _with_geometry(lesion.mask.on(ct.grid).astype(np.uint8), ct, _WHOLE),
        resampledPixelSpacing=[settings.resampled_spacing_mm] * 3,
        interpolator=settings.interpolator,
        padDistance=settings.pad_distance_mm,
        label=1,
    )
    if settings.gaussian_sigma_mm > 0:
        image = sitk.SmoothingRecursiveGaussian(sitk.Cast(image, sitk.sitkFloat64), settings.gaussian_sigma_mm)
    found = _executed(image, mask, features, settings, radius)
    voxels = sitk.GetArrayFromImage(mask).astype(np.bool_)
    x, y, z = mask.GetSpacing()
    shown = shown_voxels(lesion, voxels, positions_of(ct, lesion, settings), (z, y, x))
    return {feature: values[voxels][shown] for feature, values in found.items()}


def _executed(
    image: sitk.Image, mask: sitk.Image, features: Sequence[str], settings: ExtractionSettings, radius: int
) -> dict[str, NDArray[np.float64]]:
    """PyRadiomics' maps on the grid of `mask`, each class computed once for each image."""
    by_image: dict[str, dict[str, list[str]]] = {}
    for feature in features:
        image_type, family, name = feature.split("_")
        by_image.setdefault(image_type, {}).setdefault(family, []).append(name)
    found: dict[str, NDArray[np.float64]] = {}
    for image_type, by_family in by_image.items():
        extractor = pyradiomics().featureextractor.RadiomicsFeatureExtractor(
            additionalInfo=False,
            binWidth=settings.bin_width_hu,
            voxelArrayShift=settings.voxel_array_shift_hu,
            kernelRadius=radius,
            maskedKernel=True,
            initValue=0,
            voxelBatch=_VOXEL_BATCH,
        )
        extractor.disableAllImageTypes()
        if image_type == "original":
            extractor.enableImageTypeByName("Original")
        elif image_type.startswith("wavelet-"):
            extractor.enableImageTypeByName("Wavelet")
        else:
            sigma = describe(f"{image_type}_firstorder_Mean").log_sigma_mm
            extractor.enableImageTypeByName("LoG", customArgs={"sigma": [sigma]})
        extractor.disableAllFeatures()
        extractor.enableFeaturesByName(**by_family)
        made = extractor.execute(image, mask, voxelBased=True)
        for feature in features:
            if feature.startswith(f"{image_type}_") and feature in made:
                # PyRadiomics crops the map to the lesion; its geometry says where that is
                whole = sitk.Resample(
                    made[feature], mask, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0, sitk.sitkFloat64
                )
                found[feature] = sitk.GetArrayFromImage(whole)
    return found


def _quiet() -> None:
    """PyRadiomics sets its logger to INFO when it is imported and writes dozens of lines a lesion."""
    logging.getLogger("radiomics").setLevel(logging.ERROR)


def _extractor(settings: ExtractionSettings, *, resampled_spacing: tuple[float, float, float] | None) -> Any:
    _quiet()
    extractor = pyradiomics().featureextractor.RadiomicsFeatureExtractor(
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


def _customised(custom: Customisation) -> Any:
    """An extractor in the state in which PyRadiomics' own loader leaves it after the parameter file."""
    _quiet()
    extractor = pyradiomics().featureextractor.RadiomicsFeatureExtractor()
    extractor.settings = {name: _listed(value) for name, value in custom.settings}
    extractor.settings["additionalInfo"] = False
    extractor.enabledImagetypes = {
        kind: {name: _listed(value) for name, value in arguments} for kind, arguments in custom.image_types
    }
    extractor.enabledFeatures = {family: list(features) for family, features in custom.features}
    return extractor


def _listed(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


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
