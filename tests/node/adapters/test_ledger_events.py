"""The history of a case: nothing is taken from it or changed in it, by whatever way the database is reached."""

import pytest
from sqlalchemy import Engine, delete, insert, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from node.adapters import ledger_schema as t
from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.ledger_erasure import SqlErasure
from node.adapters.retention_schema import erasure
from node.keeping import Why
from pipelines.domain.identifiers import CaseId
from tests.node.adapters.earlier import fill_as_release_0_1
from tests.node.doubles import SetClock
from tests.node.postgres import empty_database
from tests.node.refs import SENDER, file_of, segmentation


def case_in(ledger: SqlLedger, clock: SetClock, number: int = 1) -> CaseId:
    drawn = segmentation(number)
    ledger.received(drawn, file_of(drawn), SENDER, at=clock())
    return ledger.collecting()[-1].case


@pytest.mark.parametrize(
    "statement",
    [
        update(t.event).values(detail="It never happened."),
        delete(t.event),
        update(erasure).values(why="other"),
        delete(erasure),
    ],
    ids=["change an event", "delete events", "change an erasure", "delete an erasure"],
)
def test_what_happened_is_not_changed(statement: object, ledger: SqlLedger, engine: Engine, clock: SetClock) -> None:
    gone, case = case_in(ledger, clock, 1), case_in(ledger, clock, 2)
    assert SqlErasure(engine).erase(gone, Why.PERSON, "test", at=clock()) is None
    with pytest.raises(DatabaseError, match=r"never|only with"), engine.begin() as connection:
        connection.execute(statement)  # type: ignore[call-overload]
    detail = ledger.detail(case)
    assert detail is not None
    assert [event.detail for event in detail.events] == ["The segmentation has arrived."]


def test_the_tables_of_what_happened_are_not_emptied_on_postgresql(postgresql_server: str) -> None:
    engine = open_engine(empty_database(postgresql_server, "fresh"))
    for table in ("event", "erasure"):
        with pytest.raises(DatabaseError, match="never"), engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {table}"))


def test_the_history_of_an_upgraded_ledger_is_guarded_too(database: str) -> None:
    fill_as_release_0_1(database)
    engine = open_engine(database)
    with pytest.raises(DatabaseError, match="only with"), engine.begin() as connection:
        connection.execute(delete(t.event))


def test_the_history_goes_with_the_case_and_leaves_a_line(ledger: SqlLedger, engine: Engine, clock: SetClock) -> None:
    case, other = case_in(ledger, clock, 1), case_in(ledger, clock, 2)
    assert SqlErasure(engine).erase(case, Why.PERSON, "pulmonode delete", at=clock()) is None
    with engine.connect() as connection:
        assert connection.scalars(select(t.event.c.case)).all() == [other]
        lines = connection.execute(select(erasure).where(erasure.c.case == case)).all()
    assert [(line.why, line.detail) for line in lines] == [("person", "pulmonode delete")]


def test_the_number_of_a_deleted_case_is_not_given_again(database: str, clock: SetClock) -> None:
    fill_as_release_0_1(database)
    engine = open_engine(database)
    ledger = SqlLedger(engine, pipeline="test")
    newest = case_in(ledger, clock, 7)
    SqlErasure(engine).erase(newest, Why.PERSON, "test", at=clock())
    assert case_in(ledger, clock, 8) > newest


def test_a_segmentation_makes_one_case_on_an_upgraded_ledger_too(database: str) -> None:
    fill_as_release_0_1(database)
    engine = open_engine(database)
    with engine.connect() as connection:
        values = connection.execute(select(t.case).where(t.case.c.id == 1)).one()._asdict()
    values.pop("id")
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(t.case).values(**values))
