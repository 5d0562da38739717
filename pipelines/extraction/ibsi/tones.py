"""Features of the neighbourhood grey tone difference matrix (NGTDM)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction.ibsi.neighbourhood import Levels, Step, both_ways

# of a lesion whose voxels do not differ from their neighbours (IBSI 3.10.1)
_COARSEST: Final = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Tones:
    """By grey level from 1: voxels that have a neighbour, and the sum of their differences from their neighbours."""

    counts: NDArray[np.int64]
    differences: NDArray[np.float64]


def tones_of(levels: Levels, steps: tuple[Step, ...]) -> Tones:
    """Difference of each voxel from the mean of its neighbours within the lesion."""
    centres = levels.centres
    total, neighbours = np.zeros(centres.size), np.zeros(centres.size)
    for step in both_ways(steps):
        beside = levels.beside(step)
        total += beside
        neighbours += beside > 0
    valid = neighbours > 0
    level = centres[valid]
    apart = np.abs(level - total[valid] / neighbours[valid])
    size = levels.level_count + 1
    return Tones(
        np.bincount(level, minlength=size)[1:], np.bincount(level, weights=apart, minlength=size)[1:].astype(np.float64)
    )


def merged_tones(parts: Sequence[Tones]) -> Tones:
    """All of them together."""
    return Tones(np.sum([part.counts for part in parts], axis=0), np.sum([part.differences for part in parts], axis=0))


def tone_features(found: Tones) -> dict[str, float] | None:
    """The 5 features (IBSI 3.10); None when no voxel has a neighbour."""
    total = found.counts.sum()
    if total == 0:
        return None
    there = found.counts > 0
    level = np.flatnonzero(there) + 1.0
    p, s = found.counts[there] / total, found.differences[there]
    weighted, differences = float((p * s).sum()), float(s.sum())
    apart = level[:, None] - level[None, :]
    both = p[:, None] + p[None, :]
    spread = float(np.abs((level * p)[:, None] - (level * p)[None, :]).sum())
    contrast = float((np.outer(p, p) * apart**2).sum())
    several = level.size > 1
    return {
        "ngt_coarseness": 1.0 / weighted if weighted > 0 else _COARSEST,
        "ngt_contrast": contrast / (level.size * (level.size - 1)) * differences / total if several else 0.0,
        "ngt_busyness": weighted / spread if several and spread > 0 else 0.0,
        "ngt_complexity": float((np.abs(apart) * ((p * s)[:, None] + (p * s)[None, :]) / both).sum()) / total,
        "ngt_strength": float((both * apart**2).sum()) / differences if differences > 0 else 0.0,
    }
