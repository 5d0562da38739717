"""The names of the features that given settings yield, in the order of the reports, without computing anything."""

from functools import cache
from typing import Final

from pipelines.extraction.customisation import all_features
from pipelines.extraction.ibsi import names as ibsi_names
from pipelines.extraction.settings import ExtractionSettings

FEATURE_CLASSES: Final = ("firstorder", "glcm", "glrlm", "glszm", "gldm")

# exampleCT.yaml leaves SumAverage out (it is twice JointAverage) and is older than MCC
_LEFT_OUT: Final = frozenset({"glcm_SumAverage", "glcm_MCC"})


@cache
def features_of(family: str) -> tuple[str, ...]:
    """Feature names of one class as the profiles have it, without the class, in alphabetical order."""
    return tuple(name for name in all_features(family) if f"{family}_{name}" not in _LEFT_OUT)


def image_types(settings: ExtractionSettings) -> tuple[str, ...]:
    """Images that features are computed on, as they are named in features (`log-sigma-2-0-mm-3D`)."""
    if settings.customisation is not None:
        return settings.customisation.images()
    log = tuple(f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D" for sigma in settings.log_sigmas_mm)
    bands = ("LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH", "LLL") if settings.wavelet else ()
    return ("original", *log, *(f"wavelet-{band}" for band in bands))


@cache
def feature_names(settings: ExtractionSettings) -> tuple[str, ...]:
    """Full names of all features: 14 of shape and 86 for each of the images, or those of IBSI or a parameter file.

    Examples
    --------
    >>> from pipelines.extraction.settings import load_profile
    >>> len(feature_names(load_profile("seed-a")))
    1218
    """
    if settings.ibsi is not None:
        return ibsi_names.feature_names(settings.ibsi)
    if settings.customisation is not None:
        return settings.customisation.feature_names()
    shape = [f"original_shape_{feature}" for feature in features_of("shape")]
    rest = [
        f"{image}_{family}_{feature}"
        for image in image_types(settings)
        for family in FEATURE_CLASSES
        for feature in features_of(family)
    ]
    return (*shape, *rest)
