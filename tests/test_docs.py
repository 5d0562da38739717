import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest

from node.adapters import storage_scp
from node.cli import cli
from node.services import receive
from pipelines.domain.case_state import CaseEvent, CaseState
from pipelines.domain.reasons import CODES
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import load_profile
from pipelines.scoring.keys import SigningKey, TrustedKey
from pipelines.scoring.model import Model, fitting
from pipelines.scoring.package import Package, open_package
from tests.docs_sources import (
    BLOCKS,
    ROOT,
    STATES,
    anchor,
    blocks_of,
    event_meanings,
    every_command,
    heading,
    pages,
    refreshed,
)

DOCS = ROOT / "docs"
PAGES = {str(page.relative_to(ROOT)): page.read_text("utf-8") for page in pages()}
EVERY_PAGE = pytest.mark.parametrize("name", sorted(PAGES))
PREFIXES = sorted({code.partition("-")[0] for code in CODES})
CODE = re.compile(rf"\b(?:{'|'.join(PREFIXES)})-\d{{3}}\b")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
FORBIDDEN = (re.compile(r"index-url|registry *="),)


def without_fences(text: str) -> str:
    return FENCE.sub("", text)


def fenced(text: str, *languages: str) -> Iterator[str]:
    for language, body in FENCE.findall(text):
        if language in languages:
            yield body


def headings(text: str) -> list[str]:
    return [title for _, title in re.findall(r"^(#{1,6}) (.+)$", without_fences(text), re.MULTILINE)]


def anchors(text: str) -> set[str]:
    """What can be linked to; a repeated heading gets a number, as the platforms that show Markdown give it."""
    seen: Counter[str] = Counter()
    found = set()
    for title in headings(text):
        name = anchor(title)
        found.add(name if not seen[name] else f"{name}-{seen[name]}")
        seen[name] += 1
    return found


def shell_lines(text: str) -> Iterator[str]:
    """Commands of the console blocks, without the prompt."""
    for body in fenced(text, "console"):
        for line in body.splitlines():
            if line.startswith(("$ ", "# ")):
                yield line[2:]


def pulmonode_calls(text: str) -> Iterator[list[str]]:
    """Arguments of every call of our own command in console blocks and inline code."""
    inline = (code for code in INLINE.findall(without_fences(text)) if code.startswith(("pulmonode ", "./run ")))
    for line in (*shell_lines(text), *inline):
        words = [word for word in shlex.split(line, comments=True) if word != "&"]
        while words and ("=" in words[0] or words[0] in ("sudo", "-u")):
            words = words[2:] if words[0] == "-u" else words[1:]
            if words and words[0] == "pulmonode" and len(words) > 1 and words[1].endswith("/pulmonode"):
                words = words[1:]
        if words and (words[0] == "./run" or Path(words[0]).name == "pulmonode"):
            yield words[1:]


def parse(arguments: list[str]) -> None:
    """Parse a call as the command line would, without running it; placeholders stand for values."""
    command: click.Command = cli
    context = click.Context(cli, info_name="pulmonode")
    rest = arguments
    while isinstance(command, click.Group):
        _, rest, _ = command.make_parser(context).parse_args(list(rest))
        if not rest:
            return
        found = command.get_command(context, rest[0])
        assert found is not None, f"there is no verb {rest[0]}"
        assert not found.hidden, f"{rest[0]} is not for people"
        command, rest = found, rest[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    values, left, _ = command.make_parser(context).parse_args(list(rest))
    assert not left, f"{left} is too much"
    for parameter in command.params:
        if parameter.required:
            assert values.get(parameter.name or "") not in (None, ()), f"{parameter.name} is missing"


@EVERY_PAGE
def test_the_generated_parts_of_a_page_are_up_to_date(name: str) -> None:
    assert refreshed(PAGES[name]) == PAGES[name], "run `python -m tests.docs_sources --write`"


def test_every_generated_block_stands_on_one_page() -> None:
    found = Counter(block for text in PAGES.values() for block in blocks_of(text))
    assert found == Counter(dict.fromkeys(BLOCKS, 1))


def test_a_stale_page_is_found_and_said(tmp_path: Path) -> None:
    stale = "<!-- generated: states -->\nold\n<!-- end -->\n"
    assert "collecting" in refreshed(stale)
    with pytest.raises(KeyError):
        refreshed("<!-- generated: nothing -->\n<!-- end -->\n")


def test_every_message_code_has_one_section_under_its_own_words() -> None:
    titles = [title for title in headings(PAGES["docs/messages.md"]) if CODE.match(title)]
    assert Counter(titles) == Counter(heading(code) for code in CODES)


@pytest.mark.parametrize("code", CODES)
def test_the_section_of_a_code_says_what_it_means_and_what_to_do(code: str) -> None:
    text = PAGES["docs/messages.md"]
    section = text[text.index(f"### {heading(code)}") :].split("\n##", maxsplit=1)[0]
    assert "**Meaning.**" in section
    assert "**What to do.**" in section


@EVERY_PAGE
def test_a_page_names_no_unknown_code(name: str) -> None:
    assert set(CODE.findall(PAGES[name])) <= CODES.keys()


def test_every_dicom_status_that_the_node_answers_is_documented() -> None:
    answered = {
        receive.SUCCESS,
        receive.OUT_OF_RESOURCES,
        receive.DATA_SET_DOES_NOT_MATCH,
        receive.CANNOT_UNDERSTAND,
        receive.COERCION,
        storage_scp.INTERNAL_ERROR,
    }
    section = PAGES["docs/messages.md"].partition("## DICOM statuses")[2].partition("\n## ")[0]
    assert {int(status, 16) for status in re.findall(r"^\| 0x(\w{4}) ", section, re.MULTILINE)} == answered


def test_every_state_and_event_of_a_case_has_a_meaning() -> None:
    assert STATES.keys() == set(CaseState)
    assert event_meanings().keys() == set(CaseEvent)
    assert all(event_meanings().values())


@EVERY_PAGE
def test_every_relative_link_leads_to_a_file_and_a_heading(name: str) -> None:
    page = ROOT / name
    broken = []
    for target in LINK.findall(without_fences(PAGES[name])):
        if "://" in target:
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        known = file.is_file() and file.is_relative_to(ROOT)
        if not known or (fragment and fragment not in anchors(file.read_text("utf-8"))):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("wrong", ["retrry 1", "status --jsno", "send 17", "retry 1 2", "role worker", "config chek"])
def test_a_wrong_call_would_be_found(wrong: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        parse(shlex.split(wrong))


@EVERY_PAGE
def test_every_command_on_a_page_can_be_called_like_that(name: str) -> None:
    for arguments in pulmonode_calls(PAGES[name]):
        if arguments[:1] == ["test"] or arguments[:1] == ["VERB"]:
            continue
        try:
            parse(arguments)
        except click.UsageError as fault:
            pytest.fail(f"pulmonode {shlex.join(arguments)}: {fault.format_message()}")


def test_every_command_is_called_on_some_page() -> None:
    called = {
        tuple(argument for argument in arguments if argument.isalpha() and argument.islower())
        for text in PAGES.values()
        for arguments in pulmonode_calls(text)
    }
    for (_, *words), command in every_command():
        if words and not isinstance(command, click.Group):
            assert any(call[: len(words)] == tuple(words) for call in called), words


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_leads_with_its_two_commands(name: str) -> None:
    commands = [line for line in shell_lines(PAGES[name]) if line.startswith("./run")]
    assert commands[:2] == ["./run demo --once", "./run test"]


def test_both_readmes_show_the_same_commands_and_lead_to_the_same_pages() -> None:
    english, chinese = PAGES["README.md"], PAGES["README.zh.md"]
    assert list(shell_lines(english)) == list(shell_lines(chinese))
    targets = [
        Counter(t for t in LINK.findall(text) if not t.startswith(("#", "README"))) for text in (english, chinese)
    ]
    assert targets[0] == targets[1]


@pytest.mark.parametrize("name", ["README.md", "README.zh.md", "docs/quickstart.md"])
def test_the_configuration_files_on_a_page_are_valid(name: str, tmp_path: Path) -> None:
    for number, body in enumerate(fenced(PAGES[name], "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(body, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "node", "--config", str(file), "config", "show"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["delivery"]["destinations"] == ["PACS"]


def test_the_example_of_a_model_package_makes_one_that_loads() -> None:
    (example,) = fenced(PAGES["docs/models.md"], "python")
    names: dict[str, object] = {}
    exec(compile(example, "docs/models.md", "exec"), names)
    settings = load_profile("recommended")
    files, key = names["files"], names["key"]
    assert isinstance(files, dict)
    assert isinstance(key, SigningKey)
    package = open_package(files, [TrustedKey(key.public, "site")])
    assert isinstance(package, Package)
    fit = fitting(package.model, settings_sha256=settings.digest, available=feature_names(settings))
    assert isinstance(fit, Model)


def test_the_figure_is_accessible_and_shows_every_stage() -> None:
    figure = ElementTree.parse(DOCS / "how-it-works.svg").getroot()
    svg = "{http://www.w3.org/2000/svg}"
    labelled_by = (figure.get("aria-labelledby") or "").split()
    assert figure.get("role") == "img"
    assert labelled_by == [figure.find(f"{svg}{tag}").get("id") for tag in ("title", "desc")]  # type: ignore[union-attr]
    shown = " ".join(text.text or "" for text in figure.iter(f"{svg}text"))
    for stage in ("PACS", "Receive", "Spool", "ledger", "Assemble", "Queue", "Worker", "Self-check", "Outbox"):
        assert stage in shown


def test_the_citation_has_what_its_format_requires() -> None:
    # CFF 1.2.0: these keys are required at the top, and these of each reference
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    top = set(re.findall(r"^([\w-]+):", text, re.MULTILINE))
    assert {"cff-version", "message", "title", "authors"} <= top
    references = text.partition("references:\n")[2].split("\n  - type: ")
    assert len(references) == 5
    for reference in references:
        keys = set(re.findall(r"^    ([\w-]+):", reference, re.MULTILINE))
        assert {"title", "authors", "year", "doi"} <= keys


def test_the_version_is_the_same_everywhere() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    version = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    assert version is not None
    assert f"\nversion: {version.group(1)}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


@pytest.mark.parametrize("name", [*sorted(PAGES), "CITATION.cff", "docs/how-it-works.svg"])
def test_a_page_names_no_registry_and_no_place_of_its_making(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert [match.group() for pattern in FORBIDDEN for match in pattern.finditer(text)] == []
