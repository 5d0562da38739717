"""The frames of CT images by their headers alone: where each lies, and how its stored values become HU."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pipelines.domain.identifiers import SopClassUID, SopInstanceUID
from pipelines.domain.instance import Plane, are_directions
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import SliceRef
from pipelines.imaging.damaged import READ_FAULTS
from pipelines.imaging.pixels import StoredFrame, Undecodable, missing_bytes, stored_frame

AIR_HU: Final = -1024
"""What counts as measured where nothing was: the lower end of the CT scale."""
_HIGHEST_HU: Final = 30710
"""The upper end of the extended CT scale; beyond it lies padding, not metal."""
_RESEND: Final = "Send the CT series again."
WIDEST_MM: Final = 1000.0
"""No voxel of a CT is as wide; beyond, filters in mm have nothing to work on."""
_MACROS: Final = (
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameContentSequence",
    "CTImageFrameTypeSequence",
    "CTReconstructionSequence",
)
KERNEL: Final = "kernel"
_ACQUISITION: Final = (
    ("acquisition number", ("AcquisitionNumber", "FrameAcquisitionNumber")),
    ("acquisition time", ("AcquisitionDateTime", "AcquisitionTime", "FrameAcquisitionDateTime")),
    (KERNEL, ("ConvolutionKernel",)),
    ("temporal position", ("TemporalPositionIndex", "TemporalPositionIdentifier")),
)
ACQUISITION_NAMES: Final = tuple(name for name, _ in _ACQUISITION)
"""What may tell acquisitions in one series apart."""


class UnusableImage(Exception):
    """An image cannot be used; `reason` says which and why."""

    def __init__(self, code: str, instance: Dataset, why: str, remedy: str = _RESEND) -> None:
        self.reason = Rejected(code, f"CT instance {instance.get('SOPInstanceUID', '?')}: {why}.", remedy)
        super().__init__(str(self.reason))


@dataclass(frozen=True, slots=True, eq=False)
class CtFrame:
    """One frame with all that its place and its HU depend on; pixels are decoded when asked for.

    Attributes
    ----------
    instance, index
        Where the pixels are: the image, and the frame in it from 0.
    spacing_mm
        Pixel Spacing: between rows, between columns.
    shape
        Rows, columns.
    rescale_type
        Upper case; empty when the image does not say it.
    acquisition
        What tells acquisitions and reconstructions in one series apart, as (name, value).
    """

    instance: Dataset
    index: int
    ref: SliceRef
    plane: Plane
    spacing_mm: tuple[float, float]
    shape: tuple[int, int]
    slope: float
    intercept: float
    rescale_type: str
    acquisition: tuple[tuple[str, str], ...]

    @property
    def frame_of_reference(self) -> str:
        return str(self.instance.get("FrameOfReferenceUID") or "")

    @property
    def whole(self) -> bool:
        """True when all HU are whole numbers."""
        return self.slope.is_integer() and self.intercept.is_integer()

    def hounsfield(self) -> NDArray[np.generic]:
        """HU in the smallest type that holds them exactly; padding beyond the CT scale is air.

        Raises
        ------
        UnusableImage
            If the pixels cannot be decoded.
        """
        stored = self._stored()
        hu = self._rescaled(stored)
        beyond = self._beyond(stored, hu)
        if beyond is not None:
            hu[beyond] = AIR_HU
        limits = np.iinfo(np.int16)
        if hu.dtype == np.int32 and hu.min() >= limits.min and hu.max() <= limits.max:
            return hu.astype(np.int16)
        return hu

    def unmeasured(self) -> NDArray[np.bool_]:
        """Where nothing was measured: padding beyond the CT scale, declared or not."""
        stored = self._stored()
        hu = self._rescaled(stored)
        beyond = self._beyond(stored, hu)
        below = hu < AIR_HU
        return np.asarray(below if beyond is None else below | beyond)

    def _stored(self) -> StoredFrame:
        try:
            return stored_frame(self.instance, self.index)
        except Undecodable as fault:
            raise UnusableImage("CT-004", self.instance, f"the pixel data cannot be decoded ({fault})") from fault

    def _rescaled(self, stored: StoredFrame) -> NDArray[Any]:
        if not self.whole:
            return stored.values.astype(np.float64) * self.slope + self.intercept
        kind = np.int32 if abs(self.slope) <= 1 and stored.values.dtype.itemsize <= 2 else np.int64
        hu: NDArray[Any] = stored.values.astype(kind)
        if self.slope != 1:
            hu *= int(self.slope)
        hu += int(self.intercept)
        if kind is np.int64:
            limits = np.iinfo(np.int32)
            return hu.astype(np.int32 if hu.min() >= limits.min and hu.max() <= limits.max else np.float64)
        return hu

    @staticmethod
    def _beyond(stored: StoredFrame, hu: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Declared padding that cannot be a measured value; what lies within the CT scale might be one."""
        if stored.padding is None:
            return None
        return stored.padding & ((hu < AIR_HU) | (hu > _HIGHEST_HU))


def ct_frames(instance: Dataset) -> Iterator[CtFrame]:
    """All frames of a single-frame or multi-frame CT image but localizers.

    Raises
    ------
    UnusableImage
        If a frame lacks what its geometry needs, or pixel data is missing.

    References
    ----------
    PS3.3 C.7.6.2 (Image Plane), C.7.6.16 (functional groups), C.8.2.1 (CT Image), C.8.15 (Enhanced CT).
    """
    try:
        absent = missing_bytes(instance)
        made = list(_frames(instance))
    except UnusableImage:
        raise
    except Exception as fault:  # values that are no numbers and sequences of foreign writers fail in many ways
        raise UnusableImage("CT-003", instance, f"the header cannot be read ({type(fault).__name__})") from fault
    if absent:
        raise UnusableImage("CT-004", instance, f"the pixel data cannot be decoded ({absent} bytes are missing)")
    yield from made


def is_localizer(source: Dataset) -> bool:
    """True for a scout (Image Type or Frame Type value 3)."""
    try:
        return any("LOCALIZER" in _texts(source.get(keyword)) for keyword in ("ImageType", "FrameType"))
    except READ_FAULTS:
        return False


def _texts(value: Any) -> tuple[str, ...]:
    """The values of a coded string, whatever was written in its place."""
    return (value,) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, Sequence) else ()


def is_picture(instance: Dataset) -> bool:
    """True for a picture in colours, as screen shots of dose reports are."""
    try:
        return int(instance.get("SamplesPerPixel") or 1) != 1
    except READ_FAULTS as fault:
        raise UnusableImage("CT-003", instance, "SamplesPerPixel is no number") from fault


def _frames(instance: Dataset) -> Iterator[CtFrame]:
    sop_class, sop_instance = SopClassUID(str(instance.SOPClassUID)), SopInstanceUID(str(instance.SOPInstanceUID))
    if "PerFrameFunctionalGroupsSequence" not in instance:
        if int(instance.get("NumberOfFrames") or 1) != 1:
            raise UnusableImage("CT-003", instance, "it has several frames without functional groups")
        yield _frame(instance, 0, SliceRef(sop_class, sop_instance), [instance])
        return
    groups = instance.PerFrameFunctionalGroupsSequence
    if len(groups) != int(instance.get("NumberOfFrames") or 1):
        raise UnusableImage("CT-003", instance, "the numbers of its frames and of its functional groups differ")
    shared = [item for group in list(instance.get("SharedFunctionalGroupsSequence", ()))[:1] for item in _macros(group)]
    for index, group in enumerate(groups):
        sources = [*_macros(group), *shared]
        if not any(is_localizer(source) for source in sources):
            yield _frame(instance, index, SliceRef(sop_class, sop_instance, index + 1), [*sources, instance])


def _macros(group: Dataset) -> Iterator[Dataset]:
    for keyword in _MACROS:
        yield from group.get(keyword) or ()


def _frame(instance: Dataset, index: int, ref: SliceRef, sources: Sequence[Dataset]) -> CtFrame:
    def numbers(keyword: str, count: int) -> list[float]:
        value = _first(sources, keyword)
        values = [value] if count == 1 and value is not None else list(value or ())
        if len(values) != count:
            raise UnusableImage("CT-003", instance, f"{keyword} is missing or incomplete")
        found = [float(part) for part in values]
        if not all(math.isfinite(part) and abs(part) < 1e9 for part in found):
            raise UnusableImage("CT-003", instance, f"{keyword} holds no number")
        return found

    x, y, z = numbers("ImagePositionPatient", 3)
    a, b, c, d, e, f = numbers("ImageOrientationPatient", 6)
    row_spacing, column_spacing = numbers("PixelSpacing", 2)
    [slope], [intercept] = numbers("RescaleSlope", 1), numbers("RescaleIntercept", 1)
    if not are_directions((a, b, c, d, e, f)):
        raise UnusableImage("CT-003", instance, "ImageOrientationPatient holds no pair of perpendicular directions")
    if min(row_spacing, column_spacing) < 1e-3:
        raise UnusableImage("CT-003", instance, "PixelSpacing is not positive")
    if max(row_spacing, column_spacing) > WIDEST_MM:
        raise UnusableImage("CT-003", instance, f"PixelSpacing is more than {WIDEST_MM:g} mm")
    if slope == 0:
        raise UnusableImage("CT-003", instance, "RescaleSlope is 0")
    if instance.get("BitsAllocated") == 1:
        raise UnusableImage("CT-004", instance, "the pixel data holds single bits, which are no CT values")
    rescale_type = str(_first(sources, "RescaleType") or "").strip().upper()
    acquisition = tuple(
        (name, str(value)) for name, keywords in _ACQUISITION if (value := _first_of(sources, keywords)) is not None
    )
    return CtFrame(
        instance,
        index,
        ref,
        Plane((x, y, z), (a, b, c, d, e, f)),
        (row_spacing, column_spacing),
        (int(instance.Rows), int(instance.Columns)),
        slope,
        intercept,
        rescale_type,
        acquisition,
    )


def _first(sources: Sequence[Dataset], keyword: str) -> Any:
    return next((value for source in sources if (value := source.get(keyword)) is not None), None)


def _first_of(sources: Sequence[Dataset], keywords: Sequence[str]) -> Any:
    return next((value for keyword in keywords if (value := _first(sources, keyword)) is not None), None)
