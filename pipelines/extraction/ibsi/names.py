"""The names of the features that given IBSI settings yield, in the order of the reports."""

from functools import cache

from pipelines.domain.feature_codes import IBSI_PREFIX
from pipelines.domain.ibsi_codes import ibsi_tags
from pipelines.extraction.ibsi.settings import IbsiSettings


@cache
def feature_names(settings: IbsiSettings) -> tuple[str, ...]:
    """Full names of all features: IBSI's own tags behind `ibsi_` and, for a filtered image, the name of the filter.

    Examples
    --------
    >>> from pipelines.extraction.ibsi.settings import PRESET
    >>> len(feature_names(PRESET)), feature_names(PRESET)[0]
    (210, 'ibsi_morph_volume')
    """
    tags = ibsi_tags(settings.dimensions)
    statistics = [tag for tag in tags if tag.startswith("stat_")]
    filtered = (f"{name}_{tag}" for name in settings.filters for tag in statistics)
    return tuple(f"{IBSI_PREFIX}{tag}" for tag in (*tags, *filtered))
