"""What the tests of the shell share: a clock that stands still, and databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from node.adapters import ledger_schema
from node.adapters.ledger import SqlLedger, open_engine
from tests.node.doubles import SetClock
from tests.node.postgres import empty_database, postgresql


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


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


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def _engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    if request.param == "sqlite":
        return open_engine(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.sqlite3'}")
    return open_engine(empty_database(request.getfixturevalue("postgresql_server"), "shared"))


@pytest.fixture
def engine(_engine: Engine) -> Engine:
    """A ledger's database without a row in it; the test runs once on each kind."""
    with _engine.begin() as connection:
        for table in reversed(ledger_schema.metadata.sorted_tables):
            if table is not ledger_schema.schema:
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
