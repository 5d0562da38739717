"""The DICOM Conformance Statement of a node of given settings, with the parts of PS3.2 annex N."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset

from node import __version__
from node.conformance import associations, services, statuses
from node.conformance.markdown import code, table, yes_no
from node.conformance.network import Network, class_name, network, service_of, syntax_name
from node.conformance.objects import ObjectUsage, attribute_table, common_attributes, usage_by_class
from node.conformance.sample import sample_objects
from node.settings import Settings
from pipelines.domain.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pipelines.domain.outcome import ResultObject

TITLE: Final = "DICOM Conformance Statement of pulmonode"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a statement says, before it is put into words."""

    settings: Settings
    network: Network
    objects: tuple[ObjectUsage, ...]


def facts(settings: Settings, objects: Iterable[tuple[ResultObject, Dataset]]) -> Facts:
    """What a node of `settings` negotiates, and what `objects`, its sample objects, hold."""
    return Facts(settings, network(settings), usage_by_class(objects))


def document(settings: Settings) -> str:
    """The whole statement as a page of Markdown.

    Raises
    ------
    ConfigError
        If the pipeline cannot be set up.
    """
    return f"# {TITLE}\n\n{statement(facts(settings, sample_objects(settings)))}\n"


def statement(of: Facts) -> str:
    """The statement in Markdown, without its title."""
    sections = (
        _cover(of),
        _overview(of),
        services.INTRODUCTION,
        services.MODEL,
        _associations(of),
        _services(of),
        _media_and_transformation(),
        services.CHARACTER_SETS,
        services.SECURITY,
        _configuration(of.settings),
        _objects(of.objects),
        services.EXTENSIONS,
    )
    return _joined(*sections)


def _joined(*parts: str) -> str:
    return "\n\n".join(part.strip() for part in parts)


def _cover(of: Facts) -> str:
    rows = [
        ("Product", "pulmonode"),
        ("Version", __version__),
        ("Implementation Class UID", code(IMPLEMENTATION_CLASS_UID)),
        ("Implementation Version Name", code(IMPLEMENTATION_VERSION_NAME)),
        ("Application Entity", code(of.settings.node.ae_title)),
    ]
    return _joined(table(("", ""), rows), services.ORIGIN)


def _overview(of: Facts) -> str:
    return _joined(
        "## 1 Overview",
        services.OVERVIEW,
        "### 1.1 Network services",
        _network_services(of.network),
        "### 1.2 Transfer syntaxes",
        services.TRANSFER_SYNTAXES,
        _syntaxes(of.network),
        "### 1.3 Web services",
        _web(of),
        "### 1.4 Media services",
        "None: the node reads and writes no DICOM media (no DICOMDIR, no application profile of PS3.11).",
    )


def _network_services(net: Network) -> str:
    """The table of SOP classes with the roles of the node, whoever opens the association."""
    scp: dict[str, None] = {}
    scu: dict[str, None] = {}
    for accepted in net.accepted:
        asks, answers = accepted.roles or (True, False)
        if asks:
            scp[accepted.abstract_syntax] = None
        if answers:
            scu[accepted.abstract_syntax] = None
    for proposal in net.proposed:
        (scp if proposal.context.as_scp else scu)[proposal.context.abstract_syntax] = None
    classes = sorted({*scp, *scu}, key=lambda uid: (service_of(uid), uid))
    rows = ((service_of(uid), class_name(uid), code(uid), yes_no(uid in scu), yes_no(uid in scp)) for uid in classes)
    return table(("Service", "SOP class", "UID", "SCU", "SCP"), rows)


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


def _web(of: Facts) -> str:
    web = of.settings.web
    said = "on" if web.enabled else "off"
    guard = "every request must carry a bearer token" if web.token_file else "no token is asked for"
    where = f"In this configuration the service is {said} (`web.enabled`); {guard} (`web.token_file`)."
    rows = ((method, code(path)) for method, path in of.network.web)
    return _joined(services.WEB, where, table(("Method", "Resource"), rows))


def _associations(of: Facts) -> str:
    return _joined(
        "## 4 Application entity: associations",
        "### 4.1 Policies",
        associations.policies(of.settings),
        "### 4.2 Associations that the node opens",
        associations.INITIATION,
        associations.proposed(of.network),
        "### 4.3 Associations that the node accepts",
        associations.ACCEPTANCE,
        associations.accepted(of.network),
        "#### Rejection",
        associations.rejections(of.settings),
    )


def _services(of: Facts) -> str:
    made = {
        "verification": (services.VERIFICATION,),
        "storage-scp": (services.STORAGE_SCP, statuses.stored()),
        "storage-scu": (services.STORAGE_SCU, statuses.results_taken()),
        "commitment": (services.COMMITMENT, statuses.commitment_answers(), statuses.failure_reasons()),
        "query": (services.QUERY, services.query_keys(), statuses.query_answers()),
        "worklist": (services.WORKLIST, services.worklist_keys()),
        "steps": (services.STEPS, statuses.step_answers(), services.STEP_TABLE, statuses.step_transitions()),
        "web": (services.WEB_DETAILS,),
    }
    numbered = (
        _joined(f"### 5.{number} {services.TITLES[name]}", *parts)
        for number, (name, parts) in enumerate(made.items(), 1)
    )
    return _joined("## 5 Services in detail", *numbered)


def _media_and_transformation() -> str:
    return _joined("## 6 Media", "None.", services.TRANSFORMATION)


def _configuration(settings: Settings) -> str:
    rows = [
        (code(f"{section}.{key}"), code(str(getattr(getattr(settings, section), key))))
        for section, keys in services.CONFIGURED.items()
        for key in keys
    ]
    peers = [
        (
            peer.name,
            code(peer.ae_title),
            yes_no(peer.name in settings.delivery.destinations),
            yes_no(peer.commitment),
            peer.retrieve if peer.query else "no",
            yes_no(peer.worklist),
            yes_no(peer.tasks),
            "STOW-RS" if peer.stow_url else "C-STORE",
            yes_no(peer.deflate),
        )
        for peer in settings.peers
    ]
    header = ("Peer", "AE title", "Gets results", "Commitment", "Query", "Worklist", "Tasks", "By", "Deflated")
    about_peers = table(header, peers) if peers else "No remote application is configured."
    return _joined(
        "## 9 Configuration",
        services.CONFIGURATION,
        table(("Setting", "Value"), rows),
        "### Remote applications",
        about_peers,
    )


def _objects(objects: tuple[ObjectUsage, ...]) -> str:
    common = common_attributes(objects)
    first = [one for one in objects[0].attributes if one.path[0] in common]
    parts = [
        "## 10 Objects that the node creates",
        services.OBJECTS,
        "### 10.1 In every object",
        attribute_table(first),
    ]
    for number, one in enumerate(objects, start=2):
        own = [attribute for attribute in one.attributes if attribute.path[0] not in common]
        kinds = ", ".join(code(kind) for kind in one.kinds)
        parts += [f"### 10.{number} {class_name(one.sop_class)}", f"Made as {kinds}.", attribute_table(own)]
    return _joined(*parts)
