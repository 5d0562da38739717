"""Back up everything that the node keeps while it runs, and put it back.

Files never change once they are there, and each is there before its row. So the files that the ledger names are taken
first, then the ledger as it is at one moment, then the files that came meanwhile. What the ledger gave up in between is
left out. The queue is not needed: the ledger fills it again.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from node import __version__
from node.adapters.backup_folder import Entry, Manifest, described, faults, read_manifest, take, write_manifest
from node.adapters.ledger import make_engine, reading
from node.adapters.ledger_copy import export, put_back, snapshot
from node.adapters.ledger_files import SqlFiles
from node.adapters.migrate import form
from node.adapters.spool_identity import SpoolIdentity
from node.bootstrap.machine import device_uid
from node.bootstrap.stores import ledger_url, open_stores
from node.errors import ConfigError
from node.keeping import ListedFile
from node.settings import Settings, read_secret

_SQLITE: Final = "ledger.sqlite3"
_LINES: Final = "ledger.jsonl.gz"
_DEVICE: Final = "device-uid"
_CONFIG: Final = "node.toml"


@dataclass(frozen=True, slots=True)
class Copied:
    """What was backed up or restored.

    Attributes
    ----------
    missing
        Files that the ledger names and that were not there.
    damaged
        Files that are not what was stored.
    """

    files: int
    megabytes: int
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


def back_up(settings: Settings, config: Path | None, folder: Path, *, link: bool, at: datetime) -> Copied:
    """Write a backup into a new folder.

    Parameters
    ----------
    link
        Name the same files a second time where the disk is the same, rather than copy them.

    Raises
    ------
    ConfigError
        If the folder is not empty, or the ledger is damaged.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError([f"{folder} is not empty; every backup gets a folder of its own"])
    stores, spool = open_stores(settings), settings.data_dir / "spool"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files: dict[str, Entry] = {}
    damaged: list[str] = []

    def take_listed(listed: ListedFile) -> None:
        if listed.path in files:
            return
        entry = take(spool / listed.path, folder / "spool" / listed.path, link=link)
        if entry is not None:
            files[listed.path] = replace(entry, path=f"spool/{listed.path}")
            if entry.sha256 != listed.sha256:
                damaged.append(listed.path)

    for listed in stores.files.listed():
        take_listed(listed)
    with tempfile.TemporaryDirectory() as scratch:
        if settings.ledger.url:
            ledger, copy = folder / _LINES, make_engine(f"sqlite:///{scratch}/{_SQLITE}")
            export(_engine(settings), ledger)
            # what can be read back here can be restored
            put_back(ledger, copy)
        else:
            ledger = folder / _SQLITE
            snapshot(settings.data_dir / _SQLITE, ledger)
            shutil.copyfile(ledger, f"{scratch}/{_SQLITE}")
            copy = make_engine(f"sqlite:///{scratch}/{_SQLITE}")
        named = set()
        for listed in SqlFiles(copy).listed():
            named.add(listed.path)
            take_listed(listed)
    for path in files.keys() - named:
        (folder / files.pop(path).path).unlink()
    (folder / _DEVICE).write_text(device_uid(settings) + "\n", "ascii")
    others = [ledger, folder / _DEVICE]
    if config is not None:
        others.append(Path(shutil.copyfile(config, folder / _CONFIG)))
    missing = tuple(sorted(named - files.keys()))
    facts = {"made_at": at.isoformat(), "release": __version__, "ledger": ledger.name}
    entries = (*(described(other, other.name) for other in others), *files.values())
    write_manifest(folder, Manifest(facts, entries, missing))
    return Copied(len(files), _megabytes(files.values()), missing, tuple(damaged))


def restore(settings: Settings, folder: Path, into: Path) -> Copied:
    """Put a backup back into an empty place, after every file of it was read and compared.

    The ledger becomes an SQLite file in `into`, or goes to the empty database of `ledger.url` when that is set.

    Raises
    ------
    ConfigError
        With everything that is wrong with the backup; or if there is something in the way.
    """
    manifest = read_manifest(folder)
    if not isinstance(manifest, Manifest):
        raise ConfigError([str(manifest)])
    problems = [str(fault) for fault in faults(folder, manifest)]
    if into.exists() and any(into.iterdir()):
        problems.append(f"{into} is not empty; nothing is put over what is there")
    if problems:
        raise ConfigError(problems)
    # appears whole or not at all
    being_made = into.with_name(f"{into.name}.restoring")
    if being_made.exists():
        raise ConfigError([f"{being_made} is left from a restore that was broken off; delete it"])
    being_made.mkdir(parents=True, mode=0o750)
    files = [entry for entry in manifest.files if entry.path.startswith("spool/")]
    for entry in (*files, next(entry for entry in manifest.files if entry.path == _DEVICE)):
        if take(folder / entry.path, being_made / entry.path, link=False) is None:
            raise ConfigError([f"LDG-006 The file {entry.path} has gone."])
    _put_ledger_back(settings, folder / manifest.facts["ledger"], being_made / _SQLITE)
    # it is the spool of this ledger, also when every file of it was missing in the backup
    SpoolIdentity(being_made / "spool").adopt()
    os.sync()
    if into.exists():
        into.rmdir()
    being_made.rename(into)
    return Copied(len(files), _megabytes(files), manifest.missing)


def _put_ledger_back(settings: Settings, kept: Path, target: Path) -> None:
    if not settings.ledger.url and kept.name == _SQLITE:
        shutil.copyfile(kept, target)
        with reading(make_engine(f"sqlite:///{target}")) as connection:
            # a ledger of a newer release is refused here rather than at the start
            form(connection)
        return
    database = _engine(settings) if settings.ledger.url else make_engine(f"sqlite:///{target}")
    if kept.name == _LINES:
        put_back(kept, database)
        return
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copyfile(kept, f"{scratch}/{_SQLITE}")
        export(make_engine(f"sqlite:///{scratch}/{_SQLITE}"), Path(scratch) / _LINES)
        put_back(Path(scratch) / _LINES, database)


def _engine(settings: Settings) -> Engine:
    return make_engine(ledger_url(settings), password=read_secret(settings.ledger.password_file))


def _megabytes(entries: Iterable[Entry]) -> int:
    return sum(entry.size for entry in entries) // 2**20
