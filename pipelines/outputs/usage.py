"""Which attributes and codes objects hold, found in the objects themselves."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydicom import DataElement, Dataset

from pipelines.domain.coding import Code


class Presence(StrEnum):
    """How regularly an attribute is there (PS3.2, attribute usage of created instances)."""

    ALWAYS = "ALWAYS"
    """Always there with a value."""
    VNAP = "VNAP"
    """Always there, the value not always."""
    ANAP = "ANAP"
    """Not always there."""
    EMPTY = "EMPTY"
    """Always there, never with a value."""


@dataclass(frozen=True, slots=True)
class AttributeUsage:
    """One attribute of a kind of object.

    Attributes
    ----------
    path
        Tags from the data set down to the attribute, the last one its own.
    values
        Values that were seen, as text, in lasting order; those of sequences and bulk data are left out.
    """

    path: tuple[int, ...]
    vr: str
    presence: Presence
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CodeUse:
    """A code and one place where it stands.

    Attributes
    ----------
    where
        In a content tree the template of the nearest container that names one and the part that the code plays there;
        elsewhere the keywords of the sequences down to it.
    """

    code: Code
    where: str


_CONTENT: Final = 0x0040A730
_TEMPLATE: Final = "ContentTemplateSequence"
_BULK: Final = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN"})
_PARTS: Final = {
    "ConceptNameCodeSequence": "name",
    "ConceptCodeSequence": "value",
    "MeasurementUnitsCodeSequence": "unit",
    "NumericValueQualifierCodeSequence": "qualifier",
}


def attribute_usage(objects: Sequence[Dataset]) -> tuple[AttributeUsage, ...]:
    """Usage of every attribute of `objects`, which are of one kind, in the order of their tags.

    Within sequences an attribute counts as always there when each item of that sequence has it. Content trees are left
    out.
    """
    return tuple(_usage(objects, ()))


def _usage(holders: Sequence[Dataset], above: tuple[int, ...]) -> Iterator[AttributeUsage]:
    for tag in sorted({int(element.tag) for holder in holders for element in holder} - {_CONTENT}):
        found = [holder[tag] for holder in holders if tag in holder]
        path = (*above, tag)
        filled = [element for element in found if not element.is_empty]
        yield AttributeUsage(path, found[0].VR, _presence(len(holders), len(found), len(filled)), _values(filled))
        items = [item for element in filled if element.VR == "SQ" for item in element.value]
        if items:
            yield from _usage(items, path)


def _presence(holders: int, found: int, filled: int) -> Presence:
    if found < holders:
        return Presence.ANAP
    if filled == 0:
        return Presence.EMPTY
    return Presence.ALWAYS if filled == found else Presence.VNAP


def _values(elements: Iterable[DataElement]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_text(one) for one in elements if one.VR not in _BULK and one.VR != "SQ"))


def _text(element: DataElement) -> str:
    return "\\".join(map(str, element.value)) if element.VM > 1 else str(element.value)


def code_uses(made: Dataset) -> tuple[CodeUse, ...]:
    """Every code in `made` with its places, in the order in which they first come."""
    return tuple(dict.fromkeys((*_coded_below(made, ()), *_coded_content(made, ""))))


def _coded_below(dataset: Dataset, above: tuple[str, ...]) -> Iterator[CodeUse]:
    """Codes of plain sequences, by the keywords of the sequences above them."""
    for element in dataset:
        if element.VR != "SQ" or element.tag == _CONTENT or element.keyword in _title(dataset, above):
            continue
        for item in element.value:
            code = _code(item)
            if code is not None:
                yield CodeUse(code, " > ".join((*above, element.keyword)))
            yield from _coded_below(item, (*above, element.keyword))


def _title(dataset: Dataset, above: tuple[str, ...]) -> Iterable[str]:
    """Where the root of a content tree has its title, which belongs to the tree."""
    return _PARTS if not above and "ValueType" in dataset else ()


def _coded_content(item: Dataset, template: str) -> Iterator[CodeUse]:
    """Codes of a content item and of those below it, by template and part."""
    if "ValueType" not in item:
        return
    named = item.get(_TEMPLATE)
    inside = f"TID {named[0].TemplateIdentifier}" if named else template
    for holder in (item, *(item.get("MeasuredValueSequence") or ())):
        for keyword, part in _PARTS.items():
            for one in holder.get(keyword) or ():
                code = _code(one)
                if code is not None:
                    yield CodeUse(code, f"{inside}: {part} of {item.ValueType}")
    for below in item.get("ContentSequence") or ():
        yield from _coded_content(below, inside)


def _code(item: Dataset) -> Code | None:
    if "CodeValue" not in item or "CodingSchemeDesignator" not in item:
        return None
    return Code(str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning))
