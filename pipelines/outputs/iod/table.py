"""What each level of an object must hold: the table of the IODs, made ready for the check.

`table.json` is made by `python -m tests.iod_table --write` from PS3.3 as highdicom ships it.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from pydicom.datadict import tag_for_keyword

from pipelines.domain.identifiers import SopClassUID
from pipelines.domain.inherited import INHERITED
from pipelines.outputs.iod.conditions import VALUE_TYPES, Condition, condition

# what a sender got wrong within these is passed on as it came, and must not stop a result
OF_THE_SENDER: Final = frozenset((*INHERITED, "RequestAttributesSequence", "ReferencedRequestSequence"))


@dataclass(frozen=True, slots=True)
class Rule:
    """One attribute that is demanded.

    Attributes
    ----------
    filled
        Whether it must have a value (types 1 and 1C) or be there at all (types 2 and 2C).
    when
        None when always.
    types
        Value Types of the content items that have it; None outside content items, and for what all of them have.
    """

    tag: int
    keyword: str
    filled: bool
    when: Condition | None
    types: frozenset[str] | None = None


@dataclass(slots=True)
class Level:
    """The data set, or the items of one sequence.

    Attributes
    ----------
    rules
        What is demanded.
    never_empty
        Attributes that may be absent but not empty: those of type 1C of which the object does not tell more.
    content_item
        Whether it has a Value Type that decides which rules hold.
    below
        The level of the items, by the tag of their sequence. Content items hold content items, so it is filled in
        after the level is there.
    """

    rules: tuple[Rule, ...]
    never_empty: frozenset[int]
    names: dict[int, str]
    content_item: bool
    below: dict[int, "Level"] = field(default_factory=dict)
    _of_types: dict[str, tuple[Rule, ...]] = field(default_factory=dict)

    def rules_for(self, value_type: str) -> tuple[Rule, ...]:
        """The rules of content items of one Value Type."""
        if value_type not in self._of_types:
            chosen = tuple(rule for rule in self.rules if rule.types is None or value_type in rule.types)
            self._of_types[value_type] = chosen
        return self._of_types[value_type]


@cache
def level_of(sop_class: SopClassUID) -> Level:
    """The level of the data set of an object of `sop_class`.

    Raises
    ------
    KeyError
        If the node writes no such objects.
    """
    table = json.loads(files("pipelines.outputs.iod").joinpath("table.json").read_text("utf-8"))
    nodes: list[dict[str, Any]] = table["nodes"]
    made: dict[int, Level] = {}

    def level(number: int) -> Level:
        if number not in made:
            made[number] = _level(nodes[number], None)
            made[number].below.update(below(nodes[number]))
        return made[number]

    def below(node: dict[str, Any]) -> dict[int, Level]:
        return {tag_of(keyword): level(entry[1]) for keyword, entry in node.items() if isinstance(entry, list)}

    top = nodes[table["classes"][sop_class]]
    root = _level(top, sop_class)
    root.below.update(below({keyword: entry for keyword, entry in top.items() if keyword not in OF_THE_SENDER}))
    return root


@cache
def tag_of(keyword: str) -> int:
    """The tag of an attribute that the table or a condition names.

    Raises
    ------
    KeyError
        If pydicom does not know it.
    """
    number = tag_for_keyword(keyword)
    if number is None:
        raise KeyError(keyword)
    return number


def _level(node: dict[str, Any], sop_class: SopClassUID | None) -> Level:
    kinds = {keyword: entry[0] if isinstance(entry, list) else entry for keyword, entry in node.items()}
    # the root of a document is a content item as well
    content_item = kinds.get("ValueType") == "1"
    rules = []
    never_empty = set()
    for keyword, kind in kinds.items():
        conditional = kind.endswith("C")
        types = VALUE_TYPES.get(keyword) if content_item else None
        when = condition(keyword, sop_class) if conditional else None
        if kind == "3":
            continue
        if not conditional or when is not None or types is not None:
            rules.append(Rule(tag_of(keyword), keyword, kind[0] == "1", when, types))
        elif kind == "1C" and keyword not in OF_THE_SENDER:
            never_empty.add(tag_of(keyword))
    return Level(tuple(rules), frozenset(never_empty), {tag_of(k): k for k in node}, content_item)
