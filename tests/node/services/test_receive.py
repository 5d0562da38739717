"""Taking one instance in, with a real spool and a real ledger: what is told to the sender, counted and logged."""

import logging
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from pydicom import Dataset

from node.adapters.ledger import SqlLedger
from node.adapters.spool import FileSpool
from node.errors import TransientError
from node.logs import Log
from node.ports import Receipt, Sender, StoredFile
from node.services.receive import Announced, Receiver
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID
from pipelines.domain.instance import InstanceRef
from pipelines.domain.reasons import Rejected
from tests.dicom import as_bytes, ct_series
from tests.node.doubles import FailingSpool, SetClock
from tests.node.refs import SENDER


@pytest.fixture(scope="module")
def instance() -> Dataset:
    return ct_series(slices=3, rows=16, columns=16)[0]


@pytest.fixture
def announced(instance: Dataset) -> Announced:
    return Announced(SopClassUID(instance.SOPClassUID), SopInstanceUID(instance.SOPInstanceUID))


class DeafLedger(SqlLedger):
    """A ledger that cannot be written."""

    def __init__(self) -> None:
        """Open nothing."""

    def received(self, ref: InstanceRef, file: StoredFile, sender: Sender, *, at: datetime) -> Receipt:
        raise TransientError("RCV-005", "The ledger cannot be written: disk I/O error.")

    def refused(self, calling_ae_title: str, reason: Rejected, *, at: datetime) -> None:
        raise TransientError("RCV-005", "The ledger cannot be written: disk I/O error.")


@pytest.fixture
def spool(tmp_path: Path) -> FailingSpool:
    return FailingSpool(FileSpool(tmp_path / "spool", min_free_bytes=0))


@pytest.fixture
def receiver(spool: FailingSpool, sqlite_ledger: SqlLedger, clock: SetClock) -> Receiver:
    return Receiver(spool, sqlite_ledger, clock, Log("receive"))


def test_an_instance_that_was_stored_is_a_success(
    receiver: Receiver, instance: Dataset, announced: Announced, sqlite_ledger: SqlLedger
) -> None:
    assert receiver.receive(as_bytes(instance), announced, SENDER) == 0x0000
    assert sqlite_ledger.overview(limit=1).instances == 1


def test_an_instance_without_a_study_is_malformed(
    receiver: Receiver, announced: Announced, sqlite_ledger: SqlLedger
) -> None:
    nameless = ct_series(slices=3, rows=16, columns=16)[0]
    del nameless.StudyInstanceUID
    assert receiver.receive(as_bytes(nameless), announced, SENDER) == 0xC000
    (refusal,) = sqlite_ledger.overview(limit=1).refusals
    assert refusal.code == "RCV-001"
    assert "(0020,000D)" in refusal.last_detail


@pytest.mark.parametrize("data", [b"", b"holiday pictures", bytes(128) + b"DICM", bytes(500)])
def test_bytes_that_are_no_instance_are_malformed(receiver: Receiver, announced: Announced, data: bytes) -> None:
    assert receiver.receive(data, announced, SENDER) == 0xC000


def test_an_instance_that_was_announced_as_another_does_not_match(
    receiver: Receiver, instance: Dataset, announced: Announced
) -> None:
    other = replace(announced, sop_instance=SopInstanceUID("1.2.3"))
    assert receiver.receive(as_bytes(instance), other, SENDER) == 0xA900


@pytest.mark.parametrize(("code", "detail"), [("RCV-003", "The spool has 3 MB left."), ("RCV-005", "Cannot be read.")])
def test_an_instance_that_cannot_be_stored_is_for_later(
    receiver: Receiver,
    instance: Dataset,
    announced: Announced,
    spool: FailingSpool,
    sqlite_ledger: SqlLedger,
    code: str,
    detail: str,
) -> None:
    spool.fault = TransientError(code, detail)
    assert receiver.receive(as_bytes(instance), announced, SENDER) == 0xA700
    (refusal,) = sqlite_ledger.overview(limit=1).refusals
    assert (refusal.code, refusal.last_detail) == (code, detail)


def test_the_sender_is_told_even_if_the_ledger_cannot_count_it(
    spool: FailingSpool, instance: Dataset, announced: Announced, clock: SetClock
) -> None:
    deaf = Receiver(spool, DeafLedger(), clock, Log("receive"))
    assert deaf.receive(as_bytes(instance), announced, SENDER) == 0xA700
    assert deaf.receive(b"rubbish", announced, SENDER) == 0xC000


def test_a_conflict_is_a_warning_to_the_sender_and_in_the_log(
    receiver: Receiver, announced: Announced, caplog: pytest.LogCaptureFixture
) -> None:
    instance = ct_series(slices=3, rows=16, columns=16)[0]
    receiver.receive(as_bytes(instance), announced, SENDER)
    instance.SeriesDescription = "Changed"
    with caplog.at_level(logging.WARNING, "pulmonode"):
        assert receiver.receive(as_bytes(instance), announced, SENDER) == 0xB000
    (record,) = caplog.records
    assert record.getMessage() == "instance_conflicts"
    assert record.__dict__["fields"]["code"] == "RCV-004"


def test_the_time_of_receipt_is_the_clocks(
    receiver: Receiver, instance: Dataset, announced: Announced, sqlite_ledger: SqlLedger, clock: SetClock
) -> None:
    at = clock.forward(3600)
    receiver.receive(b"rubbish", announced, SENDER)
    assert sqlite_ledger.overview(limit=1).refusals[0].last_at == at
