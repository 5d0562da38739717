"""A CT volume on its grid, and the part of it that a lesion covers."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.identifiers import FrameOfReferenceUID, SopClassUID, SopInstanceUID
from pipelines.domain.reasons import Rejected


class UnreadableVoxels(Exception):
    """Voxels that are decoded when they are looked at turn out to be damaged; `reason` says which."""

    def __init__(self, reason: Rejected) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Voxels(Protocol):
    """A block of voxels that is looked at in parts: an array, or something that reads each part on demand.

    What reads on demand raises `UnreadableVoxels` for a part that is damaged.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (slices, rows, columns)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that holds exactly all that has been looked at so far."""
        ...

    def __getitem__(self, part: Any, /) -> NDArray[Any]: ...

    def __array__(self, dtype: Any = None, /) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True)
class Grid:
    """Where voxels lie in the patient coordinate system (PS3.3 C.7.6.2.1.1).

    Attributes
    ----------
    shape
        Voxels along (slices, rows, columns), the order of the arrays.
    origin_mm
        Centre of the first voxel (x, y, z).
    spacing_mm
        Step along (columns, rows, slices), the order of x, y, z in an upright volume and of SimpleITK.
    direction
        3 x 3 direction cosines, row by row; the columns are the directions of the column, row and slice index.
    """

    shape: tuple[int, int, int]
    origin_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    direction: tuple[float, ...]

    @property
    def row_cosines(self) -> tuple[float, float, float]:
        """Direction in which the column index grows (first triple of Image Orientation Patient)."""
        d = self.direction
        return d[0], d[3], d[6]

    @property
    def column_cosines(self) -> tuple[float, float, float]:
        """Direction in which the row index grows (second triple of Image Orientation Patient)."""
        d = self.direction
        return d[1], d[4], d[7]

    @property
    def normal(self) -> tuple[float, float, float]:
        """Direction in which the slice index grows."""
        d = self.direction
        return d[2], d[5], d[8]

    @property
    def voxel_mm3(self) -> float:
        x, y, z = self.spacing_mm
        return x * y * z

    def slice_position_mm(self, index: int) -> tuple[float, float, float]:
        """Image Position Patient of slice `index`."""
        step = index * self.spacing_mm[2]
        x, y, z = (o + step * n for o, n in zip(self.origin_mm, self.normal, strict=True))
        return x, y, z


@dataclass(frozen=True, slots=True)
class SliceRef:
    """The instance, and for a multi-frame instance the frame (from 1), that a slice was read from."""

    sop_class: SopClassUID
    sop_instance: SopInstanceUID
    frame: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A block of voxels on a grid, which is all that features are computed from.

    Attributes
    ----------
    hu
        Hounsfield units, shape (slices, rows, columns), int16 unless the source needs more.
    grid
        Where the voxels lie; slices ascend along `grid.normal`.
    """

    hu: Voxels
    grid: Grid

    def __post_init__(self) -> None:
        if self.hu.shape != self.grid.shape:
            raise ValueError("voxels and grid of a volume differ in number")


@dataclass(frozen=True, slots=True, eq=False)
class CtVolume(Volume):
    """A CT series as one block of voxels, with what results refer to.

    Attributes
    ----------
    slices
        Source of each slice, as long as `hu`.
    """

    frame_of_reference: FrameOfReferenceUID
    slices: tuple[SliceRef, ...]
    resampled: bool = False

    def __post_init__(self) -> None:
        # slots make a class of their own out of this one, which super() without arguments does not know
        Volume.__post_init__(self)
        if len(self.slices) != self.grid.shape[0]:
            raise ValueError("voxels, grid and slices of a CT volume differ in number")


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """The voxels of one lesion: the smallest box around them.

    Attributes
    ----------
    offset
        Index (slice, row, column) of the box's first voxel in the CT volume.
    voxels
        Boolean, shape of the box; each face of the box holds at least one voxel of the lesion.
    """

    offset: tuple[int, int, int]
    voxels: NDArray[np.bool_]

    @classmethod
    def of(cls, volume: NDArray[np.bool_], offset: tuple[int, int, int] = (0, 0, 0)) -> "Mask | None":
        """Crop `volume` (slices, rows, columns) to its true voxels; None when there are none."""
        seen: NDArray[np.bool_] = np.any(volume, axis=0)
        if not seen.any():
            return None
        hits = [np.flatnonzero(along) for along in (volume.any(axis=(1, 2)), seen.any(axis=1), seen.any(axis=0))]
        box = tuple(slice(int(hit[0]), int(hit[-1]) + 1) for hit in hits)
        start = (offset[0] + box[0].start, offset[1] + box[1].start, offset[2] + box[2].start)
        return cls(start, np.ascontiguousarray(volume[box]))

    @property
    def count(self) -> int:
        return int(self.voxels.sum())

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where the mask lies in the CT volume's array."""
        a, b, c = (slice(o, o + n) for o, n in zip(self.offset, self.voxels.shape, strict=True))
        return a, b, c

    def on(self, grid: Grid) -> NDArray[np.bool_]:
        """The mask as a whole volume of `grid.shape`."""
        whole = np.zeros(grid.shape, dtype=np.bool_)
        whole[self.box] = self.voxels
        return whole

    def volume_ml(self, grid: Grid) -> float:
        """Number of voxels times the volume of one."""
        return self.count * grid.voxel_mm3 / 1000.0
