"""Send objects to other DICOM applications: Storage and Verification as SCU."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pydicom.errors import InvalidDicomError
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian
from pynetdicom import _config

from node.adapters.association import Context, PeerAddress, associate
from node.adapters.deflate import deflate
from node.adapters.recode import Unwritable, recode
from node.ports import Sent, StoredFile, StoredResult
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
        # send from the file piece by piece: the bytes stay as they are and memory stays small
        _config.STORE_SEND_CHUNKED_DATASET = True

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
        """Offer `files` to `peer` over one association; one answer for each, in order."""
        # one context for each pair, so that no file has to be transcoded
        contexts = list(dict.fromkeys(context for file in files for context in file.contexts))[:_MAX_CONTEXTS]
        association = associate(self._ae_title, peer, [Context(sop_class, (syntax,)) for sop_class, syntax in contexts])
        if isinstance(association, Rejected):
            # an association with no context at all fails as one object does whose context is missing
            refused = association.code == "NET-004"
            for file in files:
                yield _not_accepted(file, peer.name) if refused else Sent(None, association)
            return
        accepted = {
            (str(context.abstract_syntax), str(context.transfer_syntax[0])) for context in association.accepted_contexts
        }
        lost = False
        try:
            for file in files:
                usable = [context for context in file.contexts if context in accepted]
                if not usable:
                    yield _not_accepted(file, peer.name)
                    continue
                # an association that was aborted may seem established for another moment
                sent = judge(None, peer.name) if lost else _store(association, file, usable[0][1], peer.name)
                lost = sent.fault is not None and sent.fault.code == "NET-005"
                yield sent
        finally:
            if association.is_established:
                association.abort() if lost else association.release()

    def echo(self, peer: str) -> Rejected | None:
        association = associate(self._ae_title, self._peers[peer], [VERIFYING])
        if isinstance(association, Rejected):
            return association
        try:
            status = association.send_c_echo()
        except RuntimeError:  # the association is gone
            return judge(None, peer).fault
        if association.is_established:
            association.release()
        return judge(status.get("Status"), peer).fault


def _store(association: Any, file: Sendable, transfer_syntax: str, peer: str) -> Sent:
    try:
        if transfer_syntax == file.transfer_syntax and not file.charset:
            status = association.send_c_store(file.path)
        else:
            with _as_wanted(file, transfer_syntax) as path:
                status = association.send_c_store(path)
    except Unwritable as fault:
        reason = Rejected(
            "TXT-003",
            f"{fault} has characters that {file.charset}, the character set of {peer}, lacks.",
            f"Set charset of {peer} to one that has them, such as GB18030, or remove the key if it takes UTF-8.",
        )
        return Sent(None, reason, permanent=True)
    except RuntimeError:  # the association is gone
        return judge(None, peer)
    except (OSError, InvalidDicomError, AttributeError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or "it is no DICOM file, or not the one that it was"
        return Sent(None, Rejected("RCV-005", f"A file cannot be sent: {why}.", "Look whether it can be read."))
    return judge(status.get("Status"), peer)


@contextmanager
def _as_wanted(file: Sendable, transfer_syntax: str) -> Iterator[Path]:
    """The file as the peer gets it; what is made for that is gone after the transfer.

    It lies beside the result and not in a folder for all users, because it names the patient.
    """
    with TemporaryDirectory(dir=file.path.parent, prefix=".sending-") as folder:
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
