"""Log lines as programs and people read them."""

import io
import json
import logging
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from pynetdicom import AE
from pynetdicom.dul import DULServiceProvider

from node import logs
from node.adapters.requestor import Requestor
from node.cli import cli
from node.commands import roles
from node.logs import Log
from tests.tools import write_config

pytestmark = pytest.mark.usefixtures("logging_as_before")


def test_a_line_for_programs_is_one_json_object() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream=stream)
    Log("deliver").info("result_delivered", case=17, peer="PÄCS", seconds=1.5, code=None)
    entry = json.loads(stream.getvalue())
    time = entry.pop("time")
    assert time.endswith("+00:00")
    assert entry == {
        "level": "info",
        "source": "deliver",
        "event": "result_delivered",
        "case": 17,
        "peer": "PÄCS",
        "seconds": 1.5,
        "code": None,
    }


def test_a_traceback_stays_in_the_one_line_of_its_event() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream=stream)
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        Log("process").error("case_failed", traceback=True, case=17)
    (line,) = stream.getvalue().splitlines()
    assert "ZeroDivisionError" in json.loads(line)["traceback"]


def test_a_line_for_people_is_not_json() -> None:
    stream = io.StringIO()
    logs.configure("info", "human", stream=stream)
    Log("receive").warning("instance_refused", code="RCV-001", ae="CT1")
    assert stream.getvalue().split()[1:] == ["warning", "instance_refused", "code=RCV-001", "ae=CT1"]


def test_what_is_no_terminal_gets_lines_for_programs() -> None:
    stream = io.StringIO()
    logs.configure("info", "auto", stream=stream)
    Log("receive").info("listening")
    assert json.loads(stream.getvalue())["event"] == "listening"


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_what_is_below_the_level_is_not_written(level: str, count: int) -> None:
    stream = io.StringIO()
    logs.configure(level, "json", stream=stream)
    log = Log("test")
    for write in (log.debug, log.info, log.warning, log.error):
        write("event")
    assert len(stream.getvalue().splitlines()) == count


@pytest.mark.parametrize("name", ["pynetdicom", "pydicom", "sqlalchemy.engine", "celery.worker", "kombu", "other"])
def test_libraries_do_not_write_what_they_see(name: str) -> None:
    stream = io.StringIO()
    logs.configure("debug", "json", stream=stream)
    logging.getLogger(name).info("whole data sets")
    assert stream.getvalue() == ""


def test_setting_up_twice_writes_once() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream=stream)
    logs.configure("info", "json", stream=stream)
    Log("test").info("event")
    assert len(stream.getvalue().splitlines()) == 1


@pytest.fixture
def threads_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undoes what the test does to the end of threads."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)


def lines_of(thread: threading.Thread) -> list[dict[str, str]]:
    """What is logged when a thread runs to its end."""
    stream = io.StringIO()
    logs.configure("info", "json", stream=stream)
    logs.watch_threads()
    thread.start()
    thread.join()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.usefixtures("threads_as_before")
def test_what_ends_a_thread_is_one_line_that_quotes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    quoted = "no age: ZZ^SENTINEL"

    def fail() -> None:
        raise ValueError(quoted)

    (line,) = lines_of(threading.Thread(target=fail, name="association"))
    assert (line["level"], line["event"], line["thread"]) == ("error", "thread_failed", "association")
    assert line["traceback"].startswith("ValueError")
    assert "SENTINEL" not in str(line)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("threads_as_before")
def test_a_thread_of_pynetdicom_that_dies_of_its_peer_is_one_line_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Dying(DULServiceProvider):
        def run(self) -> None:
            self.state_machine.do_action("Evt3")

    (line,) = lines_of(Dying(Requestor(AE("US"))))
    assert (line["level"], line["event"], line["code"]) == ("warning", "association_thread_ended", "NET-005")
    assert line["reason"] == "InvalidEventError"
    assert "traceback" not in line
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("threads_as_before")
def test_every_process_of_a_node_watches_its_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[bool] = []
    before = threading.excepthook
    monkeypatch.setattr(roles, "monitor", lambda settings: watched.append(threading.excepthook is not before))
    config = write_config(tmp_path)
    done = CliRunner().invoke(cli, ["--config", str(config), "role", "monitor"])
    assert (done.exit_code, watched) == (0, [True]), done.output
