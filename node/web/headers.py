"""Data sets as DICOM JSON, without what is bulky (PS3.18 annex F)."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pydicom import DataElement, Dataset, dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

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
_OF_SERIES: Final = tuple(dict.fromkeys((*STUDY_KEYWORDS, *SERIES_KEYWORDS)))
_LAST_OF_SERIES: Final = max(tag_for_keyword(keyword) or 0 for keyword in _OF_SERIES)
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

    `read` reads all but the pixels, `begin` what tells of the study and the series alone.

    Parameters
    ----------
    remembered
        How many headers are kept in memory.
    begun
        How many beginnings of headers are.
    """

    def __init__(self, *, remembered: int = 2048, begun: int = 16384) -> None:
        self.read: Callable[[Path], Dataset] = lru_cache(maxsize=remembered)(_read)
        self.begin: Callable[[Path], Dataset] = lru_cache(maxsize=begun)(_begin)


def _read(path: Path) -> Dataset:
    return dcmread(path, stop_before_pixels=True)


def _begin(path: Path) -> Dataset:
    with path.open("rb") as file:
        whole = read_partial(file, stop_when=_beyond_series)
    return attributes(whole, _OF_SERIES)


def _beyond_series(tag: BaseTag, vr: str | None, length: int) -> bool:
    return int(tag) > _LAST_OF_SERIES


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
