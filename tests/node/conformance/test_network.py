"""The statement against the wire: what a running node accepts, and what its adapters propose to a peer that listens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import (
    AE,
    AllStoragePresentationContexts,
    BasicWorklistManagementPresentationContexts,
    ModalityPerformedPresentationContexts,
    QueryRetrievePresentationContexts,
    UnifiedProcedurePresentationContexts,
    build_context,
    build_role,
    evt,
)

from node.adapters.steps.boards import PeerBoard, Wanted, send_event
from node.adapters.storage_scu import Sendable
from node.adapters.worklist import WorklistScu
from node.bootstrap.gathering import make_query
from node.bootstrap.peers import make_archive, make_commitment_scu, make_scu, peer_address
from node.bootstrap.receiving import make_scp
from node.bootstrap.stores import open_stores
from node.commands.probe import make_probe
from node.commands.probe import offered as doctor_offers
from node.conformance.network import network
from node.conformance.sample import sample_objects
from node.conformance.services import QUERY_KEYS
from node.ports import CommitmentReport, ObjectRef, PatientIdentity, StepEvent, StoredFile, StoredResult
from node.settings import Peer, Settings, load_settings
from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import SeriesUID, SopInstanceUID, StudyUID
from pipelines.domain.sop_classes import CT_IMAGE, STORAGE_COMMITMENT

EXPLICIT = "1.2.840.10008.1.2.1"
MR = "1.2.840.10008.5.1.4.1.1.4"
PET = "1.2.840.10008.5.1.4.1.1.128"
MPEG4 = "1.2.840.10008.1.2.4.102"
UPS_EVENT = "1.2.840.10008.5.1.4.34.6.4"
MAX_CONTEXTS = 128


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[tuple[Settings, int]]:
    """The receiving service of a node, set up as `serve` sets it up."""
    settings = load_settings(None, {"PULMONODE_NODE__DATA_DIR": str(folder), **environment})
    scp = make_scp(settings, open_stores(settings))
    port = scp.start("127.0.0.1", 0)
    try:
        yield settings, port
    finally:
        scp.stop()


def accepted_by(port: int, asked: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of the (SOP class, transfer syntax) pairs the node agrees to, each in a context of its own."""
    agreed: set[tuple[str, str]] = set()
    for start in range(0, len(asked), MAX_CONTEXTS):
        ae = AE("SCANNER")
        ae.requested_contexts = [build_context(*pair) for pair in asked[start : start + MAX_CONTEXTS]]
        association = ae.associate("127.0.0.1", port, ae_title="PULMONODE")
        agreed |= {(str(one.abstract_syntax), str(one.transfer_syntax[0])) for one in association.accepted_contexts}
        if association.is_established:
            association.release()
    return agreed


def listed_as_accepted(settings: Settings) -> set[tuple[str, str]]:
    return {(one.abstract_syntax, syntax) for one in network(settings).accepted for syntax in one.transfer_syntaxes}


def everything_known() -> list[tuple[str, str]]:
    """Every SOP class that pynetdicom knows in a plain syntax, and CT, SEG, MR and others in all that pydicom knows."""
    groups = (
        AllStoragePresentationContexts,
        QueryRetrievePresentationContexts,
        BasicWorklistManagementPresentationContexts,
        ModalityPerformedPresentationContexts,
        UnifiedProcedurePresentationContexts,
    )
    classes = {str(context.abstract_syntax) for group in groups for context in group}
    some = (CT_IMAGE, "1.2.840.10008.5.1.4.1.1.66.4", MR, STORAGE_COMMITMENT, "1.2.840.10008.1.1", UPS_EVENT)
    pairs = {(uid, EXPLICIT) for uid in classes}
    pairs |= {(uid, str(syntax)) for uid in some for syntax in (*AllTransferSyntaxes, "1.2.840.10008.1.2.4.110")}
    return sorted(pairs)


def test_a_running_node_accepts_everything_that_is_listed_and_nothing_else(tmp_path: Path) -> None:
    with running(tmp_path) as (settings, port):
        listed = listed_as_accepted(settings)
        asked = sorted({*listed, *everything_known()})
        accepted = accepted_by(port, asked)
    assert accepted == listed
    refused = set(asked) - accepted
    assert {(MR, EXPLICIT), (PET, EXPLICIT), (CT_IMAGE, MPEG4)} <= refused
    assert len(listed) > 100
    assert len(refused) > 200


def test_a_class_that_is_configured_and_a_worklist_that_is_not_kept_change_node_and_statement_alike(
    tmp_path: Path,
) -> None:
    changed = {"PULMONODE_RECEIVE__EXTRA_STORAGE_CLASSES": f'["{PET}"]', "PULMONODE_TASKS__SERVE": "false"}
    with running(tmp_path, **changed) as (settings, port):
        listed = listed_as_accepted(settings)
        assert accepted_by(port, sorted({*listed, *everything_known()})) == listed
    assert (PET, MPEG4) not in listed
    assert (PET, EXPLICIT) in listed
    assert {uid for uid, _ in listed if uid.startswith("1.2.840.10008.5.1.4.34.6")} == {UPS_EVENT}


@pytest.mark.parametrize("scu", [True, False])
@pytest.mark.parametrize("scp", [True, False])
def test_roles_are_negotiated_as_the_statement_says(tmp_path: Path, scu: bool, scp: bool) -> None:
    with running(tmp_path) as (settings, port):
        for one in network(settings).accepted:
            if not (scu or scp):
                continue
            ae = AE("SCANNER")
            ae.add_requested_context(one.abstract_syntax, EXPLICIT)
            role = build_role(one.abstract_syntax, scu_role=scu, scp_role=scp)
            association = ae.associate("127.0.0.1", port, ae_title="PULMONODE", ext_neg=[role])
            (context,) = association.accepted_contexts or association.rejected_contexts
            granted = (bool(context.as_scu), bool(context.as_scp))
            may_ask, may_answer = one.roles or (True, False)
            if one.roles is not None:
                assert granted == (scu and may_ask, scp and may_answer), one
            else:
                # without a word on roles the requester is the SCU, whatever it asked for
                assert granted == (True, False), one
            if association.is_established:
                association.release()


class Listener:
    """A peer that takes everything and remembers what was proposed and asked."""

    def __init__(self) -> None:
        self.proposed: set[tuple[str, tuple[str, ...], bool]] = set()
        self.keys: dict[str, set[str]] = {}

    def requested(self, event: Any) -> None:
        primitive = event.assoc.requestor.primitive
        as_scp = {
            str(item.sop_class_uid)
            for item in primitive.user_information
            if type(item).__name__ == "SCP_SCU_RoleSelectionNegotiation" and item.scp_role
        }
        for context in primitive.presentation_context_definition_list:
            uid = str(context.abstract_syntax)
            self.proposed.add((uid, tuple(map(str, context.transfer_syntax)), uid in as_scp))

    def found(self, event: Any) -> Iterator[tuple[int, None]]:
        level = str(event.identifier.get("QueryRetrieveLevel", ""))
        about = {"QueryRetrieveLevel", "SpecificCharacterSet"}
        self.keys.setdefault(level, set()).update({element.keyword for element in event.identifier} - about)
        yield 0x0000, None


@contextmanager
def listening(listed: set[tuple[str, tuple[str, ...], bool]]) -> Iterator[tuple[Listener, int]]:
    listener = Listener()
    ae = AE("PACS")
    for uid in sorted({uid for uid, _, _ in listed}):
        syntaxes = sorted({syntax for one, syntaxes, _ in listed if one == uid for syntax in syntaxes})
        ae.add_supported_context(uid, syntaxes, scu_role=True, scp_role=True)
    handlers: list[Any] = [
        (evt.EVT_REQUESTED, listener.requested),
        (evt.EVT_C_FIND, listener.found),
        (evt.EVT_C_STORE, lambda event: 0x0000),
        (evt.EVT_C_MOVE, lambda event: iter([(None, None)])),
        (evt.EVT_C_GET, lambda event: iter([0])),
        (evt.EVT_N_ACTION, lambda event: (0x0211, None)),
        (evt.EVT_N_EVENT_REPORT, lambda event: (0x0000, None)),
    ]
    server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield listener, server.socket.getsockname()[1]
    finally:
        ae.shutdown()


def listed_as_proposed(settings: Settings) -> set[tuple[str, tuple[str, ...], bool]]:
    return {
        (one.context.abstract_syntax, one.context.proposed_syntaxes, one.context.as_scp)
        for one in network(settings).proposed
    }


def with_peers(folder: Path, port: int) -> Settings:
    """One peer that is asked by C-MOVE, has a worklist and tasks, and one that is asked by C-GET."""
    peers = [
        Peer(
            name=f"pacs-{retrieve}",
            ae_title="PACS",
            host="127.0.0.1",
            port=port,
            # proposals are compared, not speed
            timeout_s=120,
            query=True,
            retrieve=retrieve,
            worklist=retrieve == "move",
            tasks=retrieve == "move",
        )
        for retrieve in ("move", "get")
    ]
    settings = load_settings(None, {"PULMONODE_NODE__DATA_DIR": str(folder)})
    delivery = settings.delivery.model_copy(update={"destinations": ("pacs-move",), "commitment_hold_s": 0})
    return settings.model_copy(update={"peers": tuple(peers), "delivery": delivery})


def everything_that_the_node_asks(settings: Settings, folder: Path) -> None:
    """Each adapter that opens associations, by the way that the running node uses it."""
    stores = open_stores(settings)
    results = []
    for number, (made, _) in enumerate(sample_objects(settings)):
        path = folder / f"{number}.dcm"
        path.write_bytes(made.data)
        file = StoredFile(str(path), len(made.data), "00" * 32)
        results.append(
            StoredResult(made.kind, None, made.sop_class, made.sop_instance, made.series, made.transfer_syntax, file)
        )
    archive = make_archive(settings, lambda file: Path(file.path))
    assert all(sent.fault is None for _, sent in archive.send("pacs-move", results))
    assert archive.echo("pacs-move") is None
    reference = ObjectRef(CT_IMAGE, SopInstanceUID("1.2.3"))
    commitment = make_commitment_scu(settings)
    commitment.request("pacs-move", "1.2.4", [reference], take=lambda *_: True, answered=lambda: True)
    assert commitment.report("pacs-move", CommitmentReport("1.2.4", (reference,), ())) is None
    query = make_query(settings, stores)
    key = SeriesKey(StudyUID("1.2.5"), SeriesUID("1.2.6"))
    query.studies("pacs-move", PatientIdentity("P-1"))
    query.series("pacs-move", study=key.study)
    query.instances("pacs-move", key, [SopInstanceUID("1.2.3")])
    for peer in ("pacs-move", "pacs-get"):
        query.retrieve(peer, key)
    orders = WorklistScu(settings.node.ae_title, peer_address(settings, settings.peers[0]))
    assert orders.orders(PatientIdentity("P-1"), accession_number="A-1") == []
    board = PeerBoard(settings.node.ae_title, peer_address(settings, settings.peers[0]), Wanted("PULMONODE"))
    assert board.scheduled() == []
    told = Dataset()
    told.ProcedureStepState = "IN PROGRESS"
    event = StepEvent(1, "PACS", "1.2.7", 1, told, 0)
    assert send_event(settings.node.ae_title, peer_address(settings, settings.peers[0]), event)
    for peer_of in settings.peers:
        list(doctor_offers(settings, peer_of))
    probe = make_probe("1.2.8")
    path = folder / "probe.dcm"
    path.write_bytes(probe.data)
    scu = make_scu(settings, lambda file: Path(file.path))
    (sent,) = scu.send_files(peer_address(settings, settings.peers[0]), [Sendable(path, CT_IMAGE, EXPLICIT)])
    assert sent.fault is None


def test_the_node_proposes_what_is_listed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    expected = listed_as_proposed(Settings())
    with listening(expected) as (listener, port):
        settings = with_peers(tmp_path / "data", port)
        everything_that_the_node_asks(settings, tmp_path / "results")
    assert listed_as_proposed(settings) == expected
    assert listener.proposed == expected
    assert all(one.in_use for one in network(settings).proposed)
    for level, keys in QUERY_KEYS.items():
        assert listener.keys[level] == keys.keys(), level


def test_without_a_peer_nothing_is_in_use(tmp_path: Path) -> None:
    assert not any(one.in_use for one in network(Settings()).proposed)


def test_collecting_opens_nothing_of_the_configured_node(tmp_path: Path) -> None:
    settings = load_settings(None, {"PULMONODE_NODE__DATA_DIR": str(tmp_path / "data")})
    network(settings)
    assert not (tmp_path / "data").exists()
