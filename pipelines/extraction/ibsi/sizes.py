"""Features of the matrices that count something of a size at a grey level: runs, zones, distances, dependences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipelines.extraction.ibsi.neighbourhood import Levels, Step, both_ways

# tags of the sixteen features, in the order in which `size_features` gives them
_RUNS: Final = "sre lre lgre hgre srlge srhge lrlge lrhge glnu glnu_norm rlnu rlnu_norm r_perc gl_var rl_var rl_entr"
_ZONES: Final = "sze lze lgze hgze szlge szhge lzlge lzhge glnu glnu_norm zsnu zsnu_norm z_perc gl_var zs_var zs_entr"
_DISTANCES: Final = (
    "sde lde lgze hgze sdlge sdhge ldlge ldhge glnu glnu_norm zdnu zdnu_norm z_perc gl_var zd_var zd_entr"
)
_DEPENDENCES: Final = (
    "lde hde lgce hgce ldlge ldhge hdlge hdhge glnu glnu_norm dcnu dcnu_norm dc_perc gl_var dc_var dc_entr"
)


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Grey level and size of each run, zone or voxel, and how many voxels they were found in.

    A voxel counts once for each direction in which it was looked at.
    """

    levels: NDArray[np.int64]
    sizes: NDArray[np.int64]
    voxel_count: int


def merged_sizes(parts: Sequence[Sizes]) -> Sizes:
    """All of them together."""
    return Sizes(
        np.concatenate([part.levels for part in parts]),
        np.concatenate([part.sizes for part in parts]),
        sum(part.voxel_count for part in parts),
    )


def runs_along(levels: Levels, step: Step) -> Sizes:
    """Runs of equal level along `step` (GLRLM, IBSI 3.7)."""
    z, y, x = step
    starts = levels.voxels[levels.beside((-z, -y, -x)) != levels.centres]
    lengths = np.ones(starts.size, dtype=np.int64)
    offset, going = levels.offset(step), np.arange(starts.size)
    while going.size:
        ahead = starts[going] + lengths[going] * offset
        going = going[levels.flat[ahead] == levels.flat[starts[going]]]
        lengths[going] += 1
    return Sizes(levels.flat[starts], lengths, levels.voxels.size)


def zones_of(levels: Levels, steps: tuple[Step, ...]) -> Sizes:
    """Connected zones of equal level (GLSZM, IBSI 3.8)."""
    zone_of_voxel, zone_levels = _zones(levels, steps)
    return Sizes(zone_levels, np.bincount(zone_of_voxel), levels.voxels.size)


def distances_of(levels: Levels, steps: tuple[Step, ...], border: NDArray[np.int64]) -> Sizes:
    """Distance of each zone to the border of the lesion (GLDZM, IBSI 3.9).

    Parameters
    ----------
    border
        What `border_distance` gives, as one line.
    """
    zone_of_voxel, zone_levels = _zones(levels, steps)
    nearest = np.full(zone_levels.size, np.iinfo(np.int64).max)
    np.minimum.at(nearest, zone_of_voxel, border[levels.voxels])
    return Sizes(zone_levels, nearest, levels.voxels.size)


def dependences_of(levels: Levels, steps: tuple[Step, ...]) -> Sizes:
    """Each voxel and its neighbours of equal level, itself included (NGLDM, IBSI 3.11, alpha = 0)."""
    centres = levels.centres
    equal = np.ones(centres.size, dtype=np.int64)
    for step in both_ways(steps):
        equal += levels.beside(step) == centres
    return Sizes(centres, equal, centres.size)


def border_distance(mask: NDArray[np.bool_], *, by_slice: bool) -> NDArray[np.int64]:
    """Steps across faces (edges within a slice) from each voxel of a mask to the nearest outside, with a border of 0.

    The border of the image is one of the lesion too.
    """
    padded = np.pad(mask, 1)
    parts = padded if by_slice else [padded]
    found = [ndimage.distance_transform_cdt(part, metric="taxicab") for part in parts]
    return np.asarray(np.stack(found) if by_slice else found[0], dtype=np.int64)


def _zones(levels: Levels, steps: tuple[Step, ...]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Zone of each voxel, and level of each zone."""
    number = np.full(levels.flat.size, -1)
    number[levels.voxels] = np.arange(levels.voxels.size)
    ends = []
    for step in steps:
        equal = levels.beside(step) == levels.centres
        ends.append((np.flatnonzero(equal), number[levels.voxels[equal] + levels.offset(step)]))
    a, b = (np.concatenate(side) for side in zip(*ends, strict=True))
    size = levels.voxels.size
    count, zone_of_voxel = connected_components(coo_array((np.ones(a.size, np.int8), (a, b)), (size, size)), False)
    zone_levels = np.empty(count, dtype=np.int64)
    zone_levels[zone_of_voxel] = levels.centres
    return zone_of_voxel, zone_levels


def _features(found: Sizes) -> list[float]:
    """The sixteen features that all four families share, in their common order."""
    # each pair of level and size once, with its count
    side = int(found.sizes.max()) + 1
    keys, counts = np.unique(found.levels * side + found.sizes, return_counts=True)
    level, size = (part.astype(np.float64) for part in np.divmod(keys, side))
    total = float(counts.sum())
    p = counts / total
    by_level, by_size = np.bincount(found.levels).astype(float), np.unique(found.sizes, return_counts=True)[1]
    level_mean, size_mean = float((p * level).sum()), float((p * size).sum())

    def emphasis(weight: NDArray[np.float64]) -> float:
        return float((p * weight).sum())

    return [
        emphasis(size**-2),
        emphasis(size**2),
        emphasis(level**-2),
        emphasis(level**2),
        emphasis(size**-2 * level**-2),
        emphasis(size**-2 * level**2),
        emphasis(size**2 * level**-2),
        emphasis(size**2 * level**2),
        float((by_level**2).sum() / total),
        float((by_level**2).sum() / total**2),
        float((by_size.astype(float) ** 2).sum() / total),
        float((by_size.astype(float) ** 2).sum() / total**2),
        total / found.voxel_count,
        emphasis((level - level_mean) ** 2),
        emphasis((size - size_mean) ** 2),
        -float((p * np.log2(p)).sum()),
    ]


def _tagged(found: Sizes, family: str, tags: str) -> dict[str, float]:
    return {f"{family}_{tag}": value for tag, value in zip(tags.split(), _features(found), strict=True)}


def run_features(found: Sizes) -> dict[str, float]:
    """The 16 features of runs."""
    return _tagged(found, "rlm", _RUNS)


def zone_features(found: Sizes) -> dict[str, float]:
    """The 16 features of zones."""
    return _tagged(found, "szm", _ZONES)


def distance_features(found: Sizes) -> dict[str, float]:
    """The 16 features of the distances of zones."""
    return _tagged(found, "dzm", _DISTANCES)


def dependence_features(found: Sizes) -> dict[str, float]:
    """The 17 features of dependences."""
    side = int(found.sizes.max()) + 1
    counts = np.unique(found.levels * side + found.sizes, return_counts=True)[1]
    energy = float(((counts / counts.sum()) ** 2).sum())
    return {**_tagged(found, "ngl", _DEPENDENCES), "ngl_dc_energy": energy}
