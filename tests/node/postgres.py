"""A PostgreSQL server for the tests, from the system's package: started in a temporary folder, without its service."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.tools import free_port

_USER = "postgres"


@contextmanager
def postgresql(
    *,
    addresses: Sequence[str] = (),
    rules: Sequence[str] = (),
    lines: Sequence[str] = (),
    files: Sequence[Path] = (),
) -> Iterator[str]:
    """URL of the server, without a database's name; the test is skipped where PostgreSQL is not installed.

    Parameters
    ----------
    addresses
        Of this machine at which it listens beside 127.0.0.1.
    rules
        Who may connect and how, before everybody on this machine may: lines of pg_hba.conf.
    lines
        What else is set, as `name=value`; relative file names are those of `files`.
    files
        Put beside the data.
    """
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: int(path.parent.name))
    if programs is None:
        pytest.skip("PostgreSQL (package postgresql) is not installed")
    # not in pytest's own folder: the server refuses to run as root, and others cannot enter that folder
    folder = Path(tempfile.mkdtemp(prefix="pulmonode-postgresql-"))
    user = _USER if os.geteuid() == 0 else None
    try:
        if user is not None:
            shutil.chown(folder, user, user)
        data = folder / "data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True,
            capture_output=True,
            user=user,
            group=user,
            cwd=folder,
        )
        accounts = data / "pg_hba.conf"
        accounts.write_text("\n".join([*rules, accounts.read_text()]))
        for file in files:
            shutil.copy(file, data)
            (data / file.name).chmod(0o600)
            if user is not None:
                shutil.chown(data / file.name, user, user)
        port = free_port()
        listening = ",".join(("127.0.0.1", *addresses))
        address = (f"port={port}", f"listen_addresses={listening}", "unix_socket_directories=", *lines)
        # quick to start and to stop, since nothing has to outlive the tests
        quick = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")
        options = [part for setting in (*address, *quick) for part in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, *options], stdout=log, stderr=log, user=user, group=user, cwd=folder
            )
        try:
            _wait(server, port)
            yield f"postgresql+psycopg://{_USER}@127.0.0.1:{port}"
        finally:
            # nothing of it is needed any more
            server.send_signal(signal.SIGQUIT)
            server.wait(150)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def empty_database(server: str, name: str) -> str:
    """URL of a database of the server, made if needed; what was in it has gone."""
    with psycopg.connect(_plain(f"{server}/postgres"), autocommit=True) as connection:
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with psycopg.connect(_plain(f"{server}/{name}"), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return f"{server}/{name}"


def _plain(url: str) -> str:
    """The URL as the driver itself knows it."""
    return url.replace("+psycopg", "")


def _wait(server: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + 150
    while True:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user=_USER, dbname="postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
