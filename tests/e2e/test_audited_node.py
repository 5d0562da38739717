"""What a node asks of foreign peers, and what it is asked itself, as an audit repository gets to hear of it."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as Xml

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE

from node.adapters.steps.scp import QUERY
from pipelines.domain.case_state import CaseState
from pipelines.domain.sop_classes import MODALITY_WORKLIST, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE
from tests.dicom import as_bytes, ct_series, seg_of, write_files
from tests.node.adapters.test_worklist import write_order
from tests.node.certificates import Authority, authority
from tests.node.listeners import Repository, schema_faults
from tests.tools import free_port, node, orthanc, wait_for, wlmscpfs, write_config

pytestmark = pytest.mark.e2e

SENTINEL = "SENTINEL"
_QUERY, _TRANSFERRED = "110112", "110104"


@dataclass(frozen=True, slots=True)
class Told:
    """An audit message.

    Attributes
    ----------
    asking, asked
        User ID and address of the two participants, the requestor first.
    subjects
        IDs of what it is about: an SOP class, a study, a patient.
    keys
        The query that it holds.
    """

    event: str
    asking: tuple[str, str]
    asked: tuple[str, str]
    subjects: tuple[str, ...]
    keys: Dataset | None

    @classmethod
    def read(cls, line: bytes) -> "Told":
        message = Xml.fromstring(line.decode().partition("\ufeff")[2])
        code = message.find("EventIdentification/EventID")
        assert code is not None
        participants = sorted(message.iter("ActiveParticipant"), key=lambda one: one.get("UserIsRequestor") != "true")
        first, *others = [(one.get("UserID", ""), one.get("NetworkAccessPointID", "")) for one in participants]
        subjects = [one.get("ParticipantObjectID", "") for one in message.iter("ParticipantObjectIdentification")]
        query = message.findtext("ParticipantObjectIdentification/ParticipantObjectQuery")
        keys = None if query is None else dcmread(BytesIO(base64.b64decode(query)), force=True)
        return cls(code.get("csd-code", ""), first, next(iter(others), ("", "")), tuple(subjects), keys)


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return authority(tmp_path / "ca")


@pytest.fixture
def repository(ca: Authority) -> Iterator[Repository]:
    listening = Repository(ca.vouch("repository"), free_port())
    yield listening
    listening.close()


def ask_worklist(port: int) -> int:
    """A viewer searches the node's own worklist by the name of a patient; the final status."""
    ae = AE("VIEWER")
    ae.add_requested_context(QUERY)
    association = ae.associate("127.0.0.1", port, ae_title="PULMONODE")
    assert association.is_established
    keys = Dataset()
    keys.PatientName = f"{SENTINEL}*"
    keys.ProcedureStepState = "SCHEDULED"
    *_, (last, _) = association.send_c_find(keys, QUERY)
    association.release()
    return int(last.Status)


@pytest.mark.slow(reason="what arrived is told half a minute after the last instance")
@pytest.mark.parametrize(("retrieve", "model"), [("move", STUDY_ROOT_MOVE), ("get", STUDY_ROOT_GET)])
def test_queries_and_retrievals_reach_the_repository_as_the_standard_wants_them(
    tmp_path: Path, ca: Authority, repository: Repository, retrieve: Literal["move", "get"], model: str
) -> None:
    port, files = free_port(), ca.vouch("node")
    ct = ct_series(slices=8, rows=32, columns=32, patient_id=f"{SENTINEL}-1", patient_name=f"{SENTINEL}^ZZ")
    study, series = str(ct[0].StudyInstanceUID), str(ct[0].SeriesInstanceUID)
    write_order(tmp_path / "ris", "1", patient_id=f"{SENTINEL}-1", accession_number=f"{SENTINEL}-2", study=study)
    write_files([seg_of(ct)], tmp_path / "in")
    with (
        orthanc(tmp_path / "orthanc", modalities={"node": ("PULMONODE", port)}) as archive,
        wlmscpfs(tmp_path / "ris") as ris,
    ):
        for instance in ct:
            archive.post("/instances", as_bytes(instance))
        config = write_config(
            tmp_path,
            destinations={"PACS": (archive.ae_title, archive.dicom_port)},
            peer={"query": True, "retrieve": retrieve},
            node={"port": port},
            prefetch={"after_s": 1},
            audit={"repository": f"tls://127.0.0.1:{repository.port}"},
            tls={
                "certificate_file": str(files.certificate),
                "key_file": str(files.key),
                "authorities_file": str(files.authorities),
            },
        )
        with config.open("a") as added:
            added.write(
                f'[[peers]]\nname = "RIS"\nae_title = "WORKLIST"\nhost = "127.0.0.1"\nport = {ris}\nworklist = true\n'
            )
        with node(config) as running:
            submitted = running.command("submit", str(tmp_path / "in"))
            assert submitted.returncode == 0, submitted.stderr
            assert ask_worklist(port) == 0x0000
            assert running.reaches(1, CaseState.DELIVERED, CaseState.COMMITTED).row.ct_slices == 8

            def told() -> list[Told]:
                return [Told.read(line) for line in tuple(repository.messages)]

            def arrived() -> bool:
                return any(one.event == _TRANSFERRED and one.asking[0] == archive.ae_title for one in told())

            wait_for("the message of what was retrieved", arrived)
            messages = told()
    lines = [line.decode() for line in repository.messages]
    assert repository.faults == []
    assert [fault for line in lines if (fault := schema_faults(line, tmp_path))] == []
    assert [line for line in lines if SENTINEL in line] == []

    queries = [one for one in messages if one.event == _QUERY]
    by_class = {one.subjects[0]: one for one in queries}
    assert set(by_class) == {STUDY_ROOT_FIND, model, MODALITY_WORKLIST, QUERY}
    asked = {sop_class: (one.asking[0], one.asked[0]) for sop_class, one in by_class.items()}
    assert asked == {
        STUDY_ROOT_FIND: ("PULMONODE", "PACS"),
        model: ("PULMONODE", "PACS"),
        MODALITY_WORKLIST: ("PULMONODE", "RIS"),
        QUERY: ("VIEWER", "PULMONODE"),
    }
    assert by_class[QUERY].asking == ("VIEWER", "127.0.0.1")
    # what is asked is told by its UIDs and codes; that a name was asked for, but not which
    retrieved, searched = by_class[model].keys, by_class[QUERY].keys
    assert retrieved is not None
    assert searched is not None
    assert (retrieved.StudyInstanceUID, retrieved.SeriesInstanceUID) == (study, series)
    assert (searched.PatientName, searched.ProcedureStepState) == ("", "SCHEDULED")
    (moved,) = [one for one in messages if one.event == _TRANSFERRED and one.asking[0] == archive.ae_title]
    assert moved.subjects[0] == study
    assert moved.subjects[1].startswith("sha256:")
