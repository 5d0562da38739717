"""The DICOM service that others send to: Verification and Storage as SCP."""

import socket
from collections.abc import Collection
from typing import Any, Final

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID
from pynetdicom import AE, evt

from node.logs import Log
from node.ports import Sender
from node.services.receive import Announced, Receiver
from pipelines.domain import transfer_syntaxes
from pipelines.domain.identifiers import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    SopClassUID,
    SopInstanceUID,
)
from pipelines.domain.sop_classes import VERIFICATION

TRANSFER_SYNTAXES: Final = tuple(transfer_syntaxes.TRANSFER_SYNTAXES)
"""What workers can decode; an instance in another transfer syntax is refused at negotiation."""

INTERNAL_ERROR: Final = 0xC211
"""Failure: cannot understand; the value that tells a bug of ours from a fault of the data."""


class StorageScp:
    """Listens on one TCP port until it is stopped.

    Parameters
    ----------
    storage_classes
        SOP classes to accept; all others are refused at negotiation.
    calling_ae_titles
        AE titles that may call; empty for any.
    """

    def __init__(
        self,
        receiver: Receiver,
        log: Log,
        *,
        ae_title: str,
        storage_classes: Collection[SopClassUID],
        calling_ae_titles: Collection[str],
        require_called_ae_title: bool,
        max_pdu_bytes: int,
        max_associations: int,
        network_timeout_s: float,
    ) -> None:
        self._receiver = receiver
        self._log = log
        self._ae = AE(ae_title)
        self._ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        self._ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._ae.require_called_aet = require_called_ae_title
        self._ae.require_calling_aet = list(calling_ae_titles)
        self._ae.maximum_pdu_size = max_pdu_bytes
        self._ae.maximum_associations = max_associations
        self._ae.network_timeout = network_timeout_s
        self._ae.acse_timeout = min(30.0, network_timeout_s)
        self._ae.dimse_timeout = network_timeout_s
        self._ae.add_supported_context(VERIFICATION)
        for sop_class in sorted(storage_classes):
            self._ae.add_supported_context(sop_class, list(TRANSFER_SYNTAXES))

    def start(self, bind: str, port: int) -> int:
        """Listen in the background; the port that was bound.

        Raises
        ------
        OSError
            If the address cannot be bound.
        """
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_CONN_OPEN, self._opened),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_REJECTED, self._rejected),
        ]
        server: Any = self._ae.start_server((bind, port), block=False, evt_handlers=handlers)
        bound: int = server.socket.getsockname()[1]
        return bound

    def stop(self) -> None:
        """Close the port and abort what is still open."""
        self._ae.shutdown()

    def _store(self, event: Any) -> int:
        requestor = event.assoc.requestor
        sender = Sender(requestor.ae_title.strip(), requestor.primitive.called_ae_title.strip())
        request = event.request
        announced = Announced(
            SopClassUID(str(request.AffectedSOPClassUID)), SopInstanceUID(str(request.AffectedSOPInstanceUID))
        )
        try:
            data = _part10(announced, event.context.transfer_syntax, event.encoded_dataset(include_meta=False))
            return self._receiver.receive(data, announced, sender)
        except Exception:
            self._log.error("receive_failed", traceback=True, ae=sender.calling_ae_title)
            return INTERNAL_ERROR

    def _echo(self, event: Any) -> int:
        self._log.debug("echo", ae=event.assoc.requestor.ae_title.strip())
        return 0x0000

    def _opened(self, event: Any) -> None:
        # without this the small response waits for the acknowledgement of the last segment, some 40 ms an instance
        event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _accepted(self, event: Any) -> None:
        self._log.debug(
            "association_accepted", ae=event.assoc.requestor.ae_title.strip(), address=event.assoc.requestor.address
        )

    def _rejected(self, event: Any) -> None:
        requestor = event.assoc.requestor
        called = requestor.primitive.called_ae_title if requestor.primitive else ""
        self._log.warning(
            "association_rejected", ae=requestor.ae_title.strip(), called=called.strip(), address=requestor.address
        )


def _part10(announced: Announced, transfer_syntax: str, dataset: bytes) -> bytes:
    """The data set as it came, as a file.

    The file meta information says nothing of the sender, so that an instance that two systems send is the same file.
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(announced.sop_class)
    meta.MediaStorageSOPInstanceUID = UID(announced.sop_instance)
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    head = DicomBytesIO()
    head.is_little_endian = True
    head.is_implicit_VR = False
    write_file_meta_info(head, meta)
    return b"".join((bytes(128), b"DICM", head.getvalue(), dataset))
