"""The overview of the conformance statement: what the node does with which objects, and in which roles."""

from typing import Final

from node.conformance import services, words
from node.conformance.markdown import code, joined, table, yes_no
from node.conformance.network import Network, class_name, service_of, syntax_name
from node.conformance.objects import ObjectUsage
from node.settings import Settings
from pipelines.domain.sop_classes import CT_IMAGES, SEGMENTATIONS

_CONTENT_TEMPLATE: Final = 0x0040A504
_TEMPLATE_IDENTIFIER: Final = 0x0040DB00


def overview(settings: Settings, net: Network, objects: tuple[ObjectUsage, ...]) -> dict[str, str]:
    """Text of the sections of the overview by their numbers."""
    by_service = _services_by_section(net)
    return {
        "1": words.OVERVIEW,
        "1.1": joined(_content_and_transfer(net, objects), services.TRANSFER_SYNTAXES, _syntaxes(net)),
        "1.1.1": _root_templates(objects),
        **{number: _roles_table(net, names) for number, names in by_service.items()},
        "1.3": services.WEB,
        "1.3.2": _web(settings, net),
        "1.6": "None is claimed.",
        "1.7": "Unicode in UTF-8 (ISO_IR 192) in what is written; section 5.7 tells what is understood.",
    }


def _services_by_section(net: Network) -> dict[str, tuple[str, ...]]:
    """The services of the overview by their sections; one that has none yet is an error."""
    found = {
        "1.2.1": ("Verification",),
        "1.2.2": ("Storage", "Storage Commitment"),
        "1.2.3": ("Modality Worklist", "Unified Procedure Step"),
        "1.2.4": ("Query/Retrieve",),
    }
    told = {name for names in found.values() for name in names}
    missing = {service_of(uid) for uid in (*roles(net)[0], *roles(net)[1])} - told
    if missing:
        raise ValueError(f"no section for {', '.join(sorted(missing))}")
    return found


def roles(net: Network) -> tuple[frozenset[str], frozenset[str]]:
    """The SOP classes of which the node is SCU, and those of which it is SCP, whoever opens the association."""
    scp: set[str] = set()
    scu: set[str] = set()
    for accepted in net.accepted:
        asks, answers = accepted.roles or (True, False)
        if asks:
            scp.add(accepted.abstract_syntax)
        if answers:
            scu.add(accepted.abstract_syntax)
    for proposal in net.proposed:
        (scp if proposal.context.as_scp else scu).add(proposal.context.abstract_syntax)
    return frozenset(scu), frozenset(scp)


def _roles_table(net: Network, names: tuple[str, ...]) -> str:
    scu, scp = roles(net)
    classes = sorted({uid for uid in scu | scp if service_of(uid) in names}, key=lambda uid: (service_of(uid), uid))
    rows = ((service_of(uid), class_name(uid), code(uid), yes_no(uid in scu), yes_no(uid in scp)) for uid in classes)
    return table(("Service", "SOP class", "UID", "SCU", "SCP"), rows)


def _content_and_transfer(net: Network, objects: tuple[ObjectUsage, ...]) -> str:
    """What the node does with objects of each class."""
    scu, scp = roles(net)
    created = {str(one.sop_class) for one in objects}
    read = {str(uid) for uid in (*CT_IMAGES, *SEGMENTATIONS)}
    classes = sorted(uid for uid in scu | scp if service_of(uid) == "Storage")
    rows = (
        (
            class_name(uid),
            code(uid),
            yes_no(uid in created),
            yes_no(uid in read),
            yes_no(uid in scp),
            yes_no(uid in created and uid in scu),
        )
        for uid in classes
    )
    return table(("SOP class", "UID", "Created", "Read", "Stored", "Sent"), rows)


def _root_templates(objects: tuple[ObjectUsage, ...]) -> str:
    """The templates at the root of the documents, as the sample objects name them."""
    rows = []
    for one in objects:
        named = [a for a in one.attributes if a.path == (_CONTENT_TEMPLATE, _TEMPLATE_IDENTIFIER)]
        rows += [(class_name(one.sop_class), f"TID {value}") for a in named for value in a.values]
    return table(("SOP class", "Root template (DCMR)"), rows)


def _syntaxes(net: Network) -> str:
    stored = {s for one in net.accepted if service_of(one.abstract_syntax) == "Storage" for s in one.transfer_syntaxes}
    other = {s for one in net.accepted if service_of(one.abstract_syntax) != "Storage" for s in one.transfer_syntaxes}
    proposed = {syntax for one in net.proposed if not one.context.as_scp for syntax in one.context.proposed_syntaxes}
    everywhere = dict.fromkeys((*(s for one in net.accepted for s in one.transfer_syntaxes), *sorted(proposed)))
    rows = (
        (syntax_name(uid), code(uid), yes_no(uid in stored), yes_no(uid in other), yes_no(uid in proposed))
        for uid in everywhere
    )
    return table(("Transfer syntax", "UID", "Storage as SCP", "Other services as SCP", "As SCU"), rows)


def _web(settings: Settings, net: Network) -> str:
    said = "on" if settings.web.enabled else "off"
    where = f"In this configuration the service is {said} (`web.enabled`)."
    rows = ((method, code(path)) for method, path in net.web)
    return joined(where, table(("Method", "Resource"), rows))
