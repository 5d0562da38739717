"""Keeping processes running, with real ones that live for a moment."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from node.logs import Log
from node.services.supervise import WRONGLY_CONFIGURED, Supervisor, _die_with
from tests.tools import descendants, wait_for

SLEEPS = ("sleep", "300")


def python(code: str, *arguments: object) -> list[str]:
    """A process that runs `code`."""
    return [sys.executable, "-c", code, *map(str, arguments)]


def notes(path: Path) -> list[float]:
    """The times that processes wrote into `path`, one a line."""
    return [float(line) for line in path.read_text().split()] if path.exists() else []


NOTE_TIME = "import sys, time; open(sys.argv[1], 'a').write(f'{time.monotonic()}\\n')"
DIE = f"{NOTE_TIME}; sys.exit(1)"
STAY = f"{NOTE_TIME}; time.sleep(300)"
# deaf to SIGTERM, and with a child of its own whose number it writes down
DEAF_WITH_CHILD = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "300"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(300)
"""


class Running:
    """A supervisor at work in a thread."""

    def __init__(self, commands: Mapping[str, Sequence[str]], grace_s: float = 200) -> None:
        self.stop = threading.Event()
        self.code: int | None = None
        self.supervisor = Supervisor(commands, Log("serve"), grace_s=grace_s)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        self.code = self.supervisor.run(self.stop)

    def end(self, timeout_s: float = 250) -> int | None:
        self.stop.set()
        self.thread.join(timeout_s)
        assert not self.thread.is_alive()
        return self.code


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(commands: Mapping[str, Sequence[str]], grace_s: float = 200) -> Running:
        started.append(Running(commands, grace_s))
        return started[-1]

    yield start
    for one in started:
        one.end()


def alive(pid: int) -> bool:
    """True for a process that is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_all_processes_run_until_they_are_told_to_stop(run: Callable[..., Running]) -> None:
    before = set(descendants(os.getpid()))
    node = run({"one": SLEEPS, "two": SLEEPS})

    def started() -> list[int]:
        return [pid for pid in descendants(os.getpid()) if pid not in before]

    wait_for("two processes", lambda: len(started()) == 2)
    began = time.monotonic()
    assert node.end() == 0
    # they were not killed when the grace was over
    assert time.monotonic() - began < 150
    assert started() == []


def test_a_process_that_dies_is_started_again_after_growing_pauses(run: Callable[..., Running], tmp_path: Path) -> None:
    run({"dies": python(DIE, tmp_path / "dies"), "stays": python(STAY, tmp_path / "stays")})
    wait_for("three starts", lambda: len(notes(tmp_path / "dies")) >= 3)
    first, second = [after - before for before, after in itertools.pairwise(notes(tmp_path / "dies")[:3])]
    # from one note to the next, a process has to end and another to begin as well
    assert first >= 1.0
    assert second >= 2.0
    assert len(wait_for("the start of the other", lambda: notes(tmp_path / "stays"))) == 1


def test_a_process_that_is_killed_is_started_again(run: Callable[..., Running], tmp_path: Path) -> None:
    code = "import os, sys; open(sys.argv[1], 'a').write('0 '); os.kill(os.getpid(), 9)"
    run({"killed": python(code, tmp_path / "killed")})
    wait_for("two starts", lambda: len(notes(tmp_path / "killed")) >= 2)


def test_a_process_that_is_wrongly_configured_takes_the_others_with_it(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    before = set(descendants(os.getpid()))
    node = run({"stays": SLEEPS, "wrong": python(f"import sys; sys.exit({WRONGLY_CONFIGURED})")})
    node.thread.join(250)
    assert node.code == WRONGLY_CONFIGURED
    assert set(descendants(os.getpid())) <= before


def test_a_process_that_does_not_hear_is_killed_with_its_children_when_the_grace_is_over(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    node = run({"deaf": python(DEAF_WITH_CHILD, tmp_path / "child")}, grace_s=1)
    wait_for("the child", lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    child = int((tmp_path / "child").read_text())
    began = time.monotonic()
    assert node.end() == 0
    assert 0.8 < time.monotonic() - began < 150
    wait_for("the end of the child", lambda: not alive(child))


def test_when_the_supervisor_is_killed_its_processes_end(tmp_path: Path) -> None:
    code = """
import threading
from node.logs import Log
from node.services.supervise import Supervisor
Supervisor({"one": ["sleep", "300"], "two": ["sleep", "300"]}, Log("serve")).run(threading.Event())
"""
    supervisor = subprocess.Popen(python(code), cwd=Path(__file__).parents[3])
    try:

        def two() -> list[int]:
            found = descendants(supervisor.pid)
            return found if len(found) == 2 else []

        children = wait_for("two processes", two)
    finally:
        supervisor.send_signal(signal.SIGKILL)
        supervisor.wait()
    wait_for("their end", lambda: not any(alive(pid) for pid in children))


def test_a_command_that_cannot_be_started_does_not_take_the_others_with_it(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    node = run({"missing": [str(tmp_path / "no such program")], "stays": python(STAY, tmp_path / "stays")})
    wait_for("the start", lambda: notes(tmp_path / "stays"))
    assert node.thread.is_alive()
    assert node.end() == 0


def test_it_is_told_which_processes_end_again_and_again(tmp_path: Path) -> None:
    told: list[frozenset[str]] = []
    stop = threading.Event()

    def unwell(names: frozenset[str]) -> None:
        told.append(names)
        if names:
            stop.set()

    commands = {
        "lame": [sys.executable, "-c", "raise SystemExit(1)"],
        "well": [sys.executable, "-c", "import time; time.sleep(300)"],
    }
    Supervisor(commands, Log("test"), grace_s=200, unwell=unwell).run(stop)
    assert told == [frozenset(), frozenset({"lame"})]


def test_a_process_whose_supervisor_died_before_it_could_ask_about_him_ends_at_once() -> None:
    # the one that is asked for is never the parent, as after the death of the supervisor
    for parent, code in ((os.getpid(), 0), (os.getpid() + 1, 1)):
        child = os.fork()
        if child == 0:
            _die_with(parent)()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
