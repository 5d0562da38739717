"""Bringing results to their destinations: when it is tried again, when not any more, and what a person then sees."""

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.uid import UID

from node.adapters.ledger import SqlLedger
from node.adapters.storage_scu import StorageScu
from node.logs import Log
from node.ports import Archive, CaseDetail, DeliveryState, Destination, Report, Sent
from node.services.deliver import Deliverer, backoff
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.reasons import Rejected
from tests.dicom import as_bytes, ct_series
from tests.node.doubles import ScriptedArchive, SetClock
from tests.node.peers import peer
from tests.node.refs import SENDER, file_of, image, images, result, segmentation

AWAY = Sent(None, Rejected("NET-001", "PACS cannot be reached.", "Check it."))
REFUSED = Sent(0xA900, Rejected("NET-003", "PACS answered with status 0xA900.", "Look at its log."), permanent=True)


@dataclass
class Outbox:
    """A deliverer on a real ledger with one reported case."""

    ledger: SqlLedger
    clock: SetClock
    archive: ScriptedArchive = field(default_factory=ScriptedArchive)
    batch: int = 50

    def deliverer(self, archive: Archive | None = None) -> Deliverer:
        return Deliverer(
            self.ledger,
            archive or self.archive,
            self.clock,
            Log("deliver"),
            retry_first=timedelta(seconds=5),
            retry_max=timedelta(seconds=60),
            give_up_after=timedelta(hours=1),
            batch=self.batch,
        )

    def report(self, *kinds: str, to: tuple[str, ...] = ("PACS",)) -> CaseId:
        for ref in (*images(3), segmentation()):
            self.ledger.received(ref, file_of(ref), SENDER, at=self.clock())
        case = self.ledger.collecting()[0].case
        self.ledger.complete(case, image().key, "3 slices.", at=self.clock())
        claim = self.ledger.claim(case, "worker", at=self.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        report = Report((), None, tuple(result(case, kind) for kind in kinds), "1 lesion.")
        assert self.ledger.reported(claim, report, [Destination(name) for name in to], at=self.clock())
        return case

    def deliver(self, destination: str = "PACS") -> int:
        return self.deliverer().deliver(destination)

    def detail(self, case: CaseId) -> CaseDetail:
        found = self.ledger.detail(case)
        assert found is not None
        return found

    def state(self, case: CaseId) -> CaseState:
        return self.detail(case).row.state


@pytest.fixture
def outbox(sqlite_ledger: SqlLedger, clock: SetClock) -> Outbox:
    return Outbox(sqlite_ledger, clock)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (6, 60), (10_000, 60)])
def test_the_wait_doubles_up_to_the_longest(attempt: int, seconds: int) -> None:
    assert backoff(attempt, first=timedelta(seconds=5), longest=timedelta(seconds=60)) == timedelta(seconds=seconds)


def test_a_first_wait_that_is_longer_than_the_longest_is_cut() -> None:
    assert backoff(1, first=timedelta(hours=1), longest=timedelta(seconds=60)) == timedelta(seconds=60)


def test_results_go_to_their_destination_once_and_in_order(outbox: Outbox) -> None:
    case = outbox.report("sr", "map")
    assert outbox.deliver() == 2
    assert outbox.deliver() == 0
    assert outbox.archive.offered == [("PACS", ["sr", "map"])]
    assert outbox.state(case) is CaseState.DELIVERED


def test_nothing_is_sent_when_nothing_is_due(outbox: Outbox) -> None:
    outbox.report("sr")
    assert outbox.deliver("ELSEWHERE") == 0
    assert outbox.archive.offered == []


def test_a_peer_that_is_away_is_tried_again_after_growing_waits(outbox: Outbox) -> None:
    case = outbox.report("sr")
    outbox.archive.answers["sr"] = AWAY
    assert outbox.deliver() == 1
    waits = []
    for _ in range(6):
        waited_s = 0
        while outbox.deliver() == 0:
            outbox.clock.forward(1)
            waited_s += 1
        waits.append(waited_s)
    assert waits == [5, 10, 20, 40, 60, 60]
    outbox.archive.answers.clear()
    outbox.clock.forward(60)
    outbox.deliver()
    assert outbox.state(case) is CaseState.DELIVERED


def test_a_result_that_is_refused_for_good_is_not_sent_again(outbox: Outbox) -> None:
    case = outbox.report("sr", "map")
    outbox.archive.answers["sr"] = REFUSED
    outbox.deliver()
    outbox.clock.forward(3600)
    assert outbox.deliver() == 0
    row = outbox.detail(case).row
    assert (row.state, row.code, row.delivered, row.deliveries) == (CaseState.FAILED, "NET-003", 1, 2)


def test_only_what_failed_is_sent_again(outbox: Outbox) -> None:
    case = outbox.report("sr", "map", "seg")
    outbox.archive.answers["map"] = AWAY
    outbox.deliver()
    outbox.archive.answers.clear()
    outbox.clock.forward(5)
    outbox.deliver()
    assert outbox.archive.offered == [("PACS", ["sr", "map", "seg"]), ("PACS", ["map"])]
    assert outbox.state(case) is CaseState.DELIVERED


def test_a_result_is_given_up_when_it_is_too_old(outbox: Outbox) -> None:
    case = outbox.report("sr")
    outbox.archive.answers["sr"] = AWAY
    for _ in range(9):
        outbox.deliver()
        outbox.clock.forward(60)
    outbox.clock.forward(3599 - 9 * 60)
    outbox.deliver()
    assert outbox.state(case) is CaseState.REPORTED
    outbox.clock.forward(60)
    outbox.deliver()
    row = outbox.detail(case).row
    assert (row.state, row.code) == (CaseState.FAILED, "NET-001")
    assert "Gave up after 1 hours" in row.reason
    assert [d.state for one in outbox.detail(case).results for d in one.deliveries] == [DeliveryState.REFUSED]


def test_a_node_that_stood_still_tries_again_before_it_gives_up(outbox: Outbox) -> None:
    case = outbox.report("sr")
    outbox.archive.answers["sr"] = AWAY
    outbox.clock.forward(30 * 24 * 3600)
    for _ in range(9):
        assert outbox.deliver() == 1
        outbox.clock.forward(60)
        assert outbox.state(case) is CaseState.REPORTED
    outbox.deliver()
    assert outbox.state(case) is CaseState.FAILED


def test_what_was_given_up_goes_when_a_person_sends_it_again(outbox: Outbox) -> None:
    case = outbox.report("sr")
    outbox.archive.answers["sr"] = AWAY
    outbox.clock.forward(3600)
    for _ in range(10):
        outbox.deliver()
        outbox.clock.forward(60)
    assert outbox.state(case) is CaseState.FAILED
    outbox.archive.answers.clear()
    outbox.ledger.resend(case, Destination("PACS"), at=outbox.clock())
    outbox.deliver()
    assert outbox.state(case) is CaseState.DELIVERED


def test_one_deaf_destination_does_not_stop_the_others(outbox: Outbox) -> None:
    case = outbox.report("sr", to=("PACS", "ARCHIVE"))
    outbox.archive.answers["sr"] = AWAY
    outbox.deliver("PACS")
    outbox.archive.answers.clear()
    assert outbox.deliver("ARCHIVE") == 1
    assert outbox.state(case) is CaseState.REPORTED
    assert outbox.detail(case).row.delivered == 1


def test_many_results_go_in_batches(outbox: Outbox) -> None:
    outbox.batch = 2
    outbox.report("a", "b", "c")
    assert [outbox.deliver(), outbox.deliver(), outbox.deliver()] == [2, 1, 0]
    assert [kinds for _, kinds in outbox.archive.offered] == [["a", "b"], ["c"]]


def test_a_failure_is_logged_with_its_code_and_the_next_try(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    outbox.report("sr")
    outbox.archive.answers["sr"] = AWAY
    with caplog.at_level(logging.WARNING, "pulmonode"):
        outbox.deliver()
    (record,) = caplog.records
    assert record.getMessage() == "result_not_delivered"
    assert record.__dict__["fields"] | {"case": 0} == {
        "case": 0,
        "peer": "PACS",
        "code": "NET-001",
        "attempt": 1,
        "next_try_s": 5.0,
    }


def test_over_a_real_association_a_damaged_file_is_the_only_one_that_stays(outbox: Outbox, tmp_path: Path) -> None:
    case = outbox.report("sr", "map", "seg")
    ct = ct_series(slices=3, rows=16, columns=16)
    paths = {}
    for number, (one, instance) in enumerate(zip(outbox.detail(case).results, ct, strict=True)):
        instance.SOPClassUID = instance.file_meta.MediaStorageSOPClassUID = UID(one.result.sop_class)
        paths[one.result.file.path] = tmp_path / f"{number}.dcm"
        paths[one.result.file.path].write_bytes(as_bytes(instance) if number != 1 else b"damaged")
    with peer() as pacs:
        scu = StorageScu("PULMONODE", [pacs.address()], lambda file: paths[file.path])
        assert outbox.deliverer(scu).deliver("archive") == 0
        outbox.ledger.resend(case, Destination("archive"), at=outbox.clock())
        assert outbox.deliverer(scu).deliver("archive") == 3
        assert len(pacs.stored) == 2
    states = [d.state for one in outbox.detail(case).results for d in one.deliveries if d.destination == "archive"]
    assert states == [DeliveryState.DELIVERED, DeliveryState.PENDING, DeliveryState.DELIVERED]
