"""A small PACS for the demo and for tests: stores what it is sent as files, and tells what it has."""

import threading
from pathlib import Path
from typing import Any, Final

from pynetdicom import AE, evt

from node.adapters.commitment import read_request, send_report
from node.adapters.late_requests import be_lenient
from node.ports import CommitmentReport
from pipelines.domain.identifiers import SopClassUID
from pipelines.domain.sop_classes import CT_IMAGES, RESULT_CLASSES, SEGMENTATIONS, STORAGE_COMMITMENT, VERIFICATION

_NO_SUCH_OBJECT: Final = 0x0112


class DemoPacs:
    """A storage SCP in this process.

    Parameters
    ----------
    folder
        Where objects are written, one file each, named by SOP Instance UID.
    commits
        Offer storage commitment, and report on the association of the request.
    """

    def __init__(self, folder: Path, *, ae_title: str = "DEMOPACS", commits: bool = False) -> None:
        self.ae_title = ae_title
        self._folder = folder
        self._stored: dict[str, tuple[SopClassUID, Path]] = {}
        self._lock = threading.Lock()
        self._ae = AE(ae_title)
        self._ae.add_supported_context(VERIFICATION)
        for sop_class in sorted(CT_IMAGES | SEGMENTATIONS | RESULT_CLASSES):
            self._ae.add_supported_context(sop_class)
        if commits:
            self._ae.add_supported_context(STORAGE_COMMITMENT)

    def start(self, port: int = 0) -> int:
        """Listen on loopback; the port that was bound."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, lambda event: be_lenient(event.assoc)),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._commit),
        ]
        server: Any = self._ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
        bound: int = server.socket.getsockname()[1]
        return bound

    def stop(self) -> None:
        self._ae.shutdown()

    def stored(self) -> dict[str, tuple[SopClassUID, Path]]:
        """What has arrived: SOP class and file by SOP Instance UID."""
        with self._lock:
            return dict(self._stored)

    def _store(self, event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        if not uid.replace(".", "").isdigit():
            return 0xA900
        path = self._folder / f"{uid}.dcm"
        path.write_bytes(event.encoded_dataset())
        with self._lock:
            self._stored[uid] = (SopClassUID(str(event.request.AffectedSOPClassUID)), path)
        return 0x0000

    def _commit(self, event: Any) -> tuple[int, None]:
        asked = read_request(event.action_information)
        if asked is None:
            return 0x0115, None
        transaction_uid, objects = asked
        stored = self.stored()
        report = CommitmentReport(
            transaction_uid,
            tuple(one for one in objects if one.sop_instance in stored),
            tuple((one, _NO_SUCH_OBJECT) for one in objects if one.sop_instance not in stored),
        )
        association = event.assoc

        def answered(event: Any) -> None:
            association.unbind(evt.EVT_DIMSE_SENT, answered)
            threading.Thread(target=send_report, args=(association, report, "the node"), daemon=True).start()

        # the report follows the response to the request
        association.bind(evt.EVT_DIMSE_SENT, answered)
        return 0x0000, None
