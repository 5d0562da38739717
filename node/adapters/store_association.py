"""One association on which instances are stored: from units on the wire to drafts, receipts and responses.

The data set of a C-STORE request goes to the disk as it comes and is never decoded here (PS3.8 annex E, PS3.7 annex E).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from node.adapters.dimse import C_CANCEL_RQ, C_ECHO_RQ, C_STORE_RQ, Request, parse_request, response
from node.adapters.incoming import part10_head
from node.adapters.upper_layer import (
    RELEASE_RESPONSE,
    AbortReason,
    ConnectionEnded,
    PduType,
    ProtocolError,
    Wire,
    abort,
)
from node.errors import TransientError
from node.logs import Log
from node.ports import Draft, Sender
from node.services.receive import Announced, Receiver
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID, is_uid
from pipelines.domain.reasons import Rejected

INTERNAL_ERROR: Final = 0xC211
"""Failure: cannot understand; the value that tells a bug of ours from a fault of the data."""
_SUCCESS: Final = 0x0000
_CANNOT_UNDERSTAND: Final = 0xC000
_CLASS_NOT_SUPPORTED: Final = 0x0122
_UNRECOGNISED_OPERATION: Final = 0x0211
_MAX_COMMAND_BYTES: Final = 64 * 1024
_IS_COMMAND, _IS_LAST = 0x01, 0x02


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What two sides agreed on.

    Attributes
    ----------
    contexts
        (abstract syntax, transfer syntax) of each accepted presentation context, by its ID.
    max_pdu_bytes
        Longest unit that the other side may send.
    max_object_bytes
        Longest data set that is taken.
    """

    sender: Sender
    contexts: Mapping[int, tuple[str, str]]
    max_pdu_bytes: int
    max_object_bytes: int


@dataclass(slots=True)
class _Arrival:
    """A C-STORE request whose data set is on its way."""

    request: Request
    context_id: int
    announced: Announced
    draft: Draft | None = None
    status: int = _SUCCESS
    size: int = 0


class StoreAssociation:
    """Answers C-STORE and C-ECHO on one association until it ends."""

    def __init__(self, wire: Wire, agreed: Negotiated, receiver: Receiver, log: Log) -> None:
        self._wire = wire
        self._agreed = agreed
        self._receiver = receiver
        self._log = log
        self._command = bytearray()
        self._command_context = 0
        self._arrival: _Arrival | None = None

    def serve(self) -> None:
        """Take what comes; returns when the association has ended, in whatever way."""
        try:
            while self._one_unit():
                pass
        except ProtocolError as fault:
            self._drop()
            self._log.warning(
                "association_aborted", ae=self._agreed.sender.calling_ae_title, code="NET-005", reason=str(fault)
            )
            self._last_word(abort(fault.reason))
        except ConnectionEnded as fault:
            self._drop()
            self._log.info(
                "association_lost", ae=self._agreed.sender.calling_ae_title, code="NET-005", reason=str(fault)
            )
            self._last_word(abort(AbortReason.NOT_SPECIFIED))
        finally:
            self._drop()

    def _last_word(self, unit: bytes) -> None:
        try:
            self._wire.send(unit)
        except ConnectionEnded:
            self._log.debug("abort_not_sent", ae=self._agreed.sender.calling_ae_title)

    def _one_unit(self) -> bool:
        kind, length = self._wire.header()
        if kind == PduType.DATA:
            if length > self._agreed.max_pdu_bytes:
                raise ProtocolError(AbortReason.INVALID_PARAMETER, f"a unit of {length} bytes is longer than agreed")
            self._data(length)
            return True
        if kind == PduType.RELEASE_RQ:
            if length != 4:
                raise ProtocolError(AbortReason.INVALID_PARAMETER, "a release request of a wrong length")
            self._wire.exactly(length)
            self._wire.send(RELEASE_RESPONSE)
            return False
        if kind == PduType.ABORT:
            self._log.info("association_aborted_by_peer", ae=self._agreed.sender.calling_ae_title)
            return False
        known = kind in (1, 2, 3, 6)
        raise ProtocolError(
            AbortReason.UNEXPECTED_PDU if known else AbortReason.UNRECOGNISED_PDU, f"a unit of type {kind}"
        )

    def _data(self, left: int) -> None:
        """The presentation data values of one P-DATA-TF unit (PS3.8 9.3.5.1)."""
        while left:
            if left < 6:
                raise ProtocolError(AbortReason.INVALID_PARAMETER, "a unit ends inside a presentation data value")
            head = self._wire.exactly(6)
            length = int.from_bytes(head[:4], "big")
            context_id, control = head[4], head[5]
            left -= 4 + length
            if length < 2 or left < 0:
                raise ProtocolError(AbortReason.INVALID_PARAMETER, "a presentation data value of a wrong length")
            if context_id not in self._agreed.contexts:
                raise ProtocolError(AbortReason.INVALID_PARAMETER, f"presentation context {context_id} is not agreed")
            if control & _IS_COMMAND:
                self._command_fragment(context_id, length - 2, last=bool(control & _IS_LAST))
            else:
                self._data_set_fragment(context_id, length - 2, last=bool(control & _IS_LAST))

    def _command_fragment(self, context_id: int, length: int, *, last: bool) -> None:
        if self._arrival is not None:
            raise ProtocolError(AbortReason.UNEXPECTED_PDU, "a command inside a data set")
        if self._command and context_id != self._command_context:
            raise ProtocolError(AbortReason.UNEXPECTED_PDU, "a command in two presentation contexts")
        if len(self._command) + length > _MAX_COMMAND_BYTES:
            raise ProtocolError(AbortReason.INVALID_PARAMETER, f"a command longer than {_MAX_COMMAND_BYTES} bytes")
        self._command_context = context_id
        self._wire.stream(length, self._command.extend)
        if last:
            request = parse_request(self._command)
            self._command.clear()
            self._begin(request, context_id)

    def _begin(self, request: Request, context_id: int) -> None:
        abstract_syntax, transfer_syntax = self._agreed.contexts[context_id]
        if request.command == C_CANCEL_RQ:
            return
        arrival = _Arrival(request, context_id, _announced(request))
        if request.command == C_ECHO_RQ:
            self._log.debug("echo", ae=self._agreed.sender.calling_ae_title)
        elif request.command != C_STORE_RQ:
            arrival.status = _UNRECOGNISED_OPERATION
        elif request.sop_class.decode("ascii", "replace") != abstract_syntax:
            arrival.status = _CLASS_NOT_SUPPORTED
        elif not request.has_data_set:
            arrival.status = _CANNOT_UNDERSTAND
        else:
            self._guarded(arrival, lambda: self._open(arrival, transfer_syntax))
        if request.has_data_set:
            self._arrival = arrival
        else:
            self._wire.send(response(request, context_id, arrival.status))

    def _open(self, arrival: _Arrival, transfer_syntax: str) -> None:
        arrival.draft = self._receiver.begin()
        arrival.draft.write(part10_head(arrival.announced, transfer_syntax))

    def _data_set_fragment(self, context_id: int, length: int, *, last: bool) -> None:
        arrival = self._arrival
        if arrival is None or context_id != arrival.context_id:
            raise ProtocolError(AbortReason.UNEXPECTED_PDU, "a data set that no command announced")
        arrival.size += length
        if arrival.size > self._agreed.max_object_bytes:
            self._too_long(arrival)
        self._wire.stream(length, lambda piece: self._write(arrival, piece))
        if last:
            self._arrival = None
            self._guarded(arrival, lambda: self._take(arrival))
            _discard(arrival)
            self._wire.send(response(arrival.request, context_id, arrival.status))

    def _too_long(self, arrival: _Arrival) -> None:
        limit = self._agreed.max_object_bytes
        reason = Rejected(
            "RCV-001",
            f"The data set of instance {arrival.announced.sop_instance} is longer than {limit} bytes.",
            "Raise receive.max_object_mb if such objects are wanted.",
        )
        self._receiver.note(reason, self._agreed.sender)
        raise ProtocolError(AbortReason.NOT_SPECIFIED, f"a data set longer than {limit} bytes")

    def _write(self, arrival: _Arrival, piece: memoryview) -> None:
        draft = arrival.draft
        if draft is not None:
            self._guarded(arrival, lambda: draft.write(piece))

    def _take(self, arrival: _Arrival) -> None:
        if arrival.draft is not None:
            arrival.status = self._receiver.take(arrival.draft, arrival.announced, self._agreed.sender)

    def _guarded(self, arrival: _Arrival, do: Callable[[], None]) -> None:
        """Turn what goes wrong with one instance into its status; the rest of its data set is let pass."""
        try:
            do()
        except TransientError as fault:
            arrival.status = self._receiver.turn_away(fault, self._agreed.sender)
            _discard(arrival)
        except Exception:
            self._log.error("receive_failed", traceback=True, ae=self._agreed.sender.calling_ae_title)
            arrival.status = INTERNAL_ERROR
            _discard(arrival)

    def _drop(self) -> None:
        if self._arrival is not None:
            _discard(self._arrival)
            self._arrival = None


def _discard(arrival: _Arrival) -> None:
    if arrival.draft is not None:
        arrival.draft.close()
        arrival.draft = None


def _announced(request: Request) -> Announced:
    return Announced(SopClassUID(_uid(request.sop_class)), SopInstanceUID(_uid(request.sop_instance)))


def _uid(value: bytes) -> str:
    """The UID that a sender wrote; whatever is none is not carried on, into messages least of all."""
    text = value.decode("ascii", "replace")
    return text if is_uid(text) else "without a valid UID"
