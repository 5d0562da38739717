"""The DICOM Conformance Statement of a node of given settings, with the sections of PS3.2 annex N."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset

from node import __version__
from node.conformance import associations, services, statuses, words
from node.conformance.codes import SCHEMES
from node.conformance.markdown import code, joined, table, yes_no
from node.conformance.network import Network, class_name, network, service_of
from node.conformance.objects import ObjectUsage, attribute_table, common_attributes, usage_by_class
from node.conformance.outline import contents, heading, sections
from node.conformance.overview import overview, roles
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
    content = {
        **overview(of.settings, of.network, of.objects),
        "2": contents(),
        **words.INTRODUCTION,
        **_model(of),
        **_services(of),
        **_configuration(of.settings),
        **_network(of),
        **_security(of.settings),
        **_objects(of.objects),
    }
    return joined(_cover(of), *sections(content))


def _cover(of: Facts) -> str:
    rows = [
        ("Product", "pulmonode"),
        ("Version", __version__),
        ("Implementation Class UID", code(IMPLEMENTATION_CLASS_UID)),
        ("Implementation Version Name", code(IMPLEMENTATION_VERSION_NAME)),
        ("Application Entity", code(of.settings.node.ae_title)),
    ]
    return joined(table(("", ""), rows), words.ORIGIN)


def _model(of: Facts) -> dict[str, str]:
    scu, scp = roles(of.network)
    title = code(of.settings.node.ae_title)
    names = dict.fromkeys(service_of(uid) for uid in sorted(scu | scp))
    rows = [
        (
            name,
            title,
            yes_no(any(service_of(uid) == name for uid in scu)),
            yes_no(any(service_of(uid) == name for uid in scp)),
        )
        for name in sorted(names)
    ]
    return {
        "4.1": words.DATA_FLOW,
        "4.1.1": words.FUNCTION,
        "5.1": table(("Service", "Application entity", "SCU", "SCP"), rows),
    }


def _services(of: Facts) -> dict[str, str]:
    return {
        "5.2": services.VERIFICATION,
        "5.2.1": joined(services.WORKLIST, services.worklist_keys()),
        "5.2.3": joined(services.STEPS, services.STEP_TABLE, statuses.step_transitions()),
        "5.2.5.1": services.STORAGE_SCU,
        "5.2.5.1.1": services.TRANSCODING,
        "5.2.5.2": services.STORAGE_SCP,
        "5.2.6": services.COMMITMENT,
        "5.2.7": joined(services.QUERY, services.query_keys()),
        **services.WEB_DETAILS,
        "5.6": words.TRANSFORMATION,
        "5.7": words.CHARACTER_SETS,
    }


def _configuration(settings: Settings) -> dict[str, str]:
    tables = {
        number: table(
            ("Setting", "Value"),
            (
                (code(f"{section}.{key}"), code(str(getattr(getattr(settings, section), key))))
                for section, keys in listed.items()
                for key in keys
            ),
        )
        for number, listed in words.CONFIGURED.items()
    }
    by_peer = "`worklist` of a peer; the table of remote applications has it."
    general = joined(words.CONFIGURATION, tables["6.1"], "**Remote applications**", _peers(settings))
    return {**tables, "6.1": general, "6.2.1": by_peer}


def _peers(settings: Settings) -> str:
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
    return table(header, peers) if peers else "No remote application is configured."


def _network(of: Facts) -> dict[str, str]:
    answers = (
        ("C-STORE, answers of the node", statuses.stored()),
        ("C-STORE, answers of a peer", statuses.results_taken()),
        ("N-ACTION and N-EVENT-REPORT of storage commitment, answers of the node", statuses.commitment_answers()),
        ("Failure Reasons in reports of the node", statuses.failure_reasons()),
        ("C-FIND, C-MOVE and C-GET, answers of a peer", statuses.query_answers()),
        ("Unified Procedure Step", statuses.step_answers()),
    )
    return {
        "7.1.1": associations.policies(of.settings),
        "7.2.1.1": joined("What starts what:", words.MODEL),
        "7.2.1.2": "Those of 7.1.1 hold for all associations.",
        "7.2.1.3": joined(associations.INITIATION, associations.proposed(of.network)),
        "7.2.1.4": joined(
            associations.ACCEPTANCE,
            associations.accepted(of.network),
            "**Rejection**",
            associations.rejections(of.settings),
        ),
        "7.3.1": words.FAILURES,
        "7.3.2": joined(*(joined(f"**{name}**", answer) for name, answer in answers)),
        "7.3.3": services.WEB_STATUSES,
    }


def _security(settings: Settings) -> dict[str, str]:
    node, web = settings.node, settings.web
    ports = [
        ("DICOM", str(node.port), "listens", "`node.port`"),
        ("HTTP", str(web.port), "listens" if web.enabled else "off", "`web.port`"),
        ("DICOM, HTTP", "those of the peers", "opens", "`port`, `stow_url` of a peer"),
    ]
    guard = "In this configuration every request must carry it." if web.token_file else "In this configuration none."
    return {
        **words.SECURITY,
        "8.3": table(("Protocol", "Port", "The node", "Setting"), ports),
        "8.6": joined(words.WEB_SECURITY, guard),
    }


def _objects(objects: tuple[ObjectUsage, ...]) -> dict[str, str]:
    common = common_attributes(objects)
    first = [one for one in objects[0].attributes if one.path[0] in common]
    kinds = []
    for number, one in enumerate(objects, start=2):
        own = [attribute for attribute in one.attributes if attribute.path[0] not in common]
        made_as = ", ".join(code(kind) for kind in one.kinds)
        kinds += [
            heading(f"A.A.{number}", class_name(one.sop_class)),
            f"Made as {made_as}.",
            attribute_table(own),
        ]
    schemes = ((code(name), about) for name, about in SCHEMES.items())
    return {
        "A.A": words.OBJECTS,
        "A.A.1": joined(words.EXTENSIONS, attribute_table(first), *kinds),
        "A.B": words.CONTENT,
        "A.D": joined(words.MAPPING, words.mapping()),
        "A.E": joined(
            table(("Coding scheme", "What it is"), schemes),
            "`docs/codes.md` lists every code with its meaning and its places.",
        ),
    }
