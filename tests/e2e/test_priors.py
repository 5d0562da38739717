"""A node that knows nothing of a patient, beside an Orthanc that holds the earlier studies."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread

from node.ports import DeliveryState
from pipelines.domain import response_codes as c
from pipelines.domain.identifiers import CaseId
from tests.dicom import as_bytes
from tests.e2e.test_follow_up import (
    RESISTANCES,
    begun,
    code,
    folders,
    groups,
    referenced,
    send,
    truth,
)
from tests.tools import Orthanc, RunningNode, free_port, node, orthanc, wait_for, write_config

pytestmark = pytest.mark.e2e

PATIENT = "SYN-D05"


@dataclass(frozen=True, slots=True)
class Hospital:
    """An Orthanc that knows a node, which is to be started."""

    folder: Path
    archive: Orthanc
    port: int

    def config(self, *, retrieve: str = "move", dicom_port: int | None = None) -> Path:
        return write_config(
            self.folder,
            destinations={"PACS": (self.archive.ae_title, dicom_port or self.archive.dicom_port)},
            peer={"query": True, "retrieve": retrieve, "commitment": False},
            node={"port": self.port},
            outputs={"kinds": ["sr-response"]},
            maps={"features": []},
            scoring={"model": ""},
            prefetch={"after_s": 60},
            priors={"fetch": True},
        )

    def hold(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*.dcm")):
            instance = dcmread(path)
            if instance.file_meta.TransferSyntaxUID.is_compressed:
                # Orthanc proposes no such context for JPEG 2000 without transcoding
                instance.decompress(generate_instance_uid=False)
            self.archive.post("/instances", as_bytes(instance))


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    port = free_port()
    with orthanc(tmp_path / "orthanc", modalities={"node": ("PULMONODE", port)}) as archive:
        yield Hospital(tmp_path, archive, port)


def report_over(running: RunningNode, visits: int) -> Path:
    """The report of the first case, once it tells of so many visits and has been delivered."""
    from node.bootstrap.stores import open_stores

    stores = open_stores(running.settings)

    def look() -> Path | None:
        # in this order: a scan that is kept asks for the patient's assessment in the same moment
        patient = stores.history.patient_of(CaseId(1))
        if patient is None or len(stores.history.scans(patient)) != visits or stores.history.asked(patient):
            return None
        said = stores.history.assessed(CaseId(1))
        if said is None or said.report is None:
            return None
        detail = running.detail(1)
        assert detail is not None
        made = [row for row in detail.results if row.result.sop_instance == said.report.sop_instance]
        states = {one.state for row in made for one in row.deliveries}
        if states != {DeliveryState.DELIVERED}:
            return None
        return stores.spool.path(made[0].result.file)

    found: Path = wait_for(f"a report over {visits} visits (log: {running.log})", look, timeout_s=400)
    return found


@pytest.mark.timeout(900)
def test_earlier_studies_of_the_archive_become_time_points_of_which_nothing_is_sent(
    shared_data: Path, hospital: Hospital
) -> None:
    root = shared_data / "longitudinal"
    told = truth(root, PATIENT)
    first, second, third = folders(root, PATIENT)
    hospital.hold(first)
    hospital.hold(second)
    held = len(hospital.archive.instances())
    with node(hospital.config()) as running:
        begun(running, PATIENT, told)
        send(running, third)
        report = dcmread(report_over(running, 3))
        course = groups(report)[0]
        assert code(course, c.CURRENT_RESPONSE) == c.OVERALL_PD.value
        assert code(course, c.PROGRESSION_PATTERN) == c.PATTERN_OLIGO.value
        assert code(course, c.RESISTANCE) == RESISTANCES[told.resistance].value
        drawn = {dcmread(one / "seg.dcm", stop_before_pixels=True).SOPInstanceUID for one in (first, second)}
        assert drawn < referenced(report.PertinentOtherEvidenceSequence)
        for case in (2, 3):
            detail = running.detail(case)
            assert detail is not None
            assert not detail.results
            assert "Fetched from PACS; nothing is sent" in detail.row.reason
        (searched,) = [event.detail for event in running.detail(1).events if event.event == "priors"]  # type: ignore[union-attr]
        assert searched.count("from PACS") == 2
        assert f"{next(iter(told.responses))}  fetched from PACS" in running.command("status", "1").stdout
        # nothing has come back but versions of the report of the one case that was sent
        kinds = {
            json.loads(hospital.archive.get(f"/instances/{one}/simplified-tags"))["Modality"]
            for one in new(hospital, held)
        }
        assert kinds == {"SR"}
        studies = {
            json.loads(hospital.archive.get(f"/instances/{one}/simplified-tags"))["StudyInstanceUID"]
            for one in new(hospital, held)
        }
        assert studies == {str(report.StudyInstanceUID)}


def new(hospital: Hospital, held: int) -> list[str]:
    """Structured Reports at the archive; it held none at first."""
    every = hospital.archive.instances()
    assert len(every) > held
    return [
        one
        for one in every
        if json.loads(hospital.archive.get(f"/instances/{one}/simplified-tags"))["Modality"] not in ("CT", "SEG")
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_archive_that_is_down_is_asked_again(shared_data: Path, tmp_path: Path) -> None:
    root = shared_data / "longitudinal"
    first, second, _ = folders(root, PATIENT)
    port, archive_port = free_port(), free_port()
    absent = Hospital(tmp_path, Orthanc("ORTHANC", archive_port, 0), port)
    with node(absent.config()) as running:
        begun(running, PATIENT, truth(root, PATIENT))
        send(running, second)
        wait_for("a failed search", lambda: "NET-001" in running.command("status", "1").stdout, timeout_s=200)
        modalities = {"node": ("PULMONODE", port)}
        with orthanc(tmp_path / "orthanc", dicom_port=archive_port, modalities=modalities) as archive:
            Hospital(tmp_path, archive, port).hold(first)
            report = dcmread(report_over(running, 2))
    assert code(groups(report)[0], c.CURRENT_RESPONSE) == c.OVERALL_SD.value


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_report_of_measurements_stands_for_a_segmentation_that_the_archive_lacks(
    shared_data: Path, hospital: Hospital
) -> None:
    """A node's own reports of the first visit are all that is left of it; lesions are known again by their names."""
    root = shared_data / "longitudinal"
    first, second, *_ = folders(root, "SYN-D04")
    told = truth(root, "SYN-D04")
    other = write_config(
        hospital.folder / "other",
        destinations={"PACS": (hospital.archive.ae_title, hospital.archive.dicom_port)},
        outputs={"kinds": ["sr-diameters"]},
        maps={"features": []},
        scoring={"model": ""},
    )
    with node(other) as running:
        send(running, first)
        wait_for("the diameters", hospital.archive.instances, timeout_s=300)
    with node(hospital.config(retrieve="get")) as running:
        begun(running, "SYN-D04", told)
        send(running, second)
        report = dcmread(report_over(running, 2))
        assert running.detail(2) is None
    course, _, visit, *lesions = groups(report)
    assert code(course, c.CURRENT_RESPONSE) == c.OVERALL_PD.value
    assert code(course, c.PROGRESSION_PATTERN) == c.PATTERN_SYSTEMIC.value
    assert code(visit, c.CURRENT_RESPONSE) == c.OVERALL_PD.value
    assert len(lesions) == 7
