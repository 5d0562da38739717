"""A batch of receipts in a file: all of it, what SQLAlchemy adds included, or nothing."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import OperationalError

from node.adapters import ledger_schema as t
from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.ledger_receipts import Arrived, Receipts
from node.errors import TransientError
from node.ports import Receipt
from pipelines.domain.instance import InstanceRef
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, image, images, segmentation

OpenCase = Callable[[Connection, InstanceRef, datetime], None]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")


def receipts(engine: Engine, open_case: OpenCase) -> Receipts:
    return Receipts(engine, open_case=open_case, reopen_cases=lambda *_: None)


def refuse(connection: Connection, ref: InstanceRef, at: datetime) -> None:
    """A row by SQLAlchemy, as a case is opened."""
    connection.execute(
        insert(t.refusal).values(calling_ae_title="A", code=ref.sop_instance[-8:], times=1, last_at=at, last_detail="")
    )


def arrived(*refs: InstanceRef) -> list[Arrived]:
    return [Arrived(ref, file_of(ref), SENDER, SetClock()()) for ref in refs]


def rows(engine: Engine) -> tuple[int, int]:
    """Instances and refusals that another connection sees."""
    with engine.connect() as connection:
        counts = [connection.scalar(select(func.count()).select_from(table)) for table in (t.instance, t.refusal)]
    return counts[0] or 0, counts[1] or 0


def test_a_batch_and_what_it_means_for_cases_are_one_transaction(engine: Engine) -> None:
    taken = receipts(engine, refuse)
    assert taken.record(arrived(image(1), segmentation())) == [Receipt.NEW, Receipt.NEW]
    assert rows(engine) == (2, 1)
    # the same connection goes on
    assert taken.record(arrived(image(2))) == [Receipt.NEW]
    assert taken.record(arrived(image(2))) == [Receipt.DUPLICATE]
    assert rows(engine) == (3, 1)


def test_nothing_of_a_batch_stays_when_its_last_step_fails(engine: Engine) -> None:
    def fail(connection: Connection, ref: InstanceRef, at: datetime) -> None:
        refuse(connection, ref, at)
        raise ValueError("no case")

    broken = receipts(engine, fail)
    with pytest.raises(ValueError, match="no case"):
        broken.record(arrived(image(1), segmentation()))
    assert rows(engine) == (0, 0)
    assert broken.record(arrived(image(1))) == [Receipt.NEW]
    assert rows(engine) == (1, 0)


def test_a_transaction_that_sqlite_has_undone_is_not_taken_for_recorded(engine: Engine) -> None:
    def undo(connection: Connection, ref: InstanceRef, at: datetime) -> None:
        # as SQLite does by itself when its disk is full
        connection.exec_driver_sql("ROLLBACK")

    with pytest.raises(OperationalError):
        receipts(engine, undo).record(arrived(image(1), segmentation()))
    assert rows(engine) == (0, 0)


def test_a_batch_waits_for_the_disk_when_it_is_committed(engine: Engine) -> None:
    modes: list[int] = []

    def note(connection: Connection, ref: InstanceRef, at: datetime) -> None:
        modes.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    receipts(engine, note).record(arrived(segmentation()))
    assert modes == [2]  # FULL: each commit in the write-ahead log is synchronised


@pytest.mark.parametrize("what", ["removed", "replaced"])
def test_nothing_is_recorded_in_a_file_that_is_not_the_ledger_any_more(tmp_path: Path, what: str) -> None:
    file = tmp_path / "ledger.sqlite3"
    engine = open_engine(f"sqlite:///{file}")
    ledger = SqlLedger(engine, pipeline="test")
    first, second, third = images(3)
    assert ledger.received(first, file_of(first), SENDER, at=SetClock()()) is Receipt.NEW
    aside = file.rename(tmp_path / "aside")
    for left in tmp_path.glob("ledger.sqlite3-*"):
        left.unlink()
    if what == "replaced":
        open_engine(f"sqlite:///{file}").dispose()
    with pytest.raises(TransientError, match="its file is not there"):
        ledger.received(second, file_of(second), SENDER, at=SetClock()())
    if what == "removed":
        aside.rename(file)
    # by then whoever was refused has come again
    assert ledger.received(third, file_of(third), SENDER, at=SetClock()()) is Receipt.NEW
