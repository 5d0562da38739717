"""The audit trail: what writes it, and what sends it on."""

import os
import socket
from collections.abc import Callable

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from sqlalchemy import Engine

from node.adapters.audit_record import AuditRecord
from node.adapters.ledger_audit import SqlAudit, nobody
from node.adapters.query_audit import QueryAudit
from node.adapters.syslog import SyslogSender
from node.bootstrap.machine import account, utc_now
from node.bootstrap.peers import make_tls
from node.logs import Log
from node.services.audit_messages import AuditSource
from node.services.ship import Shipper
from node.services.trail import Trail
from node.settings import Settings


def make_trail(settings: Settings, engine: Engine, require: Callable[[], None]) -> Trail:
    """The audit trail, as all processes add to it; `require` raises when the data folder is not there."""
    audit = settings.audit
    spool = settings.data_dir / "spool"

    def identify(path: str) -> tuple[str, str]:
        try:
            tags = ["PatientID", "PatientName", "SpecificCharacterSet"]
            header = dcmread(spool / path, stop_before_pixels=True, specific_tags=tags)
        except (OSError, InvalidDicomError):
            return "", ""
        return str(header.get("PatientID", "")), str(header.get("PatientName", ""))

    return Trail(
        AuditRecord(settings.data_dir / "audit", require) if audit.enabled else None,
        SqlAudit(engine, identify if audit.identify_patients else nobody),
        utc_now,
        Log("audit"),
        source=AuditSource(settings.node.ae_title, socket.gethostname(), os.getpid(), audit.site),
        ae_title=settings.node.ae_title,
        user=account(),
    )


def make_query_audit(settings: Settings, trail: Trail) -> QueryAudit:
    """What tells the trail of queries."""
    return QueryAudit(trail, identify=settings.audit.identify_patients)


def make_shipper(settings: Settings) -> Shipper | None:
    """The service that sends the audit trail to its repository; None without one."""
    audit = settings.audit
    if not audit.enabled or not audit.repository:
        return None
    sender = SyslogSender(audit.repository, make_tls(settings))
    return Shipper(AuditRecord(settings.data_dir / "audit"), sender.send, Log("audit"))
