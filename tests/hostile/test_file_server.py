"""A spool on a file server that fails, goes away and comes back: the sender keeps what was not taken."""

import hashlib
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from node.bootstrap.stores import open_stores
from pipelines.domain.case_state import CaseState
from tests.dicom import ct_series, seg_of
from tests.hostile.service import Service, service
from tests.node.client import Message, client, dataset_of, message
from tests.tools import RunningNode, descendants, free_port, listens, node, tool, wait_for, write_config

# mounting takes a right that not every machine for tests gives, so it is run on purpose where it is given
pytestmark = [
    pytest.mark.slow(reason="needs the right to mount a file system"),
    pytest.mark.skipif(os.geteuid() != 0, reason="no file system can be mounted here"),
]


class FileServer:
    """A folder that is mounted through FUSE by a server of the test, which does as it is told."""

    def __init__(self, folder: Path, mount: Path) -> None:
        self.mount = mount
        self._folder, self._mood = folder / "served", folder / "mood"
        self._folder.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.mount.mkdir(parents=True, exist_ok=True)
        program = Path(__file__).with_name("file_server.py")
        command = [tool("python3", "python3"), str(program), str(self._folder), str(self.mount), str(self._mood)]
        self._process = subprocess.Popen(command, start_new_session=True)
        wait_for("the file server", lambda: self.mount.is_mount() or self._process.poll() is not None)
        if not self.mount.is_mount():
            pytest.skip("fusepy (package python3-fusepy) is not installed, or nothing can be mounted here")

    def feel(self, error: str) -> None:
        """Fail with `error`, such as EIO or, in one operation only, `EIO fsync`; well again with an empty one."""
        written = self._mood.with_suffix(".new")
        written.write_text(error)
        written.rename(self._mood)

    def die(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.mount)], check=False, capture_output=True)


@contextmanager
def file_server(folder: Path, mount: Path) -> Iterator[FileServer]:
    served = FileServer(folder, mount)
    try:
        served.start()
        yield served
    finally:
        served.unmount()
        served.die()


def stored(receiving: Service, sent: Sequence[Message]) -> list[int | None]:
    """Statuses, over one association that still answers afterwards."""
    with client(receiving.port, *sent) as sender:
        statuses = [sender.store(one) for one in sent]
        assert sender.echo() == 0x0000
    return statuses


def digests(messages: Sequence[Message]) -> list[str]:
    return sorted(hashlib.sha256(one.dataset).hexdigest() for one in messages)


def kept(receiving: Service) -> list[str]:
    return sorted(hashlib.sha256(dataset_of(path.read_bytes())).hexdigest() for path in receiving.stored())


def test_a_file_server_that_fails_or_goes_costs_no_instance(tmp_path: Path) -> None:
    sent = [message(one) for one in ct_series(slices=24, rows=64, columns=64)]
    first, rest = sent[:4], sent[4:]
    data = tmp_path / "node" / "data"
    with (
        file_server(tmp_path / "server", data / "spool") as served,
        service(tmp_path / "node", node={"data_dir": str(data)}) as receiving,
    ):
        assert stored(receiving, first) == [0x0000] * len(first)
        for error in ("EIO", "ESTALE", "EIO fsync", "EIO write", "ESTALE create", "EIO getattr", "EIO fsyncdir"):
            served.feel(error)
            assert (error, set(stored(receiving, rest[:3]))) == (error, {0xA700})
        assert set(receiving.codes()) == {"RCV-005"}
        served.feel("")
        assert stored(receiving, rest[:10]) == [0x0000] * 10

        # the server dies: its mount answers nobody; then the mount goes too, and the folder beneath it is empty
        served.die()
        assert set(stored(receiving, rest)) == {0xA700}
        served.unmount()
        assert list(served.mount.iterdir()) == []
        assert set(stored(receiving, rest)) == {0xA700}
        assert receiving.codes()[-1] == "RCV-008"
        assert list(served.mount.iterdir()) == []

        served.start()
        assert stored(receiving, rest) == [0x0000] * len(rest)
        assert kept(receiving) == digests(sent)
        assert receiving.process.poll() is None
        assert not receiving.has_drafts()


class Mount:
    """`folder` under another name, which can be taken away; whoever has a file open there keeps it."""

    def __init__(self, folder: Path, name: Path) -> None:
        self.name = name
        self._folder = folder

    def come(self) -> None:
        self.name.mkdir(parents=True, exist_ok=True)
        command = ["mount", "--bind", str(self._folder), str(self.name)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("nothing can be mounted here")

    def go(self) -> None:
        subprocess.run(["umount", "-l", str(self.name)], capture_output=True, check=False)


def ready(port: int) -> dict[str, bool]:
    """What the node says of its readiness, check by check."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as refused:
        told = json.load(refused)
    except urllib.error.URLError:
        return {"monitor": False}
    return {name: one["ok"] for name, one in told["checks"].items()}


def metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def a_receiver(running: RunningNode) -> int:
    for pid in descendants(running.process.pid):
        if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[-2] == b"receiver":
            return pid
    pytest.fail("nobody receives")


@pytest.mark.parametrize("gone", ["spool", "."], ids=["the spool", "all data, ledger included"])
def test_a_node_whose_mount_goes_starts_no_new_life_in_the_folder_beneath(tmp_path: Path, gone: str) -> None:
    data, real, monitor = tmp_path / "data", tmp_path / "real", free_port()
    (real / "spool").mkdir(parents=True)
    config = write_config(
        tmp_path,
        node={"data_dir": str(data)},
        monitoring={"enabled": True, "port": monitor},
        receive={"processes": 1, "min_free_mb": 1, "connections_per_minute": 0},
        queue={"lease_s": 3, "resubmit_after_s": 5},
    )
    ct = ct_series(slices=8, rows=32, columns=32)
    sent = [message(one) for one in (*ct, seg_of(ct))]

    def store() -> set[int | None]:
        with client(port, *sent) as sender:
            return {sender.store(one) for one in sent}

    disk = Mount(real / gone, data / gone)
    with ExitStack() as stack:
        disk.come()
        stack.callback(disk.go)
        running = stack.enter_context(node(config))
        port = running.port
        with client(port, *sent) as sender:
            assert {sender.store(one) for one in sent[:4]} == {0x0000}
        wait_for("the node ready", lambda: all(ready(monitor).values()))

        disk.go()
        assert store() == {0xA700}
        assert not ready(monitor)["spool"]
        assert metric(monitor, "pulmonode_spool_up") == 0
        # a process that dies meanwhile finds the empty folder when it starts again
        os.kill(a_receiver(running), signal.SIGKILL)
        wait_for("a receiver that found no spool", lambda: running.log.read_text().count("process_ended") >= 2)
        assert not any((data / "spool").rglob("*"))
        assert (data / "ledger.sqlite3").exists() == (gone == "spool")

        disk.come()
        # its last sign of life may be younger than its death
        wait_for("somebody who receives again", lambda: listens(port))
        wait_for("the node ready again", lambda: all(ready(monitor).values()))
        assert store() == {0x0000}
        running.reaches(1, CaseState.REPORTED, CaseState.DELIVERED)
        listed = {one.sha256 for one in open_stores(running.settings).files.listed()}
        files = [path.read_bytes() for path in (data / "spool" / "received").rglob("*.dcm")]
        assert {hashlib.sha256(file).hexdigest() for file in files} <= listed
        assert sorted(hashlib.sha256(dataset_of(file)).hexdigest() for file in files) == digests(sent)
        assert running.command("verify").stdout == "0 faults.\n"
