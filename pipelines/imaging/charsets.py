"""Text attributes of a data set, decoded from the bytes that were received."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydicom import DataElement, Dataset, config
from pydicom import Sequence as Items
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import PersonName

from pipelines.domain.charsets import UTF_8, decode
from pipelines.imaging.damaged import READ_FAULTS

_TEXT: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_UNDIVIDED: Final = frozenset({"LT", "ST", "UT"})
_CHARACTER_SET: Final = Tag("SpecificCharacterSet")


class UnreadableText(Exception):
    """The bytes of a text are in no character set that is declared or assumed."""


def declared_in(dataset: Dataset, within: Sequence[str] = ()) -> tuple[str, ...]:
    """Values of Specific Character Set; those of the data set around it where `dataset` has none."""
    if _CHARACTER_SET not in dataset:
        return tuple(within)
    value = dataset[_CHARACTER_SET].value
    return (value,) if isinstance(value, str) else tuple(str(part) for part in value or ())


def text_of(dataset: Dataset, keyword: str, *, within: Sequence[str] = (), assume: str = "") -> str:
    """The text of an attribute; empty when it is absent.

    Parameters
    ----------
    within
        Character sets of the data set around `dataset`, for the item of a sequence.
    assume
        Character set of text that is in none of the declared ones.

    Raises
    ------
    UnreadableText
        If it cannot be decoded.
    """
    tag = Tag(keyword)
    if tag not in dataset:
        return ""
    value = _text(dataset, tag, dictionary_VR(tag), declared_in(dataset, within), assume)
    return "\\".join(value) if isinstance(value, list) else value


def decoded(
    dataset: Dataset, keywords: Iterable[str] | None = None, *, within: Sequence[str] = (), assume: str = ""
) -> tuple[Dataset, tuple[str, ...]]:
    """A copy of `dataset` with all text decoded, to be written in any character set.

    Private attributes are left out, and so are numbers of a wrong length and unknown value representations: neither is
    worth a patient's results.

    Parameters
    ----------
    keywords
        Attributes to take; None for all.

    Returns
    -------
    Dataset
        With its own Specific Character Set only if `keywords` has it.
    tuple of str
        Keywords of the attributes whose text cannot be decoded, or that hold such text in a sequence.
    """
    declared = declared_in(dataset, within)
    made, unreadable = Dataset(), []
    for tag in dataset.keys() if keywords is None else [Tag(keyword) for keyword in keywords]:
        if tag not in dataset or tag.is_private:
            continue
        try:
            element = _element(dataset, tag, declared, assume)
        except UnreadableText:
            unreadable.append(keyword_for_tag(tag) or str(tag))
        except READ_FAULTS:
            continue
        else:
            made.add(element)
    return made, tuple(unreadable)


def _element(dataset: Dataset, tag: BaseTag, declared: Sequence[str], assume: str) -> DataElement:
    vr = _vr(dataset, tag)
    if vr in _TEXT:
        return DataElement(tag, vr, _text(dataset, tag, vr, declared, assume), validation_mode=config.IGNORE)
    element = dataset[tag]
    if element.VR != "SQ":
        return element
    items = []
    for item in element.value:
        made, unreadable = decoded(item, within=declared, assume=assume)
        if unreadable:
            raise UnreadableText
        if _CHARACTER_SET in made:
            made[_CHARACTER_SET] = DataElement(_CHARACTER_SET, "CS", UTF_8)
        items.append(made)
    return DataElement(tag, "SQ", Items(items))


def _vr(dataset: Dataset, tag: BaseTag) -> str:
    """The value representation, known from the dictionary where implicit encoding or UN does not say it."""
    vr = dataset.get_item(tag).VR
    if vr in (None, "UN"):
        try:
            return dictionary_VR(tag)
        except KeyError:
            return "UN"
    return str(vr)


def _text(dataset: Dataset, tag: BaseTag, vr: str, declared: Sequence[str], assume: str) -> Any:
    element = dataset.get_item(tag)
    value = element.value
    if isinstance(element, RawDataElement):
        return _from_bytes(value or b"", vr, declared, assume)
    # a name that was looked at before has kept its bytes; other text has not
    if isinstance(value, PersonName):
        return _of_name(value, declared, assume)
    if isinstance(value, str) or value is None:
        return value or ""
    return [_of_name(part, declared, assume) if isinstance(part, PersonName) else str(part) for part in value]


def _of_name(name: PersonName, declared: Sequence[str], assume: str) -> str:
    stored = name.original_string
    if not isinstance(stored, bytes) or not stored:
        return str(name)
    value = _from_bytes(stored, "PN", declared, assume)
    return value if isinstance(value, str) else "\\".join(value)


def _from_bytes(data: bytes, vr: str, declared: Sequence[str], assume: str) -> str | list[str]:
    divided = vr not in _UNDIVIDED
    text = decode(data, declared, assume=assume, person_name=vr == "PN", divided=divided)
    if text is None:
        raise UnreadableText
    parts = [part.strip(" ") for part in text.split("\\")] if divided else [text]
    return parts if len(parts) > 1 else parts[0]
