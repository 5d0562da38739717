"""Try every service of every peer, with a probe that nobody takes for a patient."""

import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from node.adapters.association import Context, associate
from node.adapters.storage_scu import Sendable
from node.bootstrap.delivering import make_committer
from node.bootstrap.gathering import make_query
from node.bootstrap.machine import device_uid, utc_now
from node.bootstrap.peers import make_commitment_scu, make_scu, peer_address
from node.bootstrap.stores import Stores
from node.ports import ObjectRef
from node.settings import Peer, Settings
from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, StudyUID, derived_uid
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import (
    CT_IMAGE,
    MODALITY_WORKLIST,
    RESULT_CLASSES,
    STORAGE_COMMITMENT,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)

_EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
_REPORT_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    what: str
    ok: bool
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """The object that is sent: the same one each time, so that an archive holds it once."""

    ref: ObjectRef
    key: SeriesKey
    data: bytes


def offered(settings: Settings, peer: Peer) -> Iterator[Check]:
    """Negotiate with `peer` what the configuration needs of it, and leave nothing behind."""
    needed: dict[str, tuple[str, ...]] = {}
    if peer.name in settings.delivery.destinations:
        needed["results"] = tuple(sorted(RESULT_CLASSES))
    if peer.query:
        needed["query and retrieve"] = (
            STUDY_ROOT_FIND,
            STUDY_ROOT_MOVE if peer.retrieve == "move" else STUDY_ROOT_GET,
        )
    if peer.worklist:
        needed["worklist"] = (MODALITY_WORKLIST,)
    useful = {"storage commitment": (STORAGE_COMMITMENT,)} if peer.commitment and "results" in needed else {}
    asked = dict.fromkeys(uid for group in (*needed.values(), *useful.values()) for uid in group)
    if not asked:
        return
    accepted = _accepted(settings, peer, list(asked))
    if isinstance(accepted, Rejected):
        yield Check(f"peer {peer.name}: services", ok=False, found=_said(accepted), remedy=accepted.remedy)
        return
    for name, group in (*needed.items(), *useful.items()):
        missing = [uid for uid in group if uid not in accepted]
        found = "accepted" if not missing else f"refused: {', '.join(missing)}"
        # without commitment all goes on, with one promise less
        ok = not missing or name in useful
        remedy = "" if ok else f"Enable these SOP classes in {peer.ae_title}, for AE title {settings.node.ae_title}."
        yield Check(f"peer {peer.name}: {name}", ok=ok, found=found, remedy=remedy)


def probed(settings: Settings, stores: Stores, peer: Peer) -> Iterator[Check]:
    """Store the probe at `peer`, have it committed, find it and move it back; what fails ends what needs it."""
    probe = make_probe(device_uid(settings))
    fault = _store(settings, stores, peer, probe)
    if fault is not None:
        yield Check(f"peer {peer.name}: probe stored", ok=False, found=_said(fault), remedy=fault.remedy)
        return
    patient = "patient PULMONODE-PROBE"
    yield Check(
        f"peer {peer.name}: probe stored", ok=True, found=f"stored one CT image of {patient}, which stays there"
    )
    if peer.commitment:
        yield _commit(settings, stores, peer, probe)
    yield from _find_and_retrieve(settings, stores, peer, probe)


def make_probe(device_uid: str) -> Probe:
    """One CT image of 16 x 16 pixels of a patient PULMONODE-PROBE, marked as synthetic and as quality control."""
    # imported here: the phantom needs highdicom, which takes longer to load than all other checks take
    import numpy as np

    from pipelines.domain.identifiers import FrameOfReferenceUID
    from pipelines.domain.volume import CtVolume, Grid, SliceRef
    from pipelines.phantom.dicom import Identity, ct_series, part10

    key = SeriesKey(
        StudyUID(derived_uid("probe", device_uid, "study")), SeriesUID(derived_uid("probe", device_uid, "series"))
    )
    instance = SopInstanceUID(derived_uid("probe", device_uid, "instance"))
    axial = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    volume = CtVolume(
        np.zeros((1, 16, 16), np.int16),
        Grid((1, 16, 16), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), axial),
        FrameOfReferenceUID(derived_uid("probe", device_uid, "frame of reference")),
        (SliceRef(CT_IMAGE, instance),),
    )
    identity = Identity("PROBE^PULMONODE", "PULMONODE-PROBE", date(2000, 1, 1), "PROBE of a connection, not a patient")
    (made,) = ct_series(volume, key, identity)
    made.StudyDescription = "PROBE of a connection, not a patient"
    made.QualityControlSubject = "YES"
    made.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    return Probe(ObjectRef(CT_IMAGE, instance), key, part10(made))


def _accepted(settings: Settings, peer: Peer, classes: list[str]) -> frozenset[str] | Rejected:
    contexts = [Context(uid, (_EXPLICIT_LITTLE,) if uid in RESULT_CLASSES else ()) for uid in classes]
    association = associate(settings.node.ae_title, peer_address(settings, peer), contexts)
    if isinstance(association, Rejected):
        return frozenset() if association.code == "NET-004" else association
    association.close()
    return association.accepted


def _store(settings: Settings, stores: Stores, peer: Peer, probe: Probe) -> Rejected | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.dcm"
        path.write_bytes(probe.data)
        scu = make_scu(settings, stores.spool.path)
        offer = [Sendable(path, SopClassUID(probe.ref.sop_class), _EXPLICIT_LITTLE)]
        (sent,) = scu.send_files(peer_address(settings, peer), offer)
    return sent.fault


def _commit(settings: Settings, stores: Stores, peer: Peer, probe: Probe) -> Check:
    what = f"peer {peer.name}: probe committed"
    transaction = f"2.25.{uuid.uuid4().int}"
    # the report may come to the receiving process, which knows transactions from the ledger
    stores.commitments.probe(transaction, peer.name, [probe.ref], at=utc_now())
    fault = make_commitment_scu(settings).request(
        peer.name,
        transaction,
        [probe.ref],
        take=make_committer(settings, stores).take,
        answered=lambda: stores.commitments.answered(transaction) is not None,
    )
    if fault is not None:
        offered_at_all = fault.code != "NET-004"
        return Check(what, ok=not offered_at_all, found=_said(fault), remedy=fault.remedy)
    until = time.monotonic() + _REPORT_TIMEOUT_S
    while (answer := stores.commitments.answered(transaction)) is None and time.monotonic() < until:
        time.sleep(0.2)
    match answer:
        case None:
            remedy = (
                f"Enter AE title {settings.node.ae_title} with this node's address and port in that system, where it "
                "reports to, and let it through the firewall."
            )
            return Check(
                what, ok=False, found=f"NET-006 asked, and no report within {_REPORT_TIMEOUT_S:g} s", remedy=remedy
            )
        case (_, 0):
            return Check(what, ok=True, found="it promises to keep the probe")
        case _:
            found = "NET-006 it does not keep the probe that it has just taken"
            return Check(what, ok=False, found=found, remedy="Look at the log of that system.")


def _find_and_retrieve(settings: Settings, stores: Stores, peer: Peer, probe: Probe) -> Iterator[Check]:
    query = make_query(settings, stores)
    what = f"peer {peer.name}: probe found"
    found = query.instances(peer.name, probe.key, [probe.ref.sop_instance])
    if isinstance(found, Rejected):
        yield _unless_needed(peer, what, found)
        return
    if not found:
        fault = Rejected("NET-007", f"{peer.name} does not find the probe that it has just taken.", "Wait, try again.")
        yield _unless_needed(peer, what, fault)
        return
    yield Check(what, ok=True, found="it finds the probe")
    got = query.retrieve(peer.name, probe.key, [probe.ref.sop_instance])
    what = f"peer {peer.name}: probe sent back by C-{peer.retrieve.upper()}"
    here = stores.ledger.known(probe.ref.sop_instance) is not None
    if got.fault is not None:
        yield _unless_needed(peer, what, got.fault)
    elif not here:
        text = f"{peer.name} says that it sent the probe, and it did not arrive."
        remedy = f"Check which address and port belong to {peer.move_destination or settings.node.ae_title} there."
        yield _unless_needed(peer, what, Rejected("NET-007", text, remedy))
    else:
        yield Check(what, ok=True, found="it sends the probe back to this node")


def _unless_needed(peer: Peer, what: str, fault: Rejected) -> Check:
    """A fault, or a mere remark about a peer that is not to be queried."""
    if peer.query:
        return Check(what, ok=False, found=_said(fault), remedy=fault.remedy)
    return Check(what, ok=True, found=f"{_said(fault)} Not needed without query = true.")


def _said(fault: Rejected) -> str:
    return f"{fault.code} {fault.detail}"
