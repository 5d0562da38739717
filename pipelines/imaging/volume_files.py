"""Read an image and its mask, as NRRD, NIfTI and MetaImage files hold them, into a volume and its lesions."""

from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from pipelines.domain.case import Lesion
from pipelines.domain.identifiers import derived_uid
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import Grid, Mask, Volume
from pipelines.imaging.seg import Drawn

_SAME_GRID: Final = 0.01
"""Part of a voxel by which the corners of two grids may differ that count as the same."""
_OUTSIDE: Final = 1e-3
"""Part of a voxel by which a lesion may reach beyond the image; PyRadiomics' tolerance."""
_CORNERS: Final = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
_REDRAW: Final = "Draw the lesion on the image and save the mask with the geometry of the image."


def read_volume(image: sitk.Image) -> Volume | Rejected:
    """The voxels of `image` in the type in which they are stored, which PyRadiomics' numbers depend on.

    Returns
    -------
    Volume
        Values are taken as HU.
    Rejected
        `VOL-001` for anything but a three-dimensional image of single real numbers.
    """
    problem = _unlike_a_volume(image)
    if problem:
        return Rejected("VOL-001", f"The image {problem}.", "Save it as one volume of single numbers.")
    hu: NDArray[np.generic] = sitk.GetArrayFromImage(image)
    return Volume(hu, _grid(image))


def read_masks(mask: sitk.Image, volume: Volume, *, label: int | None = None, channel: int | None = None) -> Drawn:
    """Read the lesions of a label image on `volume`.

    A mask with another geometry than the image is carried over to it with the nearest neighbour, as PyRadiomics'
    `correctMask` does, with a note `SEG-008`.

    Parameters
    ----------
    label
        Voxels of this value make the only lesion; None makes each value but 0 one.
    channel
        Component of a mask whose voxels are vectors, from 0; None reads all.

    Returns
    -------
    Drawn
        Lesions in the order of channel and label. For each that there is not, a note: `SEG-004` for a mask without the
        label, `SEG-006` for one that is no label image, `SEG-007` for a lesion that reaches beyond the image.

    References
    ----------
    PyRadiomics 3.1 `imageoperations.getMask`, `_correctMask` and `_checkROI`.
    """
    channels = mask.GetNumberOfComponentsPerPixel()
    if mask.GetDimension() != 3 or "complex" in mask.GetPixelIDTypeAsString():
        return Drawn((), (Rejected("SEG-006", "The mask is no volume of labels.", _REDRAW),))
    if channel is not None and not 0 <= channel < channels:
        problem = Rejected("SEG-006", f"The mask has no channel {channel}.", "Name a channel of the mask, from 0.")
        return Drawn((), (problem,))
    lesions: list[Lesion] = []
    notes: list[Rejected] = []
    for index in range(channels) if channel is None else (channel,):
        one = sitk.VectorIndexSelectionCast(mask, index) if channels > 1 else mask
        drawn = _one_channel(one, index, volume, label)
        lesions.extend(drawn.lesions)
        notes.extend(note for note in drawn.notes if note not in notes)
    if not lesions and not notes:
        wanted = "The mask has no voxel" if label is None else f"No voxel of the mask has label {label}"
        notes.append(Rejected("SEG-004", f"{wanted}.", "Draw the lesion, or name a label of the mask."))
    return Drawn(tuple(lesions), tuple(notes))


def _one_channel(mask: sitk.Image, channel: int, volume: Volume, label: int | None) -> Drawn:
    # as PyRadiomics reads labels: 1.0 in a mask of floats is label 1
    whole = sitk.Cast(mask, sitk.sitkUInt32)
    labels: NDArray[np.uint32] = sitk.GetArrayFromImage(whole)
    found = [value for value in _values(labels) if label in (None, value)]
    lesions: list[Lesion] = []
    notes: list[Rejected] = []
    moved = not _same_grid(_grid(mask), volume.grid)
    on_image: NDArray[np.uint32] = _carried_over(whole, volume) if moved and found else labels
    for value in found:
        name = f"Label {value}" if channel == 0 else f"Label {value} of channel {channel}"
        if moved and _reaches_beyond(labels == value, mask, volume):
            notes.append(Rejected("SEG-007", f"{name} reaches beyond the image.", _REDRAW))
            continue
        cropped = Mask.of(on_image == value)
        if cropped is None:
            notes.append(Rejected("ROI-002", f"{name} has no voxel on the grid of the image.", _REDRAW))
            continue
        uid = derived_uid("lesion of a file", repr(cropped.offset), cropped.voxels.tobytes().hex(), name)
        lesions.append(Lesion(value, name, name, uid, None, cropped))
    if moved and lesions:
        notes.append(
            Rejected(
                "SEG-008",
                "The mask has another geometry than the image; it was carried over with the nearest neighbour.",
                "Nothing, if that is meant; else save the mask with the geometry of the image.",
            )
        )
    return Drawn(tuple(lesions), tuple(notes))


def _values(labels: NDArray[np.uint32]) -> list[int]:
    """The different labels but 0 in ascending order; sorting the whole volume would take longer than measuring it."""
    found: set[int] = set()
    for plane in labels:
        if plane.any():
            found.update(np.unique(plane[plane != 0]).tolist())
    return sorted(found)


def _unlike_a_volume(image: sitk.Image) -> str:
    if image.GetDimension() != 3:
        return f"has {image.GetDimension()} dimensions, not three"
    if image.GetNumberOfComponentsPerPixel() != 1 or "complex" in image.GetPixelIDTypeAsString():
        return "has more than one number at a voxel"
    return ""


def _grid(image: sitk.Image) -> Grid:
    columns, rows, slices = image.GetSize()
    x, y, z = image.GetSpacing()
    a, b, c = image.GetOrigin()
    return Grid((slices, rows, columns), (a, b, c), (x, y, z), tuple(image.GetDirection()))


def _same_grid(one: Grid, other: Grid) -> bool:
    if one.shape != other.shape:
        return False
    last = np.array([[k * (size - 1) for size, k in zip(one.shape[::-1], corner, strict=True)] for corner in _CORNERS])
    away = np.abs(_points(one, last) - _points(other, last))
    return bool(away.max() <= _SAME_GRID * min(other.spacing_mm))


def _points(grid: Grid, indices: NDArray[np.generic]) -> NDArray[np.float64]:
    """Points in mm of (column, row, slice) indices, shape (n, 3)."""
    direction = np.reshape(grid.direction, (3, 3))
    return np.asarray(np.array(grid.origin_mm) + (indices * np.array(grid.spacing_mm)) @ direction.T, dtype=np.float64)


def _reaches_beyond(lesion: NDArray[np.bool_], mask: sitk.Image, volume: Volume) -> bool:
    """True if the box around the lesion is not within the image, as PyRadiomics' `_checkROI` has it."""
    cropped = Mask.of(lesion)
    if cropped is None:
        return False
    first = np.array(cropped.offset[::-1]) - 0.5
    stop = first + np.array(cropped.voxels.shape[::-1])
    points = _points(_grid(mask), np.array([first, stop]))
    direction = np.reshape(volume.grid.direction, (3, 3))
    index = np.linalg.solve(direction, (points - volume.grid.origin_mm).T).T / volume.grid.spacing_mm
    size = np.array(volume.grid.shape[::-1])
    return bool((index < -0.5 - _OUTSIDE).any() or (index > size - 0.5 + _OUTSIDE).any())


def _carried_over(mask: sitk.Image, volume: Volume) -> NDArray[np.uint32]:
    grid = volume.grid
    target = sitk.Image([grid.shape[2], grid.shape[1], grid.shape[0]], sitk.sitkUInt8)
    target.SetOrigin(grid.origin_mm)
    target.SetSpacing(grid.spacing_mm)
    target.SetDirection(grid.direction)
    moved = sitk.Resample(mask, target, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    carried: NDArray[np.uint32] = sitk.GetArrayFromImage(moved)
    return carried
