"""Orders in results: filled in where the CT says nothing, once and for all runs, and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from sqlalchemy import Engine

from node.adapters.ledger import SqlLedger
from node.adapters.ledger_workflow import SqlWorkflow
from node.adapters.spool import FileSpool
from node.logs import Log
from node.ports import PatientIdentity
from node.services.orders import Orders
from pipelines.domain.case import Case
from pipelines.domain.coding import Code
from pipelines.domain.identifiers import CaseId, StudyUID
from pipelines.domain.order import Order
from pipelines.domain.reasons import Rejected
from pipelines.imaging.case import read_case
from pipelines.imaging.order import order_file, order_from_file
from tests.dicom import ct_series, seg_of
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, segmentation

AWAY = Rejected("NET-001", "RIS cannot be reached.", "Check it.")


def order_of(ct: Sequence[Dataset]) -> Order:
    return Order(
        StudyUID(ct[0].StudyInstanceUID),
        "ACC-1",
        "RP-1",
        "CT of the chest",
        (Code("24627-2", "LN", "CT Chest"),),
        (("1.2.840.10008.3.1.2.3.1", "1.2.3.4"),),
        "CT",
        "20260115",
    )


@dataclass
class Ris:
    """A worklist that answers as it is told."""

    answer: Sequence[Order] | Rejected = ()
    asked: list[str] = field(default_factory=list)

    def orders(self, patient: PatientIdentity, *, accession_number: str) -> Sequence[Order] | Rejected:
        self.asked.append(accession_number)
        return self.answer


@dataclass
class Node:
    orders: Orders
    ris: Ris
    workflow: SqlWorkflow
    number: CaseId
    ct: list[Dataset]

    def case(self) -> Case:
        found = read_case(self.ct, seg_of(self.ct), inputs_digest="d")
        assert isinstance(found, Case)
        return found


@pytest.fixture
def node(engine: Engine, tmp_path: Path, clock: SetClock) -> Node:
    ledger, workflow, ris = SqlLedger(engine, pipeline="test"), SqlWorkflow(engine), Ris()
    ref = segmentation()
    ledger.received(ref, file_of(ref), SENDER, at=clock())
    spool = FileSpool(tmp_path / "spool", min_free_bytes=0)
    orders = Orders(ris, workflow, spool, clock, Log("worklist"))
    number = ledger.overview(limit=1).cases[0].case
    return Node(orders, ris, workflow, number, ct_series(slices=4, rows=16, columns=16))


def test_a_found_order_fills_in_what_the_ct_does_not_say_and_makes_other_objects(node: Node) -> None:
    node.ris.answer = [order_of(node.ct)]
    filled = node.orders.filled_in(node.number, node.case())
    assert filled.header.AccessionNumber == "ACC-1"
    assert filled.header.RequestAttributesSequence[0].RequestedProcedureID == "RP-1"
    assert filled.header.ReferencedStudySequence[0].ReferencedSOPInstanceUID == "1.2.3.4"
    assert filled.inputs_digest != "d"


def test_a_repeated_run_makes_the_same_whatever_the_worklist_says_by_then(node: Node) -> None:
    node.ris.answer = [order_of(node.ct)]
    first = node.orders.filled_in(node.number, node.case())
    node.ris.answer = [replace(order_of(node.ct), accession_number="ACC-2")]
    second = node.orders.filled_in(node.number, node.case())
    assert len(node.ris.asked) == 1
    assert (first.inputs_digest, first.header) == (second.inputs_digest, second.header)


def test_what_the_ct_says_stays(node: Node) -> None:
    item = Dataset()
    item.RequestedProcedureID = "OWN"
    node.ris.answer = [order_of(node.ct)]
    for instance in node.ct:
        instance.AccessionNumber = "OWN-ACC"
    node.ris.answer = [replace(order_of(node.ct), accession_number="OWN-ACC")]
    filled = node.orders.filled_in(node.number, node.case())
    assert filled.header.AccessionNumber == "OWN-ACC"
    assert node.ris.asked == ["OWN-ACC"]
    for instance in node.ct:
        instance.RequestAttributesSequence = [item]
    asked = len(node.ris.asked)
    case = node.case()
    assert node.orders.filled_in(node.number, case) is case
    assert len(node.ris.asked) == asked


@pytest.mark.parametrize("several", [True, False])
def test_without_exactly_one_order_nothing_is_filled_in_and_the_next_run_looks_again(node: Node, several: bool) -> None:
    order = order_of(node.ct)
    node.ris.answer = [order, replace(order, accession_number="ACC-2")] if several else []
    case = node.case()
    assert node.orders.filled_in(node.number, case) is case
    lookup = node.workflow.order_lookup(node.number, "d")
    assert lookup is not None
    assert lookup.file is None
    assert "ACC" not in lookup.detail
    node.ris.answer = [order]
    assert node.orders.filled_in(node.number, case).header.AccessionNumber == "ACC-1"


def test_a_worklist_that_is_away_delays_nothing(node: Node) -> None:
    node.ris.answer = AWAY
    case = node.case()
    assert node.orders.filled_in(node.number, case) is case
    lookup = node.workflow.order_lookup(node.number, "d")
    assert lookup is not None
    assert lookup.detail.startswith("NET-001")


def test_an_order_is_kept_as_a_dicom_file_that_says_all_of_it(node: Node) -> None:
    order = order_of(node.ct)
    data = order_file(order)
    assert order_from_file(data) == order
    assert order_file(order) == data
    assert dcmread(BytesIO(data)).AccessionNumber == "ACC-1"
