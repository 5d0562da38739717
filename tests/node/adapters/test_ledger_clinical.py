"""What is known of patients and what readers decided: added for good, the newest holding, gone with the patient."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, delete, func, insert, select, update
from sqlalchemy.exc import DatabaseError

from node.adapters import clinical_schema as c
from node.adapters.ledger import SqlLedger
from node.adapters.ledger_clinical import SqlClinical
from node.adapters.ledger_erasure import SqlErasure
from node.adapters.ledger_readings import SqlReadings
from node.adapters.ledger_reassessment import SqlReassessments
from node.following import EntrySource, Origin, Report
from node.ports import Measurement
from node.ports import Report as CaseReport
from pipelines.domain.clinical import Key, PatientKey
from pipelines.domain.identifiers import CaseId, StudyUID
from pipelines.domain.readings import Decision, Question, Source, TrackingUID, in_force, read
from pipelines.domain.recist import LesionRole
from pipelines.domain.scan_date import ScanDate
from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, images, segmentation

PATIENT, OTHER = PatientKey("patient"), PatientKey("somebody else")
START, DEATH = Key("ici_start"), Key("death")
TARGET = Decision(Question.ROLE, StudyUID("1.2.1"), TrackingUID("2.25.1"), "target")
NON_TARGET = Decision(Question.ROLE, StudyUID("1.2.1"), TrackingUID("2.25.1"), "non-target")


def measured_case(ledger: SqlLedger, clock: SetClock) -> CaseId:
    """A case of the patient with two lesions."""
    for ref in (*images(), segmentation()):
        ledger.received(ref, file_of(ref), SENDER, at=clock())
    case = ledger.collecting()[0].case
    ledger.complete(case, images()[0].key, "3 slices.", at=clock())
    claim = ledger.claim(case, "worker", at=clock(), lease=timedelta(seconds=60))
    assert claim is not None
    lesions = tuple(Measurement(number, f"2.25.{number}", 1.5 * number, (), None) for number in (1, 2))
    assert ledger.reported(claim, CaseReport(lesions, None, (), "2 lesions."), (), at=clock())
    return case


def test_the_newest_entry_holds_and_every_one_stays(engine: Engine, clock: SetClock) -> None:
    book = SqlClinical(engine)
    for value in ("2024-01", "2024-01-15", ""):
        book.record({PATIENT: {START: value}}, EntrySource.COMMAND, Origin("nurse", clock()))
        clock.forward(60)
    assert book.entries(PATIENT) == {}
    history = book.entry_history(PATIENT)
    assert [(row.value, row.who, row.source) for row in history] == [
        ("2024-01", "nurse", EntrySource.COMMAND),
        ("2024-01-15", "nurse", EntrySource.COMMAND),
        ("", "nurse", EntrySource.COMMAND),
    ]
    assert history[1].at - history[0].at == timedelta(seconds=60)
    book.record({PATIENT: {START: "2024-02"}}, EntrySource.FHIR, Origin("nurse", clock()))
    assert book.clinical(PATIENT).course.start == ScanDate.parse("2024-02")


def test_only_what_is_new_is_written_and_told(engine: Engine, clock: SetClock) -> None:
    book = SqlClinical(engine)
    both = {PATIENT: {START: "2024"}, OTHER: {DEATH: "2025"}}
    assert book.record(both, EntrySource.TABLE, Origin("nurse", clock())) == [PATIENT, OTHER]
    again = {PATIENT: {START: "2024"}, OTHER: {DEATH: "2025-03"}}
    assert book.record(again, EntrySource.TABLE, Origin("nurse", clock())) == [OTHER]
    assert len(book.entry_history(PATIENT)) == 1
    assert book.entries(OTHER) == {DEATH: "2025-03"}


def test_history_cannot_be_changed(engine: Engine, clock: SetClock) -> None:
    SqlClinical(engine).record({PATIENT: {START: "2024"}}, EntrySource.COMMAND, Origin("nurse", clock()))
    readings = SqlReadings(engine)
    (number,) = readings.decide(PATIENT, [TARGET], Source.COMMAND, Origin("reader", clock()))
    assert readings.undo(PATIENT, number, Origin("reader", clock()))
    for table in (c.clinical_entry, c.reading, c.reading_undone):
        with pytest.raises(DatabaseError), engine.begin() as connection:
            connection.execute(update(table).values(who="somebody else"))


def test_a_decision_that_is_taken_back_gives_way_to_the_one_before(engine: Engine, clock: SetClock) -> None:
    book = SqlReadings(engine)
    first, second = book.decide(
        PATIENT, [TARGET, NON_TARGET], Source.HTTP, Origin("reader", clock(), "too close to the heart")
    )
    assert read(book.readings(PATIENT)).decisions.roles == {"2.25.1": LesionRole.NON_TARGET}
    assert book.undo(PATIENT, second, Origin("reader", clock()))
    assert not book.undo(PATIENT, second, Origin("reader", clock()))
    assert not book.undo(OTHER, first, Origin("reader", clock()))
    assert not book.undo(PATIENT, 999, Origin("reader", clock()))
    assert read(book.readings(PATIENT)).decisions.roles == {"2.25.1": LesionRole.TARGET}
    kept = book.readings(PATIENT)
    assert [(one.number, one.undone, one.reason) for one in kept] == [
        (first, False, "too close to the heart"),
        (second, True, "too close to the heart"),
    ]
    assert [one.number for one in in_force(kept)] == [first]
    assert book.readings(OTHER) == []


def test_a_case_tells_a_reader_its_lesions_and_its_study(engine: Engine, ledger: SqlLedger, clock: SetClock) -> None:
    case = measured_case(ledger, clock)
    book = SqlReadings(engine)
    found = book.case_read(case)
    assert found is not None
    assert (found.patient, found.study) == (PATIENT, images()[0].key.study)
    assert [(one.number, one.tracking_uid, one.volume_ml) for one in found.lesions] == [
        (1, "2.25.1", 1.5),
        (2, "2.25.2", 3.0),
    ]
    assert book.cases_of(PATIENT) == [found]
    assert (book.case_read(CaseId(case + 1)), book.cases_of(OTHER)) == (None, [])


def test_a_report_is_read_once_and_one_of_our_own_never(engine: Engine, ledger: SqlLedger, clock: SetClock) -> None:
    book = SqlReadings(engine)
    arrived = segmentation(7, sop_class=COMPREHENSIVE_3D_SR)
    for _ in range(2):
        ledger.received(arrived, file_of(arrived), SENDER, at=clock())
    (unread,) = book.unread_reports(most=9)
    assert unread == Report(arrived.sop_instance, PATIENT, file_of(arrived))
    for _ in range(2):
        book.report_read(unread, [TARGET], Origin("reader", clock()), [])
    assert book.unread_reports(most=9) == []
    (one,) = book.readings(PATIENT)
    assert (one.source, one.source_uid, one.decision) == (Source.REPORT, arrived.sop_instance, TARGET)


def test_who_is_assessed_again_is_remembered_once(engine: Engine, clock: SetClock) -> None:
    asked = SqlReassessments(engine, clock)
    for patient in (PATIENT, OTHER, PATIENT):
        clock.forward(1)
        asked.reassess(patient)
    with engine.connect() as connection:
        rows = connection.execute(select(c.reassessment).order_by(c.reassessment.c.asked_at)).all()
    assert [(row.patient_key, row.asked_at) for row in rows] == [
        (OTHER, clock() - timedelta(seconds=1)),
        (PATIENT, clock()),
    ]


def test_with_a_patient_all_that_is_known_of_them_goes(engine: Engine, ledger: SqlLedger, clock: SetClock) -> None:
    case = measured_case(ledger, clock)
    origin = Origin("nurse", clock())
    for patient in (PATIENT, OTHER):
        SqlClinical(engine).record({patient: {START: "2024"}}, EntrySource.COMMAND, origin)
        (number,) = SqlReadings(engine).decide(patient, [TARGET], Source.COMMAND, origin)
        SqlReadings(engine).undo(patient, number, origin)
        SqlReassessments(engine, clock).reassess(patient)
        with engine.begin() as connection:
            values = {"sop_instance": f"1.{number}", "patient_key": patient, "received_at": clock()}
            connection.execute(insert(c.reader_report).values(values))
    assert SqlErasure(engine).erase_patient(case, "test", at=clock()) == [case]
    with engine.connect() as connection:
        for table in (c.clinical_entry, c.reading, c.reader_report, c.reassessment):
            assert connection.scalars(select(table.c.patient_key)).all() == [OTHER]
        assert connection.scalar(select(func.count()).select_from(c.reading_undone)) == 1
    with engine.begin() as connection:
        connection.execute(delete(c.reading_undone))
