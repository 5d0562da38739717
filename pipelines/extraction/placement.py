"""From values around the voxels of an image of a lesion to a map on the grid of the CT."""

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from pipelines.domain.case import Lesion
from pipelines.domain.features import FeatureMap
from pipelines.extraction.resampling import Positions


def feature_map(
    lesion: Lesion, feature: str, values: NDArray[np.float64], radius: int, places: NDArray[np.intp]
) -> FeatureMap:
    """The `values` of the voxels of `lesion`, in the order of the array, as a map; 0 in place of NaN.

    Parameters
    ----------
    places
        Flat indices of these voxels within the mask, which all maps of a lesion share.
    """
    whole = np.zeros(lesion.mask.voxels.shape, dtype=np.float32)
    whole.reshape(-1)[places] = np.nan_to_num(values)
    return FeatureMap(feature, lesion.number, radius, lesion.mask.offset, whole)


def shown_voxels(
    lesion: Lesion, mask: NDArray[np.bool_], positions: Positions, spacing_mm: tuple[float, float, float]
) -> NDArray[np.intp]:
    """Which voxel of a resampled lesion each voxel of the CT shows.

    It is the one nearest to its centre; where that is not in `mask`, the one of `mask` nearest to that.

    Parameters
    ----------
    mask
        The lesion on the resampled grid, with at least one voxel.
    positions
        Where the voxels of that grid lie, as continuous indices in the CT, ascending.
    spacing_mm
        Of that grid, along (slices, rows, columns).

    Returns
    -------
    array
        For each voxel of `lesion` on the CT, in the order of the array: number of a voxel of `mask`, in its order.
    """
    voxels = np.nonzero(lesion.mask.voxels)
    nearest = [
        _nearest(along, np.arange(start, start + extent))[index]
        for along, start, extent, index in zip(
            positions, lesion.mask.offset, lesion.mask.voxels.shape, voxels, strict=True
        )
    ]
    if not mask[tuple(nearest)].all():
        way = _way_into(mask, spacing_mm)[tuple(nearest)]
        nearest = [index + way[:, axis] for axis, index in enumerate(nearest)]
    numbers = np.cumsum(mask.reshape(-1)) - 1
    return np.asarray(numbers.reshape(mask.shape)[tuple(nearest)], dtype=np.intp)


def _nearest(along: NDArray[np.float64], wanted: NDArray[np.intp]) -> NDArray[np.intp]:
    """Place in ascending `along` that lies nearest to each of `wanted`."""
    after = np.clip(np.searchsorted(along, wanted), 1, max(along.size - 1, 1))
    if along.size == 1:
        return np.zeros(wanted.size, dtype=np.intp)
    return np.where(wanted - along[after - 1] <= along[after] - wanted, after - 1, after)


def _way_into(mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> NDArray[np.int64]:
    """Steps (slices, rows, columns) from every voxel to the nearest one of `mask`, which has none to go."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing_mm[::-1])
    distances = sitk.DanielssonDistanceMapImageFilter()
    distances.InputIsBinaryOn()
    distances.UseImageSpacingOn()
    distances.Execute(image)
    return np.asarray(sitk.GetArrayFromImage(distances.GetVectorDistanceMap())[..., ::-1], dtype=np.int64)
