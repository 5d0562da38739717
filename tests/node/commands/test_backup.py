"""A backup taken from a ledger and a spool that are being written, and what comes back from it."""

import json
import os
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from node.adapters import ledger_schema as t
from node.adapters.ledger import make_engine, open_engine
from node.adapters.ledger_copy import export, put_back
from node.bootstrap.keeping import make_retainer
from node.bootstrap.machine import device_uid
from node.bootstrap.stores import Stores, open_stores
from node.commands.backup import back_up, restore
from node.errors import ConfigError
from node.keeping import Why
from node.ports import Destination, Receipt, Report
from node.services.compare import compare
from node.settings import Settings, load_settings
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from tests.node.adapters.earlier import fill_as_release_0_1
from tests.node.postgres import empty_database
from tests.node.refs import SENDER, image, images, result, segmentation

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A node of its own; the test runs once on each kind of database."""
    if request.param == "sqlite":
        return settings_of(tmp_path / "data")
    return settings_of(tmp_path / "data", empty_database(request.getfixturevalue("postgresql_server"), "fresh"))


def settings_of(data_dir: Path, url: str = "") -> Settings:
    return load_settings(
        None,
        {
            "PULMONODE_NODE__DATA_DIR": str(data_dir),
            "PULMONODE_LEDGER__URL": url,
            "PULMONODE_RECEIVE__MIN_FREE_MB": "0",
        },
    )


def receive(stores: Stores, *refs: object, at: datetime = AT) -> list[Receipt]:
    return [
        stores.ledger.received(ref, stores.spool.put_received(ref, ref.sop_instance.encode()), SENDER, at=at)  # type: ignore
        for ref in refs
    ]


def reported(stores: Stores, study: int = 1) -> CaseId:
    drawn = segmentation(study=study)
    receive(stores, *images(3, study=study), drawn)
    case = next(c.case for c in stores.ledger.collecting() if c.segmentation.ref == drawn)
    stores.ledger.complete(case, image(study=study).key, "3 slices.", at=AT)
    claim = stores.ledger.claim(case, "worker", at=AT, lease=timedelta(hours=1))
    assert claim is not None
    file = stores.spool.put_result(case, "sr", f"result {case}".encode())
    made = result(case, "sr")
    kept = type(made)(*(getattr(made, name) for name in made.__slots__[:-1]), file)
    stores.ledger.reported(claim, Report((), None, (kept,), "1 lesion."), [Destination("PACS")], at=AT)
    return case


def restored(settings: Settings, folder: Path, server: str | None = None) -> Settings:
    """The settings of a node on what was restored from `folder`."""
    into = folder.with_name("restored")
    url = "" if server is None else empty_database(server, "restored")
    after = settings_of(into, url)
    restore(after, folder, into)
    return after


def faults(settings: Settings) -> list[str]:
    stores = open_stores(settings)
    found = compare(stores.spool, stores.files, digests=True, repair=False, settled=timedelta(0))
    return [str(fault.reason) for fault in found]


def test_what_was_backed_up_comes_back_whole(settings: Settings, tmp_path: Path) -> None:
    stores = open_stores(settings)
    case = reported(stores)
    identity = device_uid(settings)
    done = back_up(settings, None, tmp_path / "backup", link=True, at=AT)
    assert (done.files, done.missing, done.damaged) == (5, (), ())
    before = stores.ledger.detail(case)
    shutil.rmtree(settings.data_dir)
    # on SQLite in a file, whatever it was before
    after = restored(settings, tmp_path / "backup")
    again = open_stores(after)
    assert again.ledger.detail(case) == before
    assert device_uid(after) == identity
    assert faults(after) == []
    (delivery,) = again.ledger.due("PACS", at=AT, limit=9)
    assert again.spool.read(delivery.result.file) == f"result {case}".encode()
    assert receive(again, image(1), image(9)) == [Receipt.DUPLICATE, Receipt.NEW]


def test_a_backup_goes_into_a_postgresql_database_and_counting_goes_on(
    settings: Settings, tmp_path: Path, postgresql_server: str
) -> None:
    stores = open_stores(settings)
    first = reported(stores)
    gone = reported(stores, study=2)
    stores.erasure.erase(gone, Why.PERSON, "test", at=AT)
    make_retainer(settings, stores).remove_files()
    before = stores.ledger.detail(first)
    back_up(settings, None, tmp_path / "backup", link=False, at=AT)
    after = restored(settings, tmp_path / "backup", postgresql_server)
    again = open_stores(after)
    assert again.ledger.detail(first) == before
    assert reported(again, study=3) > gone
    assert faults(after) == []


def test_copies_and_links_hold_the_same_bytes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "data")
    reported(open_stores(settings))
    for name, link in (("linked", True), ("copied", False)):
        back_up(settings, None, tmp_path / name, link=link, at=AT)
    linked, copied = (
        {p.relative_to(tmp_path / name): p for p in (tmp_path / name / "spool").rglob("*.dcm")}
        for name in ("linked", "copied")
    )
    assert linked.keys() == copied.keys() != set()
    assert all(linked[name].read_bytes() == copied[name].read_bytes() for name in linked)
    assert {path.stat().st_nlink for path in linked.values()} == {2}
    assert {path.stat().st_nlink for path in copied.values()} == {1}


@pytest.mark.parametrize("what", ["a changed bit", "a lost file", "a changed manifest", "broken off", "a path outside"])
def test_a_backup_that_is_not_whole_is_refused_and_nothing_is_made(what: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "data")
    reported(open_stores(settings))
    folder = tmp_path / "backup"
    back_up(settings, None, folder, link=False, at=AT)
    victim = next((folder / "spool").rglob("*.dcm"))
    manifest = folder / "manifest.json"
    if what == "a changed bit":
        victim.write_bytes(bytes([victim.read_bytes()[0] ^ 1]) + victim.read_bytes()[1:])
    elif what == "a lost file":
        victim.unlink()
    elif what == "a changed manifest":
        manifest.write_text(manifest.read_text().replace('"size": ', '"size": 1', 1))
    elif what == "broken off":
        manifest.unlink()
    else:
        manifest.write_text(manifest.read_text().replace("spool/received", "../received", 1))
    with pytest.raises(ConfigError, match="LDG-006"):
        restore(settings_of(tmp_path / "new"), folder, tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "data"]


def test_nothing_is_put_over_what_is_there(settings: Settings, tmp_path: Path, postgresql_server: str) -> None:
    reported(open_stores(settings))
    back_up(settings, None, tmp_path / "backup", link=True, at=AT)
    with pytest.raises(ConfigError, match="not empty"):
        restore(settings_of(settings.data_dir), tmp_path / "backup", settings.data_dir)
    with pytest.raises(ConfigError, match="not empty"):
        back_up(settings, None, tmp_path / "backup", link=True, at=AT)
    full = empty_database(postgresql_server, "full")
    open_engine(full).dispose()
    with pytest.raises(ConfigError, match="not empty"):
        restore(settings_of(tmp_path / "new", full), tmp_path / "backup", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_missing_or_changed_is_told_and_the_rest_is_backed_up(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "data")
    stores = open_stores(settings)
    reported(stores)
    one, other = sorted((settings.data_dir / "spool" / "received").rglob("*.dcm"))[:2]
    one.unlink()
    other.write_bytes(b"something else")
    done = back_up(settings, None, tmp_path / "backup", link=True, at=AT)
    root = settings.data_dir / "spool"
    assert done.missing == (str(one.relative_to(root)),)
    assert done.damaged == (str(other.relative_to(root)),)
    assert done.files == 4


def test_the_configuration_and_who_made_the_backup_are_in_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "data")
    config = tmp_path / "node.toml"
    config.write_text("[node]\n")
    back_up(settings, config, tmp_path / "backup", link=True, at=AT)
    told = json.loads((tmp_path / "backup" / "manifest.json").read_text().partition("\n")[2])
    assert told["made_at"] == AT.isoformat()
    assert (tmp_path / "backup" / "node.toml").read_text() == "[node]\n"
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0


def test_backups_of_a_ledger_that_many_write_and_the_retention_empties_are_all_whole(
    settings: Settings, tmp_path: Path
) -> None:
    stores = open_stores(settings)
    stop = threading.Event()
    broken: list[BaseException] = []

    def busy(worker: int) -> None:
        mine, study = open_stores(settings), 100 * worker
        try:
            # at least one that stays and one that goes
            while not stop.is_set() or study < 100 * worker + 2:
                study += 1
                case = reported(mine, study=study)
                if study % 2:
                    assert mine.erasure.erase(case, Why.PERSON, "test", at=AT) is None
                    make_retainer(settings, mine).remove_files()
        except BaseException as fault:
            broken.append(fault)

    threads = [threading.Thread(target=busy, args=(worker,)) for worker in (1, 2)]
    for thread in threads:
        thread.start()
    folders = [tmp_path / f"backup {number}" for number in range(3)]
    found = [back_up(settings, None, folder, link=True, at=AT) for folder in folders]
    stop.set()
    for thread in threads:
        thread.join()
    assert broken == []
    assert stores.ledger.overview(limit=1).cases
    for folder, done in zip(folders, found, strict=True):
        after = settings_of(folder.with_name(f"{folder.name} restored"))
        restore(after, folder, after.data_dir)
        # what a person deleted while the backup was made may be named in it, and nothing else
        assert {line.split()[0] for line in faults(after)} <= {"LDG-003"}
        assert len(faults(after)) == len(done.missing)
        with open_engine(f"sqlite:///{after.data_dir / 'ledger.sqlite3'}").connect() as connection:
            states = connection.scalars(select(t.case.c.state)).all()
        assert set(states) <= set(CaseState)


def test_rows_of_an_earlier_release_come_back_in_the_form_of_this_one(database: str, tmp_path: Path) -> None:
    fill_as_release_0_1(database)
    engine = open_engine(database)
    with engine.connect() as connection:
        rows = {table.name: len(connection.execute(select(table)).all()) for table in t.metadata.sorted_tables}
    export(engine, tmp_path / "lines")
    target = make_engine(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    put_back(tmp_path / "lines", target)
    with target.connect() as connection:
        again = {table.name: len(connection.execute(select(table)).all()) for table in t.metadata.sorted_tables}
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    assert again == rows
    assert sum(rows.values()) > 20
    assert os.path.getsize(tmp_path / "lines") > 0  # noqa: PTH202
