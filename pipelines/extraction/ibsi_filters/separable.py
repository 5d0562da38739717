"""Filters that are a product of kernels along the axes, and what turning an image by right angles makes of them."""

from collections.abc import Iterator, Sequence
from itertools import permutations, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.extraction.ibsi_filters.settings import NDIMAGE_MODES, Boundary, Pooling


class Taps(NamedTuple):
    """A kernel along one axis; `mirrored` tells where the middle of an even number of taps is."""

    values: NDArray[np.float64]
    mirrored: bool = False

    def turned(self) -> "Taps":
        """The kernel along the opposite direction."""
        return Taps(self.values[::-1], not self.mirrored)


def convolve(image: NDArray[np.float64], kernels: Sequence[Taps], boundary: Boundary) -> NDArray[np.float64]:
    """Convolve with `kernels` along (columns, rows) or (columns, rows, slices), the last axes of `image` backwards."""
    for axis, (values, mirrored) in zip((-1, -2, -3), kernels, strict=False):
        # of an even number the tap after the middle is the centre, before the kernel is mirrored
        origin = -1 if mirrored and values.size % 2 == 0 else 0
        image = ndimage.convolve1d(image, values, axis=axis, mode=NDIMAGE_MODES[boundary], origin=origin)
    return image


def turns(dimensions: int) -> Iterator[tuple[tuple[int, bool], ...]]:
    """All turns by right angles, 4 in a slice and 24 in a volume.

    A turn says for each axis which one comes there, and whether mirrored.

    >>> sum(1 for _ in turns(2)), sum(1 for _ in turns(3))
    (4, 24)
    """
    for axes in permutations(range(dimensions)):
        odd = sum(a > b for i, a in enumerate(axes) for b in axes[i + 1 :]) % 2
        for mirrored in product((False, True), repeat=dimensions):
            # an odd permutation and an odd number of mirrors: together a turn, alone none
            if sum(mirrored) % 2 == odd:
                yield tuple(zip(axes, mirrored, strict=True))


def filtered(
    image: NDArray[np.float64], stages: Sequence[Sequence[Taps]], boundary: Boundary, pooling: Pooling | None
) -> NDArray[np.float64]:
    """Apply `stages` of kernels one after another; with `pooling`, under every turn and made one."""
    if pooling is None:
        for kernels in stages:
            image = convolve(image, kernels, boundary)
        return image
    found: NDArray[np.float64] | None = None
    count = 0
    for turn in turns(len(stages[0])):
        response = image
        for kernels in stages:
            chosen = [kernels[axis].turned() if mirrored else kernels[axis] for axis, mirrored in turn]
            response = convolve(response, chosen, boundary)
        count += 1
        if found is None:
            found = response
        elif pooling == "max":
            np.maximum(found, response, out=found)
        else:
            found += response
    assert found is not None
    return found / count if pooling == "average" else found
