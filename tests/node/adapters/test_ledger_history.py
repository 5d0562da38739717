"""The scans of patients in the ledger, and the reports that are added to cases that have ended."""

from datetime import date, timedelta

import numpy as np
from sqlalchemy import Engine, select

from node.adapters import history_schema as h
from node.adapters.ledger import SqlLedger
from node.adapters.ledger_erasure import SqlErasure
from node.adapters.ledger_history import SqlHistory
from node.history import Assessed, CaseInputs, Due, Placement
from node.keeping import Why
from node.ports import Destination, Report
from pipelines.domain.case import SeriesKey
from pipelines.domain.case_state import CaseState
from pipelines.domain.clinical import PatientKey
from pipelines.domain.history import DocumentRef, Scan, packed, unpacked
from pipelines.domain.identifiers import CaseId, FrameOfReferenceUID
from pipelines.domain.identity import Sighting
from pipelines.domain.organs import Organ
from pipelines.domain.recist import Tenths
from pipelines.domain.scan_date import ScanDate
from pipelines.domain.volume import Grid
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, image, images, result, segmentation

PACS = [Destination("PACS")]
GRID = Grid((20, 30, 40), (1.5, -2.0, 3.25), (0.7, 0.7, 2.5), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
PATIENT = PatientKey("patient")


def reported(ledger: SqlLedger, clock: SetClock) -> CaseId:
    for ref in (*images(3), segmentation()):
        ledger.received(ref, file_of(ref), SENDER, at=clock())
    case = ledger.collecting()[0].case
    ledger.complete(case, image().key, "3 slices.", at=clock())
    claim = ledger.claim(case, "worker", at=clock(), lease=timedelta(seconds=60))
    assert claim is not None
    assert ledger.reported(claim, Report((), None, (result(case, "map"),), "1 lesion."), PACS, at=clock())
    return case


def scan_of(inputs: CaseInputs) -> Scan:
    points = unpacked(packed(np.array([[2.9, -0.6, 8.25], [3.6, -0.6, 8.25], [2.9, 0.1, 10.75]]), GRID), GRID)
    seen = Sighting(3, "L3", "1.2.33", "1.2.34", Organ.LIVER, False, Tenths(123), Tenths(45), 1.25, points, 2.5)
    day = ScanDate.parse("2024-02-03")
    drawn = inputs.segmentation.sop_instance
    return Scan(day, inputs.ct, drawn, FrameOfReferenceUID("1.2.99"), (seen,), GRID, "digest")


def kept(ledger: SqlLedger, engine: Engine, clock: SetClock) -> tuple[SqlHistory, CaseId, Scan]:
    case, history = reported(ledger, clock), SqlHistory(engine)
    inputs = history.unkept(case)
    assert inputs is not None
    scan = scan_of(inputs)
    history.keep(inputs, scan, at=clock())
    return history, case, scan


def said(ledger: SqlLedger, history: SqlHistory, case: CaseId, clock: SetClock, run: str) -> bool:
    asked_at = history.asked(PATIENT)
    made = result(case, "sr", run)
    report = DocumentRef(SeriesKey(image().key.study, made.series), made.sop_class, made.sop_instance)
    due = date(2024, 4, 1), date(2024, 4, 15)
    told = Assessed("2024-02-03", run, ("PR",), (), report, None, clock(), due=due)
    return asked_at is not None and history.say(
        PATIENT, asked_at, case, told, () if made is None else (made,), PACS, at=clock()
    )


def test_a_scan_comes_back_as_it_was_kept(ledger: SqlLedger, engine: Engine, clock: SetClock) -> None:
    history, case, scan = kept(ledger, engine, clock)
    assert history.unkept(case) is None
    assert history.patient_of(case) == PATIENT
    (back,) = history.scans(PATIENT)
    (seen,), (was,) = back.scan.sightings, scan.sightings
    assert np.array_equal(seen.points_mm, was.points_mm)
    assert (seen.organ, seen.long_axis, seen.tracking_id, seen.own_uid) == (Organ.LIVER, 123, "L3", "1.2.34")
    assert (back.scan.scanned_on, back.scan.extent, back.scan.digest) == (scan.scanned_on, GRID, "digest")
    assert back.reportable


def test_a_report_is_added_beside_the_results_and_its_new_version_takes_its_place(
    ledger: SqlLedger, engine: Engine, clock: SetClock
) -> None:
    history, case, _ = kept(ledger, engine, clock)
    assert said(ledger, history, case, clock, "1")
    assert said(ledger, history, case, clock, "2")
    detail = ledger.detail(case)
    assert detail is not None
    assert detail.row.state is CaseState.REPORTED
    assert [row.result.sop_instance for row in detail.results] == [
        result(case, "map").sop_instance,
        result(case, "sr", "2").sop_instance,
    ]
    due = ledger.due("PACS", at=clock(), limit=10)
    assert [one.result.kind for one in due] == ["map", "sr"]
    told = history.assessed(case)
    assert told is not None
    assert (told.inputs, told.current) == ("2", True)


def test_what_was_asked_for_again_meanwhile_is_not_answered(ledger: SqlLedger, engine: Engine, clock: SetClock) -> None:
    history, case, _ = kept(ledger, engine, clock)
    before = history.asked(PATIENT)
    assert before is not None
    clock.forward(1)
    history.ask(PATIENT, at=clock())
    told = Assessed("2024-02-03", "1", (), (), None, None, clock())
    assert not history.say(PATIENT, before, case, told, (), PACS, at=clock())
    assert not history.answered(PATIENT, before)
    assert history.assessed(case) is None
    now = history.asked(PATIENT)
    assert now is not None
    assert history.answered(PATIENT, now)
    assert history.asked(PATIENT) is None


def test_a_case_waits_until_its_scan_is_kept_and_its_patient_answered(
    ledger: SqlLedger, engine: Engine, clock: SetClock
) -> None:
    case, history = reported(ledger, clock), SqlHistory(engine)
    later = clock() + timedelta(minutes=1)
    assert history.waiting(quiet_since=clock() - timedelta(minutes=1), most=5) == []
    assert history.waiting(quiet_since=later, most=5) == [case]
    inputs = history.unkept(case)
    assert inputs is not None
    history.keep(inputs, scan_of(inputs), at=clock())
    assert history.waiting(quiet_since=later, most=5) == [case]
    asked_at = history.asked(PATIENT)
    assert asked_at is not None
    assert history.answered(PATIENT, asked_at)
    assert history.waiting(quiet_since=later, most=5) == []


def test_a_deleted_case_leaves_no_scan(ledger: SqlLedger, engine: Engine, clock: SetClock) -> None:
    history, case, scan = kept(ledger, engine, clock)
    history.keep_placement(scan, scan, Placement((1.0,) * 9, (0.0, 0.0, 0.0), 0.9))
    assert history.placement(scan, scan) == Placement((1.0,) * 9, (0.0, 0.0, 0.0), 0.9)
    assert said(ledger, history, case, clock, "1")
    assert SqlErasure(engine).erase(case, Why.PERSON, "asked for", at=clock()) is None
    with engine.connect() as connection:
        for table in (h.time_point, h.time_point_lesion, h.placement, h.assessment):
            assert connection.execute(select(table)).all() == []
    assert history.asked(PATIENT) is None


def test_the_latest_window_of_each_patient_is_listed(ledger: SqlLedger, engine: Engine, clock: SetClock) -> None:
    history, case, _ = kept(ledger, engine, clock)
    assert history.due() == []
    assert said(ledger, history, case, clock, "first")
    assert history.due() == [Due(case, "2024-02-03", date(2024, 4, 1), date(2024, 4, 15))]
    told = history.assessed(case)
    assert told is not None
    assert told.due == (date(2024, 4, 1), date(2024, 4, 15))
