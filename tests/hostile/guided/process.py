"""The process that searches for the faults of one reader; libFuzzer owns it, and does not come back.

Not for people: `python -m tests.hostile.guided` starts it.
"""

import argparse
import hashlib
import random
import resource
import sys
import time
import traceback
import types
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path

from tests.hostile.guided.catalogue import PLANTED, TARGETS, Target
from tests.hostile.guided.elements import changed
from tests.hostile.mutations import mutated

SLOW_S = 1.0
"""Processor time that one input may take."""
LARGE_MB = 256
"""By how much the memory of the process may grow over one input."""
_LONGEST_REDUCTION_S = 90.0


def main() -> None:
    parser = argparse.ArgumentParser(description="Search for the faults of one reader.")
    parser.add_argument("target")
    parser.add_argument("--own", type=Path, required=True)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--findings", type=Path)
    parser.add_argument("--reduce", type=Path, nargs="*", help="make these findings smaller instead")
    given, options = parser.parse_known_args()
    target = {**TARGETS, PLANTED.name: PLANTED}[given.target]
    if given.reduce is not None:
        read = target.load(given.own, given.shared)
        for file in given.reduce:
            _reduce(read, file)
        return
    _search(target, given.own, given.shared, given.findings, options)


def signature_of(read: Callable[[bytes], None], data: bytes) -> tuple[str, str]:
    """What goes wrong with `data`: a word that is the same for the same fault, and a text; empty if nothing does."""
    # processor time, so that a busy machine is no finding
    before, peak = time.process_time(), _peak_mb()
    try:
        read(data)
    except Exception as fault:
        return _where(fault), traceback.format_exc()
    took, grown = time.process_time() - before, _peak_mb() - peak
    if took > SLOW_S:
        return "slow", f"{took:.1f} s of processor time\n"
    if grown > LARGE_MB:
        return "large", f"{grown} MB\n"
    return "", ""


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _where(fault: BaseException) -> str:
    """Kind of an exception and the last places of ours that it came through."""
    frames = traceback.extract_tb(fault.__traceback__)
    ours = [one for one in frames if "/node/" in one.filename or "/pipelines/" in one.filename]
    places = [*ours[-2:], frames[-1]]
    return " ".join([type(fault).__name__, *(f"{Path(one.filename).name}:{one.lineno}" for one in places)])


def _search(target: Target, own: Path, shared: Path, findings: Path, options: Sequence[str]) -> None:
    import atheris

    sys.meta_path.insert(0, _Instrumenting(target.instrumented, atheris.patch_code))
    read = target.load(own, shared)

    def one(data: bytes) -> None:
        signature, told = signature_of(read, data)
        if signature:
            _keep(findings, signature, told, data)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        dice = random.Random(seed)
        choice = dice.random()
        if target.elements and choice < 0.5:
            made = changed(data, dice)
            if made is not None:
                return made[:most]
        # by chance less than by what the comparisons in the reader have shown
        if choice > 0.85:
            return mutated(data, dice)[:most]
        native: bytes = atheris.Mutate(data, most)
        return native

    # a fault that is found does not end the search: each is kept once, and the search goes on
    atheris.Setup([sys.argv[0], *options], one, custom_mutator=mutate)
    atheris.Fuzz()


def _keep(folder: Path, signature: str, told: str, data: bytes) -> None:
    """Keep the shortest input of each fault."""
    name = hashlib.sha256(signature.encode()).hexdigest()[:12]
    file = folder / f"{name}.bin"
    if not file.exists() or file.stat().st_size > len(data):
        file.write_bytes(data)
        file.with_suffix(".txt").write_text(told, "utf-8")


def _reduce(read: Callable[[bytes], None], file: Path) -> None:
    """Cut out of an input whatever the fault does not need; remove it when there is no fault without instruments."""
    data = file.read_bytes()
    wanted, told = signature_of(read, data)
    if not wanted:
        file.unlink()
        file.with_suffix(".txt").unlink(missing_ok=True)
        return
    until = time.monotonic() + _LONGEST_REDUCTION_S
    size = len(data) // 2
    while size and wanted not in ("slow", "large"):
        at = 0
        while at < len(data) and time.monotonic() < until:
            shorter = data[:at] + data[at + size :]
            found = signature_of(read, shorter)
            if found[0] == wanted:
                data, told = shorter, found[1]
            else:
                at += size
        size //= 2
    file.write_bytes(data)
    file.with_suffix(".txt").write_text(told, "utf-8")


class _Instrumenting(MetaPathFinder):
    """Imports modules with counters in their branches; Atheris itself knows whole packages only."""

    def __init__(self, names: Sequence[str], patch: Callable[[types.CodeType, bool], types.CodeType]) -> None:
        self._names = names
        self._patch = patch

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if not any(fullname == name or fullname.startswith(f"{name}.") for name in self._names):
            return None
        found = PathFinder.find_spec(fullname, path)
        if found is not None and type(found.loader) is SourceFileLoader:
            found.loader = _Patched(found.loader.name, found.loader.path, self._patch)
        return found


class _Patched(SourceFileLoader):
    def __init__(self, name: str, path: str, patch: Callable[[types.CodeType, bool], types.CodeType]) -> None:
        super().__init__(name, path)
        self._patch = patch

    def get_code(self, fullname: str) -> types.CodeType | None:
        code = super().get_code(fullname)
        return None if code is None else self._patch(code, True)


if __name__ == "__main__":
    main()
