"""The receiving service over real associations: whom it lets in, what each is told, and what is then on the disk."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedCTImageStorage,
    MRImageStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

from node.adapters.ledger import SqlLedger
from node.adapters.spool import FileSpool
from node.adapters.spool_identity import NAME
from node.adapters.storage_scp import TRANSFER_SYNTAXES, StorageScp
from node.errors import TransientError
from node.logs import Log
from node.ports import Receipt, Sender, StoredFile
from node.services.receive import Receiver
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID
from pipelines.domain.instance import InstanceRef
from pipelines.domain.sop_classes import CT_IMAGES, SEGMENTATIONS
from tests.ct_variants import stored_unsigned
from tests.dicom import as_bytes, ct_series, rtstruct_of, seg_of
from tests.encodings import LOSSLESS, LOSSY
from tests.node.client import Message, associate, client, dataset_of, message, store_all
from tests.node.doors import rules
from tests.node.doubles import FailingSpool, SetClock
from tests.tools import wait_for

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
Start = Callable[..., int]


@pytest.fixture(scope="module")
def ct() -> list[Dataset]:
    return ct_series(slices=3, rows=16, columns=16)


@pytest.fixture
def spool(tmp_path: Path) -> FailingSpool:
    return FailingSpool(FileSpool(tmp_path / "spool", min_free_bytes=0))


@pytest.fixture
def start(spool: FailingSpool, sqlite_ledger: SqlLedger, clock: SetClock) -> Iterator[Start]:
    """Starts a receiving service with the given differences from the usual settings; its port."""
    running: list[StorageScp] = []

    def start(
        *,
        extra: tuple[str, ...] = (),
        calling_ae_titles: tuple[str, ...] = (),
        require_called_ae_title: bool = True,
        max_associations: int = 10,
        ledger: SqlLedger | None = None,
    ) -> int:
        scp = StorageScp(
            Receiver(spool, ledger or sqlite_ledger, clock, Log("receive")),
            Log("receive"),
            rules(
                calling_ae_titles=calling_ae_titles,
                require_called_ae_title=require_called_ae_title,
                max_associations=max_associations,
            ),
            storage_classes=CT_IMAGES | SEGMENTATIONS | {SopClassUID(uid) for uid in extra},
        )
        running.append(scp)
        return scp.start("127.0.0.1", 0)

    yield start
    for scp in running:
        scp.stop()


def files_in(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "spool").rglob("*") if path.is_file() and path.name != NAME]


def encoded(instance: Dataset, transfer_syntax: str) -> bytes:
    """The instance as a file in another transfer syntax; its pixels are not looked at, and stay as they are."""
    copy = dcmread(BytesIO(as_bytes(instance)))
    copy.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    buffer = BytesIO()
    dcmwrite(
        buffer,
        copy,
        implicit_vr=transfer_syntax == ImplicitVRLittleEndian,
        little_endian=transfer_syntax != ExplicitVRBigEndian,
        # pixels would have to be turned around as well, which pydicom leaves to others
        force_encoding=transfer_syntax == ExplicitVRBigEndian,
    )
    return buffer.getvalue()


# negotiation


def test_a_c_echo_is_answered(start: Start) -> None:
    with client(start()) as sender:
        assert sender.echo() == 0x0000


def test_ct_images_and_segmentations_are_accepted_and_other_classes_are_not(start: Start) -> None:
    wanted = {
        CTImageStorage,
        EnhancedCTImageStorage,
        LegacyConvertedEnhancedCTImageStorage,
        SegmentationStorage,
        LABEL_MAP,
        RTStructureSetStorage,
    }
    asked = [*wanted, MRImageStorage, "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.2.2.1"]
    association = associate(start(), [(uid, ExplicitVRLittleEndian) for uid in asked])
    assert {context.abstract_syntax for context in association.accepted_contexts} == wanted
    association.release()


def test_another_storage_class_is_accepted_when_it_is_configured(start: Start) -> None:
    association = associate(start(extra=(MRImageStorage,)), [(MRImageStorage, ExplicitVRLittleEndian)])
    assert len(association.accepted_contexts) == 1
    association.release()


def test_a_compression_that_no_worker_can_decode_is_not_accepted(start: Start) -> None:
    mpeg2 = "1.2.840.10008.1.2.4.100"
    association = associate(start(), [(CTImageStorage, mpeg2), (CTImageStorage, ExplicitVRLittleEndian)])
    assert [context.transfer_syntax[0] for context in association.accepted_contexts] == [ExplicitVRLittleEndian]
    association.release()


def test_an_association_that_calls_another_ae_title_is_rejected(start: Start) -> None:
    port = start()
    assert associate(port, [(CTImageStorage, None)], called="SOMEBODY").is_rejected
    assert not associate(port, [(CTImageStorage, None)], called="PULMONODE").is_rejected


def test_the_called_ae_title_does_not_matter_when_that_is_configured(start: Start) -> None:
    with client(start(require_called_ae_title=False), called="SOMEBODY") as sender:
        assert sender.echo() == 0x0000


def test_only_those_on_the_list_may_call(start: Start) -> None:
    port = start(calling_ae_titles=("CT1", "CT2"))
    assert associate(port, [(CTImageStorage, None)], calling="CT3").is_rejected
    with client(port, calling="CT2") as sender:
        assert sender.echo() == 0x0000


def test_one_association_too_many_is_rejected_until_another_ends(start: Start) -> None:
    port = start(max_associations=1)
    with client(port):
        assert associate(port, [(CTImageStorage, None)]).is_rejected

    def let_in() -> Any:
        association = associate(port, [(CTImageStorage, None)])
        return association if association.is_established else None

    # the place of the first is free when its connection is closed, which is after its release
    wait_for("a place", let_in).release()


# storing


def test_a_series_and_what_was_drawn_on_it_are_stored(start: Start, ct: list[Dataset], tmp_path: Path) -> None:
    instances = [*ct, seg_of(ct), rtstruct_of(ct, {1: [(1, [(-4.0, -4.0), (4.0, -4.0), (0.0, 4.0)])]})]
    assert store_all(start(), instances) == [0x0000] * 5
    assert len(files_in(tmp_path)) == 5


def test_an_instance_is_on_the_disk_and_in_the_ledger_when_it_is_acknowledged(
    start: Start, ct: list[Dataset], spool: FailingSpool, sqlite_ledger: SqlLedger
) -> None:
    sent = message(ct[0])
    with client(start(), sent) as sender:
        assert sender.store(sent) == 0x0000
        file = sqlite_ledger.known(SopInstanceUID(sent.sop_instance))
        assert file is not None
        assert spool.path(file).stat().st_size == file.size


def test_the_ledger_hears_of_an_instance_when_its_file_is_there_and_not_before(
    start: Start, ct: list[Dataset], spool: FailingSpool, sqlite_ledger: SqlLedger
) -> None:
    seen: list[bool] = []

    class Watching(SqlLedger):
        def __init__(self) -> None:
            """Look at the disk at each receipt."""

        def received(self, ref: InstanceRef, file: StoredFile, sender: Sender, *, at: object) -> Receipt:
            seen.append(spool.path(file).stat().st_size == file.size)
            raise TransientError("RCV-005", "The ledger cannot be written.")

        def refused(self, *arguments: object, **options: object) -> None:
            seen.append(True)

    assert store_all(start(ledger=Watching()), ct[:1]) == [0xA700]
    assert seen == [True, True]
    assert sqlite_ledger.known(SopInstanceUID(ct[0].SOPInstanceUID)) is None


def test_a_sender_is_told_to_come_again_while_the_disk_is_full(
    start: Start, ct: list[Dataset], spool: FailingSpool, tmp_path: Path, sqlite_ledger: SqlLedger
) -> None:
    sent = message(ct[0])
    spool.fault = TransientError("RCV-003", "The spool has 3 MB left.")
    with client(start(), sent) as sender:
        assert sender.store(sent) == 0xA700
        assert sqlite_ledger.overview(limit=1).instances == 0
        spool.fault = None
        assert sender.store(sent) == 0x0000
    assert len(files_in(tmp_path)) == 1


def test_a_bug_is_answered_as_a_failure_and_the_association_goes_on(
    start: Start, ct: list[Dataset], spool: FailingSpool, caplog: pytest.LogCaptureFixture
) -> None:
    sent = message(ct[0])
    spool.fault = ZeroDivisionError("a bug")
    with caplog.at_level(logging.ERROR, "pulmonode"), client(start(), sent) as sender:
        assert sender.store(sent) == 0xC211
        spool.fault = None
        assert sender.store(sent) == 0x0000
    # pynetdicom's threads of other tests may have something to say as well
    ours = [record for record in caplog.records if record.name.startswith("pulmonode")]
    assert [record.getMessage() for record in ours] == ["receive_failed"]
    assert ours[0].exc_info is not None


def test_a_data_set_of_another_instance_than_announced_is_refused(
    start: Start, ct: list[Dataset], tmp_path: Path, sqlite_ledger: SqlLedger
) -> None:
    sent = message(ct[0])
    other_instance = replace(sent, sop_instance="1.2.3")
    other_class = replace(sent, sop_class=EnhancedCTImageStorage)
    with client(start(), sent, other_class) as sender:
        assert sender.store(other_instance) == 0xA900
        assert sender.store(other_class) == 0xA900
    assert files_in(tmp_path) == []
    (refusal,) = sqlite_ledger.overview(limit=1).refusals
    assert (refusal.calling_ae_title, refusal.code, refusal.count) == ("SCANNER", "RCV-002", 2)


@pytest.mark.parametrize("keep", [2, 7, 200, -1])
def test_a_data_set_that_was_cut_short_is_refused(
    start: Start, ct: list[Dataset], tmp_path: Path, sqlite_ledger: SqlLedger, keep: int
) -> None:
    whole = message(ct[0])
    sent = replace(whole, dataset=whole.dataset[:keep])
    with client(start(), sent) as sender:
        assert sender.store(sent) == 0xC000
        assert sender.store(whole) == 0x0000
    assert len(files_in(tmp_path)) == 1
    (refusal,) = sqlite_ledger.overview(limit=1).refusals
    assert (refusal.code, refusal.count) == ("RCV-001", 1)


def test_refusals_are_counted_for_each_sender(start: Start, ct: list[Dataset], sqlite_ledger: SqlLedger) -> None:
    port = start()
    sent = replace(message(ct[0]), dataset=b"rubbish")
    for calling in ("CT1", "CT2", "CT1"):
        with client(port, sent, calling=calling) as sender:
            sender.store(sent)
    counted = {row.calling_ae_title: row.count for row in sqlite_ledger.overview(limit=1).refusals}
    assert counted == {"CT1": 2, "CT2": 1}


def test_the_same_instance_again_is_acknowledged_and_adds_nothing(
    start: Start, ct: list[Dataset], tmp_path: Path, sqlite_ledger: SqlLedger
) -> None:
    port = start()
    drawn = seg_of(ct)
    for calling in ("CT1", "CT2"):
        assert store_all(port, [drawn], calling=calling) == [0x0000]
    assert len(files_in(tmp_path)) == 1
    overview = sqlite_ledger.overview(limit=5)
    assert (overview.instances, len(overview.cases), overview.cases[0].calling_ae_title) == (1, 1, "CT1")


def test_other_bytes_under_a_known_uid_draw_a_warning_and_the_first_are_kept(
    start: Start, ct: list[Dataset], spool: FailingSpool, sqlite_ledger: SqlLedger
) -> None:
    first = message(ct[0])
    changed = dcmread(BytesIO(as_bytes(ct[0])))
    changed.SeriesDescription = "Changed"
    with client(start(), first) as sender:
        assert [sender.store(first), sender.store(message(changed)), sender.store(first)] == [0x0000, 0xB000, 0x0000]
    file = sqlite_ledger.known(SopInstanceUID(first.sop_instance))
    assert file is not None
    assert dataset_of(spool.read(file)) == first.dataset


@pytest.mark.parametrize(
    "transfer_syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
def test_the_bytes_of_a_data_set_stay_as_they_came(
    start: Start, ct: list[Dataset], spool: FailingSpool, sqlite_ledger: SqlLedger, transfer_syntax: str
) -> None:
    _stays_as_it_came(start(), message(encoded(ct[0], transfer_syntax)), spool, sqlite_ledger)


@pytest.mark.parametrize("variant", ["ts_jpegls", "ts_ivrle", "ts_jpeg_lossless_sv1", "enhanced_legacy_highdicom"])
def test_the_bytes_of_a_real_data_set_stay_as_they_came(
    start: Start, shared_data: Path, spool: FailingSpool, sqlite_ledger: SqlLedger, variant: str
) -> None:
    path = min((shared_data / "variants" / variant / "ct").iterdir())
    _stays_as_it_came(start(), message(path.read_bytes()), spool, sqlite_ledger)


@pytest.mark.parametrize("transfer_syntax", TRANSFER_SYNTAXES)
def test_a_ct_in_any_transfer_syntax_is_accepted_and_kept_as_it_came(
    start: Start, tmp_path: Path, spool: FailingSpool, sqlite_ledger: SqlLedger, transfer_syntax: str
) -> None:
    [instance] = ct_series(slices=1, rows=64, columns=64)
    buffer = BytesIO()
    coded = (LOSSLESS | LOSSY)[transfer_syntax](stored_unsigned(instance), tmp_path)
    dcmwrite(
        buffer,
        coded,
        implicit_vr=transfer_syntax == ImplicitVRLittleEndian,
        little_endian=transfer_syntax != ExplicitVRBigEndian,
        force_encoding=True,
    )
    _stays_as_it_came(start(), message(buffer.getvalue()), spool, sqlite_ledger)


def _stays_as_it_came(port: int, sent: Message, spool: FailingSpool, ledger: SqlLedger) -> None:
    with client(port, sent) as sender:
        assert sender.store(sent) == 0x0000
    file = ledger.known(SopInstanceUID(sent.sop_instance))
    assert file is not None
    data = spool.read(file)
    assert dataset_of(data) == sent.dataset
    meta = dcmread(BytesIO(data), stop_before_pixels=True).file_meta
    assert meta.TransferSyntaxUID == sent.transfer_syntax
    assert meta.MediaStorageSOPInstanceUID == sent.sop_instance


def test_many_senders_at_once_lose_nothing(start: Start, tmp_path: Path, sqlite_ledger: SqlLedger) -> None:
    port = start()
    series = [ct_series(slices=5, rows=8, columns=8, seed=seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda instances: store_all(port, instances), series))
    assert told == [[0x0000] * 5] * 4
    assert len(files_in(tmp_path)) == sqlite_ledger.overview(limit=1).instances == 20


def test_a_port_that_is_taken_cannot_be_bound(start: Start, spool: FailingSpool, sqlite_ledger: SqlLedger) -> None:
    port = start()
    other = StorageScp(
        Receiver(spool, sqlite_ledger, SetClock(), Log("receive")),
        Log("receive"),
        rules(),
        storage_classes=CT_IMAGES,
    )
    with pytest.raises(OSError, match="in use"):
        other.start("127.0.0.1", port)
