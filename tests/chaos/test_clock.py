"""A whole node whose clock is set while studies stream in: nothing is lost, done twice or stuck."""

import os
import random
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node.bootstrap.stores import open_stores
from node.faults import ENVIRONMENT
from pipelines.domain.case_state import CaseState
from tests.chaos.audit import audit
from tests.chaos.pacs import MoodyPacs
from tests.chaos.senders import Senders, make_study
from tests.tools import RunningNode, descendants, node, wait_for, write_config

_PLACE = "process.measured"
_DAY_S = 86400


class Clock:
    """The clock of the processes that are started meanwhile, but not of the test."""

    def __init__(self, folder: Path) -> None:
        compiler, program = shutil.which("cc"), folder / "clock.so"
        if compiler is None:
            pytest.skip("no C compiler is installed")
        source = Path(__file__).with_name("clock.c")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(program), str(source)], check=True)
        self._file = folder / "offset"
        self._file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(program), "CLOCK_OFFSET": str(self._file)}

    def set(self, ahead_s: int) -> None:
        """Let it be so far ahead of the true time."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", ahead_s))


def _computing(running: RunningNode) -> int:
    """The only child of the only worker."""
    for pid in descendants(running.process.pid):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        children = descendants(pid) if b"worker" in command else []
        if len(children) == 1:
            return children[0]
    pytest.fail("no worker computes")


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_clock_that_jumps_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, faults, pacs, dice = Clock(tmp_path), tmp_path / "faults", MoodyPacs(), random.Random(1)
    faults.mkdir()
    config = write_config(
        tmp_path / "node",
        destinations={"MOODY": ("MOODY", pacs.start())},
        peer={"commitment": True, "query": True, "timeout_s": 10},
        receive={"connections_per_minute": 0},
        queue={"lease_s": 3, "resubmit_after_s": 5, "max_attempts": 100, "worker_processes": 1},
        extraction={"verify_every": 0},
        outputs={"kinds": ["seg", "sr-features", "sr-case"]},
        delivery={"destinations": ["MOODY"], "commitment_timeout_s": 20, "commitment_hold_s": 1},
    )
    for name, value in {**clock.environment, ENVIRONMENT: str(faults)}.items():
        monkeypatch.setenv(name, value)
    with node(config) as running:
        for name in (*clock.environment, ENVIRONMENT):
            monkeypatch.delenv(name)
        ledger = open_stores(running.settings).ledger
        senders = Senders(running.port, seed=1, count=3)
        senders.start()

        def give(number: int) -> None:
            senders.give(make_study(number, tmp_path / "studies"), dice)

        def states() -> list[CaseState]:
            return [row.state for row in ledger.overview(limit=100).cases]

        def refused() -> int:
            return running.log.read_text().count("case_claim_lost")

        # ahead by a day, back by a year, and to the true time again
        for number, ahead_s in enumerate((_DAY_S, -365 * _DAY_S, 0)):
            (faults / _PLACE).write_text("HOLD")
            give(3 * number)
            held = faults / f"{_PLACE}.held"
            wait_for("a case in the midst of its work", held.exists)
            give(3 * number + 1)
            before = refused()
            with _stopped(_computing(running)):
                # the worker knows nothing of the jump, and cannot renew its lease
                clock.set(ahead_s)
                wait_for("its case taken from it", lambda: CaseState.RUNNING not in states())
            give(3 * number + 2)
            held.unlink()
            wait_for("its late result refused", lambda: refused() > before)  # noqa: B023
        wait_for("everything acknowledged", lambda: not senders.outstanding())

        def over() -> bool:
            found = states()
            return len(found) == senders.receipts.studies and set(found) == {CaseState.COMMITTED}

        wait_for("the end of all cases", over, timeout_s=600)
        senders.stop()
    pacs.stop()
    found = audit(running.settings, senders.receipts.acknowledged, pacs.kept)
    assert found.faults == []
    assert found.acknowledged == 9 * 7
    assert found.runs >= 9 + 3
    assert found.results == 9 * 2
