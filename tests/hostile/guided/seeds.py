"""What the search starts from: real objects, units, identifiers, texts and requests, of each kind a few."""

import base64
import json
import struct
import zlib
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path

from openpyxl import Workbook
from pydicom import Dataset, dcmread
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)
from pynetdicom.dsutils import encode

from node.adapters.users import line_of
from node.adapters.worklist import matching_keys
from node.ports import PatientIdentity
from pipelines.scoring.keys import new_key
from tests.dicom import as_bytes, ct_series, rtstruct_of, seg_of
from tests.hostile.wire import CT, EXPLICIT, command, item, request, unit, value
from tests.models import signed_package
from tests.node.client import dataset_of
from tests.reader_reports import BASELINE_CATEGORY, EQUIVOCAL, NEW_LESION, TARGET, reader_report

_RELEASE = unit(5, bytes(4))
_BOUNDARY = "b0undary"


def write_shared(folder: Path) -> None:
    """What all readers share: a small series, a segmentation of it, and a step of a worklist."""
    folder.mkdir(parents=True, exist_ok=True)
    ct = _ct()
    for number, one in enumerate(ct):
        (folder / f"ct-{number}.dcm").write_bytes(as_bytes(one))
    (folder / "seg.dcm").write_bytes(as_bytes(seg_of(ct)))
    (folder / "step.dcm").write_bytes(_step())


def write_seeds(name: str, folder: Path) -> None:
    """The inputs that the search for `name` starts from, one file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(_SEEDS[name]()):
        (folder / f"seed-{number}").write_bytes(data)


def seeds_of(name: str) -> list[bytes]:
    """The same, in memory."""
    return list(_SEEDS[name]())


def _ct() -> list[Dataset]:
    return ct_series(slices=4, rows=16, columns=16)


def _step() -> bytes:
    made = _of(
        SOPClassUID="1.2.840.10008.5.1.4.34.6.1",
        SOPInstanceUID="1.2.3",
        SpecificCharacterSet="ISO_IR 192",
        ProcedureStepState="SCHEDULED",
        ScheduledProcedureStepPriority="MEDIUM",
        ProcedureStepLabel="Radiomics",
        ScheduledProcedureStepStartDateTime="20260301100000",
        PatientName="王^小东",
        PatientID="P-1",
        PatientBirthDate="19500101",
        NumberOfFrames="5",
        ScheduledWorkitemCodeSequence=[_of(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning="Work")],
    )
    made.ensure_file_meta()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return as_bytes(made)


def _of(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, one in attributes.items():
        setattr(made, keyword, one)
    return made


def _in_syntax(instance: Dataset, syntax: str) -> bytes:
    copy = dcmread(BytesIO(as_bytes(instance)))
    if syntax == RLELossless:
        copy.compress(RLELossless, generate_instance_uid=False)
        return as_bytes(copy)
    copy.file_meta.TransferSyntaxUID = syntax
    buffer = BytesIO()
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    dcmwrite(buffer, copy, implicit_vr=implicit, little_endian=little)
    return buffer.getvalue()


def _segmentations() -> list[Dataset]:
    ct = _ct()
    return [seg_of(ct), seg_of(ct, fractional=True), seg_of(ct, labelmap=True), seg_of(ct, referencing="nothing")]


def _report() -> Dataset:
    ct = _ct()
    seg = seg_of(ct)
    made = reader_report(ct, seg, {1: [(BASELINE_CATEGORY, TARGET), (NEW_LESION, EQUIVOCAL)]})
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def _measured() -> Dataset:
    """The same with a long axis, as reports of earlier visits tell it."""
    made = dcmread(BytesIO(as_bytes(_report())))
    unit_of = _of(CodeValue="mm", CodingSchemeDesignator="UCUM", CodeMeaning="mm")
    name = _of(CodeValue="103339001", CodingSchemeDesignator="SCT", CodeMeaning="Long axis")
    long_axis = _of(
        RelationshipType="CONTAINS",
        ValueType="NUM",
        ConceptNameCodeSequence=[name],
        MeasuredValueSequence=[_of(NumericValue="12.5", MeasurementUnitsCodeSequence=[unit_of])],
    )
    for group in _groups(made):
        group.ContentSequence.append(long_axis)
    return made


def _groups(container: Dataset) -> Iterable[Dataset]:
    for one in container.get("ContentSequence", ()):
        if any(code.CodeValue == "125007" for code in one.get("ConceptNameCodeSequence", ())):
            yield one
        yield from _groups(one)


def _objects() -> Iterable[bytes]:
    ct = _ct()
    yield from (as_bytes(one) for one in (ct[0], seg_of(ct), rtstruct_of(ct), _report()))
    for syntax in (ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless):
        yield _in_syntax(ct[0], syntax)
    yield _in_syntax(rtstruct_of(ct), ImplicitVRLittleEndian)


def _deflated() -> Iterable[bytes]:
    ct = _ct()
    for one in (ct[0], rtstruct_of(ct)):
        plain = dataset_of(as_bytes(one))
        compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        yield b"\0" + plain
        yield b"\1" + compressor.compress(plain) + compressor.flush()


def _segmentation() -> Iterable[bytes]:
    yield from map(as_bytes, _segmentations())
    yield _in_syntax(_segmentations()[1], RLELossless)


def _structures() -> Iterable[bytes]:
    ct = _ct()
    corners = [(-8.0, -8.0), (8.0, -8.0), (8.0, 8.0), (-8.0, 8.0)]
    yield as_bytes(rtstruct_of(ct, {1: [(index, corners) for index in range(4)]}))
    yield as_bytes(rtstruct_of(ct, {1: [(0, corners), (3, corners)], 2: [(1, corners)]}, names={2: "Lung"}))


def _image() -> Iterable[bytes]:
    ct = _ct()
    yield as_bytes(ct[0])
    yield _in_syntax(ct[0], RLELossless)
    tilted = dcmread(BytesIO(as_bytes(ct[0])))
    tilted.ImagePositionPatient = [-16, -15.5, -10]
    yield as_bytes(tilted)


def _charset() -> Iterable[bytes]:
    for declared, text in (
        (0, b"DOE^JANE"),
        (1, "Müller^Jörg".encode("latin-1")),
        (2, "王^小东".encode()),
        (3, "王^小东".encode("gb18030")),
        (5, b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab="),
        (6, b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7="),
        (7, b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B="),
        (9, b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J="),
        (10, "Люкceмбypг".encode("iso8859-5", "replace")),
    ):
        yield bytes((declared, 0, 3)) + text


def _table() -> Iterable[bytes]:
    yield b"patient_id,ici_start,line2_start,death\n4711,2024-01-15,2024-09,\n4712,2024-02,,2025-01-03\n"
    yield "patient_id;issuer;line1_agents\n4711;H;信迪利单抗\n".encode("gb18030")
    book = Workbook()
    book.active.append(["patient_id", "death"])
    book.active.append(["4711", 2024])
    buffer = BytesIO()
    book.save(buffer)
    yield buffer.getvalue()


def _bundle() -> Iterable[bytes]:
    subject = {"reference": "Patient/p1"}
    coding = [{"system": "http://www.whocc.no/atc", "code": "L01FF02"}]
    resources = [
        {
            "resourceType": "Patient",
            "id": "p1",
            "identifier": [{"system": "urn:mrn", "value": "4711"}],
            "deceasedDateTime": "2025-01-03",
        },
        {
            "resourceType": "MedicationAdministration",
            "status": "completed",
            "medicationCodeableConcept": {"coding": coding},
            "subject": subject,
            "effectivePeriod": {"start": "2024-01-15", "end": "2024-03"},
        },
        {
            "resourceType": "Procedure",
            "status": "completed",
            "code": {"text": "Stereotactic radiotherapy"},
            "subject": subject,
            "performedDateTime": "2024-05-01T10:00:00Z",
            "bodySite": [{"text": "Brain"}],
        },
        {
            "resourceType": "Condition",
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C79.3"}]},
            "subject": subject,
            "onsetDateTime": "2024-04",
        },
        {
            "resourceType": "Observation",
            "status": "final",
            "category": [{"coding": [{"code": "vital-signs"}]}],
            "subject": subject,
            "effectiveInstant": "2024-05-01T10:00:00+01:00",
        },
    ]
    yield json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": resources[0]}]}).encode()
    entries = [{"fullUrl": f"urn:uuid:{number}", "resource": one} for number, one in enumerate(resources)]
    yield json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def _stream() -> bytes:
    data_set = dataset_of(as_bytes(_ct()[0]))
    uid = str(_ct()[0].SOPInstanceUID)
    store = value(1, 3, command(CT, uid)) + value(1, 0, data_set[:300]) + value(1, 2, data_set[300:])
    echo = value(1, 3, command("1.2.840.10008.1.1", "", field=0x30, data_set=0x0101))
    return store + echo + store + _RELEASE


def _request() -> Iterable[bytes]:
    yield request() + _stream()
    yield request([("1.2.840.10008.1.1", EXPLICIT), (CT, EXPLICIT), (CT, "1.2.840.10008.1.2")]) + _RELEASE
    yield request(called=b"ANOTHER")
    user_item = item(0x58, b"\2\1" + struct.pack(">H", 6) + b"reader" + struct.pack(">H", 6) + b"secret")
    yield _with_item(request(), user_item) + _RELEASE + b"\1"


def _with_item(asked: bytes, more: bytes) -> bytes:
    """A request whose user information, which comes last, has one more item."""
    at = asked.rindex(item(0x51, struct.pack(">I", 131072))) - 4
    (length,) = struct.unpack_from(">H", asked, at + 2)
    user = asked[at : at + 2] + struct.pack(">H", length + len(more)) + asked[at + 4 :] + more
    body = asked[6:at] + user
    return unit(1, body)


def _acceptance() -> Iterable[bytes]:
    context = item(0x21, bytes((1, 0, 0, 0)) + item(0x40, EXPLICIT.encode()))
    refused = item(0x21, bytes((1, 0, 3, 0)) + item(0x40, EXPLICIT.encode()))
    user = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3") + item(0x55, b"PACS"))
    head = struct.pack(">HH16s16s32x", 1, 0, b"PACS", b"PULMONODE") + item(0x10, b"1.2.840.10008.3.1.1.1")
    for one in (context, refused):
        yield unit(2, head + one + user) + unit(6, bytes(4))
    yield unit(3, bytes((0, 1, 1, 7)))
    yield unit(7, bytes((0, 0, 2, 0)))


def _command() -> Iterable[bytes]:
    yield command(CT, "1.2.3.4")
    yield command("1.2.840.10008.1.1", "", field=0x30, data_set=0x0101)
    yield _status()


def _status() -> bytes:
    return struct.pack("<HHIH", 0, 0x0120, 2, 1) + struct.pack("<HHIH", 0, 0x0900, 2, 0)


def _response() -> Iterable[bytes]:
    yield value(1, 3, _status())
    yield value(1, 1, _status()[:7]) + value(1, 3, _status()[7:])
    yield unit(7, bytes((0, 0, 2, 0)))


def _query() -> Iterable[bytes]:
    keys = [
        matching_keys(PatientIdentity("P-1", "H"), "A-1"),
        _of(PatientName="王*", PatientBirthDate="19400101-19601231", ProcedureStepState="SCHEDULED"),
        _of(
            ScheduledWorkitemCodeSequence=[_of(CodeValue="1", CodingSchemeDesignator="")],
            PatientID="P?1",
            ScheduledProcedureStepStartDateTime="2026-",
            NumberOfFrames="5",
        ),
        _of(SOPInstanceUID=["1.2.3", "1.2.4"], QueryRetrieveLevel="IMAGE", SpecificCharacterSet="GB18030"),
    ]
    for one in keys:
        for number, syntax in enumerate(((True, True), (False, True), (False, False))):
            encoded = encode(one, *syntax)
            assert encoded is not None
            yield bytes((number,)) + encoded


def _answer() -> Iterable[bytes]:
    study = _of(PatientID="P-1", StudyInstanceUID="1.2", StudyDate="20260115", ModalitiesInStudy=["CT", "SEG"])
    series = _of(StudyInstanceUID="1.2", SeriesInstanceUID="1.3", Modality="CT", FrameOfReferenceUID="1.4")
    order = _of(
        PatientID="P-1",
        AccessionNumber="A-1",
        RequestedProcedureID="R-1",
        StudyInstanceUID="1.2",
        RequestedProcedureDescription="CT chest",
        RequestedProcedureCodeSequence=[_of(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning="CT")],
        ReferencedStudySequence=[_of(ReferencedSOPClassUID="1.2", ReferencedSOPInstanceUID="1.3")],
        ScheduledProcedureStepSequence=[_of(Modality="CT", ScheduledProcedureStepStartDate="20260115")],
    )
    for one in (study, series, order):
        for implicit in (True, False):
            encoded = encode(one, implicit, True)
            assert encoded is not None
            yield bytes((0 if implicit else 1,)) + encoded


def _stow() -> Iterable[bytes]:
    kind = f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}\n'.encode()
    ct = _ct()
    for files in ([as_bytes(ct[0])], [as_bytes(ct[0]), as_bytes(rtstruct_of(ct))], [b""]):
        parts = [f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + one + b"\r\n" for one in files]
        yield kind + b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
    yield b"application/json\n{}"


def _search() -> Iterable[bytes]:
    yield b"PatientName=*A*&StudyDate=20200101-20261231&limit=5&offset=0"
    yield b"00100020=TEST-1&ModalitiesInStudy=CT&includefield=all&fuzzymatching=true"
    yield b"StudyInstanceUID=1.2.3,1.2.4%5C1.2.5&ReferencedSeriesSequence=x&Rows=16&00280030=1%5C1"


def _users() -> Iterable[bytes]:
    yield (line_of("reader", "secret") + "\n# another\n\n" + line_of("王", "x") + "\n").encode()


def _in_each_syntax(data_sets: Iterable[Dataset], *marks: int) -> Iterable[bytes]:
    """Each data set behind a byte that says in which of three transfer syntaxes it is, and whatever `marks` mean."""
    for one in data_sets:
        for number, syntax in enumerate(((True, True), (False, True), (False, False))):
            encoded = encode(one, *syntax)
            assert encoded is not None
            for mark in marks:
                # a byte whose remainder is the number of the syntax, with the mark in it
                yield (
                    bytes((next(byte for byte in range(mark, 256) if byte % 3 == number and byte & 0x40 == mark),))
                    + encoded
                )


def _steps() -> Iterable[bytes]:
    code = _of(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning="Work")
    created = dcmread(BytesIO(_step()))
    created.InputReadinessState = "READY"
    created.InputInformationSequence = [_of(StudyInstanceUID="1.2", SeriesInstanceUID="1.3")]
    changed = _of(
        TransactionUID="1.2.9",
        ProcedureStepProgressInformationSequence=[
            _of(ProcedureStepProgress="50", ProcedureStepProgressDescription="x")
        ],
        UnifiedProcedureStepPerformedProcedureSequence=[
            _of(PerformedStationNameCodeSequence=[code], OutputInformationSequence=[])
        ],
    )
    claimed = _of(TransactionUID="1.2.9", ProcedureStepState="IN PROGRESS", ReceivingAE="FUZZ", DeletionLock="FALSE")
    yield from _in_each_syntax((Dataset(created), changed, claimed), 0, 0x40)


def _commitments() -> Iterable[bytes]:
    one = _of(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID="1.2.3.4")
    failed = _of(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID="1.2.3.5", FailureReason=0x0112)
    asked = _of(TransactionUID="1.2.9", ReferencedSOPSequence=[one, failed])
    told = _of(TransactionUID="1.2.9", ReferencedSOPSequence=[one], FailedSOPSequence=[failed])
    yield from _in_each_syntax((asked, told), 0)


def _models() -> Iterable[bytes]:
    yield from signed_package().values()
    key = new_key()
    yield key.private_pem()
    yield key.public_pem()


def _settings() -> Iterable[bytes]:
    yield b'[node]\nae_title = "X"\n[receive]\nport = 11112\n'
    yield (
        b'[[peers]]\nname = "pacs"\nae_title = "PACS"\nhost = "h"\nport = 104\nquery = true\n'
        b'[delivery]\ndestinations = ["pacs"]\n'
    )


def _parameters() -> Iterable[bytes]:
    yield b"imageType:\n  Original: {}\n  LoG:\n    sigma: [1.0]\nsetting:\n  binWidth: 25\nfeatureClass:\n  glcm:\n"
    yield b'{"setting": {"resampledPixelSpacing": [1, 1, 1]}, "featureClass": {"shape": []}}'


def _printed() -> Iterable[bytes]:
    yield b"paper,place,kind,value\nx,table 1,percentage,12.5%\n"
    yield b"paper,place,kind,table\n" + b'x,t,counts,"1,2;3,4"\n'
    yield b'[[entry]]\nplace = "table 1"\nkind = "percentage"\nvalue = "12.5"\ncount = 3\ntotal = 24\n'


def _cohorts() -> Iterable[bytes]:
    clinical = "patient,response,age,ecog,site,study_date\nA,CR,61.5,0,one,2020-02-03\nB,PD,,1,two,2021-01-01\n"
    features = "patient,diagnostics_Mask-original_VoxelNum,original_glcm_Imc1\nA,10,1\nA,30,nan\nB,5,2\n"
    yield f"{clinical}\0{features}".encode()


def _tasks() -> Iterable[bytes]:
    body = base64.b64encode(json.dumps([[17], {}, {}]).encode()).decode()
    properties = {"body_encoding": "base64", "delivery_info": {"routing_key": "cases"}, "delivery_tag": "1"}
    kind = {"content-type": "application/json", "content-encoding": "utf-8", "properties": properties}
    yield json.dumps({"body": body, "headers": {"task": "process-case", "id": "1"}, **kind}).encode()
    yield json.dumps({"body": "W10=", "headers": [["task", "x"]], **kind}).encode()


def _planted() -> Iterable[bytes]:
    yield bytes(8)


_SEEDS: dict[str, Callable[[], Iterable[bytes]]] = {
    "header": _objects,
    "oracle": _objects,
    "deflated": _deflated,
    "segmentation": _segmentation,
    "structures": _structures,
    "image": _image,
    "report": lambda: map(as_bytes, (_report(), _measured())),
    "charset": _charset,
    "table": _table,
    "cohort-table": _table,
    "bundle": _bundle,
    "users": _users,
    "request": _request,
    "association": lambda: [_stream()],
    "command": _command,
    "acceptance": _acceptance,
    "response": _response,
    "query": _query,
    "answer": _answer,
    "step": _steps,
    "commitment": _commitments,
    "model": _models,
    "settings": _settings,
    "parameters": _parameters,
    "printed": _printed,
    "training-cohort": _cohorts,
    "deidentified": _objects,
    "task": _tasks,
    "stow": _stow,
    "search": _search,
    "metadata": _objects,
    "planted": _planted,
}
