"""Collect what a node of given settings accepts and proposes in associations, from the adapters that do it."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.uid import UID, ExplicitVRLittleEndian
from starlette.routing import BaseRoute, Mount, Route

from node.adapters import commitment, query_retrieve, storage_scu, worklist
from node.adapters.association import Acceptable, Context
from node.adapters.steps import boards
from node.adapters.steps.scp import EVENT, PULL, PUSH, QUERY, WATCH
from node.bootstrap.gathering import make_query
from node.bootstrap.receiving import make_scp
from node.bootstrap.stores import open_stores
from node.bootstrap.web import make_web
from node.settings import LedgerSettings, Peer, Settings
from pipelines.domain.sop_classes import (
    CT_IMAGE,
    LABEL_MAP_SEGMENTATION,
    MODALITY_WORKLIST,
    RESULT_CLASSES,
    STORAGE_COMMITMENT,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
)

# pydicom's dictionary is older than this class
_NEW_CLASSES: Final[dict[str, str]] = {LABEL_MAP_SEGMENTATION: "Label Map Segmentation Storage"}
_SERVICES: Final[dict[str, str]] = {
    VERIFICATION: "Verification",
    STORAGE_COMMITMENT: "Storage Commitment",
    STUDY_ROOT_FIND: "Query/Retrieve",
    STUDY_ROOT_MOVE: "Query/Retrieve",
    STUDY_ROOT_GET: "Query/Retrieve",
    MODALITY_WORKLIST: "Modality Worklist",
    **dict.fromkeys((PUSH, WATCH, PULL, EVENT, QUERY), "Unified Procedure Step"),
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A presentation context that the node may propose.

    Attributes
    ----------
    purpose
        What for, in a few words.
    needs
        Setting without which it is never proposed; empty for none.
    in_use
        Whether the settings have that.
    """

    context: Context
    purpose: str
    needs: str
    in_use: bool


@dataclass(frozen=True, slots=True)
class Network:
    """Both sides of every association that the node takes part in, and what it answers over HTTP.

    Attributes
    ----------
    web
        (method, path) of every DICOMweb resource.
    """

    accepted: tuple[Acceptable, ...]
    proposed: tuple[Proposal, ...]
    web: tuple[tuple[str, str], ...]


def network(settings: Settings) -> Network:
    """What a node of `settings` negotiates, asked of the very adapters that it would run with.

    They are set up over an empty data folder of their own: nothing of a running node is opened, and no socket either.
    """
    with tempfile.TemporaryDirectory(prefix="pulmonode-") as folder:
        elsewhere = settings.model_copy(
            update={
                "node": settings.node.model_copy(update={"data_dir": Path(folder)}),
                "ledger": LedgerSettings(),
                "web": settings.web.model_copy(update={"token_file": None}),
            }
        )
        stores = open_stores(elsewhere)
        accepted = make_scp(elsewhere, stores).acceptable
        query = make_query(elsewhere, stores)
        web = tuple(_resources(make_web(elsewhere, stores).routes))
        return Network(accepted, tuple(_proposals(settings, query.stored_by_get)), web)


def _resources(routes: Iterable[BaseRoute], below: str = "") -> Iterator[tuple[str, str]]:
    for route in routes:
        match route:
            case Mount():
                yield from _resources(route.routes, f"{below}{route.path}")
            case Route() if below.startswith("/dicom-web"):
                for method in sorted((route.methods or set()) - {"HEAD"}):
                    yield method, f"{below}{route.path}"


def _proposals(settings: Settings, stored_by_get: Iterable[Context]) -> Iterator[Proposal]:
    def some(has: Callable[[Peer], bool]) -> bool:
        return any(has(peer) for peer in settings.peers)

    sends = some(lambda peer: not peer.stow_url)
    peers = bool(settings.peers)
    yield Proposal(storage_scu.VERIFYING, "see whether a peer answers, for an operator", "a peer", peers)
    for context in _of_results(deflate=False):
        yield Proposal(context, "deliver results", "a peer without `stow_url`", sends)
    deflates = some(lambda peer: peer.deflate and not peer.stow_url)
    for context in _of_results(deflate=True):
        yield Proposal(context, "deliver results, compressed", "`deflate` of a peer (on by default)", deflates)
    commits = some(lambda peer: peer.commitment and not peer.stow_url)
    yield Proposal(commitment.ASKING, "ask to keep results", "`commitment` of a peer (on by default)", commits)
    yield Proposal(commitment.REPORTING, "report on a request of a peer", "a peer", peers)
    asks = some(lambda peer: peer.query) or commits
    yield Proposal(
        query_retrieve.FINDING,
        "find a CT, or results that nobody reported on",
        "`query` or `commitment` of a peer",
        asks,
    )
    moves = some(lambda peer: peer.query and peer.retrieve == "move")
    yield Proposal(query_retrieve.MOVING, "retrieve a CT", '`query` and `retrieve = "move"` of a peer', moves)
    gets = some(lambda peer: peer.query and peer.retrieve == "get")
    for context in (query_retrieve.GETTING, *stored_by_get):
        yield Proposal(context, "retrieve a CT", '`query` and `retrieve = "get"` of a peer', gets)
    yield Proposal(worklist.ASKING, "find the order of a CT", "`worklist` of a peer", some(lambda peer: peer.worklist))
    for context in boards.PULLING:
        yield Proposal(
            context, "find, claim and perform steps of a peer", "`tasks` of a peer", some(lambda peer: peer.tasks)
        )
    serves = settings.tasks.serve and peers
    yield Proposal(boards.NOTIFYING, "notify subscribers of steps", "`tasks.serve` and a peer", serves)
    plain = Context(CT_IMAGE, (str(ExplicitVRLittleEndian),))
    yield Proposal(plain, "store the probe of `doctor --probe`", "a peer", peers)


def _of_results(*, deflate: bool) -> Iterator[Context]:
    """The contexts of results that a peer is offered compressed beside the plain ones, or the plain ones."""
    for sop_class in sorted(RESULT_CLASSES):
        plain = storage_scu.Sendable(Path(), sop_class, str(ExplicitVRLittleEndian)).contexts
        both = storage_scu.Sendable(Path(), sop_class, str(ExplicitVRLittleEndian), deflate=True).contexts
        for abstract_syntax, syntax in both if deflate else plain:
            if not deflate or (abstract_syntax, syntax) not in plain:
                yield Context(abstract_syntax, (str(syntax),))


def class_name(uid: str) -> str:
    """Name of a SOP class as in PS3.4."""
    return _NEW_CLASSES.get(uid) or str(UID(uid).name).removesuffix(" SOP Class")


def syntax_name(uid: str) -> str:
    """Name of a transfer syntax as in PS3.6."""
    return str(UID(uid).name)


def service_of(uid: str) -> str:
    """Service class of a SOP class; every one that is not named otherwise is one of storage."""
    return _SERVICES.get(uid, "Storage")
