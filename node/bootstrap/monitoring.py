"""What is told to those who watch over the node."""

import os
from datetime import timedelta
from shutil import disk_usage
from typing import TYPE_CHECKING, Final

from node import __version__
from node.adapters.alert_channels import AlertFile, Mail, MailServer, Webhook
from node.adapters.exposition import LookedUp, exposition
from node.adapters.meter_files import MeterReader
from node.bootstrap.machine import utc_now
from node.bootstrap.queue import make_queue
from node.bootstrap.stores import Stores
from node.errors import TransientError
from node.logs import Log
from node.services.alert import Alerter, Channel
from node.services.readiness import Readiness, alive, enough_space
from node.services.troubles import Troubles
from node.settings import Settings, read_secret

if TYPE_CHECKING:
    from node.web.monitor import Monitor

_SILENT_S: Final = 20.0
"""Without a sign of life for which a process counts as hanging; one comes every few seconds."""


def make_monitor(settings: Settings, stores: Stores) -> "Monitor":
    """What is told to those who watch over the node."""
    from node.web.monitor import Monitor

    queue = make_queue(settings)
    spool = settings.data_dir / "spool"
    least = settings.receive.min_free_mb * 2**20

    def ledger() -> str:
        stores.counted.alive()
        return "answers"

    def writable() -> str:
        stores.spool.require()
        if not os.access(spool if spool.exists() else settings.data_dir, os.W_OK):
            raise TransientError("RCV-005", "The spool is not writable.")
        return "writable"

    readiness = Readiness(
        {
            "ledger": ledger,
            "spool": writable,
            "queue": lambda: f"{queue.depth()} cases wait",
            "receiver": lambda: alive("receiver", stores.heartbeat.age_s("receiver"), longest_s=_SILENT_S),
            "dispatcher": lambda: alive("dispatcher", stores.heartbeat.age_s("dispatcher"), longest_s=_SILENT_S),
            "disk": lambda: enough_space(disk_usage(settings.data_dir).free, least_bytes=least),
        }
    )
    looked_up = LookedUp(
        stores.counted, queue.depth, settings.data_dir, utc_now, spool=stores.spool.require, version=__version__
    )
    collectors = [looked_up, MeterReader(settings.data_dir / "meters")]
    return Monitor(readiness.look, lambda: exposition(collectors))


def make_alerter(settings: Settings, stores: Stores) -> Alerter | None:
    """The service that tells people what needs them; None when nobody is to be told."""
    alerts = settings.alerts
    channels: list[Channel] = []
    if alerts.webhook_url:
        channels.append(Webhook(alerts.webhook_url, read_secret(alerts.webhook_token_file)))
    if alerts.mail_to:
        server = MailServer(
            alerts.smtp_host,
            alerts.smtp_port,
            alerts.smtp_security,
            alerts.smtp_user,
            read_secret(alerts.smtp_password_file),
            alerts.smtp_authorities_file,
        )
        channels.append(Mail(server, alerts.mail_from, alerts.mail_to))
    if not channels:
        return None
    troubles = Troubles(
        stores.counted,
        utc_now,
        stuck_after=timedelta(seconds=alerts.stuck_after_s),
        least_free_bytes=alerts.free_mb * 2**20,
        free_bytes=stores.spool.free_bytes,
        restarting=stores.heartbeat.restarting,
    )
    book = AlertFile(settings.data_dir / "alerts.json")
    return Alerter(troubles.look, channels, book, utc_now, Log("alert"), node=settings.node.ae_title)
