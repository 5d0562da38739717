"""Two real processes that want the same thing all the time."""

import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from node.adapters.turns import Turns
from tests.tools import wait_for

_TAKE_TURNS = """
import sys, time
from node.adapters.turns import Turns
turns, name, count, hold = Turns(sys.argv[1], patience_s=60), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
with open(sys.argv[1] + ".log", "ab", buffering=0) as log:
    for _ in range(count):
        log.write(f"?{name}".encode())
        with turns.mine():
            log.write(f"+{name}".encode())
            time.sleep(hold)
            log.write(f"-{name}".encode())
"""


def taker(path: Path, name: str, count: int, hold_s: float) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", _TAKE_TURNS, str(path), name, str(count), str(hold_s)])


def test_who_waits_comes_before_who_comes_back_and_never_both_at_once(tmp_path: Path) -> None:
    path, log = tmp_path / "turns", tmp_path / "turns.log"
    # more turns than it will ever have: it is there as long as the other
    a = taker(path, "a", 10**6, 0.02)
    try:
        wait_for("the first turns", lambda: log.exists() and log.read_text().count("-a") > 3, every_s=0.01)
        b = taker(path, "b", 25, 0.02)
        assert b.wait(200) == 0
    finally:
        a.kill()
        a.wait()
    said = log.read_text()
    had = re.sub(r"\?.", "", said[: said.rindex("-b") + 2])
    assert had.replace("+a-a", "").replace("+b-b", "") == ""
    # how many turns the other had each time while this one wanted its own
    waited = [part.partition("+b")[0].count("+a") for part in said.split("?b")[1:]]
    assert len(waited) == 25
    assert said.count("+a") > 20
    # a busy machine lets it come late to the gate now and then
    assert statistics.median(waited) <= 1


def test_a_process_that_dies_gives_up_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "turns"
    holder = taker(path, "a", 1, 600)
    log = tmp_path / "turns.log"
    wait_for("its turn", lambda: log.exists() and log.read_bytes() == b"?a+a")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    began = time.monotonic()
    with Turns(str(path), patience_s=60).mine():
        assert time.monotonic() - began < 30


def test_who_has_waited_in_vain_goes_on_without(tmp_path: Path) -> None:
    path = tmp_path / "turns"
    holder = taker(path, "a", 1, 600)
    log = tmp_path / "turns.log"
    try:
        wait_for("its turn", lambda: log.exists() and log.read_bytes() == b"?a+a")
        mine = Turns(str(path), patience_s=0.3)
        for _ in range(2):
            began = time.monotonic()
            with mine.mine():
                assert time.monotonic() - began >= 0.3
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()


def test_where_no_files_can_be_made_nobody_waits(tmp_path: Path) -> None:
    done = []
    with Turns(str(tmp_path / "missing" / "turns"), patience_s=60).mine():
        done.append(True)
    assert done
    assert not list(tmp_path.iterdir())


def test_files_are_let_go_of_with_the_turns(tmp_path: Path) -> None:
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    for number in range(3):
        turns = Turns(str(tmp_path / f"t{number}"), patience_s=1)
        with turns.mine():
            pass
        del turns
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before
