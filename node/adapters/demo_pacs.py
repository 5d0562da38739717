"""A small PACS for the demo and for tests: stores what it is sent as files, and tells what it has."""

import threading
from pathlib import Path
from typing import Any

from pynetdicom import AE, evt

from pipelines.domain.identifiers import SopClassUID
from pipelines.domain.sop_classes import CT_IMAGES, RESULT_CLASSES, SEGMENTATIONS, VERIFICATION


class DemoPacs:
    """A storage SCP in this process.

    Parameters
    ----------
    folder
        Where objects are written, one file each, named by SOP Instance UID.
    """

    def __init__(self, folder: Path, *, ae_title: str = "DEMOPACS") -> None:
        self.ae_title = ae_title
        self._folder = folder
        self._stored: dict[str, tuple[SopClassUID, Path]] = {}
        self._lock = threading.Lock()
        self._ae = AE(ae_title)
        self._ae.add_supported_context(VERIFICATION)
        for sop_class in sorted(CT_IMAGES | SEGMENTATIONS | RESULT_CLASSES):
            self._ae.add_supported_context(sop_class)

    def start(self, port: int = 0) -> int:
        """Listen on loopback; the port that was bound."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handlers: list[Any] = [(evt.EVT_C_STORE, self._store)]
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
