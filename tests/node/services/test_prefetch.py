"""Fetching what a case lacks: what is asked for, how often, and what a person sees of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from node.adapters.ledger import SqlLedger
from node.adapters.ledger_workflow import SqlWorkflow
from node.logs import Log
from node.ports import FoundSeries, FoundStudy, PatientIdentity, Retrieved
from node.services.prefetch import Prefetcher, find_series
from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import CaseId, FrameOfReferenceUID, SeriesUID, SopInstanceUID, StudyUID
from pipelines.domain.instance import InstanceRef, References
from pipelines.domain.reasons import Rejected
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, images, segmentation

AWAY = Rejected("NET-001", "PACS cannot be reached.", "Check it.")


@dataclass
class Shelf:
    """An archive in memory that sends what is asked for straight into a ledger."""

    ledger: SqlLedger
    clock: SetClock
    held: list[InstanceRef] = field(default_factory=list)
    fault: Rejected | None = None
    tells_frame_of_reference: bool = True
    modality: str = "CT"
    queries: int = 0
    asked: list[tuple[SeriesKey, tuple[SopInstanceUID, ...]]] = field(default_factory=list)

    def studies(self, peer: str, patient: PatientIdentity) -> Sequence[FoundStudy] | Rejected:
        return []

    def series(
        self, peer: str, *, study: StudyUID | None, series: SeriesUID | None = None
    ) -> Sequence[FoundSeries] | Rejected:
        self.queries += 1
        if self.fault is not None:
            return self.fault
        found = {
            ref.key: FoundSeries(
                ref.key, self.modality, ref.frame_of_reference if self.tells_frame_of_reference else None
            )
            for ref in self.held
            if study in (None, ref.key.study) and series in (None, ref.key.series)
        }
        return list(found.values())

    def instances(
        self, peer: str, key: SeriesKey, wanted: Sequence[SopInstanceUID] = ()
    ) -> frozenset[SopInstanceUID] | Rejected:
        self.queries += 1
        if self.fault is not None:
            return self.fault
        there = frozenset(ref.sop_instance for ref in self.held if ref.key == key)
        return there & frozenset(wanted) if wanted else there

    def retrieve(self, peer: str, key: SeriesKey, instances: Sequence[SopInstanceUID] = ()) -> Retrieved:
        self.asked.append((key, tuple(instances)))
        sent = [ref for ref in self.held if ref.key == key and (not instances or ref.sop_instance in instances)]
        for ref in sent:
            self.ledger.received(ref, file_of(ref), SENDER, at=self.clock())
        return Retrieved(len(sent), 0)


@dataclass
class Node:
    """A ledger, an archive beside it, and the service between them."""

    ledger: SqlLedger
    workflow: SqlWorkflow
    clock: SetClock
    shelf: Shelf
    others: tuple[str, ...] = ()

    def tick(self) -> None:
        Prefetcher(
            self.ledger,
            self.workflow,
            self.shelf,
            self.clock,
            Log("prefetch"),
            peers=("PACS", *self.others),
            after=timedelta(seconds=60),
            max_attempts=3,
            retry_max=timedelta(seconds=600),
        ).tick()

    def receive(self, *refs: InstanceRef) -> None:
        for ref in refs:
            self.ledger.received(ref, file_of(ref), SENDER, at=self.clock())

    @property
    def case(self) -> CaseId:
        return self.ledger.overview(limit=1).cases[0].case

    def history(self) -> list[str]:
        detail = self.ledger.detail(self.case)
        assert detail is not None
        return [event.detail for event in detail.events if event.event == "retrieval"]


@pytest.fixture
def node(engine: Engine, clock: SetClock) -> Node:
    ledger = SqlLedger(engine, pipeline="test")
    return Node(ledger, SqlWorkflow(engine), clock, Shelf(ledger, clock))


def test_a_series_that_has_not_come_is_fetched_whole_after_the_quiet_period(node: Node) -> None:
    node.shelf.held = images(3)
    node.receive(segmentation())
    node.clock.forward(59)
    node.tick()
    assert node.shelf.queries == 0
    node.clock.forward(1)
    node.tick()
    assert node.shelf.asked == [(images(1)[0].key, ())]
    assert node.history() == ["3 of 3 images of CT series 1.2.1.1 came from PACS."]
    node.clock.forward(3600)
    node.tick()
    assert len(node.shelf.asked) == 1


def test_only_the_slices_that_are_missing_are_fetched(node: Node) -> None:
    whole = images(5)
    node.shelf.held = whole
    node.receive(*whole[:2], *whole[3:], segmentation(named_images=whole))
    node.clock.forward(60)
    node.tick()
    assert node.shelf.asked == [(whole[0].key, (whole[2].sop_instance,))]


def test_a_gap_between_slices_is_filled_though_nobody_names_the_slice(node: Node) -> None:
    whole = images(6)
    node.shelf.held = whole
    node.receive(*whole[:2], *whole[3:], segmentation())
    node.clock.forward(60)
    node.tick()
    assert node.shelf.asked == [(whole[0].key, (whole[2].sop_instance,))]


def test_nothing_is_fetched_for_a_case_that_lacks_nothing(node: Node) -> None:
    node.shelf.held = images(9)
    node.receive(*images(3), segmentation())
    node.clock.forward(3600)
    node.tick()
    assert node.shelf.queries == 0


def test_while_images_still_arrive_nobody_is_asked(node: Node) -> None:
    whole = images(6)
    node.receive(segmentation(named_images=whole), whole[0])
    for ref in whole[1:5]:
        node.clock.forward(50)
        node.receive(ref)
        node.tick()
    assert node.shelf.queries == 0


def test_an_archive_that_has_nothing_is_asked_a_few_times_and_no_more(node: Node) -> None:
    node.receive(segmentation())
    for _ in range(100):
        node.clock.forward(60)
        node.tick()
    assert len(node.history()) == 3
    assert node.history()[0].startswith("SEG-001 PACS has no CT series")


def test_a_persons_retry_begins_anew(node: Node) -> None:
    node.shelf.fault = AWAY
    node.receive(segmentation())
    for _ in range(20):
        node.clock.forward(600)
        node.tick()
    assert len(node.history()) == 3
    node.ledger.incomplete(node.case, None, AWAY, at=node.clock())
    node.shelf.fault = None
    node.shelf.held = images(3)
    node.clock.forward(60)
    assert node.ledger.retry(node.case, at=node.clock()) is None
    node.tick()
    assert node.history()[-1].startswith("3 of 3 images")


def test_an_archive_that_sends_what_is_here_already_is_no_endless_loop(node: Node) -> None:
    whole = images(5)
    node.shelf.held = [*whole[:2], *whole[3:]]
    node.receive(*node.shelf.held, segmentation(named_images=whole))
    for _ in range(50):
        node.clock.forward(600)
        node.tick()
    assert node.shelf.asked == []
    assert node.history() == ["PACS has no image of the CT series that is not here."] * 3


def test_the_next_archive_is_asked_when_the_first_has_nothing(node: Node) -> None:
    node.others = ("ARCHIVE",)
    node.receive(segmentation())
    node.clock.forward(60)
    node.tick()
    assert [one.peer for one in node.workflow.attempts(node.case)] == ["PACS", "ARCHIVE"]


# which series


def find(node: Node, ref: InstanceRef) -> SeriesKey | str:
    found = find_series(node.shelf, "PACS", ref)
    return found.code if isinstance(found, Rejected) else found


def test_a_series_that_is_named_is_found_in_another_study_too(node: Node) -> None:
    node.shelf.held = images(3, study=2)
    ref = replace(segmentation(), references=References((SeriesUID("1.2.2.1"),)))
    assert find(node, ref) == images(1, study=2)[0].key


def test_a_series_is_found_by_the_images_that_are_named(node: Node) -> None:
    node.shelf.held = [*images(3, series=1), *images(3, series=2)]
    ref = segmentation(named_series=(), named_images=images(3, series=2))
    assert find(node, ref) == images(1, series=2)[0].key


def test_without_any_reference_the_frame_of_reference_or_a_single_series_decides(node: Node) -> None:
    ref = segmentation(named_series=())
    node.shelf.held = images(3)
    assert find(node, ref) == images(1)[0].key
    other = FrameOfReferenceUID("1.3.9")
    node.shelf.held = [*images(3), *(replace(one, frame_of_reference=other) for one in images(3, series=2))]
    assert find(node, ref) == images(1)[0].key
    node.shelf.tells_frame_of_reference = False
    assert find(node, ref) == "SEG-002"
    node.shelf.held = images(3)
    assert find(node, ref) == images(1)[0].key


def test_what_is_no_ct_is_not_fetched(node: Node) -> None:
    node.shelf.held = images(3)
    node.shelf.modality = "MR"
    assert find(node, segmentation()) == "SEG-001"


def test_an_archive_that_is_away_is_told(node: Node) -> None:
    node.shelf.fault = AWAY
    assert find(node, segmentation()) == "NET-001"
    assert find(node, segmentation(named_series=())) == "NET-001"
