import os
import signal
import time
from contextlib import closing
from pathlib import Path

from node.commands.extract.pool import run_all


def doubled(number: int) -> int:
    """Dies of 7, as a decoder with a fault would."""
    if number == 7:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGSEGV)
    return 2 * number


def test_a_task_that_kills_its_process_costs_no_other() -> None:
    with closing(run_all(doubled, range(12), 3)) as results:
        found = dict(results)
    assert found == {number: None if number == 7 else 2 * number for number in range(12)}


def test_what_runs_is_stopped_when_nobody_wants_it_any_more(tmp_path: Path) -> None:
    started = time.monotonic()
    results = run_all(_first_fast, [("", 0.0), (str(tmp_path / "late"), 600.0)], 2)
    assert next(results) == (("", 0.0), "")
    results.close()
    assert time.monotonic() - started < 280
    assert not (tmp_path / "late").exists()


def _first_fast(task: tuple[str, float]) -> str:
    path, seconds = task
    time.sleep(seconds)
    if path:
        Path(path).touch()
    return path
