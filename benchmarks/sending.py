"""Sending beside DCMTK's storescu and dcmsend and pynetdicom: the same files to the same server, in turns.

    python -m benchmarks.sending [--slices 500] [--rounds 3] [--disk FOLDER]

The server is DCMTK's `storescp --fork` (bit preserving, TCP_NODELAY=1). Times are of the whole program for DCMTK's
clients and of the transfer for the others, which are libraries; the start of a process is printed beside.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pydicom.uid import CTImageStorage
from pynetdicom import AE, _config

from benchmarks.ingest import process, series
from node.adapters.association import PeerAddress
from node.adapters.incoming import part10
from node.adapters.storage_scu import Sendable, StorageScu
from node.services.receive import Announced
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID
from tests.tools import free_port

_NATIVE: Final = "1.2.840.10008.1.2.1"


def ours(port: int, files: Sequence[Path], associations: int) -> None:
    """The node's own sender."""
    peer = PeerAddress("peer", "RECEIVER", "127.0.0.1", port, 30.0, associations=associations)
    offered = [Sendable(path, str(CTImageStorage), _NATIVE) for path in files]
    for sent in StorageScu("BENCHMARK", [peer], lambda file: Path(file.path)).send_files(peer, offered):
        assert sent.fault is None, sent.fault


def pynetdicom(port: int, files: Sequence[Path]) -> None:
    """pynetdicom's sender, piece by piece from the file."""
    _config.STORE_SEND_CHUNKED_DATASET = True
    ae = AE("BENCHMARK")
    ae.add_requested_context(CTImageStorage, _NATIVE)
    association = ae.associate("127.0.0.1", port, ae_title="RECEIVER")
    for path in files:
        assert association.send_c_store(path).Status == 0x0000
    association.release()


def program(*command: str) -> Callable[[int, Sequence[Path]], None]:
    """One of DCMTK's clients over the folder of the files."""

    def run(port: int, files: Sequence[Path]) -> None:
        call = [*command, "127.0.0.1", str(port), *map(str, files)]
        subprocess.run(call, check=True, capture_output=True, env={"TCP_NODELAY": "1", "PATH": "/usr/bin:/bin"})

    return run


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(prog="benchmarks.sending")
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--disk", type=Path, default=Path(tempfile.gettempdir()))
    chosen = parser.parse_args(arguments)
    senders: dict[str, Callable[[int, Sequence[Path]], None]] = {
        "pulmonode": lambda port, files: ours(port, files, 1),
        "pulmonode, 4 associations": lambda port, files: ours(port, files, 4),
        "storescu": program("storescu", "-xe", "-aec", "RECEIVER", "-pdu", "131072"),
        "dcmsend": program("dcmsend", "-aec", "RECEIVER", "-pdu", "131072"),
        "pynetdicom": pynetdicom,
    }
    with tempfile.TemporaryDirectory(dir=chosen.disk) as scratch:
        folder, port = Path(scratch), free_port()
        files = write(folder / "files", chosen.slices)
        (folder / "store").mkdir()
        server = ["storescp", "--fork", "+B", "+xa", "-pdu", "131072", "-od", str(folder / "store"), str(port)]
        best = dict.fromkeys(senders, float("inf"))
        with process(server, port, folder, {"TCP_NODELAY": "1"}):
            for _ in range(chosen.rounds):
                for name, send in senders.items():  # in turns, so that what else the machine does hits all alike
                    for kept in (folder / "store").iterdir():
                        kept.unlink()
                    began = time.perf_counter()
                    send(port, files)
                    best[name] = min(best[name], time.perf_counter() - began)
    print("| sender | instances/s | pulmonode is |")
    print("|---|---|---|")
    for name, took in best.items():
        print(f"| {name} | {len(files) / took:.0f} | {took / best['pulmonode']:.2f} x |")


def write(folder: Path, slices: int) -> list[Path]:
    """The series as files."""
    folder.mkdir()
    data, uids = series(slices, _NATIVE)
    paths = []
    for number, (dataset, uid) in enumerate(zip(data, uids, strict=True)):
        path = folder / f"{number:04}.dcm"
        path.write_bytes(part10(Announced(SopClassUID(CTImageStorage), SopInstanceUID(uid)), _NATIVE, dataset))
        paths.append(path)
    return paths


if __name__ == "__main__":
    main()
