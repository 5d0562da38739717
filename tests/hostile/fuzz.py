"""Mutated objects and units against everything that reads bytes of strangers, in this process.

python -m tests.hostile.fuzz [--seconds N] [--seed S] [--target NAME]

By chance alone, for machines on which `tests.hostile.guided` has nothing to search with. A finding is an exception that
the reader does not promise, an answer that takes longer than a second, or a draft that stays behind. Each is printed
with the seed and the number that bring it back.
"""

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.guided.catalogue import TARGETS
from tests.hostile.guided.seeds import seeds_of, write_shared
from tests.hostile.mutations import mutated

_SLOW_S = 1.0


def target_of(name: str, folder: Path) -> Callable[[random.Random], None]:
    """A reader that is given mutations of what the search by coverage starts from; raises on a finding."""
    own, shared = folder / name, folder / "shared"
    own.mkdir(parents=True, exist_ok=True)
    if not shared.exists():
        write_shared(shared)
    read, seeds = TARGETS[name].load(own, shared), seeds_of(name)
    return lambda dice: read(mutated(dice.choice(seeds), dice))


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
    parser.add_argument("--target", choices=list(TARGETS))
    given = parser.parse_args()
    findings = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        chosen = [given.target] if given.target else list(TARGETS)
        for name in chosen:
            target = target_of(name, Path(folder))
            found = fuzz(target, name=name, seed=given.seed, seconds=given.seconds / len(chosen))
            print(
                f"{name:12} {found.executions:9} executions, slowest {found.slowest_s:.3f} s, {found.findings} findings"
            )
            findings += found.findings
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
