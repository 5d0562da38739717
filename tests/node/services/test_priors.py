"""Fetching the earlier studies of a patient: how far back, how often, and what is kept of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from sqlalchemy import Engine

from node.adapters.ledger import SqlLedger
from node.adapters.ledger_history import SqlHistory
from node.adapters.ledger_priors import SqlPriors
from node.adapters.spool import FileSpool
from node.logs import Log
from node.ports import FoundSeries, FoundStudy, PatientIdentity, Retrieved, Sender
from node.services.priors import PriorFinder, Reach
from node.services.receive import Announced, Receiver
from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import CaseId, SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.domain.reasons import Rejected
from tests.dicom import as_bytes, ct_series, seg_of
from tests.node.doubles import SetClock
from tests.pipelines.clinical.test_measured import foreign

AWAY = Rejected("NET-001", "PACS cannot be reached.", "Check it.")
PATIENT = "TEST-1"


@dataclass
class Archive:
    """Studies in memory, sent to the receiving service of a node when they are asked for."""

    receiver: Receiver
    held: list[Dataset] = field(default_factory=list)
    fault: Rejected | None = None
    asked: list[SeriesKey] = field(default_factory=list)

    def studies(self, peer: str, patient: PatientIdentity) -> Sequence[FoundStudy] | Rejected:
        if self.fault is not None:
            return self.fault
        of_patient = [one for one in self.held if one.PatientID == patient.patient_id]
        return [
            FoundStudy(
                StudyUID(study),
                next(one.StudyDate for one in of_patient if one.StudyInstanceUID == study),
                tuple({one.Modality for one in of_patient if one.StudyInstanceUID == study}),
            )
            for study in dict.fromkeys(one.StudyInstanceUID for one in of_patient)
        ]

    def series(
        self, peer: str, *, study: StudyUID | None, series: SeriesUID | None = None
    ) -> Sequence[FoundSeries] | Rejected:
        return list(
            {
                one.SeriesInstanceUID: FoundSeries(key_of(one), one.Modality)
                for one in self.held
                if one.StudyInstanceUID == study
            }.values()
        )

    def instances(
        self, peer: str, key: SeriesKey, wanted: Sequence[SopInstanceUID] = ()
    ) -> frozenset[SopInstanceUID] | Rejected:
        return frozenset(SopInstanceUID(one.SOPInstanceUID) for one in self.held if key_of(one) == key)

    def retrieve(self, peer: str, key: SeriesKey, instances: Sequence[SopInstanceUID] = ()) -> Retrieved:
        self.asked.append(key)
        sent = [one for one in self.held if key_of(one) == key]
        for one in sent:
            receive(self.receiver, one)
        return Retrieved(len(sent), 0)


def key_of(instance: Dataset) -> SeriesKey:
    return SeriesKey(StudyUID(instance.StudyInstanceUID), SeriesUID(instance.SeriesInstanceUID))


def receive(receiver: Receiver, instance: Dataset) -> None:
    announced = Announced(SopClassUID(instance.SOPClassUID), SopInstanceUID(instance.SOPInstanceUID))
    assert receiver.receive(as_bytes(instance), announced, Sender("PACS", "PULMONODE")) == 0


def drawn(study: str, date: str) -> Dataset:
    """A segmentation of a study of its own."""
    made = seg_of(ct_series(slices=3, patient_id=PATIENT, study=study))
    made.StudyDate, made.SeriesInstanceUID, made.SOPInstanceUID = date, f"{study}.1", f"{study}.2"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return made


def told(study: str, date: str) -> Dataset:
    """A report of measurements of a study of its own."""
    made = foreign()
    made.StudyInstanceUID, made.StudyDate, made.PatientID = study, date, PATIENT
    return dcmread(BytesIO(as_bytes(made)))


@dataclass
class Node:
    ledger: SqlLedger
    priors: SqlPriors
    history: SqlHistory
    receiver: Receiver
    archive: Archive
    spool: FileSpool
    clock: SetClock
    reach: Reach = field(default_factory=lambda: Reach(days=365, studies=3, reported=False))

    def tick(self) -> None:
        PriorFinder(
            self.priors,
            self.archive,
            self.spool,
            self.clock,
            Log("priors"),
            peers=["PACS"],
            reach=self.reach,
            retry_max=timedelta(seconds=60),
            give_up_after=timedelta(hours=72),
        ).tick()

    def said(self) -> list[str]:
        detail = self.ledger.detail(self.numbered()[0])
        assert detail is not None
        return [event.detail for event in detail.events if event.event == "priors"]

    def numbered(self) -> list[CaseId]:
        """The cases in the order in which they were opened."""
        return sorted(row.case for row in self.ledger.overview(limit=50).cases)

    def cases(self) -> int:
        return len(self.numbered())

    def source(self, place: int) -> str:
        prior = self.priors.prior_of(self.numbered()[place])
        return "" if prior is None else prior.peer


@pytest.fixture
def node(ledger: SqlLedger, engine: Engine, clock: SetClock, tmp_path: Path) -> Node:
    spool = FileSpool(tmp_path / "spool", min_free_bytes=0)
    receiver = Receiver(spool, ledger, clock, Log("receive"))
    made = Node(ledger, SqlPriors(engine), SqlHistory(engine), receiver, Archive(receiver), spool, clock)
    receive(receiver, drawn("1.2.100", "20260301"))
    return made


def test_earlier_segmentations_are_fetched_once_and_are_time_points_alone(node: Node) -> None:
    node.archive.held += [drawn("1.2.90", "20260101"), drawn("1.2.80", "20251101")]
    node.tick()
    assert node.cases() == 3
    assert [node.source(place) for place in range(3)] == ["", "PACS", "PACS"]
    (said,) = node.said()
    assert "study 1.2.90 from PACS" in said
    asked = list(node.archive.asked)
    node.tick()
    assert node.archive.asked == asked
    assert node.said() == [said]


def test_only_studies_before_that_of_the_case_and_within_reach_are_fetched(node: Node) -> None:
    dates = {"1.2.91": "20260401", "1.2.92": "20240101", "1.2.93": "", "1.2.94": "20260201", "1.2.100": "20260301"}
    node.archive.held += [drawn(study, date) for study, date in dates.items()]
    other = drawn("1.2.95", "20260101")
    other.PatientID = "ANOTHER"
    node.archive.held.append(other)
    node.tick()
    assert [key.study for key in node.archive.asked] == ["1.2.94"]


def test_of_many_studies_the_latest_are_fetched(node: Node) -> None:
    node.archive.held += [drawn(f"1.2.9{month}", f"2025{month:02}01") for month in range(4, 10)]
    node.tick()
    assert [key.study for key in node.archive.asked] == ["1.2.99", "1.2.98", "1.2.97"]


def test_what_is_here_already_is_not_fetched(node: Node) -> None:
    earlier = drawn("1.2.90", "20260101")
    receive(node.receiver, earlier)
    node.archive.held.append(earlier)
    node.tick()
    assert node.archive.asked == []
    assert node.source(1) == ""
    assert node.said() == ["No earlier study had to be fetched."]


def test_an_archive_that_is_away_is_asked_again_and_a_person_sees_it_once(node: Node) -> None:
    node.archive.held.append(drawn("1.2.90", "20260101"))
    node.archive.fault = AWAY
    node.tick()
    node.tick()
    assert len(node.said()) == 1
    assert node.said()[0].startswith("NET-001")
    node.archive.fault = None
    node.clock.now += timedelta(seconds=30)
    node.tick()
    assert len(node.said()) == 2
    assert node.cases() == 2


def test_a_search_that_fails_for_days_is_given_up(node: Node) -> None:
    node.archive.fault = AWAY
    node.tick()
    node.clock.now += timedelta(hours=73)
    node.archive.fault = None
    node.archive.held.append(drawn("1.2.90", "20260101"))
    node.tick()
    assert node.cases() == 1


def test_a_report_stands_for_a_study_without_a_segmentation_until_there_is_one(node: Node) -> None:
    node.archive.held.append(told("1.2.90", "20260101"))
    node.tick()
    assert node.cases() == 1
    waiting = node.priors.wanting(since=node.clock() - timedelta(hours=1), at=node.clock(), most=10)
    assert waiting == []
    patient = node.ledger.collecting()[0].segmentation.ref.patient_key
    (kept,) = node.history.scans(patient)  # type: ignore[arg-type]
    assert (kept.case, kept.source, kept.reportable) == (None, "PACS", False)
    assert kept.scan.measured_only
    assert [seen.long_axis for seen in kept.scan.sightings] == [234]
    assert node.history.asked(patient) is not None  # type: ignore[arg-type]
    assert "a report of 1 lesions of study 1.2.90 from PACS" in node.said()[0]
    receive(node.receiver, drawn("1.2.90", "20260101"))
    assert node.history.scans(patient) == []  # type: ignore[arg-type]


def test_fetched_studies_are_reported_where_that_is_wanted(node: Node) -> None:
    node.reach = Reach(365, 3, reported=True)
    node.archive.held.append(drawn("1.2.90", "20260101"))
    node.tick()
    prior = node.priors.prior_of(node.numbered()[1])
    assert prior is not None
    assert prior.reported
