"""How many cases an hour one, two and four workers compute that share Redis, PostgreSQL and the spool.

    python -m benchmarks.scaling [--workers 1 2 4] [--cases 24] [--slices 60] [--disk FOLDER] [--write FOLDER]

A round begins with an empty node without a dispatcher: all studies (a CT of 512 x 512 and a segmentation with one
lesion of 20 ml, each) are received while the workers, one process each, wait; then the dispatcher hands all cases out
at once. Two cases for each worker go before, so that nobody still loads libraries. Time runs from the first case that a
worker takes to the last whose results are made, by the ledger's history. Workers and servers are processes of this
machine, so that more of them than it has cores cannot gain.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.ingest import usage
from benchmarks.pages import keep
from node.adapters.association import PeerAddress
from node.adapters.storage_scu import Sendable, StorageScu
from node.bootstrap.stores import open_stores
from node.ports import CaseDetail
from node.settings import Settings, load_settings
from pipelines.domain.case_state import CaseState
from tests.dicom import as_bytes, ct_series, seg_of
from tests.node.postgres import empty_database, postgresql
from tests.tools import ENDED, redis, running, wait_for, write_config

_NATIVE: Final = "1.2.840.10008.1.2.1"
_PATIENCE_S: Final = 1800.0
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Row:
    """So many workers, and what they did."""

    workers: int
    cases: int
    seconds: float
    cpu_s_per_case: float
    """Of the workers and their children."""

    @property
    def cases_per_hour(self) -> float:
        return 3600 * self.cases / self.seconds


def study(number: int, slices: int, folder: Path) -> list[Sendable]:
    """A CT and a segmentation of its own, as files."""
    ct = ct_series(
        slices=slices, rows=512, columns=512, spacing_mm=(0.8, 0.8, 2.5), seed=number, patient_id=f"SCALE-{number}"
    )
    k, r, c = np.meshgrid(*(np.arange(size) - size / 2 for size in (slices, 512, 512)), indexing="ij", sparse=True)
    ball = (k * 2.5) ** 2 + (r * 0.8) ** 2 + (c * 0.8) ** 2 <= 16.8**2
    made = []
    for place, instance in enumerate((*ct, seg_of(ct, {1: ball}))):
        path = folder / f"{number}-{place:03}.dcm"
        path.write_bytes(as_bytes(instance))
        made.append(Sendable(path, str(instance.SOPClassUID), _NATIVE))
    return made


def measured(workers: int, studies: Sequence[Sequence[Sendable]], disk: Path) -> Row:
    """All studies by so many workers; the first ones, two for each, only warm them up."""
    warming = 2 * workers
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=disk)))
        config = write_config(
            folder,
            queue={"broker": stack.enter_context(redis(folder / "redis")), "worker_processes": 1},
            ledger={"url": empty_database(stack.enter_context(postgresql()), "scaling")},
            extraction={"verify_every": 0},
            log={"format": "json"},
        )
        settings = load_settings(config, environment={})
        logs = [folder / f"worker-{number}.log" for number in range(workers)]
        pids = [stack.enter_context(running(_role(config, "worker"), log)).pid for log in logs]
        wait_for("the workers", lambda: all('"working"' in log.read_text() for log in logs))
        compute(settings, config, studies[:warming], warming)
        before = sum(usage(pid)[0] for pid in pids)
        details = compute(settings, config, studies[warming:], len(studies))[warming:]
        spent = sum(usage(pid)[0] for pid in pids) - before
    began, ended = zip(*(times(detail) for detail in details), strict=True)
    return Row(workers, len(details), (max(ended) - min(began)).total_seconds(), spent / len(details))


def compute(settings: Settings, config: Path, studies: Sequence[Sequence[Sendable]], in_all: int) -> list[CaseDetail]:
    """Receive the studies, then hand them out, until the node has done `in_all` cases; all of those, by number."""
    receive(settings, config, studies)
    with running(_role(config, "dispatcher"), config.with_name("dispatcher.log")):
        found: list[CaseDetail] = wait_for("the cases", lambda: _all_ended(settings, in_all), timeout_s=_PATIENCE_S)
    return found


def receive(settings: Settings, config: Path, studies: Sequence[Sequence[Sendable]]) -> None:
    """Store all instances at the node, which has nothing but its receiving process yet."""
    port = settings.node.port
    with running(_role(config, "receiver"), config.with_name("receiver.log"), port=port):
        peer = PeerAddress("node", settings.node.ae_title, "127.0.0.1", port, 60.0, associations=4)
        files = [one for made in studies for one in made]
        for sent in StorageScu("BENCHMARK", [peer], lambda file: Path(file.path)).send_files(peer, files):
            assert sent.fault is None, sent.fault


def times(detail: CaseDetail) -> tuple[datetime, datetime]:
    """When a worker took the case, and when its results were made; raises when it did not come to that."""
    by_state = {event.state: event.at for event in reversed(detail.events)}
    if CaseState.REPORTED not in by_state:
        raise SystemExit(f"case {detail.row.case} ended as {detail.row.state}: {detail.row.reason}")
    return by_state[CaseState.RUNNING], by_state[CaseState.REPORTED]


def _all_ended(settings: Settings, count: int) -> list[CaseDetail] | None:
    ledger = open_stores(settings).ledger
    rows = ledger.overview(limit=count).cases
    done = ENDED | {CaseState.REPORTED}
    if len(rows) < count or any(row.state not in done for row in rows):
        return None
    found = [ledger.detail(row.case) for row in sorted(rows, key=lambda row: row.case)]
    return [detail for detail in found if detail is not None]


def _role(config: Path, role: str) -> list[str]:
    return [sys.executable, "-m", "node", "--config", str(config), "role", role]


def report(rows: Sequence[Row]) -> str:
    """The table in Markdown."""
    lines = [
        "| workers | cases | seconds | cases an hour | of one worker | CPU s a case |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.workers} | {row.cases} | {row.seconds:.1f} | {row.cases_per_hour:.0f} "
            f"| {row.cases_per_hour / rows[0].cases_per_hour:.2f} × | {row.cpu_s_per_case:.2f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(prog="benchmarks.scaling")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--slices", type=int, default=60)
    parser.add_argument("--disk", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--write", type=Path, help="keep the table in FOLDER/benchmarks.md and scaling.json")
    chosen = parser.parse_args(arguments)
    # the processes inherit it; each worker is one process, and one core is what it may use
    os.environ |= _ONE_THREAD
    with tempfile.TemporaryDirectory(dir=chosen.disk) as scratch:
        studies = [
            study(number, chosen.slices, Path(scratch))
            for number in range(1, chosen.cases + 2 * max(chosen.workers) + 1)
        ]
        rows = []
        for workers in chosen.workers:
            rows.append(measured(workers, studies[: chosen.cases + 2 * workers], chosen.disk))
            print(report(rows), flush=True)
    if chosen.write is not None:
        keep(chosen.write, "scaling", report(rows), rows)


if __name__ == "__main__":
    main()
