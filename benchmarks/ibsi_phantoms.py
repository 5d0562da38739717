"""IBSI's phantoms and configurations, and what the `ibsi` profile's code measures of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from pipelines.domain.case import Case
from pipelines.domain.volume import CtVolume, Mask
from pipelines.extraction.ibsi import roi as preprocessing
from pipelines.extraction.ibsi.measure import measure
from pipelines.extraction.ibsi.roi import Roi, roi_of
from pipelines.extraction.ibsi.settings import FixedBinNumber, FixedBinSize, IbsiSettings
from pipelines.imaging.case import read_case

PHANTOM: Final = Path("golden", "ibsi_ct_phantom")
"""Where the CT phantom lies in the folder of data."""
DIGITAL: Final = "digital phantom"

_NARROW: Final = IbsiSettings("A", None, None, FixedBinSize(25.0), (-500.0, 400.0), dimensions=("2D", "2_5D"))
_WIDE: Final = IbsiSettings("C", 2.0, 2.0, FixedBinSize(25.0), (-1000.0, 400.0))
CONFIGURATIONS: Final[dict[str, IbsiSettings]] = {
    DIGITAL: IbsiSettings(DIGITAL, None, None, FixedBinSize(1.0), dimensions=("2D", "2_5D", "3D")),
    "A": _NARROW,
    "B": replace(_NARROW, profile="B", pixel_spacing_mm=2.0, discretisation=FixedBinNumber(32)),
    "C": replace(_WIDE, ivh_discretisation=FixedBinSize(2.5)),
    "D": replace(_WIDE, profile="D", discretisation=FixedBinNumber(32), range_hu=None, outlier_sigmas=3.0),
    "E": replace(
        _WIDE,
        profile="E",
        interpolation="cubic",
        discretisation=FixedBinNumber(32),
        outlier_sigmas=3.0,
        ivh_discretisation=FixedBinNumber(1000),
    ),
}
"""The settings of IBSI-1's reference values (IBSI reference manual, chapter 5)."""
# IBSI's digital phantom, 5 x 4 x 4 voxels of 2 mm; voxels outside the lesion are negative here (reference manual,
# chapter 5; CC BY 4.0)
_DIGITAL_VOXELS: Final = """
    1 4 4 1 1  1 4 6 1 1  4 1 6 4 1  4 4 6 4 1
    1 4 4 1 1  1 1 6 1 1 -1 1 3 1 1  4 4 6 1 1
    1 4 4 -1 -1  1 1 1 1 1  1 1 -9 1 1  1 1 6 1 1
    1 4 4 -1 -1  1 1 1 1 1  1 1 1 1 1  1 1 6 1 1
"""


def digital_phantom() -> Roi:
    """The lesion of the digital phantom, which needs no preparation."""
    voxels = np.array([float(voxel) for voxel in _DIGITAL_VOXELS.split()]).reshape(4, 4, 5)
    return Roi((2.0, 2.0, 2.0), np.abs(voxels), voxels > 0, voxels > 0)


def ct_phantom(folder: Path) -> tuple[CtVolume, Mask]:
    """CT and lesion of the CT phantom, from DICOM as the node reads it."""
    case = read_case(
        [dcmread(file) for file in sorted((folder / "ct").glob("*.dcm"))],
        dcmread(folder / "seg.dcm"),
        inputs_digest="ibsi",
    )
    assert isinstance(case, Case)
    return case.ct, case.lesions[0].mask


def measured(ct: CtVolume, mask: Mask, settings: IbsiSettings) -> dict[str, float]:
    """Features and what describes the preparation of the image, by tag."""
    roi = roi_of(ct, mask, settings)
    assert roi is not None
    return {**prepared(ct, mask, settings), **measure(roi, settings)}


def prepared(ct: CtVolume, mask: Mask, settings: IbsiSettings) -> dict[str, float]:
    """IBSI's diagnostic features: the whole image and the lesion before, between and after the steps."""
    x, y, z = ct.grid.spacing_mm
    old = (z, y, x)
    new = preprocessing.wanted_spacing(old, settings)
    lines = preprocessing.grid_lines(ct.grid.shape, old, new)
    first, first_mask = ct.hu[:].astype(np.float64), mask.on(ct.grid)
    image = np.rint(preprocessing.interpolate(ct.hu, lines, cubic=settings.interpolation == "cubic"))
    whole = preprocessing.interpolated_mask(first_mask, lines, settings)
    kept = preprocessing.resegmented(image, whole, settings)
    return {
        **_image("init", first, old),
        **_image("interp", image, new),
        **_lesion("init", first, first_mask, first_mask),
        **_lesion("interp", image, whole, whole),
        **_lesion("reseg", image, whole, kept),
    }


def _image(step: str, image: NDArray[np.float64], spacing_mm: Sequence[float]) -> dict[str, float]:
    axes = list(zip("zyx", image.shape, spacing_mm, strict=True))
    return {
        **{f"img_dim_{axis}_{step}_img": float(size) for axis, size, _ in axes},
        **{f"vox_dim_{axis}_{step}_img": width for axis, _, width in axes},
        f"mean_int_{step}_img": float(image.mean()),
        f"min_int_{step}_img": float(image.min()),
        f"max_int_{step}_img": float(image.max()),
    }


def _lesion(
    step: str, image: NDArray[np.float64], morphological: NDArray[np.bool_], intensity: NDArray[np.bool_]
) -> dict[str, float]:
    values = image[intensity]
    found = {
        f"int_mask_mean_int_{step}_roi": float(values.mean()),
        f"int_mask_min_int_{step}_roi": float(values.min()),
        f"int_mask_max_int_{step}_roi": float(values.max()),
    }
    for axis, size in zip("zyx", image.shape, strict=True):
        found[f"int_mask_dim_{axis}_{step}_roi"] = float(size)
    for kind, mask in (("int", intensity), ("morph", morphological)):
        found[f"{kind}_mask_vox_count_{step}_roi"] = float(mask.sum())
        extent = np.ptp(np.argwhere(mask), axis=0) + 1.0
        found |= {f"{kind}_mask_bb_dim_{axis}_{step}_roi": float(n) for axis, n in zip("zyx", extent, strict=True)}
    return found
