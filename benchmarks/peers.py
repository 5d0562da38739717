"""Other radiomics programs beside the fast engine: each in a process of its own Python, ours in this one."""

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import lesions
from pipelines.domain.case import Lesion
from pipelines.domain.volume import CtVolume
from pipelines.extraction import fast
from pipelines.extraction.memory import Memory
from pipelines.extraction.settings import ExtractionSettings

PEERS_HEAD: Final = (
    """\
Peers: the median of three runs after a first one on the same lesion, on one core. A peer is one process for all
lesions, and the fast engine is measured just before and just after it, so that both meet the same conditions; it keeps
its memory from run to run, as the node does for the lesions of a case. That is done up to five times, unless a minute
is over before; the table has the medians, the least and the most. All get the decoded CT and the mask as arrays.
pictologics makes the same 14 images on a grid of 1 mm and discretises each with the same width from a multiple of it
on, as PyRadiomics does. The filters are its own: its Laplacians end at 4 sigma. It merges the thirteen directions into
one matrix, and adds neighbourhood grey tone differences, distance zones and an intensity histogram. So the numbers tell
what a user waits for, not how fast each feature is.

"""
    "| case | program | features | its time | fast, before and after it | in times of fast | least to most |\n|"
    + "---|"
    * 7
)
# of the fast engine, before the peer and after it
_RUNS: Final = 9
# of both
_ROUNDS: Final = 5
_LONG_S: Final = 60.0


class Peer:
    """A program that is started for its first lesion and again after a failure; see benchmarks/peer.py."""

    def __init__(self, name: str, python: str, minutes: float) -> None:
        self.name = name
        self._command = [python, str(Path(__file__).with_name("peer.py")), name, str(round(60 * minutes))]
        self._process: subprocess.Popen[str] | None = None

    def answer(self, case: Path) -> dict[str, float | str]:
        """What the program took for the lesion in `case`, or its error."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"},
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(case, file=self._process.stdin, flush=True)
        # it may print other things of its own
        for line in self._process.stdout:
            if line.startswith("{"):
                found: dict[str, float | str] = json.loads(line)
                return found
        self.close()
        return {"error": "ended, by its limit of time or memory"}

    def close(self) -> None:
        """End the program."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def measure_peer(peer: Peer, source: str, settings: ExtractionSettings) -> dict[str, float | str]:
    """CPU seconds of a peer for a lesion, those of the fast engine just before and just after it, and their ratio."""
    ct, lesion = lesions.source(source)
    rounds: list[tuple[dict[str, float | str], float]] = []
    with tempfile.TemporaryDirectory() as folder:
        case = Path(folder) / "case.npz"
        mask = lesion.mask.on(ct.grid).astype(np.uint8)
        np.savez(case, hu=ct.hu[:], mask=mask, spacing=np.array(ct.grid.spacing_mm))
        room, start = Memory(), time.monotonic()
        _seconds(ct, lesion, settings, room)
        while len(rounds) < _ROUNDS and time.monotonic() - start < _LONG_S:
            own = [_seconds(ct, lesion, settings, room) for _ in range(_RUNS)]
            found = peer.answer(case)
            own += [_seconds(ct, lesion, settings, room) for _ in range(_RUNS)]
            rounds.append((found, statistics.median(own)))
            if "error" in found:
                return {f"{peer.name}_error": found["error"], f"{peer.name}_fast_s": rounds[-1][1]}
    seconds = [float(found["cpu_s"]) for found, _ in rounds]
    ratios = [its / own for its, (_, own) in zip(seconds, rounds, strict=True)]
    measured = {
        "cpu_s": statistics.median(seconds),
        "features": rounds[0][0]["features"],
        "fast_s": statistics.median(own for _, own in rounds),
        "ratio": statistics.median(ratios),
        "least_ratio": min(ratios),
        "most_ratio": max(ratios),
    }
    return {f"{peer.name}_{key}": value for key, value in measured.items()}


def _seconds(ct: CtVolume, lesion: Lesion, settings: ExtractionSettings, room: Memory) -> float:
    start = time.process_time()
    fast.extract(ct, lesion, settings, room=room)
    return time.process_time() - start


def peer_row(name: str, peer: Peer, row: Mapping[str, float | str]) -> str:
    """A line of the table."""
    seconds, own, error = (row.get(f"{peer.name}_{key}") for key in ("cpu_s", "fast_s", "error"))
    if not isinstance(seconds, float) or not isinstance(own, float):
        return f"| {name} | {peer.name} | | {error} | {own:.3f} s | | |"
    features = row[f"{peer.name}_features"]
    ratio, least, most = (row[f"{peer.name}_{key}"] for key in ("ratio", "least_ratio", "most_ratio"))
    times = f"{ratio:.1f} × | {least:.1f} to {most:.1f}"
    return f"| {name} | {peer.name} | {features} | {seconds:.2f} s | {own:.3f} s | {times} |"
