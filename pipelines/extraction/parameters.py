"""Reads PyRadiomics' own parameter files, by PyRadiomics' own schema."""

import logging
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipelines.domain.feature_codes import CONCEPTS
from pipelines.domain.reasons import Rejected
from pipelines.extraction.customisation import Arguments, Customisation, Value, all_features
from pipelines.extraction.equivalence import plain_settings
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import ExtractionSettings
from pipelines.extraction.toolbox import pyradiomics

IGNORED: Final = frozenset(
    {"label", "label_channel", "additionalInfo", "geometryTolerance", "correctMask"}
    | {"kernelRadius", "maskedKernel", "initValue", "voxelBatch"}
)
"""Settings that choose the lesion in a mask file, check its geometry or make maps: the node does these itself."""

_REMEDY: Final = "Correct the file; PyRadiomics' manual describes it under 'Customizing the Extraction'."
# what PyRadiomics imports for a filter, which it leaves out without a word when it cannot
_NEEDED: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "LBP2D": (("skimage.feature", "local_binary_pattern"),),
    "LBP3D": (
        ("scipy.stats", "kurtosis"),
        ("scipy.ndimage.interpolation", "map_coordinates"),
        ("scipy.special", "sph_harm"),
        ("trimesh.creation", "icosphere"),
    ),
}


def read_parameters(text: str, *, name: str) -> ExtractionSettings | Rejected:
    """Settings that measure what `pyradiomics -p FILE` measures.

    Parameters
    ----------
    text
        Content of the file, YAML or JSON.
    name
        What reports call the settings: the name of the file.

    Returns
    -------
    ExtractionSettings
        Without a customisation, and so with the digest of the profile, when the file asks for nothing else than plain
        settings say.
    Rejected
        `ENG-002` when PyRadiomics' schema does not take the file, or a filter of it needs a library that is missing.
    """
    try:
        content = YAML(typ="safe", pure=True).load(text)
    except YAMLError as fault:
        return _refused(name, f"is not valid YAML: {_one_line(str(fault))}")
    if not isinstance(content, dict):
        return _refused(name, "holds no settings")
    try:
        custom = _customisation(content)
    except (RuntimeError, ValueError, TypeError, LookupError) as fault:
        # pykwalify's own errors are RuntimeErrors; the functions of PyRadiomics' schema raise the others
        return _refused(name, _one_line(str(getattr(fault, "msg", fault))))
    for kind, _ in custom.image_types:
        if missing := _missing(kind):
            remedy = "Install the node with its extra `lbp`, or take the filter out of the file."
            return Rejected("ENG-002", f"Parameter file {name}: {kind} needs {missing}, which is not there.", remedy)
    if not custom.feature_names():
        return _refused(name, "asks for no feature")
    settings = _settings(custom, name)
    plain = plain_settings(settings)
    if isinstance(plain, Unsupported) or set(feature_names(plain)) != set(feature_names(settings)):
        return settings
    return plain


def _settings(custom: Customisation, name: str) -> ExtractionSettings:
    width, shift = custom.setting("binWidth", 25), custom.setting("voxelArrayShift", 0)
    return ExtractionSettings(
        f"parameters {name}",
        "sitkBSpline",
        gaussian_sigma_mm=0.0,
        bin_width_hu=float(width) if isinstance(width, int | float) else 25.0,
        voxel_array_shift_hu=float(shift) if isinstance(shift, int | float) else 0.0,
        customisation=custom,
    )


def _customisation(content: Mapping[str, Any]) -> Customisation:
    """Let PyRadiomics load `content`, and take over what it would then do."""
    for logger in ("radiomics", "pykwalify"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    # without its entries that are empty, on which PyRadiomics fails later
    loaded = pyradiomics().featureextractor.RadiomicsFeatureExtractor(_without_empty(content))
    spacing = loaded.settings.get("resampledPixelSpacing")
    if spacing is not None and len(spacing) != 3:
        # the schema lets it pass, and every lesion would fail
        raise ValueError(f"resampledPixelSpacing has {len(spacing)} numbers instead of three")
    features = [(family, _features(family, names)) for family, names in loaded.enabledFeatures.items()]
    return Customisation(
        settings=_arguments(loaded.settings),
        image_types=tuple((kind, _arguments(own)) for kind, own in loaded.enabledImagetypes.items()),
        features=tuple((family, names) for family, names in features if names),
    )


def _without_empty(content: Mapping[str, Any]) -> dict[str, Any]:
    sections = {name: {} if section is None else section for name, section in content.items()}
    kinds = sections.get("imageType", {})
    if isinstance(kinds, dict):
        sections["imageType"] = {kind: {} if own is None else own for kind, own in kinds.items()}
    return sections


def _features(family: str, named: list[str] | None) -> tuple[str, ...]:
    if not named:
        return all_features(family)
    # a feature without a code is one that PyRadiomics keeps the name of, but no longer computes
    return tuple(name for name in sorted(set(named)) if f"{family}_{name}" in CONCEPTS)


def _arguments(values: Mapping[str, Any]) -> Arguments:
    return tuple((name, _frozen(values[name])) for name in sorted(values) if name not in IGNORED)


def _frozen(value: Any) -> Value:
    return tuple(value) if isinstance(value, list) else value


def _missing(kind: str) -> str:
    return ", ".join(
        sorted({module.partition(".")[0] for module, name in _NEEDED.get(kind, ()) if _lacks(module, name)})
    )


def _lacks(module: str, name: str) -> bool:
    try:
        return not hasattr(import_module(module), name)
    except ImportError:
        return True


def _refused(name: str, why: str) -> Rejected:
    return Rejected("ENG-002", f"Parameter file {name}: {why}", _REMEDY)


def _lines(text: str) -> Iterator[str]:
    return (line.strip(" .'\"") for line in text.splitlines() if line.strip())


def _one_line(text: str) -> str:
    return "; ".join(_lines(text)) + "."
