"""The ledger as release 0.1 left it, with rows in it: dumps made by that release itself."""

import sqlite3
from pathlib import Path

import psycopg
from sqlalchemy import make_url

_DUMPS = Path(__file__).parent


def fill_as_release_0_1(url: str) -> None:
    """Put the tables and rows of release 0.1 into the empty database at `url`."""
    parsed = make_url(url)
    kind = parsed.get_backend_name()
    script = (_DUMPS / f"ledger_0_1.{kind}.sql").read_text("utf-8")
    if kind == "sqlite":
        with sqlite3.connect(str(parsed.database)) as connection:
            connection.executescript(script)
        connection.close()
        return
    with psycopg.connect(parsed.set(drivername="postgresql").render_as_string(hide_password=False)) as server:
        # as pg_dump wrote it for psql, statement by statement
        server.execute(script.encode())
