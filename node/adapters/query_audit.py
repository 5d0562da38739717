"""Tell the audit trail what was searched for and read, by the node at its peers and by others at the node."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from pydicom import DataElement, Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ImplicitVRLittleEndian

from node.services.trail import Trail
from pipelines.domain.sop_classes import STUDY_ROOT_FIND
from pipelines.imaging.damaged import READ_FAULTS

_PATIENT_GROUP: Final = 0x0010
_IMPERSONAL: Final = frozenset({"UI", "CS"})
"""Value representations that name no person: UIDs, and codes such as the level of the query."""
_SAME_READING_S: Final = 60.0
_REMEMBERED: Final = 4096


class QueryAudit:
    """Queries, with what may name a patient taken out of them unless that is wanted.

    Parameters
    ----------
    identify
        Leave all values of the keys in.
    """

    def __init__(self, trail: Trail, *, identify: bool) -> None:
        self._trail = trail
        self._identify = identify

    def asked(self, peer: str, sop_class: str, keys: Dataset) -> None:
        """The node asked `peer` to find something, or to send it."""
        self._trail.queried(peer, sop_class, self._encoded(keys), ImplicitVRLittleEndian)

    def answered(self, who: str, sop_class: str, keys: Dataset, address: str = "") -> None:
        """Somebody asked the node."""
        self._trail.asked_by(who, address, sop_class, self._encoded(keys), ImplicitVRLittleEndian)

    def _encoded(self, keys: Dataset) -> bytes:
        return b"".join(self._encoded_element(element) for element in keys)

    def _encoded_element(self, element: DataElement) -> bytes:
        nothing = DataElement(element.tag, element.VR, [] if element.VR == "SQ" else None)
        if not self._identify and (element.tag.group == _PATIENT_GROUP or element.VR not in _IMPERSONAL):
            return _written(nothing)
        try:
            return _written(element)
        except READ_FAULTS:
            # whoever asks may ask for a UID of letters that DICOM does not have; the query is told of all the same
            return _written(nothing)


def _written(element: DataElement) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    told = Dataset()
    told[element.tag] = element
    write_dataset(buffer, told)
    encoded: bytes = buffer.getvalue()
    return encoded


class WebAudit:
    """What is read by DICOMweb: a viewer asks for one image after the other, which is told once a minute.

    Parameters
    ----------
    now_s
        Seconds on a clock that never goes back.
    """

    def __init__(self, trail: Trail, queries: QueryAudit, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._trail = trail
        self._queries = queries
        self._now_s = now_s
        self._lock = threading.Lock()
        self._told: OrderedDict[tuple[str, str, bool], float] = OrderedDict()

    def searched(self, address: str, keys: Dataset) -> None:
        self._queries.answered("DICOMweb", STUDY_ROOT_FIND, keys, address)

    def read(self, address: str, study: str, *, whole: bool) -> None:
        if self._is_new((address, study, whole)):
            self._trail.read_by("DICOMweb", address, study, whole=whole)

    def _is_new(self, reading: tuple[str, str, bool]) -> bool:
        now = self._now_s()
        with self._lock:
            told = self._told.get(reading)
            if told is not None and now - told < _SAME_READING_S:
                return False
            self._told[reading] = now
            self._told.move_to_end(reading)
            if len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
        return True
