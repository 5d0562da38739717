"""The DICOM service that others send to: Verification and Storage as SCP."""

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from pydicom.uid import UID
from pynetdicom import AE, evt

from node.adapters.association import Acceptable, ScpService
from node.adapters.incoming import part10
from node.errors import TransientError
from node.logs import Log
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

INTERNAL_ERROR: Final = 0xC211
"""Failure: cannot understand; the value that tells a bug of ours from a fault of the data."""


class StorageScp:
    """Listens on one TCP port until it is stopped.

    Parameters
    ----------
    storage_classes
        SOP classes to accept; all others are refused at negotiation.
    calling_ae_titles
        AE titles that may call; empty for any.
    services
        What is offered beside Storage and Verification.
    turned_away
        Hears of every association that was refused.
    """

    def __init__(
        self,
        receiver: Receiver,
        log: Log,
        *,
        ae_title: str,
        storage_classes: Collection[SopClassUID],
        calling_ae_titles: Collection[str],
        require_called_ae_title: bool,
        max_pdu_bytes: int,
        max_associations: int,
        network_timeout_s: float,
        services: Sequence[ScpService] = (),
        turned_away: Callable[[RefusedAssociation], None] = lambda refused: None,
    ) -> None:
        self._receiver = receiver
        self._services = tuple(services)
        self._turned_away = turned_away
        self._log = log
        self._ae = AE(ae_title)
        self._ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        self._ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._ae.require_called_aet = require_called_ae_title
        self._ae.require_calling_aet = list(calling_ae_titles)
        self._ae.maximum_pdu_size = max_pdu_bytes
        self._ae.maximum_associations = max_associations
        self._ae.network_timeout = network_timeout_s
        self._ae.acse_timeout = min(30.0, network_timeout_s)
        self._ae.dimse_timeout = network_timeout_s
        self._ae.add_supported_context(VERIFICATION)
        for sop_class in sorted(storage_classes):
            self._ae.add_supported_context(sop_class, list(TRANSFER_SYNTAXES))
        for service in services:
            scu_role, scp_role = service.roles or (None, None)
            for abstract_syntax in service.abstract_syntaxes:
                self._ae.add_supported_context(abstract_syntax, scu_role=scu_role, scp_role=scp_role)

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

    def start(self, bind: str, port: int) -> int:
        """Listen in the background; the port that was bound.

        Raises
        ------
        OSError
            If the address cannot be bound.
        """
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_CONN_OPEN, self._opened),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_REJECTED, self._rejected),
            *dispatched(self._services),
        ]
        server: Any = self._ae.start_server((bind, port), block=False, evt_handlers=handlers)
        bound: int = server.socket.getsockname()[1]
        return bound

    def stop(self) -> None:
        """Close the port and abort what is still open."""
        self._ae.shutdown()

    def _store(self, event: Any) -> int:
        requestor = event.assoc.requestor
        sender = Sender(requestor.ae_title.strip(), requestor.primitive.called_ae_title.strip())
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

    def _opened(self, event: Any) -> None:
        # without this the small response waits for the acknowledgement of the last segment, some 40 ms an instance
        event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _accepted(self, event: Any) -> None:
        requestor = event.assoc.requestor
        self._log.debug("association_accepted", ae=requestor.ae_title.strip(), address=requestor.address)
        wanted = sorted({str(context.abstract_syntax) for context in event.assoc.rejected_contexts})
        if wanted and not event.assoc.accepted_contexts:
            self._refuse(
                event,
                f"It offered none of the object classes and transfer syntaxes that this node takes, but {wanted[0]}"
                + (f" and {len(wanted) - 1} others." if len(wanted) > 1 else "."),
                "Send CT and segmentations only, or add the class to receive.extra_storage_classes.",
            )

    def _rejected(self, event: Any) -> None:
        requestor = event.assoc.requestor
        calling, called = requestor.ae_title.strip(), _called(requestor)
        allowed = [title.strip() for title in self._ae.require_calling_aet]
        if self._ae.require_called_aet and called != self._ae.ae_title.strip():
            why = f"It calls {called or 'nobody'}; this node is {self._ae.ae_title.strip()}."
            remedy = "Correct the AE title in that system, or node.ae_title here; upper and lower case matter."
        elif allowed and calling not in allowed:
            why = "Its AE title is not among receive.calling_ae_titles."
            remedy = f"Add {calling} to receive.calling_ae_titles if it may send."
        else:
            why = f"There were {self._ae.maximum_associations} associations already."
            remedy = "Raise receive.max_associations, or have that system use fewer at a time."
        self._log.warning("association_rejected", ae=calling, called=called, address=requestor.address)
        self._refuse(event, why, remedy)

    def _refuse(self, event: Any, why: str, remedy: str) -> None:
        requestor = event.assoc.requestor
        try:
            self._turned_away(
                RefusedAssociation(
                    requestor.ae_title.strip()[:16], _called(requestor)[:16], str(requestor.address), why, remedy
                )
            )
        except TransientError as fault:
            self._log.error("refusal_not_recorded", code=fault.code)


def _called(requestor: Any) -> str:
    return str(requestor.primitive.called_ae_title).strip() if requestor.primitive else ""


def dispatched(services: Sequence[ScpService]) -> list[tuple[Any, Callable[[Any], Any]]]:
    """One handler for each event, which asks the service that the message belongs to."""
    by_event: dict[Any, dict[str, Callable[[Any], Any]]] = {}
    for service in services:
        for event, handler in service.handlers:
            by_event.setdefault(event, {}).update(dict.fromkeys(service.abstract_syntaxes, handler))

    def dispatch(handlers: Mapping[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
        return lambda event: handlers[str(event.context.abstract_syntax)](event)

    return [(event, dispatch(handlers)) for event, handlers in by_event.items()]
