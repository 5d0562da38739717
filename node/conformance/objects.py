"""Which attributes each kind of object has, as the sample objects show it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset
from pydicom.datadict import dictionary_description, keyword_for_tag
from pydicom.tag import Tag

from node.conformance.markdown import code, table
from pipelines.domain.identifiers import SopClassUID
from pipelines.domain.inherited import INHERITED
from pipelines.domain.outcome import ResultObject, family
from pipelines.outputs.usage import AttributeUsage, Presence, attribute_usage

_SHOWN: Final = frozenset({"AT", "CS", "DS", "FD", "IS", "LO", "SH", "ST", "UL", "US"})
_FIXED_UIDS: Final = frozenset({"SOPClassUID", "CodingSchemeUID"})
_CODE_VALUE, _SCHEME, _MEANING = 0x00080100, 0x00080102, 0x00080104
# beside what every result takes over, what those on the planes of the CT have of it
_OF_THE_CT: Final = frozenset(
    {
        *INHERITED,
        "BodyPartExamined",
        "FrameOfReferenceUID",
        "PositionReferenceIndicator",
        "LossyImageCompression",
        "LossyImageCompressionRatio",
        "LossyImageCompressionMethod",
        "ReferencedRequestSequence",
        "RequestAttributesSequence",
    }
)
_FROM_SETTINGS: Final = frozenset({"StationName"})


@dataclass(frozen=True, slots=True)
class ObjectUsage:
    """One SOP class that the node creates.

    Attributes
    ----------
    kinds
        As in `outputs.kinds`.
    """

    sop_class: SopClassUID
    kinds: tuple[str, ...]
    attributes: tuple[AttributeUsage, ...]


def usage_by_class(objects: Iterable[tuple[ResultObject, Dataset]]) -> tuple[ObjectUsage, ...]:
    """Usage of attributes, one for each SOP class of `objects`."""
    kinds: dict[SopClassUID, dict[str, None]] = {}
    datasets: dict[SopClassUID, list[Dataset]] = {}
    for made, dataset in objects:
        kinds.setdefault(made.sop_class, {})[family(made.kind)] = None
        datasets.setdefault(made.sop_class, []).append(dataset)
    return tuple(
        ObjectUsage(sop_class, tuple(kinds[sop_class]), attribute_usage(datasets[sop_class]))
        for sop_class in sorted(datasets)
    )


def common_attributes(classes: Sequence[ObjectUsage]) -> frozenset[int]:
    """Tags at the top that all classes have with the same usage down to the last item."""
    trees = [_trees(one.attributes) for one in classes]
    first = trees[0]
    return frozenset(tag for tag in first if all(_same(first[tag], other.get(tag, ())) for other in trees[1:]))


def _trees(attributes: Iterable[AttributeUsage]) -> dict[int, tuple[AttributeUsage, ...]]:
    found: dict[int, list[AttributeUsage]] = {}
    for one in attributes:
        found.setdefault(one.path[0], []).append(one)
    return {tag: tuple(tree) for tag, tree in found.items()}


def _same(one: Sequence[AttributeUsage], other: Sequence[AttributeUsage]) -> bool:
    return [_told(a) for a in one] == [_told(b) for b in other]


def _told(one: AttributeUsage) -> tuple[object, ...]:
    return one.path, one.presence, _value(one)


def attribute_table(attributes: Sequence[AttributeUsage]) -> str:
    """One line for each attribute; items of sequences below them with `>`, codes as one value."""
    by_path = {one.path: one for one in attributes}
    return table(("Attribute", "Tag", "VR", "Value", "Presence", "Source"), _rows(attributes, by_path))


def _rows(
    attributes: Iterable[AttributeUsage], by_path: Mapping[tuple[int, ...], AttributeUsage]
) -> Iterator[tuple[str, ...]]:
    for one in attributes:
        above = keyword_for_tag(one.path[0])
        if len(one.path) > 1 and (above in _OF_THE_CT or (*one.path[:-1], _CODE_VALUE) in by_path):
            continue
        tag = Tag(one.path[-1])
        name = f"{'>' * (len(one.path) - 1)} {dictionary_description(tag)}".strip()
        value = _coded(one, by_path) or _value(one)
        source = _source(one, above, value)
        yield name, f"({tag.group:04X},{tag.element:04X})", one.vr, value, one.presence.value, source


def _source(one: AttributeUsage, above: str, value: str) -> str:
    keyword = keyword_for_tag(one.path[-1])
    if above in _OF_THE_CT:
        return "COPY"
    if keyword in _FROM_SETTINGS:
        return "CONFIG"
    return "FIXED" if value and value != "coded" else "AUTO"


def _value(one: AttributeUsage) -> str:
    """The value where every object has the same one."""
    keyword = keyword_for_tag(one.path[-1])
    mine = keyword_for_tag(one.path[0]) not in _OF_THE_CT and keyword not in _FROM_SETTINGS
    shown = one.vr in _SHOWN or keyword in _FIXED_UIDS
    if not (mine and shown and one.presence is Presence.ALWAYS and len(one.values) == 1):
        return ""
    (value,) = one.values
    return f'"{value}"' if " " in value else code(value)


def _coded(one: AttributeUsage, by_path: Mapping[tuple[int, ...], AttributeUsage]) -> str:
    parts = [by_path.get((*one.path, tag)) for tag in (_CODE_VALUE, _SCHEME, _MEANING)]
    if keyword_for_tag(one.path[0]) in _OF_THE_CT or any(part is None for part in parts):
        return ""
    values = [part.values for part in parts if part is not None]
    if any(len(value) != 1 for value in values):
        return "coded"
    return f'({values[0][0]}, {values[1][0]}, "{values[2][0]}")'
