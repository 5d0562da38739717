"""Makes the table of the IODs that the self-check works with: `python -m tests.iod_table --write`.

The source is what highdicom ships: PS3.3 as data. That part of highdicom is private and fills 23 MB, which take half a
second to read, so the product has an extract of the classes that it writes and the tests alone know the source.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from highdicom import _standard_utils as standard

from pipelines.domain.sop_classes import (
    COMPREHENSIVE_3D_SR,
    ENCAPSULATED_PDF,
    KEY_OBJECT_SELECTION,
    PARAMETRIC_MAP,
    SECONDARY_CAPTURE,
    SEGMENTATION,
)

PATH: Final = Path(__file__).parents[1] / "pipelines" / "outputs" / "iod" / "table.json"

# modules of usage C whose condition our objects meet, and of usage U that they have
_CHOSEN: Final = {
    COMPREHENSIVE_3D_SR: (),
    KEY_OBJECT_SELECTION: (),
    PARAMETRIC_MAP: ("floating-point-image-pixel", "common-instance-reference"),
    SEGMENTATION: ("frame-of-reference", "common-instance-reference"),
    ENCAPSULATED_PDF: (),
    SECONDARY_CAPTURE: ("general-equipment",),
}
_FUNCTIONAL_GROUPS: Final = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
# the strictest first: an attribute of several modules has the strictest of their types
_TYPES: Final = ("1", "2", "1C", "2C", "3")

Tree = dict[str, tuple[str, "Tree"]]


def table() -> dict[str, Any]:
    """The table: for each class the number of its node, and the nodes.

    A node has the attributes of one level by keyword: a type, or a type and the number of the node of the items. Equal
    nodes are one, so that a code sequence is described once.
    """
    nodes: list[dict[str, Any]] = []
    known: dict[str, int] = {}

    def number(tree: Tree) -> int:
        node: dict[str, Any] = {}
        for keyword, (kind, below) in tree.items():
            node[keyword] = [kind, number(below)] if below else kind
        text = json.dumps(node)
        if text not in known:
            known[text] = len(nodes)
            nodes.append(node)
        return known[text]

    classes = {str(sop_class): number(_iod(str(sop_class))) for sop_class in _CHOSEN}
    for node in nodes:
        # the items of a content tree hold items of their own kind (PS3.3 C.17.3); the source stops at the first
        if "RelationshipType" in node and "ContentSequence" not in node:
            node["ContentSequence"] = ["1C", nodes.index(node)]
    made_from = f"highdicom {version('highdicom')}"
    return {"made_from": made_from, "classes": classes, "nodes": nodes}


def text() -> str:
    """The table as it stands in its file, a node a line."""
    made = table()
    nodes = ",\n".join(f"  {json.dumps(node, separators=(',', ':'))}" for node in made["nodes"])
    head = json.dumps({"made_from": made["made_from"], "classes": made["classes"]}, indent=1)
    return f'{head[:-2]},\n "nodes": [\n{nodes}\n ]\n}}\n'


def _iod(sop_class: str) -> Tree:
    modules = standard.get_iod_module_map()[standard.get_sop_class_iod_map()[sop_class]]
    attributes = standard.get_module_attribute_map()
    raw: dict[str, Any] = {}
    for module in modules:
        if module["usage"] != "M" and module["key"] not in _CHOSEN[sop_class]:
            continue
        for entry in attributes[module["key"]]:
            # its items are codes of which each may have such a sequence again; the product writes none
            if "EquivalentCodeSequence" not in (*entry["path"], entry["keyword"]):
                _place(raw, entry["path"], entry["keyword"], entry["type"])
    for groups in _FUNCTIONAL_GROUPS:
        for group in raw.get(groups, ("", {}))[1].values():
            # a group stands in the shared item or in those of the frames, which the check sees to
            group[0] = "3"
    return _pruned(raw)


def _place(raw: dict[str, Any], path: list[str], keyword: str, kind: str) -> None:
    for above in path:
        raw = raw.setdefault(above, ["3", {}])[1]
    entry = raw.setdefault(keyword, [kind, {}])
    entry[0] = min(entry[0], kind, key=_TYPES.index)


def _pruned(raw: dict[str, Any]) -> Tree:
    """Without optional attributes that hold nothing that is demanded."""
    tree = {keyword: (kind, _pruned(below)) for keyword, (kind, below) in raw.items()}
    return {keyword: (kind, below) for keyword, (kind, below) in tree.items() if kind != "3" or below}


def main() -> None:
    """Write the file with `--write`, else say whether it is up to date."""
    if "--write" in sys.argv:
        PATH.write_text(text(), encoding="utf-8")
    elif PATH.read_text("utf-8") != text():
        sys.exit("pipelines/outputs/iod/table.json is not what highdicom's tables give; run with --write")


if __name__ == "__main__":
    main()
