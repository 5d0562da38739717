"""An association over which files are stored at a peer, straight from the disk (PS3.7 9.1.1, PS3.8 9.3)."""

import mmap
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from node.adapters.association import PeerAddress, no_tls, nothing_accepted, rejected, unknown_host, unreachable
from node.adapters.dimse import status_of, store_request, value_head
from node.adapters.upper_layer import (
    APPLICATION_CONTEXT,
    RELEASE_REQUEST,
    AbortReason,
    ConnectionEnded,
    PduType,
    ProtocolError,
    Wire,
    abort,
)
from pipelines.domain.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pipelines.domain.reasons import Rejected
from pipelines.imaging.header import FileMeta, file_meta

_OUR_MAX_PDU: Final = 16384
"""Longest unit that a peer may send us: responses are short."""
_LONGEST_UNIT: Final = 1024 * 1024
_MAX_ANSWER: Final = 128 * 1024
_PIECES: Final = 64
"""Fragments that are handed to the kernel at a time."""

NO_DICOM_FILE: Final = "it is no DICOM file, or not the one that it was"

Pair = tuple[str, str]
"""(SOP class, transfer syntax)."""


class Unsendable(Exception):
    """The file cannot be sent; the association is as before."""


class StoreClient:
    """An established association; made by `connect`."""

    def __init__(self, wire: Wire, contexts: dict[Pair, int], peer_max_pdu: int) -> None:
        self._wire = wire
        self._contexts = contexts
        self._fragment = min(peer_max_pdu or _LONGEST_UNIT, _LONGEST_UNIT) - 6
        self._message = 0
        self.alive = True

    @property
    def accepted(self) -> frozenset[Pair]:
        """What the peer takes."""
        return frozenset(self._contexts)

    def store(self, path: Path, context: Pair) -> int | None:
        """Store a file as it is; the status of the response, None when the association ended without one.

        Raises
        ------
        Unsendable
            If it is no DICOM file or cannot be read; nothing of it was sent then.
        """
        try:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                meta = file_meta(content)
                if isinstance(meta, Rejected) or not meta.sop_instance:
                    raise Unsendable(NO_DICOM_FILE)
                return self._store(meta, content, self._contexts[context])
        except (OSError, ValueError) as fault:
            # an empty file cannot be mapped
            raise Unsendable(getattr(fault, "strerror", None) or NO_DICOM_FILE) from fault

    def _store(self, meta: FileMeta, content: mmap.mmap, context_id: int) -> int | None:
        self._message = self._message % 0xFFFF + 1
        command = store_request(meta.sop_class, meta.sop_instance, self._message)
        try:
            self._wire.send(value_head(len(command), context_id, command=True, last=True) + command)
            with memoryview(content) as view:
                self._send_data_set(view, meta.end, context_id)
            return self._status()
        except (ConnectionEnded, ProtocolError):
            self.break_off()
            return None

    def _send_data_set(self, view: memoryview, start: int, context_id: int) -> None:
        pieces: list[bytes | memoryview] = []
        try:
            for at in range(start, len(view), self._fragment):
                piece = view[at : at + self._fragment]
                last = at + self._fragment >= len(view)
                pieces += [value_head(len(piece), context_id, command=False, last=last), piece]
                if last or len(pieces) >= _PIECES:
                    self._wire.send_all(pieces)
                    _release(pieces)
        finally:
            _release(pieces)

    def _status(self) -> int:
        command = bytearray()
        while True:
            kind, length = self._wire.header()
            if kind != PduType.DATA or length > _MAX_ANSWER:
                raise ProtocolError(AbortReason.UNEXPECTED_PDU, f"a unit of type {kind} instead of a response")
            while length:
                head = self._wire.exactly(6) if length >= 6 else b""
                size = int.from_bytes(head[:4], "big") - 2 if head else -1
                length -= 6 + size
                if size < 0 or length < 0 or len(command) + size > _MAX_ANSWER:
                    raise ProtocolError(AbortReason.INVALID_PARAMETER, "a response that cannot be read")
                control = head[5]
                self._wire.stream(size, command.extend)
                if control & 2:
                    answered, status = status_of(command)
                    if answered != self._message:
                        raise ProtocolError(AbortReason.UNEXPECTED_PDU, "the response to another request")
                    return status

    def release(self) -> None:
        """End the association in good order."""
        if not self.alive:
            return
        self.alive = False
        # when it is gone already, that is as good
        with suppress(ConnectionEnded):
            self._wire.send(RELEASE_REQUEST)
            self._wire.header()
        self._wire.close()

    def break_off(self) -> None:
        """Abort the association."""
        if self.alive:
            self.alive = False
            with suppress(ConnectionEnded):
                self._wire.send(abort(AbortReason.NOT_SPECIFIED))
            self._wire.close()


def connect(ae_title: str, peer: PeerAddress, contexts: Sequence[Pair]) -> StoreClient | Rejected:
    """An association with `peer` on as many of `contexts` as it accepts.

    Returns
    -------
    StoreClient
        The caller releases it.
    Rejected
        `NET-001` unreachable, `NET-002` rejected, `NET-004` without any presentation context.
    """
    try:
        connection = socket.create_connection((peer.host, peer.port), timeout=peer.timeout_s)
    except socket.gaierror as fault:
        return unknown_host(peer, fault)
    except OSError:
        return unreachable(peer)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if peer.tls is not None:
        try:
            connection = peer.tls.client().wrap_socket(connection, server_hostname=peer.tls_name or peer.host)
        except OSError as fault:  # ssl.SSLError is one
            connection.close()
            return no_tls(peer, fault)
    wire = Wire(connection, idle_s=peer.timeout_s, unit_s=peer.timeout_s)
    try:
        wire.send(_request(ae_title, peer, contexts))
        kind, length = wire.header()
        body = bytes(wire.exactly(length)) if length <= _MAX_ANSWER else b""
    except ConnectionEnded:
        wire.close()
        return unreachable(peer)
    if kind == PduType.ASSOCIATE_RJ and len(body) == 4:
        wire.close()
        return rejected(ae_title, peer, (body[2], body[3]))
    if kind != PduType.ASSOCIATE_AC:
        wire.close()
        return unreachable(peer)
    try:
        agreed, max_pdu = _agreed(bytes((kind, 0)) + length.to_bytes(4, "big") + body, contexts)
    except Exception:  # whatever pynetdicom makes of bytes that are no answer
        wire.close()
        return unreachable(peer)
    client = StoreClient(wire, agreed, max_pdu)
    if not agreed:
        client.release()
        return nothing_accepted(peer)
    return client


def _request(ae_title: str, peer: PeerAddress, contexts: Sequence[Pair]) -> bytes:
    length = MaximumLengthNotification()
    length.maximum_length_received = _OUR_MAX_PDU
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    proposed = []
    for number, (sop_class, syntax) in enumerate(contexts):
        context = build_context(sop_class, [syntax])
        context.context_id = 2 * number + 1
        proposed.append(context)
    asked: Any = A_ASSOCIATE()
    asked.application_context_name = APPLICATION_CONTEXT
    asked.calling_ae_title = ae_title
    asked.called_ae_title = peer.ae_title
    asked.presentation_context_definition_list = proposed
    asked.user_information = [length, implementation, version]
    unit = A_ASSOCIATE_RQ()
    unit.from_primitive(asked)
    encoded: bytes = unit.encode()
    return encoded


def _agreed(unit: bytes, contexts: Sequence[Pair]) -> tuple[dict[Pair, int], int]:
    answer = A_ASSOCIATE_AC()
    answer.decode(unit)
    primitive: Any = answer.to_primitive()
    by_id = {2 * number + 1: pair for number, pair in enumerate(contexts)}
    agreed = {
        by_id[context.context_id]: context.context_id
        for context in primitive.presentation_context_definition_results_list
        if context.result == 0 and context.context_id in by_id
    }
    return agreed, int(primitive.maximum_length_received or 0)


def _release(pieces: list[bytes | memoryview]) -> None:
    """Let go of the views, without which a mapped file cannot be closed."""
    for piece in pieces:
        if isinstance(piece, memoryview):
            piece.release()
    pieces.clear()
