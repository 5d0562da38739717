"""The filters that can be asked for by name: configurations of IBSI's own that have reference values."""

from collections.abc import Iterable
from typing import Final, Literal, get_args

from pipelines.extraction.ibsi_filters.settings import (
    Filter,
    Gabor,
    LaplacianOfGaussian,
    Laws,
    Mean,
    SeparableWavelet,
)

FilterName = Literal["mean", "log", "laws", "gabor", "wavelet-llh", "wavelet-hhh"]

CATALOGUE: Final[dict[FilterName, Filter]] = {
    "mean": Filter(Mean(5)),
    "log": Filter(LaplacianOfGaussian(1.5)),
    "laws": Filter(Laws(("L5", "E5", "E5"), "max", 7)),
    "gabor": Filter(Gabor(5.0, 2.0, 1.5, step_deg=22.5, orthogonal=True)),
    "wavelet-llh": Filter(SeparableWavelet("db3", "LLH", pooling="average")),
    "wavelet-hhh": Filter(SeparableWavelet("db3", "HHH", level=2, pooling="average")),
}
"""Configurations 2.B to 7.B of IBSI-2's second phase.

Those of the non-separable wavelets are left out: they depend on the size of the CT, not on the surroundings of the
lesion alone.
"""


def in_order(names: Iterable[FilterName]) -> tuple[FilterName, ...]:
    """Each of `names` once, in the order of the catalogue, so that equal choices are equal settings."""
    wanted = set(names)
    return tuple(name for name in get_args(FilterName) if name in wanted)
