"""Every reason that an assessment can give is said in Chinese."""

import ast
import inspect
from types import ModuleType

import pytest

from pipelines.outputs.response_page.reasons import in_chinese
from pipelines.outputs.response_page.words import RESPONSE_WORDS
from pipelines.response import best_response, follow_up, pattern, resistance

# what stands in the places of the sentences
_COUNTED = "2 progressing lesions in liver, lung"
_EXAMPLES = {
    "counted": _COUNTED,
    "said": "progression on day 200 to 230, not before day 183",
    "why": "8 to 12 weeks after the latest scan",
    "_said(time)": "200 to 230",
    "_said(since)": "200",
    "best.value": "PR",
    "stable.response.value": "PR",
    "course.stopped_for.value": "toxicity",
}
# parts of sentences, which are tested with the sentences
_PARTS = ("stable disease", "PR that was not confirmed", "no later scan", "the later scan does not")


def sentences(module: ModuleType) -> list[str]:
    """The texts with a space that the functions of a module can return, with examples in their places."""
    found = []
    for function in ast.walk(ast.parse(inspect.getsource(module))):
        if not isinstance(function, ast.FunctionDef):
            continue
        body = function.body[1:] if ast.get_docstring(function) else function.body
        for statement in body:
            for node in ast.walk(statement):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(_filled(part) for part in node.values))
        inside = {id(part) for one in ast.walk(function) if isinstance(one, ast.JoinedStr) for part in ast.walk(one)}
        found += [
            node.value
            for statement in body
            for node in ast.walk(statement)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside
        ]
    return [text for text in found if " " in text and not text.endswith(" before it begins")]


def _filled(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    return _EXAMPLES.get(ast.unparse(part.value), "5")


@pytest.mark.parametrize("module", [best_response, pattern, resistance, follow_up])
def test_every_reason_is_said_in_chinese(module: ModuleType) -> None:
    words = RESPONSE_WORDS["zh"]
    told = [text for text in sentences(module) if text not in _PARTS]
    assert len(told) >= 5
    # names of rules ("seed-b 1") and spans of days are no reasons
    silent = [text for text in told if text not in ("5 5", "5 to 5") and _chinese(text, words.terms) is None]
    assert silent == []


def _chinese(text: str, terms: object) -> str | None:
    assert isinstance(terms, dict)
    # the three places that a part is put in
    text = text.replace(f"confirms progression: {_EXAMPLES['said']}", "confirms progression: no later scan")
    text = text.replace(_EXAMPLES["why"] + ", 5 days", "stable disease, 5 days")
    text = text.replace("5 progressing lesion5 in 5", _COUNTED)
    return in_chinese(text, terms)


@pytest.mark.parametrize(
    ("reason", "chinese"),
    [
        ("PR that was not confirmed, 42 days or more after the start", "未经确认的 PR，距开始治疗至少 42 天"),
        (
            "the definition asks for a scan that confirms progression: no later scan",
            "定义要求以后续检查确认进展：没有后续检查",
        ),
        (
            "7 progressing lesions in adrenal gland, bone, liver, lung: more than 5",
            "7 个病灶进展（肾上腺、骨、肝、肺）：多于 5 个",
        ),
        ("progression on day 280, not before day 183", "第 280 天进展，不早于第 183 天"),
        ("treatment had ended (completed); no definition applies", "已停药（疗程完成）；没有适用的定义"),
    ],
)
def test_a_reason_keeps_its_numbers_and_names(reason: str, chinese: str) -> None:
    assert RESPONSE_WORDS["zh"].reason(reason) == chinese
    assert RESPONSE_WORDS["en"].reason(reason) == reason


def test_a_sentence_that_is_not_known_stays_as_it_is() -> None:
    assert RESPONSE_WORDS["zh"].reason("something else") == "something else"
