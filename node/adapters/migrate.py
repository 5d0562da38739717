"""Bring the ledger's tables into the form that this release needs, whoever opens it first."""

import pkgutil
import threading
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, column, func, inspect, select, table, text

from node.adapters import clinical_schema, history_schema, migrations
from node.adapters.migrations import versions
from node.errors import ConfigError

_LOCK_KEY: Final = 0x70756C6D
"""Key of the lock under which PostgreSQL changes the tables; any number that nobody else uses."""

FIRST_COUNTED: Final = 2
"""What `schema_version` held before the steps were counted."""

# alembic hands the connection to its steps by way of its own modules, so two at once would mix them up
_one_at_a_time: Final = threading.Lock()
# the tables are complete only with those of these modules, which few others import
_METADATA: Final = next(iter({clinical_schema.reading.metadata, history_schema.time_point.metadata}))
_version = table("alembic_version", column("version_num"))
_schema = table("schema_version", column("version"))


@dataclass(frozen=True, slots=True)
class Form:
    """Which form the tables have.

    Attributes
    ----------
    current
        Identifier of the last step that was taken; empty before the first.
    needed
        Identifier of the last step that this release knows.
    """

    current: str
    needed: str

    @property
    def up_to_date(self) -> bool:
        return self.current == self.needed


def steps() -> tuple[str, ...]:
    """Identifiers of all steps that this release knows, oldest first."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(versions.__path__)))


def form(connection: Connection) -> Form:
    """The form of the tables.

    Raises
    ------
    ConfigError
        If a newer release has changed them, or they are none of ours.
    """
    known = steps()
    tables = set(inspect(connection).get_table_names())
    if _version.name in tables:
        current: str = connection.scalar(select(_version.c.version_num)) or ""
        if current and current not in known:
            raise ConfigError(
                [
                    f"ledger.url: LDG-001 The ledger has the form {current}, this release needs {known[-1]}. Install "
                    "the release that wrote it, or a later one, or restore the backup from before the upgrade."
                ]
            )
        return Form(current, known[-1])
    if _schema.name in tables:
        number = connection.scalar(select(func.max(_schema.c.version)))
        if number not in (None, FIRST_COUNTED):
            raise ConfigError(
                [
                    f"ledger.url: LDG-002 The ledger has schema {number}, which this release cannot upgrade. Restore "
                    "a backup of a release that can be upgraded."
                ]
            )
    return Form("", known[-1])


def upgrade(engine: Engine, *, to: str = "heads") -> Form:
    """Take the steps that are missing, all or none of them; the form before.

    With `to` only those up to that one are taken, for rows of an earlier release that are to be put back.

    Of processes that start together one takes the steps and the others wait for it.

    Raises
    ------
    ConfigError
        If a newer release has changed the tables, or they are none of ours.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # without the lock only this can be told for certain: others may be at it
        if inspect(connection).has_table(_version.name):
            reached = connection.scalar(select(_version.c.version_num))
            if reached == steps()[-1]:
                return Form(reached, reached)
    with _one_at_a_time:
        return _upgrade_sqlite(engine, to) if engine.dialect.name == "sqlite" else _upgrade_postgresql(engine, to)


def _upgrade_postgresql(engine: Engine, to: str) -> Form:
    with engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(bindparam("key", _LOCK_KEY))))
        return _missing_steps(connection, to)


def _upgrade_sqlite(engine: Engine, to: str) -> Form:
    with engine.connect() as connection:
        # SQLite changes a table by making it anew, which would drag along the rows that refer to it;
        # only outside of a transaction can it be told not to
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                before = _missing_steps(connection, to)
                broken = connection.execute(text("PRAGMA foreign_key_check")).first()
                if broken is not None:
                    detail = f"A row of table {broken[0]} refers to one of {broken[2]} that is not there."
                    raise ConfigError([f"ledger.url: LDG-002 {detail} Restore a backup."])
        finally:
            driver.execute("PRAGMA foreign_keys=ON")
    return before


def _missing_steps(connection: Connection, to: str) -> Form:
    # looked at again: another process may have been faster
    before = form(connection)
    if not before.up_to_date:
        _run(connection, to)
    return before


def _run(connection: Connection, to: str) -> None:
    # only here, for a ledger that is up to date opens without it
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(next(iter(migrations.__path__)))

    def missing(reached: Any, _: object) -> Any:
        return scripts._upgrade_revs(to, reached)

    with EnvironmentContext(Config(), scripts, fn=missing) as environment:
        environment.configure(connection=connection, target_metadata=_METADATA, render_as_batch=True)
        with environment.begin_transaction():
            environment.run_migrations()
