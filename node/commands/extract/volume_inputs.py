"""Pair image and mask files: by their names in a folder, as two arguments, or as a list says."""

import csv
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from node.commands.extract.plan import Plan, by_image, stem
from node.commands.extract.work import Fault, Measured, Target, Task
from node.errors import ConfigError
from pipelines.domain.reasons import Rejected

_MASK_WORDS: Final = frozenset({"mask", "label", "labels", "seg", "segmentation", "roi"})
_IMAGE_WORDS: Final = frozenset({"image", "img", "ct"})
_WORD: Final = re.compile(r"[^\W_]+")


def plan_pair(image: Path, mask: Path, name: Callable[[Path], str], *, label: int | None) -> Plan:
    """Plan one image with its mask."""
    target = _target(image, mask, name, label)
    return Plan((by_image(image, (target,)),), (target,))


def plan_volumes(paths: Sequence[Path], name: Callable[[Path], str], *, label: int | None) -> Plan:
    """Plan the image and mask files that lie in folders.

    A file is a mask when one of the words in its name is mask, label, labels, seg, segmentation or roi. Its image lies
    in the same folder: the one all of whose words but image, img and ct are also in the name of the mask; of several
    the one with the most such words.
    """
    left_out: Counter[str] = Counter()
    images: dict[Path, list[Path]] = defaultdict(list)
    masks: list[Path] = []
    for path in paths:
        if _words(path) & _MASK_WORDS:
            masks.append(path)
        else:
            images[path.parent].append(path)
    found: dict[Path, list[Target]] = defaultdict(list)
    targets: list[Target] = []
    decided: list[Measured] = []
    for mask in masks:
        beside = images[mask.parent]
        fitting = _fitting(mask, beside)
        if not beside:
            left_out["mask files without an image file beside them"] += 1
            continue
        if len(fitting) == 1:
            targets.append(_target(fitting[0], mask, name, label))
            found[fitting[0]].append(targets[-1])
            continue
        reason = Rejected(
            "VOL-003",
            f"{len(fitting)} of {len(beside)} images beside the mask fit its name.",
            "Rename the files, or name the pairs in a list.",
        )
        cells = (("Image", ""), ("Mask", name(mask)))
        targets.append(Target(f"files {json.dumps(['', name(mask)])}", cells, mask))
        decided.append(Measured(targets[-1].key, "", (), (Fault("error", cells, reason),)))
    used = sum(len(beside) for beside in images.values()) - len(found)
    if used:
        left_out["image files without a mask"] += used
    return Plan(
        tuple(by_image(image, of_image) for image, of_image in found.items()),
        tuple(targets),
        tuple(decided),
        (),
        left_out,
    )


def _fitting(mask: Path, images: Sequence[Path]) -> list[Path]:
    words = _words(mask)
    shared = {image: len(_words(image) - _IMAGE_WORDS) for image in images if _words(image) - _IMAGE_WORDS <= words}
    return [image for image, count in shared.items() if count == max(shared.values())]


def _words(path: Path) -> set[str]:
    return set(_WORD.findall(stem(path).lower()))


def _target(image: Path, mask: Path, name: Callable[[Path], str], label: int | None) -> Target:
    cells = (("Image", name(image)), ("Mask", name(mask)))
    return Target(f"files {json.dumps([name(image), name(mask)])}", cells, mask, label)


def plan_list(path: Path, *, label: int | None) -> Plan:
    """Plan the rows of a list as the command `pyradiomics` takes it in batch mode.

    Columns `Image` and `Mask` are paths, relative ones from the folder of the list; `Label` and `Label_channel` choose
    what is measured. All columns are copied.

    Raises
    ------
    ConfigError
        If the file cannot be read as a list.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = tuple(reader.fieldnames or ())
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise ConfigError([f"{path} cannot be read as a list: {type(fault).__name__}"]) from fault
    missing = [column for column in ("Image", "Mask") if column not in columns]
    if missing:
        raise ConfigError([f"{path} has no column {column}" for column in missing])
    if len(set(columns)) < len(columns):
        raise ConfigError([f"{path} has a column twice"])
    folder = path.absolute().parent
    targets: list[Target] = []
    decided: list[Measured] = []
    by_file: dict[Path, list[Target]] = defaultdict(list)
    seen: Counter[str] = Counter()
    for row in rows:
        places = {column: _absolute(folder, row[column]) for column in ("Image", "Mask")}
        cells = tuple((column, places.get(column) or row[column] or "") for column in columns)
        identity = json.dumps(cells)
        seen[identity] += 1
        key = f"row {identity} {seen[identity]}"
        mask = Path(places["Mask"])
        problem = _problem(row)
        if problem:
            reason = Rejected("VOL-002", f"{problem}.", "Correct the row.")
            targets.append(Target(key, cells, mask))
            decided.append(Measured(key, "", (), (Fault("error", cells, reason),)))
            continue
        wanted = _number(row.get("Label"))
        target = Target(
            key,
            cells,
            mask,
            label=1 if wanted is None and label is None else label if wanted is None else wanted,
            channel=_number(row.get("Label_channel")) or 0,
        )
        targets.append(target)
        by_file[Path(places["Image"])].append(target)
    tasks: tuple[Task, ...] = tuple(by_image(image, of_image) for image, of_image in by_file.items())
    return Plan(tasks, tuple(targets), tuple(decided), list_columns=columns)


def _absolute(folder: Path, written: str | None) -> str:
    # what PyRadiomics writes: `..` is resolved, links are not
    return os.path.normpath(folder / written) if written else ""


def _problem(row: dict[str, str | None]) -> str:
    for column in ("Image", "Mask"):
        if not row[column]:
            return f"{column} is empty"
    for column in ("Label", "Label_channel"):
        value = row.get(column)
        if value and _number(value) is None:
            return f"{column} is no whole number"
    return ""


def _number(text: str | None) -> int | None:
    """A whole number, also as `1.0`, which a column with gaps becomes in many tools."""
    if not text or re.fullmatch(r"\s*\d+(\.0*)?\s*", text) is None:
        return None
    return int(float(text))
