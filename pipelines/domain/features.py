"""The numbers that describe one lesion."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class FeatureVector:
    """Feature values by name, in one order for all lesions.

    Attributes
    ----------
    names
        Full names such as `original_glcm_JointEntropy`, unique.
    values
        float64, one for each name; NaN where a feature is not defined for the lesion.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.names),) or self.values.dtype != np.float64:
            raise ValueError("a feature vector needs one float64 value for each name")

    def __len__(self) -> int:
        return len(self.names)

    def items(self) -> Iterator[tuple[str, float]]:
        for name, value in zip(self.names, self.values, strict=True):
            yield name, float(value)

    def select(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Values of `names` in that order.

        Raises
        ------
        KeyError
            If a name is not in the vector.
        """
        where = {name: i for i, name in enumerate(self.names)}
        return self.values[[where[name] for name in names]]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMap:
    """A feature computed around every voxel of a lesion, on the CT grid.

    Attributes
    ----------
    feature
        Full name such as `original_firstorder_Entropy`.
    lesion_number
        Segment or ROI number of the lesion.
    kernel_radius_voxels
        Half the edge of the neighbourhood, without its centre.
    offset
        Index (slice, row, column) of the first value in the CT volume.
    values
        float32, shape of the lesion's box; 0 outside the lesion.
    """

    feature: str
    lesion_number: int
    kernel_radius_voxels: int
    offset: tuple[int, int, int]
    values: NDArray[np.float32]
