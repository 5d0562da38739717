"""Which filter is applied to an image: one immutable value per kind of filter of the IBSI-2 reference manual."""

from dataclasses import dataclass
from typing import Final, Literal

Boundary = Literal["zero", "nearest", "periodic", "mirror"]
"""What lies beyond the edge of an image (IBSI-2 reference manual, boundary conditions).

Nothing, the voxel at the edge, the image again, or the image mirrored with its edge voxels repeated.
"""
Pooling = Literal["max", "average"]
"""How the responses of a turned filter are made one: voxel by voxel the highest, or the mean."""
Box = tuple[slice, slice, slice]
"""A part of an image, with first and last voxel given."""
Riesz = tuple[int, int, int]
"""Orders of a Riesz transform along (columns, rows, slices)."""


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean of a cube, or within a slice of a square, of `size` voxels along each edge; `size` is odd."""

    size: int

    code = "S60F"


@dataclass(frozen=True, slots=True)
class LaplacianOfGaussian:
    """Laplacian of a Gaussian of standard deviation `sigma_mm`, cut off at `truncate` of them."""

    sigma_mm: float
    truncate: float = 4.0
    riesz: Riesz | None = None

    code = "L6PA"


@dataclass(frozen=True, slots=True)
class Laws:
    """Product of Laws' kernels along (columns, rows, slices), such as `("L5", "E5", "E5")`.

    Attributes
    ----------
    pooling
        Makes the filter invariant to turning by right angles; None to apply it as it is.
    energy_distance
        Chebyshev distance in voxels of the texture energy, the mean of the absolute response around each voxel; None
        for the response itself.
    """

    kernels: tuple[str, ...]
    pooling: Pooling | None = None
    energy_distance: int | None = None

    code = "JTXT"


@dataclass(frozen=True, slots=True)
class Gabor:
    """Modulus of the response to a two-dimensional Gabor kernel.

    Attributes
    ----------
    sigma_mm, wavelength_mm
        Standard deviation of the envelope and wavelength of the wave.
    aspect
        Spatial aspect ratio gamma of the envelope.
    angle_deg
        Direction of the wave; with `step_deg` the first of the directions.
    step_deg
        Average over all directions that lie this far apart; None for one direction.
    orthogonal
        Average over the planes of slices, rows and columns.
    """

    sigma_mm: float
    wavelength_mm: float
    aspect: float
    angle_deg: float = 0.0
    step_deg: float | None = None
    orthogonal: bool = False

    code = "Q88H"


@dataclass(frozen=True, slots=True)
class SeparableWavelet:
    """Undecimated wavelet transform.

    Attributes
    ----------
    family
        As PyWavelets names it, such as `db3`, `coif1`, `haar`.
    subband
        Low-pass (L) or high-pass (H) filter along (columns, rows, slices) at the last level, such as `LLH`.
    level
        From 1; the levels before are low-pass filtered.
    pooling
        Makes the filter invariant to turning by right angles; None to apply it as it is.
    """

    family: str
    subband: str
    level: int = 1
    pooling: Pooling | None = None

    code = "25BO"


@dataclass(frozen=True, slots=True)
class NonseparableWavelet:
    """Isotropic band-pass filter in the frequency domain, whose image is periodic.

    Attributes
    ----------
    level
        From 1; each halves the frequencies of the one before.
    """

    family: Literal["simoncelli", "shannon"]
    level: int = 1
    riesz: Riesz | None = None

    code = "LODD"


Kernel = Mean | LaplacianOfGaussian | Laws | Gabor | SeparableWavelet | NonseparableWavelet


@dataclass(frozen=True, slots=True)
class Filter:
    """A kernel and how it is applied.

    Attributes
    ----------
    by_slice
        True to filter each slice for itself.
    boundary
        What lies beyond the edge of the image.
    """

    kernel: Kernel
    by_slice: bool = False
    boundary: Boundary = "mirror"


NDIMAGE_MODES: Final[dict[Boundary, Literal["constant", "nearest", "wrap", "reflect"]]] = {
    "zero": "constant",
    "nearest": "nearest",
    "periodic": "wrap",
    "mirror": "reflect",
}
PAD_MODES: Final[dict[Boundary, Literal["constant", "edge", "wrap", "symmetric"]]] = {
    "zero": "constant",
    "nearest": "edge",
    "periodic": "wrap",
    "mirror": "symmetric",
}
"""The boundary conditions under SciPy's and under NumPy's names."""
