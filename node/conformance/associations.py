"""Associations in the conformance statement: policies, and what is proposed, accepted and rejected."""

from typing import Final

from pynetdicom import AE

from node.adapters.association import Acceptable
from node.conformance.markdown import code, table, yes_no
from node.conformance.network import Network, class_name, service_of
from node.settings import Settings

INITIATION: Final = """
The node proposes one presentation context for each pair of SOP class and transfer syntax that it has to send, and
never converts an object. Where it is the SCP of a service on an association of its own, it asks for that role by
SCP/SCU role selection (PS3.7 D.3.3.4). "In use" says whether this configuration has what the proposal needs.
`pulmonode submit` offers the files that it is given to the node itself, whatever their class, and to nobody else.
""".strip()

ACCEPTANCE: Final = """
A presentation context of another SOP class, or without any of these transfer syntaxes, is refused. Of several
transfer syntaxes in one context the node takes the first that the requester names.
""".strip()


def policies(settings: Settings) -> str:
    """How the node behaves on every association."""
    receive, node = settings.receive, settings.node
    rows = [
        ("Application context", "`1.2.840.10008.3.1.1.1`"),
        ("AE title", f"{code(node.ae_title)} (`node.ae_title`), both as caller and as called"),
        ("TCP port", f"{node.port} on {node.bind} (`node.port`, `node.bind`)"),
        ("Largest PDU that is received, as requester", f"{AE().maximum_pdu_size} bytes"),
        ("Largest PDU that is received, as acceptor", f"{receive.max_pdu_bytes} bytes (`receive.max_pdu_bytes`)"),
        ("Associations accepted at a time", f"{receive.max_associations} (`receive.max_associations`)"),
        ("Associations opened at a time", "one for each peer and service: deliveries, commitment, queries, tasks"),
        ("Operations outstanding", "one; asynchronous operations are not negotiated"),
        ("Time-out for the network, as acceptor", f"{receive.network_timeout_s:g} s (`receive.network_timeout_s`)"),
        ("Time-out for ACSE, as acceptor", f"{min(30.0, receive.network_timeout_s):g} s"),
        ("Time-outs as requester", "`timeout_s` of the peer for connection, ACSE, DIMSE and network, 30 s by default"),
        ("Time-out of a retrieval", f"{settings.prefetch.retrieve_timeout_s:g} s (`prefetch.retrieve_timeout_s`)"),
        ("SOP class extended negotiation", "not supported"),
        ("User identity negotiation", _user_identity(asked=receive.users_file is not None)),
    ]
    return table(("Policy", "Value"), rows)


def _user_identity(*, asked: bool) -> str:
    accepted = "a name with its passcode (type 2) is wanted" if asked else "not looked at"
    return f"never sent; {accepted} as acceptor (`receive.users_file`)"


def proposed(net: Network) -> str:
    """Every presentation context that the node may propose, one line for those that differ in syntax alone."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for one in net.proposed:
        context = one.context
        role = "SCP" if context.as_scp else "SCU"
        key = (context.abstract_syntax, role, one.purpose, one.needs, yes_no(one.in_use))
        lines.setdefault(key, []).extend(context.proposed_syntaxes)
    rows = (
        (class_name(uid), code(uid), _listed(syntaxes), role, purpose, needs, in_use)
        for (uid, role, purpose, needs, in_use), syntaxes in lines.items()
    )
    return table(("SOP class", "UID", "Transfer syntaxes", "Role", "Purpose", "Needs", "In use"), rows)


def accepted(net: Network) -> str:
    """Every presentation context that the node accepts."""
    rows = (
        (
            service_of(one.abstract_syntax),
            class_name(one.abstract_syntax),
            code(one.abstract_syntax),
            _listed(one.transfer_syntaxes),
            _roles(one),
        )
        for one in net.accepted
    )
    return table(("Service", "SOP class", "UID", "Transfer syntaxes", "Role of the node"), rows)


def _roles(one: Acceptable) -> str:
    if one.roles is None:
        return "SCP"
    asks, answers = one.roles
    roles = [name for name, has in (("SCP", asks), ("SCU", answers)) if has]
    return f"{' and '.join(roles)}, as role selection asks"


def _listed(syntaxes: tuple[str, ...] | list[str]) -> str:
    return ", ".join(code(uid) for uid in dict.fromkeys(syntaxes))


def rejections(settings: Settings) -> str:
    """Why an association is rejected, with the values of PS3.8 table 9-21."""
    receive, node = settings.receive, settings.node.ae_title
    called = "always" if receive.require_called_ae_title else "never"
    calling = ", ".join(code(title) for title in receive.calling_ae_titles) or "anybody may call"
    rows = [
        (
            "rejected permanent, service user, called AE title not recognized",
            f"another AE title is called than {code(node)}: {called} (`receive.require_called_ae_title`)",
        ),
        (
            "rejected permanent, service user, calling AE title not recognized",
            f"`receive.calling_ae_titles` has others: {calling}",
        ),
        (
            "rejected transient, service provider (presentation), local limit exceeded",
            f"{receive.max_associations} associations are open",
        ),
    ]
    return table(("Result, source, reason", "When"), rows)
