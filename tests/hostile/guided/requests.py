"""Readers of what comes with requests for other services than storage: procedure steps, and storage commitment."""

from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.hostile.guided.catalogue import Read
from tests.hostile.guided.network import strict_log

_SYNTAXES = ((True, True), (False, True), (False, False))


def step(own: Path, shared: Path) -> Read:
    """Data sets with which steps are created, changed and claimed, in any of three transfer syntaxes.

    The first byte says which transfer syntax, and whether the step is there already.
    """
    from pydicom import Dataset, dcmread
    from pynetdicom.dsutils import decode, encode
    from sqlalchemy import delete
    from sqlalchemy.event import listens_for

    from node.adapters import ledger_schema
    from node.adapters.ledger import open_engine
    from node.adapters.steps.audit import StepAudit
    from node.adapters.steps.scp import PUSH, QUERY, StepScp
    from node.adapters.steps.store import SqlSteps
    from node.services.trail import StepAccess
    from tests.node.doubles import SetClock

    engine = open_engine(f"sqlite:///{own / 'ledger.sqlite3'}")

    @listens_for(engine, "connect")
    def hurry(connection: Any, _: object) -> None:
        # what is searched for is not whether a power cut costs a step
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")

    engine.dispose()
    steps, clock = SqlSteps(engine), SetClock()
    told: list[StepAccess] = []
    worklist = StepScp(
        steps,
        clock,
        strict_log(),
        cancel_requested=lambda *_: False,
        receivers=("FUZZ",),
        accessed=StepAudit(steps, told.append, identify=True),
    )
    handlers = [handler for service in worklist.services for _, handler in service.handlers]
    create, change, get, act, find = handlers[:5]
    held = Dataset(dcmread(BytesIO((shared / "step.dcm").read_bytes())))
    held.InputReadinessState = "READY"
    caller = SimpleNamespace(requestor=SimpleNamespace(ae_title="FUZZ", address="127.0.0.1"))

    class Event:
        """What the handlers get; data sets are decoded when they are asked for."""

        assoc = caller
        is_cancelled = False
        attribute_identifiers: tuple[int, ...] = ()

        def __init__(self, data: bytes, sop_class: str = PUSH, action_type: int = 1) -> None:
            self._data = data
            self.action_type = action_type
            self.request = SimpleNamespace(
                AffectedSOPClassUID=sop_class,
                AffectedSOPInstanceUID="1.2.3",
                RequestedSOPClassUID=sop_class,
                RequestedSOPInstanceUID="1.2.3",
                ActionInformation=BytesIO(data),
            )

        @property
        def identifier(self) -> Dataset:
            return decode(BytesIO(self._data[1:]), *_SYNTAXES[self._data[0] % 3])

        attribute_list = modification_list = action_information = identifier

    def read(data: bytes) -> None:
        if not data:
            return
        with engine.begin() as connection:
            connection.execute(delete(ledger_schema.procedure_step))
            connection.execute(delete(ledger_schema.step_event))
            connection.execute(delete(ledger_schema.step_subscription))
        told.clear()
        if data[0] & 0x40:
            assert steps.create("1.2.3", held, at=clock()) == 0
        answers = [create(Event(data)), change(Event(data))]
        answers += [act(Event(data, action_type=kind)) for kind in (1, 3, 2, 4, 9)]
        answers.append(get(Event(data)))
        assert len(told) == len(answers)
        for status, answer in (*answers, *find(Event(data, QUERY))):
            assert 0 <= status <= 0xFFFF
            assert answer is None or encode(answer, False, True) is not None, "the answer cannot be sent"

    return read


def commitment(own: Path, shared: Path) -> Read:
    """Requests for storage commitment, and reports on the node's own."""
    from pynetdicom.dsutils import decode

    from node.adapters.commitment import commitment_service
    from node.ports import CommitmentReport

    def taken(ae_title: str, report: CommitmentReport) -> bool:
        assert report.transaction_uid
        return True

    custodian = SimpleNamespace(asked=lambda who, transaction, objects: 0, knows=lambda who: True)
    service = commitment_service(custodian, taken, strict_log())  # type: ignore[arg-type]
    (_, on_action), (_, on_report) = service.handlers

    class Event:
        assoc = SimpleNamespace(requestor=SimpleNamespace(ae_title="FUZZ"))
        request = SimpleNamespace(ActionTypeID=1, EventTypeID=2)

        def __init__(self, data: bytes) -> None:
            self._data = data

        @property
        def action_information(self) -> object:
            return decode(BytesIO(self._data[1:]), *_SYNTAXES[self._data[0] % 3])

        event_information = action_information

    def read(data: bytes) -> None:
        if data:
            for handle in (on_action, on_report):
                status, _ = handle(Event(data))
                assert 0 <= status <= 0xFFFF

    return read
