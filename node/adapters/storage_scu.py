"""Send objects to other DICOM applications: Storage and Verification as SCU."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pydicom.errors import InvalidDicomError
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from node.adapters.association import Context, PeerAddress, associate
from node.adapters.deflate import deflate
from node.adapters.recode import Unwritable, recode
from node.adapters.store_client import NO_DICOM_FILE, StoreClient, Unsendable, connect
from node.ports import BEING_SENT, Sent, StoredFile, StoredResult
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import VERIFICATION

# PS3.7 annex C: success, warnings beside those from 0xB000 on, and a duplicate: the peer has the object
_STORED: Final = frozenset({0x0000, 0x0001, 0x0107, 0x0111, 0x0116})
_SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
_MAX_CONTEXTS: Final = 128
VERIFYING: Final = Context(VERIFICATION)


@dataclass(frozen=True, slots=True)
class Sendable:
    """A file and what must be negotiated to send it.

    Attributes
    ----------
    deflate
        Whether to send it compressed if the peer accepts that.
    charset
        Character set to write its text in first; empty to leave it as it is.
    """

    path: Path
    sop_class: str
    transfer_syntax: str
    deflate: bool = False
    charset: str = ""

    @property
    def contexts(self) -> tuple[tuple[str, str], ...]:
        """(SOP class, transfer syntax) of the presentation contexts in which it can be sent, the best first."""
        plain = (self.sop_class, self.transfer_syntax)
        return ((self.sop_class, DeflatedExplicitVRLittleEndian), plain) if self.deflate else (plain,)


def judge(status: int | None, peer: str) -> Sent:
    """Tell from the status of a C-STORE response whether the peer has the object (PS3.4 B.2.3, PS3.7 C).

    Examples
    --------
    >>> judge(0x0111, "PACS").fault is None  # a duplicate is there already
    True
    >>> judge(0xA700, "PACS").permanent, judge(0xA900, "PACS").permanent
    (False, True)
    """
    if status is None:
        reason = Rejected("NET-005", f"{peer} broke off without an answer.", "Look at the log of that system.")
        return Sent(None, reason)
    if status in _STORED or status >> 12 == 0xB:
        return Sent(status)
    permanent = status == _SOP_CLASS_NOT_SUPPORTED or status >> 12 == 0xC or status >> 8 == 0xA9
    reason = Rejected(
        "NET-003",
        f"{peer} answered with status 0x{status:04X}.",
        f"Look at the log of that system, then run `pulmonode send CASE --to {peer}`.",
    )
    return Sent(status, reason, permanent=permanent)


class StorageScu:
    """Calls peers under one AE title.

    Parameters
    ----------
    locate
        Path of a result's file.
    """

    def __init__(self, ae_title: str, peers: Iterable[PeerAddress], locate: Callable[[StoredFile], Path]) -> None:
        self._ae_title = ae_title
        self._peers: Mapping[str, PeerAddress] = {peer.name: peer for peer in peers}
        self._locate = locate

    def send(self, peer: str, results: Sequence[StoredResult]) -> Iterator[tuple[StoredResult, Sent]]:
        address = self._peers[peer]
        files = [
            Sendable(
                self._locate(made.file),
                made.sop_class,
                made.transfer_syntax,
                deflate=address.deflate and made.transfer_syntax == ExplicitVRLittleEndian,
                charset=address.charset,
            )
            for made in results
        ]
        yield from zip(results, self.send_files(address, files), strict=True)

    def send_files(self, peer: PeerAddress, files: Sequence[Sendable]) -> Iterator[Sent]:
        """Offer `files` to `peer` over as many associations as it allows; one answer for each, in order."""
        width = min(peer.associations, len(files))
        if width <= 1:
            yield from self._over_one_association(peer, files)
            return
        answers: list[Future[Sent]] = [Future() for _ in files]

        def send(first: int) -> None:
            mine = range(first, len(files), width)
            try:
                sent = self._over_one_association(peer, [files[number] for number in mine])
                for number, answer in zip(mine, sent, strict=True):
                    answers[number].set_result(answer)
            except BaseException as fault:
                for number in mine:
                    if not answers[number].done():
                        answers[number].set_exception(fault)

        with ThreadPoolExecutor(width, thread_name_prefix="store") as pool:
            for first in range(width):
                pool.submit(send, first)
            for answer in answers:
                yield answer.result()

    def _over_one_association(self, peer: PeerAddress, files: Sequence[Sendable]) -> Iterator[Sent]:
        # one context for each pair, so that no file has to be transcoded
        contexts = list(dict.fromkeys(context for file in files for context in file.contexts))[:_MAX_CONTEXTS]
        client = connect(self._ae_title, peer, contexts)
        if isinstance(client, Rejected):
            # an association with no context at all fails as one object does whose context is missing
            refused = client.code == "NET-004"
            for file in files:
                yield _not_accepted(file, peer.name) if refused else Sent(None, client)
            return
        try:
            for file in files:
                usable = [context for context in file.contexts if context in client.accepted]
                if not usable:
                    yield _not_accepted(file, peer.name)
                elif client.alive:
                    yield _store(client, file, usable[0][1], peer.name)
                else:
                    yield judge(None, peer.name)
        finally:
            client.release()

    def echo(self, peer: str) -> Rejected | None:
        association = associate(self._ae_title, self._peers[peer], [VERIFYING])
        if isinstance(association, Rejected):
            return association
        try:
            status = association.send_c_echo()
        except RuntimeError:  # the association is gone
            return judge(None, peer).fault
        association.close()
        return judge(status.get("Status"), peer).fault


def _store(client: StoreClient, file: Sendable, transfer_syntax: str, peer: str) -> Sent:
    context = (file.sop_class, transfer_syntax)
    try:
        if transfer_syntax == file.transfer_syntax and not file.charset:
            return judge(client.store(file.path, context), peer)
        with _as_wanted(file, transfer_syntax) as path:
            return judge(client.store(path, context), peer)
    except Unwritable as fault:
        reason = Rejected(
            "TXT-003",
            f"{fault} has characters that {file.charset}, the character set of {peer}, lacks.",
            f"Set charset of {peer} to one that has them, such as GB18030, or remove the key if it takes UTF-8.",
        )
        return Sent(None, reason, permanent=True)
    except (Unsendable, OSError, InvalidDicomError, AttributeError, ValueError) as fault:
        why = str(fault) if isinstance(fault, Unsendable) else getattr(fault, "strerror", None) or NO_DICOM_FILE
        return Sent(None, Rejected("RCV-005", f"A file cannot be sent: {why}.", "Look whether it can be read."))


@contextmanager
def _as_wanted(file: Sendable, transfer_syntax: str) -> Iterator[Path]:
    """The file as the peer gets it; what is made for that is gone after the transfer.

    It lies beside the result and not in a folder for all users, because it names the patient.
    """
    with TemporaryDirectory(dir=file.path.parent, prefix=BEING_SENT) as folder:
        path = file.path
        if file.charset:
            path = Path(folder, "recoded")
            with path.open("wb") as target:
                recode(file.path, target, file.charset)
        if transfer_syntax != file.transfer_syntax:
            plain, path = path, Path(folder, "deflated")
            with path.open("wb") as target:
                deflate(plain, target)
        yield path


def _not_accepted(file: Sendable, peer: str) -> Sent:
    reason = Rejected(
        "NET-004",
        f"{peer} does not accept class {file.sop_class} in transfer syntax {file.transfer_syntax}.",
        f"Enable that class in that system, then run `pulmonode send CASE --to {peer}`.",
    )
    return Sent(None, reason, permanent=True)
