"""IBSI-2's phantoms and configurations: what is filtered how, in its first phase and in its second."""

from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.ibsi_phantoms import ct_phantom
from pipelines.domain.volume import CtVolume, Mask
from pipelines.extraction.ibsi import roi as preprocessing
from pipelines.extraction.ibsi.intensity import statistics
from pipelines.extraction.ibsi.settings import FixedBinSize, IbsiSettings
from pipelines.extraction.ibsi_filters.catalogue import CATALOGUE
from pipelines.extraction.ibsi_filters.respond import response
from pipelines.extraction.ibsi_filters.settings import (
    Box,
    Filter,
    Gabor,
    LaplacianOfGaussian,
    Laws,
    Mean,
    NonseparableWavelet,
    SeparableWavelet,
)

SPACING_MM: Final = 2.0
"""Edge of a voxel of the digital phantoms."""
_SIZE: Final = 64


def digital_phantom(name: str) -> NDArray[np.float64]:
    """A digital phantom of the first phase: `checkerboard`, `impulse`, `sphere` or `pattern_1`, of 0 and 255.

    Raises
    ------
    KeyError
        If there is no such phantom.
    """
    places = np.arange(_SIZE)
    z, y, x = np.meshgrid(places, places, places, indexing="ij", sparse=True)
    square = (x - 31) ** 2 + (y - 31) ** 2 + (z - 31) ** 2
    # a line of 2 x 2 voxels through the middle along each axis
    middles = sum(((line == 31) | (line == 32)).astype(int) for line in (x, y, z))
    bright = {
        "checkerboard": (x // 8 + y // 8 + z // 8) % 2 == 1,
        "impulse": square == 0,
        "sphere": np.any([(square > inner**2) & (square <= outer**2) for inner, outer in _SHELLS], axis=0)
        | (square == 0),
        "pattern_1": middles >= 2,
    }
    return np.where(bright[name], 255.0, 0.0)


_SHELLS: Final = ((0, 2), (6, 10), (15, 19), (24, 28))


class Mapped(NamedTuple):
    """A configuration of the first phase: the phantom and the filter."""

    phantom: str
    filter: Filter


_E5L5S5: Final = Laws(("E5", "L5", "S5"))
_E3W5R5: Final = Laws(("E3", "W5", "R5"))
_L5S5: Final = Laws(("L5", "S5"))
_NARROW: Final = Gabor(10.0, 4.0, 0.5, angle_deg=60.0)
_WIDE: Final = Gabor(20.0, 8.0, 2.5, angle_deg=225.0)
_DB2: Final = SeparableWavelet("db2", "LHL")
_COIF1: Final = SeparableWavelet("coif1", "HHL")
_HAAR: Final = SeparableWavelet("haar", "LLL", level=2, pooling="average")

MAPS: Final[dict[str, Mapped]] = {
    "1.a.1": Mapped("checkerboard", Filter(Mean(15), boundary="zero")),
    "1.a.2": Mapped("checkerboard", Filter(Mean(15), boundary="nearest")),
    "1.a.3": Mapped("checkerboard", Filter(Mean(15), boundary="periodic")),
    "1.a.4": Mapped("checkerboard", Filter(Mean(15))),
    "1.b.1": Mapped("impulse", Filter(Mean(15), by_slice=True, boundary="zero")),
    "2.a": Mapped("impulse", Filter(LaplacianOfGaussian(3.0), boundary="zero")),
    "2.b": Mapped("checkerboard", Filter(LaplacianOfGaussian(5.0))),
    "2.c": Mapped("checkerboard", Filter(LaplacianOfGaussian(5.0), by_slice=True)),
    "3.a.1": Mapped("impulse", Filter(_E5L5S5, boundary="zero")),
    "3.a.2": Mapped("impulse", Filter(replace(_E5L5S5, pooling="max"), boundary="zero")),
    "3.a.3": Mapped("impulse", Filter(replace(_E5L5S5, pooling="max", energy_distance=7), boundary="zero")),
    "3.b.1": Mapped("checkerboard", Filter(_E3W5R5)),
    "3.b.2": Mapped("checkerboard", Filter(replace(_E3W5R5, pooling="max"))),
    "3.b.3": Mapped("checkerboard", Filter(replace(_E3W5R5, pooling="max", energy_distance=7))),
    "3.c.1": Mapped("checkerboard", Filter(_L5S5, by_slice=True)),
    "3.c.2": Mapped("checkerboard", Filter(replace(_L5S5, pooling="max"), by_slice=True)),
    "3.c.3": Mapped("checkerboard", Filter(replace(_L5S5, pooling="max", energy_distance=7), by_slice=True)),
    "4.a.1": Mapped("impulse", Filter(_NARROW, by_slice=True, boundary="zero")),
    "4.a.2": Mapped(
        "impulse", Filter(replace(_NARROW, angle_deg=0.0, step_deg=45.0, orthogonal=True), boundary="zero")
    ),
    "4.b.1": Mapped("sphere", Filter(_WIDE, by_slice=True)),
    "4.b.2": Mapped("sphere", Filter(replace(_WIDE, angle_deg=0.0, step_deg=22.5, orthogonal=True))),
    "5.a.1": Mapped("impulse", Filter(_DB2, boundary="zero")),
    "5.a.2": Mapped("impulse", Filter(replace(_DB2, pooling="average"), boundary="zero")),
    "6.a.1": Mapped("sphere", Filter(_COIF1, boundary="periodic")),
    "6.a.2": Mapped("sphere", Filter(replace(_COIF1, pooling="average"), boundary="periodic")),
    "7.a.1": Mapped("checkerboard", Filter(_HAAR)),
    "7.a.2": Mapped("checkerboard", Filter(replace(_HAAR, subband="HHH"))),
    "8.a.1": Mapped("checkerboard", Filter(NonseparableWavelet("simoncelli"), boundary="periodic")),
    "8.a.2": Mapped("checkerboard", Filter(NonseparableWavelet("simoncelli", level=2), boundary="periodic")),
    "8.a.3": Mapped("checkerboard", Filter(NonseparableWavelet("simoncelli", level=3), boundary="periodic")),
    "9.a": Mapped("impulse", Filter(LaplacianOfGaussian(3.0, riesz=(1, 0, 0)), boundary="zero")),
    "9.b.1": Mapped("sphere", Filter(LaplacianOfGaussian(3.0, riesz=(0, 2, 0)), boundary="zero")),
    "10.b.1": Mapped("pattern_1", Filter(NonseparableWavelet("simoncelli", riesz=(0, 2, 0)), boundary="periodic")),
}
"""The response maps of the first phase that there is a consensus on."""


def response_map(configuration: str) -> NDArray[np.float64]:
    """Our response map of a configuration of the first phase."""
    phantom, wanted = MAPS[configuration]
    return response(digital_phantom(phantom), SPACING_MM, wanted)


_DB3: Final = SeparableWavelet("db3", "LH", pooling="average")
FILTERS: Final[dict[str, Filter | None]] = {
    "1.A": None,
    "1.B": None,
    "2.A": Filter(Mean(5), by_slice=True),
    "2.B": CATALOGUE["mean"],
    "3.A": Filter(LaplacianOfGaussian(1.5), by_slice=True),
    "3.B": CATALOGUE["log"],
    "4.A": Filter(Laws(("L5", "E5"), "max", 7), by_slice=True),
    "4.B": CATALOGUE["laws"],
    "5.A": Filter(Gabor(5.0, 2.0, 1.5, step_deg=22.5), by_slice=True),
    "5.B": CATALOGUE["gabor"],
    "6.A": Filter(_DB3, by_slice=True),
    "6.B": CATALOGUE["wavelet-llh"],
    "7.A": Filter(replace(_DB3, subband="HH", level=2), by_slice=True),
    "7.B": CATALOGUE["wavelet-hhh"],
    "8.A": Filter(NonseparableWavelet("simoncelli"), by_slice=True, boundary="periodic"),
    "8.B": Filter(NonseparableWavelet("simoncelli"), boundary="periodic"),
    "9.A": Filter(NonseparableWavelet("simoncelli", level=2), by_slice=True, boundary="periodic"),
    "9.B": Filter(NonseparableWavelet("simoncelli", level=2), boundary="periodic"),
}
"""The configurations of the second phase, on the CT phantom: A by slice on its own pixels, B on voxels of 1 mm."""


class Prepared(NamedTuple):
    """The CT phantom before it is filtered: image, intensity mask and the edge of a pixel."""

    image: NDArray[np.float64]
    mask: NDArray[np.bool_]
    pixel_mm: float


def prepared(ct: CtVolume, mask: Mask, *, by_slice: bool) -> Prepared:
    """The image of the configurations A or B: interpolated, rounded, re-segmented to -1000 to 400 HU."""
    pixel = None if by_slice else 1.0
    settings = IbsiSettings(
        "IBSI-2", pixel, pixel, FixedBinSize(25.0), range_hu=(-1000.0, 400.0), interpolation="cubic"
    )
    x, y, z = ct.grid.spacing_mm
    spacing = preprocessing.wanted_spacing((z, y, x), settings)
    lines = preprocessing.grid_lines(ct.grid.shape, (z, y, x), spacing)
    image = np.rint(preprocessing.interpolate(ct.hu, lines, cubic=True))
    whole = preprocessing.interpolated_mask(mask.on(ct.grid), lines, settings)
    return Prepared(image, preprocessing.resegmented(image, whole, settings), spacing[-1])


def phantom_images(folder: Path) -> dict[str, Prepared]:
    """The image of the configurations A and that of B."""
    ct, mask = ct_phantom(folder)
    return {"A": prepared(ct, mask, by_slice=True), "B": prepared(ct, mask, by_slice=False)}


def measured(on: Prepared, wanted: Filter | None) -> dict[str, float]:
    """The intensity statistics of the filtered lesion, by tag."""
    if wanted is None:
        return statistics(on.image[on.mask])
    box = _around(on.mask)
    return statistics(response(on.image, on.pixel_mm, wanted, box)[on.mask[box]])


def _around(mask: NDArray[np.bool_]) -> Box:
    places = np.argwhere(mask)
    a, b, c = (slice(int(low), int(high) + 1) for low, high in zip(places.min(0), places.max(0), strict=True))
    return a, b, c
