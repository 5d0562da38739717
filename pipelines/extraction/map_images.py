"""The images of a lesion that feature maps are made of: the CT as it is, and the filtered images of the profile."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.case import Lesion
from pipelines.domain.volume import Volume
from pipelines.extraction.gaussian import laplacian, laplacian_exists, smoothed
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.memory import Memory
from pipelines.extraction.native import Box, Turned
from pipelines.extraction.placement import shown_voxels
from pipelines.extraction.resampling import positions_of, resample
from pipelines.extraction.settings import ExtractionSettings
from pipelines.extraction.wavelets import sub_bands


@dataclass(frozen=True, slots=True, eq=False)
class MapImage:
    """One image of a lesion.

    Attributes
    ----------
    mask
        The lesion in the smallest box around it.
    values
        Of the voxels of `mask` in the order of the array, in the type in which PyRadiomics has the image.
    shown
        For each voxel of the lesion on the CT the number of the voxel of `mask` that it shows; None for its own.
    """

    mask: NDArray[np.bool_]
    values: NDArray[np.generic]
    shown: NDArray[np.intp] | None
    voxel_mm3: float


def original_image(ct: Volume, lesion: Lesion) -> MapImage:
    """The CT on its own grid, without resampling and without smoothing."""
    mask = lesion.mask.voxels
    values = ct.hu[lesion.mask.box][mask]
    return MapImage(mask, values, None, ct.grid.voxel_mm3)


def filtered_images(
    ct: Volume, lesion: Lesion, image_types: Collection[str], settings: ExtractionSettings
) -> dict[str, MapImage] | Unsupported:
    """The filtered images `image_types` by name, as the features of the whole lesion are computed on them.

    They lie on the resampled grid of the profile, after its smoothing.
    """
    resampled = resample(ct, lesion, settings)
    if isinstance(resampled, Unsupported):
        return resampled
    mask = resampled.mask
    if mask is None:
        return Unsupported("the lesion vanishes on the resampled grid")
    image, spacing = resampled.image, resampled.spacing_mm
    if settings.gaussian_sigma_mm > 0:
        if min(image.shape) < 4:
            return Unsupported("the CT has too few slices to be smoothed")
        image = smoothed(image.astype(np.float32), spacing, settings.gaussian_sigma_mm)
    box: Box = tuple((part.start, part.stop) for part in mask.box)  # type: ignore[assignment]
    images: dict[str, NDArray[np.generic]] = {}
    # a map has its values in single precision
    turned = Turned.of(image.astype(np.float32), Memory())
    for sigma in settings.log_sigmas_mm:
        name = f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D"
        if name in image_types and laplacian_exists(image.shape, spacing, sigma):
            images[name] = laplacian(turned, spacing, sigma, box)
    if any(name.startswith("wavelet-") for name in image_types):
        images |= dict(sub_bands(image, box))
    missing = sorted(set(image_types) - set(images))
    if missing:
        return Unsupported(f"the CT around the lesion is too small for {', '.join(missing)}")
    shown = shown_voxels(lesion, resampled.whole_mask(), positions_of(ct, lesion, settings), spacing)
    return {name: MapImage(mask.voxels, images[name][mask.voxels], shown, math.prod(spacing)) for name in image_types}
