"""Data sets as DICOM JSON, without what is bulky (PS3.18 annex F)."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pydicom import DataElement, Dataset, dcmread

_BULKY: Final = 4096
"""Bytes from which on a value is fetched on its own."""

STUDY_KEYWORDS: Final = (
    "SpecificCharacterSet",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyID",
    "StudyDescription",
)
SERIES_KEYWORDS: Final = (
    "SpecificCharacterSet",
    "Modality",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDate",
    "SeriesTime",
)
INSTANCE_KEYWORDS: Final = (
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "InstanceNumber",
    "Rows",
    "Columns",
    "BitsAllocated",
    "NumberOfFrames",
)


class Headers:
    """Reads headers of stored files and remembers the last ones.

    Parameters
    ----------
    remembered
        How many headers are kept in memory.
    """

    def __init__(self, *, remembered: int = 2048) -> None:
        self.read: Callable[[Path], Dataset] = lru_cache(maxsize=remembered)(_read)


def _read(path: Path) -> Dataset:
    return dcmread(path, stop_before_pixels=True)


def attributes(dataset: Dataset, keywords: Iterable[str]) -> Dataset:
    """Those of `keywords` that `dataset` has, in UTF-8 from then on."""
    made = Dataset()
    for keyword in keywords:
        if keyword in dataset:
            made.add(dataset[keyword])
    return made


def as_json(dataset: Dataset, bulk_uri: Callable[[DataElement], str]) -> dict[str, Any]:
    """`dataset` as DICOM JSON; JSON is UTF-8, so the character set is too (PS3.18 F.2.1)."""
    found: dict[str, Any] = dataset.to_json_dict(
        bulk_data_threshold=_BULKY, bulk_data_element_handler=bulk_uri, suppress_invalid_tags=True
    )
    if "00080005" in found:
        found["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return found
