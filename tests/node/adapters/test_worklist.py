"""Orders of a patient from DCMTK's worklist."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from node.adapters.association import PeerAddress
from node.adapters.worklist import WorklistScu
from node.ports import PatientIdentity
from pipelines.domain.coding import Code
from pipelines.domain.order import Order
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import MODALITY_WORKLIST
from tests.tools import free_port, wlmscpfs


def write_order(folder: Path, name: str, *, patient_id: str, accession_number: str, study: str = "1.2.3") -> None:
    """A worklist file as `wlmscpfs` reads it."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.PatientName, made.PatientID = "TEST^PATIENT", patient_id
    made.AccessionNumber = accession_number
    made.StudyInstanceUID = study
    made.RequestedProcedureID = f"RP-{accession_number}"
    made.RequestedProcedureDescription = "CT of the chest"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "24627-2", "LN", "CT Chest"
    made.RequestedProcedureCodeSequence = [code]
    step = Dataset()
    step.Modality, step.ScheduledStationAETitle = "CT", "CT1"
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = "20260115", "0900"
    step.ScheduledProcedureStepID, step.ScheduledProcedureStepDescription = "1", "CT"
    made.ScheduledProcedureStepSequence = [step]
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"  # type: ignore[assignment]
    made.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"  # type: ignore[assignment]
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    (folder / "WORKLIST").mkdir(parents=True, exist_ok=True)
    dcmwrite(folder / "WORKLIST" / f"{name}.wl", made, enforce_file_format=True)


def hears(folder: Path) -> Callable[[str, str, Dataset], None]:
    """Writes down whom the node asks."""

    def told(peer: str, sop_class: str, keys: Dataset) -> None:
        with (folder / "asked").open("a") as file:
            file.write(f"{peer} {sop_class} {keys.PatientID}\n")

    return told


@pytest.fixture
def worklist(tmp_path: Path) -> Iterator[WorklistScu]:
    folder = tmp_path / "worklist"
    write_order(folder, "1", patient_id="P-1", accession_number="A1")
    write_order(folder, "2", patient_id="P-1", accession_number="A2", study="1.2.4")
    write_order(folder, "3", patient_id="P-10", accession_number="A3")
    with wlmscpfs(folder) as port:
        yield WorklistScu("PULMONODE", PeerAddress("ris", "WORKLIST", "127.0.0.1", port, 120), queried=hears(tmp_path))


def test_the_orders_of_a_patient_are_read_in_full(worklist: WorklistScu) -> None:
    orders = worklist.orders(PatientIdentity("P-1"), accession_number="")
    assert not isinstance(orders, Rejected)
    assert sorted(one.accession_number for one in orders) == ["A1", "A2"]
    (first,) = [one for one in orders if one.accession_number == "A1"]
    assert first == Order(
        study=first.study,
        accession_number="A1",
        requested_procedure_id="RP-A1",
        description="CT of the chest",
        codes=(Code("24627-2", "LN", "CT Chest"),),
        modality="CT",
        scheduled_date="20260115",
    )
    assert first.study == "1.2.3"


def test_an_accession_number_narrows_the_orders_down(worklist: WorklistScu, tmp_path: Path) -> None:
    orders = worklist.orders(PatientIdentity("P-1"), accession_number="A2")
    assert (tmp_path / "asked").read_text() == f"ris {MODALITY_WORKLIST} P-1\n"
    assert not isinstance(orders, Rejected)
    assert [one.accession_number for one in orders] == ["A2"]


def test_a_patient_without_orders_has_none(worklist: WorklistScu) -> None:
    assert worklist.orders(PatientIdentity("P-9"), accession_number="") == []


def test_a_worklist_that_is_away_is_told() -> None:
    away = WorklistScu("PULMONODE", PeerAddress("ris", "WORKLIST", "127.0.0.1", free_port(), 2))
    fault = away.orders(PatientIdentity("P-1"), accession_number="")
    assert isinstance(fault, Rejected)
    assert fault.code == "NET-001"
