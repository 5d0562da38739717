"""A sender for the tests: stores bytes exactly as they are given, right or wrong, over a real association."""

import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from pydicom import Dataset, dcmread
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import A_ASSOCIATE_RJ

from node.adapters.requestor import requestor
from tests.dicom import as_bytes


@dataclass(frozen=True)
class Message:
    """What a C-STORE request says of itself, and the data set that follows it."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    dataset: bytes


def message(instance: Dataset | bytes) -> Message:
    """An instance, or the bytes of a DICOM file, as it is sent."""
    data = instance if isinstance(instance, bytes) else as_bytes(instance)
    meta = dcmread(BytesIO(data), stop_before_pixels=True).file_meta
    return Message(
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID, dataset_of(data)
    )


def dataset_of(part10: bytes) -> bytes:
    """The data set in a DICOM file: what lies behind the file meta information (PS3.10 7.1)."""
    (length,) = struct.unpack_from("<I", part10, 140)
    return part10[144 + length :]


class Client:
    """An association that is open."""

    def __init__(self, association: Any) -> None:
        self.association = association

    def store(self, sent: Message) -> int:
        """Status of the response."""
        context = next(
            context
            for context in self.association.accepted_contexts
            if (context.abstract_syntax, context.transfer_syntax[0]) == (sent.sop_class, sent.transfer_syntax)
        )
        request = C_STORE()
        request.MessageID = 1
        request.AffectedSOPClassUID = UID(sent.sop_class)
        request.AffectedSOPInstanceUID = UID(sent.sop_instance)
        request.Priority = 2
        request.DataSet = BytesIO(sent.dataset)
        # the association's own thread must not take the response
        self.association._reactor_checkpoint.clear()
        while not self.association._is_paused:
            time.sleep(0.001)
        try:
            self.association.dimse.send_msg(request, context.context_id)
            _, response = self.association.dimse.get_msg(block=True)
        finally:
            self.association._reactor_checkpoint.set()
        assert response is not None, "no answer"
        status: int = response.Status
        return status

    def echo(self) -> int:
        status: int = self.association.send_c_echo().Status
        return status


_TRIES: Final = 5
"""pynetdicom gives up when a rejection has come, and ended the connection, before it looks whether there is one: then,
and only then, it is asked again."""


_PATIENCE_S: Final = 120.0


def associate(
    port: int, contexts: Sequence[tuple[str, str | None]], *, called: str = "PULMONODE", calling: str = "SCANNER"
) -> Any:
    """Ask for an association; the caller looks whether it was granted.

    It is the node's own kind, of which no thread takes an answer away that another one waits for.
    """
    ae = AE(calling)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = _PATIENCE_S
    for sop_class, transfer_syntax in contexts:
        if transfer_syntax is None:
            ae.add_requested_context(sop_class)
        else:
            ae.add_requested_context(sop_class, transfer_syntax)
    for _ in range(_TRIES):
        units: list[type] = []
        heard = [(evt.EVT_PDU_RECV, lambda event, units=units: units.append(type(event.pdu)))]
        association = requestor(ae, ("127.0.0.1", port), called, roles=(), handlers=heard, tls=None, unit_s=_PATIENCE_S)
        association.request()
        if association.is_established:
            association.start()
        if association.is_rejected or A_ASSOCIATE_RJ not in units:
            break
    return association


@contextmanager
def client(port: int, *messages: Message, called: str = "PULMONODE", calling: str = "SCANNER") -> Iterator[Client]:
    """An association over which `messages` can be stored, and which can be verified."""
    kinds = dict.fromkeys((sent.sop_class, sent.transfer_syntax) for sent in messages)
    association = associate(port, [("1.2.840.10008.1.1", None), *kinds], called=called, calling=calling)
    assert association.is_established
    try:
        yield Client(association)
    finally:
        association.release()


def store_all(port: int, instances: Sequence[Dataset], *, calling: str = "SCANNER") -> list[int]:
    """Store instances over one association; the status of each."""
    messages = [message(instance) for instance in instances]
    with client(port, *messages, calling=calling) as sender:
        return [sender.store(sent) for sent in messages]
