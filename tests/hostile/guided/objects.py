"""Readers of objects: the header before an instance is acknowledged, and those that come to it afterwards."""

import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from tests.hostile.guided.catalogue import Read

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_SAME = (
    "sop_class",
    "sop_instance",
    "key",
    "patient_key",
    "modality",
    "frame_of_reference",
    "frames",
    "plane",
    "frame_positions_mm",
    "references",
)


def header(own: Path, shared: Path) -> Read:
    from pipelines.domain.instance import InstanceRef
    from pipelines.domain.reasons import Rejected
    from pipelines.imaging.header import parse_ref

    def read(data: bytes) -> None:
        assert isinstance(parse_ref(data), InstanceRef | Rejected)

    return read


def oracle(own: Path, shared: Path) -> Read:
    """What the header reader accepts, pydicom has to read too, with the same identity."""
    from pydicom import dcmread

    from pipelines.domain.reasons import Rejected
    from pipelines.imaging.header import parse_ref

    def read(data: bytes) -> None:
        ref = parse_ref(data)
        if isinstance(ref, Rejected):
            return
        dataset = dcmread(BytesIO(data))
        ours = (ref.sop_class, ref.sop_instance, ref.key.study, ref.key.series, ref.transfer_syntax)
        theirs = (
            dataset.SOPClassUID,
            dataset.SOPInstanceUID,
            dataset.StudyInstanceUID,
            dataset.SeriesInstanceUID,
            dataset.file_meta.TransferSyntaxUID,
        )
        assert ours == theirs, f"{ours} is {theirs} to pydicom"

    return read


def deflated(own: Path, shared: Path) -> Read:
    """A deflated data set is read as if it were plain; any stream at all is answered."""
    from pipelines.domain.reasons import Rejected
    from pipelines.imaging.header import parse_ref

    plain_head = _head(b"1.2.840.10008.1.2.1\0")
    deflated_head = _head(_DEFLATED)

    def read(data: bytes) -> None:
        if data[:1] == b"\1":
            parse_ref(deflated_head + data[1:])
            return
        compressor = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
        stream = compressor.compress(data[1:]) + compressor.flush()
        plain, inflated = parse_ref(plain_head + data[1:]), parse_ref(deflated_head + stream)
        if isinstance(plain, Rejected) or isinstance(inflated, Rejected):
            assert type(plain) is type(inflated), f"{plain} but {inflated}"
        else:
            for name in _SAME:
                assert getattr(plain, name) == getattr(inflated, name), name

    return read


def _head(syntax: bytes) -> bytes:
    meta = b"\2\0\x10\0UI" + len(syntax).to_bytes(2, "little") + syntax
    return bytes(128) + b"DICM" + b"\2\0\0\0UL\4\0" + len(meta).to_bytes(4, "little") + meta


def segmentation(own: Path, shared: Path) -> Read:
    return _case(shared)


def structures(own: Path, shared: Path) -> Read:
    return _case(shared)


def _case(shared: Path) -> Read:
    """Whatever drawing was received makes a case with the CT, or a reason why not."""
    from pydicom import dcmread

    from pipelines.domain.case import Case
    from pipelines.domain.reasons import Rejected
    from pipelines.imaging.case import read_case
    from pipelines.imaging.header import parse_ref

    # decoded once: the CT is not what is changed
    images = [dcmread(path) for path in sorted(shared.glob("ct-*.dcm"))]

    def read(data: bytes) -> None:
        if isinstance(parse_ref(data), Rejected):
            return
        may_be_empty = bool(len(data) // 2 % 2)
        made = read_case(images, dcmread(BytesIO(data)), inputs_digest="0" * 64, may_be_empty=may_be_empty)
        assert isinstance(made, Case | Rejected)

    return read


def image(own: Path, shared: Path) -> Read:
    """Whatever image is received, the series that it belongs to makes a case, or a reason why not."""
    from pydicom import dcmread

    from pipelines.domain.case import Case
    from pipelines.domain.reasons import Rejected
    from pipelines.domain.volume import UnreadableVoxels
    from pipelines.imaging.case import read_case
    from pipelines.imaging.header import parse_ref

    others = [dcmread(path) for path in sorted(shared.glob("ct-*.dcm"))][1:]
    drawn = dcmread(shared / "seg.dcm")

    def read(data: bytes) -> None:
        if isinstance(parse_ref(data), Rejected):
            return
        made = read_case([dcmread(BytesIO(data)), *others], drawn, inputs_digest="0" * 64)
        assert isinstance(made, Case | Rejected)
        if isinstance(made, Case):
            try:
                made.ct.hu[:]
            except UnreadableVoxels as fault:
                assert isinstance(fault.reason, Rejected)

    return read


def report(own: Path, shared: Path) -> Read:
    """Whatever report is received is read for decisions, and for lesions of an earlier visit."""
    from pydicom import dcmread

    from node.following import Report
    from node.logs import Log
    from node.ports import StoredFile
    from node.services.read_reports import ReportReader
    from pipelines.clinical.measured import measured_scan
    from pipelines.domain.clinical import PatientKey
    from pipelines.domain.identifiers import SopInstanceUID
    from pipelines.domain.reasons import Rejected
    from pipelines.imaging.damaged import READ_FAULTS
    from pipelines.imaging.header import parse_ref
    from tests.node.doubles import SetClock

    received: list[bytes] = []

    class Book:
        """Believes everything; stands for the book of decisions, the spool, and what assesses anew."""

        def unread_reports(self, *, most: int) -> list[Report]:
            return [Report(SopInstanceUID("1.2"), PatientKey("p"), StoredFile("x", 1, "0"))]

        def report_read(self, *_: object) -> None:
            return None

        def read(self, file: StoredFile) -> bytes:
            return received[-1]

        def reassess(self, patient: PatientKey) -> None:
            return None

    book = Book()
    reader = ReportReader(book, book, book, SetClock(), Log("fuzz"))  # type: ignore[arg-type]

    def read(data: bytes) -> None:
        if isinstance(parse_ref(data), Rejected):
            return
        received[:] = [data]
        assert reader.tick() == 1
        with suppress(*READ_FAULTS):
            measured_scan(dcmread(BytesIO(data)))

    return read
