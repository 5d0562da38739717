"""Every code that the node can write, and where."""

from collections.abc import Iterable, Iterator
from types import ModuleType

from pydicom import Dataset

from node.conformance.markdown import code, table
from node.conformance.sample import FURTHER_IMAGES
from pipelines.domain import coding, feature_codes
from pipelines.domain.coding import PRIVATE_SCHEME, Code
from pipelines.domain.feature_codes import CONCEPTS, describe
from pipelines.extraction.ibsi_filters.catalogue import CATALOGUE
from pipelines.extraction.names import feature_names, image_types
from pipelines.extraction.settings import PROFILES, load_profile
from pipelines.outputs.usage import code_uses

SCHEMES = {
    PRIVATE_SCHEME: "codes of this project",
    "DCM": "DICOM, PS3.16 annex D",
    "IBSI": "Image Biomarker Standardisation Initiative, permanent identifiers of the reference manual",
    "SCT": "SNOMED CT, as PS3.16 uses it",
    "LN": "LOINC",
    "RFC5646": "languages",
    "UCUM": "units",
}
"""Every coding scheme that a code of the node belongs to, in the order of the page."""


def tabled_codes() -> tuple[Code, ...]:
    """All codes of the tables that the node writes from, each once."""
    return tuple(dict.fromkeys((*_codes_in(coding), *_codes_in(feature_codes), *_of_features())))


def _codes_in(module: ModuleType) -> Iterator[Code]:
    for value in vars(module).values():
        if isinstance(value, Code):
            yield value
        elif isinstance(value, dict):
            yield from (one for one in value.values() if isinstance(one, Code))


def _of_features() -> Iterator[Code]:
    packaged = (image for settings in PROFILES.values() if settings.ibsi is None for image in image_types(settings))
    for image in (*packaged, *FURTHER_IMAGES):
        yield from (value for _, value in describe(f"{image}_firstorder_Mean").modifiers)
    for name in feature_names(load_profile("ibsi", ibsi_filters=tuple(CATALOGUE))):
        described = describe(name)
        yield described.concept
        yield from (part for modifier in described.modifiers for part in modifier)


def places(datasets: Iterable[tuple[str, Dataset]]) -> dict[Code, dict[str, set[str]]]:
    """Where each code stands in `datasets`, of which each has its kind: by code and place the kinds."""
    found: dict[Code, dict[str, set[str]]] = {}
    for kind, dataset in datasets:
        for use in code_uses(dataset):
            found.setdefault(use.code, {}).setdefault(use.where, set()).add(kind)
    return found


def code_tables(datasets: Iterable[tuple[str, Dataset]]) -> str:
    """The codes scheme by scheme, each with its meaning, its places and the features that it stands for."""
    where = places(datasets)
    features: dict[Code, list[str]] = {}
    for name, concept in CONCEPTS.items():
        features.setdefault(concept, []).append(name)
    parts = []
    for scheme, about in SCHEMES.items():
        mine = sorted((one for one in tabled_codes() if one.scheme == scheme), key=lambda one: one.value)
        rows = (
            (code(one.value), one.meaning, _told(where.get(one, {})), _named(features.get(one, ()))) for one in mine
        )
        parts.append(f"## {scheme}\n\n{about[0].upper()}{about[1:]}.\n\n{table(_HEADER, rows)}")
    return "\n\n".join(parts)


_HEADER = ("Code Value", "Code Meaning", "Where", "Feature and its unit in the original image")


def _short(place: str) -> str:
    """The last two sequences of a place, which tell it well enough."""
    return " > ".join(place.split(" > ")[-2:])


def _named(features: Iterable[str]) -> str:
    units = ((name, describe(f"original_{name}").unit.value) for name in features)
    return ", ".join(f"{code(name)} in {code(unit)}" for name, unit in units)


def _told(where: dict[str, set[str]]) -> str:
    return "; ".join(f"{_short(place)} ({', '.join(sorted(kinds))})" for place, kinds in sorted(where.items()))
