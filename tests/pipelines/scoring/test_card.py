import json
from collections import Counter

import pytest

from pipelines.scoring.card import NOT_REPORTED, card_files
from pipelines.scoring.checklists import CHECKLISTS, TOPICS
from tests.models import facts


def items(said: dict[str, str] | None = None) -> list[dict[str, str]]:
    made: list[dict[str, str]] = json.loads(card_files(facts(), said)["card.json"])["items"]
    return made


def test_the_checklists_have_as_many_items_as_their_papers() -> None:
    # TRIPOD+AI: 27 items, with their parts 52; CLAIM 2024: 44; METRICS: 30
    assert {name: len(of) for name, of in CHECKLISTS.items()} == {"TRIPOD+AI": 52, "CLAIM 2024": 44, "METRICS": 30}
    tripod = {item.number.rstrip("abcdefg") for item in CHECKLISTS["TRIPOD+AI"]}
    assert tripod == {str(number) for number in range(1, 28)}
    for name in ("CLAIM 2024", "METRICS"):
        assert [item.number for item in CHECKLISTS[name]] == [str(n + 1) for n in range(len(CHECKLISTS[name]))]


def test_every_item_has_a_topic_and_every_topic_an_item() -> None:
    named = {item.topic for of in CHECKLISTS.values() for item in of}
    assert named == set(TOPICS)


def test_what_the_model_knows_is_filled_in_and_the_rest_is_not_reported() -> None:
    found = {(item["checklist"], item["item"]): item["value"] for item in items()}
    assert found["TRIPOD+AI", "5a"] == "98 patients"
    assert found["TRIPOD+AI", "23a"].startswith(
        "apparent AUC 0.912, training data; internal AUC 0.878 (95 % CI 0.742 to"
    )
    assert (
        found["CLAIM 2024", "13"]
        == "slice thickness 1 to 1.5 (median 1.25) mm; kernels I30f\\3, STANDARD; kVp 100, 120"
    )
    assert found["METRICS", "7"] == "CT 0 to 28 (median 14) days before therapy"
    assert found["TRIPOD+AI", "17"] == NOT_REPORTED
    assert found["CLAIM 2024", "33"] == NOT_REPORTED


def test_what_the_run_says_fills_every_item_of_its_topic() -> None:
    said = {"outcome": "RECIST 1.1 | best response", "title": "A title"}
    reported = [item for item in items(said) if item["topic"] == "outcome"]
    assert Counter(item["checklist"] for item in reported) == {"TRIPOD+AI": 1, "CLAIM 2024": 1, "METRICS": 1}
    assert {item["value"] for item in reported} == {"RECIST 1.1 | best response"}
    assert {item["value"] for item in items(said) if item["topic"] == "title"} == {"A title"}
    text = card_files(facts(), said)["card.md"].decode()
    assert "| 8a | Outcome | RECIST 1.1 \\| best response |" in text


def test_an_empty_answer_is_none_and_an_unknown_topic_an_error() -> None:
    assert items({"ethics": "  "}) == items()
    with pytest.raises(ValueError, match="no topics of a model card: colour"):
        card_files(facts(), {"colour": "red"})


def test_the_card_of_a_demonstration_says_so_first() -> None:
    text = card_files(facts(demonstration=True))["card.md"].decode()
    assert "not for clinical use" in text.split("| Topic")[0]
    assert "not for clinical use" not in card_files(facts())["card.md"].decode()
