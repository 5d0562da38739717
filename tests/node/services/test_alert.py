"""Alerts on their way to people: by a real HTTP server and a real conversation with a mail server."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from email import message_from_string
from email.message import Message as Mail_
from email.policy import default
from pathlib import Path
from typing import Any, ClassVar

import pytest

from node.adapters.alert_channels import AlertFile, Mail, MailServer, Webhook
from node.adapters.tls import Tls
from node.bootstrap.monitoring import make_alerter
from node.bootstrap.stores import open_stores
from node.errors import TransientError
from node.logs import Log
from node.services.alert import Alert, Alerter, Message
from node.settings import load_settings
from pipelines.domain.reasons import Rejected
from tests.node.certificates import authority
from tests.node.doubles import SetClock
from tests.node.listeners import Hook
from tests.node.refs import SENDER, file_of, images, segmentation
from tests.tools import write_config

DISK = Alert("disk-low", "17 MB are free on the data disk.", "Free space.")
CASE = Alert("case-failed:3", "Case 3 failed (RUN-001).", "Run it again.")


class Post:
    """A mail server that speaks STARTTLS and wants an account."""

    ANSWERS: ClassVar = {"MAIL": "250 ok", "RCPT": "250 ok", "AUTH": "235 ok", "QUIT": "221 bye", "RSET": "250 ok"}

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.mails: list[Mail_] = []
        self.commands: list[tuple[str, bool]] = []
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            try:
                self._talk(connection)
            except OSError:
                connection.close()

    def _talk(self, connection: socket.socket) -> None:
        connection.sendall(b"220 here\r\n")
        secured = False
        file = connection.makefile("rb")
        while line := file.readline().decode().strip():
            self.commands.append((line, secured))
            verb = line.split()[0].upper()
            if verb == "EHLO":
                can = b"250 AUTH PLAIN" if secured or self._context is None else b"250 STARTTLS"
                connection.sendall(b"250-here\r\n" + can + b"\r\n")
            elif verb == "STARTTLS" and self._context is not None:
                connection.sendall(b"220 go\r\n")
                connection = self._context.wrap_socket(connection, server_side=True)
                file, secured = connection.makefile("rb"), True
            elif verb == "DATA":
                connection.sendall(b"354 go\r\n")
                lines = []
                while (line := file.readline().decode().rstrip("\r\n")) != ".":
                    lines.append(line)
                self.mails.append(message_from_string("\n".join(lines), policy=default))
                connection.sendall(b"250 ok\r\n")
            else:
                connection.sendall(self.ANSWERS[verb].encode() + b"\r\n")
                if verb == "QUIT":
                    connection.close()
                    return


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


class Trouble:
    """What is wrong, as a test says."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def look(self) -> list[Alert]:
        return self.alerts


def alerter(trouble: Trouble, folder: Path, *channels: Any) -> Alerter:
    book = AlertFile(folder / "alerts.json")
    return Alerter(trouble.look, channels, book, SetClock(), Log("alert"), node="PULMONODE")


def test_each_cause_is_told_once_and_once_more_when_it_is_over_also_after_restarts(tmp_path: Path, hook: Hook) -> None:
    trouble = Trouble()

    def tick() -> list[dict[str, Any]]:
        before = len(hook.posted)
        alerter(trouble, tmp_path, Webhook(hook.url, None)).tick()
        return hook.posted[before:]

    assert tick() == []
    trouble.alerts = [DISK]
    (first,) = tick()
    assert first["node"] == "PULMONODE"
    assert first["firing"] == [{"cause": DISK.cause, "summary": DISK.summary, "remedy": DISK.remedy}]
    assert tick() == []
    trouble.alerts = [DISK, CASE]
    (second,) = tick()
    assert [one["cause"] for one in second["firing"]] == ["case-failed:3"]
    trouble.alerts = [CASE]
    (third,) = tick()
    assert (third["firing"], [one["cause"] for one in third["resolved"]]) == ([], ["disk-low"])
    trouble.alerts = [CASE, DISK]
    assert [one["cause"] for one in tick()[0]["firing"]] == ["disk-low"]


def test_what_a_channel_did_not_take_is_sent_again_to_that_channel_alone(
    tmp_path: Path, hook: Hook, logged: Any
) -> None:
    trouble, other = Trouble(), Hook()
    second = Webhook(other.url, None)
    second.name = "second"
    trouble.alerts = [DISK]
    hook.down = True
    made = alerter(trouble, tmp_path, Webhook(hook.url, None), second)
    made.tick()
    hook.down = False
    made.tick()
    made.tick()
    other.close()
    assert (len(hook.posted), len(other.posted)) == (1, 1)
    assert "MON-005" in logged()
    assert hook.url not in logged()


def test_a_trouble_that_ends_before_anybody_was_told_is_forgotten(tmp_path: Path, hook: Hook) -> None:
    trouble = Trouble()
    trouble.alerts, hook.down = [DISK], True
    made = alerter(trouble, tmp_path, Webhook(hook.url, None))
    made.tick()
    trouble.alerts, hook.down = [], False
    made.tick()
    assert hook.posted == []
    assert AlertFile(tmp_path / "alerts.json").read() == {}


def test_a_webhook_gets_its_token(hook: Hook) -> None:
    Webhook(hook.url, "secret").send(Message("PULMONODE", SetClock()(), (DISK,), ()))
    assert hook.headers == ["Bearer secret"]


def test_mail_goes_out_after_starttls_only_with_account_and_password(tmp_path: Path) -> None:
    files = authority(tmp_path / "ca").vouch("mail")
    post = Post(Tls(files, require_client_certificate=False).server())
    server = MailServer("127.0.0.1", post.port, "starttls", "node", "secret", files.authorities)
    Mail(server, "node@example.org", ["a@example.org", "b@example.org"]).send(
        Message("PULMONODE", SetClock()(), (DISK,), (CASE,))
    )
    post.close()
    (mail,) = post.mails
    assert mail["Subject"] == "PULMONODE: 1 new, 1 resolved"
    assert mail["To"] == "a@example.org, b@example.org"
    body = mail.get_content()  # type: ignore[attr-defined]
    assert DISK.summary in body
    assert f"Resolved: {CASE.summary}" in body
    assert [secured for command, secured in post.commands if command.upper().startswith(("AUTH", "MAIL", "RCPT"))] == [
        True
    ] * 4


def test_no_password_and_no_mail_is_sent_to_a_server_without_tls_or_with_a_strange_certificate(tmp_path: Path) -> None:
    message = Message("PULMONODE", SetClock()(), (DISK,), ())
    plain = Post(None)
    trusted = authority(tmp_path / "ca").vouch("mail")
    stranger = Post(Tls(authority(tmp_path / "other").vouch("mail"), require_client_certificate=False).server())
    for post in (plain, stranger):
        server = MailServer("127.0.0.1", post.port, "starttls", "node", "secret", trusted.authorities)
        with pytest.raises(TransientError) as raised:
            Mail(server, "node@example.org", ["a@example.org"]).send(message)
        post.close()
        assert raised.value.code == "MON-005"
        assert post.mails == []
        assert not [command for command, _ in post.commands if command.upper().startswith("AUTH")]


def test_the_node_tells_of_failed_and_stuck_cases_low_disk_and_restarts_without_naming_anybody(
    tmp_path: Path, hook: Hook
) -> None:
    alerts = {"webhook_url": hook.url, "free_mb": 10**9, "stuck_after_s": 1}
    settings = load_settings(write_config(tmp_path, alerts=alerts), {})
    stores, clock = open_stores(settings), SetClock()
    for ref in (*images(3), segmentation()):
        stores.ledger.received(ref, file_of(ref), SENDER, at=clock())
    case = stores.ledger.collecting()[0].case
    stores.heartbeat.set_restarting({"receiver-1"})
    made = make_alerter(settings, stores)
    assert made is not None
    made.tick()
    (posted,) = hook.posted
    causes = {one["cause"] for one in posted["firing"]}
    assert causes == {f"case-stuck:{case}", "disk-low", "restarting:receiver-1"}
    for ref in (*images(3), segmentation()):
        for secret in (ref.patient_key, ref.key.study, ref.sop_instance):
            assert secret not in json.dumps(posted)
    reason = Rejected("RUN-001", "Interrupted.", "Run it again.")
    assert stores.ledger.incomplete(case, None, reason, at=clock())
    stores.heartbeat.set_restarting(())
    made.tick()
    assert {one["cause"] for one in hook.posted[1]["resolved"]} == {f"case-stuck:{case}", "restarting:receiver-1"}


def test_a_spool_that_goes_away_is_told_until_it_is_back(tmp_path: Path, hook: Hook) -> None:
    settings = load_settings(write_config(tmp_path, alerts={"webhook_url": hook.url, "free_mb": 0}), {})
    made = make_alerter(settings, open_stores(settings))
    assert made is not None
    spool = settings.data_dir / "spool"
    away = spool.rename(spool.with_name("away"))
    spool.mkdir()
    made.tick()
    assert [one["cause"] for one in hook.posted[0]["firing"]] == ["spool-away"]
    spool.rmdir()
    away.rename(spool)
    made.tick()
    assert [one["cause"] for one in hook.posted[1]["resolved"]] == ["spool-away"]


def test_nobody_is_told_of_anything_unless_the_settings_say_whom(tmp_path: Path) -> None:
    settings = load_settings(write_config(tmp_path), {})
    assert make_alerter(settings, open_stores(settings)) is None
