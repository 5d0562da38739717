"""The voxels of a lesion as the texture kernels want them, made once and shared by all images of the lesion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction.native import Box

# the directions of kernels.c
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
    """A lesion's voxels within the smallest box around them, and working memory for its images.

    Attributes
    ----------
    box
        Where the box lies in the resampled image.
    shape
        Of the box.
    within_box
        Flat index of each voxel in the box, in the order of the array.
    within_frame
        Flat index of each voxel in a frame.
    frames
        Volumes with a border of zeros for the grey levels, by their type; zero outside the lesion.
    rows
        First and one past the last column of the lesion in each row of a frame.
    lined
        1 for each of the thirteen directions in which a line holds two voxels of the lesion.
    """

    box: Box
    shape: tuple[int, int, int]
    within_box: NDArray[np.uint32]
    within_frame: NDArray[np.uint32]
    stride: int
    frames: dict[type[np.uint8] | type[np.uint16], NDArray[np.unsignedinteger]]
    rows: tuple[NDArray[np.int64], NDArray[np.int64]]
    lined: NDArray[np.uint8]
    values: NDArray[np.float64]
    zones: tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]

    @property
    def count(self) -> int:
        return self.within_box.size

    def frame(self, dtype: type[np.uint8] | type[np.uint16]) -> NDArray[np.unsignedinteger]:
        """A volume for grey levels."""
        if dtype not in self.frames:
            slices, rows = self.rows[0].shape
            self.frames[dtype] = np.zeros((slices, rows, self.stride), dtype)
        return self.frames[dtype]


def region_of(mask: NDArray[np.bool_], box: Box) -> Region:
    """The region of a `mask` that is cropped to `box`."""
    slices, rows, columns = mask.shape
    stride = -(-(columns + 2) // _ALIGNED) * _ALIGNED
    frame_shape = (slices + 2, rows + 2, stride)
    z, y, x = np.nonzero(mask)
    count = z.size
    occupied = mask.any(axis=2)
    first = np.zeros(frame_shape[:2], dtype=np.int64)
    stop = np.zeros(frame_shape[:2], dtype=np.int64)
    first[1:-1, 1:-1] = np.where(occupied, mask.argmax(axis=2) + 1, 0)
    stop[1:-1, 1:-1] = np.where(occupied, columns - mask[:, :, ::-1].argmax(axis=2) + 1, 0)
    return Region(
        box=box,
        shape=(slices, rows, columns),
        within_box=((z * rows + y) * columns + x).astype(np.uint32),
        within_frame=(((z + 1) * frame_shape[1] + y + 1) * stride + x + 1).astype(np.uint32),
        stride=stride,
        frames={},
        rows=(first, stop),
        lined=_lined(mask, (z, y, x)),
        values=np.empty(count),
        zones=(np.empty(count, np.uint32), np.empty(count, np.uint32), np.empty(count, np.uint32)),
    )


def _lined(mask: NDArray[np.bool_], voxels: tuple[NDArray[np.intp], ...]) -> NDArray[np.uint8]:
    """Mark the directions in which some line holds two voxels, whether or not they touch.

    PyRadiomics leaves a direction without such a line out of the run lengths.
    """
    return np.array([_touching(mask, step) or _on_one_line(voxels, step) for step in STEPS], dtype=np.uint8)


def _touching(mask: NDArray[np.bool_], step: tuple[int, int, int]) -> bool:
    here = tuple(slice(max(0, s), size + min(0, s)) for s, size in zip(step, mask.shape, strict=True))
    there = tuple(slice(max(0, -s), size + min(0, -s)) for s, size in zip(step, mask.shape, strict=True))
    return bool((mask[here] & mask[there]).any())


def _on_one_line(voxels: tuple[NDArray[np.intp], ...], step: tuple[int, int, int]) -> bool:
    along = next(axis for axis in range(3) if step[axis])
    # all voxels of a line have the same foot where the line passes index 0 of `along`
    feet = np.stack([voxels[axis] - voxels[along] * step[axis] * step[along] for axis in range(3)], axis=1)
    return len(np.unique(feet, axis=0)) < len(feet)
