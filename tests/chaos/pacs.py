"""A PACS of many moods, with an exact memory of what it took."""

import hashlib
import random
import threading
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from pydicom import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from node.adapters.commitment import read_request, send_report
from node.ports import CommitmentReport
from pipelines.domain.sop_classes import RESULT_CLASSES, STORAGE_COMMITMENT, VERIFICATION

_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
GOOD = "good"
MOODS = (
    GOOD,
    "down",
    "slow",
    "aborts before it stores",
    "stores and aborts",
    "full",
    "knows duplicates",
    "never reports",
)
TAKES_NOTHING = frozenset({"down", "aborts before it stores", "full"})


class MoodyPacs:
    """A storage SCP in this process whose mood the caller sets.

    Attributes
    ----------
    kept
        SHA-256 of the data set of each store that was kept, by SOP Instance UID, in the order of arrival.
    """

    def __init__(self, *, ae_title: str = "MOODY") -> None:
        self.kept: dict[str, list[str]] = defaultdict(list)
        self.answers: Counter[str] = Counter()
        self.mood = GOOD
        self._series: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()
        self._ae = AE(ae_title)
        for syntax in sorted(RESULT_CLASSES | {STORAGE_COMMITMENT, VERIFICATION, _FIND}):
            self._ae.add_supported_context(
                syntax, [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
            )
        self._server: Any = None
        self._port = 0

    def start(self) -> int:
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._commit),
            (evt.EVT_C_FIND, self._find),
        ]
        self._server = self._ae.start_server(("127.0.0.1", self._port), block=False, evt_handlers=handlers)
        self._port = self._server.socket.getsockname()[1]
        return self._port

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            for association in server.active_associations:
                association.abort()
            server.shutdown()

    def feel(self, mood: str) -> None:
        """Change the mood; a PACS that is down hears nothing at all."""
        self.mood = mood
        if mood == "down":
            self.stop()
        elif self._server is None:
            self.start()

    def _store(self, event: Any) -> int:
        mood = self.mood
        self.answers[mood] += 1
        if mood == "slow":
            time.sleep(random.Random(self.answers[mood]).uniform(0.2, 3))
        if mood == "aborts before it stores":
            event.assoc.abort()
            return 0xA700
        if mood == "full":
            return 0xA700
        uid = str(event.request.AffectedSOPInstanceUID)
        data_set, data = event.dataset, event.encoded_dataset(include_meta=False)
        if event.context.transfer_syntax == DeflatedExplicitVRLittleEndian:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data)
        with self._lock:
            if mood == "knows duplicates" and self.kept.get(uid):
                return 0x0111
            self.kept[uid].append(hashlib.sha256(data).hexdigest())
            self._series[uid] = (str(data_set.StudyInstanceUID), str(data_set.SeriesInstanceUID))
        if mood == "stores and aborts":
            event.assoc.abort()
        return 0x0000

    def _commit(self, event: Any) -> tuple[int, None]:
        asked = read_request(event.action_information)
        if asked is None:
            return 0x0115, None
        if self.mood == "never reports":
            return 0x0000, None
        transaction, objects = asked
        report = CommitmentReport(
            transaction,
            tuple(one for one in objects if self.kept.get(one.sop_instance)),
            tuple((one, 0x0112) for one in objects if not self.kept.get(one.sop_instance)),
        )
        association = event.assoc

        def answered(event: Any) -> None:
            association.unbind(evt.EVT_DIMSE_SENT, answered)
            threading.Thread(target=send_report, args=(association, report, "the node"), daemon=True).start()

        association.bind(evt.EVT_DIMSE_SENT, answered)
        return 0x0000, None

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        keys = event.identifier
        with self._lock:
            found = [uid for uid, key in self._series.items() if key == (keys.StudyInstanceUID, keys.SeriesInstanceUID)]
        for uid in found:
            answer = Dataset()
            answer.QueryRetrieveLevel = "IMAGE"
            answer.SOPInstanceUID = uid
            yield 0xFF00, answer
