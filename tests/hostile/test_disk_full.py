"""A disk that is full: the sender keeps what was not taken, and everything goes on when there is room again."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.dicom import ct_series
from tests.hostile.service import service
from tests.node.client import client, dataset_of, message

_MB = 2**20


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Path]:
    """A file system of `size_mb` of its own."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "chaos", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


# mounting takes a right that not every machine for tests gives, so it is run on purpose where it is given
@pytest.mark.slow(reason="needs the right to mount a file system")
@pytest.mark.skipif(os.geteuid() != 0, reason="no file system can be mounted here")
@pytest.mark.parametrize(("min_free_mb", "taken_mb"), [(0, 19), (8, 12)], ids=["to the last byte", "to the limit"])
def test_a_full_disk_refuses_and_recovers(tmp_path: Path, min_free_mb: int, taken_mb: int) -> None:
    sent = [message(one) for one in ct_series(slices=60, rows=256, columns=256)]
    with small_disk(tmp_path / "disk", 24) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(taken_mb * _MB))
        sections = {"node": {"data_dir": str(disk / "data")}, "receive": {"min_free_mb": min_free_mb}}
        with service(tmp_path / "node", **sections) as node:
            with client(node.port, *sent) as sender:
                first = [sender.store(one) for one in sent]
                # the association lives on, and answers
                assert sender.echo() == 0x0000
            assert set(first) == {0x0000, 0xA700}
            taken = [one for one, status in zip(sent, first, strict=True) if status == 0x0000]
            _kept(node.stored(), [one.dataset for one in taken])
            assert not node.has_drafts()
            assert {"RCV-003", "RCV-005"} & set(node.codes())
            ballast.unlink()
            with client(node.port, *sent) as sender:
                assert [sender.store(one) for one in sent] == [0x0000] * len(sent)
            _kept(node.stored(), [one.dataset for one in sent])


def _kept(files: set[Path], data_sets: list[bytes]) -> None:
    found = {hashlib.sha256(dataset_of(path.read_bytes())).hexdigest() for path in files}
    assert {hashlib.sha256(one).hexdigest() for one in data_sets} <= found
