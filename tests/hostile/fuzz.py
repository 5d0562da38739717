"""Mutated objects and units against everything that reads bytes of strangers, in this process.

python -m tests.hostile.fuzz [--seconds N] [--seed S] [--target NAME]

A finding is an exception that the reader does not promise, an answer that takes longer than a second, or a draft that
stays behind. Each is printed with the seed and the number that bring it back.
"""

import argparse
import random
import socket
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from node.adapters.dimse import parse_request, status_of
from node.adapters.spool import FileSpool
from node.adapters.store_association import Negotiated, StoreAssociation
from node.adapters.store_client import StoreClient
from node.adapters.upper_layer import ConnectionEnded, ProtocolError, Wire
from node.logs import Log
from node.ports import Receipt, Sender
from node.services.receive import Receiver
from pipelines.domain.instance import InstanceRef
from pipelines.domain.reasons import Rejected
from pipelines.imaging.header import parse_ref
from tests.dicom import as_bytes, ct_series, rtstruct_of, seg_of
from tests.hostile.wire import CT, EXPLICIT, command, unit, value
from tests.node.client import dataset_of
from tests.node.doubles import SetClock

_SLOW_S = 1.0
_BOUNDARIES = (0, 1, 2, 5, 6, 7, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_WORDS = (
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
    b"\xfe\xff\x0d\xe0\0\0\0\0",
    b"\xfe\xff\xdd\xe0\0\0\0\0",
    b"SQ\0\0\xff\xff\xff\xff",
    b"UN\0\0\xff\xff\xff\xff",
    b"1.2.840.10008.1.2.1.99",
    b"1.2.840.10008.1.2.2\0",
    b"1.2.840.10008.1.2\0",
    b"DICM",
    b"\\",
)


def mutated(data: bytes, dice: random.Random) -> bytes:
    """`data` with some bytes changed, moved, doubled, or replaced by what readers trip over."""
    made = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        at = dice.randrange(len(made) + 1)
        # most of what decides stands in front
        at = at if dice.random() < 0.5 else min(at, 600)
        match dice.randrange(7):
            case 0:
                made[at : at + 1] = bytes((dice.randrange(256),))
            case 1:
                number = dice.choice(_BOUNDARIES)
                made[at : at + 4] = struct.pack(dice.choice("<>") + "I", number)
            case 2:
                made[at : at + 2] = struct.pack(dice.choice("<>") + "H", dice.choice(_BOUNDARIES) & 0xFFFF)
            case 3:
                del made[at : at + dice.choice((1, 2, 4, 8, 100, len(made)))]
            case 4:
                made[at:at] = made[at : at + dice.choice((1, 8, 64, 1000))] * dice.choice((1, 2, 30))
            case 5:
                made[at:at] = dice.choice(_WORDS) * dice.choice((1, 1, 200))
            case 6:
                made[at:at] = dice.randbytes(dice.choice((1, 6, 50)))
    return bytes(made)


class Targets:
    """Everything that is fuzzed; each method takes a source of chance and raises on a finding."""

    def __init__(self, folder: Path) -> None:
        ct = ct_series(slices=4, rows=16, columns=16)
        self._files = [as_bytes(one) for one in (ct[0], seg_of(ct), rtstruct_of(ct))]
        self._spool = FileSpool(folder, min_free_bytes=0)
        self._spool.prepare()
        self._tmp = folder / "tmp"
        self._path = folder / "sent.dcm"
        self._path.write_bytes(self._files[0])
        self._receiver = Receiver(_NoFiles(self._spool), _NoLedger(), SetClock(), _Strict("fuzz"))  # type: ignore[arg-type]
        uid = str(ct[0].SOPInstanceUID)
        data_set = dataset_of(self._files[0])
        store = value(1, 3, command(CT, uid)) + value(1, 0, data_set[:300]) + value(1, 2, data_set[300:])
        echo = value(1, 3, command("1.2.840.10008.1.1", "", field=0x30, data_set=0x0101))
        self._stream = store + echo + store + unit(5, bytes(4))
        self._command = command(CT, uid)
        answer = struct.pack("<HHIH", 0, 0x0120, 2, 1) + struct.pack("<HHIH", 0, 0x0900, 2, 0)
        self._answer = value(1, 3, answer)
        self.all: dict[str, Callable[[random.Random], None]] = {
            "header": self.header,
            "association": self.association,
            "command": self.command,
            "response": self.response,
        }

    def header(self, dice: random.Random) -> None:
        found = parse_ref(mutated(dice.choice(self._files), dice))
        assert isinstance(found, InstanceRef | Rejected)

    def command(self, dice: random.Random) -> None:
        data = mutated(self._command, dice)
        for read in (parse_request, status_of):
            with suppress(ProtocolError):
                read(data)

    def association(self, dice: random.Random) -> None:
        data = mutated(self._stream, dice)

        def serve(wire: Wire) -> None:
            agreed = Negotiated(
                Sender("FUZZ", "NODE"), {1: (CT, EXPLICIT)}, max_pdu_bytes=131072, max_object_bytes=2**20
            )
            StoreAssociation(wire, agreed, self._receiver, _Strict("fuzz")).serve()

        self._over_a_wire(data, serve)
        assert not list(self._tmp.glob("*")), "a draft was left behind"

    def response(self, dice: random.Random) -> None:
        def ask(wire: Wire) -> None:
            status = StoreClient(wire, {(CT, EXPLICIT): 1}, 16384).store(self._path, (CT, EXPLICIT))
            assert status is None or 0 <= status <= 0xFFFF

        self._over_a_wire(mutated(self._answer, dice), ask)

    def _over_a_wire(self, data: bytes, act: Callable[[Wire], None]) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.settimeout(5)

            def feed() -> None:
                with suppress(OSError):
                    theirs.sendall(data)
                    theirs.shutdown(socket.SHUT_WR)

            def drain() -> None:
                with suppress(OSError):
                    while theirs.recv(65536):
                        continue

            # a small stream fits into the kernel's buffer
            threads = [Thread(target=drain, daemon=True)] + (
                [Thread(target=feed, daemon=True)] if len(data) > 60000 else []
            )
            if len(threads) == 1:
                feed()
            for thread in threads:
                thread.start()
            wire = Wire(ours, idle_s=5, unit_s=5)
            try:
                with suppress(ConnectionEnded):
                    act(wire)
            finally:
                wire.close()
                for thread in threads:
                    thread.join(5)


class _Strict(Log):
    """A log in which an error is a finding: the association answers bugs of ours with a status."""

    def error(self, event: str, **_: object) -> None:
        raise AssertionError(event)


class _NoFiles:
    """The spool's drafts, none of which is kept."""

    def __init__(self, spool: FileSpool) -> None:
        self._spool = spool

    def draft(self) -> Any:
        draft = self._spool.draft()
        draft.keep = lambda ref: None  # type: ignore[method-assign,assignment,return-value]
        return draft

    def path(self, file: object) -> Path:
        return Path("/")


class _NoLedger:
    """Believes everything."""

    def received(self, *_: object, **__: object) -> Receipt:
        return Receipt.NEW

    def refused(self, *_: object, **__: object) -> None:
        return None


@dataclass(slots=True)
class Result:
    """What came of one target."""

    executions: int = 0
    slowest_s: float = 0.0
    findings: int = 0


def fuzz(target: Callable[[random.Random], None], *, name: str, seed: int, seconds: float) -> Result:
    """Run `target` on ever new mutations for a while; findings are printed."""
    result, end = Result(), time.monotonic() + seconds
    while time.monotonic() < end:
        # processor time, so that a busy machine is no finding
        start = time.thread_time()
        try:
            target(random.Random(f"{seed}-{name}-{result.executions}"))
        except Exception:
            result.findings += 1
            print(f"{name} seed {seed} number {result.executions}:\n{traceback.format_exc()}")
        took = time.thread_time() - start
        if took > _SLOW_S:
            result.findings += 1
            print(f"{name} seed {seed} number {result.executions}: {took:.1f} s")
        result.slowest_s = max(result.slowest_s, took)
        result.executions += 1
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description="Mutate objects and units, and see who falls over them.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=["header", "association", "command", "response"])
    given = parser.parse_args()
    findings = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        targets = Targets(Path(folder)).all
        chosen = [given.target] if given.target else list(targets)
        for name in chosen:
            found = fuzz(targets[name], name=name, seed=given.seed, seconds=given.seconds / len(chosen))
            print(
                f"{name:12} {found.executions:9} executions, slowest {found.slowest_s:.3f} s, {found.findings} findings"
            )
            findings += found.findings
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
