"""The node as performer: of steps pushed to it, and of steps in the worklist of a peer behind a real port."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import AE
from sqlalchemy import Engine

from node.adapters.association import PeerAddress
from node.adapters.ledger import SqlLedger
from node.adapters.steps.boards import OwnBoard, PeerBoard, Wanted
from node.adapters.steps.scp import STEP_CLASSES, StepScp
from node.adapters.steps.store import SqlSteps, SqlTasks
from node.adapters.storage_scp import dispatched
from node.errors import TransientError
from node.logs import Log
from node.ports import Destination, Report, Sent, StepBoard, TaskState
from node.services.perform import Performer
from pipelines.domain.procedure_step import StepRequest, StepStatus
from pipelines.domain.reasons import Rejected
from tests.node.adapters.steps.conftest import new_step
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, image, images, result, segmentation

UID = "2.25.815"


@dataclass
class Desk:
    """A performer with its ledger, and the worklist that it works on."""

    board: str
    performer: Performer
    steps: SqlSteps
    tasks: SqlTasks
    ledger: SqlLedger
    clock: SetClock

    def push(self, **attributes: object) -> None:
        drawn = segmentation()
        named = Dataset()
        named.StudyInstanceUID, named.SeriesInstanceUID = drawn.key.study, drawn.key.series
        station = Dataset()
        station.CodeValue, station.CodingSchemeDesignator, station.CodeMeaning = "PULMONODE", "99X", "PULMONODE"
        step = new_step(
            **{"InputInformationSequence": [named], "ScheduledStationNameCodeSequence": [station], **attributes}
        )
        assert self.steps.create(UID, step, at=self.clock()) == StepStatus.SUCCESS

    def step(self) -> Dataset:
        found = self.steps.get(UID)
        assert found is not None
        return found

    def progress(self) -> tuple[str, str]:
        step = self.step()
        items = step.get("ProcedureStepProgressInformationSequence") or [Dataset()]
        return step.ProcedureStepState, str(items[0].get("ProcedureStepProgress", ""))

    def tick(self, seconds: float = 1) -> tuple[str, str]:
        self.clock.forward(seconds)
        self.performer.tick()
        return self.progress()

    def receive(self) -> None:
        for ref in (*images(3), segmentation()):
            self.ledger.received(ref, file_of(ref), SENDER, at=self.clock())

    def run(self, outcome: Rejected | None = None) -> None:
        (waiting,) = self.ledger.collecting()
        assert self.ledger.complete(waiting.case, image().key, "3 slices.", at=self.clock())
        claim = self.ledger.claim(waiting.case, "worker", at=self.clock(), lease=timedelta(60))
        assert claim is not None
        if outcome is not None:
            self.ledger.rejected(claim, outcome, at=self.clock())
            return
        made = (result(waiting.case, "sr"), result(waiting.case, "map"))
        report = Report((), None, made, "1 of 1 lesions measured.")
        self.ledger.reported(claim, report, [Destination("archive")], at=self.clock())

    def deliver(self) -> None:
        for delivery in self.ledger.due("archive", at=self.clock(), limit=9):
            self.ledger.sent(delivery, Sent(0), at=self.clock(), next_at=self.clock())


@pytest.fixture(params=["own", "peer"])
def desk(request: pytest.FixtureRequest, engine: Engine, clock: SetClock) -> Iterator[Desk]:
    steps, tasks, ledger = SqlSteps(engine), SqlTasks(engine), SqlLedger(engine, pipeline="test")
    wanted = Wanted("PULMONODE")
    name, board, stop = "", None, lambda: None
    if request.param == "peer":
        name = "PACS"
        board, stop = behind_a_port(steps, clock, wanted)
    boards: dict[str, StepBoard] = {name: board or OwnBoard(steps, clock, wanted)}
    performer = Performer(
        boards,
        tasks,
        ledger,
        clock,
        Log("test"),
        station="PULMONODE",
        destinations=["ARCHIVE"],
        input_timeout=timedelta(minutes=10),
    )
    yield Desk(name, performer, steps, tasks, ledger, clock)
    stop()


def behind_a_port(steps: SqlSteps, clock: SetClock, wanted: Wanted) -> tuple[PeerBoard, Callable[[], None]]:
    scp = StepScp(steps, clock, Log("test"), cancel_requested=lambda *_: False, receivers=["PULMONODE"])
    ae = AE("PACS")
    for sop_class in STEP_CLASSES:
        ae.add_supported_context(sop_class)
    server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=dispatched(scp.services))
    address = PeerAddress("PACS", "PACS", "127.0.0.1", server.socket.getsockname()[1], 120)
    return PeerBoard("PULMONODE", address, wanted), ae.shutdown


def test_a_step_is_claimed_followed_and_completed_with_its_results(desk: Desk) -> None:
    desk.push()
    assert desk.tick() == ("IN PROGRESS", "")
    desk.receive()
    assert desk.tick() == ("IN PROGRESS", "10")
    desk.run()
    assert desk.tick() == ("IN PROGRESS", "80")
    desk.deliver()
    assert desk.tick() == ("COMPLETED", "100")
    performed = desk.step().UnifiedProcedureStepPerformedProcedureSequence[0]
    (output,) = performed.OutputInformationSequence
    case = desk.ledger.overview(limit=1).cases[0].case
    made = {result(case, kind).sop_instance for kind in ("sr", "map")}
    assert {reference.ReferencedSOPInstanceUID for reference in output.ReferencedSOPSequence} == made
    assert output.DICOMRetrievalSequence[0].RetrieveAETitle == "ARCHIVE"
    assert performed.PerformedStationNameCodeSequence[0].CodeValue == "PULMONODE"
    assert list(desk.tasks.open()) == []


def test_a_step_whose_case_is_rejected_is_cancelled_with_the_reason(desk: Desk) -> None:
    desk.push()
    desk.receive()
    desk.tick()
    desk.run(Rejected("CT-002", "Two slices are missing.", "Send the CT series again."))
    assert desk.tick()[0] == "CANCELED"
    progress = desk.step().ProcedureStepProgressInformationSequence[0]
    assert "CT-002 Two slices are missing. Send the CT series again." in progress.ReasonForCancellation
    assert progress.ProcedureStepDiscontinuationReasonCodeSequence[0].CodeValue == "110513"


def test_a_step_whose_inputs_do_not_arrive_is_cancelled_in_time(desk: Desk) -> None:
    desk.push()
    assert desk.tick()[0] == "IN PROGRESS"
    assert desk.tick(599)[0] == "IN PROGRESS"
    assert desk.tick(2)[0] == "CANCELED"


def test_a_step_for_another_station_is_left_alone(desk: Desk) -> None:
    other = Dataset()
    other.CodeValue, other.CodingSchemeDesignator, other.CodeMeaning = "ELSEWHERE", "99X", "Elsewhere"
    desk.push(ScheduledStationNameCodeSequence=[other])
    assert desk.tick()[0] == "SCHEDULED"


def test_a_step_that_names_no_station_is_taken_when_it_was_pushed_to_the_node_only(desk: Desk) -> None:
    desk.push(ScheduledStationNameCodeSequence=[])
    assert desk.tick()[0] == ("SCHEDULED" if desk.board else "IN PROGRESS")


def test_a_step_that_somebody_else_claimed_is_left_to_them(desk: Desk) -> None:
    desk.push()
    board = desk.performer._boards[desk.board]
    found = board.scheduled()
    desk.steps.change(UID, StepRequest.CLAIM, "1.2.9", performer="OTHER", at=desk.clock())
    desk.performer._claim(board, found[0])
    assert list(desk.tasks.open()) == []
    assert desk.tick()[0] == "IN PROGRESS"


def test_a_claim_whose_answer_was_lost_is_found_to_be_ours(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.push()
    board = desk.performer._boards[desk.board]
    claim = board.claim

    def lost(step: str, transaction_uid: str) -> int:
        claim(step, transaction_uid)
        raise TransientError("NET-005", "PACS broke off.")

    monkeypatch.setattr(board, "claim", lost)
    desk.clock.forward(1)
    desk.performer.tick()
    (task,) = desk.tasks.open()
    assert task.state is TaskState.WAITING
    assert desk.progress()[0] == "IN PROGRESS"


def test_a_cancel_that_is_asked_for_before_the_inputs_arrive_is_obeyed(desk: Desk) -> None:
    desk.push()
    desk.tick()
    assert desk.tasks.cancel_requested(desk.board, UID)
    assert desk.tick()[0] == "CANCELED"
    assert not desk.tasks.cancel_requested(desk.board, UID)


def test_a_board_that_is_away_does_not_stop_the_others(engine: Engine, clock: SetClock) -> None:
    steps, tasks = SqlSteps(engine), SqlTasks(engine)
    wanted = Wanted("PULMONODE")
    away = PeerBoard("PULMONODE", PeerAddress("GONE", "GONE", "127.0.0.1", 1, 1), wanted)
    performer = Performer(
        {"GONE": away, "": OwnBoard(steps, clock, wanted)},
        tasks,
        SqlLedger(engine, pipeline="test"),
        clock,
        Log("test"),
        station="PULMONODE",
        destinations=[],
        input_timeout=timedelta(minutes=10),
    )
    steps.create(UID, new_step(), at=clock())
    performer.tick()
    assert [task.sop_instance for task in tasks.open()] == [UID]
