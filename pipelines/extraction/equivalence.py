"""What of a parameter file the fast engine can compute."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, cast

from pipelines.extraction.customisation import Customisation, Value
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import ExtractionSettings, Interpolator

_INTERPOLATORS: Final[dict[Value, Interpolator]] = {
    "sitkNearestNeighbor": "sitkNearestNeighbor",
    "sitkBSpline": "sitkBSpline",
    # SimpleITK's numbers of the two
    1: "sitkNearestNeighbor",
    3: "sitkBSpline",
}


@dataclass(frozen=True, slots=True)
class Support:
    """For which values of a setting the fast engine gives PyRadiomics' numbers.

    Attributes
    ----------
    default
        What PyRadiomics takes where a file does not say.
    words
        The values, for the manual.
    """

    default: Value
    words: str
    holds: Callable[[Value], bool]


def _only(value: Value, words: str = "") -> Support:
    # True == 1 in Python, but not in a parameter file
    return Support(value, words or f"`{shown(value)}`", lambda found: found == value and type(found) is type(value))


def shown(value: Value) -> str:
    """A value as a parameter file has it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "not set" if value is None else str(value)


def _any(default: Value, words: str = "any") -> Support:
    return Support(default, words, lambda found: True)


def _cubic(spacing: Value) -> bool:
    return isinstance(spacing, tuple) and len(spacing) == 3 and len(set(spacing)) == 1 and spacing[0] not in (0, None)


SETTINGS: Final[dict[str, Support]] = {
    "binWidth": Support(25, "any", lambda found: isinstance(found, int | float)),
    "binCount": _only(None),
    "resampledPixelSpacing": Support(None, "three equal numbers above 0", _cubic),
    "interpolator": Support(
        "sitkBSpline",
        "`sitkBSpline`, `sitkNearestNeighbor`",
        lambda found: not isinstance(found, bool) and found in _INTERPOLATORS,
    ),
    "padDistance": _any(5),
    "preCrop": _any(False, "any: without effect on a CT that is resampled"),
    "voxelArrayShift": _any(0),
    "normalize": _only(False),
    "normalizeScale": _any(1, "any: without effect unless `normalize`"),
    "removeOutliers": _any(None, "any: without effect unless `normalize`"),
    "resegmentRange": _only(None),
    "resegmentMode": _any("absolute", "any: without effect unless `resegmentRange`"),
    "resegmentShape": _any(False, "any: without effect unless `resegmentRange`"),
    "minimumROIDimensions": _only(2),
    "minimumROISize": _only(None),
    "force2D": _only(False),
    "force2Ddimension": _any(0, "any: without effect unless `force2D`"),
    "distances": _only((1,)),
    "symmetricalGLCM": _only(True),
    "weightingNorm": _only(None),
    "gldm_a": _only(0),
    "sigma": _any((), "any"),
    "wavelet": _only("coif1"),
    "level": _only(1),
    "start_level": _only(0),
    "gradientUseSpacing": _any(True, "any: of a filter that PyRadiomics computes"),
    "lbp2DRadius": _any(1, "any: of a filter that PyRadiomics computes"),
    "lbp2DSamples": _any(8, "any: of a filter that PyRadiomics computes"),
    "lbp2DMethod": _any("uniform", "any: of a filter that PyRadiomics computes"),
    "lbp3DLevels": _any(2, "any: of a filter that PyRadiomics computes"),
    "lbp3DIcosphereRadius": _any(1, "any: of a filter that PyRadiomics computes"),
    "lbp3DIcosphereSubdivision": _any(1, "any: of a filter that PyRadiomics computes"),
}
"""All settings of a parameter file that numbers depend on."""

OWN_SETTINGS: Final[dict[str, frozenset[str]]] = {
    "Original": frozenset(),
    "LoG": frozenset({"sigma"}),
    "Wavelet": frozenset({"wavelet", "level", "start_level"}),
}
"""The images that the fast engine computes, and the settings that they may have for themselves."""


@cache
def plain_settings(settings: ExtractionSettings) -> ExtractionSettings | Unsupported:
    """Settings for the fast engine that yield at least the features of `settings`, or why there are none."""
    custom = settings.customisation
    if custom is None:
        return settings
    reason = _beyond(custom)
    if reason is not None:
        return Unsupported(reason)
    spacing, pad = custom.setting("resampledPixelSpacing"), custom.setting("padDistance", 5)
    kinds = dict(custom.image_types)
    sigmas = custom.settings_of("LoG").get("sigma", ()) if "LoG" in kinds else ()
    plain = replace(
        settings,
        interpolator=_INTERPOLATORS[custom.setting("interpolator", "sitkBSpline")],
        resampled_spacing_mm=float(cast(tuple[float, ...], spacing)[0]),
        pad_distance_mm=cast(int, pad),
        # as they are: PyRadiomics writes 1 and 1.0 into names that differ
        log_sigmas_mm=cast(tuple[float, ...], sigmas),
        wavelet="Wavelet" in kinds,
        customisation=None,
    )
    known = set(feature_names(plain))
    unknown = sorted({name.split("_", 1)[1] for name in feature_names(settings) if name not in known})
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        return Unsupported(f"the parameters ask for {', '.join(unknown[:3])}{more}")
    return plain


def _beyond(custom: Customisation) -> str | None:
    """The first thing that only PyRadiomics computes."""
    for kind, own in custom.image_types:
        if kind not in OWN_SETTINGS:
            return f"the parameters ask for the filter {kind}"
        for name, value in own:
            if name not in OWN_SETTINGS[kind] and value != custom.setting(name, SETTINGS[name].default):
                return f"the parameters have a {name} of its own for {kind}"
        of_filter = custom.settings_of(kind)
        for name in OWN_SETTINGS[kind]:
            if not SETTINGS[name].holds(of_filter.get(name, SETTINGS[name].default)):
                return f"the parameters set {name} of {kind}"
    for_filters = frozenset[str]().union(*OWN_SETTINGS.values())
    for name, support in SETTINGS.items():
        value = custom.setting(name, support.default)
        if name not in for_filters and not support.holds(value):
            return f"the parameters set {name} to {shown(value)}"
    return None
