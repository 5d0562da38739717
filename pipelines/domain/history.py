"""The lesions of a patient as the node keeps them from scan to scan, packed and compared."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import FrameOfReferenceUID, SopClassUID, SopInstanceUID
from pipelines.domain.identity import Sighting
from pipelines.domain.scan_date import ScanDate
from pipelines.domain.volume import Grid

MEASURED_ONLY: Final = Grid((0, 0, 0), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
"""The extent of a scan of which a report tells and no segmentation: it covers nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One segmented CT of a patient, or what a report tells of one.

    Attributes
    ----------
    ct
        Series of the CT; that of the report where there is no segmentation.
    segmentation
        The segmentation, or the report.
    digest
        SHA-256 over what it was read from and how that was read.
    extent
        Grid of the CT.
    """

    scanned_on: ScanDate
    ct: SeriesKey
    segmentation: SopInstanceUID
    frame_of_reference: FrameOfReferenceUID
    sightings: tuple[Sighting, ...]
    extent: Grid
    digest: str

    @property
    def measured_only(self) -> bool:
        """Whether sizes are all that is known."""
        return self.extent.shape[0] == 0


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """An object of the patient that a report refers to."""

    key: SeriesKey
    sop_class: SopClassUID
    sop_instance: SopInstanceUID


def packed(points_mm: NDArray[np.float64], grid: Grid) -> bytes:
    """Voxels of `grid` as compressed bits of the box around them; `points_mm` are their centres, shape (n, 3).

    Examples
    --------
    >>> grid = Grid((4, 5, 6), (1.0, 2.0, 3.0), (0.7, 0.7, 5.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    >>> places = unpacked(packed(np.array([[1.7, 2.0, 8.0]]), grid), grid)
    >>> places.tolist()
    [[1.7, 2.0, 8.0]]
    """
    steps = (points_mm - np.array(grid.origin_mm)) @ np.array(grid.direction).reshape(3, 3)
    indices = np.rint(steps / np.array(grid.spacing_mm)).astype(np.int64)[:, ::-1]
    first, last = indices.min(axis=0), indices.max(axis=0) + 1
    box = np.zeros(last - first, dtype=np.bool_)
    box[tuple((indices - first).T)] = True
    return np.array([*first, *box.shape], dtype="<i4").tobytes() + zlib.compress(np.packbits(box).tobytes(), 9)


def unpacked(data: bytes, grid: Grid) -> NDArray[np.float64]:
    """Centres of the voxels that `packed` took, slice by slice; shape (n, 3)."""
    corner = np.frombuffer(data[:24], dtype="<i4").astype(np.int64)
    first, shape = corner[:3], tuple(int(count) for count in corner[3:])
    bits = np.unpackbits(np.frombuffer(zlib.decompress(data[24:]), dtype=np.uint8), count=int(np.prod(shape)))
    indices = np.argwhere(bits.reshape(shape)) + first
    steps = indices[:, ::-1] * np.array(grid.spacing_mm)
    return np.asarray(np.array(grid.origin_mm) + steps @ np.array(grid.direction).reshape(3, 3).T)


def canonical(value: object) -> str:
    """A value as text that is the same in every process: sets and mappings in order, numbers exact."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case Mapping():
            return sorted([_plain(key), _plain(kept)] for key, kept in value.items())
        case frozenset() | set():
            return sorted(canonical(one) for one in value)
        case list() | tuple():
            return [_plain(one) for one in value]
        case None | bool() | int() | float() | str():
            return value
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return str(value)
