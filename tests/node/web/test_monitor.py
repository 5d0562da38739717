"""What is told to those who watch: with a real ledger, a real disk and processes that work or do not."""

import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from node.adapters.heartbeat import Heartbeat
from node.bootstrap.monitoring import make_monitor
from node.bootstrap.stores import open_stores
from node.bootstrap.web import make_web
from node.settings import Settings, load_settings
from node.web.monitor import make_monitor_app
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, images, segmentation
from tests.tools import write_config


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(write_config(tmp_path, web={"enabled": True}), {})


def client_of(settings: Settings) -> TestClient:
    return TestClient(make_monitor_app(make_monitor(settings, open_stores(settings))))


def working(settings: Settings) -> None:
    for role in ("receiver", "dispatcher"):
        Heartbeat(settings.data_dir / "alive").beat(role)


def test_a_node_whose_processes_work_is_ready(settings: Settings) -> None:
    working(settings)
    answer = client_of(settings).get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True), answer.json()
    assert set(answer.json()["checks"]) == {"ledger", "spool", "queue", "receiver", "dispatcher", "disk"}


def test_a_node_without_a_receiver_is_alive_and_not_ready(settings: Settings) -> None:
    Heartbeat(settings.data_dir / "alive").beat("dispatcher")
    client = client_of(settings)
    assert client.get("/healthz").text == "alive\n"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["receiver"] == {"ok": False, "found": "MON-001 No receiver has ever run."}
    assert answer.json()["checks"]["dispatcher"]["ok"]


def test_a_node_that_refuses_instances_for_want_of_space_is_not_ready(tmp_path: Path) -> None:
    settings = load_settings(write_config(tmp_path, receive={"min_free_mb": 10**9}), {})
    working(settings)
    answer = client_of(settings).get("/readyz")
    assert answer.status_code == 503
    assert "instances are refused" in answer.json()["checks"]["disk"]["found"]


def test_a_node_whose_ledger_is_gone_is_not_ready_and_its_other_numbers_are_still_told(settings: Settings) -> None:
    working(settings)
    client = client_of(settings)
    ledger = settings.data_dir / "ledger.sqlite3"
    for path in settings.data_dir.glob("ledger.sqlite3*"):
        path.unlink()
    ledger.mkdir()
    assert not client.get("/readyz").json()["checks"]["ledger"]["ok"]
    found = samples(client)
    assert found["pulmonode_ledger_up", ()] == 0
    assert found["pulmonode_queue_depth", ()] == 0
    assert found["pulmonode_disk_free_bytes", ()] > 0


def samples(client: TestClient) -> dict[tuple[str, tuple[str, ...]], float]:
    text = client.get("/metrics").text
    return {
        (one.name, tuple(one.labels.values())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_cases_are_counted_by_state_and_the_oldest_is_told(settings: Settings) -> None:
    stores, clock = open_stores(settings), SetClock()
    for ref in (*images(3), segmentation()):
        stores.ledger.received(ref, file_of(ref), SENDER, at=clock())
    found = samples(client_of(settings))
    assert found["pulmonode_cases", ("collecting",)] == 1
    assert found["pulmonode_cases", ("failed",)] == 0
    assert found["pulmonode_oldest_case_seconds", ("collecting",)] > 0
    assert found["pulmonode_info", (stores_version(),)] == 1


def stores_version() -> str:
    from node import __version__

    return __version__


def test_no_number_names_a_patient(settings: Settings) -> None:
    stores, clock = open_stores(settings), SetClock()
    for ref in (*images(3), segmentation()):
        stores.ledger.received(ref, file_of(ref), SENDER, at=clock())
        key = ref.patient_key
    text = client_of(settings).get("/metrics").text
    labels = {name for family in text_string_to_metric_families(text) for one in family.samples for name in one.labels}
    assert labels <= {"state", "destination", "outcome", "sop_class", "status", "stage", "le", "process", "version"}
    assert key not in text
    assert segmentation().key.study not in text


def test_the_web_role_tells_the_same_to_those_who_have_the_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    settings = load_settings(write_config(tmp_path, web={"token_file": str(tmp_path / "token")}), {})
    client = TestClient(make_web(settings, open_stores(settings)))
    assert client.get("/metrics").status_code == 401
    told = client.get("/metrics", headers={"Authorization": "Bearer secret"})
    assert "pulmonode_cases" in told.text
    assert json.loads(client.get("/readyz", headers={"Authorization": "Bearer secret"}).text)["checks"]
