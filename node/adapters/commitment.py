"""Storage Commitment Push Model: ask others to keep objects, and answer those who ask us (PS3.4 annex J)."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import evt

from node.adapters.association import Context, PeerAddress, ScpService, associate
from node.adapters.bounded import BoundedAssociation
from node.logs import Log
from node.ports import CommitmentReport, ObjectRef
from node.services.commit import Custodian
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import STORAGE_COMMITMENT
from pipelines.imaging.damaged import READ_FAULTS

INSTANCE: Final = UID("1.2.840.10008.1.20.1.1")
"""The well-known instance that every request names (PS3.4 J.3.5)."""
_REQUEST: Final = 1
_ALL_KEPT, _SOME_FAILED = 1, 2

# PS3.7 annex C
_SUCCESS: Final = 0x0000
_PROCESSING_FAILURE: Final = 0x0110
_NO_SUCH_EVENT: Final = 0x0113
_INVALID_ARGUMENT: Final = 0x0115
_NO_SUCH_ACTION: Final = 0x0123
_NOT_SUPPORTED: Final = frozenset({0x0112, 0x0118, 0x0122, 0x0123, 0x0211})

_LOOK_EVERY_S: Final = 0.1

STATUSES: Final[dict[int, str]] = {
    _SUCCESS: "the request is on the disk, or the report was taken",
    _PROCESSING_FAILURE: "internal error of the node",
    _NO_SUCH_EVENT: "a report of an unknown event type",
    _INVALID_ARGUMENT: "the data set cannot be read, no transaction or no object is named, or the UID of an earlier "
    "request is used for other objects; for a report: the transaction is not one of the node's",
    _NO_SUCH_ACTION: "another action than the request for commitment",
}
"""What the node answers to an N-ACTION and to an N-EVENT-REPORT."""

ASKING: Final = Context(STORAGE_COMMITMENT)
# we are the provider of the service, and the one who opens the association (PS3.4 J.3.3.1)
REPORTING: Final = Context(STORAGE_COMMITMENT, as_scp=True)

T = TypeVar("T")
Take = Callable[[str, CommitmentReport], bool]
"""What becomes of a report from an AE title; False when nobody asked for it."""


class CommitmentScu:
    """Asks peers, and reports to them, on associations that this node opens.

    Parameters
    ----------
    hold_s
        How long an association stays open after a request, for a peer that reports on it.
    """

    def __init__(self, ae_title: str, peers: Iterable[PeerAddress], *, hold_s: float) -> None:
        self._ae_title = ae_title
        self._peers: Mapping[str, PeerAddress] = {peer.name: peer for peer in peers}
        self._hold_s = hold_s

    def request(
        self,
        peer: str,
        transaction_uid: str,
        objects: Sequence[ObjectRef],
        *,
        take: Take,
        answered: Callable[[], bool],
    ) -> Rejected | None:
        address = self._peers[peer]
        reported = threading.Event()

        def on_report(event: Any) -> tuple[int, None]:
            status = _take_report(event, address.ae_title, take)
            reported.set()
            return status, None

        handlers = [(evt.EVT_N_EVENT_REPORT, on_report)]
        association = associate(self._ae_title, address, [ASKING], handlers=handlers)
        if isinstance(association, Rejected):
            return _without_commitment(association, peer)
        try:
            status = association.send_n_action(
                request_dataset(transaction_uid, objects), _REQUEST, STORAGE_COMMITMENT, INSTANCE
            )
        except RuntimeError:  # the association is gone
            return _no_answer(peer)
        if "Status" not in status:
            association.close(lost=True)
            return _no_answer(peer)
        if status.Status == _SUCCESS:
            self._hold(association, lambda: reported.is_set() or answered())
        association.close()
        return _judged(int(status.Status), peer)

    def _hold(self, association: BoundedAssociation, done: Callable[[], bool]) -> None:
        until = time.monotonic() + self._hold_s
        while time.monotonic() < until and association.is_established and not done():
            time.sleep(_LOOK_EVERY_S)

    def report(self, peer: str, report: CommitmentReport) -> Rejected | None:
        association = associate(self._ae_title, self._peers[peer], [REPORTING])
        if isinstance(association, Rejected):
            return _without_commitment(association, peer)
        fault = send_report(association, report, peer)
        association.close(lost=fault is not None and fault.code == "NET-005")
        return fault


def send_report(association: BoundedAssociation, report: CommitmentReport, peer: str) -> Rejected | None:
    """Send an N-EVENT-REPORT over an open association; the fault when the other side did not take it."""
    kind = _SOME_FAILED if report.denied else _ALL_KEPT
    try:
        status = association.send_n_event_report(report_dataset(report), kind, STORAGE_COMMITMENT, INSTANCE)
    except (RuntimeError, ValueError):  # the association, or its presentation context, is gone
        return _no_answer(peer)
    return _judged(int(status.Status), peer) if "Status" in status else _no_answer(peer)


def commitment_service(custodian: Custodian, take: Take, log: Log) -> ScpService:
    """What the receiving process does with requests for commitment, and with reports about ours."""

    def on_action(event: Any) -> tuple[int, None]:
        if event.request.ActionTypeID != _REQUEST:
            return _NO_SUCH_ACTION, None
        try:
            asked = _understood(lambda: read_request(event.action_information))
            if asked is None:
                return _INVALID_ARGUMENT, None
            requester = event.assoc.requestor.ae_title.strip()
            status = custodian.asked(requester, *asked)
            if status == _SUCCESS and not custodian.knows(requester):
                _answer_here(event.assoc, custodian, requester, log)
        except Exception:
            log.error("commitment_request_failed", traceback=True)
            return _PROCESSING_FAILURE, None
        return status, None

    def on_report(event: Any) -> tuple[int, None]:
        try:
            return _take_report(event, event.assoc.requestor.ae_title.strip(), take), None
        except Exception:
            log.error("commitment_report_failed", traceback=True)
            return _PROCESSING_FAILURE, None

    handlers = ((evt.EVT_N_ACTION, on_action), (evt.EVT_N_EVENT_REPORT, on_report))
    return ScpService((STORAGE_COMMITMENT,), (True, True), handlers)


def _answer_here(association: Any, custodian: Custodian, requester: str, log: Log) -> None:
    """Report on the association that the request came on, once its response is out: no other way leads back."""

    def report(event: Any) -> None:
        association.unbind(evt.EVT_DIMSE_SENT, report)
        threading.Thread(target=answer, name="commitment-report", daemon=True).start()

    def answer() -> None:
        try:
            custodian.answer_now(
                requester, lambda report: send_report(BoundedAssociation(association), report, requester)
            )
        except Exception:
            log.error("commitment_report_failed", traceback=True)

    association.bind(evt.EVT_DIMSE_SENT, report)


def _understood(read: Callable[[], T]) -> T | None:
    """What `read` makes of a data set; None when that cannot be decoded."""
    try:
        return read()
    except READ_FAULTS:
        return None


def _take_report(event: Any, ae_title: str, take: Take) -> int:
    if event.request.EventTypeID not in (_ALL_KEPT, _SOME_FAILED):
        return _NO_SUCH_EVENT
    report = _understood(lambda: read_report(event.event_information))
    if report is None:
        return _INVALID_ARGUMENT
    return _SUCCESS if take(ae_title, report) else _INVALID_ARGUMENT


def request_dataset(transaction_uid: str, objects: Iterable[ObjectRef]) -> Dataset:
    """Action Information of a request (PS3.4 table J.3-1)."""
    made = Dataset()
    made.TransactionUID = transaction_uid
    made.ReferencedSOPSequence = [_item(one) for one in objects]
    return made


def report_dataset(report: CommitmentReport) -> Dataset:
    """Event Information of a report (PS3.4 table J.3-2)."""
    made = Dataset()
    made.TransactionUID = report.transaction_uid
    if report.kept:
        made.ReferencedSOPSequence = [_item(one) for one in report.kept]
    if report.denied:
        made.FailedSOPSequence = [_item(one, reason) for one, reason in report.denied]
    return made


def read_request(asked: Dataset) -> tuple[str, tuple[ObjectRef, ...]] | None:
    """Transaction and objects of a request; None when it names no transaction or no object."""
    transaction_uid = str(asked.get("TransactionUID", "")).strip()
    objects = tuple(_refs(asked, "ReferencedSOPSequence"))
    return (transaction_uid, tuple(one for one, _ in objects)) if transaction_uid and objects else None


def read_report(told: Dataset) -> CommitmentReport | None:
    """A report; None when it names no transaction."""
    transaction_uid = str(told.get("TransactionUID", "")).strip()
    if not transaction_uid:
        return None
    kept = tuple(one for one, _ in _refs(told, "ReferencedSOPSequence"))
    return CommitmentReport(transaction_uid, kept, tuple(_refs(told, "FailedSOPSequence")))


def _refs(dataset: Dataset, keyword: str) -> Iterable[tuple[ObjectRef, int]]:
    for item in dataset.get(keyword) or ():
        ref = ObjectRef(
            SopClassUID(str(item.get("ReferencedSOPClassUID", ""))),
            SopInstanceUID(str(item.get("ReferencedSOPInstanceUID", ""))),
        )
        if ref.sop_instance:
            yield ref, int(item.get("FailureReason") or _PROCESSING_FAILURE)


def _item(one: ObjectRef, failure: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = one.sop_class
    item.ReferencedSOPInstanceUID = one.sop_instance
    if failure is not None:
        item.FailureReason = failure
    return item


def _judged(status: int, peer: str) -> Rejected | None:
    if status == _SUCCESS:
        return None
    detail = f"{peer} answered a storage commitment with status 0x{status:04X}."
    if status in _NOT_SUPPORTED:
        return Rejected("NET-004", detail, "Enable storage commitment in that system.")
    return Rejected("NET-006", detail, "Look at the log of that system.")


def _no_answer(peer: str) -> Rejected:
    return Rejected(
        "NET-005", f"{peer} broke off a storage commitment without an answer.", "Look at the log of that system."
    )


def _without_commitment(fault: Rejected, peer: str) -> Rejected:
    if fault.code != "NET-004":
        return fault
    return Rejected(
        "NET-004",
        f"{peer} does not offer storage commitment.",
        "Enable it in that system, or set commitment = false for that peer.",
    )
