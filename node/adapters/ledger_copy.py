"""Copies of the whole ledger: a snapshot of SQLite's file, and rows as lines of JSON that any database takes.

The lines name tables and columns as the database has them, so they can be put back under the form that they were
written in, whatever form this release needs.
"""

import gzip
import json
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, LargeBinary, MetaData, Table, func, insert, inspect, select, text
from sqlalchemy.types import DateTime

from node.adapters.ledger import reading, writing
from node.adapters.migrate import form, upgrade
from node.errors import ConfigError

_OF_THE_FORM: Final = frozenset({"alembic_version", "schema_version"})
"""Tables that the steps fill in themselves."""

_ROWS_AT_ONCE: Final = 500


def snapshot(source: Path, target: Path) -> None:
    """Copy an SQLite ledger as it is at one moment, while others read and write it.

    Raises
    ------
    ConfigError
        If the copy is damaged, as the ledger itself then is.
    """
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        # one file that needs no journal beside it
        copy.execute("PRAGMA journal_mode=DELETE")
        found = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise ConfigError([f"ledger.url: LDG-002 The ledger is damaged: {found}. Restore a backup."])


def export(engine: Engine, target: Path) -> None:
    """Write all rows, as they are at one moment, into a file of JSON lines (gzip)."""
    with (
        engine.connect().execution_options(isolation_level=_one_moment(engine)) as connection,
        gzip.open(target, "wt", encoding="utf-8") as file,
    ):
        file.write(json.dumps({"form": form(connection).current}) + "\n")
        for table in _tables(connection):
            binary = {column.name for column in table.columns if isinstance(column.type, LargeBinary)}
            for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(table)):
                values = {name: _told(value) for name, value in row._asdict().items()}
                line = {"table": table.name, "row": values} | ({"binary": sorted(binary)} if binary else {})
                file.write(json.dumps(line) + "\n")


def _one_moment(engine: Engine) -> Any:
    return "SERIALIZABLE" if engine.dialect.name == "sqlite" else "REPEATABLE READ"


def _told(value: object) -> object:
    match value:
        case bytes() | memoryview():
            return b64encode(bytes(value)).decode("ascii")
        case datetime():
            return value.isoformat()
        case _:
            return value


def put_back(lines: Path, engine: Engine) -> None:
    """Fill an empty database with the rows that `export` wrote, and give it the form that this release needs.

    Raises
    ------
    ConfigError
        If the database has tables already, or a newer release wrote the rows.
    """
    with reading(engine) as connection:
        if inspect(connection).get_table_names():
            raise ConfigError(["ledger.url: the database is not empty; nothing is put over what is there"])
    rows = _lines(lines)
    written_as: str = next(rows)["form"]
    upgrade(engine, to=written_as)
    with writing(engine) as connection:
        tables = {table.name: table for table in _tables(connection)}
        # rows that belong together came one after the other
        waiting: list[dict[str, Any]] = []
        name = ""
        for line in rows:
            if line["table"] != name or len(waiting) == _ROWS_AT_ONCE:
                _insert(connection, tables.get(name), waiting)
                name, waiting = line["table"], []
            waiting.append(_values(tables[name], line))
        _insert(connection, tables.get(name), waiting)
        _go_on_counting(connection, tables)
    upgrade(engine)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _insert(connection: Connection, table: Table | None, rows: list[dict[str, Any]]) -> None:
    if table is not None and rows:
        connection.execute(insert(table), rows)


def _values(table: Table, line: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = line["row"]
    for name in line.get("binary", ()):
        values[name] = None if values[name] is None else b64decode(values[name])
    for column in table.columns:
        if isinstance(column.type, DateTime) and values[column.name] is not None:
            values[column.name] = datetime.fromisoformat(values[column.name])
    return values


def _tables(connection: Connection) -> list[Table]:
    """Tables of the database, those first that others refer to."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name not in _OF_THE_FORM]


def _go_on_counting(connection: Connection, tables: dict[str, Table]) -> None:
    """Let PostgreSQL give numbers that come after those that were given, also to cases that are gone."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables.values():
        sequence = connection.scalar(
            text("SELECT CASE WHEN :column = 'id' THEN pg_get_serial_sequence(:name, :column) END"),
            {"name": f'"{table.name}"', "column": "id" if "id" in table.c else ""},
        )
        if sequence is None:
            continue
        highest = [connection.scalar(select(func.max(table.c.id))) or 0]
        if table.name == "case" and "erasure" in tables:
            highest.append(connection.scalar(select(func.max(tables["erasure"].c.case))) or 0)
        if max(highest):
            connection.execute(
                text("SELECT setval(:sequence, :number)"), {"sequence": sequence, "number": max(highest)}
            )
