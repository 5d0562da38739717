"""Searches for the faults of readers, each in a process of its own, and what came of them."""

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.guided.catalogue import Target
from tests.hostile.guided.seeds import write_seeds, write_shared
from tests.hostile.guided.words import write_words

_ROOT = Path(__file__).parents[3]
_STATUS = re.compile(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+)", re.MULTILINE)
_SLOWEST_S = 30
_MOST_MB = 2048


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the search for the faults of one reader.

    Attributes
    ----------
    coverage, features
        Branches that were reached, and combinations of them with how often, as libFuzzer counts.
    findings
        Inputs that bring the faults back; a text of the same name beside each tells what goes wrong.
    """

    target: str
    seconds: float
    executions: int
    coverage: int
    features: int
    findings: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to search: until either limit is met, 0 for none."""

    seconds: int
    runs: int = 0


def prepare(folder: Path) -> None:
    """Write what all searches need."""
    write_shared(folder / "shared")
    write_words(folder / "words")


def search(target: Target, folder: Path, effort: Effort, *, seed: int, corpus: Path | None = None) -> Outcome:
    """Search for the faults of a reader.

    Parameters
    ----------
    folder
        That `prepare` has filled; findings are kept there under the name of the reader.
    corpus
        Where inputs that reach new branches are kept and taken up again, in a folder for each reader; by default they
        are forgotten.
    """
    own, findings, seeds = folder / "own" / target.name, folder / "findings" / target.name, folder / "seeds"
    kept = (corpus or folder / "corpus") / target.name
    for made in (own, findings, kept):
        made.mkdir(parents=True, exist_ok=True)
    write_seeds(target.name, seeds / target.name)
    start = time.monotonic()
    executions = coverage = features = round_ = 0
    while (left := effort.seconds - (time.monotonic() - start)) > 0 and (not effort.runs or executions < effort.runs):
        options = [
            str(kept),
            str(seeds / target.name),
            f"-dict={folder / 'words'}",
            f"-artifact_prefix={findings}/",
            f"-max_total_time={max(1, round(left))}",
            f"-max_len={target.most_bytes}",
            f"-timeout={_SLOWEST_S}",
            # what takes long on the clock alone is told of a busy machine
            f"-report_slow_units={_SLOWEST_S}",
            f"-rss_limit_mb={_MOST_MB}",
            f"-seed={seed + round_}",
            "-len_control=0",
            *([f"-runs={effort.runs - executions}"] if effort.runs else ()),
        ]
        done = _run(target, folder, "--findings", str(findings), *options)
        counted = [tuple(map(int, found)) for found in _STATUS.findall(done.stderr)]
        if not counted:
            raise RuntimeError(f"the search for {target.name} did not start:\n{done.stdout}{done.stderr}")
        executions += counted[-1][0]
        coverage, features = (max(one[part] for one in counted) for part in (1, 2))
        round_ += 1
        if done.returncode == 0:
            break
        # an input that hangs, or that takes all memory, ends the process; libFuzzer has kept it
        for broken in findings.glob("*-*"):
            if broken.suffix != ".txt":
                broken.with_name(f"{broken.name}.txt").write_text(done.stderr[-4000:], "utf-8")
    files = sorted(findings.glob("*.bin"))
    if files:
        _run(target, folder, "--reduce", *map(str, files))
    found = tuple(sorted(file for file in findings.iterdir() if file.suffix != ".txt"))
    return Outcome(target.name, time.monotonic() - start, executions, coverage, features, found)


def again(target: Target, folder: Path, file: Path) -> str:
    """What goes wrong with one input; empty if nothing does."""
    copy = folder / "again.bin"
    copy.write_bytes(file.read_bytes())
    (folder / "own" / target.name).mkdir(parents=True, exist_ok=True)
    try:
        done = _run(target, folder, "--reduce", str(copy), limit_s=10 * _SLOWEST_S)
    except subprocess.TimeoutExpired:
        return f"it does not come to an end within {10 * _SLOWEST_S} s\n"
    if done.returncode:
        return done.stderr
    told = copy.with_suffix(".txt")
    return told.read_text("utf-8") if copy.exists() else ""


def _run(target: Target, folder: Path, *more: str, limit_s: float | None = None) -> subprocess.CompletedProcess[str]:
    own = folder / "own" / target.name
    command = ["-m", "tests.hostile.guided.process", target.name, "--own", str(own), "--shared", str(folder / "shared")]
    arguments: Sequence[str] = [sys.executable, "-W", "ignore", *command, *more]
    return subprocess.run(
        arguments, cwd=_ROOT, capture_output=True, text=True, errors="replace", check=False, timeout=limit_s
    )
