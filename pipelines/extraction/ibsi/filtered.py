"""The intensity statistics of a lesion after the filters of IBSI-2."""

from dataclasses import replace
from typing import Final

import numpy as np

from pipelines.domain.volume import Mask, Volume
from pipelines.extraction.ibsi.intensity import statistics
from pipelines.extraction.ibsi.roi import roi_of
from pipelines.extraction.ibsi.settings import FILTERED_SPACING_MM, IbsiSettings
from pipelines.extraction.ibsi_filters.catalogue import CATALOGUE
from pipelines.extraction.ibsi_filters.respond import reach, response
from pipelines.extraction.ibsi_filters.settings import Box

# a mask that is cut at half may reach half a voxel beyond the voxels of the CT
_MARGIN: Final = 1


def filtered_statistics(ct: Volume, mask: Mask, settings: IbsiSettings) -> dict[str, float]:
    """Statistics of each response map by filter and tag, such as `log_stat_mean`.

    The lesion is prepared as in the configurations B of IBSI-2's second phase: voxels of 1 mm, cubic interpolation,
    whole HU. Nothing is returned for a lesion that nothing is left of.
    """
    if not settings.filters:
        return {}
    fine = replace(
        settings,
        pixel_spacing_mm=FILTERED_SPACING_MM,
        slice_spacing_mm=FILTERED_SPACING_MM,
        interpolation="cubic",
    )
    extents = [reach(CATALOGUE[name], FILTERED_SPACING_MM) for name in settings.filters]
    margin = max(extent for extent in extents if extent is not None) + _MARGIN
    roi = roi_of(ct, mask, fine, margin_mm=margin * FILTERED_SPACING_MM)
    if roi is None:
        return {}
    places = np.argwhere(roi.intensity)
    z, y, x = (slice(int(low), int(high) + 1) for low, high in zip(places.min(0), places.max(0), strict=True))
    box: Box = (z, y, x)
    inside = roi.intensity[box]
    found: dict[str, float] = {}
    for name in settings.filters:
        values = response(roi.image, FILTERED_SPACING_MM, CATALOGUE[name], box)[inside]
        found |= {f"{name}_{tag}": value for tag, value in statistics(values).items()}
    return found
