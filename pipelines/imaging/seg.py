"""Read the segments of a DICOM segmentation onto the grid of a CT volume."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom import Dataset

from pipelines.domain.case import Lesion
from pipelines.domain.coding import Code
from pipelines.domain.identifiers import derived_uid
from pipelines.domain.instance import Plane
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import LABEL_MAP_SEGMENTATION
from pipelines.domain.volume import CtVolume, Grid, Mask
from pipelines.imaging.geometry import normal_of

_IN_PLANE_TOLERANCE: Final = 1e-3
"""Difference of direction cosines and pixel spacings below which two grids are the same."""
_PIXEL_TOLERANCE: Final = 0.05
"""Part of a pixel or a slice by which a frame may be off its place on the CT."""
_RESEND: Final = "Export the segmentation on the original CT series and send it again."


@dataclass(frozen=True, slots=True)
class Drawn:
    """The lesions that a segmentation holds.

    Attributes
    ----------
    on_ct_grid
        False when the segmentation has a grid of its own and was resampled onto that of the CT.
    """

    lesions: tuple[Lesion, ...]
    notes: tuple[Rejected, ...]
    on_ct_grid: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    plane: Plane
    spacing_mm: tuple[float, float]
    thickness_mm: float
    pixels: NDArray[np.bool_]


@dataclass(slots=True)
class _Segment:
    """Frames of one segment with at least one true pixel."""

    frames: list[_Frame] = field(default_factory=list)


def read_segmentation(segmentation: Dataset, ct: CtVolume) -> Drawn | Rejected:
    """Read all segments of a SEG or label map.

    BINARY frames are taken as they are. In a FRACTIONAL segmentation a voxel belongs to the segment from half of the
    maximum on; one that knows only 0 and one other value is a mask whatever that value is, as some writers store 1 of
    255. Frames on the CT's grid are copied, others are resampled with the nearest neighbour.

    Returns
    -------
    Drawn
        One lesion for each segment that is not empty; a note `ROI-002` for each that is.
    Rejected
        `SEG-003`, `SEG-004`, `SEG-006` or `SEG-007`.

    References
    ----------
    PS3.3 C.8.20 (Segmentation).
    """
    if str(segmentation.get("FrameOfReferenceUID", "")) != ct.frame_of_reference:
        return Rejected(
            "SEG-003",
            f"Segmentation {segmentation.SOPInstanceUID} and the CT have no common frame of reference.",
            _RESEND,
        )
    try:
        segments = _segments(segmentation)
    except Exception as fault:  # decoders and sequences of foreign writers fail in many ways, all with one meaning
        why = f"{type(fault).__name__}: {fault}" if isinstance(fault, _Undecodable) else type(fault).__name__
        return Rejected(
            "SEG-006",
            f"Segmentation {segmentation.SOPInstanceUID} cannot be decoded ({why}).",
            "Export it as a BINARY segmentation, uncompressed, and send it again.",
        )
    lesions: list[Lesion] = []
    notes: list[Rejected] = []
    resampled = False
    for item in segmentation.SegmentSequence:
        number = int(item.SegmentNumber)
        if number == 0:
            continue  # the background of a label map
        frames = segments.get(number, _Segment()).frames
        mask = _on_grid(frames, ct.grid) if frames else None
        if mask is None and frames:
            resampled = True
            mask = _resampled(frames, ct.grid)
        if mask is None:
            notes.append(_empty(number, outside=bool(frames)))
            continue
        lesions.append(_lesion(segmentation, item, number, mask))
    if resampled:
        notes.append(
            Rejected(
                "SEG-008",
                f"Segmentation {segmentation.SOPInstanceUID} has a grid of its own; its voxels were carried over to "
                "the CT with the nearest neighbour.",
                "Nothing, if that is meant; else export it on the original CT series and send it again.",
            )
        )
    if not lesions:
        outside = [note for note in notes if note.code == "SEG-007"]
        if outside:
            return outside[0]
        return Rejected(
            "SEG-004",
            f"Segmentation {segmentation.SOPInstanceUID} has no segment with a voxel.",
            "Draw the lesion and send the segmentation again.",
        )
    return Drawn(tuple(lesions), tuple(notes), on_ct_grid=not resampled)


class _Undecodable(Exception):
    """The frames contradict the header; the message says how."""


def _segments(segmentation: Dataset) -> dict[int, _Segment]:
    found: dict[int, _Segment] = {}
    for number, frame in _frames(segmentation):
        if frame.pixels.any():
            found.setdefault(number, _Segment()).frames.append(frame)
    return found


def _frames(segmentation: Dataset) -> Iterator[tuple[int, _Frame]]:
    pixels = segmentation.pixel_array
    pixels = pixels.reshape((-1, *pixels.shape[-2:]))
    groups = segmentation.PerFrameFunctionalGroupsSequence
    if len(groups) != len(pixels):
        raise _Undecodable(f"{len(pixels)} frames, {len(groups)} functional groups")
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    label_map = segmentation.SOPClassUID == LABEL_MAP_SEGMENTATION
    threshold = None if label_map else _threshold(segmentation, pixels)
    for values, group in zip(pixels, groups, strict=True):
        plane, spacing, thickness = _place(group, shared)
        if label_map:
            for number in (int(value) for value in np.unique(values) if value):
                yield number, _Frame(plane, spacing, thickness, values == number)
        else:
            identification = _macro("SegmentIdentificationSequence", group, shared)
            yield int(identification.ReferencedSegmentNumber), _Frame(plane, spacing, thickness, values >= threshold)


def _threshold(segmentation: Dataset, pixels: NDArray[np.generic]) -> int:
    """Smallest stored value that means inside."""
    if segmentation.SegmentationType == "BINARY":
        return 1
    values = np.unique(pixels)
    if len(values) <= 2:
        return max(1, int(values[-1]))
    return (int(segmentation.MaximumFractionalValue) + 1) // 2


def _macro(keyword: str, group: Dataset, shared: Dataset) -> Dataset:
    """Item of a functional group macro, per frame or shared by all (PS3.3 C.7.6.16)."""
    for outer in (group, shared):
        sequence = outer.get(keyword)
        if sequence:
            item: Dataset = sequence[0]
            return item
    raise _Undecodable(f"{keyword} is missing")


def _place(group: Dataset, shared: Dataset) -> tuple[Plane, tuple[float, float], float]:
    x, y, z = (float(v) for v in _macro("PlanePositionSequence", group, shared).ImagePositionPatient)
    a, b, c, d, e, f = (float(v) for v in _macro("PlaneOrientationSequence", group, shared).ImageOrientationPatient)
    measures = _macro("PixelMeasuresSequence", group, shared)
    rows, columns = (float(v) for v in measures.PixelSpacing)
    thickness = float(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 0)
    return Plane((x, y, z), (a, b, c, d, e, f)), (rows, columns), thickness


def _index(grid: Grid, position_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Continuous index (slice, row, column) of a point."""
    direction = np.reshape(grid.direction, (3, 3))
    along = np.linalg.solve(direction, np.subtract(position_mm, grid.origin_mm)) / grid.spacing_mm
    return np.asarray(along[::-1], dtype=np.float64)


def _on_grid(frames: list[_Frame], grid: Grid) -> Mask | None:
    """Copy frames that lie on the slices and pixels of `grid`; None when one does not."""
    placed: list[tuple[int, int, int, NDArray[np.bool_]]] = []
    for frame in frames:
        index = _index(grid, frame.plane.position_mm)
        nearest = np.rint(index).astype(int)
        same_plane = np.allclose(
            (*frame.plane.orientation, *frame.spacing_mm),
            (*grid.row_cosines, *grid.column_cosines, grid.spacing_mm[1], grid.spacing_mm[0]),
            atol=_IN_PLANE_TOLERANCE,
            rtol=0,
        )
        if not same_plane or np.abs(index - nearest).max() > _PIXEL_TOLERANCE:
            return None
        rows, columns = np.nonzero(frame.pixels)
        k, r0, c0 = (int(v) for v in nearest)
        inside = (
            0 <= k < grid.shape[0]
            and r0 + rows.min() >= 0
            and r0 + rows.max() < grid.shape[1]
            and c0 + columns.min() >= 0
            and c0 + columns.max() < grid.shape[2]
        )
        if not inside:
            return None
        placed.append((k, r0, c0, frame.pixels))
    first = min(k for k, *_ in placed)
    block = np.zeros((max(k for k, *_ in placed) - first + 1, *grid.shape[1:]), dtype=np.bool_)
    for k, r0, c0, pixels in placed:
        rows, columns = np.nonzero(pixels)
        block[k - first, rows + r0, columns + c0] = True
    return Mask.of(block, (first, 0, 0))


def _resampled(frames: list[_Frame], grid: Grid) -> Mask | None:
    """Carry frames on a grid of their own over to `grid` with the nearest neighbour."""
    plane = frames[0].plane
    normal = normal_of(plane.orientation)
    heights = np.array([np.dot(frame.plane.position_mm, normal) for frame in frames])
    steps = np.diff(np.unique(np.round(heights, 3)))
    spacing = frames[0].thickness_mm or (float(steps.min()) if len(steps) else grid.spacing_mm[2])
    places = np.rint((heights - heights.min()) / spacing).astype(int)
    block = np.zeros((int(places.max()) + 1, *frames[0].pixels.shape), dtype=np.uint8)
    for place, frame in zip(places, frames, strict=True):
        block[place] |= frame.pixels
    own = sitk.GetImageFromArray(block)
    own.SetOrigin(frames[int(heights.argmin())].plane.position_mm)
    own.SetSpacing((frames[0].spacing_mm[1], frames[0].spacing_mm[0], spacing))
    own.SetDirection(np.column_stack([plane.orientation[:3], plane.orientation[3:], normal]).ravel().tolist())
    target = sitk.Image([grid.shape[2], grid.shape[1], grid.shape[0]], sitk.sitkUInt8)
    target.SetOrigin(grid.origin_mm)
    target.SetSpacing(grid.spacing_mm)
    target.SetDirection(grid.direction)
    moved = sitk.Resample(own, target, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    return Mask.of(sitk.GetArrayFromImage(moved).astype(np.bool_))


def _empty(number: int, *, outside: bool) -> Rejected:
    if outside:
        return Rejected("SEG-007", f"Segment {number} lies outside the CT.", _RESEND)
    return Rejected(
        "ROI-002", f"Segment {number} has no voxel.", "Nothing, if that is meant; else draw it and send again."
    )


def _lesion(segmentation: Dataset, item: Dataset, number: int, mask: Mask) -> Lesion:
    label = str(item.get("SegmentLabel") or f"Segment {number}")
    kinds = item.get("SegmentedPropertyTypeCodeSequence") or [None]
    return Lesion(
        number=number,
        label=label,
        tracking_id=str(item.get("TrackingID") or f"{label} ({number})"),
        tracking_uid=str(
            item.get("TrackingUID") or derived_uid("lesion", str(segmentation.SOPInstanceUID), str(number))
        ),
        kind=code_of(kinds[0]),
        mask=mask,
    )


def code_of(item: Dataset | None) -> Code | None:
    """A code sequence item as a value; None when it is absent or does not fit (PS3.3 section 8)."""
    if item is None:
        return None
    try:
        return Code(str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning))
    except (AttributeError, ValueError):
        return None
