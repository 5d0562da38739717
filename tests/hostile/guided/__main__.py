"""python -m tests.hostile.guided --seconds N [--target NAME] [--corpus FOLDER] [--seed N]: search for readers' faults.

A finding is an exception that the reader does not promise, more than a second of processor time or 256 MB of memory for
one input, an internal error in the log, or a draft that stays behind. Each is made as small as it can be and kept with
what it says and with the command that brings it back.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.hostile.guided.campaign import Effort, Outcome, again, prepare, search
from tests.hostile.guided.catalogue import PLANTED, TARGETS

_ALL = {**TARGETS, PLANTED.name: PLANTED}


def main() -> int:
    parser = argparse.ArgumentParser(description="Search for the faults of what reads bytes of strangers.")
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--target", choices=list(_ALL), action="append", help="one reader; all when none is named")
    parser.add_argument("--corpus", type=Path, help="folder in which inputs are kept for the next search")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for what is found")
    parser.add_argument("--replay", type=Path, help="read this one input instead of searching")
    given = parser.parse_args()
    chosen = given.target or list(TARGETS)
    with tempfile.TemporaryDirectory(prefix="guided-") as name:
        folder = Path(name)
        prepare(folder)
        if given.replay is not None:
            told = [again(_ALL[target], folder, given.replay) for target in chosen]
            print("\n".join(told) or "nothing goes wrong")
            return 1 if any(told) else 0
        found = 0
        print("| Reader | Executions | Coverage | Features | Findings | Seconds |")
        print("| --- | --- | --- | --- | --- | --- |")
        for target in chosen:
            corpus = given.corpus.resolve() if given.corpus is not None else None
            outcome = search(_ALL[target], folder, Effort(given.seconds), seed=given.seed, corpus=corpus)
            print(_row(outcome), flush=True)
            found += len(outcome.findings)
            _tell(outcome, given.findings)
    return 1 if found else 0


def _row(outcome: Outcome) -> str:
    return (
        f"| {outcome.target} | {outcome.executions:,} | {outcome.coverage:,} | {outcome.features:,} | "
        f"{len(outcome.findings)} | {outcome.seconds:.0f} |"
    )


def _tell(outcome: Outcome, folder: Path) -> None:
    """Keep what was found, and print how each finding is brought back."""
    for file in outcome.findings:
        kept = folder / f"{outcome.target}-{file.name}"
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(file.read_bytes())
        told = next((one for one in (file.with_suffix(".txt"), Path(f"{file}.txt")) if one.exists()), None)
        print(told.read_text("utf-8") if told is not None else "", file=sys.stderr)
        print(f"python -m tests.hostile.guided --target {outcome.target} --replay {kept}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
