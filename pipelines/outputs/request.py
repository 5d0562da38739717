"""Which order a result answers, where each kind of object has a place for it."""

from typing import Final

from pydicom import Dataset

from pipelines.outputs.inherited import request_attributes

# PS3.3 C.17.2.1, all of type 2 but the first
_REFERENCED_REQUEST: Final = (
    "AccessionNumber",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
)


def place_request(made: Dataset, header: Dataset) -> None:
    """Say in `made` which request it answers, where `header`, that of its CT, or the order of the study names one.

    Images and segmentations have the Request Attributes Sequence of their series (PS3.3 C.7.3.1); a report has a
    Referenced Request Sequence (C.17.2.1), with an item for each request that is named.
    """
    requests = [item for item in request_attributes(header) if item.get("RequestedProcedureID")]
    if not requests:
        return
    for item in requests:
        for keyword in ("RequestedProcedureCodeSequence", "ReferencedStudySequence"):
            if keyword in item and not item.get(keyword):
                delattr(item, keyword)
    if made.Modality == "SR":
        made.ReferencedRequestSequence = [_referenced_request(item, made) for item in requests]
    else:
        made.RequestAttributesSequence = requests


def _referenced_request(request: Dataset, made: Dataset) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = request.get("StudyInstanceUID") or made.StudyInstanceUID
    for keyword in _REFERENCED_REQUEST:
        setattr(item, keyword, request.get(keyword) or "")
    item.AccessionNumber = request.get("AccessionNumber") or made.get("AccessionNumber") or ""
    item.ReferencedStudySequence = request.get("ReferencedStudySequence") or made.get("ReferencedStudySequence") or []
    item.RequestedProcedureCodeSequence = request.get("RequestedProcedureCodeSequence") or []
    return item
