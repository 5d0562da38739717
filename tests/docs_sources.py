"""The generated parts of the manual: each is made from the code that it describes.

`python -m tests.docs_sources --write` brings every page up to date; `tests/test_docs.py` fails when one is not.
"""

import argparse
import ast
import hashlib
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import click
from pydicom import Dataset
from pydicom.uid import UID
from radiomics import getImageTypes

from node import settings_template
from node.cli import cli
from node.commands.entries import option_of
from node.conformance.codes import code_tables
from node.conformance.markdown import code, table
from node.conformance.network import class_name
from node.conformance.sample import sample_objects, sample_tasks
from node.conformance.statement import facts, statement
from node.settings import Settings
from pipelines.cohort.dictionary import Dictionary
from pipelines.cohort.huang.columns import LESIONS, PATIENTS
from pipelines.domain import case_state, feature_codes
from pipelines.domain.agents import AGENTS
from pipelines.domain.case_state import TRANSITIONS, CaseEvent, CaseState
from pipelines.domain.clinical_fields import FIELDS, column_of
from pipelines.domain.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pipelines.domain.outcome import ResultObject, family
from pipelines.domain.readings import AT_A_TIME_POINT, OF_THE_TIME_POINT, Question, words_of
from pipelines.domain.reasons import CODES
from pipelines.domain.sop_classes import CT_IMAGES, READER_REPORTS, RESULT_CLASSES, SEGMENTATIONS, VERIFICATION
from pipelines.domain.transfer_syntaxes import TRANSFER_SYNTAXES
from pipelines.extraction.equivalence import OWN_SETTINGS, SETTINGS, shown
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import PROFILES

ROOT: Final = Path(__file__).parents[1]
COMMAND_WIDTH: Final = 100
_BLOCK: Final = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

STATES: Final[dict[CaseState, str]] = {
    CaseState.COLLECTING: "A segmentation has arrived. The node waits for its CT series, or for the rest of it.",
    CaseState.QUEUED: "All that is needed is there. The case waits for a worker.",
    CaseState.RUNNING: "A worker computes it.",
    CaseState.WAITING: "It could not run now, for instance for want of disk space. The node tries again by itself.",
    CaseState.REPORTED: "The results are made, checked and stored. They wait for delivery, or stay here when no "
    "destination is configured.",
    CaseState.DELIVERED: "Every destination has acknowledged every result.",
    CaseState.COMMITTED: "Every destination has promised to keep every result (storage commitment), or a query "
    "found it there.",
    CaseState.REJECTED: "It cannot be measured as it is. A code says why and a remedy says what to do.",
    CaseState.FAILED: "An internal error, too many interruptions, or a destination that refused a result.",
}
# pydicom's dictionary is older than these
_NEW_SYNTAXES: Final = {"1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression"}


def settings() -> str:
    """Every setting, one table for each section of the file."""
    by_section: dict[str, list[tuple[str, str, str, str]]] = {}
    for key, default, allowed, meaning in settings_template.rows():
        section, _, name = key.partition(".")
        plain = default in ("required", "not set")
        by_section.setdefault(section, []).append(
            (code(name), default if plain else code(default), allowed, meaning.replace("*", r"\*"))
        )
    parts = []
    for section, rows in by_section.items():
        model = type(Settings.model_fields[section].default)
        about = "Other DICOM applications; one `[[peers]]` for each." if section == "peers" else inspect.getdoc(model)
        parts.append(f"### {section}\n\n{about}\n\n{table(('Key', 'Default', 'Allowed', 'Meaning'), rows)}")
    return "\n\n".join(parts)


def commands() -> str:
    """The help of every command."""
    return "\n\n".join(
        f"## {' '.join(path)}\n\n```text\n{_help(command, path)}\n```" for path, command in every_command()
    )


def every_command() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands that help shows, with the words that call them."""

    def below(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
        yield path, command
        if isinstance(command, click.Group):
            for name in sorted(command.commands):
                if not command.commands[name].hidden:
                    yield from below((*path, name), command.commands[name])

    return below(("pulmonode",), cli)


def _help(command: click.Command, path: Sequence[str]) -> str:
    context = click.Context(
        command,
        info_name=" ".join(path),
        terminal_width=COMMAND_WIDTH,
        help_option_names=["-h", "--help"],
    )
    return command.get_help(context).replace("\b\n", "").rstrip()


def states() -> str:
    """What each state of a case means."""
    return table(("State", "Meaning"), ((code(state), STATES[state]) for state in CaseState))


def transitions() -> str:
    """The whole table of transitions, one line for each event and next state."""
    meanings = event_meanings()
    ways: dict[tuple[CaseEvent, CaseState], list[CaseState]] = {}
    for (state, event), following in TRANSITIONS.items():
        ways.setdefault((event, following), []).append(state)
    rows = [
        (", ".join(code(state) for state in before), event.value, code(following), meanings[event])
        for (event, following), before in ways.items()
    ]
    return table(("In state", "Event", "Next state", "What happens"), rows)


def event_meanings() -> dict[CaseEvent, str]:
    """The text below each member of `CaseEvent`, which Python does not keep."""
    tree = ast.parse(inspect.getsource(case_state))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "CaseEvent")
    meanings = {}
    for member, text in pairwise(body):
        if isinstance(member, ast.Assign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            name = member.targets[0]
            assert isinstance(name, ast.Name)
            meanings[CaseEvent[name.id]] = str(text.value.value)
    return meanings


def messages() -> str:
    """An index of the message codes, each with a link to its section."""
    return table(("Code", "Meaning"), ((f"[{name}](#{anchor(heading(name))})", CODES[name]) for name in CODES))


def heading(name: str) -> str:
    """Heading of the section about message code `name`."""
    return f"{name}: {CODES[name]}"


def anchor(title: str) -> str:
    """What links to a heading: lower case, punctuation gone, spaces as hyphens."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", title).strip().lower())
    return kept.replace(" ", "-")


@cache
def _sample() -> tuple[tuple[ResultObject, Dataset], ...]:
    return tuple(sample_objects(Settings()))


@cache
def conformance() -> str:
    """The conformance statement of the default configuration, without its title."""
    return statement(facts(Settings(), _sample()))


@cache
def codes() -> str:
    """Every code that the node can write, scheme by scheme."""
    made = ((family(one.kind), dataset) for one, dataset in _sample())
    return code_tables((*made, *(("task", dataset) for dataset in sample_tasks())))


def accepted_classes() -> str:
    """SOP classes that the node takes as SCP."""
    kinds = (
        ("Verification", [VERIFICATION]),
        ("CT", CT_IMAGES),
        ("Segmentation", SEGMENTATIONS),
        ("Report of a reader", READER_REPORTS),
    )
    rows = [(kind, class_name(uid), code(uid)) for kind, uids in kinds for uid in sorted(uids)]
    return table(("Kind", "SOP class", "UID"), rows)


def implementation() -> str:
    """How the node names itself to other applications."""
    rows = [
        ("Implementation Class UID", code(IMPLEMENTATION_CLASS_UID)),
        ("Implementation Version Name", code(IMPLEMENTATION_VERSION_NAME)),
    ]
    return table(("Attribute", "Value"), rows)


def result_classes() -> str:
    """SOP classes that the node sends as SCU."""
    return table(("SOP class", "UID"), ((class_name(uid), code(uid)) for uid in sorted(RESULT_CLASSES)))


def transfer_syntaxes() -> str:
    """Transfer syntaxes that the node takes as SCP and its workers decode."""
    rows = ((syntax_name(uid), code(uid), str(kind)) for uid, kind in TRANSFER_SYNTAXES.items())
    return table(("Transfer syntax", "UID", "Compression"), rows)


def syntax_name(uid: str) -> str:
    """Name of a transfer syntax in PS3.6."""
    return _NEW_SYNTAXES.get(uid) or str(UID(uid).name)


def profiles() -> str:
    """PyRadiomics' profiles side by side."""
    return _side_by_side([name for name, of in PROFILES.items() if of.ibsi is None])


def ibsi_profile() -> str:
    """The settings of the profile that follows IBSI."""
    return _side_by_side(["ibsi"])


def _side_by_side(names: Sequence[str]) -> str:
    described = {name: dict(PROFILES[name].described()) | {"settings SHA-256": PROFILES[name].digest} for name in names}
    keys = [key for key in next(iter(described.values())) if key != "profile"]
    rows = [(key, *(code(values[key]) for values in described.values())) for key in keys]
    return table(("Setting", *(code(name) for name in described)), rows)


def fast_classes() -> str:
    """Which features of which class the fast engine computes."""
    computed = {name.removeprefix("original_") for name in feature_names(PROFILES["recommended"])}
    rows = []
    for feature_class in dict.fromkeys(key.split("_")[0] for key in feature_codes.CONCEPTS):
        of_class = [key for key in feature_codes.CONCEPTS if key.startswith(f"{feature_class}_")]
        fast = [key for key in of_class if key in computed]
        rest = [code(key.removeprefix(f"{feature_class}_")) for key in of_class if key not in computed]
        left = "all" if not fast else ", ".join(rest)
        rows.append((code(feature_class), str(len(fast)), left if len(rest) else ""))
    return table(("Feature class", "`fast` computes", "Left to PyRadiomics"), rows)


def fast_images() -> str:
    """What computes each filter."""
    rows = [
        (code(kind), "`fast`" if kind in OWN_SETTINGS else "PyRadiomics")
        for kind in sorted(getImageTypes(), key=lambda kind: (kind not in OWN_SETTINGS, kind))
    ]
    return table(("Filter", "Computed by"), rows)


def fast_settings() -> str:
    """For which values of each setting the fast engine computes."""
    rows = [
        (code(name), code(shown(support.default)), support.words.replace("*", r"\*"))
        for name, support in SETTINGS.items()
    ]
    return table(("Setting", "PyRadiomics' default", "Values that `fast` computes"), rows)


def demo_model() -> str:
    """The facts that the packaged demonstration model states about itself."""
    path = ROOT / "config" / "models" / "demo" / "model.json"
    facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
    training = facts["training"]
    apparent, internal = facts["performance"]
    rows = [
        ("Name and version", f"{facts['name']} {facts['version']}"),
        ("SHA-256", code(hashlib.sha256(path.read_bytes()).hexdigest())),
        ("Intended use", facts["intended_use"]),
        ("Trained on", training["data"]),
        ("Cases, of them positive", f"{training['n']}, {training['events']}"),
        ("Choice of features", training["feature_selection"]),
        ("Estimator", training["estimator"]),
        ("Cut-off", f"{facts['cut_off']['value']:g} ({facts['cut_off']['rule']})"),
        ("Extraction profile", facts["extraction"]["profile"]),
        ("AUC on the training data", f"{apparent['value']:g}"),
        ("AUC in validation", f"{internal['value']:g} ({internal['method']})"),
        ("Features", ", ".join(code(feature["name"]) for feature in facts["features"])),
    ]
    return table(("Fact", "Value"), rows)


def import_rules() -> str:
    """The contracts that import-linter checks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return "\n\n".join(_contract(contract) for contract in project["tool"]["importlinter"]["contracts"])


def _contract(contract: dict[str, Any]) -> str:
    title = f"**{contract['name'].capitalize()}.**"
    match contract["type"]:
        case "layers":
            within = f"Within `{contract['containers'][0]}` a" if "containers" in contract else "A"
            layers = "\n".join(f"{n}. {_modules(layer)}" for n, layer in enumerate(contract["layers"], start=1))
            return f"{title} {within} layer may import those below it, never one above.\n\n{layers}"
        case "forbidden":
            indirect = "" if contract.get("allow_indirect_imports") else ", not even through others"
            return (
                f"{title} {_listed(contract['source_modules'])} may not import "
                f"{_listed(contract['forbidden_modules'])}{indirect}."
            )
        case "independence":
            return f"{title} None of these imports another: {_listed(contract['modules'])}."
        case other:
            raise ValueError(f"no words for a contract of type {other}")


def cohort_columns(dictionary: Dictionary) -> str:
    """The columns of a cohort's table."""
    rows = [
        (
            code(column.name) + (", required" if column.required else ""),
            column.meaning,
            column.allowed.removesuffix(", or nothing"),
            ", ".join(column.aliases),
        )
        for column in dictionary.columns
    ]
    return table(("Column", "Meaning", "Allowed", "Also"), rows)


def _modules(layer: str) -> str:
    return " or ".join(code(module.strip()) for module in layer.split("|"))


def _listed(modules: Sequence[str]) -> str:
    return ", ".join(code(module) for module in modules)


def clinical_dictionary() -> str:
    """Every entry about a patient: the column of a table, the option of the command, and what is allowed."""
    rows = []
    for field in FIELDS:
        column = column_of(field.key(1 if field.group else 0))
        rows.append((code(column), code(option_of(field)), field.meaning, field.allowed))
    return table(("Column", "Option", "Meaning", "Allowed"), rows)


def inhibitors() -> str:
    """The medicines that count as immune checkpoint inhibitors."""
    rows = [(one.name, one.target, one.atc or "-", one.rxnorm or "-", ", ".join(one.synonyms)) for one in AGENTS]
    return table(("Name", "Target", "ATC", "RxNorm", "Also known as"), rows)


def questions() -> str:
    """What a reader can decide, with the words for the answers."""
    rows = [
        (
            code(question.value),
            ", ".join(map(code, words_of(question))) or "Tracking UID, `CASE:LESION`, `different`",
            "time point" if question in OF_THE_TIME_POINT else "lesion",
            "each time point" if question in AT_A_TIME_POINT else "once",
        )
        for question in Question
    ]
    return table(("Question", "Answers", "About a", "Answered"), rows)


BLOCKS: Final[dict[str, Callable[[], str]]] = {
    "settings": settings,
    "commands": commands,
    "states": states,
    "transitions": transitions,
    "messages": messages,
    "conformance": conformance,
    "codes": codes,
    "accepted-classes": accepted_classes,
    "implementation": implementation,
    "result-classes": result_classes,
    "transfer-syntaxes": transfer_syntaxes,
    "profiles": profiles,
    "fast-classes": fast_classes,
    "fast-images": fast_images,
    "fast-settings": fast_settings,
    "ibsi-profile": ibsi_profile,
    "demo-model": demo_model,
    "import-rules": import_rules,
    "clinical-dictionary": clinical_dictionary,
    "inhibitors": inhibitors,
    "questions": questions,
    "cohort-patients": partial(cohort_columns, PATIENTS),
    "cohort-lesions": partial(cohort_columns, LESIONS),
}
"""What makes the text of each block; a block stands between `<!-- generated: NAME -->` and `<!-- end -->`."""


def pages() -> list[Path]:
    """All pages of the manual, with those at the top of the project."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def blocks_of(text: str) -> list[str]:
    """Names of the generated blocks of a page."""
    return [match.group(2) for match in _BLOCK.finditer(text)]


def refreshed(text: str) -> str:
    """A page with all its generated blocks made anew.

    Raises
    ------
    KeyError
        If a block has a name that nothing makes.
    """
    return _BLOCK.sub(lambda match: f"{match.group(1)}\n{BLOCKS[match.group(2)]()}\n\n{match.group(3)}", text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Refresh the pages, or tell which are out of date."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs_sources", description="Refresh the manual.")
    parser.add_argument("--write", action="store_true", help="write the pages that are out of date")
    write: bool = parser.parse_args(arguments).write
    stale = 0
    for page in pages():
        text = page.read_text("utf-8")
        fresh = refreshed(text)
        if fresh == text:
            continue
        stale += 1
        sys.stdout.write(f"{page.relative_to(ROOT)} {'written' if write else 'is out of date'}\n")
        if write:
            page.write_text(fresh, encoding="utf-8")
    return 0 if write or not stale else 1


if __name__ == "__main__":
    sys.exit(main())
