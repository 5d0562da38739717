"""The DICOM service that others send to: Verification, Storage, and what else the node offers as SCP."""

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from pydicom.uid import UID
from pynetdicom import AE, evt

from node.adapters.association import Acceptable, ScpService
from node.adapters.bounded import abort
from node.adapters.front_door import FrontDoor, Rules, nothing_offered
from node.adapters.incoming import part10
from node.adapters.late_requests import be_lenient
from node.adapters.replayed import Replayed, Signals
from node.adapters.store_association import INTERNAL_ERROR
from node.adapters.tls import Tls
from node.adapters.users import Users, asked_identity, confirmation
from node.errors import TransientError
from node.logs import Log
from node.meters import SILENT, Meters
from node.ports import RefusedAssociation, Sender
from node.services.receive import Announced, Receiver
from pipelines.domain import transfer_syntaxes
from pipelines.domain.identifiers import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    SopClassUID,
    SopInstanceUID,
)
from pipelines.domain.sop_classes import VERIFICATION

TRANSFER_SYNTAXES: Final = tuple(transfer_syntaxes.TRANSFER_SYNTAXES)
"""What workers can decode; an instance in another transfer syntax is refused at negotiation."""


class StorageScp:
    """Listens on one TCP port until it is stopped.

    Parameters
    ----------
    storage_classes
        SOP classes to accept; all others are refused at negotiation.
    services
        What is offered beside Storage and Verification.
    turned_away
        Hears of every association that was refused.
    """

    def __init__(
        self,
        receiver: Receiver,
        log: Log,
        rules: Rules,
        *,
        storage_classes: Collection[SopClassUID],
        services: Sequence[ScpService] = (),
        turned_away: Callable[[RefusedAssociation], None] = lambda refused: None,
        tls: Tls | None = None,
        users: Users | None = None,
        meters: Meters = SILENT,
    ) -> None:
        self._receiver = receiver
        self._services = tuple(services)
        self._knows_users = users is not None
        self._turned_away = turned_away
        self._log = log
        self._ae = AE(rules.ae_title)
        self._ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        self._ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._ae.maximum_pdu_size = rules.max_pdu_bytes
        # who comes in, and how many, is decided at the door
        self._ae.maximum_associations = 10 * rules.max_associations
        self._ae.network_timeout = rules.network_timeout_s
        self._ae.acse_timeout = min(30.0, rules.network_timeout_s)
        self._ae.dimse_timeout = rules.network_timeout_s
        self._ae.add_supported_context(VERIFICATION)
        for sop_class in sorted(storage_classes):
            self._ae.add_supported_context(sop_class, list(TRANSFER_SYNTAXES))
        storing = self._ae.supported_contexts
        for service in services:
            scu_role, scp_role = service.roles or (None, None)
            for abstract_syntax in service.abstract_syntaxes:
                self._ae.add_supported_context(abstract_syntax, scu_role=scu_role, scp_role=scp_role)
        self._server: Any = None
        self._signals = Signals()
        self._door = FrontDoor(
            rules,
            receiver,
            log,
            contexts=storing,
            elsewhere={syntax for service in services for syntax in service.abstract_syntaxes},
            hand_over=self._serve_elsewhere,
            others=lambda: len(self._server.active_associations),
            turned_away=self._refuse,
            tls=tls,
            users=users,
            meters=meters,
        )

    @property
    def acceptable(self) -> tuple[Acceptable, ...]:
        """Everything that it agrees to when somebody asks for an association."""
        return tuple(
            Acceptable(
                str(context.abstract_syntax),
                tuple(str(syntax) for syntax in context.transfer_syntax),
                None if context.scu_role is None else (bool(context.scu_role), bool(context.scp_role)),
            )
            for context in self._ae.supported_contexts
        )

    def start(self, bind: str, port: int, *, share_port: bool = False) -> int:
        """Listen in the background; the port that was bound.

        Parameters
        ----------
        share_port
            Let other receiving processes listen on the same port.

        Raises
        ------
        OSError
            If the address cannot be bound.
        """
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, lambda event: be_lenient(event.assoc)),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_ACCEPTED, self._accepted),
            *dispatched(self._services),
        ]
        # pynetdicom's server is given its connections; its own port is closed before anybody can find it
        self._server = self._ae.make_server(("127.0.0.1", 0), evt_handlers=handlers)
        self._server.server_close()
        bound = self._door.open(bind, port, share_port=share_port)
        self._server.server_address = (bind, bound)
        return bound

    @property
    def listening(self) -> bool:
        """True while others can connect."""
        return self._door.listening

    def stop(self) -> None:
        """Close the port and abort what is still open."""
        self._door.close()
        for association in self._server.active_associations if self._server is not None else ():
            abort(association)

    def _serve_elsewhere(self, connection: socket.socket, address: tuple[Any, ...], request: bytes) -> None:
        self._server.process_request(Replayed(connection, request, self._signals), address)

    def _store(self, event: Any) -> int:
        requestor = event.assoc.requestor
        sender = Sender(requestor.ae_title.strip(), _called(requestor))
        request = event.request
        announced = Announced(
            SopClassUID(str(request.AffectedSOPClassUID)), SopInstanceUID(str(request.AffectedSOPInstanceUID))
        )
        try:
            data = part10(announced, event.context.transfer_syntax, event.encoded_dataset(include_meta=False))
            return self._receiver.receive(data, announced, sender)
        except Exception:
            self._log.error("receive_failed", traceback=True, ae=sender.calling_ae_title)
            return INTERNAL_ERROR

    def _echo(self, event: Any) -> int:
        self._log.debug("echo", ae=event.assoc.requestor.ae_title.strip())
        return 0x0000

    def _requested(self, event: Any) -> None:
        # the user was looked at when the door was opened; pynetdicom answers tickets and tokens, but no passcodes
        confirmed = confirmation(asked_identity(event.assoc.requestor.primitive)) if self._knows_users else ()
        for item in confirmed:
            event.assoc.acceptor.add_negotiation_item(item)

    def _accepted(self, event: Any) -> None:
        requestor = event.assoc.requestor
        calling, address = requestor.ae_title.strip()[:16], str(requestor.address)
        self._log.debug("association_accepted", ae=calling, address=address)
        wanted = {str(context.abstract_syntax) for context in event.assoc.rejected_contexts}
        if wanted and not event.assoc.accepted_contexts:
            self._refuse(nothing_offered(calling, _called(requestor), address, wanted))

    def _refuse(self, refused: RefusedAssociation) -> None:
        try:
            self._turned_away(refused)
        except TransientError as fault:
            self._log.error("refusal_not_recorded", code=fault.code)


def _called(requestor: Any) -> str:
    return str(requestor.primitive.called_ae_title).strip()[:16] if requestor.primitive else ""


def dispatched(services: Sequence[ScpService]) -> list[tuple[Any, Callable[[Any], Any]]]:
    """One handler for each event, which asks the service that the message belongs to."""
    by_event: dict[Any, dict[str, Callable[[Any], Any]]] = {}
    for service in services:
        for event, handler in service.handlers:
            by_event.setdefault(event, {}).update(dict.fromkeys(service.abstract_syntaxes, handler))

    def dispatch(handlers: Mapping[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
        return lambda event: handlers[str(event.context.abstract_syntax)](event)

    return [(event, dispatch(handlers)) for event, handlers in by_event.items()]
