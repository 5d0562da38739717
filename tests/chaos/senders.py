"""Senders that stream studies in, over several associations, until everything has been acknowledged."""

import hashlib
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from node.adapters.association import PeerAddress
from node.adapters.store_client import connect
from pipelines.domain.reasons import Rejected
from tests.dicom import as_bytes, ct_series, seg_of
from tests.node.client import client, dataset_of, message

_SYNTAX = "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True)
class Sendable:
    """One instance as a file, and what of it must be found again."""

    path: Path
    sop_class: str
    sop_instance: str
    sha256: str
    """Of the data set."""


@dataclass(slots=True)
class Receipts:
    """What the senders were told.

    Attributes
    ----------
    acknowledged
        Instances that the node answered with success, by UID.
    answers
        How often each status came; `None` where the association ended without one.
    """

    acknowledged: dict[str, Sendable] = field(default_factory=dict)
    answers: Counter[int | None] = field(default_factory=Counter)
    studies: int = 0
    again: int = 0


def make_study(number: int, folder: Path) -> list[Sendable]:
    """A CT of six slices and a segmentation of it, under UIDs of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    ct = ct_series(slices=6, rows=24, columns=24, seed=number, patient_id=f"CHAOS-{number}")
    made = []
    for place, instance in enumerate((*ct, seg_of(ct))):
        data = as_bytes(instance)
        path = folder / f"{number}-{place}.dcm"
        path.write_bytes(data)
        digest = hashlib.sha256(dataset_of(data)).hexdigest()
        made.append(Sendable(path, str(instance.SOPClassUID), str(instance.SOPInstanceUID), digest))
    return made


class Senders:
    """Threads that send what is given to them, again and again until it is acknowledged."""

    def __init__(self, port: int, *, seed: int, count: int) -> None:
        self.receipts = Receipts()
        self._port = port
        self._waiting: queue.Queue[Sendable] = queue.Queue()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        # one of them speaks through pynetdicom, whose upper layer is not ours
        ways: list[Callable[[list[Sendable], random.Random], None]] = [self._by_pynetdicom, *[self._by_ours] * count]
        self._threads = [
            threading.Thread(target=self._work, args=(way, random.Random(f"{seed}-{n}")), daemon=True)
            for n, way in enumerate(ways[:count])
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def give(self, study: list[Sendable], dice: random.Random) -> None:
        """Send a study, its instances in any order."""
        self.receipts.studies += 1
        for one in dice.sample(study, len(study)):
            self._waiting.put(one)

    def outstanding(self) -> int:
        return self._waiting.unfinished_tasks

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _work(self, way: Callable[[list[Sendable], random.Random], None], dice: random.Random) -> None:
        while not self._stop.is_set():
            batch: list[Sendable] = []
            try:
                batch.append(self._waiting.get(timeout=0.2))
                while len(batch) < dice.randint(1, 8):
                    batch.append(self._waiting.get_nowait())
            except queue.Empty:
                pass
            if not batch:
                continue
            way(batch, dice)
            for one in batch:
                with self._lock:
                    done = one.sop_instance in self.receipts.acknowledged
                    repeat = done and dice.random() < 0.03
                    self.receipts.again += repeat
                if not done or repeat:
                    self._waiting.put(one)
                self._waiting.task_done()

    def _note(self, one: Sendable, status: int | None) -> None:
        with self._lock:
            self.receipts.answers[status] += 1
            if status == 0x0000:
                self.receipts.acknowledged[one.sop_instance] = one

    def _by_ours(self, batch: list[Sendable], dice: random.Random) -> None:
        address = PeerAddress("node", "PULMONODE", "127.0.0.1", self._port, 20)
        kinds = list(dict.fromkeys((one.sop_class, _SYNTAX) for one in batch))
        found = connect(f"SENDER{dice.randint(1, 4)}", address, kinds)
        if isinstance(found, Rejected):
            time.sleep(0.2)
            return
        for one in batch:
            if not found.alive:
                return
            self._note(one, found.store(one.path, (one.sop_class, _SYNTAX)))
        # some senders just go
        if dice.random() < 0.1:
            found.break_off()
        found.release()

    def _by_pynetdicom(self, batch: list[Sendable], dice: random.Random) -> None:
        messages = [message(one.path.read_bytes()) for one in batch]
        try:
            with client(self._port, *messages, calling="SENDER0") as sender:
                for one, sent in zip(batch, messages, strict=True):
                    self._note(one, sender.store(sent))
        except (AssertionError, RuntimeError, StopIteration):
            # no association, or it ended without an answer
            self._note(batch[0], None)
            time.sleep(0.2)
