"""Numbers of all processes in files of one folder, for whoever shows them together.

Each process has a slot: two files that it alone writes while it holds the lock of the slot. The next process to come
takes over a slot that was left, and counts on: the folder stays as small as the node once was large, and no number
falls when a process ends. A lock tells the truth across containers, too, where process numbers do not.
"""

import fcntl
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from node.meters import Stage

_BUCKETS_S: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 1800.0, float("inf"))
_OTHER: Final = "other"
# the client has types for some of its functions only
_MMAPED: Any = MmapedDict
_COLLECTOR: Any = MultiProcessCollector
_LIMIT: Any = floatToGoString

_ASSOCIATIONS: Final = ("pulmonode_associations_total", "Associations that others asked for.")
_OPEN: Final = ("pulmonode_associations_open", "Associations that are open now.")
_INSTANCES: Final = ("pulmonode_instances_received_total", "Instances that others sent, by the status they were told.")
_BYTES: Final = ("pulmonode_received_bytes_total", "Bytes of the instances that were stored.")
_SECONDS: Final = ("pulmonode_stage_seconds", "Seconds that a stage of the work took.")
_SENT: Final = ("pulmonode_results_sent_total", "Results that were offered to a destination.")
_COMMITMENTS: Final = ("pulmonode_commitment_objects_total", "Results whose keeping was asked for, promised, denied.")
_RESTARTS: Final = ("pulmonode_process_restarts_total", "Processes of the node that ended and were started again.")


@dataclass(frozen=True, slots=True)
class _Slot:
    """The files of one process."""

    process: int
    lock: int
    counters: Any
    gauges: Any
    histograms: Any
    stages: set[str] = field(default_factory=set)
    """Those whose buckets are all there."""


class MeterFiles:
    """The numbers of this process, made durable in `folder`.

    Parameters
    ----------
    sop_classes
        Those that are counted one by one; all others are counted together.
    """

    def __init__(self, folder: Path, *, sop_classes: Sequence[str] = ()) -> None:
        self._folder = folder
        self._sop_classes = frozenset(sop_classes)
        self._mutex = threading.Lock()
        self._slot: _Slot | None = None

    def association(self, outcome: str) -> None:
        self._count(_ASSOCIATIONS, {"outcome": outcome})

    def associations_open(self, change: int) -> None:
        with self._mutex:
            _add(self._mine().gauges, _key(_OPEN, ()), change)

    def received(self, sop_class: str, status: int, size: int) -> None:
        known = sop_class if sop_class in self._sop_classes else _OTHER
        with self._mutex:
            counters = self._mine().counters
            _add(counters, _key(_INSTANCES, (("sop_class", known), ("status", f"0x{status:04X}"))), 1)
            if size:
                _add(counters, _key(_BYTES, (("sop_class", known),)), size)

    @contextmanager
    def timing(self, stage: Stage) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self._time(stage, time.perf_counter() - began)

    def sent(self, destination: str, outcome: str) -> None:
        self._count(_SENT, {"destination": destination, "outcome": outcome})

    def commitment(self, destination: str, outcome: str, objects: int) -> None:
        self._count(_COMMITMENTS, {"destination": destination, "outcome": outcome}, objects)

    def restarted(self, process: str) -> None:
        self._count(_RESTARTS, {"process": process})

    def close(self) -> None:
        """Leave the slot to the next process."""
        with self._mutex:
            slot, self._slot = self._slot, None
        if slot is not None:
            for file in (slot.counters, slot.gauges, slot.histograms):
                file.close()
            os.close(slot.lock)

    def _count(self, what: tuple[str, str], labels: Mapping[str, str], number: float = 1) -> None:
        with self._mutex:
            _add(self._mine().counters, _key(what, tuple(labels.items())), number)

    def _time(self, stage: str, seconds: float) -> None:
        bucket = _BUCKETS_S[bisect_left(_BUCKETS_S, seconds)]
        with self._mutex:
            slot = self._mine()
            if stage not in slot.stages:
                slot.stages.add(stage)
                # every bucket is there from the start, or a quantile over them is wrong
                for limit in _BUCKETS_S:
                    _add(slot.histograms, _bucket_key(stage, limit), 0)
            _add(slot.histograms, _bucket_key(stage, bucket), 1)
            _add(slot.histograms, _key(_SECONDS, (("stage", stage),), "_sum"), seconds)

    def _mine(self) -> _Slot:
        """The slot of this process, taken at the first number; the lock must be held."""
        # a forked child must not write where its parent does
        if self._slot is None or self._slot.process != os.getpid():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            number, lock = _free_slot(self._folder)
            _clear_gauges(self._folder, number)
            files = [_MMAPED(str(path)) for path in _files(self._folder, number)]
            self._slot = _Slot(os.getpid(), lock, files[0], files[1], files[2])
        return self._slot


class MeterReader(Collector):
    """The numbers of all processes, as Prometheus' client reads them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        for lock_file in sorted(self._folder.glob("slot-*.lock")):
            _forget_the_dead(self._folder, lock_file)
        merged = _COLLECTOR.merge([str(path) for path in sorted(self._folder.glob("*.db"))])
        yield from merged


def _add(file: Any, key: str, number: float) -> None:
    value, _ = file.read_value(key)
    file.write_value(key, value + number, 0.0)


@lru_cache(maxsize=1024)
def _key(what: tuple[str, str], labels: tuple[tuple[str, str], ...], suffix: str = "") -> str:
    """How the client's files name a number; it is made anew for every instance otherwise."""
    name, told = what
    key: str = mmap_key(name, name + suffix, [label for label, _ in labels], [value for _, value in labels], told)
    return key


@lru_cache(maxsize=256)
def _bucket_key(stage: str, limit: float) -> str:
    return _key(_SECONDS, (("stage", stage), ("le", _LIMIT(limit))), "_bucket")


def _files(folder: Path, number: int) -> tuple[Path, Path, Path]:
    # the words before the numbers tell the reader how to add the files up
    kinds = ("counter", "gauge_livesum", "histogram")
    return (
        folder / f"{kinds[0]}_{number}.db",
        folder / f"{kinds[1]}_{number}.db",
        folder / f"{kinds[2]}_{number}.db",
    )


def _free_slot(folder: Path) -> tuple[int, int]:
    """Number and lock of the first slot that nobody holds."""
    number = 0
    while True:
        lock = os.open(folder / f"slot-{number}.lock", os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            number += 1
        else:
            return number, lock


def _clear_gauges(folder: Path, number: int) -> None:
    _files(folder, number)[1].unlink(missing_ok=True)


def _forget_the_dead(folder: Path, lock_file: Path) -> None:
    """What a process was doing when it died is done no more."""
    with suppress(OSError):
        lock = os.open(lock_file, os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _clear_gauges(folder, int(lock_file.stem.removeprefix("slot-")))
        finally:
            os.close(lock)
