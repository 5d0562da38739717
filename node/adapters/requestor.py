"""An association as the node asks for it, without the ways in which pynetdicom waits for itself without end.

A message, and the request for release, are sent while the association's own thread is paused, so that it takes no
answer away. pynetdicom 3.0.4 keeps in one variable whether it is, and several threads write there: the one that answers
an N-EVENT-REPORT request says of the association's thread that it runs when it is paused, and whoever asked for the
pause waits for it for ever. That answer may also come after a request for release, which ends pynetdicom's state
machine. And once connected, pynetdicom reads and writes without a time limit: a peer that stops within a data unit
stops it too, and it cannot be ended any more.
"""

import socket
import threading
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pynetdicom import AE, evt
from pynetdicom._globals import MODE_REQUESTOR
from pynetdicom.association import Association
from pynetdicom.transport import AddressInformation, AssociationSocket

from node.adapters.late_requests import be_lenient

_ANSWER_S: Final = 30.0


class Checkpoint(threading.Event):
    """Where one thread waits while it is closed, and which knows whether it does."""

    def __init__(self) -> None:
        super().__init__()
        self._change = threading.Condition()
        self._open = True
        self._parked = False

    @property
    def parked(self) -> bool:
        """Whether the thread waits, and goes on waiting until `set`: true in any case only while it is closed."""
        return self._parked

    def is_set(self) -> bool:
        return self._open

    def set(self) -> None:
        with self._change:
            self._open = True
            self._change.notify_all()

    def clear(self) -> None:
        with self._change:
            self._open = False

    def wait(self, timeout: float | None = None) -> bool:
        with self._change:
            while not self._open:
                self._parked = True
                if not self._change.wait(timeout):
                    break
            self._parked = False
            return self._open


class Requestor(Association):
    """An association that this side asks for."""

    def __init__(self, ae: AE) -> None:
        self._answering = threading.Lock()
        self._ending = False
        super().__init__(ae, MODE_REQUESTOR)
        self._reactor_checkpoint: Checkpoint = Checkpoint()
        be_lenient(self)

    @property
    def _is_paused(self) -> bool:
        """Whether its thread takes no message away: it waits, has ended, or is the one that asks."""
        own = threading.current_thread() is self
        return self._reactor_checkpoint.parked or self._kill or own or not self.is_alive()

    @_is_paused.setter
    def _is_paused(self, paused: bool) -> None:
        """What is said of it is not listened to: the checkpoint knows."""

    def _serve_request(self, msg: Any, context_id: int) -> None:
        with self._answering:
            if not self._ending:
                super()._serve_request(msg, context_id)

    def forget_what_was_not_proposed(self) -> None:
        """Take for refused what the peer accepts in no transfer syntax, or in one that it made up.

        It has to choose one of those that are proposed (PS3.8 section 9.3.3.2); pynetdicom believes whatever it says.
        """
        proposed = {one.context_id: one.transfer_syntax for one in self.requestor.requested_contexts}
        for number, context in list(self._accepted_cx.items()):
            if len(context.transfer_syntax) != 1 or context.transfer_syntax[0] not in proposed.get(number, ()):
                del self._accepted_cx[number]

    def release(self) -> None:
        """Ask for the release, after the answer that is under way: nothing may be sent behind (PS3.8 section 7.2.2)."""
        answered = self._answering.acquire(timeout=self.acse_timeout or _ANSWER_S)
        self._ending = True
        if answered:
            self._answering.release()
        super().release()


def requestor(
    ae: AE,
    address: tuple[str, int],
    ae_title: str,
    *,
    roles: Iterable[Any],
    handlers: Sequence[Any],
    tls: tuple[Any, str] | None,
    unit_s: float,
) -> Requestor:
    """An association that has not been asked for yet.

    Parameters
    ----------
    address
        Host and port of the peer.
    ae_title
        What the peer is called.
    roles
        Role selections to propose.
    handlers
        pynetdicom's (event, handler) pairs.
    tls
        Context, and the name in the peer's certificate.
    unit_s
        How long the peer may stop within a data unit that it sends or takes.

    Raises
    ------
    OSError
        If no address belongs to the host.
    """
    made = Requestor(ae)
    there = AddressInformation.from_addr_port(*address)
    anywhere = "::0" if there.address_family == socket.AF_INET6 else ""
    here = AddressInformation.from_tuple((anywhere, 0))
    connection = AssociationSocket(made, address=here)
    connection.tls_args = tls
    made.set_socket(connection)
    made.acceptor.ae_title = ae_title
    made.acceptor.address_info = there
    made.requestor.ae_title = ae.ae_title
    made.requestor.address_info = here
    made.requestor.implementation_class_uid = ae.implementation_class_uid
    made.requestor.implementation_version_name = ae.implementation_version_name
    for role in roles:
        made.requestor.add_negotiation_item(role)
    for number, context in enumerate(ae.requested_contexts):
        context.context_id = 2 * number + 1
    made.requestor.requested_contexts = ae.requested_contexts

    def opened(event: Any) -> None:
        connected = event.assoc.dul.socket.socket
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # pynetdicom has just taken the limit away
        connected.settimeout(unit_s)

    for kind, handler in ((evt.EVT_CONN_OPEN, opened), *handlers):
        made.bind(kind, handler)
    return made
