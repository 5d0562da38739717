"""Ways to people: a webhook that is given JSON, and mail; and the file that remembers who knows of what."""

import json
import os
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any, Final, Literal
from urllib.error import URLError
from urllib.request import Request, urlopen

from node.errors import TransientError
from node.services.alert import Alert, Known, Message

_TIMEOUT_S: Final = 10.0


class Webhook:
    """Posts each message as JSON.

    Parameters
    ----------
    token
        Sent as a bearer token when given.
    """

    name = "webhook"

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def send(self, message: Message) -> None:
        told = {
            "node": message.node,
            "at": message.at.isoformat(),
            "firing": [asdict(one) for one in message.firing],
            "resolved": [asdict(one) for one in message.resolved],
        }
        request = Request(self._url, json.dumps(told).encode(), self._headers, method="POST")
        try:
            with urlopen(request, timeout=_TIMEOUT_S):
                pass
        except (URLError, OSError) as fault:
            # without the URL, which may hold a secret
            why = getattr(fault, "code", None) or type(fault).__name__
            raise TransientError("MON-005", f"The webhook did not take an alert: {why}.") from fault


@dataclass(frozen=True, slots=True)
class MailServer:
    """How mail is handed over.

    Attributes
    ----------
    authorities
        Certificates of those who vouch for the server; None for those that the system trusts.
    """

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str = ""
    password: str | None = None
    authorities: Path | None = None


class Mail:
    """Sends each message to all who should know."""

    name = "mail"

    def __init__(self, server: MailServer, sender: str, recipients: Sequence[str]) -> None:
        self._server = server
        self._sender = sender
        self._recipients = tuple(recipients)

    def send(self, message: Message) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"] = self._sender, ", ".join(self._recipients)
        mail["Subject"] = _subject(message)
        mail["Date"], mail["Message-ID"] = format_datetime(message.at), make_msgid(domain="pulmonode.invalid")
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(_text(message))
        try:
            self._hand_over(mail)
        except (OSError, smtplib.SMTPException) as fault:  # ssl.SSLError is an OSError
            kind = type(fault).__name__
            raise TransientError("MON-005", f"The mail server did not take an alert: {kind}.") from fault

    def _hand_over(self, mail: EmailMessage) -> None:
        server = self._server
        context = ssl.create_default_context(cafile=server.authorities)
        if server.security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=_TIMEOUT_S, context=context)
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_S)
        with connection:
            if server.security == "starttls":
                connection.starttls(context=context)
            if server.user:
                connection.login(server.user, server.password or "")
            connection.send_message(mail)


class AlertFile:
    """Which alerts people know of, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Mapping[str, Known]:
        try:
            entries: list[dict[str, Any]] = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        alerts = [(Alert(one["cause"], one["summary"], one["remedy"]), frozenset(one["told"])) for one in entries]
        return {alert.cause: Known(alert, told) for alert, told in alerts}

    def write(self, known: Mapping[str, Known]) -> None:
        entries = [asdict(one.alert) | {"told": sorted(one.told)} for one in known.values()]
        made = self._path.with_suffix(".new")
        with made.open("w", encoding="utf-8") as file:
            json.dump(entries, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        made.replace(self._path)


def _subject(message: Message) -> str:
    if len(message.firing) == 1 and not message.resolved:
        return f"{message.node}: {message.firing[0].summary}"
    return f"{message.node}: {len(message.firing)} new, {len(message.resolved)} resolved"


def _text(message: Message) -> str:
    parts = [f"{one.summary}\n  {one.remedy}" for one in message.firing]
    parts += [f"Resolved: {one.summary}" for one in message.resolved]
    return "\n\n".join(parts) + "\n"
