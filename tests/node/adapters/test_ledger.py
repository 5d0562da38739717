"""The ledger, on SQLite and on PostgreSQL: what it records, what it refuses, and what it hands out."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, func, select

from node.adapters import ledger_schema as t
from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.ledger_commitments import SqlCommitments
from node.errors import ConfigError, TransientError
from node.ports import (
    CaseDetail,
    CaseRow,
    Claim,
    CommitmentReport,
    Delivery,
    DeliveryState,
    Destination,
    Measurement,
    Receipt,
    Report,
    ScoreSummary,
    Sent,
    VerificationRecord,
)
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.instance import InstanceRef, Plane
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR, RT_STRUCTURE_SET
from pipelines.domain.verification import Verification
from pipelines.imaging.assembly import SeriesArrival, pair
from tests.node.doubles import SetClock
from tests.node.postgres import empty_database
from tests.node.refs import SENDER, file_of, image, images, result, segmentation
from tests.tools import free_port, wait_for

LEASE = timedelta(seconds=60)
MISSING_CT = Rejected("SEG-001", "The CT has not arrived.", "Send it.")
MISSING_SLICES = Rejected("CT-002", "A slice is missing.", "Send it.")
BROKEN = Rejected("RUN-002", "Internal error 1234.", "Look at the log.")
PEER_DOWN = Rejected("NET-001", "PACS cannot be reached.", "Check it.")
PEER_REFUSES = Rejected("NET-003", "PACS answered with status 0xA900.", "Look at its log.")
SCORE = ScoreSummary("demo", "1", "ab" * 32, True, 0.1 + 0.2, 1 / 3, 0.5, "Responder", 1)


NOTE = Rejected("SEG-011", "No lesion: segment 2.", "Nothing.")


@dataclass
class Node:
    """The ledger with everything that it is told in the life of a case, in short words."""

    ledger: SqlLedger
    commitments: SqlCommitments
    clock: SetClock

    def receive(self, *refs: InstanceRef, content: str = "") -> list[Receipt]:
        at = self.clock()
        return [self.ledger.received(ref, file_of(ref, content), SENDER, at=at) for ref in refs]

    def collecting(self, seg: InstanceRef | None = None, slices: int = 3) -> CaseId:
        """A case whose CT and segmentation have arrived."""
        drawn = seg or segmentation()
        self.receive(*images(slices), drawn)
        return next(c.case for c in self.ledger.collecting() if c.segmentation.ref.sop_instance == drawn.sop_instance)

    def queued(self) -> CaseId:
        case = self.collecting()
        assert self.complete(case)
        return case

    def complete(self, case: CaseId) -> bool:
        return self.ledger.complete(case, image().key, "3 slices.", at=self.clock())

    def claim(self, case: CaseId, owner: str = "worker") -> Claim | None:
        return self.ledger.claim(case, owner, at=self.clock(), lease=LEASE)

    def claimed(self, case: CaseId | None = None) -> Claim:
        claim = self.claim(case or self.queued())
        assert claim is not None
        return claim

    def report(self, claim: Claim, *kinds: str, to: tuple[str, ...] = ("PACS",), run: str = "") -> bool:
        results = tuple(result(claim.case, kind, run) for kind in kinds)
        return self.ledger.reported(
            claim, Report((), None, results, "1 lesion."), [Destination(name) for name in to], at=self.clock()
        )

    def reported(self, *kinds: str, to: tuple[str, ...] = ("PACS",)) -> CaseId:
        claim = self.claimed()
        assert self.report(claim, *(kinds or ("sr",)), to=to)
        return claim.case

    def due(self, destination: str = "PACS", limit: int = 50) -> list[Delivery]:
        return list(self.ledger.due(destination, at=self.clock(), limit=limit))

    def send(self, *answers: Sent, destination: str = "PACS", wait_s: float = 10) -> None:
        """Offer what is due; the last answer holds for all that follow."""
        given = list(answers) or [Sent(0)]
        at = self.clock()
        for delivery in self.due(destination):
            answer = given.pop(0) if len(given) > 1 else given[0]
            self.ledger.sent(delivery, answer, at=at, next_at=at + timedelta(seconds=wait_s))

    def reconcile(self, *, max_attempts: int = 3, resubmit_after_s: float = 300) -> list[CaseId]:
        after = timedelta(seconds=resubmit_after_s)
        return list(self.ledger.reconcile(at=self.clock(), max_attempts=max_attempts, resubmit_after=after))

    def detail(self, case: CaseId) -> CaseDetail:
        found = self.ledger.detail(case)
        assert found is not None
        return found

    def row(self, case: CaseId) -> CaseRow:
        return self.detail(case).row

    def state(self, case: CaseId) -> CaseState:
        return self.row(case).state


@pytest.fixture
def node(engine: Engine, clock: SetClock) -> Node:
    return node_on(engine, clock)


def node_on(engine: Engine, clock: SetClock) -> Node:
    hour = timedelta(hours=1)
    commitments = SqlCommitments(engine, retry_first=hour, retry_max=hour, give_up_after=hour)
    return Node(SqlLedger(engine, pipeline="test"), commitments, clock)


# receiving


def test_an_instance_is_new_once_then_a_duplicate_and_with_other_bytes_a_conflict(node: Node) -> None:
    assert node.receive(image()) == [Receipt.NEW]
    assert node.receive(image()) == [Receipt.DUPLICATE]
    assert node.receive(image(), content="other") == [Receipt.CONFLICT]
    assert node.receive(image()) == [Receipt.DUPLICATE]


def test_the_first_file_of_a_conflict_is_kept(node: Node) -> None:
    node.receive(image())
    node.receive(image(), content="other")
    assert node.ledger.known(image().sop_instance) == file_of(image())


def test_a_conflict_is_recorded_once_for_the_same_bytes(node: Node, engine: Engine) -> None:
    for content in ("", "other", "other", "third"):
        node.receive(image(), content=content)
    with engine.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(t.conflict)) == 2


def test_an_instance_that_never_came_is_not_known(node: Node) -> None:
    assert node.ledger.known(image().sop_instance) is None


def test_ct_images_alone_open_no_case(node: Node) -> None:
    node.receive(*images(3))
    assert node.ledger.collecting() == []
    assert node.ledger.overview(limit=10).cases == ()


def test_a_segmentation_opens_one_case_however_often_it_comes(node: Node) -> None:
    node.receive(segmentation())
    node.receive(segmentation())
    node.receive(segmentation(), content="other")
    assert [waiting.segmentation.ref for waiting in node.ledger.collecting()] == [segmentation()]


def test_an_rt_structure_set_opens_a_case(node: Node) -> None:
    node.receive(segmentation(sop_class=RT_STRUCTURE_SET))
    assert len(node.ledger.collecting()) == 1


def test_an_object_of_another_class_opens_no_case(node: Node) -> None:
    node.receive(segmentation(sop_class=COMPREHENSIVE_3D_SR))
    assert node.ledger.collecting() == []
    assert node.ledger.overview(limit=10).instances == 1


def test_two_segmentations_of_one_series_are_two_cases(node: Node) -> None:
    node.receive(*images(3), segmentation(1), segmentation(2))
    assert len(node.ledger.collecting()) == 2


def test_an_instance_comes_back_as_it_was_parsed(node: Node, clock: SetClock) -> None:
    drawn = segmentation(named_images=images(3))
    node.receive(drawn)
    arrival = node.ledger.collecting()[0].segmentation
    assert (arrival.ref, arrival.received_at, arrival.calling_ae_title) == (drawn, clock(), "SCANNER")


# candidates


def test_every_ct_series_of_the_study_is_a_candidate(node: Node) -> None:
    node.receive(*images(3), *images(2, series=2), *images(2, study=2))
    found = node.ledger.candidates(segmentation(named_series=()))
    assert sorted(series.key.series for series in found) == ["1.2.1.1", "1.2.1.2"]


def test_a_series_of_another_study_is_a_candidate_when_it_or_an_image_of_it_is_named(node: Node) -> None:
    node.receive(*images(3, study=2))
    drawn = segmentation(named_series=(), named_images=[image(2, study=2)])
    assert [series.key.series for series in node.ledger.candidates(drawn)] == ["1.2.2.1"]
    moved = segmentation(study=2, named_series=[1])
    assert [series.key.series for series in node.ledger.candidates(moved)] == ["1.2.2.1"]


def test_a_candidate_tells_what_has_arrived_of_the_series(node: Node, clock: SetClock) -> None:
    node.receive(*images(2))
    last = clock.forward(5)
    node.receive(image(3))
    node.receive(image(9, localizer=True))
    (series,) = node.ledger.candidates(segmentation())
    assert series.key == image().key
    assert series.frames == 3
    assert len(series.planes) == 3
    assert series.instances == {image(number).sop_instance for number in (1, 2, 3, 9)}
    assert series.last_received_at == last


def test_a_candidate_and_a_segmentation_keep_where_their_frames_lie(node: Node) -> None:
    positions = ((0.0, 0.0, 1.5), (0.0, 0.0, 3.0))
    enhanced = replace(image(), plane=None, frames=2, frame_positions_mm=positions, original=True)
    drawn = replace(segmentation(named_series=()), frame_positions_mm=positions)
    node.receive(enhanced, drawn)
    (series,) = node.ledger.candidates(drawn)
    assert (series.frame_positions_mm, series.original) == (positions, True)
    (waiting,) = node.ledger.collecting()
    assert waiting.segmentation.ref.frame_positions_mm == positions


def test_a_segmentation_that_names_nothing_is_paired_by_its_place(node: Node, clock: SetClock) -> None:
    here = [replace(ref, original=True) for ref in images(6)]
    elsewhere = [
        replace(ref, original=True, plane=Plane((0.0, 0.0, 2.0 * n + 0.7), ref.plane.orientation))
        for n, ref in enumerate(images(6, series=2))
        if ref.plane is not None
    ]
    drawn = replace(segmentation(named_series=()), frame_positions_mm=((0.0, 0.0, 4.0), (0.0, 0.0, 6.0)))
    node.receive(*elsewhere, *here, drawn)
    found = pair(drawn, node.ledger.candidates(drawn))
    assert isinstance(found, SeriesArrival)
    assert found.key == here[0].key


# from collecting to queued


def test_a_complete_case_is_queued_once(node: Node) -> None:
    case = node.collecting()
    assert node.complete(case)
    assert not node.complete(case)
    assert node.state(case) is CaseState.QUEUED
    assert node.ledger.collecting() == []


def test_an_incomplete_case_is_rejected_with_code_reason_and_remedy(node: Node) -> None:
    case = node.collecting()
    assert node.ledger.incomplete(case, None, MISSING_CT, at=node.clock())
    row = node.row(case)
    assert (row.state, row.code, row.reason, row.remedy) == (
        CaseState.REJECTED,
        MISSING_CT.code,
        MISSING_CT.detail,
        MISSING_CT.remedy,
    )


def test_why_a_case_waits_is_shown_only_while_it_waits(node: Node) -> None:
    case = node.collecting()
    node.ledger.waits(case, "CT is arriving.")
    assert node.row(case).reason == "CT is arriving."
    node.complete(case)
    node.ledger.waits(case, "CT is arriving.")
    assert node.row(case).reason == "3 slices."


def test_a_case_that_does_not_exist_is_neither_completed_nor_rejected_nor_claimed(node: Node) -> None:
    nobody = CaseId(99)
    assert not node.complete(nobody)
    assert not node.ledger.incomplete(nobody, None, MISSING_CT, at=node.clock())
    assert node.claim(nobody) is None
    assert node.ledger.detail(nobody) is None


# running


def test_a_claim_names_all_images_and_the_segmentation(node: Node) -> None:
    claim = node.claimed()
    assert [one.sop_instance for one in claim.images] == [ref.sop_instance for ref in images(3)]
    assert [one.file for one in claim.images] == [file_of(ref) for ref in images(3)]
    assert claim.segmentation.file == file_of(segmentation())
    assert (claim.ct, claim.attempt) == (image().key, 1)
    assert claim.completed_at == node.clock().replace(microsecond=0)


def test_a_case_that_somebody_has_cannot_be_claimed(node: Node) -> None:
    claim = node.claimed()
    assert node.claim(claim.case) is None


def test_only_a_queued_case_can_be_claimed(node: Node) -> None:
    assert node.claim(node.collecting()) is None


def test_a_run_that_ends_leaves_its_reason(node: Node) -> None:
    claim = node.claimed()
    assert node.ledger.rejected(claim, MISSING_SLICES, at=node.clock())
    row = node.row(claim.case)
    assert (row.state, row.code, row.remedy) == (CaseState.REJECTED, "CT-002", MISSING_SLICES.remedy)


def test_an_internal_error_fails_the_case(node: Node) -> None:
    claim = node.claimed()
    assert node.ledger.broken(claim, BROKEN, at=node.clock())
    assert (node.state(claim.case), node.row(claim.case).code) == (CaseState.FAILED, "RUN-002")


def test_a_claim_whose_lease_ended_changes_nothing_any_more(node: Node) -> None:
    stale = node.claimed()
    node.clock.forward(61)
    assert node.reconcile() == [stale.case]
    current = node.claimed(stale.case)
    assert current.fence > stale.fence
    at = node.clock()
    assert not node.ledger.renew(stale, until=at + LEASE)
    assert not node.report(stale, "sr")
    assert not node.ledger.rejected(stale, MISSING_SLICES, at=at)
    assert not node.ledger.broken(stale, BROKEN, at=at)
    assert not node.ledger.postponed(stale, PEER_DOWN, at=at, until=at)
    assert node.state(stale.case) is CaseState.RUNNING
    assert node.report(current, "sr")


def test_a_renewed_lease_does_not_end(node: Node) -> None:
    claim = node.claimed()
    node.clock.forward(50)
    assert node.ledger.renew(claim, until=node.clock() + LEASE)
    node.clock.forward(50)
    assert node.reconcile() == []
    assert node.state(claim.case) is CaseState.RUNNING


def test_a_case_that_is_interrupted_too_often_fails_as_run_001(node: Node) -> None:
    case = node.queued()
    for _ in range(2):
        node.claimed(case)
        node.clock.forward(61)
        assert node.reconcile() == [case]
    node.claimed(case)
    node.clock.forward(61)
    assert node.reconcile() == []
    row = node.row(case)
    assert (row.state, row.code) == (CaseState.FAILED, "RUN-001")
    assert f"pulmonode retry {case}" in row.remedy


def test_a_postponed_case_is_queued_again_when_it_is_due(node: Node) -> None:
    claim = node.claimed()
    assert node.ledger.postponed(claim, PEER_DOWN, at=node.clock(), until=node.clock() + timedelta(seconds=5))
    assert (node.state(claim.case), node.row(claim.case).code) == (CaseState.WAITING, "NET-001")
    node.clock.forward(4)
    assert node.reconcile() == []
    node.clock.forward(1)
    assert node.reconcile() == [claim.case]
    assert node.state(claim.case) is CaseState.QUEUED


def test_a_postponed_run_does_not_count_as_an_interrupted_one(node: Node) -> None:
    case = node.queued()
    for _ in range(5):
        at = node.clock()
        node.ledger.postponed(node.claimed(case), PEER_DOWN, at=at, until=at)
        assert node.reconcile() == [case]
    node.claimed(case)
    node.clock.forward(61)
    assert node.reconcile() == [case]
    assert node.state(case) is CaseState.QUEUED


def test_a_case_that_runs_again_after_a_retry_may_be_interrupted_as_often_as_a_new_one(node: Node) -> None:
    case = node.queued()
    for _ in range(2):
        node.claimed(case)
        node.clock.forward(61)
        assert node.reconcile() == [case]
    node.ledger.rejected(node.claimed(case), MISSING_SLICES, at=node.clock())
    node.ledger.retry(case, at=node.clock())
    node.complete(case)
    node.claimed(case)
    node.clock.forward(61)
    assert node.reconcile() == [case]


def test_a_queued_case_whose_message_may_be_lost_is_submitted_again_now_and_then(node: Node) -> None:
    case = node.queued()
    node.clock.forward(299)
    assert node.reconcile() == []
    node.clock.forward(1)
    assert node.reconcile() == [case]
    assert node.reconcile() == []
    node.clock.forward(300)
    assert node.reconcile() == [case]


# results


def test_numbers_and_score_come_back_to_the_last_bit(node: Node) -> None:
    claim = node.claimed()
    features = (("b", 0.1 + 0.2), ("a", -1e-300), ("nan", math.nan), ("inf", math.inf))
    measured = Measurement(2, "2.25.1", 1 / 3, features, None)
    refused = Measurement(1, "2.25.2", 0.0, (), Rejected("ROI-001", "Too small.", "Draw it larger."))
    report = Report((measured, refused), SCORE, (), "2 lesions.", notes=(NOTE,))
    assert node.ledger.reported(claim, report, (), at=node.clock())
    noted = node.ledger.detail(claim.case)
    assert noted is not None
    assert noted.notes == (NOTE,)
    detail = node.detail(claim.case)
    assert detail.measurements[0] == refused
    assert detail.measurements[1].volume_ml == 1 / 3
    assert dict(detail.measurements[1].features) | {"nan": 0} == dict(features) | {"nan": 0}
    assert math.isnan(dict(detail.measurements[1].features)["nan"])
    assert detail.row.score == SCORE


def test_the_features_of_a_lesion_keep_their_order(node: Node) -> None:
    claim = node.claimed()
    features = tuple((f"feature-{number * 7 % 50}", float(number)) for number in range(50))
    report = Report((Measurement(1, "2.25.1", 1.0, features, None),), None, (), "1 lesion.")
    node.ledger.reported(claim, report, (), at=node.clock())
    assert node.detail(claim.case).measurements[0].features == features


def test_every_destination_gets_every_result(node: Node) -> None:
    node.reported("sr", "map", to=("PACS", "ARCHIVE"))
    for destination in ("PACS", "ARCHIVE"):
        assert [delivery.result.kind for delivery in node.due(destination)] == ["sr", "map"]
    assert node.due("ELSEWHERE") == []


def test_results_without_a_destination_stay_reported(node: Node) -> None:
    case = node.reported("sr", to=())
    assert node.state(case) is CaseState.REPORTED
    assert node.row(case).deliveries == 0


def test_a_case_is_delivered_when_every_destination_has_everything(node: Node) -> None:
    case = node.reported("sr", "map", to=("PACS", "ARCHIVE"))
    node.send()
    assert (node.state(case), node.row(case).delivered, node.row(case).deliveries) == (CaseState.REPORTED, 2, 4)
    node.send(destination="ARCHIVE")
    assert (node.state(case), node.row(case).delivered) == (CaseState.DELIVERED, 4)


def test_a_result_that_could_not_be_sent_is_due_again_later(node: Node) -> None:
    case = node.reported("sr")
    node.send(Sent(None, PEER_DOWN), wait_s=10)
    assert node.due() == []
    node.clock.forward(10)
    (delivery,) = node.due()
    assert delivery.attempt == 2
    node.send()
    assert node.state(case) is CaseState.DELIVERED


def test_a_result_that_is_refused_fails_its_case_once_all_others_are_where_they_belong(node: Node) -> None:
    case = node.reported("sr", "map", to=("PACS", "ARCHIVE"))
    node.send(Sent(0xA900, PEER_REFUSES, permanent=True), Sent(0))
    assert node.state(case) is CaseState.REPORTED
    node.send(destination="ARCHIVE")
    row = node.row(case)
    assert (row.state, row.code, row.delivered) == (CaseState.FAILED, "NET-003", 3)
    shown = [one for found in node.detail(case).results for one in found.deliveries if one.destination == "PACS"]
    assert [(one.state, one.status) for one in shown] == [(DeliveryState.REFUSED, 0xA900), (DeliveryState.DELIVERED, 0)]


def test_what_is_due_comes_in_the_order_of_its_making_and_not_more_than_asked_for(node: Node) -> None:
    node.reported("a", "b", "c")
    assert [delivery.result.kind for delivery in node.due(limit=2)] == ["a", "b"]


def test_a_later_run_supersedes_what_is_still_on_its_way(node: Node) -> None:
    case = node.reported("sr", "map")
    outdated = node.due()
    node.ledger.retry(case, at=node.clock())
    node.complete(case)
    node.report(node.claimed(case), "sr", run="second")
    assert [delivery.result.file for delivery in node.due()] == [result(case, "sr", "second").file]
    assert [row.result.kind for row in node.detail(case).results] == ["sr"]
    for delivery in outdated:
        node.ledger.sent(delivery, Sent(0), at=node.clock(), next_at=node.clock())
    assert node.state(case) is CaseState.REPORTED
    node.send()
    assert node.state(case) is CaseState.DELIVERED


def test_a_later_run_that_makes_the_same_object_sends_it_once_more(node: Node) -> None:
    case = node.reported("sr")
    node.send()
    node.ledger.retry(case, at=node.clock())
    node.complete(case)
    node.report(node.claimed(case), "sr")
    assert [delivery.attempt for delivery in node.due()] == [1]
    assert len(node.detail(case).results) == 1


def test_results_of_a_case_that_was_opened_again_do_not_leave_before_it_has_run_again(node: Node) -> None:
    case = node.reported("sr")
    node.receive(image(4))
    assert node.state(case) is CaseState.COLLECTING
    assert node.due() == []
    node.complete(case)
    node.report(node.claimed(case), "sr", run="with slice 4")
    assert [delivery.result.file for delivery in node.due()] == [result(case, "sr", "with slice 4").file]


# the way back


def _collecting(node: Node) -> CaseId:
    return node.collecting()


def _queued(node: Node) -> CaseId:
    return node.queued()


def _running(node: Node) -> CaseId:
    return node.claimed().case


def _waiting(node: Node) -> CaseId:
    claim = node.claimed()
    node.ledger.postponed(claim, PEER_DOWN, at=node.clock(), until=node.clock() + LEASE)
    return claim.case


def _reported(node: Node) -> CaseId:
    return node.reported()


def _delivered(node: Node) -> CaseId:
    case = node.reported()
    node.send()
    return case


def _committed(node: Node) -> CaseId:
    case = _delivered(node)
    owed = node.commitments.owed("PACS", at=node.clock(), limit=9)
    node.commitments.ask("1.2", "PACS", owed, at=node.clock(), deadline=node.clock())
    assert node.commitments.report(CommitmentReport("1.2", tuple(one.object for one in owed)), at=node.clock())
    return case


def _rejected(node: Node) -> CaseId:
    case = node.collecting()
    node.ledger.incomplete(case, image().key, MISSING_SLICES, at=node.clock())
    return case


def _failed(node: Node) -> CaseId:
    claim = node.claimed()
    node.ledger.broken(claim, BROKEN, at=node.clock())
    return claim.case


REACHING: dict[CaseState, Callable[[Node], CaseId]] = {
    CaseState.COLLECTING: _collecting,
    CaseState.QUEUED: _queued,
    CaseState.RUNNING: _running,
    CaseState.WAITING: _waiting,
    CaseState.REPORTED: _reported,
    CaseState.DELIVERED: _delivered,
    CaseState.COMMITTED: _committed,
    CaseState.REJECTED: _rejected,
    CaseState.FAILED: _failed,
}


@pytest.mark.parametrize("state", [state for state in CaseState if state is not CaseState.COLLECTING])
def test_a_late_ct_image_opens_a_case_again(node: Node, state: CaseState) -> None:
    case = REACHING[state](node)
    assert node.state(case) is state
    node.receive(image(4))
    assert node.state(case) is CaseState.COLLECTING
    node.complete(case)
    assert len(node.claimed(case).images) == 4


def test_a_late_ct_image_takes_the_case_away_from_the_worker_that_runs_it(node: Node) -> None:
    claim = node.claimed()
    node.receive(image(4))
    assert not node.ledger.renew(claim, until=node.clock() + LEASE)
    assert not node.report(claim, "sr")
    assert node.state(claim.case) is CaseState.COLLECTING


def test_the_same_ct_image_again_opens_nothing(node: Node) -> None:
    case = _delivered(node)
    node.receive(image(2))
    node.receive(image(2), content="other")
    assert node.state(case) is CaseState.DELIVERED


def test_a_ct_image_of_another_series_opens_nothing(node: Node) -> None:
    case = _delivered(node)
    node.receive(image(1, series=2))
    assert node.state(case) is CaseState.DELIVERED


@pytest.mark.parametrize(
    "drawn",
    [
        pytest.param(segmentation(), id="names the series"),
        pytest.param(segmentation(named_series=(), named_images=images(3)), id="names images"),
        pytest.param(segmentation(named_series=()), id="lies on the frame of reference"),
        pytest.param(segmentation(study=2, named_series=(), named_images=images(3)), id="lies in another study"),
    ],
)
def test_a_case_that_was_rejected_for_want_of_its_ct_starts_by_itself_when_it_comes(
    node: Node, drawn: InstanceRef
) -> None:
    node.receive(drawn)
    case = node.ledger.collecting()[0].case
    node.ledger.incomplete(case, None, MISSING_CT, at=node.clock())
    node.receive(image(1, study=3))
    assert node.state(case) is CaseState.REJECTED
    node.receive(image(1))
    assert node.state(case) is CaseState.COLLECTING


def test_segmentations_without_a_ct_do_not_slow_down_the_slices_of_others(node: Node, engine: Engine) -> None:
    statements: list[str] = []

    def count(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    for study in range(2, 12):
        node.receive(segmentation(study=study))
    for waiting in node.ledger.collecting():
        node.ledger.incomplete(waiting.case, None, MISSING_CT, at=node.clock())
    event.listen(engine, "before_cursor_execute", count)
    node.receive(image(1))
    event.remove(engine, "before_cursor_execute", count)
    assert len(statements) < 10


@pytest.mark.parametrize("state", CaseState)
def test_a_person_can_run_a_case_again_unless_it_runs_or_is_about_to(node: Node, state: CaseState) -> None:
    case = REACHING[state](node)
    busy = state in (CaseState.COLLECTING, CaseState.QUEUED, CaseState.RUNNING)
    assert node.ledger.retry(case, at=node.clock()) == (state if busy else None)
    assert node.state(case) is (state if busy else CaseState.COLLECTING)


@pytest.mark.parametrize("state", CaseState)
def test_a_person_can_send_results_again_when_there_are_any(node: Node, state: CaseState) -> None:
    case = REACHING[state](node)
    has_results = state in (CaseState.REPORTED, CaseState.DELIVERED, CaseState.COMMITTED)
    assert node.ledger.resend(case, Destination("ELSEWHERE"), at=node.clock()) == int(has_results)
    assert node.state(case) is (CaseState.REPORTED if has_results else state)
    assert len(node.due("ELSEWHERE")) == int(has_results)


def test_results_that_a_peer_refused_can_be_sent_to_it_again(node: Node) -> None:
    case = node.reported("sr", "map")
    node.send(Sent(0xA900, PEER_REFUSES, permanent=True))
    assert node.state(case) is CaseState.FAILED
    assert node.ledger.resend(case, Destination("PACS"), at=node.clock()) == 2
    node.send()
    assert node.state(case) is CaseState.DELIVERED


def test_a_case_that_does_not_exist_can_neither_run_nor_be_sent_again(node: Node) -> None:
    with pytest.raises(KeyError):
        node.ledger.retry(CaseId(99), at=node.clock())
    with pytest.raises(KeyError):
        node.ledger.resend(CaseId(99), Destination("PACS"), at=node.clock())


def test_a_case_that_runs_again_over_the_same_inputs_keeps_its_time(node: Node) -> None:
    case = node.queued()
    first = node.claimed(case)
    node.ledger.broken(first, BROKEN, at=node.clock())
    node.clock.forward(3600)
    node.ledger.retry(case, at=node.clock())
    node.complete(case)
    assert node.claimed(case).completed_at == first.completed_at


def test_a_case_that_runs_again_over_other_inputs_bears_the_new_time(node: Node) -> None:
    case = node.queued()
    first = node.claimed(case)
    node.clock.forward(3600)
    node.receive(image(4))
    node.complete(case)
    assert node.claimed(case).completed_at == first.completed_at + timedelta(hours=1)


def test_every_step_of_a_case_is_in_its_history(node: Node) -> None:
    case = node.reported("sr")
    node.send()
    assert [(step.event, step.state) for step in node.detail(case).events] == [
        ("received", "collecting"),
        ("complete", "queued"),
        ("claimed", "running"),
        ("reported", "reported"),
        ("delivered", "delivered"),
    ]


# what people see


def test_refusals_are_counted_for_each_sender_and_code(node: Node, clock: SetClock) -> None:
    malformed = Rejected("RCV-001", "Cut short.", "Send again.")
    mismatch = Rejected("RCV-002", "Another instance.", "Send again.")
    for sender, reason in (("CT1", malformed), ("CT1", malformed), ("CT2", malformed), ("CT1", mismatch)):
        node.ledger.refused(sender, reason, at=clock.forward(1))
    counted = {(row.calling_ae_title, row.code): row.count for row in node.ledger.overview(limit=1).refusals}
    assert counted == {("CT1", "RCV-001"): 2, ("CT2", "RCV-001"): 1, ("CT1", "RCV-002"): 1}


def test_the_overview_counts_instances_and_series_that_nobody_segmented(node: Node) -> None:
    node.queued()
    node.receive(*images(2, series=2), *images(2, study=2))
    overview = node.ledger.overview(limit=10)
    assert (overview.instances, overview.unsegmented_series) == (8, 2)
    (row,) = overview.cases
    assert (row.ct_slices, row.calling_ae_title, row.segmentation) == (3, "SCANNER", segmentation().sop_instance)


def test_the_overview_lists_the_newest_cases_first(node: Node) -> None:
    for number in (1, 2, 3):
        node.receive(segmentation(number))
    assert [row.segmentation for row in node.ledger.overview(limit=2).cases] == ["1.4.1.3", "1.4.1.2"]


# the database


def test_everything_is_there_after_a_restart(database: str, clock: SetClock) -> None:
    before = node_on(open_engine(database), clock)
    case = before.reported("sr", "map")
    before.ledger.refused("CT1", MISSING_CT, at=clock())
    after = node_on(open_engine(database), clock)
    assert after.detail(case) == before.detail(case)
    assert after.ledger.overview(limit=10) == before.ledger.overview(limit=10)
    assert after.due() == before.due()
    assert after.receive(image()) == [Receipt.DUPLICATE]


@pytest.mark.parametrize("url", ["ledger", "nosuchkind://host/db", "mysql://host/db", "sqlite+nosuchdriver:///x"])
def test_a_url_that_names_no_database_is_a_fault_of_the_configuration(url: str) -> None:
    with pytest.raises(ConfigError, match=r"ledger\.url"):
        open_engine(url)


def test_a_file_that_is_no_database_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"holiday pictures" * 100)
    with pytest.raises(ConfigError, match="not a database"):
        open_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")


def test_a_database_that_cannot_be_opened_may_be_there_later(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="unable to open database file") as caught:
        open_engine(f"sqlite:///{tmp_path}")
    assert caught.value.code == "RCV-005"


def test_a_server_that_does_not_answer_may_be_there_later() -> None:
    url = f"postgresql+psycopg://node:hidden@127.0.0.1:{free_port()}/ledger"
    with pytest.raises(TransientError, match="refused") as caught:
        open_engine(url)
    assert caught.value.code == "RCV-005"
    assert "hidden" not in str(caught.value)


def test_tls_is_asked_for_in_the_url_and_insisted_on(postgresql_server: str) -> None:
    # the server of the tests has no certificate
    with pytest.raises(TransientError, match="does not support SSL"):
        open_engine(f"{empty_database(postgresql_server, 'fresh')}?sslmode=require")


def test_a_password_goes_to_the_database_and_shows_nowhere(postgresql_server: str) -> None:
    engine = open_engine(f"{postgresql_server}/postgres", password="pass word/@:%41")
    assert engine.url.password == "pass word/@:%41"
    assert "pass" not in repr(engine) + str(engine.url)


def test_the_ledger_goes_on_when_the_server_has_closed_its_connections(postgresql_server: str) -> None:
    url = empty_database(postgresql_server, "fresh")
    ledger = SqlLedger(open_engine(url), pipeline="test")
    assert ledger.collecting() == []
    with open_engine(f"{postgresql_server}/postgres").connect() as other:
        other.exec_driver_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'fresh'")
        # what is ended ends a moment later

        def ended() -> bool:
            other.rollback()  # within a transaction the server shows the same list again
            found = other.exec_driver_sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'fresh'")
            return bool(found.scalar() == 0)

        wait_for("the end of the connections", ended)
    assert ledger.collecting() == []
    assert ledger.received(image(), file_of(image()), SENDER, at=SetClock()()) is Receipt.NEW


def test_what_was_verified_comes_back_to_the_last_bit(node: Node) -> None:
    claim = node.claimed()
    lesions = ((2, Verification(1218, 0.1 + 0.2, "original_glcm_Id", 1e-9)), (3, Verification(0, math.inf, "", 1e-9)))
    record = VerificationRecord("one case in 200", "ab" * 32, "kernels 1", lesions)
    assert not node.ledger.has_verified("kernels 1")
    assert node.ledger.reported(claim, Report((), None, (), "2 lesions.", record), (), at=node.clock())
    assert node.detail(claim.case).verification == record
    assert node.ledger.has_verified("kernels 1")
    assert not node.ledger.has_verified("kernels 2")
    assert node.ledger.verified(claim.case, inputs="ab" * 32, software="kernels 1") == "one case in 200"
    assert node.ledger.retry(claim.case, at=node.clock()) is None
    # it is no answer to the case as it is now, but the choice and the software are remembered
    assert node.detail(claim.case).verification is None
    assert node.ledger.verified(claim.case, inputs="ab" * 32, software="kernels 1") == "one case in 200"
    for other in ({"inputs": "cd" * 32, "software": "kernels 1"}, {"inputs": "ab" * 32, "software": "kernels 2"}):
        assert node.ledger.verified(claim.case, **other) is None


def test_software_that_compared_nothing_has_not_been_verified(node: Node) -> None:
    claim = node.claimed()
    record = VerificationRecord("first case with this software", "ab" * 32, "kernels 1", ())
    node.ledger.reported(claim, Report((), None, (), "1 lesion.", record), (), at=node.clock())
    assert not node.ledger.has_verified("kernels 1")
    assert node.ledger.verified(claim.case, inputs="ab" * 32, software="kernels 1") is not None
