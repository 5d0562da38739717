"""What a pipeline hands to the node: DICOM objects, signed by a device."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID

OutputKind = Literal[
    "seg", "sr-features", "sr-case", "sr-diameters", "key-objects", "page", "map", "sr-response", "page-response"
]
"""What the pipelines can make of a case."""
OUTPUT_KINDS: Final[tuple[OutputKind, ...]] = get_args(OutputKind)
SINGLE_CASE_KINDS: Final[tuple[OutputKind, ...]] = tuple(
    kind for kind in OUTPUT_KINDS if kind not in ("sr-response", "page-response")
)
"""What is made of a case by itself, without the patient's other scans."""


def family(kind: str) -> str:
    """The kind without what tells objects of one kind apart: `map` for `map-2`, `page` for `page-pdf`."""
    return re.sub(r"-(\d+|pdf|image)$", "", kind)


@dataclass(frozen=True, slots=True)
class Producer:
    """The device that signs the results (PS3.3 C.7.5.1, PS3.16 TID 1004).

    Attributes
    ----------
    station
        AE title of the node.
    device_uid
        UID of this installation; stays the same for its life.
    produced_at
        Time with zone that the objects bear; the same for every run over the same inputs, so that a repetition gives
        the same bytes.
    """

    station: str
    device_uid: str
    software_version: str
    produced_at: datetime


@dataclass(frozen=True, slots=True)
class ResultObject:
    """One DICOM object made by a pipeline, as a Part 10 file.

    Attributes
    ----------
    kind
        Short name such as `sr-features`, unique within its case together with `lesion_number`.
    lesion_number
        The lesion that the object shows, or None when it is about the whole case.
    """

    kind: str
    lesion_number: int | None
    sop_class: SopClassUID
    sop_instance: SopInstanceUID
    series: SeriesUID
    transfer_syntax: str
    data: bytes
