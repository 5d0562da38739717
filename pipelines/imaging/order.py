"""Orders in DICOM: read from a worklist's answer, kept as a file, and filled into a case."""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from pipelines.domain.case import Case
from pipelines.domain.coding import Code
from pipelines.domain.identifiers import IMPLEMENTATION_CLASS_UID, StudyUID, derived_uid, digest_of
from pipelines.domain.order import Order
from pipelines.domain.sop_classes import MODALITY_WORKLIST


def read_order(item: Dataset) -> Order | None:
    """The order of a worklist item; None when it has neither accession number nor procedure."""
    steps = item.get("ScheduledProcedureStepSequence") or [Dataset()]
    order = Order(
        study=StudyUID(_text(item, "StudyInstanceUID")),
        accession_number=_text(item, "AccessionNumber"),
        requested_procedure_id=_text(item, "RequestedProcedureID"),
        description=_text(item, "RequestedProcedureDescription"),
        codes=tuple(_codes(item)),
        referenced_studies=tuple(
            (_text(one, "ReferencedSOPClassUID"), _text(one, "ReferencedSOPInstanceUID"))
            for one in item.get("ReferencedStudySequence") or ()
            if _text(one, "ReferencedSOPInstanceUID")
        ),
        modality=_text(steps[0], "Modality"),
        scheduled_date=_text(steps[0], "ScheduledProcedureStepStartDate"),
    )
    return order if order.accession_number or order.requested_procedure_id else None


def order_file(order: Order) -> bytes:
    """`order` as a Part 10 file; the same for the same order."""
    made = _request_item(order)
    made.SpecificCharacterSet = "ISO_IR 192"
    step = Dataset()
    step.Modality = order.modality
    step.ScheduledProcedureStepStartDate = order.scheduled_date
    made.ScheduledProcedureStepSequence = [step]
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = UID(MODALITY_WORKLIST)
    made.file_meta.MediaStorageSOPInstanceUID = UID(
        derived_uid("order", order.study, order.accession_number, order.requested_procedure_id)
    )
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    buffer = BytesIO()
    dcmwrite(buffer, made, enforce_file_format=True)
    return buffer.getvalue()


def order_from_file(data: bytes) -> Order | None:
    """What `order_file` wrote."""
    return read_order(dcmread(BytesIO(data)))


def wants_order(header: Dataset) -> bool:
    """True if a CT does not say everything that an order could add."""
    return not _text(header, "AccessionNumber") or not _requested(header)


def with_order(case: Case, order: Order) -> Case:
    """`case` with what its CT does not say filled in from `order`; what the CT says stays.

    The digest of the inputs covers the order: results with other numbers are other objects.
    """
    header = Dataset()
    header.update(case.header)
    if not _text(header, "AccessionNumber"):
        header.AccessionNumber = order.accession_number
    if not _requested(header):
        header.RequestAttributesSequence = [_request_item(order)]
    if not header.get("ReferencedStudySequence") and order.referenced_studies:
        header.ReferencedStudySequence = _referenced(order)
    digest = digest_of(case.inputs_digest, "order", order_file(order).hex())
    return replace(case, header=header, inputs_digest=digest)


def _requested(header: Dataset) -> bool:
    items = header.get("RequestAttributesSequence") or ()
    return any(_text(item, "RequestedProcedureID") for item in items)


def _request_item(order: Order) -> Dataset:
    item = Dataset()
    item.AccessionNumber = order.accession_number
    item.StudyInstanceUID = order.study
    item.RequestedProcedureID = order.requested_procedure_id
    item.RequestedProcedureDescription = order.description
    item.RequestedProcedureCodeSequence = [_coded(one) for one in order.codes]
    item.ReferencedStudySequence = _referenced(order)
    return item


def _referenced(order: Order) -> list[Dataset]:
    found = []
    for sop_class, sop_instance in order.referenced_studies:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class
        item.ReferencedSOPInstanceUID = sop_instance
        found.append(item)
    return found


def _coded(one: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = one.value, one.scheme, one.meaning
    return item


def _codes(item: Dataset) -> Iterator[Code]:
    for one in item.get("RequestedProcedureCodeSequence") or ():
        value, scheme = _text(one, "CodeValue"), _text(one, "CodingSchemeDesignator")
        # a code whose value fits nowhere cannot be told in a result; a meaning may be missing
        if value and scheme and len(value) <= 16:
            yield Code(value, scheme, _text(one, "CodeMeaning")[:64] or value)


def _text(dataset: Dataset, keyword: str) -> str:
    value: Any = dataset.get(keyword)
    return "" if value is None else str(value).strip()
