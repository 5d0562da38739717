"""Take one instance in: validate it, make it durable, record it, and only then say that it is stored."""

from contextlib import closing
from dataclasses import dataclass
from typing import Final

from node.errors import TransientError
from node.faults import fault_point
from node.logs import Log
from node.meters import SILENT, Meters
from node.ports import Clock, Draft, Ledger, Receipt, Sender, Spool
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID
from pipelines.domain.instance import InstanceRef
from pipelines.domain.reasons import Rejected
from pipelines.imaging.header import parse_ref

# PS3.4 table B.2-1
SUCCESS: Final = 0x0000
OUT_OF_RESOURCES: Final = 0xA700
DATA_SET_DOES_NOT_MATCH: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000
COERCION: Final = 0xB000
"""Warning: the object was kept, but not in the place of the one with the same UID."""

_REMEDIES: Final = {
    "RCV-003": "Free space on the data disk; the sender can send again.",
    "RCV-008": "Mount the disk or the file server of the spool again; the sender can send again.",
}


@dataclass(frozen=True, slots=True)
class Announced:
    """What the C-STORE request says of the data set that follows it."""

    sop_class: SopClassUID
    sop_instance: SopInstanceUID


class Receiver:
    """The use case behind a C-STORE request."""

    def __init__(self, spool: Spool, ledger: Ledger, clock: Clock, log: Log, *, meters: Meters = SILENT) -> None:
        self._spool = spool
        self._ledger = ledger
        self._clock = clock
        self._log = log
        self._meters = meters

    def receive(self, data: bytes, announced: Announced, sender: Sender) -> int:
        """Store one instance.

        Parameters
        ----------
        data
            The instance as a Part 10 file.

        Returns
        -------
        int
            Status of the C-STORE response (PS3.4 B.2.3); 0x0000 only when file and ledger row are on the disk.
        """
        try:
            draft = self._spool.draft()
            with closing(draft):
                draft.write(data)
                return self.take(draft, announced, sender)
        except TransientError as fault:
            return self.turn_away(fault, sender)

    def begin(self) -> Draft:
        """A draft for `take`; raises `TransientError` when the spool takes nothing."""
        return self._spool.draft()

    def take(self, draft: Draft, announced: Announced, sender: Sender) -> int:
        """Store an instance that has been written to a draft, as `receive` does; the caller closes the draft."""
        with self._meters.timing("store"):
            status = self._take(draft, announced, sender)
        if status != OUT_OF_RESOURCES:  # counted where it is turned away, in whatever way that came about
            self._meters.received(announced.sop_class, status, draft.size if status in (SUCCESS, COERCION) else 0)
        return status

    def _take(self, draft: Draft, announced: Announced, sender: Sender) -> int:
        with draft.content() as content:
            ref = parse_ref(content)
        if isinstance(ref, Rejected):
            return self._refuse(CANNOT_UNDERSTAND, ref, sender)
        if (ref.sop_class, ref.sop_instance) != (announced.sop_class, announced.sop_instance):
            reason = Rejected(
                "RCV-002",
                f"The request announces instance {announced.sop_instance} of class {announced.sop_class}, the "
                f"data set is "
                f"{ref.sop_instance} of class {ref.sop_class}.",
                "Check the sending system and send the instance again.",
            )
            return self._refuse(DATA_SET_DOES_NOT_MATCH, reason, sender)
        try:
            receipt = self._store(ref, draft, sender)
        except TransientError as fault:
            return self.turn_away(fault, sender)
        self._log.debug("instance_received", sop=ref.sop_instance, receipt=receipt.value, bytes=draft.size)
        return COERCION if receipt is Receipt.CONFLICT else SUCCESS

    def turn_away(self, fault: TransientError, sender: Sender) -> int:
        """Refuse an instance for what is wrong here; the status of the response."""
        self._meters.received("", OUT_OF_RESOURCES, 0)
        remedy = _REMEDIES.get(fault.code, "Look at the data disk and the ledger; the sender can send again.")
        reason = Rejected(fault.code, str(fault), remedy)
        return self._refuse(OUT_OF_RESOURCES, reason, sender)

    def _store(self, ref: InstanceRef, draft: Draft, sender: Sender) -> Receipt:
        file = draft.keep(ref)
        receipt = self._ledger.received(ref, file, sender, at=self._clock())
        fault_point("receive.recorded")
        if not self._spool.holds(file):
            # the same file had been given up and was removed just before; now that it is needed again it stays
            draft.keep(ref)
        if receipt is Receipt.CONFLICT:
            self._log.warning(
                "instance_conflicts",
                code="RCV-004",
                ae=sender.calling_ae_title,
                sop=ref.sop_instance,
                reason="Other bytes are stored under its UID; these were kept beside them and are not used.",
            )
        return receipt

    def note(self, reason: Rejected, sender: Sender) -> None:
        """Count a refusal that the sender is told of in another way than by a status."""
        self._refuse(CANNOT_UNDERSTAND, reason, sender)

    def _refuse(self, status: int, reason: Rejected, sender: Sender) -> int:
        self._log.warning(
            "instance_refused",
            code=reason.code,
            ae=sender.calling_ae_title,
            status=f"0x{status:04X}",
            reason=reason.detail,
        )
        try:
            self._ledger.refused(sender.calling_ae_title, reason, at=self._clock())
        except TransientError as fault:
            self._log.error("refusal_not_recorded", code=fault.code)
        return status
