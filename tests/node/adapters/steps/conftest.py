"""A worklist behind a real port, and a client that calls it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from pydicom import Dataset
from pynetdicom import AE, evt
from sqlalchemy import Engine

from node.adapters.association import PeerAddress
from node.adapters.audit_record import AuditRecord
from node.adapters.ledger import open_engine
from node.adapters.ledger_audit import SqlAudit
from node.adapters.steps.audit import StepAudit
from node.adapters.steps.scp import EVENT, STEP_CLASSES, StepScp
from node.adapters.steps.store import SqlSteps, SqlTasks
from node.adapters.storage_scp import dispatched
from node.logs import Log
from node.services.audit_messages import AuditSource
from node.services.trail import Trail
from tests.node.client import associate
from tests.node.listeners import schema_faults


def new_step(**attributes: object) -> Dataset:
    """A step as a PACS would push it."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.ProcedureStepState = "SCHEDULED"
    made.ScheduledProcedureStepPriority = "MEDIUM"
    made.ProcedureStepLabel = "Radiomics"
    made.ScheduledProcedureStepStartDateTime = "20260301100000"
    made.InputReadinessState = "READY"
    made.PatientName = "王^小东"
    made.PatientID = "P-1"
    made.InputInformationSequence = []
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


@dataclass
class Worklist:
    """The node's worklist and how to reach it."""

    steps: SqlSteps
    tasks: SqlTasks
    port: int
    trail: Callable[[], list[Xml.Element]]
    """The messages of the audit trail, each valid by the standard's schema."""
    address: PeerAddress = field(init=False)

    def __post_init__(self) -> None:
        self.address = PeerAddress("NODE", "NODE", "127.0.0.1", self.port, 120)

    @contextmanager
    def called(self, ae_title: str = "CLIENT") -> Iterator[Any]:
        contexts = [(sop_class, None) for sop_class in STEP_CLASSES]
        association = associate(self.port, contexts, called="NODE", calling=ae_title)
        assert association.is_established
        yield association
        association.release()


@pytest.fixture
def engine(database: str) -> Engine:
    return open_engine(database)


@pytest.fixture
def worklist(engine: Engine, tmp_path: Path) -> Iterator[Worklist]:
    steps, tasks = SqlSteps(engine), SqlTasks(engine)
    trail = Trail(
        AuditRecord(tmp_path / "audit"),
        SqlAudit(engine),
        lambda: datetime.now(UTC),
        Log("audit"),
        source=AuditSource("NODE", "node.example", 17),
        ae_title="NODE",
        user="operator",
    )

    def messages() -> list[Xml.Element]:
        lines = [line for path in (tmp_path / "audit").glob("*.log") for line in path.read_text().splitlines()]
        assert [fault for line in lines if (fault := schema_faults(line, tmp_path))] == []
        return [Xml.fromstring(line.partition("\ufeff")[2]) for line in lines]

    def cancel_requested(keeper: str, step: str) -> bool:
        return tasks.cancel_requested(keeper, step)

    scp = StepScp(
        steps,
        lambda: datetime.now(UTC),
        Log("test"),
        cancel_requested=cancel_requested,
        receivers=["WATCHER", "PERFORMER"],
        accessed=StepAudit(steps, trail.step_accessed, identify=False),
    )
    ae = AE("NODE")
    for sop_class in STEP_CLASSES:
        ae.add_supported_context(sop_class)
    server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=dispatched(scp.services))
    yield Worklist(steps, tasks, server.socket.getsockname()[1], messages)
    ae.shutdown()


@pytest.fixture
def watcher() -> Iterator[tuple[PeerAddress, Callable[[], list[tuple[str, int, Dataset]]]]]:
    """A subscriber, and what it has been told: UID, event type and attributes."""
    told: list[tuple[str, int, Dataset]] = []

    def notified(event: Any) -> tuple[int, None]:
        told.append((str(event.request.AffectedSOPInstanceUID), event.event_type, event.event_information))
        return 0x0000, None

    ae = AE("WATCHER")
    ae.add_supported_context(EVENT, scu_role=True, scp_role=True)
    server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, notified)])
    yield PeerAddress("WATCHER", "WATCHER", "127.0.0.1", server.socket.getsockname()[1], 120), lambda: told
    ae.shutdown()
