"""The port that others connect to: who comes in, what is agreed, and which of two services takes over (PS3.8 7.1, 9.3).

Associations that store go to `StoreAssociation`, which keeps up with the wire. All others, and those that want
something else beside, go to pynetdicom, which speaks every service.
"""

import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from node.adapters.guard import AddressList, Pace
from node.adapters.request_items import with_known_items
from node.adapters.store_association import Negotiated, StoreAssociation
from node.adapters.tls import Tls
from node.adapters.upper_layer import (
    APPLICATION_CONTEXT,
    AbortReason,
    ConnectionEnded,
    PduType,
    ProtocolError,
    TooSlow,
    Wire,
    abort,
    rejection,
)
from node.adapters.users import Users, asked_identity, confirmation
from node.logs import Log
from node.meters import SILENT, Meters
from node.ports import RefusedAssociation, Sender
from node.services.receive import Receiver
from pipelines.domain.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_MAX_REQUEST_BYTES: Final = 128 * 1024
_GREETING_S: Final = 10.0
"""Within which a request for an association has to arrive once somebody has connected."""
_UNIT_S: Final = 30.0
_ARTIM_S: Final = 2.0
"""Within which somebody who was rejected closes the connection, which is theirs to close (PS3.8 9.2.3, state 13)."""
_BACKLOG: Final = 512
_STRANGERS: Final = 64
"""Connections beyond the associations that may be without one, while they ask for it."""

# (result, source, diagnostic) of PS3.8 table 9-21
_NO_REASON: Final = (1, 1, 1)
_BAD_VERSION: Final = (1, 2, 2)
_BAD_APPLICATION_CONTEXT: Final = (1, 1, 2)
_CALLING_UNKNOWN: Final = (1, 1, 3)
_CALLED_UNKNOWN: Final = (1, 1, 7)
_TOO_MANY: Final = (2, 3, 2)
_USER_UNKNOWN: Final = (1, 2, 1)

_OUTCOMES: Final = {
    None: "accepted",
    _NO_REASON: "address-not-listed",
    _BAD_VERSION: "other-protocol",
    _BAD_APPLICATION_CONTEXT: "other-protocol",
    _CALLING_UNKNOWN: "calling-title-not-listed",
    _CALLED_UNKNOWN: "other-called-title",
    _TOO_MANY: "too-many-associations",
    _USER_UNKNOWN: "user-unknown",
}
"""How associations are counted."""

HandOver = Callable[[socket.socket, tuple[Any, ...], bytes], None]
"""Takes a connection, the address behind it and the request for an association that was read from it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Whom the node lets in, and how much of it.

    Attributes
    ----------
    calling_ae_titles
        AE titles that may call; empty for any.
    addresses
        Networks that may connect beside this machine.
    connections_per_minute
        From one address; 0 for as many as it likes.
    """

    ae_title: str
    calling_ae_titles: tuple[str, ...]
    require_called_ae_title: bool
    max_associations: int
    max_pdu_bytes: int
    max_object_bytes: int
    network_timeout_s: float
    addresses: tuple[str, ...] = ()
    connections_per_minute: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for an association.

    Attributes
    ----------
    unit
        As it came.
    """

    unit: bytes
    primitive: Any
    address: str

    @property
    def calling(self) -> str:
        return str(self.primitive.calling_ae_title or "").strip()[:16]

    @property
    def called(self) -> str:
        return str(self.primitive.called_ae_title or "").strip()[:16]


class FrontDoor:
    """Listens on one TCP port until it is closed.

    Parameters
    ----------
    contexts
        What storage associations may agree on.
    elsewhere
        Abstract syntaxes of the other services: an association that asks for one of them is handed over.
    hand_over
        Where to; `others` tells how many associations are there.
    tls
        Speaks TLS with everybody when given.
    users
        Of whom everybody must be one when given.
    """

    def __init__(
        self,
        rules: Rules,
        receiver: Receiver,
        log: Log,
        *,
        contexts: Sequence[PresentationContext],
        elsewhere: Collection[str],
        hand_over: HandOver,
        others: Callable[[], int],
        turned_away: Callable[[RefusedAssociation], None],
        tls: Tls | None = None,
        users: Users | None = None,
        meters: Meters = SILENT,
    ) -> None:
        self._users = users
        self._rules = rules
        self._meters = meters
        self._receiver = receiver
        self._log = log
        self._contexts = list(contexts)
        self._elsewhere = frozenset(elsewhere)
        self._hand_over = hand_over
        self._others = others
        self._turned_away = turned_away
        self._tls = tls
        self._allowed = AddressList(rules.addresses)
        self._pace = Pace(rules.connections_per_minute, time.monotonic)
        self._listening: socket.socket | None = None
        self._doorkeeper: threading.Thread | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._places_taken = 0

    def open(self, bind: str, port: int, *, share_port: bool = False) -> int:
        """Listen in the background; the port that was bound.

        Parameters
        ----------
        share_port
            Let other processes listen on the same port; the kernel spreads the connections.

        Raises
        ------
        OSError
            If the address cannot be bound.
        """
        listening = socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if share_port:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listening.bind((bind, port))
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
        self._listening = listening
        self._doorkeeper = threading.Thread(target=self._accept, args=(listening,), name="front-door", daemon=True)
        self._doorkeeper.start()
        bound: int = listening.getsockname()[1]
        return bound

    @property
    def listening(self) -> bool:
        """True while somebody opens when others knock."""
        return self._doorkeeper is not None and self._doorkeeper.is_alive()

    def close(self) -> None:
        """Close the port and every connection."""
        listening, self._listening = self._listening, None
        if listening is not None:
            _end(listening)
        with self._lock:
            left = tuple(self._open)
        for connection in left:
            _end(connection)

    def _accept(self, listening: socket.socket) -> None:
        while self._listening is listening:
            try:
                connection, address = listening.accept()
            except OSError as fault:
                if self._listening is not listening:
                    return
                # out of descriptors, or the other side was gone before it was let in
                self._log.warning("connection_not_accepted", reason=fault.strerror)
                threading.Event().wait(0.05)
                continue
            with self._lock:
                crowded = len(self._open) >= self._rules.max_associations + _STRANGERS
            if crowded or not self._pace.allows(address[0]):
                reason = "too many connections" if crowded else "too many connections in a minute"
                self._meters.association("too-many-connections")
                self._log.warning("connection_closed", code="RCV-006", address=address[0], reason=reason)
                connection.close()
                continue
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._greet, args=(connection, address), name="association", daemon=True).start()

    def _greet(self, connection: socket.socket, address: tuple[Any, ...]) -> None:
        kept = False
        try:
            secured = self._secured(connection, address[0])
            if secured is not None:
                with self._lock:
                    self._open.discard(connection)
                    self._open.add(secured)
                connection = secured
                kept = self._serve(connection, address)
        except Exception:
            self._log.error("association_failed", traceback=True, address=address[0])
        finally:
            with self._lock:
                self._open.discard(connection)
            if not kept:
                _end(connection)

    def _secured(self, connection: socket.socket, address: str) -> socket.socket | None:
        """The connection as it is spoken on; None when the other side could not agree on TLS."""
        if self._tls is None:
            return connection
        connection.settimeout(min(_GREETING_S, self._rules.network_timeout_s))
        try:
            return self._tls.server().wrap_socket(connection, server_side=True)
        except OSError as fault:  # ssl.SSLError is one
            why = getattr(fault, "reason", None) or fault.strerror or "it said nothing in time"
            self._meters.association("tls-refused")
            self._log.warning("tls_refused", code="RCV-006", address=address, reason=why)
            self._turned_away(
                RefusedAssociation(
                    "",
                    "",
                    address,
                    f"No TLS connection could be agreed on: {why}.",
                    "Enable TLS in that system, with a certificate that tls.authorities_file vouches for.",
                )
            )
            return None

    def _serve(self, connection: socket.socket, address: tuple[Any, ...]) -> bool:
        """Serve a connection to its end; True when somebody else does."""
        # without this the small response waits for the acknowledgement of the last segment, some 40 ms an instance
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = Wire(connection, idle_s=min(_GREETING_S, self._rules.network_timeout_s), unit_s=_GREETING_S)
        try:
            asked = self._request(wire, str(address[0]))
            refusal = self._refusal(asked)
            self._meters.association(_OUTCOMES[refusal])
            if refusal is not None:
                wire.send(rejection(result=refusal[0], source=refusal[1], diagnostic=refusal[2]))
                wire.await_end(_ARTIM_S)
                return False
            try:
                wanted = {str(one.abstract_syntax) for one in asked.primitive.presentation_context_definition_list}
                if wanted & self._elsewhere:
                    connection.settimeout(self._rules.network_timeout_s)
                    self._hand_over(connection, address, asked.unit)
                    return True
                self._meters.associations_open(1)
                try:
                    self._store(wire, asked, wanted)
                finally:
                    self._meters.associations_open(-1)
            finally:
                with self._lock:
                    self._places_taken -= 1
        except ProtocolError as fault:
            self._meters.association("not-understood")
            self._log.warning("association_not_understood", code="NET-005", address=address[0], reason=str(fault))
            _try_to_send(wire, abort(fault.reason))
        except TooSlow as fault:
            self._log.warning("association_not_understood", code="NET-005", address=address[0], reason=str(fault))
        except ConnectionEnded as fault:
            self._log.debug("connection_ended", address=address[0], reason=str(fault))
        return False

    def _request(self, wire: Wire, address: str) -> _Asked:
        kind, length = wire.header()
        if kind != PduType.ASSOCIATE_RQ:
            raise ProtocolError(AbortReason.UNEXPECTED_PDU, "the first unit asks for no association")
        if length > _MAX_REQUEST_BYTES:
            raise ProtocolError(AbortReason.INVALID_PARAMETER, f"a request of {length} bytes")
        unit = with_known_items(bytes((kind, 0)) + length.to_bytes(4, "big") + bytes(wire.exactly(length)))
        try:
            request = A_ASSOCIATE_RQ()
            request.decode(unit)
            primitive: Any = request.to_primitive()
            contexts = primitive.presentation_context_definition_list
        except Exception as fault:  # whatever pynetdicom makes of bytes that are no request
            raise ProtocolError(AbortReason.INVALID_PARAMETER, "the request cannot be read") from fault
        if not contexts or not length:
            raise ProtocolError(AbortReason.INVALID_PARAMETER, "the request proposes nothing")
        # PS3.8 table 9-13: one abstract syntax each, and at least one transfer syntax
        if not all(one.abstract_syntax and one.transfer_syntax for one in contexts):
            raise ProtocolError(AbortReason.INVALID_PARAMETER, "the request proposes a context without a syntax")
        return _Asked(unit, primitive, address)

    def _refusal(self, asked: _Asked) -> tuple[int, int, int] | None:
        """Why not; None when it is let in, for which a place is taken."""
        rules = self._rules
        if not int.from_bytes(asked.unit[6:8], "big") & 1:
            answer, why, remedy = _BAD_VERSION, "It speaks another version of the protocol.", "Update that system."
        elif str(asked.primitive.application_context_name) != APPLICATION_CONTEXT:
            answer, why, remedy = _BAD_APPLICATION_CONTEXT, "It is no DICOM application.", "Check that system."
        elif asked.address not in self._allowed:
            answer = _NO_REASON
            why = "Its address is not among receive.addresses."
            remedy = f"Add {asked.address} to receive.addresses if it may send."
        elif rules.require_called_ae_title and asked.called != rules.ae_title.strip():
            answer = _CALLED_UNKNOWN
            why = f"It calls {asked.called or 'nobody'}; this node is {rules.ae_title.strip()}."
            remedy = "Correct the AE title in that system, or node.ae_title here; upper and lower case matter."
        elif rules.calling_ae_titles and asked.calling not in {title.strip() for title in rules.calling_ae_titles}:
            answer = _CALLING_UNKNOWN
            why = "Its AE title is not among receive.calling_ae_titles."
            remedy = f"Add {asked.calling} to receive.calling_ae_titles if it may send."
        elif self._users is not None and not self._users.allows(asked_identity(asked.primitive)):
            answer = _USER_UNKNOWN
            why = "It gave no user name with its passcode, or a wrong one."
            remedy = "Enter a user of receive.users_file in that system, or add one there: pulmonode user NAME."
        elif not self._take_place():
            answer = _TOO_MANY
            why = f"There were {rules.max_associations} associations already."
            remedy = "Raise receive.max_associations, or have that system use fewer at a time."
        else:
            return None
        self._log.warning("association_rejected", ae=asked.calling, called=asked.called, address=asked.address)
        self._turned_away(RefusedAssociation(asked.calling, asked.called, asked.address, why, remedy))
        return answer

    def _take_place(self) -> bool:
        others = self._others()
        with self._lock:
            if self._places_taken + others >= self._rules.max_associations:
                return False
            self._places_taken += 1
            return True

    def _store(self, wire: Wire, asked: _Asked, wanted: Collection[str]) -> None:
        results, _ = negotiate_as_acceptor(asked.primitive.presentation_context_definition_list, self._contexts)
        agreed = {
            context.context_id: (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context in results
            if context.result == 0 and context.context_id is not None
        }
        wire.send(self._acceptance(asked, results))
        self._log.debug("association_accepted", ae=asked.calling, address=asked.address)
        if not agreed:
            self._turned_away(nothing_offered(asked.calling, asked.called, asked.address, wanted))
        wire.patience(idle_s=self._rules.network_timeout_s, unit_s=min(_UNIT_S, self._rules.network_timeout_s))
        agreement = Negotiated(
            Sender(asked.calling, asked.called),
            agreed,
            max_pdu_bytes=self._rules.max_pdu_bytes,
            max_object_bytes=self._rules.max_object_bytes,
        )
        StoreAssociation(wire, agreement, self._receiver, self._log).serve()

    def _acceptance(self, asked: _Asked, results: list[PresentationContext]) -> bytes:
        length = MaximumLengthNotification()
        length.maximum_length_received = self._rules.max_pdu_bytes
        implementation = ImplementationClassUIDNotification()
        implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        version = ImplementationVersionNameNotification()
        version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        answer: Any = A_ASSOCIATE()
        answer.application_context_name = asked.primitive.application_context_name
        answer.calling_ae_title = asked.primitive.calling_ae_title
        answer.called_ae_title = asked.primitive.called_ae_title
        answer.result, answer.result_source = 0, 1
        answer.presentation_context_definition_results_list = results
        confirmed = [] if self._users is None else confirmation(asked_identity(asked.primitive))
        answer.user_information = [length, implementation, version, *confirmed]
        unit = A_ASSOCIATE_AC()
        unit.from_primitive(answer)
        encoded: bytes = unit.encode()
        return encoded


def nothing_offered(calling: str, called: str, address: str, wanted: Collection[str]) -> RefusedAssociation:
    """What a person is told of an association that could agree on nothing."""
    classes = sorted(wanted)
    return RefusedAssociation(
        calling,
        called,
        address,
        f"It offered none of the object classes and transfer syntaxes that this node takes, but {classes[0]}"
        + (f" and {len(classes) - 1} others." if len(classes) > 1 else "."),
        "Send CT and segmentations only, or add the class to receive.extra_storage_classes.",
    )


def _try_to_send(wire: Wire, unit: bytes) -> None:
    try:
        wire.send(unit)
    except ConnectionEnded:
        return


def _end(connection: socket.socket) -> None:
    """Close a connection; whoever waits for something on it is woken."""
    # it may never have been connected, or the other side was faster
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
