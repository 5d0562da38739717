"""Turn CT instances into one volume, or name the defect that forbids it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pipelines.domain.identifiers import FrameOfReferenceUID, SopClassUID, SopInstanceUID
from pipelines.domain.instance import Plane
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import CtVolume, Grid, SliceRef
from pipelines.imaging.geometry import POSITION_TOLERANCE_MM, Stack, normal_of, parallel, stack

_RESEND = "Send the CT series again."
_OTHER_SERIES = "Send an axial CT series without this defect."


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    """One frame with all that its place and its HU values depend on."""

    ref: SliceRef
    plane: Plane
    spacing_mm: tuple[float, float]
    stored: NDArray[np.generic]
    slope: float
    intercept: float


def read_ct(instances: Sequence[Dataset]) -> CtVolume | Rejected:
    """Stack the images of one series.

    Parameters
    ----------
    instances
        Single-frame, Enhanced or Legacy Converted Enhanced CT images with pixel data, in any order; localizers and
        images in another direction than most are left out.

    Returns
    -------
    CtVolume
        int16 where all HU values are whole numbers in its range, else int32 or float64.
    Rejected
        `CT-001` to `CT-005`.

    References
    ----------
    PS3.3 C.7.6.2 (Image Plane), C.7.6.16 (functional groups), C.8.2.1 (CT Image).
    """
    slices: list[_Slice] = []
    for instance in instances:
        if "LOCALIZER" in instance.get("ImageType", ()):
            continue
        try:
            slices.extend(_frames(instance))
        except _Unusable as fault:
            return Rejected(fault.code, f"CT instance {instance.SOPInstanceUID}: {fault}.", _RESEND)
    if not slices:
        return Rejected("CT-005", "The series holds no CT image but localizers.", _OTHER_SERIES)
    slices = _main_direction(slices)
    stacked = stack([item.plane for item in slices])
    defect = _duplicate_defect(slices, stacked) or _geometry_defect(slices, stacked)
    if defect is not None:
        return defect
    used = {item.ref.sop_instance for item in slices}
    frames_of_reference = {str(i.get("FrameOfReferenceUID", "")) for i in instances if i.SOPInstanceUID in used}
    if len(frames_of_reference) != 1 or frames_of_reference == {""}:
        return Rejected("CT-001", "The CT images do not share one frame of reference.", _OTHER_SERIES)
    ordered = [slices[index] for index in stacked.order]
    return CtVolume(
        hounsfield(ordered),
        _grid(ordered),
        FrameOfReferenceUID(frames_of_reference.pop()),
        tuple(item.ref for item in ordered),
    )


class _Unusable(Exception):
    """One image cannot be used; the message says why."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


def _frames(instance: Dataset) -> Iterator[_Slice]:
    try:
        pixels = instance.pixel_array
    except Exception as fault:  # decoders of many plug-ins: each has exceptions of its own
        raise _Unusable("CT-004", f"the pixel data cannot be decoded ({type(fault).__name__})") from fault
    sop_class, sop_instance = SopClassUID(str(instance.SOPClassUID)), SopInstanceUID(str(instance.SOPInstanceUID))
    if "PerFrameFunctionalGroupsSequence" not in instance:
        yield _slice(SliceRef(sop_class, sop_instance), pixels, [instance])
        return
    shared = list(instance.get("SharedFunctionalGroupsSequence", ()))[:1]
    groups = instance.PerFrameFunctionalGroupsSequence
    if len(groups) == 1:
        pixels = pixels.reshape((1, *pixels.shape[-2:]))
    for number, (frame, group) in enumerate(zip(pixels, groups, strict=True), start=1):
        sources = [item for outer in (group, *shared) for item in _macros(outer)]
        yield _slice(SliceRef(sop_class, sop_instance, number), frame, sources)


def _macros(group: Dataset) -> Iterator[Dataset]:
    for keyword in (
        "PlanePositionSequence",
        "PlaneOrientationSequence",
        "PixelMeasuresSequence",
        "PixelValueTransformationSequence",
    ):
        yield from group.get(keyword, ())


def _slice(ref: SliceRef, stored: NDArray[np.generic], sources: Sequence[Dataset]) -> _Slice:
    def numbers(keyword: str, count: int) -> list[float]:
        value = _first(sources, keyword)
        values = [value] if count == 1 and value is not None else list(value or ())
        if len(values) != count:
            raise _Unusable("CT-003", f"{keyword} is missing or incomplete")
        return [float(part) for part in values]

    x, y, z = numbers("ImagePositionPatient", 3)
    a, b, c, d, e, f = numbers("ImageOrientationPatient", 6)
    row_spacing, column_spacing = numbers("PixelSpacing", 2)
    slope, intercept = numbers("RescaleSlope", 1)[0], numbers("RescaleIntercept", 1)[0]
    return _Slice(ref, Plane((x, y, z), (a, b, c, d, e, f)), (row_spacing, column_spacing), stored, slope, intercept)


def _first(sources: Iterable[Dataset], keyword: str) -> Any:
    return next((source.get(keyword) for source in sources if source.get(keyword) is not None), None)


def _main_direction(slices: list[_Slice]) -> list[_Slice]:
    """Keep the largest set of parallel images: a scout or a reformat may share the series."""
    groups: list[list[_Slice]] = []
    for item in slices:
        for group in groups:
            if parallel(group[0].plane, item.plane):
                group.append(item)
                break
        else:
            groups.append([item])
    return max(groups, key=len)


def _duplicate_defect(slices: Sequence[_Slice], stacked: Stack) -> Rejected | None:
    differing = [
        (one, other)
        for one, other in stacked.duplicates
        if not np.array_equal(slices[one].stored, slices[other].stored)
    ]
    if not differing:
        return None
    one, other = (slices[index].ref.sop_instance for index in differing[0])
    return Rejected(
        "CT-001",
        f"{len(differing)} slices are there twice with different pixels (as {one} and {other}): two acquisitions.",
        "Send the acquisitions as series of their own.",
    )


def _geometry_defect(slices: Sequence[_Slice], stacked: Stack) -> Rejected | None:
    if {item.stored.shape for item in slices} != {slices[0].stored.shape} or not np.allclose(
        [item.spacing_mm for item in slices], slices[0].spacing_mm, atol=1e-4, rtol=0
    ):
        return Rejected("CT-001", "The slices differ in matrix or pixel spacing.", _OTHER_SERIES)
    if len(stacked.order) < 2:
        return Rejected("CT-005", "The series holds a single slice.", _OTHER_SERIES)
    if stacked.gaps:
        places = ", ".join(f"{gap.missing} above {gap.after_mm:.2f} mm" for gap in stacked.gaps[:5])
        return Rejected(
            "CT-002",
            f"{stacked.missing} slices are missing ({places}; spacing {stacked.spacing_mm:.2f} mm).",
            _RESEND,
        )
    if stacked.irregular_mm > stacked.tolerance_mm:
        return Rejected(
            "CT-003",
            f"The slice spacing changes by {stacked.irregular_mm:.2f} mm (median {stacked.spacing_mm:.2f} mm).",
            _OTHER_SERIES,
        )
    if stacked.shear_mm > POSITION_TOLERANCE_MM:
        angle = np.degrees(np.arctan2(stacked.shear_mm, stacked.spacing_mm))
        return Rejected("CT-003", f"The gantry was tilted by {angle:.1f} degrees.", _OTHER_SERIES)
    return None


def hounsfield(slices: Sequence[_Slice]) -> NDArray[np.generic]:
    """HU values in the smallest type that holds them all exactly."""
    whole = all(item.slope.is_integer() and item.intercept.is_integer() for item in slices)
    if not whole:
        return np.stack([item.stored.astype(np.float64) * item.slope + item.intercept for item in slices])
    hu = np.stack([item.stored.astype(np.int32) * int(item.slope) + int(item.intercept) for item in slices])
    limits = np.iinfo(np.int16)
    return hu.astype(np.int16) if hu.min() >= limits.min and hu.max() <= limits.max else hu


def _grid(ordered: Sequence[_Slice]) -> Grid:
    first, last = ordered[0].plane, ordered[-1].plane
    row_spacing, column_spacing = ordered[0].spacing_mm
    step = np.subtract(last.position_mm, first.position_mm)
    spacing = float(np.linalg.norm(step)) / (len(ordered) - 1)
    normal = normal_of(first.orientation)
    rows, columns = ordered[0].stored.shape
    direction = np.column_stack([first.orientation[:3], first.orientation[3:], normal])
    return Grid(
        (len(ordered), rows, columns),
        first.position_mm,
        (column_spacing, row_spacing, spacing),
        tuple(float(cosine) for cosine in direction.ravel()),
    )
