"""Which order a result answers, where each kind of object has a place for it."""

from typing import Final

from pydicom import Dataset

# PS3.3 C.17.2.1, all of type 2 but the first
_REFERENCED_REQUEST: Final = (
    "AccessionNumber",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
)


def place_request(made: Dataset) -> None:
    """Move what `made` has inherited of its request to where an object of its kind says it.

    Images and segmentations keep the Request Attributes Sequence of their series (PS3.3 C.7.3.1); a report has a
    Referenced Request Sequence (C.17.2.1), for each request that is named.
    """
    requests = [item for item in made.get("RequestAttributesSequence") or () if item.get("RequestedProcedureID")]
    made.pop("RequestAttributesSequence", None)
    if not requests:
        return
    for item in requests:
        if not item.get("RequestedProcedureCodeSequence"):
            item.pop("RequestedProcedureCodeSequence", None)
        if not item.get("ReferencedStudySequence"):
            item.pop("ReferencedStudySequence", None)
    if made.get("Modality") == "SR":
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
