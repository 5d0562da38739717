"""How the texture of slices and directions becomes one number (IBSI 3.6 to 3.11)."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from pipelines.extraction.ibsi.neighbourhood import SLICE, VOLUME, Levels, Step
from pipelines.extraction.ibsi.settings import Dimensions

Matrix = TypeVar("Matrix")
Features = dict[str, float]


def by_direction(
    levels: Levels,
    dimensions: Sequence[Dimensions],
    matrix_of: Callable[[Levels, Step], Matrix],
    merged: Callable[[Sequence[Matrix]], Matrix],
    features_of: Callable[[Matrix], Features | None],
) -> Features:
    """Features of matrices that have a direction, averaged (`_avg`) and merged (`_comb`).

    Parameters
    ----------
    features_of
        None for a matrix that has none, which then is left out of the mean.
    """
    found: Features = {}
    if "2D" in dimensions or "2_5D" in dimensions:
        table = [[matrix_of(part, step) for step in SLICE] for part in levels.slices()]
        if "2D" in dimensions:
            averaged = _mean([features_of(matrix) for row in table for matrix in row])
            combined = _mean([features_of(merged(row)) for row in table])
            found |= _named(averaged, "2D_avg") | _named(combined, "2D_comb")
        if "2_5D" in dimensions:
            directions = [merged(column) for column in zip(*table, strict=True)]
            averaged = _mean([features_of(matrix) for matrix in directions])
            found |= _named(averaged, "2_5D_avg") | _named(_mean([features_of(merged(directions))]), "2_5D_comb")
    if "3D" in dimensions:
        directions = [matrix_of(levels, step) for step in VOLUME]
        averaged = _mean([features_of(matrix) for matrix in directions])
        found |= _named(averaged, "3D_avg") | _named(_mean([features_of(merged(directions))]), "3D_comb")
    return found


def by_neighbourhood(
    levels: Levels,
    dimensions: Sequence[Dimensions],
    matrix_of: Callable[[Levels, tuple[Step, ...]], Matrix],
    merged: Callable[[Sequence[Matrix]], Matrix],
    features_of: Callable[[Matrix], Features | None],
) -> Features:
    """Features of matrices without direction: averaged over slices, merged over slices, or of the volume."""
    found: Features = {}
    if "2D" in dimensions or "2_5D" in dimensions:
        parts = [matrix_of(part, SLICE) for part in levels.slices()]
        if "2D" in dimensions:
            found |= _named(_mean([features_of(matrix) for matrix in parts]), "2D")
        if "2_5D" in dimensions:
            found |= _named(_mean([features_of(merged(parts))]), "2_5D")
    if "3D" in dimensions:
        found |= _named(_mean([features_of(matrix_of(levels, VOLUME))]), "3D")
    return found


def _mean(features: Sequence[Features | None]) -> Features:
    """Mean by name over those that exist."""
    there = [one for one in features if one is not None]
    return {name: float(np.mean([one[name] for one in there])) for name in there[0]} if there else {}


def _named(features: Features, suffix: str) -> Features:
    return {f"{name}_{suffix}": value for name, value in features.items()}
