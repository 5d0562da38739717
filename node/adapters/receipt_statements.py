"""The statements that every instance costs, run in the way that is cheapest for a file and for a server.

Over a network the round trip counts: a batch is one statement. In a file there is none, and what counts is what happens
in this process: SQLAlchemy takes 0.1 ms to run a statement that SQLite answers in 0.01 ms, so that the statements are
put together once by it and handed to the driver.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol, cast

from sqlalchemy import JSON, Connection, Dialect, Select, bindparam, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement, ColumnElement

from node.adapters import ledger_schema as t
from node.adapters import retention_schema as kept
from pipelines.domain.case_state import CaseState

InstanceRow = Mapping[str, object]
"""Values of the columns of an instance, the same columns in each."""


class ReceiptStatements(Protocol):
    """What is asked of the database for a batch of arrivals, within a transaction."""

    def insert(self, connection: Connection, rows: Sequence[InstanceRow]) -> set[str]:
        """Add instances that are not known yet; SOP Instance UIDs of those that were added."""

    def keep(self, connection: Connection, paths: Sequence[str]) -> None:
        """Give up the intention to remove these files."""

    def concerned(self, connection: Connection, series: Sequence[str]) -> set[str | None]:
        """CT series of the cases that images of `series` may concern; None stands for cases that found no CT at all."""


def _concerned(of_these: ColumnElement[bool]) -> Select[Any]:
    return (
        select(t.case.c.ct_series)
        .where(
            or_(
                of_these & (t.case.c.state != CaseState.COLLECTING),
                t.case.c.ct_series.is_(None) & (t.case.c.state == CaseState.REJECTED),
            )
        )
        .distinct()
    )


class OnServer:
    """One statement for a batch."""

    # put together once: that takes longer than to run them
    _INSERT: Final = postgresql.insert(t.instance).on_conflict_do_nothing().returning(t.instance.c.sop_instance)
    _KEEP: Final = delete(kept.removal).where(kept.removal.c.path.in_(bindparam("paths", expanding=True)))
    _CONCERNED: Final = _concerned(t.case.c.ct_series.in_(bindparam("series", expanding=True)))

    def insert(self, connection: Connection, rows: Sequence[InstanceRow]) -> set[str]:
        return set(connection.scalars(self._INSERT, [dict(row) for row in rows]).all())

    def keep(self, connection: Connection, paths: Sequence[str]) -> None:
        connection.execute(self._KEEP, {"paths": list(paths)})

    def concerned(self, connection: Connection, series: Sequence[str]) -> set[str | None]:
        return set(connection.scalars(self._CONCERNED, {"series": list(series)}).all())


class InFile:
    """One statement for each, on the driver's own connection."""

    def __init__(self) -> None:
        dialect = sqlite.dialect()
        columns = [column.name for column in t.instance.columns if column.name != "released_at"]
        self._insert = _Prepared(sqlite.insert(t.instance).on_conflict_do_nothing(), dialect, columns)
        self._keep = _Prepared(delete(kept.removal).where(kept.removal.c.path == bindparam("path")), dialect)
        self._concerned = _Prepared(_concerned(t.case.c.ct_series == bindparam("series")), dialect)

    def insert(self, connection: Connection, rows: Sequence[InstanceRow]) -> set[str]:
        return {str(row["sop_instance"]) for row in rows if self._insert.run(connection, row).rowcount}

    def keep(self, connection: Connection, paths: Sequence[str]) -> None:
        for path in paths:
            self._keep.run(connection, {"path": path})

    def concerned(self, connection: Connection, series: Sequence[str]) -> set[str | None]:
        return {row[0] for one in series for row in self._concerned.run(connection, {"series": one})}


@contextmanager
def begun(connection: Connection) -> Iterator[None]:
    """A transaction in a file that the driver begins and ends, for SQLAlchemy takes longer for that than the driver.

    Parameters
    ----------
    connection
        In autocommit: what SQLAlchemy runs on it begins nothing of its own, and so belongs to this transaction. When
        something is raised here it has to be closed, which undoes what was done.

    Raises
    ------
    DBAPIError
        As SQLAlchemy raises it.
    """
    driver = _driver(connection)
    _run(driver, "BEGIN IMMEDIATE")
    yield
    # fails when SQLite has undone the transaction meanwhile, where the driver's own method says nothing
    _run(driver, "COMMIT")
    if connection.in_transaction():
        # what SQLAlchemy takes for a transaction ends with this one
        connection.commit()


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def _run(driver: sqlite3.Connection, text: str, row: Sequence[object] = ()) -> sqlite3.Cursor:
    try:
        return driver.execute(text, row)
    except sqlite3.Error as fault:
        raise DBAPIError.instance(text, None, fault, sqlite3.Error, hide_parameters=True) from fault


class _Prepared:
    """A statement as the driver takes it, with what turns values into the driver's."""

    def __init__(self, statement: ClauseElement, dialect: Dialect, columns: Sequence[str] | None = None) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
        self._text: str = compiled.string
        self._fixed: dict[str, object] = {
            name: bind.value for name, bind in compiled.binds.items() if not bind.required
        }
        self._values = [(name, _turning(compiled.binds[name].type, dialect)) for name in compiled.positiontup]

    def run(self, connection: Connection, values: InstanceRow) -> sqlite3.Cursor:
        """Run it in the transaction of `connection`; raises what SQLAlchemy would."""
        given = {**self._fixed, **values}
        row = [given[name] if turn is None else turn(given[name]) for name, turn in self._values]
        return _run(_driver(connection), self._text, row)


def _turning(kind: Any, dialect: Dialect) -> Callable[[object], object] | None:
    """What turns a value into the driver's; None when nothing has to be."""
    turn = kind.dialect_impl(dialect).bind_processor(dialect)
    return _remembering(turn) if isinstance(kind, JSON) else turn


def _remembering(turn: Callable[[object], object]) -> Callable[[object], object]:
    """`turn` of values that cannot change, and often are the same object as before: what a whole series shares."""
    last: tuple[object, object] = (None, turn(None))

    def turned(value: object) -> object:
        nonlocal last
        before, text = last
        if value is not before:
            text = turn(value)
            last = (value, text)
        return text

    return turned
