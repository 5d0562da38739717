"""All IBSI features of a lesion."""

from importlib import metadata

import numpy as np

from pipelines.domain.case import Lesion
from pipelines.domain.feature_codes import IBSI_PREFIX
from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import Volume
from pipelines.extraction.ibsi import cooccurrence, intensity, sizes, tones
from pipelines.extraction.ibsi.aggregation import by_direction, by_neighbourhood
from pipelines.extraction.ibsi.filtered import filtered_statistics
from pipelines.extraction.ibsi.morphology import morphology
from pipelines.extraction.ibsi.names import feature_names
from pipelines.extraction.ibsi.neighbourhood import SLICE, Levels, Step
from pipelines.extraction.ibsi.roi import Roi, grey_levels, roi_of
from pipelines.extraction.ibsi.settings import IbsiSettings
from pipelines.extraction.limits import too_small


def software(settings: IbsiSettings) -> tuple[tuple[str, str], ...]:
    """(name, version) of the libraries that the numbers come from."""
    used = ("NumPy", "SciPy", "PyWavelets") if settings.filters else ("NumPy", "SciPy")
    return tuple((name, metadata.version(name.lower())) for name in used)


def extract(ct: Volume, lesion: Lesion, settings: IbsiSettings) -> FeatureVector | Rejected:
    """Compute all features of `lesion` as IBSI defines them.

    Returns
    -------
    FeatureVector
        `feature_names(settings)` with their values; NaN where a feature is not defined for the lesion.
    Rejected
        `ROI-001` for a lesion that spans fewer than two voxels in two directions, `ROI-003` for one that interpolation
        or re-segmentation leaves nothing of.
    """
    small = too_small(lesion)
    if small is not None:
        return small
    roi = roi_of(ct, lesion.mask, settings)
    if roi is None:
        return Rejected(
            "ROI-003",
            f"Nothing of segment {lesion.number} is left on the interpolated grid within the re-segmentation range.",
            "Check the contour of this lesion, or measure it with another extraction profile.",
        )
    found = measure(roi, settings) | filtered_statistics(ct, lesion.mask, settings)
    names = feature_names(settings)
    return FeatureVector(names, np.array([found.get(name.removeprefix(IBSI_PREFIX), np.nan) for name in names]))


def measure(roi: Roi, settings: IbsiSettings) -> dict[str, float]:
    """The features of `roi` by the tags of IBSI's reference tables, such as `cm_joint_entr_3D_avg`."""
    box = _around(roi)
    mask = roi.intensity[box]
    levels_of_voxels = grey_levels(roi.values, settings.discretisation, settings.range_hu)
    volume = np.zeros(mask.shape, dtype=np.int64)
    volume[mask] = levels_of_voxels
    levels = Levels.of(volume)
    morphological, dimensions = roi.morphological[box], settings.dimensions
    in_volume, in_slices = (sizes.border_distance(morphological, by_slice=flat).ravel() for flat in (False, True))

    def distances(part: Levels, steps: tuple[Step, ...]) -> sizes.Sizes:
        return sizes.distances_of(part, steps, in_slices if steps == SLICE else in_volume)

    return {
        **morphology(roi),
        **intensity.peaks(roi),
        **intensity.statistics(roi.values),
        **intensity.histogram(levels_of_voxels),
        **intensity.volume_histogram(roi.values, settings),
        **by_direction(
            levels, dimensions, cooccurrence.pairs_along, cooccurrence.merged_pairs, cooccurrence.pair_features
        ),
        **by_direction(levels, dimensions, sizes.runs_along, sizes.merged_sizes, sizes.run_features),
        **by_neighbourhood(levels, dimensions, sizes.zones_of, sizes.merged_sizes, sizes.zone_features),
        **by_neighbourhood(levels, dimensions, distances, sizes.merged_sizes, sizes.distance_features),
        **by_neighbourhood(levels, dimensions, tones.tones_of, tones.merged_tones, tones.tone_features),
        **by_neighbourhood(levels, dimensions, sizes.dependences_of, sizes.merged_sizes, sizes.dependence_features),
    }


def _around(roi: Roi) -> tuple[slice, slice, slice]:
    """The smallest box around the lesion."""
    places = np.argwhere(roi.morphological)
    a, b, c = (slice(int(low), int(high) + 1) for low, high in zip(places.min(0), places.max(0), strict=True))
    return a, b, c
