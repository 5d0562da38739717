"""What is searched for and read stands in the audit trail, and no patient does."""

import base64
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from pydicom import Dataset, dcmread
from starlette.testclient import TestClient

from node.adapters.archive_index import ArchiveIndex
from node.adapters.audit_record import AuditRecord
from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.ledger_audit import SqlAudit
from node.adapters.query_audit import QueryAudit, WebAudit
from node.adapters.spool import FileSpool
from node.adapters.worklist import matching_keys
from node.logs import Log
from node.ports import PatientIdentity, Sender
from node.services.audit_messages import AuditSource
from node.services.receive import Announced, Receiver
from node.services.trail import Trail
from node.web.app import make_app
from node.web.dicomweb import DicomWeb
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID
from pipelines.domain.sop_classes import MODALITY_WORKLIST, STUDY_ROOT_FIND
from tests.dicom import as_bytes, ct_series
from tests.node.doubles import SetClock
from tests.node.listeners import schema_faults

QUERY, ACCESSED, TRANSFERRED = "110112", "110103", "110104"


class Node:
    """A node that holds a CT of two slices, serves it by DICOMweb, and keeps a trail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SetClock()
        self.seconds = 0.0
        engine = open_engine(f"sqlite:///{folder / 'ledger.sqlite3'}")
        spool = FileSpool(folder / "spool", min_free_bytes=0)
        receiver = Receiver(spool, SqlLedger(engine, pipeline="test"), self.clock, Log("test"))
        self.trail = Trail(
            AuditRecord(folder / "audit"),
            SqlAudit(engine),
            self.clock,
            Log("audit"),
            source=AuditSource("PULMONODE", "node.example", 17),
            ae_title="PULMONODE",
            user="operator",
        )
        self.queries = QueryAudit(self.trail, identify=False)
        self.ct = ct_series(slices=2, rows=8, columns=8, patient_id="SENTINEL-7", patient_name="ZZ^SENTINEL")
        for image in self.ct:
            announced = Announced(SopClassUID(image.SOPClassUID), SopInstanceUID(image.SOPInstanceUID))
            assert receiver.receive(as_bytes(image), announced, Sender("SCANNER", "PULMONODE")) == 0x0000
        service = DicomWeb(
            ArchiveIndex(engine),
            receiver,
            spool.path,
            Log("test"),
            max_request_bytes=2**20,
            readers=WebAudit(self.trail, self.queries, now_s=lambda: self.seconds),
        )
        self.web = TestClient(
            make_app(service.routes(), [], token=None, denied=lambda address: None), base_url="http://localhost"
        )

    def get(self, path: str) -> None:
        assert self.web.get(f"/dicom-web/studies{path}").status_code == 200

    def messages(self) -> list[Xml.Element]:
        """All, valid by the standard's schema and without a patient."""
        lines = [line for path in (self.folder / "audit").glob("*.log") for line in path.read_text().splitlines()]
        assert [fault for line in lines if (fault := schema_faults(line, self.folder))] == []
        found = [Xml.fromstring(line.partition("\ufeff")[2]) for line in lines]
        assert not any("SENTINEL" in line for line in lines)
        return found

    def kinds(self) -> list[str]:
        return [_attribute(one, "EventIdentification/EventID", "csd-code") for one in self.messages()]


def _attribute(message: Xml.Element, path: str, name: str) -> str:
    found = message.find(path)
    assert found is not None
    return found.get(name, "")


def query_of(message: Xml.Element) -> Dataset:
    """The query that a message holds."""
    encoded = message.findtext("ParticipantObjectIdentification/ParticipantObjectQuery")
    assert encoded is not None
    return dcmread(BytesIO(base64.b64decode(encoded)), force=True)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_query_to_the_worklist_is_told_without_whom_it_was_about(node: Node) -> None:
    keys = matching_keys(PatientIdentity("SENTINEL-7"), "SENTINEL-ACC")
    keys.RequestedProcedureID = "SENTINEL-RP"
    node.queries.asked("ris", MODALITY_WORKLIST, keys)
    (message,) = node.messages()
    assert _attribute(message, "ParticipantObjectIdentification", "ParticipantObjectID") == MODALITY_WORKLIST
    told = query_of(message)
    assert [element.tag for element in told] == [element.tag for element in keys]
    assert "SENTINEL" not in str(told)
    assert keys.PatientID == "SENTINEL-7"


def test_the_values_of_a_query_are_told_where_the_site_wants_patients_in_its_trail(node: Node) -> None:
    QueryAudit(node.trail, identify=True).asked("ris", STUDY_ROOT_FIND, matching_keys(PatientIdentity("P-1"), "A"))
    (message,) = node.messages()
    assert query_of(message).PatientID == "P-1"


def test_a_search_by_dicomweb_is_told_with_who_asked(node: Node) -> None:
    study = node.ct[0].StudyInstanceUID
    node.get("?PatientName=ZZ^SENTINEL*")
    node.get(f"/{study}/series?Modality=CT")
    assert node.kinds() == [QUERY, QUERY]
    first, second = map(query_of, node.messages())
    assert "PatientName" in first
    assert (second.StudyInstanceUID, second.Modality) == (study, "CT")
    asking = node.messages()[0].findall("ActiveParticipant")[0]
    assert (asking.get("NetworkAccessPointID"), asking.get("UserIsRequestor")) == ("testclient", "true")


def test_what_a_viewer_reads_by_dicomweb_is_told_once_a_minute(node: Node) -> None:
    one = node.ct[0]
    instance = f"/{one.StudyInstanceUID}/series/{one.SeriesInstanceUID}/instances/{one.SOPInstanceUID}"
    for _ in range(3):
        node.get(f"{instance}/frames/1")
        node.get(f"/{one.StudyInstanceUID}/metadata")
        node.get(instance)
    assert node.kinds() == [ACCESSED, TRANSFERRED]
    studies = [_attribute(told, "ParticipantObjectIdentification", "ParticipantObjectID") for told in node.messages()]
    assert studies == [one.StudyInstanceUID] * 2
    node.seconds += timedelta(minutes=2).total_seconds()
    node.get(instance)
    assert node.kinds() == [ACCESSED, TRANSFERRED, TRANSFERRED]


def test_a_study_that_is_not_here_was_not_read(node: Node) -> None:
    assert node.web.get("/dicom-web/studies/1.2.3").status_code == 404
    assert node.messages() == []


def test_a_search_for_what_dicom_cannot_write_is_told_without_it(node: Node) -> None:
    node.get("?StudyInstanceUID=%ff&ModalitiesInStudy=%E8%82%BA&Modality=CT")
    (message,) = node.messages()
    told = query_of(message)
    assert (told.Modality, told.StudyInstanceUID, told.ModalitiesInStudy) == ("CT", "", "")
