"""The comparison of spool and ledger, with real files and a real ledger."""

import os
import time
from pathlib import Path

import pytest

from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.ledger_files import SqlFiles
from node.adapters.spool import FileSpool
from node.services.compare import Fault, compare
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, image, images, segmentation


class Site:
    """A spool with what its ledger says of it."""

    def __init__(self, folder: Path, clock: SetClock) -> None:
        engine = open_engine(f"sqlite:///{folder / 'ledger.sqlite3'}")
        self.root = folder / "spool"
        self.spool, self.files = FileSpool(self.root, min_free_bytes=0), SqlFiles(engine)
        ledger = SqlLedger(engine, pipeline="test")
        for ref in (*images(3), segmentation()):
            file = self.spool.put_received(ref, ref.sop_instance.encode())
            ledger.received(ref, file, SENDER, at=clock())
            # an hour and a second old
            os.utime(self.spool.path(file), (time.time() - 3601,) * 2)
        first = ledger.known(image(1).sop_instance)
        assert first is not None
        self.first = self.spool.path(first)

    def faults(self, *, digests: bool = True, repair: bool = False) -> list[Fault]:
        return list(compare(self.spool, self.files, digests=digests, repair=repair))

    def codes(self, *, digests: bool = True) -> list[str]:
        return [fault.reason.code for fault in self.faults(digests=digests)]


@pytest.fixture
def site(tmp_path: Path, clock: SetClock) -> Site:
    return Site(tmp_path, clock)


def test_a_spool_that_is_as_the_ledger_says_has_no_fault(site: Site) -> None:
    assert site.faults() == []


def test_a_missing_file_is_told_with_what_it_was(site: Site) -> None:
    site.first.unlink()
    (fault,) = site.faults()
    assert fault.reason.code == "LDG-003"
    assert f"instance {image(1).sop_instance} is missing" in fault.reason.detail
    assert "Send it again" in fault.reason.remedy


def test_a_file_that_is_shorter_is_told_without_reading_it(site: Site) -> None:
    site.first.write_bytes(b"")
    assert site.codes(digests=False) == ["LDG-004"]


def test_one_changed_bit_is_told_when_the_files_are_read(site: Site) -> None:
    data = bytearray(site.first.read_bytes())
    data[0] ^= 1
    site.first.write_bytes(data)
    assert site.codes() == ["LDG-004"]
    assert site.codes(digests=False) == []


def test_a_file_that_nobody_knows_is_set_aside_and_no_other(site: Site) -> None:
    orphan = site.root / "received" / "00" / "orphan.dcm"
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"found")
    os.utime(orphan, (time.time() - 3601,) * 2)
    assert site.codes() == ["LDG-005"]
    assert orphan.exists()
    (fault,) = site.faults(repair=True)
    assert fault.moved_to == "lost+found/received/00/orphan.dcm"
    assert (site.root / fault.moved_to).read_bytes() == b"found"
    assert site.faults() == []


def test_a_file_that_was_written_just_now_may_get_its_row_yet(site: Site) -> None:
    (site.root / "received" / "fresh.dcm").write_bytes(b"arriving")
    assert site.faults(repair=True) == []
