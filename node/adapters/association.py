"""Ask another DICOM application for an association, and tell in words why there is none."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from pydicom.uid import UID
from pynetdicom import AE, DEFAULT_TRANSFER_SYNTAXES, build_role

from node.adapters.bounded import BoundedAssociation, BrokenOff, hang_up, watched
from node.adapters.requestor import requestor
from node.adapters.tls import Tls
from pipelines.domain.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pipelines.domain.reasons import Rejected

# (source, diagnostic) of an A-ASSOCIATE-RJ, PS3.8 table 9-21
_CALLING_UNKNOWN: Final = (1, 3)
_CALLED_UNKNOWN: Final = (1, 7)
_GRACE_S: Final = 5.0
_TOO_BUSY: Final = frozenset({(3, 1), (3, 2)})


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a peer is and how long it may take to answer."""

    name: str
    ae_title: str
    host: str
    port: int
    timeout_s: float
    deflate: bool = False
    """Whether results are offered in Deflated Explicit VR Little Endian too."""
    charset: str = ""
    """Character set that the text of results is written in; empty for UTF-8, as they are made."""
    tls: Tls | None = None
    """Speaks TLS with it when given."""
    tls_name: str = ""
    """Name in its certificate; empty when it is `host`."""
    associations: int = 1
    """Over how many associations at the same time results are sent."""

    @property
    def where(self) -> str:
        """Name and address, for messages."""
        return f"{self.name} ({self.ae_title} at {self.host}:{self.port})"


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context to propose.

    Attributes
    ----------
    transfer_syntaxes
        Empty for the usual uncompressed ones.
    as_scp
        True when the peer shall be the one that asks: it stores at us (C-GET), or reports to us.
    """

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...] = ()
    as_scp: bool = False

    @property
    def proposed_syntaxes(self) -> tuple[str, ...]:
        """The transfer syntaxes that the request for the association names."""
        return self.transfer_syntaxes or tuple(DEFAULT_TRANSFER_SYNTAXES)


@dataclass(frozen=True, slots=True)
class Acceptable:
    """A presentation context that the receiving process accepts.

    Attributes
    ----------
    roles
        As in `ScpService`.
    """

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    roles: tuple[bool, bool] | None


@dataclass(frozen=True, slots=True)
class ScpService:
    """A service that the receiving process offers beside Storage and Verification.

    Attributes
    ----------
    abstract_syntaxes
        What it is called by.
    roles
        (SCU, SCP): roles that the one who asks for the association may take; None for the usual ones.
    handlers
        pynetdicom's handler for each event of these abstract syntaxes.
    """

    abstract_syntaxes: tuple[str, ...]
    roles: tuple[bool, bool] | None
    handlers: tuple[tuple[Any, Callable[[Any], Any]], ...]


def associate(
    ae_title: str, peer: PeerAddress, contexts: Iterable[Context], *, handlers: Sequence[Any] = ()
) -> BoundedAssociation | Rejected:
    """An established association, or the reason why there is none.

    Parameters
    ----------
    ae_title
        AE title to call under.
    handlers
        pynetdicom's (event, handler) pairs for what the peer asks on this association.

    Returns
    -------
    BoundedAssociation
        The caller closes it.
    Rejected
        `NET-001` unreachable, `NET-002` rejected, `NET-004` without any presentation context.
    """
    ae = AE(ae_title)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.connection_timeout = peer.timeout_s
    ae.acse_timeout = peer.timeout_s
    ae.dimse_timeout = peer.timeout_s
    ae.network_timeout = peer.timeout_s
    roles = {}
    for context in contexts:
        ae.add_requested_context(context.abstract_syntax, list(context.proposed_syntaxes))
        if context.as_scp:
            roles[context.abstract_syntax] = build_role(context.abstract_syntax, scp_role=True)
    try:
        association = requestor(
            ae,
            (peer.host, peer.port),
            peer.ae_title,
            roles=roles.values(),
            handlers=handlers,
            tls=(peer.tls.client(), peer.tls_name or peer.host) if peer.tls is not None else None,
            unit_s=peer.timeout_s,
        )
    except OSError as fault:  # no address belongs to the name
        return unknown_host(peer, fault)
    # each for the connection, the answer and the end of what came to nothing
    with suppress(BrokenOff), watched(association, 3 * peer.timeout_s + _GRACE_S):
        association.request()
    if association.is_established:
        association.start()
        association.forget_what_was_not_proposed()
        bounded = BoundedAssociation(association)
        if bounded.accepted:
            return bounded
        bounded.close()
        return nothing_accepted(peer)
    hang_up(association)
    if association.is_rejected:
        answer = association.acceptor.primitive
        said = (getattr(answer, "result_source", None), getattr(answer, "diagnostic", None))
        return rejected(ae_title, peer, said)
    if association.acceptor.primitive is not None and not association.accepted_contexts:
        return nothing_accepted(peer)
    return unreachable(peer)


def unreachable(peer: PeerAddress) -> Rejected:
    """A peer that does not answer."""
    return Rejected(
        "NET-001", f"{peer.where} cannot be reached.", "Check that it runs, its address and port, and the firewall."
    )


def unknown_host(peer: PeerAddress, fault: OSError) -> Rejected:
    """A peer whose name no address belongs to."""
    return Rejected("NET-001", f"{peer.where} cannot be reached: {fault.strerror}.", "Check its host name.")


def no_tls(peer: PeerAddress, fault: OSError) -> Rejected:
    """A peer with which no TLS connection could be agreed on."""
    # the certificate's own text may name anything; the reason is one of OpenSSL's words
    why = getattr(fault, "verify_message", None) or getattr(fault, "reason", None) or fault.strerror or "no answer"
    return Rejected(
        "NET-001",
        f"{peer.where} cannot be reached by TLS: {why}.",
        "Check that it speaks TLS there, and that its certificate names the host and comes from one of "
        "tls.authorities_file.",
    )


def nothing_accepted(peer: PeerAddress) -> Rejected:
    """A peer that takes nothing of what was proposed."""
    return Rejected("NET-004", f"{peer.where} accepts none of the object classes.", "Enable them in that system.")


def rejected(ae_title: str, peer: PeerAddress, said: tuple[int | None, int | None]) -> Rejected:
    """Why a peer rejected an association: (source, diagnostic) as far as it says so (PS3.8 table 9-21)."""
    if said == _CALLED_UNKNOWN:
        return Rejected(
            "NET-002",
            f"{peer.where} rejected the association: it is not called {peer.ae_title}.",
            "Correct ae_title of that peer; upper and lower case matter.",
        )
    if said == _CALLING_UNKNOWN:
        return Rejected(
            "NET-002",
            f"{peer.where} rejected the association: it does not know the AE title {ae_title}.",
            f"Enter AE title {ae_title} of this node in that system.",
        )
    if said in _TOO_BUSY:
        return Rejected(
            "NET-002", f"{peer.where} rejected the association: it is busy.", "Allow more associations in that system."
        )
    return Rejected(
        "NET-002",
        f"{peer.where} rejected the association.",
        f"Enter AE title {ae_title} in that system and check the AE title that this node calls.",
    )
