"""Fill the contours of an RT Structure Set on the grid of a CT volume."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pipelines.domain.case import Lesion
from pipelines.domain.identifiers import derived_uid
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import CtVolume, Grid, Mask
from pipelines.imaging.seg import Drawn

_RESEND = "Draw the structure on the slices of the CT series and send the structure set again."


def read_structures(structures: Dataset, ct: CtVolume) -> Drawn | Rejected:
    """Read all ROIs with closed planar contours.

    A voxel belongs to the ROI when its centre lies inside an odd number of the contours of its slice, so an inner
    contour cuts a hole.

    Returns
    -------
    Drawn
        One lesion for each ROI that covers a voxel; a note for each that does not.
    Rejected
        `SEG-003`, `SEG-004` or `SEG-006`.

    References
    ----------
    PS3.3 C.8.8.5 (Structure Set), C.8.8.6 (ROI Contour).
    """
    rois = {int(item.ROINumber): item for item in structures.get("StructureSetROISequence", ())}
    frames = {str(item.get("ReferencedFrameOfReferenceUID", "")) for item in rois.values()}
    if ct.frame_of_reference not in frames:
        return Rejected(
            "SEG-003",
            f"Structure set {structures.SOPInstanceUID} and the CT have no common frame of reference.",
            _RESEND,
        )
    lesions: list[Lesion] = []
    notes: list[Rejected] = []
    for contours in structures.get("ROIContourSequence", ()):
        number = int(contours.ReferencedROINumber)
        roi = rois.get(number)
        if roi is None or str(roi.ReferencedFrameOfReferenceUID) != ct.frame_of_reference:
            continue
        try:
            mask = _fill(contours, ct.grid)
        except ValueError as fault:
            notes.append(Rejected("SEG-006", f"ROI {number}: {fault}.", _RESEND))
            continue
        if mask is None:
            notes.append(Rejected("ROI-002", f"ROI {number} covers no voxel of the CT.", _RESEND))
            continue
        label = str(roi.get("ROIName") or f"ROI {number}")
        uid = derived_uid("lesion", str(structures.SOPInstanceUID), str(number))
        lesions.append(Lesion(number, label, f"{label} ({number})", uid, None, mask))
    if not lesions:
        return Rejected(
            "SEG-004",
            f"Structure set {structures.SOPInstanceUID} has no ROI that covers a voxel of the CT.",
            "Draw the lesion and send the structure set again.",
        )
    return Drawn(tuple(lesions), tuple(notes))


def _fill(contours: Dataset, grid: Grid) -> Mask | None:
    slices: dict[int, NDArray[np.bool_]] = {}
    for index, polygon in _polygons(contours, grid):
        inside = fill_polygon(polygon, (grid.shape[1], grid.shape[2]))
        slices[index] = slices[index] ^ inside if index in slices else inside
    if not slices:
        return None
    first = min(slices)
    block = np.zeros((max(slices) - first + 1, *grid.shape[1:]), dtype=np.bool_)
    for index, inside in slices.items():
        block[index - first] = inside
    return Mask.of(block, (first, 0, 0))


def _polygons(contours: Dataset, grid: Grid) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """(slice, vertices as (row, column) indices) of each closed planar contour on a slice of the CT."""
    direction = np.reshape(grid.direction, (3, 3))
    for contour in contours.get("ContourSequence", ()):
        if contour.get("ContourGeometricType") != "CLOSED_PLANAR":
            continue
        points = np.asarray(contour.ContourData, dtype=np.float64).reshape(-1, 3)
        along = np.linalg.solve(direction, (points - grid.origin_mm).T).T / grid.spacing_mm
        if np.ptp(along[:, 2]) > 0.5:
            raise ValueError("a contour is not parallel to the CT slices")
        index = int(np.rint(along[:, 2].mean()))
        if 0 <= index < grid.shape[0]:
            yield index, along[:, 1::-1]


def fill_polygon(polygon: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of `shape` whose centres lie inside `polygon` by the even-odd rule.

    Parameters
    ----------
    polygon
        Vertices as (row, column) in pixels, shape (n, 2); the last is joined to the first.

    Examples
    --------
    >>> square = np.array([[0.5, 0.5], [0.5, 2.5], [2.5, 2.5], [2.5, 0.5]])
    >>> fill_polygon(square, (4, 4)).astype(int)
    array([[0, 0, 0, 0],
           [0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    inside = np.zeros(shape, dtype=np.bool_)
    start, end = polygon, np.roll(polygon, -1, axis=0)
    first = max(0, int(np.ceil(polygon[:, 0].min())))
    last = min(shape[0] - 1, int(np.floor(polygon[:, 0].max())))
    columns = np.arange(shape[1])
    for row in range(first, last + 1):
        # half-open edges, so that a vertex on the row counts once
        crossing = (start[:, 0] <= row) != (end[:, 0] <= row)
        a, b = start[crossing], end[crossing]
        at = a[:, 1] + (row - a[:, 0]) * (b[:, 1] - a[:, 1]) / (b[:, 0] - a[:, 0])
        inside[row] = (np.sum(at[:, None] < columns[None, :], axis=0) % 2).astype(np.bool_)
    return inside
