"""What the tests of the shell share: a clock that stands still, what is logged, and databases."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, literal, select

from node import logs
from node.adapters import ledger_schema
from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.retention_schema import erasure
from tests.node.adapters.earlier import fill_as_release_0_1
from tests.node.doubles import SetClock
from tests.node.postgres import empty_database, postgresql


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Undoes what the test does to the set-up of logging."""
    root, ours = logging.getLogger(), logging.getLogger("pulmonode")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    with warnings.catch_warnings():
        yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
def logged(logging_as_before: None) -> Callable[[], str]:
    """Everything that this process logs at DEBUG from now on, as the node writes it for programs."""
    stream = io.StringIO()
    logs.configure("debug", "json", stream=stream)
    return stream.getvalue


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database; the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    return empty_database(request.getfixturevalue("postgresql_server"), "fresh")


@pytest.fixture(scope="session", params=["sqlite", "upgraded", "postgresql"])
def _engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    if request.param == "postgresql":
        return open_engine(empty_database(request.getfixturevalue("postgresql_server"), "shared"))
    url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.sqlite3'}"
    if request.param == "upgraded":
        fill_as_release_0_1(url)
    return open_engine(url)


@pytest.fixture
def engine(_engine: Engine) -> Engine:
    """A ledger's database without a row in it; the test runs once on each kind."""
    forgotten = {
        "case": ledger_schema.event.c.case,
        "at": func.current_timestamp(),
        "why": literal(""),
        "detail": literal(""),
    }
    with _engine.begin() as connection:
        connection.execute(insert(erasure).from_select(list(forgotten), select(*forgotten.values()).distinct()))
        for table in reversed(ledger_schema.metadata.sorted_tables):
            if table not in (ledger_schema.schema, erasure):
                connection.execute(table.delete())
    return _engine


@pytest.fixture
def ledger(engine: Engine) -> SqlLedger:
    """An empty ledger; the test runs once on each kind of database."""
    return SqlLedger(engine, pipeline="test")


@pytest.fixture
def sqlite_ledger(tmp_path: Path) -> SqlLedger:
    """An empty ledger on SQLite, in `ledger.sqlite3` of the test's folder."""
    return SqlLedger(open_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}"), pipeline="test")
