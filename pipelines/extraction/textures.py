"""First-order and texture features of one image of a lesion."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction import cancellation, native
from pipelines.extraction.firstorder import firstorder_features, quantile_ranks
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.region import Region, Workspace
from pipelines.extraction.settings import ExtractionSettings

# in the order of the kernels
GLCM_FEATURES: Final = (
    "Autocorrelation",
    "ClusterProminence",
    "ClusterShade",
    "ClusterTendency",
    "Contrast",
    "Correlation",
    "DifferenceAverage",
    "DifferenceEntropy",
    "DifferenceVariance",
    "Id",
    "Idm",
    "Idmn",
    "Idn",
    "Imc1",
    "Imc2",
    "InverseVariance",
    "JointAverage",
    "JointEnergy",
    "JointEntropy",
    "MaximumProbability",
    "SumEntropy",
    "SumSquares",
)
"""Names of the co-occurrence features that the kernels compute."""

# in the order of the kernels; a dependence matrix has no feature for None
SIZE_FEATURES: Final[dict[str, tuple[str | None, ...]]] = {
    "glrlm": (
        "ShortRunEmphasis",
        "LongRunEmphasis",
        "GrayLevelNonUniformity",
        "GrayLevelNonUniformityNormalized",
        "RunLengthNonUniformity",
        "RunLengthNonUniformityNormalized",
        "RunPercentage",
        "GrayLevelVariance",
        "RunVariance",
        "RunEntropy",
        "LowGrayLevelRunEmphasis",
        "HighGrayLevelRunEmphasis",
        "ShortRunLowGrayLevelEmphasis",
        "ShortRunHighGrayLevelEmphasis",
        "LongRunLowGrayLevelEmphasis",
        "LongRunHighGrayLevelEmphasis",
    ),
    "glszm": (
        "SmallAreaEmphasis",
        "LargeAreaEmphasis",
        "GrayLevelNonUniformity",
        "GrayLevelNonUniformityNormalized",
        "SizeZoneNonUniformity",
        "SizeZoneNonUniformityNormalized",
        "ZonePercentage",
        "GrayLevelVariance",
        "ZoneVariance",
        "ZoneEntropy",
        "LowGrayLevelZoneEmphasis",
        "HighGrayLevelZoneEmphasis",
        "SmallAreaLowGrayLevelEmphasis",
        "SmallAreaHighGrayLevelEmphasis",
        "LargeAreaLowGrayLevelEmphasis",
        "LargeAreaHighGrayLevelEmphasis",
    ),
    "gldm": (
        "SmallDependenceEmphasis",
        "LargeDependenceEmphasis",
        "GrayLevelNonUniformity",
        None,
        "DependenceNonUniformity",
        "DependenceNonUniformityNormalized",
        None,
        "GrayLevelVariance",
        "DependenceVariance",
        "DependenceEntropy",
        "LowGrayLevelEmphasis",
        "HighGrayLevelEmphasis",
        "SmallDependenceLowGrayLevelEmphasis",
        "SmallDependenceHighGrayLevelEmphasis",
        "LargeDependenceLowGrayLevelEmphasis",
        "LargeDependenceHighGrayLevelEmphasis",
    ),
}

# thirteen tables of this many levels squared take 200 MB
_MOST_LEVELS: Final = 2000
# in widths of a level
_NEAR_AN_EDGE: Final = 1e-9


class ImageValues(NamedTuple):
    """One image of a lesion.

    Attributes
    ----------
    values
        Of the voxels of the lesion, in the order of the array.
    dtype
        In which PyRadiomics has the image.
    """

    image_type: str
    values: NDArray[np.float64]
    dtype: np.dtype[Any]


def bin_edges(values: NDArray[np.generic], width: float) -> NDArray[np.float64]:
    """Edges of the grey levels as `radiomics.imageoperations.getBinEdges` computes them, in the type of `values`.

    >>> bin_edges(np.array([54, 166], dtype=np.int16), 25.0)
    array([ 50.,  75., 100., 125., 150., 175., 200.])
    """
    return _edges_between(values.min(), values.max(), width)


def _edges_between(least: Any, most: Any, width: float) -> NDArray[np.float64]:
    # the remainder of a single-precision number is rounded to single precision, and shifts all edges with it
    return np.arange(least - (least % width), most + 2 * width, width).astype(np.float64)


def near_an_edge(values: NDArray[np.float64], width: float) -> bool:
    """True when a value lies so close to the edge of a grey level that rounding may have put it on the other side."""
    edges = bin_edges(values, width)
    places = (values - edges[0]) / width
    return bool((np.abs(places - np.rint(places)) < _NEAR_AN_EDGE).any())


def image_features(
    image: ImageValues, region: Region, workspace: Workspace, settings: ExtractionSettings, voxel_mm3: float
) -> dict[str, dict[str, float]] | Unsupported:
    """The 86 features of one image by class and name."""
    values = image.values
    summary = native.summary(values)
    # in the type of the image, on which the edges depend; they are made from the extremes only
    edges = _edges_between(image.dtype.type(summary.least), image.dtype.type(summary.most), settings.bin_width_hu)
    if edges.size - 1 > _MOST_LEVELS:
        return Unsupported(f"there are more than {_MOST_LEVELS} grey levels")
    frame = workspace.frame(region, native.level_type(edges.size, max(region.shape)))
    ranks = quantile_ranks(values.size)
    # the zones are looked for later
    spare = workspace.zones[0].view(np.uint16)
    histogram, ordered = native.place_levels(values, edges, settings.bin_width_hu, region.runs, frame, ranks, spare)
    return {
        "firstorder": firstorder_features(
            values, summary, histogram, ordered, shift=settings.voxel_array_shift_hu, voxel_mm3=voxel_mm3
        ),
        **_matrix_features(region, workspace, frame, histogram),
    }


def _matrix_features(
    region: Region, workspace: Workspace, frame: NDArray[np.unsignedinteger], histogram: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """Features by class and name of the grey levels in `frame`."""
    level_count, count, longest = histogram.size - 1, region.count, max(region.shape)
    # the zones are looked for later
    pairs, positions = native.sweep(frame, region.blocks, longest, histogram, spare=workspace.zones)
    found = {"glcm": _glcm_features(pairs, histogram, region.shape)}
    runs = native.glrlm_features(positions, region.lined, count)
    zone_count, dependence_counts = native.zones(frame, region.rows, level_count, found=workspace.zones)
    by_size = {
        "glrlm": runs,
        "glszm": native.glszm_features(workspace.zones, zone_count, level_count, count),
        "gldm": native.gldm_features(dependence_counts, count),
    }
    for family, values in by_size.items():
        named = zip(SIZE_FEATURES[family], values.tolist(), strict=True)
        found[family] = {name: value for name, value in named if name is not None}
    return found


def _glcm_features(
    pairs: NDArray[np.uint32], histogram: NDArray[np.int64], shape: tuple[int, int, int]
) -> dict[str, float]:
    values, gap = native.glcm_features(pairs)
    found = dict(zip(GLCM_FEATURES, values.tolist(), strict=True))
    if cancellation.matters(found, gap, levels=int(np.count_nonzero(histogram))):
        found.update(cancellation.glcm_features(pairs, histogram, shape))
    return found
