"""Receiving beside DCMTK's storescp, Orthanc and pynetdicom: the same instances over the same wire, in turns.

    python -m benchmarks.ingest [--slices 500] [--associations 1 4 16] [--syntax native j2k] [--disk FOLDER]
                                [--rounds 2] [--receivers NAME ...] [--write FOLDER]

A sender with nothing to encode stores a CT series of noise over 1, 4 and 16 associations; every association sends the
whole series under UIDs of its own. Each receiver runs in processes of its own with an empty store in a folder on --disk
(default: the temporary folder). The table gives instances and MB a second, CPU seconds of the receiver per GB (children
included), the largest memory, and the ratio to the receivers that the goals name. DCMTK's server and Orthanc run with
TCP_NODELAY=1 in their environment and, as `-plain`, as they come.

`disk` is no receiver but a bound: as many threads as there are associations make the same bytes durable one instance
after the other, each in a file of its own under a name of its own, with no network, no digest and no ledger. Nothing
that keeps an instance in a file and waits for the disk before it answers gets much further on this disk in this minute.
"""

import argparse
import json
import os
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless

from benchmarks.pages import keep
from node.adapters.dimse import C_STORE_RQ, status_of
from tests.dicom import as_bytes, ct_series
from tests.node.client import dataset_of
from tests.tools import free_port, listens, wait_for

_PDU: Final = 131072
_DISK: Final = "disk"
_SYNTAXES: Final = {"native": str(ExplicitVRLittleEndian), "j2k": str(JPEG2000Lossless)}


@dataclass(frozen=True, slots=True)
class Row:
    """One receiver under one load."""

    receiver: str
    syntax: str
    associations: int
    instances_per_s: float
    mb_per_s: float
    cpu_s_per_gb: float
    rss_mb: float


# what is sent


def series(slices: int, syntax: str) -> tuple[list[bytes], list[str]]:
    """Data sets of a CT of 512 x 512 with 16 bits of noise, and their SOP Instance UIDs."""
    rng = np.random.default_rng(7)
    template = ct_series(slices=1, rows=512, columns=512)[0]
    data, uids = [], []
    for number in range(slices):
        image = Dataset()
        image.update(template)
        image.file_meta = template.file_meta
        image.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.{10_000_000 + number}.10"
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.InstanceNumber = number + 1
        image.PixelData = rng.integers(0, 4096, (512, 512), dtype=np.uint16).tobytes()
        copy = dcmread_of(image)
        if syntax == _SYNTAXES["j2k"]:
            # smoother than noise: such slices compress to about half
            copy.PixelData = (rng.integers(0, 64, (512, 512), dtype=np.uint16) + 1000).tobytes()
            copy.compress(JPEG2000Lossless, generate_instance_uid=False)
        data.append(dataset_of(as_bytes(copy)))
        uids.append(str(image.SOPInstanceUID))
    return data, uids


def dcmread_of(image: Dataset) -> Dataset:
    """A copy that shares nothing."""
    from io import BytesIO

    return dcmread(BytesIO(as_bytes(image)))


def renumbered(data: Sequence[bytes], uids: Sequence[str], association: int) -> list[tuple[bytes, bytes]]:
    """(SOP Instance UID, data set) with UIDs of one association; nothing else changes."""
    out = []
    for one, uid in zip(data, uids, strict=True):
        mine = f"{uid[:-2]}{association + 11}".encode()
        assert one.count(uid.encode()) == 1
        out.append((mine, one.replace(uid.encode(), mine)))
    return out


def _element(element: int, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHI", 0, element, len(value)) + value


def encoded(instance: bytes, dataset: bytes, context: int, message: int) -> bytes:
    """A C-STORE request as the bytes that go over the wire."""
    body = (
        _element(0x0002, str(CTImageStorage).encode())
        + _element(0x0100, struct.pack("<H", C_STORE_RQ))
        + _element(0x0110, struct.pack("<H", message))
        + _element(0x0700, b"\0\0")
        + _element(0x0800, b"\1\0")
        + _element(0x1000, instance)
    )
    command = _element(0x0000, struct.pack("<I", len(body))) + body
    units = [struct.pack(">BBIIBB", 4, 0, len(command) + 6, len(command) + 2, context, 3) + command]
    step = 16384 - 6 if _PDU < 16384 else _PDU - 6
    for start in range(0, len(dataset), step):
        part = dataset[start : start + step]
        last = 2 if start + step >= len(dataset) else 0
        units.append(struct.pack(">BBIIBB", 4, 0, len(part) + 6, len(part) + 2, context, last) + part)
    return b"".join(units)


def send(
    port: int, ae_title: str, instances: Sequence[tuple[bytes, bytes]], syntax: str, start: threading.Barrier
) -> None:
    """Store everything over one association; raises when an instance is not taken."""
    wire, context, longest = associate(port, ae_title, syntax)
    assert longest == 0 or longest >= _PDU, f"the receiver takes units of {longest} bytes only"
    ready = [encoded(uid, data, context, number % 65535 + 1) for number, (uid, data) in enumerate(instances)]
    start.wait()
    for unit in ready:
        wire.sendall(unit)
        status = response(wire)
        assert status == 0x0000, f"0x{status:04X}"
    wire.sendall(bytes((5, 0, 0, 0, 0, 4, 0, 0, 0, 0)))
    wire.close()


def associate(port: int, ae_title: str, syntax: str) -> tuple[socket.socket, int, int]:
    """A connection with one agreed presentation context; its ID and the longest unit that is taken."""

    def item(kind: int, body: bytes) -> bytes:
        return struct.pack(">BBH", kind, 0, len(body)) + body

    proposed = item(0x20, bytes((1, 0, 0, 0)) + item(0x30, str(CTImageStorage).encode()) + item(0x40, syntax.encode()))
    user = item(0x50, item(0x51, struct.pack(">I", _PDU)) + item(0x52, b"1.2.826.0.1.3680043.8.498.1"))
    body = struct.pack(">HH16s16s32x", 1, 0, ae_title.ljust(16).encode(), b"BLASTER         ")
    body += item(0x10, b"1.2.840.10008.3.1.1.1") + proposed + user
    wire = socket.create_connection(("127.0.0.1", port))
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.sendall(struct.pack(">BBI", 1, 0, len(body)) + body)
    kind, answer = unit_of(wire)
    assert kind == 2, f"no association: unit {kind}"
    accepted = answer.find(bytes((0x21, 0)))
    assert answer[accepted + 6] == 0, "the presentation context was refused"
    at = answer.find(bytes((0x51, 0, 0, 4)))
    return wire, 1, struct.unpack_from(">I", answer, at + 4)[0]


def unit_of(wire: socket.socket) -> tuple[int, bytes]:
    """The next unit: its type and content."""
    head = exactly(wire, 6)
    return head[0], exactly(wire, struct.unpack_from(">I", head, 2)[0])


def exactly(wire: socket.socket, count: int) -> bytes:
    """So many bytes."""
    data = b""
    while len(data) < count:
        part = wire.recv(count - len(data))
        assert part, "the connection was closed"
        data += part
    return data


def response(wire: socket.socket) -> int:
    """Status of a C-STORE response."""
    kind, body = unit_of(wire)
    assert kind == 4, f"unit {kind} instead of a response"
    _, status = status_of(body[6:])
    return status


# who receives


@contextmanager
def process(command: Sequence[str], port: int, folder: Path, environment: dict[str, str]) -> Iterator[int]:
    """A receiver that listens; its process ID."""
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **environment}, cwd=folder, start_new_session=True
        )
        try:
            wait_for("the receiver", lambda: listens(port) or running.poll() is not None)
            assert running.poll() is None, (folder / "log").read_text()
            yield running.pid
        finally:
            os.killpg(running.pid, signal.SIGTERM)
            running.wait(30)


def pulmonode(folder: Path, port: int) -> list[str]:
    """One receiving process of the node with its ledger."""
    config = folder / "node.toml"
    config.write_text(
        f'[node]\nae_title = "RECEIVER"\nport = {port}\ndata_dir = "{folder / "data"}"\n'
        '[receive]\nmin_free_mb = 10\n[log]\nlevel = "warning"\n'
    )
    return [sys.executable, "-m", "node", "--config", str(config), "role", "receiver"]


def pulmonode_twice(folder: Path, port: int) -> list[str]:
    """Two receiving processes on one port, as the node starts them by itself."""
    command = shlex.join(pulmonode(folder, port))
    return ["sh", "-c", f"{command} & exec {command}"]


def storescp(folder: Path, port: int) -> list[str]:
    """DCMTK's server, a process for each association; it waits for no disk."""
    (folder / "store").mkdir()
    return ["storescp", "--fork", "-pdu", str(_PDU), "-aet", "RECEIVER", "+xa", "-od", str(folder / "store"), str(port)]


def orthanc(folder: Path, port: int) -> list[str]:
    """Orthanc with its database, which waits for the disk."""
    (folder / "orthanc.json").write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder / "store"),
                "IndexDirectory": str(folder / "store"),
                "HttpServerEnabled": False,
                "DicomPort": port,
                "DicomAet": "RECEIVER",
                "SyncStorageArea": True,
                "MaximumPduLength": _PDU,
                "DicomThreadsCount": 16,
                "Plugins": [],
            }
        )
    )
    return ["Orthanc", str(folder / "orthanc.json")]


def stock_pynetdicom(folder: Path, port: int) -> list[str]:
    """The fastest that pynetdicom's own server can be made to be, and waits for the disk."""
    (folder / "store").mkdir()
    code = (
        "import os, sys\n"
        "from pynetdicom import AE, evt\n"
        "def store(event):\n"
        "    path = os.path.join(sys.argv[2], str(event.request.AffectedSOPInstanceUID))\n"
        "    with open(path, 'xb') as file:\n"
        "        file.write(event.encoded_dataset()); file.flush(); os.fdatasync(file.fileno())\n"
        "    return 0\n"
        "ae = AE('RECEIVER'); ae.maximum_associations = 64; ae.maximum_pdu_size = 131072\n"
        "ae.add_supported_context('1.2.840.10008.5.1.4.1.1.2', "
        "['1.2.840.10008.1.2.1', '1.2.840.10008.1.2.4.90'])\n"
        "ae.start_server(('127.0.0.1', int(sys.argv[1])), evt_handlers=[(evt.EVT_C_STORE, store)])\n"
    )
    return [sys.executable, "-c", code, str(port), str(folder / "store")]


_FAST: Final = {"TCP_NODELAY": "1"}
_RECEIVERS: Final[dict[str, tuple[Callable[[Path, int], list[str]], dict[str, str]]]] = {
    "pulmonode": (pulmonode, {}),
    "pulmonode-2": (pulmonode_twice, {}),
    "storescp": (storescp, _FAST),
    "storescp-plain": (storescp, {}),
    "orthanc": (orthanc, _FAST),
    "orthanc-plain": (orthanc, {}),
    "pynetdicom": (stock_pynetdicom, {}),
}


def usage(root: int) -> tuple[float, float]:
    """CPU seconds and memory in MB of a process and all below it, ended children included."""
    ticks, pages = 0, 0
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    wanted = [root]
    while wanted:
        pid = wanted.pop()
        wanted += parents.get(pid, [])
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(value) for value in fields[11:15])
        pages += int(fields[21])
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measured(name: str, disk: Path, loads: Sequence[Sequence[tuple[bytes, bytes]]], syntax: str) -> Row:
    """One receiver with a fresh store takes all loads at the same time."""
    make, environment = _RECEIVERS[name]
    with tempfile.TemporaryDirectory(dir=disk) as scratch:
        folder, port = Path(scratch), free_port()
        with process(make(folder, port), port, folder, environment) as pid:
            time.sleep(0.5)
            start = threading.Barrier(len(loads) + 1)
            faults: list[BaseException] = []

            def blast(load: Sequence[tuple[bytes, bytes]]) -> None:
                try:
                    send(port, "RECEIVER", load, syntax, start)
                except BaseException as fault:
                    faults.append(fault)
                    start.abort()

            threads = [threading.Thread(target=blast, args=(load,)) for load in loads]
            for thread in threads:
                thread.start()
            cpu_before, _ = usage(pid)
            start.wait()
            began = time.perf_counter()
            for thread in threads:
                thread.join()
            took = time.perf_counter() - began
            if faults:
                raise SystemExit(f"{name}: {faults[0]!r}; its log: {(folder / 'log').read_text()[-2000:]}")
            cpu, rss = usage(pid)
    count = sum(len(load) for load in loads)
    size = sum(len(data) for load in loads for _, data in load)
    return Row(name, syntax, len(loads), count / took, size / took / 1e6, (cpu - cpu_before) / (size / 1e9), rss)


def bound(disk: Path, loads: Sequence[Sequence[tuple[bytes, bytes]]], syntax: str) -> Row:
    """What the disk allows: every load written by a thread, each instance flushed before the next one begins."""
    with tempfile.TemporaryDirectory(dir=disk) as scratch:
        for number in range(256):
            Path(scratch, f"{number:02x}").mkdir()
        start = threading.Barrier(len(loads) + 1)
        faults: list[BaseException] = []

        def write(number: int, load: Sequence[tuple[bytes, bytes]]) -> None:
            try:
                start.wait()
                for count, (_, data) in enumerate(load):
                    make_durable(
                        data, f"{scratch}/draft-{number}", f"{scratch}/{(number + count) % 256:02x}", str(count)
                    )
            except BaseException as fault:
                faults.append(fault)
                start.abort()

        threads = [threading.Thread(target=write, args=one) for one in enumerate(loads)]
        for thread in threads:
            thread.start()
        start.wait()
        began, cpu_before = time.perf_counter(), time.process_time()
        for thread in threads:
            thread.join()
        took, cpu = time.perf_counter() - began, time.process_time() - cpu_before
    if faults:
        raise SystemExit(f"{_DISK}: {faults[0]!r}")
    count = sum(len(load) for load in loads)
    size = sum(len(data) for load in loads for _, data in load)
    return Row(_DISK, syntax, len(loads), count / took, size / took / 1e6, cpu / (size / 1e9), 0.0)


def make_durable(data: bytes, draft: str, folder: str, name: str) -> None:
    """A file and its name on the disk, by the calls that the node makes for them."""
    view = memoryview(data)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        while view:
            view = view[os.write(file, view[: _PDU - 6]) :]
        os.link(draft, f"{folder}/{Path(draft).name}-{name}")
        os.fdatasync(file)
        names = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(names)
        finally:
            os.close(names)
    finally:
        os.close(file)
    Path(draft).unlink()


def best(rows: Sequence[Row]) -> Row:
    """The round with the most instances a second."""
    return max(rows, key=lambda row: row.instances_per_s)


def report(rows: Sequence[Row]) -> str:
    """The table and the ratios, in Markdown."""
    lines = [
        "| syntax | associations | receiver | instances/s | MB/s | CPU s/GB | memory MB | pulmonode is |",
        "|---|---|---|---|---|---|---|---|",
    ]
    ours = {(row.syntax, row.associations): row for row in rows if row.receiver == "pulmonode"}
    for row in rows:
        mine = ours.get((row.syntax, row.associations))
        ratio = "" if mine is None or row is mine else f"{mine.instances_per_s / row.instances_per_s:.2f} x"
        lines.append(
            f"| {row.syntax} | {row.associations} | {row.receiver} | {row.instances_per_s:.0f} | {row.mb_per_s:.0f} | "
            f"{row.cpu_s_per_gb:.2f} | {f'{row.rss_mb:.0f}' if row.rss_mb else ''} | {ratio} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(prog="benchmarks.ingest")
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--syntax", choices=sorted(_SYNTAXES), nargs="+", default=["native"])
    parser.add_argument("--disk", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--receivers", choices=[*_RECEIVERS, _DISK], nargs="+", default=[*_RECEIVERS, _DISK])
    parser.add_argument("--write", type=Path, help="keep the table in FOLDER/benchmarks.md and ingest.json")
    chosen = parser.parse_args(arguments)
    rows = []
    for syntax in chosen.syntax:
        data, uids = series(chosen.slices, _SYNTAXES[syntax])
        for associations in chosen.associations:
            # as much in all however many associations there are, or the memory of the sender would not do
            share = max(1, chosen.slices // associations)
            loads = [renumbered(data[:share], uids[:share], number) for number in range(associations)]
            found: dict[str, list[Row]] = {name: [] for name in chosen.receivers}
            for _ in range(chosen.rounds):
                for name in chosen.receivers:  # in turns, so that what else the machine does hits all alike
                    if name == _DISK:
                        found[name].append(bound(chosen.disk, loads, _SYNTAXES[syntax]))
                    else:
                        found[name].append(measured(name, chosen.disk, loads, _SYNTAXES[syntax]))
            rows += [best(of_one) for of_one in found.values()]
            print(report(rows[-len(found) :]), flush=True)
    if chosen.write is not None:
        keep(chosen.write, "ingest", report(rows), rows)


if __name__ == "__main__":
    main()
