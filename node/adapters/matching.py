"""Attribute matching of queries against data sets that are held in memory (PS3.4 C.2.2.2)."""

import re
from functools import lru_cache

from pydicom import DataElement, Dataset

_RANGE_VRS = frozenset({"DA", "TM", "DT"})
_EXACT_VRS = frozenset({"UI", "US", "SS", "UL", "SL", "IS", "DS", "FL", "FD", "AT"})
# of an identifier, what is said about the query and not asked of the answer
_ABOUT_THE_QUERY = frozenset({"SpecificCharacterSet", "TimezoneOffsetFromUTC", "QueryRetrieveLevel"})


def matches(query: Dataset, held: Dataset) -> bool:
    """True if `held` meets every key of `query`; an empty key asks for the attribute and matches everything."""
    return all(
        _matches_element(key, held[key.tag] if key.tag in held else None)  # noqa: SIM401 - get returns a value for a keyword
        for key in query
        if key.keyword not in _ABOUT_THE_QUERY
    )


def answer(query: Dataset, held: Dataset) -> Dataset:
    """The attributes of `held` that `query` asks for; those that it does not have are empty (PS3.4 C.4.1.1.3.2)."""
    made = Dataset()
    for key in query:
        if key.keyword in _ABOUT_THE_QUERY:
            continue
        if key.tag in held:
            made.add(held[key.tag])
        else:
            made.add_new(key.tag, key.VR, None if key.VR != "SQ" else [])
    if "SpecificCharacterSet" in held:
        made.SpecificCharacterSet = held.SpecificCharacterSet
    return made


def _matches_element(key: DataElement, held: DataElement | None) -> bool:
    if key.VR == "SQ":
        asked = [item for item in key.value if len(item)]
        if not asked:
            return True
        held_items = [] if held is None or held.VR != "SQ" else held.value
        return any(matches(item, of) for item in asked for of in held_items)
    if key.is_empty:
        return True
    if held is None or held.is_empty:
        return False
    wanted, values = _texts(key), _texts(held)
    if key.VR in _RANGE_VRS and any("-" in one for one in wanted):
        return any(_in_range(value, wanted[0]) for value in values)
    if key.VR in _EXACT_VRS or key.VR in _RANGE_VRS:
        return any(value == one for value in values for one in wanted)
    return any(_like(value, one) for value in values for one in wanted)


def _texts(element: DataElement) -> list[str]:
    values = element.value if element.VM > 1 else [element.value]
    return [str(value).strip() for value in values]


def _in_range(value: str, asked: str) -> bool:
    """Whether a date or time lies in `FIRST-LAST`, either of which may be left out; as text they sort as in time."""
    first, _, last = asked.partition("-")
    return (not first or value >= first) and (not last or value[: len(last)] <= last)


def _like(value: str, pattern: str) -> bool:
    """Wild cards: any number of characters for *, one for ?; names in any case."""
    # what asks for more characters than there are needs no look, however long it is
    return len(pattern) - pattern.count("*") <= len(value) and _expression(pattern).fullmatch(value) is not None


@lru_cache(maxsize=16)
def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression whose effort grows with the lengths of both, whatever somebody asks.

    The earliest place of each part between two * is as good as any later one, so none is ever looked for again; tried
    in all combinations, a few dozen * would keep the process busy for years.
    """
    begin, *others = ("".join("." if c == "?" else re.escape(c) for c in part) for part in pattern.split("*"))
    if others:
        begin += "".join(f"(?>.*?{part})" for part in others[:-1] if part) + f".*{others[-1]}"
    return re.compile(begin, re.IGNORECASE | re.DOTALL)
