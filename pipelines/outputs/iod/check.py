"""Compares the bytes of an object with what the modules of its IOD demand."""

from collections.abc import Iterator
from typing import Final

from pipelines.domain.identifiers import SopClassUID
from pipelines.outputs.iod.conditions import FRAME_ONLY, GROUPS, PER_FRAME, SHARED
from pipelines.outputs.iod.encoded import Fields, fields, items
from pipelines.outputs.iod.table import Level, Rule, level_of, tag_of

# after the preamble and the prefix of a Part 10 file
_START: Final = 132
_VALUE_TYPE: Final = 0x0040A040
_TEXT_VRS: Final = frozenset(
    (
        b"AE",
        b"AS",
        b"CS",
        b"DA",
        b"DS",
        b"DT",
        b"IS",
        b"LO",
        b"LT",
        b"PN",
        b"SH",
        b"ST",
        b"TM",
        b"UC",
        b"UI",
        b"UR",
        b"UT",
    )
)
_PADDING: Final = " \0"
# codes and modifiers recur thousands of times in a report; longer sequences hardly ever do
_RECURRING_BYTES: Final = 1000


def iod_faults(data: bytes, sop_class: SopClassUID) -> Iterator[str]:
    """Which attributes of types 1 and 2, and of 1C and 2C where the object tells, are missing or empty.

    Parameters
    ----------
    data
        A Part 10 file in Explicit VR Little Endian.

    Raises
    ------
    ValueError, struct.error
        If the bytes are not that.
    KeyError
        If the node writes no objects of `sop_class`.

    References
    ----------
    PS3.3 annexes A and C; PS3.5 section 7.4 (types of attributes).
    """
    reader = _Reader(data)
    top = fields(data, _START, len(data))
    yield from reader.faults(top, level_of(sop_class), ())
    if sop_class in GROUPS:
        yield from reader.group_faults(top, GROUPS[sop_class])


class _Reader:
    """Walks one object; remembers which small sequences it found in order, by their bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._good: set[tuple[int, bytes]] = set()

    def faults(self, found: Fields, level: Level, path: tuple[str, ...]) -> Iterator[str]:
        rules = level.rules_for(self._text(found, _VALUE_TYPE)) if level.content_item else level.rules
        for rule in rules:
            if rule.tag not in found:
                if self._is_due(rule, found):
                    yield f"{_named(path, rule.keyword)} is missing"
            elif rule.filled and not self._text(found, rule.tag):
                yield f"{_named(path, rule.keyword)} is empty"
        for number, (start, end, _) in found.items():
            if number in level.never_empty and not self._text(found, number):
                yield f"{_named(path, level.names[number])} is empty"
            if number in level.below:
                yield from self._sequence_faults(start, end, level.below[number], (*path, level.names[number]))

    def group_faults(self, top: Fields, groups: tuple[str, ...]) -> Iterator[str]:
        """Which functional groups some frame neither has nor shares (PS3.3 C.7.6.16)."""
        shared, frames = (self._items(top, tag_of(keyword)) for keyword in (SHARED, PER_FRAME))
        announced = self._text(top, tag_of("NumberOfFrames"))
        if announced != str(len(frames)):
            yield f"{PER_FRAME} has {len(frames)} items for {announced or 'no'} frames"
        for keyword in groups:
            number = tag_of(keyword)
            everywhere = any(number in item for item in shared)
            if everywhere and keyword in FRAME_ONLY:
                yield f"{SHARED} > {keyword} belongs to the frames"
            if not everywhere and not all(number in frame for frame in frames):
                yield f"{PER_FRAME} > {keyword} is missing"

    def _sequence_faults(self, start: int, end: int, level: Level, path: tuple[str, ...]) -> Iterator[str]:
        known = (id(level), self._data[start:end]) if end - start < _RECURRING_BYTES else None
        if known is not None and known in self._good:
            return
        fault = None
        for place, (first, stop) in enumerate(items(self._data, start, end), start=1):
            for fault in self.faults(fields(self._data, first, stop), level, (*path, str(place))):
                yield fault
        if fault is None and known is not None:
            self._good.add(known)

    def _items(self, found: Fields, number: int) -> list[Fields]:
        if number not in found:
            return []
        start, end, _ = found[number]
        return [fields(self._data, first, stop) for first, stop in items(self._data, start, end)]

    def _is_due(self, rule: Rule, found: Fields) -> bool:
        return rule.when is None or rule.when(lambda keyword: self._text(found, tag_of(keyword)))

    def _text(self, found: Fields, number: int) -> str:
        if number not in found:
            return ""
        start, end, vr = found[number]
        if vr in _TEXT_VRS:
            return self._data[start:end].decode("latin-1").strip(_PADDING)
        return "value" if end > start else ""


def _named(path: tuple[str, ...], keyword: str) -> str:
    """Where an attribute stands: its sequences with the numbers of their items, such as `SegmentSequence 2`."""
    above = [f"{path[place]} {path[place + 1]}" for place in range(0, len(path), 2)]
    return " > ".join((*above, keyword))
