"""The HTTP API of readers as a client sees it."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from node.bootstrap.stores import open_stores
from node.bootstrap.web import make_web
from node.settings import Settings, load_settings
from pipelines.domain.clinical import PatientKey
from pipelines.domain.readings import Source, read
from pipelines.domain.recist import LesionRole
from tests.node.adapters.test_ledger_clinical import measured_case
from tests.node.doubles import SetClock
from tests.tools import write_config

DECISIONS = "/api/cases/1/decisions"
TOKEN = "s3cret-of-the-test"
TARGET = {"by": "radiologist", "decisions": [{"question": "role", "answer": "target", "lesion": 1}]}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    token = tmp_path / "token"
    token.write_text(TOKEN, "ascii")
    token.chmod(0o600)
    made = load_settings(write_config(tmp_path, web={"token_file": str(token)}), {})
    measured_case(open_stores(made).ledger, SetClock())
    return made


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    app = make_web(settings, open_stores(settings))
    with TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}) as made:
        yield made


def send(client: TestClient, body: str, *, kind: str = "application/json") -> Any:
    return client.post(DECISIONS, content=body, headers={"Content-Type": kind})


def test_without_the_token_nothing_is_shown_or_decided(client: TestClient) -> None:
    for method, body in (("GET", None), ("POST", TARGET)):
        answer = client.request(method, DECISIONS, json=body, headers={"Authorization": "Bearer no"})
        assert answer.status_code == 401
    assert client.get(DECISIONS).json()["decisions"] == []


def test_a_decision_is_made_shown_and_taken_back(client: TestClient, settings: Settings) -> None:
    assert [one["tracking_uid"] for one in client.get(DECISIONS).json()["lesions"]] == ["2.25.1", "2.25.2"]
    answer = client.post(DECISIONS, json=TARGET)
    assert answer.status_code == 201
    (made,) = answer.json()["lesions"][0]["decisions"]
    assert (made["answer"], made["who"], made["source"], made["case"]) == ("target", "radiologist", "http", 1)
    readings = open_stores(settings).readings.readings(PatientKey("patient"))
    assert (readings[0].source, read(readings).decisions.roles) == (Source.HTTP, {"2.25.1": LesionRole.TARGET})
    gone = client.delete(f"{DECISIONS}/{made['number']}")
    assert (gone.status_code, gone.json()["lesions"][0]["decisions"]) == (200, [])
    assert client.delete(f"{DECISIONS}/{made['number']}").status_code == 404


def test_the_patient_is_named_in_no_answer(client: TestClient) -> None:
    assert "patient" not in client.post(DECISIONS, json=TARGET).text.replace("this patient", "")


def test_several_decisions_are_made_together_or_not_at_all(client: TestClient) -> None:
    right, wrong = TARGET["decisions"][0], {"question": "role", "answer": "target", "lesion": 9}
    assert client.post(DECISIONS, json={"decisions": [right, wrong]}).status_code == 400
    assert client.get(DECISIONS).json()["decisions"] == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("no", "no JSON"),
        ("[" * 60_000, "no JSON"),
        ([], "an object"),
        ({"decisions": [], "patient": "SENTINEL"}, "an object with by, reason and decisions"),
        ({"decisions": []}, "a list of 1 to"),
        ({"decisions": [{"question": "SENTINEL"}]}, "question: one of role"),
        ({"decisions": [{"question": "role", "answer": 1}]}, "answer is a text"),
        ({"decisions": [{"question": "role", "answer": "SENTINEL", "lesion": 1}]}, "one of target, non-target"),
        ({"decisions": [{"question": "role", "answer": "target", "lesion": "1"}]}, "number of a lesion"),
        ({"decisions": [{"question": "role", "answer": "target"}]}, "Which lesion of case 1?"),
        ({"by": "x" * 65, "decisions": [{"question": "markers", "answer": "yes"}]}, "by is a text of 64"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong_without_quoting_it(client: TestClient, body: Any, message: str) -> None:
    answer = send(client, body) if isinstance(body, str) else client.post(DECISIONS, json=body)
    assert (answer.status_code, message in answer.json()["error"]) == (400, True), answer.text
    assert "SENTINEL" not in answer.text
    assert client.get(DECISIONS).json()["decisions"] == []


def test_a_request_that_is_too_large_is_refused(client: TestClient) -> None:
    assert send(client, " " * 70_000).status_code == 413


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_what_the_page_of_a_stranger_could_have_a_browser_send_is_refused(client: TestClient, kind: str) -> None:
    assert send(client, json.dumps(TARGET), kind=kind).status_code == 415
    assert client.get(DECISIONS).json()["decisions"] == []


def test_a_number_that_no_ledger_counts_to_is_the_number_of_no_case_and_no_decision(client: TestClient) -> None:
    assert client.get(f"/api/cases/{10**30}/decisions").status_code == 404
    assert client.post(f"/api/cases/{10**30}/decisions", json=TARGET).status_code == 404
    assert client.delete(f"/api/cases/1/decisions/{10**30}").status_code == 404


def test_a_case_that_does_not_exist_is_told(client: TestClient) -> None:
    for answer in (
        client.get("/api/cases/9/decisions"),
        client.post("/api/cases/9/decisions", json=TARGET),
        client.delete("/api/cases/9/decisions/1"),
    ):
        assert (answer.status_code, answer.json()) == (404, {"error": "There is no case 9."})


def test_readers_who_decide_at_the_same_time_are_all_heard(client: TestClient) -> None:
    readers = [threading.Thread(target=client.post, args=(DECISIONS,), kwargs={"json": TARGET}) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(client.get(DECISIONS).json()["decisions"]) == 8
