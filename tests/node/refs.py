"""Headers of instances and results, made by hand where a test needs no pixels."""

import hashlib
from collections.abc import Iterable

from node.ports import Sender, StoredFile, StoredResult
from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import (
    CaseId,
    FrameOfReferenceUID,
    SeriesUID,
    SopClassUID,
    SopInstanceUID,
    StudyUID,
    derived_uid,
)
from pipelines.domain.instance import InstanceRef, Plane, References
from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR, CT_IMAGE, PARAMETRIC_MAP, SEGMENTATION

SENDER = Sender("SCANNER", "PULMONODE")
_AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


def image(number: int = 1, *, series: int = 1, study: int = 1, localizer: bool = False) -> InstanceRef:
    """Slice `number` of a CT series, 2 mm above the one before."""
    return InstanceRef(
        sop_class=CT_IMAGE,
        sop_instance=SopInstanceUID(f"1.2.{study}.{series}.{number}"),
        key=SeriesKey(StudyUID(f"1.2.{study}"), SeriesUID(f"1.2.{study}.{series}")),
        transfer_syntax=_EXPLICIT_LITTLE,
        patient_key="patient",
        modality="CT",
        frame_of_reference=FrameOfReferenceUID(f"1.3.{study}"),
        plane=Plane((-16.0, -16.0, 2.0 * number), _AXIAL),
        localizer=localizer,
    )


def images(count: int = 3, *, series: int = 1, study: int = 1) -> list[InstanceRef]:
    """The first slices of a CT series."""
    return [image(number, series=series, study=study) for number in range(1, count + 1)]


def segmentation(
    number: int = 1,
    *,
    study: int = 1,
    named_series: Iterable[int] = (1,),
    named_images: Iterable[InstanceRef] = (),
    sop_class: SopClassUID = SEGMENTATION,
) -> InstanceRef:
    """A segmentation that names series of `study` and images."""
    return InstanceRef(
        sop_class=sop_class,
        sop_instance=SopInstanceUID(f"1.4.{study}.{number}"),
        key=SeriesKey(StudyUID(f"1.2.{study}"), SeriesUID(f"1.4.{study}")),
        transfer_syntax=_EXPLICIT_LITTLE,
        patient_key="patient",
        modality="SEG",
        frame_of_reference=FrameOfReferenceUID(f"1.3.{study}"),
        references=References(
            tuple(SeriesUID(f"1.2.{study}.{series}") for series in named_series),
            tuple(ref.sop_instance for ref in named_images),
        ),
    )


def stored(name: str, content: str = "") -> StoredFile:
    """A file of the spool that nobody reads."""
    data = f"{name} {content}".encode()
    return StoredFile(f"received/{name}", len(data), hashlib.sha256(data).hexdigest())


def file_of(ref: InstanceRef, content: str = "") -> StoredFile:
    """The file of an instance; other `content` is another file."""
    return stored(ref.sop_instance, content)


def result(case: CaseId, kind: str, run: str = "") -> StoredResult:
    """A result; other `run` is another object of the same kind."""
    return StoredResult(
        kind,
        None if kind == "sr" else 1,
        COMPREHENSIVE_3D_SR if kind == "sr" else PARAMETRIC_MAP,
        SopInstanceUID(derived_uid("test result", str(case), kind, run)),
        SeriesUID(f"1.5.{case}"),
        "1.2.840.10008.1.2.1",
        stored(f"{case}-{kind}-{run}"),
    )
