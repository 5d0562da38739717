"""What the tests of the shell share: a clock that stands still, and databases."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.doubles import SetClock
from tests.node.postgres import create_database, postgresql

_numbers = itertools.count(1)


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
    return create_database(request.getfixturevalue("postgresql_server"), f"test{next(_numbers)}")
