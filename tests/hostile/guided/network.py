"""Readers of what comes over associations: units, commands, identifiers of queries, and the file of users."""

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import patch

from tests.hostile.guided.catalogue import Read

_SMALL = 60000
"""Bytes that surely fit into the kernel's buffer."""


class _LocalSocket(socket.socket):
    """One end of a pair, which knows nothing of TCP."""

    def setsockopt(self, *given: Any) -> None:  # type: ignore[override]
        if given[0] != socket.IPPROTO_TCP:
            super().setsockopt(*given)


def over_a_connection(data: bytes, act: Callable[[socket.socket], None]) -> None:
    """Let `act` serve a connection on which `data` comes, and then the end."""
    pair = socket.socketpair()
    ours, theirs = (_LocalSocket(fileno=one.detach()) for one in pair)
    with ours, theirs:
        theirs.settimeout(5)

        def feed() -> None:
            with suppress(OSError):
                theirs.sendall(data)
                theirs.shutdown(socket.SHUT_WR)

        def drain() -> None:
            with suppress(OSError):
                while theirs.recv(65536):
                    continue

        threads = [Thread(target=drain, daemon=True)]
        if len(data) > _SMALL:
            threads.append(Thread(target=feed, daemon=True))
        else:
            feed()
        for thread in threads:
            thread.start()
        try:
            act(ours)
        finally:
            with suppress(OSError):
                ours.shutdown(socket.SHUT_RDWR)
            ours.close()
            for thread in threads:
                thread.join(5)


def strict_log() -> Any:
    """A log in which an error is a finding: whoever serves strangers answers bugs of ours with a status."""
    from node.logs import Log

    class Strict(Log):
        def error(self, event: str, **_: object) -> None:
            raise AssertionError(event)

        def warning(self, event: str, **_: object) -> None:
            return None

        def info(self, event: str, **_: object) -> None:
            return None

    return Strict("fuzz")


def receiver_in(own: Path) -> Any:
    """A receiver whose drafts are real, and none of which is kept; the ledger believes everything."""
    from node.adapters.spool import FileSpool
    from node.ports import Receipt
    from node.services.receive import Receiver
    from tests.node.doubles import SetClock

    spool = FileSpool(own, min_free_bytes=0)
    spool.prepare()

    class NoFiles:
        def draft(self) -> Any:
            draft = spool.draft()
            draft.keep = lambda ref: None  # type: ignore[method-assign,assignment,return-value]
            return draft

        def holds(self, file: object) -> bool:
            return True

    class NoLedger:
        def received(self, *_: object, **__: object) -> Receipt:
            return Receipt.NEW

        def refused(self, *_: object, **__: object) -> None:
            return None

    return Receiver(NoFiles(), NoLedger(), SetClock(), strict_log())  # type: ignore[arg-type]


def no_draft_in(own: Path) -> None:
    assert not list((own / "tmp").glob("*")), "a draft was left behind"


def association(own: Path, shared: Path) -> Read:
    """Everything that comes once an association is agreed on."""
    from node.adapters.store_association import Negotiated, StoreAssociation
    from node.adapters.upper_layer import Wire
    from node.ports import Sender
    from tests.hostile.wire import CT, EXPLICIT

    receiver, log = receiver_in(own), strict_log()
    agreed = Negotiated(Sender("FUZZ", "NODE"), {1: (CT, EXPLICIT)}, max_pdu_bytes=131072, max_object_bytes=2**20)

    def serve(connection: socket.socket) -> None:
        StoreAssociation(Wire(connection, idle_s=5, unit_s=5), agreed, receiver, log).serve()

    def read(data: bytes) -> None:
        over_a_connection(data, serve)
        no_draft_in(own)

    return read


def request(own: Path, shared: Path) -> Read:
    """Everything that comes on a new connection: the request, who asks, what is agreed on, and what follows."""
    from pynetdicom import build_context

    from node.adapters import users as users_module
    from node.adapters.front_door import FrontDoor, Rules
    from node.adapters.users import Users
    from tests.hostile.wire import CT, EXPLICIT

    file = own / "users"
    file.touch(mode=0o600)
    file.write_text(users_module.line_of("reader", "secret") + "\n", "utf-8")
    log = strict_log()

    def door_with(users: Users | None) -> FrontDoor:
        return FrontDoor(
            Rules("PULMONODE", (), True, 10, 131072, 2**20, 5.0),
            receiver_in(own),
            log,
            contexts=[build_context(CT, [EXPLICIT])],
            elsewhere=("1.2.840.10008.5.1.4.1.2.2.1",),
            hand_over=lambda connection, address, unit: connection.close(),
            others=lambda: 0,
            turned_away=lambda refused: None,
            users=users,
        )

    doors = door_with(None), door_with(Users(file))

    def read(data: bytes) -> None:
        door = doors[data[-1] & 1 if data else 0]
        # the cost is meant for those who guess, and hides everything else from a fuzzer
        with patch.object(users_module, "_COST", 2):
            over_a_connection(data, lambda connection: door._greet(connection, ("127.0.0.1", 104)))
        assert door._places_taken == 0, "a place was left taken"
        no_draft_in(own)

    return read


def command(own: Path, shared: Path) -> Read:
    from node.adapters.dimse import parse_request, status_of
    from node.adapters.upper_layer import ProtocolError

    def read(data: bytes) -> None:
        for parse in (parse_request, status_of):
            with suppress(ProtocolError):
                parse(data)

    return read


def response(own: Path, shared: Path) -> Read:
    """What a PACS answers to an instance that is sent to it."""
    from node.adapters.store_client import StoreClient
    from node.adapters.upper_layer import ConnectionEnded, Wire
    from tests.hostile.wire import CT, EXPLICIT

    path = shared / "ct-0.dcm"

    def ask(connection: socket.socket) -> None:
        client = StoreClient(Wire(connection, idle_s=5, unit_s=5), {(CT, EXPLICIT): 1}, 16384)
        with suppress(ConnectionEnded):
            status = client.store(path, (CT, EXPLICIT))
            assert status is None or 0 <= status <= 0xFFFF

    def read(data: bytes) -> None:
        over_a_connection(data, ask)

    return read


def acceptance(own: Path, shared: Path) -> Read:
    """What a PACS answers to a request for an association."""
    from node.adapters.association import PeerAddress
    from node.adapters.store_client import StoreClient, connect
    from pipelines.domain.reasons import Rejected
    from tests.hostile.wire import CT, EXPLICIT

    peer = PeerAddress("pacs", "PACS", "127.0.0.1", 104, 5.0)

    def ask(connection: socket.socket) -> None:
        with patch.object(socket, "create_connection", return_value=connection):
            found = connect("PULMONODE", peer, [(CT, EXPLICIT)])
        assert isinstance(found, StoreClient | Rejected)
        if isinstance(found, StoreClient):
            found.release()

    def read(data: bytes) -> None:
        over_a_connection(data, ask)

    return read


def query(own: Path, shared: Path) -> Read:
    """Identifiers of queries to the worklist, in any of three transfer syntaxes."""
    from io import BytesIO
    from types import SimpleNamespace

    from pydicom import Dataset, dcmread
    from pynetdicom.dsutils import decode, encode

    from node.adapters.steps.scp import QUERY, StepScp
    from tests.node.doubles import SetClock

    held = Dataset(dcmread(BytesIO((shared / "step.dcm").read_bytes())))
    steps = SimpleNamespace(all=lambda: [("1.2.3", held)])
    worklist = StepScp(
        steps,  # type: ignore[arg-type]
        SetClock(),
        strict_log(),
        cancel_requested=lambda *_: False,
        receivers=(),
    )
    caller = SimpleNamespace(requestor=SimpleNamespace(ae_title="FUZZ", address="127.0.0.1"))

    class Event:
        """What the handler of a C-FIND request gets; the identifier is decoded when it is asked for."""

        is_cancelled = False
        assoc = caller
        request = SimpleNamespace(AffectedSOPClassUID=QUERY)

        def __init__(self, data: bytes) -> None:
            self._syntax = ((True, True), (False, True), (False, False))[data[0] % 3]
            self._data = data[1:]

        @property
        def identifier(self) -> Dataset:
            return decode(BytesIO(self._data), *self._syntax)

    def read(data: bytes) -> None:
        if data:
            for status, answer in worklist.find(Event(data)):
                assert 0 <= status <= 0xFFFF
                assert answer is None or encode(answer, False, True) is not None, "the answer cannot be sent"

    return read


def users(own: Path, shared: Path) -> Read:
    """The file of users: an administrator's, and yet whatever somebody saved there."""
    from node.adapters.users import Users
    from node.errors import ConfigError

    file = own / "users"
    file.touch(mode=0o600)

    def read(data: bytes) -> None:
        file.write_bytes(data)
        with suppress(ConfigError):
            Users(file)

    return read


def answer(own: Path, shared: Path) -> Read:
    """What peers answer to the node's own queries: for studies, series and instances, and for orders."""
    from contextlib import ExitStack
    from io import BytesIO

    from pydicom import Dataset
    from pynetdicom.dsutils import decode

    from node.adapters import query_retrieve, worklist
    from node.adapters.association import PeerAddress
    from node.adapters.query_retrieve import QueryRetrieveScu, Source
    from node.adapters.worklist import WorklistScu
    from node.ports import PatientIdentity
    from pipelines.domain.case import SeriesKey
    from pipelines.domain.identifiers import SeriesUID, StudyUID

    peer = PeerAddress("pacs", "PACS", "127.0.0.1", 104, 5.0)
    asking = QueryRetrieveScu(
        "PULMONODE",
        [Source(peer, "get", "PULMONODE")],
        receiver_in(own),
        strict_log(),
        storage_classes=(),
        transfer_syntaxes=(),
        retrieve_timeout_s=5,
    )
    ordering = WorklistScu("PULMONODE", peer)
    patient = PatientIdentity("P-1", "")
    pending, success = Dataset(), Dataset()
    pending.Status, success.Status = 0xFF00, 0x0000

    class Association:
        """Gives identifiers as pynetdicom does: None for what it cannot decode at once."""

        is_established = False

        def __init__(self, data: bytes) -> None:
            self._data = data

        def send_c_find(self, *_: object) -> Any:
            found = None
            with suppress(Exception):
                found = decode(BytesIO(self._data[1:]), self._data[0] % 2 == 0, True)
            yield pending, found
            yield success, None

        def close(self, *, lost: bool = False) -> None:
            return None

    def read(data: bytes) -> None:
        if not data:
            return
        with ExitStack() as stack:
            for module in (query_retrieve, worklist):
                stack.enter_context(patch.object(module, "associate", lambda *_, **__: Association(data)))
            asking.studies("pacs", patient)
            asking.series("pacs", study=StudyUID("1.2"))
            asking.instances("pacs", SeriesKey(StudyUID("1.2"), SeriesUID("1.3")))
            ordering.orders(patient, accession_number="")

    return read
