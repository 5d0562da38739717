"""What to do about a message when there is no sender to turn to, only files."""

from dataclasses import replace
from typing import Final

from pipelines.domain.reasons import Rejected

_OTHER_SERIES: Final = "Use an axial CT series without this defect."
_EXPORT: Final = "Export the segmentation on the original CT series again."

_REMEDIES: Final[dict[str, str]] = {
    "RCV-001": "Copy the file again from where it came from.",
    "CT-001": _OTHER_SERIES,
    "CT-002": "Add the missing slices.",
    "CT-003": _OTHER_SERIES,
    "CT-004": "Copy the CT series again from where it came from.",
    "CT-005": "Use the axial CT series.",
    "SEG-001": "Add the folder of that CT series.",
    "SEG-002": "Use a segmentation that refers to one series.",
    "SEG-003": _EXPORT,
    "SEG-004": "Draw the lesion and export the segmentation again.",
    "SEG-005": "Correct the patient ID and export the segmentation again.",
    "SEG-006": "Export it as a BINARY segmentation, uncompressed.",
    "SEG-007": _EXPORT,
    "SEG-008": "Nothing, if that is meant; else export it on the original CT series.",
    "ROI-001": "Check the contour of this lesion.",
    "ROI-002": "Nothing, if that is meant; else draw it and export the segmentation again.",
    "ROI-003": "Check the contour of this lesion.",
}


def for_files(reason: Rejected) -> Rejected:
    """`reason` with a remedy for someone who has files and no sending system."""
    remedy = _REMEDIES.get(reason.code)
    return reason if remedy is None else replace(reason, remedy=remedy)
