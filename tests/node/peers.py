"""Other DICOM applications for the tests, real ones on loopback that behave as they are told."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from node.adapters.association import PeerAddress
from pipelines.domain.sop_classes import CT_IMAGES, RESULT_CLASSES, SEGMENTATIONS

ALL_CLASSES = tuple(sorted(CT_IMAGES | RESULT_CLASSES | SEGMENTATIONS))
TRANSFER_SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
ABORT = -1
"""In place of a status: the peer aborts the association."""


@dataclass
class Peer:
    """What a peer is told, and what it has seen.

    Attributes
    ----------
    answers
        Statuses of the next responses; 0x0000 when none is left.
    stored
        Data sets by SOP Instance UID, exactly as they came.
    """

    port: int
    answers: list[int] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    associations: int = 0
    calling: list[str] = field(default_factory=list)

    def address(self, *, ae_title: str = "PACS", timeout_s: float = 120) -> PeerAddress:
        return PeerAddress("archive", ae_title, "127.0.0.1", self.port, timeout_s)


@contextmanager
def peer(
    *,
    ae_title: str = "PACS",
    classes: Sequence[str] = ALL_CLASSES,
    transfer_syntaxes: Sequence[str] = TRANSFER_SYNTAXES,
    verification: bool = True,
    before_answer: Callable[[], None] = lambda: None,
) -> Iterator[Peer]:
    """A storage SCP on a free port; `before_answer` is called before each response."""
    ae = AE(ae_title)
    ae.require_called_aet = True
    for sop_class in classes:
        ae.add_supported_context(sop_class, list(transfer_syntaxes))
    if verification or not classes:
        ae.add_supported_context("1.2.840.10008.1.1")
    seen = Peer(0)

    def store(event: Any) -> int:
        before_answer()
        answer = seen.answers.pop(0) if seen.answers else 0x0000
        if answer == ABORT:
            event.assoc.abort()
            return 0xC000
        if answer in (0x0000, 0xB000):
            seen.stored[str(event.request.AffectedSOPInstanceUID)] = event.encoded_dataset(include_meta=False)
        return answer

    def accepted(event: Any) -> None:
        seen.associations += 1
        seen.calling.append(event.assoc.requestor.ae_title)

    handlers: list[Any] = [(evt.EVT_C_STORE, store), (evt.EVT_ACCEPTED, accepted)]
    server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    seen.port = server.socket.getsockname()[1]
    try:
        yield seen
    finally:
        # takes half a second, for which the next test need not wait
        threading.Thread(target=ae.shutdown).start()
