"""The texture matrices against plain definitions, for regions of awkward shapes."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.extraction import native
from pipelines.extraction.memory import Memory
from pipelines.extraction.region import STEPS, Region, region_of, workspace_for

Voxel = tuple[int, int, int]

SHAPES = {
    "one voxel": (1, 1, 1),
    "one row": (1, 1, 9),
    "a row longer than a block": (1, 1, 70),
    "one column": (1, 40, 1),
    "one line of slices": (33, 1, 1),
    "one slice": (1, 7, 35),
    "two slices of short rows": (2, 5, 3),
    "a box": (6, 5, 7),
    "a box of rows longer than a block": (3, 4, 45),
}


def levels_of(kind: str, shape: Voxel) -> NDArray[np.int64]:
    """Grey levels from 1, or 0 outside of the region; the first and the last voxel are always inside."""
    rng = np.random.default_rng([len(kind), *shape])
    drawn = {
        "alike": np.ones(shape, dtype=np.int64),
        "two levels": rng.integers(1, 3, shape),
        "noise": rng.integers(1, 31, shape),
        "long runs": np.repeat(rng.integers(1, 4, shape), 12, axis=2)[:, :, : shape[2]],
        "levels beyond a byte": rng.integers(1, 400, shape),
        # of a type that has room for them and their runs, and of one that has not
        "nearly as many levels as a byte holds": rng.integers(1, 160, shape),
        "holes": rng.integers(0, 4, shape),
    }[kind]
    drawn[0, 0, 0] = drawn[-1, -1, -1] = 1
    return drawn


def placed(levels: NDArray[np.int64]) -> tuple[Region, NDArray[np.unsignedinteger], NDArray[np.int64]]:
    """The region of a volume of grey levels, its frame, and how many voxels have each level."""
    slices, rows, columns = levels.shape
    region = region_of(levels > 0, ((0, slices), (0, rows), (0, columns)))
    histogram = np.bincount(levels[levels > 0])
    frame = np.zeros((slices + 2, rows + 2, region.stride), native.level_type(histogram.size - 1, max(levels.shape)))
    frame[1:-1, 1:-1, 1 : columns + 1] = levels
    return region, frame, histogram


def inside(levels: NDArray[np.int64]) -> dict[Voxel, int]:
    return {(int(z), int(y), int(x)): int(levels[z, y, x]) for z, y, x in zip(*np.nonzero(levels), strict=True)}


def towards(voxel: Voxel, step: Voxel) -> Voxel:
    return voxel[0] + step[0], voxel[1] + step[1], voxel[2] + step[2]


def back(voxel: Voxel, step: Voxel) -> Voxel:
    return voxel[0] - step[0], voxel[1] - step[1], voxel[2] - step[2]


CASES = pytest.mark.parametrize(
    ("kind", "shape"),
    [
        pytest.param(kind, shape, id=f"{kind}-{name}")
        for kind in (
            "alike",
            "two levels",
            "noise",
            "long runs",
            "levels beyond a byte",
            "nearly as many levels as a byte holds",
            "holes",
        )
        for name, shape in SHAPES.items()
    ],
)


@CASES
def test_pairs_and_runs_are_those_of_their_definitions(kind: str, shape: Voxel) -> None:
    levels = levels_of(kind, shape)
    region, frame, histogram = placed(levels)
    voxels = inside(levels)
    pairs, positions = native.sweep(frame, region.blocks, max(shape), histogram)
    for direction, step in enumerate(STEPS):
        wanted_pairs: Counter[tuple[int, int]] = Counter()
        wanted_positions: Counter[tuple[int, int]] = Counter()
        for voxel, level in voxels.items():
            neighbour = voxels.get(towards(voxel, step))
            if neighbour is not None:
                wanted_pairs[level, neighbour] += 1
            number, at = 1, towards(voxel, step)
            while voxels.get(at) == level:
                number, at = number + 1, towards(at, step)
            wanted_positions[level, number] += 1
        # level 0 and number 0 are not counted
        assert nonzero(pairs[direction, 1:, 1:], 1) == wanted_pairs
        assert nonzero(positions[direction, 1:, 1:], 1) == wanted_positions


# enough voxels for directions to be counted two at once if their levels differ little
LARGE_SHAPES = {
    "a large box": (20, 30, 45),
    "a larger box": (60, 60, 61),
    "many short rows": (70, 70, 9),
    "long rows": (12, 20, 200),
}


def many_levels_of(kind: str, shape: Voxel) -> NDArray[np.int64]:
    """Grey levels from 1, or 0 outside of the region; the first and the last voxel are always inside."""
    rng = np.random.default_rng([len(kind), *shape])
    z, y, x = np.indices(shape)
    smooth = 1 + z / 9 + y / 12 + x / 15 + rng.normal(0.0, 0.2, shape)
    rarely = rng.random(shape) < 0.01
    # so seldom that directions are still counted together
    seldom = rng.random(shape) < 0.003
    drawn = {
        "alike": np.ones(shape),
        "two levels": rng.integers(1, 3, shape),
        "smooth": smooth,
        "smooth with outliers": np.where(rarely, rng.integers(1, 40, shape), smooth),
        "up to level 80": np.where(seldom, 80, np.minimum(smooth, 80)),
        "up to level 81": np.where(seldom, 81, np.minimum(smooth, 81)),
        "runs along slices": rng.integers(1, 5, (1, *shape[1:])) + rarely,
        "runs along columns": rng.integers(1, 5, (shape[0], 1, shape[2])) + rarely,
        "runs along a diagonal": 1 + (x - y - z) % 5 + rarely,
        "holes": smooth * (rng.random(shape) < 0.9),
        "an edge that is not straight": smooth * (y + z > x / 4 + rng.integers(0, 3, shape)),
        "lines one voxel wide": (1 + z % 3) * ((x == 2 + y % 3) | rarely),
        "noise": rng.integers(1, 31, shape),
    }[kind].astype(np.int64)
    drawn[0, 0, 0] = drawn[-1, -1, -1] = 1
    return np.maximum(drawn, 0)


def neighbours(volume: NDArray[np.generic], step: Voxel) -> NDArray[np.generic]:
    """What lies one step further for each voxel, 0 beyond the volume."""
    moved = np.roll(np.pad(volume, 1), [-along for along in step], axis=(0, 1, 2))
    return moved[1:-1, 1:-1, 1:-1]


@pytest.mark.parametrize("shape", LARGE_SHAPES.values(), ids=LARGE_SHAPES)
@pytest.mark.parametrize(
    "kind",
    [
        "alike",
        "two levels",
        "smooth",
        "smooth with outliers",
        "up to level 80",
        "up to level 81",
        "runs along slices",
        "runs along columns",
        "runs along a diagonal",
        "holes",
        "an edge that is not straight",
        "lines one voxel wide",
        "noise",
    ],
)
def test_pairs_and_runs_of_many_voxels_are_those_of_their_definitions(kind: str, shape: Voxel) -> None:
    levels = many_levels_of(kind, shape)
    region, frame, histogram = placed(levels)
    longest, side = max(shape), histogram.size
    pairs, positions = native.sweep(frame, region.blocks, longest, histogram)
    inside_region = levels > 0
    for direction, step in enumerate(STEPS):
        beside = neighbours(levels, step)
        both = inside_region & (beside > 0)
        wanted_pairs = np.bincount(levels[both] * side + beside[both], minlength=side**2).reshape(side, side)
        assert np.array_equal(pairs[direction, 1:, 1:], wanted_pairs[1:, 1:])
        alike = both & (levels == beside)
        number, longer = np.ones(shape, dtype=np.int64), alike
        while longer.any():
            number += longer
            longer = alike & neighbours(longer, step)
        cells = levels[inside_region] * (longest + 2) + number[inside_region]
        wanted = np.bincount(cells, minlength=side * (longest + 2)).reshape(side, longest + 2)
        assert np.array_equal(positions[direction, 1:, 1:], wanted[1:, 1:])


def nonzero(matrix: NDArray[np.integer], first: int) -> dict[tuple[int, int], int]:
    """The cells of a matrix that are not zero, whose rows and columns are numbered from `first`."""
    return {(int(i) + first, int(j) + first): int(matrix[i, j]) for i, j in zip(*np.nonzero(matrix), strict=True)}


@CASES
def test_zones_and_dependences_are_those_of_their_definitions(kind: str, shape: Voxel) -> None:
    levels = levels_of(kind, shape)
    region, frame, histogram = placed(levels)
    voxels = inside(levels)
    steps = [*STEPS, *(back((0, 0, 0), step) for step in STEPS)]
    workspace = workspace_for(region, Memory())
    count, dependences = native.zones(frame, region.rows, histogram.size - 1, found=workspace.zones)

    wanted, left = [], dict(voxels)
    # in the order of the array, as they are numbered
    for first, level in voxels.items():
        if first not in left:
            continue
        open_voxels, size = [first], 0
        del left[first]
        while open_voxels:
            voxel = open_voxels.pop()
            size += 1
            for beside in (towards(voxel, step) for step in steps):
                if left.get(beside) == level:
                    del left[beside]
                    open_voxels.append(beside)
        wanted.append((level, size))
    found_levels, found_sizes, _ = workspace.zones
    assert list(zip(found_levels[:count].tolist(), found_sizes[:count].tolist(), strict=True)) == wanted
    wanted_dependences = Counter(
        (level, 1 + sum(voxels.get(towards(voxel, step)) == level for step in steps)) for voxel, level in voxels.items()
    )
    assert nonzero(dependences, 0) == wanted_dependences


def test_a_voxel_joins_all_neighbours_before_it_that_are_like_it() -> None:
    # every set of the thirteen, each around a voxel of its own and apart from the others
    levels = np.zeros((16, 3, 16, 4, 32, 4), dtype=np.int64)
    sizes = []
    for number, (z, y, x) in enumerate(np.ndindex(16, 16, 32)):
        levels[z, 1, y, 1, x, 1] = 1
        for direction, step in enumerate(STEPS):
            slice_, row, column = towards((1, 1, 1), step)
            levels[z, slice_, y, row, x, column] = number >> direction & 1
        sizes.append(1 + number.bit_count())
    region, frame, _ = placed(levels.reshape(48, 64, 128))
    workspace = workspace_for(region, Memory())
    count, _ = native.zones(frame, region.rows, 1, found=workspace.zones)
    assert sorted(workspace.zones[1][:count].tolist()) == sorted(sizes)


def test_a_workspace_holds_a_zone_for_every_voxel() -> None:
    # no two of 26 neighbours have the same level
    levels = 1 + np.indices((5, 9, 40)).transpose(1, 2, 3, 0) % 2 @ np.array([4, 2, 1])
    region, frame, histogram = placed(levels)
    workspace = workspace_for(region, Memory())
    count, _ = native.zones(frame, region.rows, histogram.size - 1, found=workspace.zones)
    assert count == region.count
    assert set(workspace.zones[1][:count].tolist()) == {1}
    # the kernel writes the level of the next zone before it knows that there is one
    assert min(room.size for room in workspace.zones) > region.count
