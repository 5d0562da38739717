"""Data sets of Unified Procedure Steps: what is demanded of them, read from them and written into them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from io import BytesIO
from typing import Final

from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from node.ports import Performed, StepInputs
from pipelines.domain.coding import DISCONTINUED, PRIVATE_SCHEME, RADIOMICS_WORKITEM, Code
from pipelines.domain.procedure_step import StepState, StepStatus

# type 1 of a created step (PS3.4 table CC.2.5-3), beside the state itself
_DEMANDED_AT_CREATION: Final = (
    "ScheduledProcedureStepPriority",
    "ProcedureStepLabel",
    "ScheduledProcedureStepStartDateTime",
    "InputReadinessState",
)
_DEMANDED_WHEN_COMPLETED: Final = (
    "PerformedStationNameCodeSequence",
    "PerformedProcedureStepStartDateTime",
    "PerformedWorkitemCodeSequence",
    "PerformedProcedureStepEndDateTime",
)


def encoded(dataset: Dataset) -> bytes:
    """`dataset` in Explicit VR Little Endian, without file meta information."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def decoded(data: bytes) -> Dataset:
    """The inverse of `encoded`."""
    # force: there is no file meta information; the transfer syntax is found from the first element
    return Dataset(dcmread(BytesIO(data), force=True))


def creation_fault(dataset: Dataset) -> StepStatus | None:
    """Why a step cannot be created from `dataset`; None when it can."""
    if dataset.get("ProcedureStepState") != StepState.SCHEDULED:
        return StepStatus.NOT_SCHEDULED_AT_CREATION
    if dataset.get("TransactionUID"):
        return StepStatus.INVALID_ATTRIBUTE
    if any(not dataset.get(keyword) for keyword in _DEMANDED_AT_CREATION):
        return StepStatus.MISSING_ATTRIBUTE
    return None


def final_state_met(dataset: Dataset, state: StepState) -> bool:
    """Whether a step has what `state` demands: what was performed, or when and why it was given up."""
    if state is StepState.COMPLETED:
        performed = dataset.get("UnifiedProcedureStepPerformedProcedureSequence") or [Dataset()]
        return "OutputInformationSequence" in performed[0] and all(
            performed[0].get(keyword) for keyword in _DEMANDED_WHEN_COMPLETED
        )
    progress = dataset.get("ProcedureStepProgressInformationSequence") or [Dataset()]
    return bool(progress[0].get("ProcedureStepCancellationDateTime")) and bool(
        progress[0].get("ProcedureStepDiscontinuationReasonCodeSequence")
    )


def inputs_of(dataset: Dataset) -> StepInputs:
    """What a step wants processed (Input Information Sequence)."""
    items: Sequence[Dataset] = dataset.get("InputInformationSequence") or ()
    instances = [
        str(reference.ReferencedSOPInstanceUID)
        for item in items
        for reference in item.get("ReferencedSOPSequence") or ()
        if "ReferencedSOPInstanceUID" in reference
    ]
    return StepInputs(
        studies=_unique(item.get("StudyInstanceUID") for item in items),
        series=_unique(item.get("SeriesInstanceUID") for item in items),
        instances=_unique(instances),
    )


def station_and_workitem(dataset: Dataset) -> tuple[frozenset[str], frozenset[str]]:
    """Code Values of the stations and of the work that a step is scheduled for."""
    return (
        _code_values(dataset, "ScheduledStationNameCodeSequence"),
        _code_values(dataset, "ScheduledWorkitemCodeSequence"),
    )


def progress_of(percent: int, text: str) -> Dataset:
    """Modification that tells how far the work is."""
    item = Dataset()
    item.ProcedureStepProgress = str(percent)
    item.ProcedureStepProgressDescription = text
    made = Dataset()
    made.ProcedureStepProgressInformationSequence = [item]
    return made


def cancellation_of(reason: str, at: datetime) -> Dataset:
    """Modification that tells why the work was given up."""
    item = Dataset()
    item.ProcedureStepProgressDescription = reason
    item.ProcedureStepCancellationDateTime = _moment(at)
    item.ReasonForCancellation = reason[:1024]
    item.ProcedureStepDiscontinuationReasonCodeSequence = [_code(DISCONTINUED)]
    made = Dataset()
    made.ProcedureStepProgressInformationSequence = [item]
    return made


def performed_of(performed: Performed) -> Dataset:
    """Modification that tells what was done, when, by whom, and where the results are."""
    item = Dataset()
    item.PerformedStationNameCodeSequence = [_code(Code(performed.station, PRIVATE_SCHEME, performed.station))]
    item.PerformedProcedureStepStartDateTime = _moment(performed.started_at)
    item.PerformedProcedureStepEndDateTime = _moment(performed.ended_at)
    item.PerformedWorkitemCodeSequence = [_code(RADIOMICS_WORKITEM)]
    item.PerformedProcessingParametersSequence = []
    item.OutputInformationSequence = [_output(performed, series) for series in performed.series]
    made = progress_of(100, performed.summary)
    made.UnifiedProcedureStepPerformedProcedureSequence = [item]
    return made


def _output(performed: Performed, series: str) -> Dataset:
    item = Dataset()
    item.TypeOfInstances = "DICOM"
    item.StudyInstanceUID = performed.study
    item.SeriesInstanceUID = series
    item.ReferencedSOPSequence = []
    for made in performed.series[series]:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = made
        item.ReferencedSOPSequence.append(reference)
    item.DICOMRetrievalSequence = []
    for ae_title in performed.stored_at:
        place = Dataset()
        place.RetrieveAETitle = ae_title
        item.DICOMRetrievalSequence.append(place)
    return item


def state_report(dataset: Dataset) -> Dataset:
    """Event 1, UPS State Report (PS3.4 table CC.2.4-1)."""
    made = Dataset()
    for keyword in ("ProcedureStepState", "InputReadinessState"):
        if keyword in dataset:
            made.add(dataset[keyword])
    progress = dataset.get("ProcedureStepProgressInformationSequence") or [Dataset()]
    for keyword in ("ReasonForCancellation", "ProcedureStepDiscontinuationReasonCodeSequence"):
        if keyword in progress[0]:
            made.add(progress[0][keyword])
    return made


def progress_report(dataset: Dataset) -> Dataset:
    """Event 3, UPS Progress Report."""
    made = Dataset()
    if "ProcedureStepProgressInformationSequence" in dataset:
        made.add(dataset["ProcedureStepProgressInformationSequence"])
    return made


def cancel_request(requesting_ae_title: str, information: Dataset) -> Dataset:
    """Event 2, UPS Cancel Requested."""
    made = Dataset()
    made.RequestingAE = requesting_ae_title
    for keyword in (
        "ReasonForCancellation",
        "ProcedureStepDiscontinuationReasonCodeSequence",
        "ContactURI",
        "ContactDisplayName",
    ):
        if keyword in information:
            made.add(information[keyword])
    return made


def _unique(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(value) for value in values if value))


def _code_values(dataset: Dataset, keyword: str) -> frozenset[str]:
    return frozenset(str(item.get("CodeValue", "")) for item in dataset.get(keyword) or ())


def _code(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme, code.meaning
    return item


def _moment(at: datetime) -> str:
    return at.astimezone().strftime("%Y%m%d%H%M%S%z")
