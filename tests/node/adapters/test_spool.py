"""The spool on a real disk: what comes back, what is left behind, and what is said when it cannot be written."""

import errno
import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from node.adapters.spool import FileSpool
from node.errors import TransientError
from pipelines.domain.identifiers import CaseId, SopInstanceUID
from tests.node.refs import image

DATA = bytes(range(256)) * 1000


@pytest.fixture
def spool(tmp_path: Path) -> FileSpool:
    return FileSpool(tmp_path / "spool", min_free_bytes=0)


def left_in_tmp(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name == "tmp"]


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """Let the system refuse what is written beyond `size` bytes of a file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_bytes_are_stored_as_they_came(spool: FileSpool) -> None:
    file = spool.put_received(image(), DATA)
    assert spool.path(file).read_bytes() == DATA
    assert spool.read(file) == DATA
    assert file.size == len(DATA)


def test_nothing_is_left_in_tmp(spool: FileSpool, tmp_path: Path) -> None:
    spool.put_received(image(), DATA)
    spool.put_result(CaseId(1), "sr", DATA)
    assert left_in_tmp(tmp_path) == []


def test_a_write_that_fails_half_way_leaves_nothing_behind(spool: FileSpool, tmp_path: Path) -> None:
    spool.put_received(image(1), b"small")
    with no_file_longer_than(100_000), pytest.raises(TransientError, match="too large") as caught:
        spool.put_received(image(2), DATA)
    assert caught.value.code == "RCV-005"
    assert left_in_tmp(tmp_path) == []
    assert len(list((tmp_path / "spool" / "received").rglob("*.dcm"))) == 1


def test_the_same_bytes_again_are_the_same_file(spool: FileSpool, tmp_path: Path) -> None:
    assert spool.put_received(image(), DATA) == spool.put_received(image(), DATA)
    assert len(list(tmp_path.rglob("*.dcm"))) == 1


def test_other_bytes_under_the_same_uid_are_another_file(spool: FileSpool) -> None:
    first = spool.put_received(image(), DATA)
    second = spool.put_received(image(), DATA + b"more")
    assert first.path != second.path
    assert spool.read(first) == DATA


def test_a_file_that_was_damaged_is_whole_again_when_the_same_bytes_come_once_more(spool: FileSpool) -> None:
    file = spool.put_received(image(), DATA)
    spool.path(file).write_bytes(b"damaged")
    assert spool.put_received(image(), DATA) == file
    assert spool.read(file) == DATA


def test_no_name_in_the_spool_is_chosen_by_a_sender(spool: FileSpool, tmp_path: Path) -> None:
    hostile = replace(image(), sop_instance=SopInstanceUID("../../../etc/passwd"))
    file = spool.put_received(hostile, DATA)
    assert spool.path(file).resolve().is_relative_to(tmp_path / "spool")
    assert "passwd" not in file.path
    assert image().sop_instance not in spool.put_received(image(), DATA).path


def test_received_files_and_results_lie_apart(spool: FileSpool) -> None:
    received, result = spool.put_received(image(), DATA), spool.put_result(CaseId(17), "sr", DATA)
    assert received.path.startswith("received/")
    assert result.path.startswith("results/17/sr-")


def test_many_who_store_at_once_do_not_disturb_each_other(spool: FileSpool, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(lambda number: spool.put_received(image(number % 10), b"%d" % (number % 10)), range(80)))
    assert all(spool.read(file) == b"%d" % (number % 10) for number, file in enumerate(files))
    assert left_in_tmp(tmp_path) == []


def test_an_instance_is_refused_while_the_disk_is_nearly_full(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path / "spool", min_free_bytes=2**62)
    with pytest.raises(TransientError, match="MB left") as caught:
        spool.put_received(image(), DATA)
    assert caught.value.code == "RCV-003"
    assert list(tmp_path.rglob("*.dcm")) == []


def test_a_result_is_stored_while_there_is_space_at_all(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path / "spool", min_free_bytes=2**62)
    assert spool.read(spool.put_result(CaseId(1), "sr", DATA)) == DATA


@pytest.mark.parametrize("in_the_way", ["spool", "spool/received", "spool/tmp"])
def test_a_spool_that_cannot_be_written_is_a_passing_fault(tmp_path: Path, in_the_way: str) -> None:
    (tmp_path / in_the_way).parent.mkdir(exist_ok=True)
    (tmp_path / in_the_way).write_text("not a folder")
    with pytest.raises(TransientError, match="cannot be written") as caught:
        FileSpool(tmp_path / "spool", min_free_bytes=0).put_received(image(), DATA)
    assert caught.value.code == "RCV-005"


def test_a_file_that_has_gone_is_a_passing_fault(spool: FileSpool) -> None:
    file = spool.put_received(image(), DATA)
    spool.path(file).unlink()
    with pytest.raises(TransientError, match="cannot be read") as caught:
        spool.read(file)
    assert caught.value.code == "RCV-005"


def test_a_file_that_was_altered_is_not_handed_out(spool: FileSpool) -> None:
    file = spool.put_received(image(), DATA)
    spool.path(file).write_bytes(DATA[:-1] + b"\0")
    with pytest.raises(TransientError, match="not what was stored") as caught:
        spool.read(file)
    assert caught.value.code == "RCV-005"


def test_only_what_a_dead_process_left_half_written_is_discarded(spool: FileSpool, tmp_path: Path) -> None:
    kept = spool.put_received(image(), DATA)
    old, young = (tmp_path / "spool" / "tmp" / name for name in ("1-old", "2-young"))
    old.write_bytes(DATA)
    young.write_bytes(DATA)
    os.utime(old, (1, 1))
    assert spool.discard_unfinished(older_than_s=3600) == 1
    assert not old.exists()
    assert young.exists()
    assert spool.read(kept) == DATA


def test_what_a_killed_sender_left_beside_a_result_goes_with_what_was_half_written(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path, min_free_bytes=0)
    kept = spool.put_result(CaseId(3), "sr-case", b"a result")
    left = spool.path(kept).parent / ".sending-abc"
    left.mkdir()
    (left / "deflated").write_bytes(b"the same for a peer")
    assert spool.discard_unfinished(older_than_s=3600) == 0
    assert spool.discard_unfinished(older_than_s=-1) == 1
    assert not left.exists()
    assert spool.read(kept) == b"a result"


def test_a_flush_that_fails_is_not_tried_a_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the kernel tells of a write that was lost once; the next flush succeeds without the data
    spool, asked = FileSpool(tmp_path, min_free_bytes=0), []

    def flush(descriptor: int) -> None:
        asked.append(descriptor)
        if len(asked) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("node.adapters.spool.os.fdatasync", flush)
    with pytest.raises(TransientError, match="cannot be written"):
        spool.put_received(image(1), b"data")
    assert len(asked) == 1
