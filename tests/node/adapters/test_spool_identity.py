"""A spool that is away, and what lies in its place: nothing is written there, and nothing counts as lost or removed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from node.adapters.ledger import open_engine, reading
from node.adapters.spool import FileSpool
from node.adapters.spool_identity import NAME, SpoolIdentity
from node.errors import TransientError
from node.ports import StoredFile
from pipelines.domain.identifiers import CaseId
from tests.node.refs import image

DATA = bytes(range(256)) * 100


class Disk:
    """A spool on a disk that can be taken away, which leaves an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "spool"
        self._elsewhere = folder / "elsewhere"
        self.spool = FileSpool(self.root, min_free_bytes=0)
        self.kept = self.spool.put_received(image(), DATA)

    def take_away(self) -> None:
        self.root.rename(self._elsewhere)
        self.root.mkdir()

    def bring_back(self) -> None:
        assert list(self.root.rglob("*")) == []
        self.root.rmdir()
        self._elsewhere.rename(self.root)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


ASKED: dict[str, Callable[[FileSpool, StoredFile], object]] = {
    "a draft": lambda spool, kept: spool.draft(),
    "a result": lambda spool, kept: spool.put_result(CaseId(1), "sr", DATA),
    "the folders of received instances": lambda spool, kept: spool.prepare(),
    "a file": lambda spool, kept: spool.read(kept),
    "whether a file is missing": lambda spool, kept: spool.size(kept.path),
    "all files": lambda spool, kept: list(spool.files()),
    "to remove a file": lambda spool, kept: spool.unlink(kept.path),
    "to set a file aside": lambda spool, kept: spool.set_aside(kept.path),
    "its space": lambda spool, kept: spool.free_bytes(),
}


@pytest.mark.parametrize("what", list(ASKED))
def test_an_empty_folder_in_its_place_is_told_from_the_spool(disk: Disk, what: str) -> None:
    disk.take_away()
    with pytest.raises(TransientError, match="not there") as refused:
        ASKED[what](disk.spool, disk.kept)
    assert refused.value.code == "RCV-008"
    disk.bring_back()
    assert disk.spool.read(disk.kept) == DATA
    disk.spool.put_received(image(2), DATA)


def test_an_instance_whose_disk_goes_while_it_arrives_is_not_kept(disk: Disk) -> None:
    with closing(disk.spool.draft()) as draft:
        draft.write(DATA)
        disk.take_away()
        with pytest.raises(TransientError) as refused:
            draft.keep(image(2))
    assert refused.value.code == "RCV-008"
    disk.bring_back()


def test_a_disk_that_goes_before_the_first_byte_is_not_written_beside(disk: Disk) -> None:
    # between the look at the spool and the file: what is left is a folder without `tmp`
    class Gone(SpoolIdentity):
        def require(self) -> None:
            super().require()
            if not taken:
                taken.append(True)
                disk.take_away()

    taken: list[bool] = []
    spool = FileSpool(disk.root, min_free_bytes=0, identity=Gone(disk.root, known=disk.spool.identity.known))
    with pytest.raises(TransientError) as refused:
        spool.draft()
    assert refused.value.code == "RCV-008"
    disk.bring_back()


def test_the_spool_of_another_node_is_not_taken_for_ones_own(disk: Disk, tmp_path: Path) -> None:
    FileSpool(tmp_path / "other", min_free_bytes=0).prepare()
    disk.take_away()
    disk.root.rmdir()
    (tmp_path / "other").rename(disk.root)
    with pytest.raises(TransientError) as refused:
        disk.spool.draft()
    assert refused.value.code == "RCV-008"


def test_all_processes_give_a_new_spool_the_same_name(tmp_path: Path) -> None:
    identities = [SpoolIdentity(tmp_path / "spool") for _ in range(16)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(SpoolIdentity.require, identities))
    assert len({one.known for one in identities}) == 1
    assert [path.name for path in (tmp_path / "spool").iterdir()] == [NAME]


def test_a_spool_of_an_earlier_release_gets_a_name_and_one_whose_files_are_gone_does_not(tmp_path: Path) -> None:
    SpoolIdentity(tmp_path, forsaken=lambda: False).require()
    assert (tmp_path / NAME).exists()
    away = tmp_path / "away"
    with pytest.raises(TransientError) as refused:
        SpoolIdentity(away, forsaken=lambda: True).require()
    assert refused.value.code == "RCV-008"
    assert not away.exists()


def test_a_person_may_take_a_folder_for_the_spool_when_the_files_are_lost(tmp_path: Path) -> None:
    identity = SpoolIdentity(tmp_path / "spool", forsaken=lambda: True)
    identity.adopt()
    identity.require()
    SpoolIdentity(tmp_path / "spool", known=identity.known, forsaken=lambda: True).require()


def test_no_ledger_is_made_where_one_has_gone(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite3"
    engine = open_engine(f"sqlite:///{file}")
    for path in tmp_path.iterdir():
        path.rename(tmp_path.parent / path.name)
    with pytest.raises(TransientError, match="its file is not there"), reading(engine):
        pass
    assert list(tmp_path.iterdir()) == []
