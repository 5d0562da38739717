"""The voxels of a lesion as the texture kernels want them, made once and shared by all images of the lesion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction.memory import Memory
from pipelines.extraction.native import Blocks, Box, Reach, Runs, runs_of

# the directions of the kernels
STEPS = (
    *((-1, row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)),
    (0, -1, -1),
    (0, -1, 0),
    (0, -1, 1),
    (0, 0, -1),
)
"""Steps (slice, row, column) to the neighbours that precede a voxel, in the order of the kernels."""

# rows of a frame begin at multiples of this many voxels
_ALIGNED = 16


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A lesion's voxels within the smallest box around them.

    Attributes
    ----------
    box
        Where the box lies in the resampled image.
    shape
        Of the box.
    count
        Of the voxels.
    runs
        Of the voxels, in the box and in a frame.
    stride
        Length of a row of a frame.
    rows
        First and one past the last column of the lesion in each row of a frame.
    blocks
        Of the lesion in a frame.
    reach
        Of the lesion within the box.
    lined
        1 for each of the thirteen directions in which a line holds two voxels of the lesion.
    """

    box: Box
    shape: tuple[int, int, int]
    count: int
    runs: Runs
    stride: int
    rows: tuple[NDArray[np.int64], NDArray[np.int64]]
    blocks: Blocks
    reach: Reach
    lined: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Workspace:
    """Memory for one image of a lesion at a time, and for the values of one more.

    What leads to an image lies where its zones are found later: less memory stays in the cache sooner.

    Attributes
    ----------
    values, more_values
        Of two images, one for each voxel of the lesion.
    frames
        Volumes with a border of zeros for the grey levels, by their type; zero outside the lesion.
    zones
        Room for levels, sizes and parents of one more zone than there are voxels from end to end of the lesion's rows,
        shape (3, zones).
    numbers
        Of the memory of `more_values` and `zones`, for what leads to the values of an image.
    room
        Where they come from.
    """

    values: NDArray[np.float64]
    more_values: NDArray[np.float64]
    frames: dict[type[np.uint8] | type[np.uint16], NDArray[np.unsignedinteger]]
    zones: NDArray[np.uint32]
    numbers: NDArray[np.float32]
    room: Memory

    def frame(self, region: Region, dtype: type[np.uint8] | type[np.uint16]) -> NDArray[np.unsignedinteger]:
        """A volume for grey levels."""
        if dtype not in self.frames:
            self.frames[dtype] = self.room.zeros((*region.rows[0].shape, region.stride), dtype)
        return self.frames[dtype]


def workspace_for(region: Region, room: Memory, least: int = 0) -> Workspace:
    """A workspace of the size of a region, with at least so many `numbers`."""
    first, stop = region.rows
    count, most = region.count, int((stop - first).sum()) + 1
    # in one piece: whole huge pages, see there
    words = room.empty(2 * count + max(2 * count + 3 * most, least), np.uint32)
    values = words[: 4 * count].view(np.float64)
    return Workspace(
        values=values[:count],
        more_values=values[count:],
        frames={},
        zones=words[4 * count : 4 * count + 3 * most].reshape(3, most),
        numbers=words[2 * count :].view(np.float32),
        room=room,
    )


def region_of(mask: NDArray[np.bool_], box: Box) -> Region:
    """The region of a `mask` that is cropped to `box`."""
    slices, rows, columns = mask.shape
    stride = -(-(columns + 2) // _ALIGNED) * _ALIGNED
    runs, ends = runs_of(mask, stride)
    return Region(
        box=box,
        shape=(slices, rows, columns),
        count=runs.count,
        runs=runs,
        stride=stride,
        rows=ends,
        blocks=Blocks.of(ends, stride),
        reach=Reach.of((slices, rows, columns), _ends_within(*ends)),
        lined=_lined(mask),
    )


def _ends_within(first: NDArray[np.int64], stop: NDArray[np.int64]) -> NDArray[np.int64]:
    """The ends of a `Reach`, of those of the rows of a frame."""
    # without the border of the frame, and counted from the box
    there = (stop > 0)[1:-1, 1:-1]
    begin = np.where(there, first[1:-1, 1:-1] - 1, np.iinfo(np.int64).max)
    end = np.where(there, stop[1:-1, 1:-1] - 1, 0)
    parts = []
    for axis, across in enumerate(there.shape):
        some = there.any(axis=axis)
        parts.append(
            np.stack(
                [
                    np.where(some, begin.min(axis=axis), 0),
                    end.max(axis=axis),
                    there.argmax(axis=axis),
                    np.where(some, across - np.flip(there, axis=axis).argmax(axis=axis), 0),
                ],
                axis=1,
            )
        )
    return np.concatenate(parts)


def _lined(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Mark the directions in which some line holds two voxels, whether or not they touch.

    PyRadiomics leaves a direction without such a line out of the run lengths.
    """
    if _surrounded(mask):
        return np.ones(len(STEPS), dtype=np.uint8)
    voxels = np.nonzero(mask)
    return np.array([_touching(mask, step) or _on_one_line(voxels, step) for step in STEPS], dtype=np.uint8)


def _surrounded(mask: NDArray[np.bool_]) -> bool:
    """True when 3 x 3 x 3 voxels in the middle of the box are all of the lesion, as in most: they touch each way."""
    z, y, x = (max(size // 2 - 1, 0) for size in mask.shape)
    middle = mask[z : z + 3, y : y + 3, x : x + 3]
    return middle.size == 27 and bool(middle.all())


def _touching(mask: NDArray[np.bool_], step: tuple[int, int, int]) -> bool:
    here = tuple(slice(max(0, s), size + min(0, s)) for s, size in zip(step, mask.shape, strict=True))
    there = tuple(slice(max(0, -s), size + min(0, -s)) for s, size in zip(step, mask.shape, strict=True))
    return bool((mask[here] & mask[there]).any())


def _on_one_line(voxels: tuple[NDArray[np.intp], ...], step: tuple[int, int, int]) -> bool:
    along = next(axis for axis in range(3) if step[axis])
    # all voxels of a line have the same foot where the line passes index 0 of `along`
    feet = np.stack([voxels[axis] - voxels[along] * step[axis] * step[along] for axis in range(3)], axis=1)
    return len(np.unique(feet, axis=0)) < len(feet)
