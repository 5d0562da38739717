"""The order and the numbers of PS3.2 annex N, and that no section is left without a word."""

import re

import pytest

from node.conformance.outline import NOT_APPLICABLE, OUTLINE, contents, heading, sections

# chapters of the template, N.1 to N.8, and its annexes
CHAPTERS = {
    "1": "Overview",
    "2": "Table of Contents",
    "3": "Introduction",
    "4": "Implementation Model",
    "5": "Service and Interoperability Description",
    "6": "Configuration",
    "7": "Network and Media Communication Details",
    "8": "Security",
    "A.A": "Information Object Definitions",
    "A.B": "Structured Report Content Encoding",
    "A.C": "Security Details",
    "A.D": "Mapping of Attributes",
    "A.E": "Code Set Usage",
}


def leaves() -> list[str]:
    return [number for number in OUTLINE if not any(other.startswith(f"{number}.") for other in OUTLINE)]


def all_content() -> dict[str, str]:
    return {number: f"About {number}." for number in leaves() if number not in NOT_APPLICABLE}


def test_the_chapters_are_those_of_the_template() -> None:
    chapters = {n: title for n, title in OUTLINE.items() if "." not in n or re.fullmatch(r"A\.[A-E]", n)}
    assert chapters == CHAPTERS
    assert list(chapters) == list(CHAPTERS)


def test_numbers_follow_each_other_without_a_gap() -> None:
    for number in OUTLINE:
        above, _, last = number.rpartition(".")
        if last.isdigit() and int(last) > 1:
            assert f"{above}.{int(last) - 1}".lstrip(".") in OUTLINE
        if above and above != "A":
            assert above in OUTLINE
    order = [[part if part.isalpha() else f"{int(part):03}" for part in number.split(".")] for number in OUTLINE]
    assert order == sorted(order)


def test_each_section_has_its_text_or_says_why_it_does_not_apply() -> None:
    text = "\n\n".join(sections(all_content()))
    for number, title in OUTLINE.items():
        assert heading(number, title) in text
    for number, why in NOT_APPLICABLE.items():
        assert f"{heading(number, OUTLINE[number])}\n\nDoes not apply: {why}." in text


@pytest.mark.parametrize("number", ["1.1.1", "5.7", "A.E"])
def test_a_section_that_was_forgotten_is_an_error(number: str) -> None:
    content = all_content()
    del content[number]
    with pytest.raises(ValueError, match=f"section {number}"):
        list(sections(content))


def test_a_section_that_does_not_apply_and_has_text_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"section 5\.4"):
        list(sections({**all_content(), "5.4": "There is media."}))


def test_text_without_a_section_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"9\.9"):
        list(sections({**all_content(), "9.9": "Lost."}))


def test_the_contents_name_two_levels() -> None:
    lines = contents().splitlines()
    assert lines[0] == "- 1 Overview"
    assert "  - 7.3 Status Codes" in lines
    assert not any("5.2.1" in line for line in lines)
