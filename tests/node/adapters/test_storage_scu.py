"""Sending to real peers that take, refuse, reject, abort, stay silent or are not there."""

import socket
import threading
import time
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from node.adapters.association import PeerAddress
from node.adapters.storage_scu import Sendable, StorageScu, judge
from node.ports import Sent, StoredResult
from pipelines.domain.identifiers import CaseId
from tests.dicom import as_bytes, ct_series, seg_of
from tests.node.client import dataset_of
from tests.node.peers import ABORT, peer
from tests.node.refs import result
from tests.tools import free_port


@pytest.fixture(scope="module")
def instances() -> list[Dataset]:
    ct = ct_series(slices=3, rows=16, columns=16)
    return [*ct, seg_of(ct)]


@pytest.fixture
def files(instances: list[Dataset], tmp_path: Path) -> list[Sendable]:
    """Three CT slices and a segmentation."""
    made = []
    for number, instance in enumerate(instances):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(as_bytes(instance))
        made.append(Sendable(path, instance.SOPClassUID, instance.file_meta.TransferSyntaxUID))
    return made


def scu(*addresses: PeerAddress) -> StorageScu:
    return StorageScu("PULMONODE", addresses, lambda file: Path(file.path))


def codes(answers: list[Sent]) -> list[str | None]:
    return [None if answer.fault is None else answer.fault.code for answer in answers]


# what a status means


@pytest.mark.parametrize("status", [0x0000, 0x0001, 0x0107, 0x0111, 0x0116, 0xB000, 0xB006, 0xB007, 0xB00A])
def test_success_warnings_and_a_duplicate_mean_that_the_peer_has_the_object(status: int) -> None:
    assert judge(status, "PACS") == Sent(status)


@pytest.mark.parametrize("status", [0xA900, 0xA901, 0xA9FF, 0xC000, 0xC123, 0xCFFF, 0x0122])
def test_what_trying_again_cannot_change_is_permanent(status: int) -> None:
    sent = judge(status, "PACS")
    assert sent.fault is not None
    assert (sent.status, sent.fault.code, sent.permanent) == (status, "NET-003", True)
    assert f"0x{status:04X}" in sent.fault.detail


@pytest.mark.parametrize("status", [0xA700, 0xA7FF, 0x0110, 0x0124, 0x0213, 0xFE00])
def test_what_may_pass_is_tried_again(status: int) -> None:
    sent = judge(status, "PACS")
    assert sent.fault is not None
    assert (sent.status, sent.fault.code, sent.permanent) == (status, "NET-003", False)


def test_no_answer_is_tried_again() -> None:
    sent = judge(None, "PACS")
    assert sent.fault is not None
    assert (sent.status, sent.fault.code, sent.permanent) == (None, "NET-005", False)


# sending


def test_objects_arrive_unchanged_over_one_association(files: list[Sendable], instances: list[Dataset]) -> None:
    with peer() as pacs:
        assert list(scu().send_files(pacs.address(), files)) == [Sent(0x0000)] * 4
    assert pacs.stored == {str(instance.SOPInstanceUID): dataset_of(as_bytes(instance)) for instance in instances}
    assert (pacs.associations, pacs.calling) == (1, ["PULMONODE"])


def test_results_of_a_case_are_sent_by_the_name_of_the_peer(files: list[Sendable], instances: list[Dataset]) -> None:
    made: list[StoredResult] = []
    for number, (file, instance) in enumerate(zip(files, instances, strict=True)):
        one = result(CaseId(1), f"kind-{number}")
        made.append(
            replace(
                one,
                sop_class=instance.SOPClassUID,
                sop_instance=instance.SOPInstanceUID,
                file=replace(one.file, path=str(file.path)),
            )
        )
    with peer() as pacs:
        answers = list(scu(pacs.address()).send("archive", made))
    assert answers == [(one, Sent(0x0000)) for one in made]
    assert len(pacs.stored) == 4


@pytest.mark.parametrize(("accepted", "arrives_deflated"), [(True, True), (False, False)])
def test_a_result_goes_deflated_where_the_peer_accepts_that(
    files: list[Sendable], instances: list[Dataset], accepted: bool, arrives_deflated: bool
) -> None:
    made = [
        replace(
            result(CaseId(1), "sr-case"),
            sop_class=instances[3].SOPClassUID,
            sop_instance=instances[3].SOPInstanceUID,
            transfer_syntax=ExplicitVRLittleEndian,
            file=replace(result(CaseId(1), "sr-case").file, path=str(files[3].path)),
        )
    ]
    syntaxes = (ExplicitVRLittleEndian, *([DeflatedExplicitVRLittleEndian] if accepted else []))
    with peer(transfer_syntaxes=syntaxes) as pacs:
        address = replace(pacs.address(), deflate=True)
        assert list(scu(address).send("archive", made)) == [(made[0], Sent(0x0000))]
    (stored,) = pacs.stored.values()
    plain = dataset_of(files[3].path.read_bytes())
    inflated = zlib.decompress(stored, -zlib.MAX_WBITS) if arrives_deflated else stored
    assert inflated == plain
    assert [path.name for path in files[3].path.parent.glob(".sending*")] == []


def test_a_result_is_not_offered_deflated_to_a_peer_that_shall_not_get_it(
    files: list[Sendable], instances: list[Dataset]
) -> None:
    one = replace(
        result(CaseId(1), "sr-case"),
        sop_class=instances[3].SOPClassUID,
        sop_instance=instances[3].SOPInstanceUID,
        file=replace(result(CaseId(1), "sr-case").file, path=str(files[3].path)),
    )
    with peer() as pacs:
        list(scu(pacs.address()).send("archive", [one]))
    assert list(pacs.stored.values()) == [dataset_of(files[3].path.read_bytes())]


@pytest.mark.parametrize("variant", ["ts_jpegls", "ts_ivrle"])
def test_an_object_is_sent_in_the_transfer_syntax_that_it_is_stored_in(shared_data: Path, variant: str) -> None:
    path = min((shared_data / "variants" / variant / "ct").iterdir())
    meta = dcmread(path, stop_before_pixels=True).file_meta
    file = Sendable(path, meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    with peer() as pacs:
        (answer,) = scu().send_files(pacs.address(), [file])
    if variant == "ts_ivrle":
        assert list(pacs.stored.values()) == [dataset_of(path.read_bytes())]
    else:  # the peer takes uncompressed objects only
        assert codes([answer]) == ["NET-004"]


def test_objects_go_over_several_associations_where_the_peer_allows_it(
    files: list[Sendable], instances: list[Dataset]
) -> None:
    with peer() as pacs:
        answers = list(scu().send_files(replace(pacs.address(), associations=3), files))
    assert answers == [Sent(0x0000)] * 4
    assert pacs.stored == {str(instance.SOPInstanceUID): dataset_of(as_bytes(instance)) for instance in instances}
    assert pacs.associations == 3


def test_every_object_has_its_own_answer_however_many_associations_there_are(
    files: list[Sendable], tmp_path: Path
) -> None:
    gone = replace(files[1], path=tmp_path / "gone.dcm")
    with peer() as pacs:
        answers = list(scu().send_files(replace(pacs.address(), associations=2), [files[0], gone, *files[2:]]))
    assert codes(answers) == [None, "RCV-005", None, None]


def test_each_object_gets_its_own_answer(files: list[Sendable]) -> None:
    with peer() as pacs:
        pacs.answers = [0x0000, 0xA900, 0xB000, 0xA700]
        answers = list(scu().send_files(pacs.address(), files))
    assert [answer.status for answer in answers] == [0x0000, 0xA900, 0xB000, 0xA700]
    assert codes(answers) == [None, "NET-003", None, "NET-003"]
    assert [answer.permanent for answer in answers] == [False, True, False, False]


def test_what_the_peer_does_not_accept_is_refused_while_all_others_go(files: list[Sendable]) -> None:
    with peer(classes=[CTImageStorage]) as pacs:
        answers = list(scu().send_files(pacs.address(), [files[3], *files[:3]]))
    assert codes(answers) == ["NET-004", None, None, None]
    assert answers[0].permanent
    assert len(pacs.stored) == 3


def test_a_peer_that_accepts_nothing_of_all_this_is_told_apart_from_one_that_is_away(files: list[Sendable]) -> None:
    with peer(classes=[]) as pacs:
        answers = list(scu().send_files(pacs.address(), files))
    assert codes(answers) == ["NET-004"] * 4
    assert all(answer.permanent for answer in answers)


def test_a_transfer_syntax_that_the_peer_does_not_accept_is_named(files: list[Sendable]) -> None:
    strange = replace(files[0], transfer_syntax="1.2.840.10008.1.2.4.80")
    with peer() as pacs:
        answers = list(scu().send_files(pacs.address(), [strange, files[1]]))
    assert codes(answers) == ["NET-004", None]
    assert answers[0].fault is not None
    assert "1.2.840.10008.1.2.4.80" in answers[0].fault.detail


def test_a_peer_that_is_down_cannot_be_reached(files: list[Sendable]) -> None:
    away = PeerAddress("archive", "PACS", "127.0.0.1", free_port(), timeout_s=60)
    answers = list(scu().send_files(away, files))
    assert codes(answers) == ["NET-001"] * 4
    assert not any(answer.permanent for answer in answers)


def test_a_peer_that_nobody_knows_the_address_of_cannot_be_reached(files: list[Sendable]) -> None:
    away = PeerAddress("archive", "PACS", "no-such-host.invalid", 104, timeout_s=60)
    assert codes(list(scu().send_files(away, files[:1]))) == ["NET-001"]


def test_a_peer_that_knows_another_ae_title_rejects(files: list[Sendable]) -> None:
    with peer() as pacs:
        answers = list(scu().send_files(pacs.address(ae_title="OTHER"), files))
    assert codes(answers) == ["NET-002"] * 4
    assert answers[0].fault is not None
    assert "not called OTHER" in answers[0].fault.detail


def test_when_the_peer_aborts_half_way_the_rest_is_for_later(files: list[Sendable]) -> None:
    started = time.monotonic()
    with peer() as pacs:
        pacs.answers = [0x0000, ABORT]
        # longer than the test may take: nobody waits for an answer that cannot come
        answers = list(scu().send_files(pacs.address(timeout_s=600), files))
    assert codes(answers) == [None, "NET-005", "NET-005", "NET-005"]
    assert time.monotonic() - started < 280
    assert not any(answer.permanent for answer in answers)
    assert len(pacs.stored) == 1


def test_a_peer_that_falls_silent_is_given_up_after_its_timeout(files: list[Sendable]) -> None:
    answer_again, answered = threading.Event(), []

    def wait() -> None:
        answered.append(answer_again.wait(280))

    with peer(before_answer=wait) as pacs:
        # enough for a busy machine to come to the first object
        answers = list(scu().send_files(pacs.address(timeout_s=4), files))
        assert answered == []
        answer_again.set()
    assert codes(answers) == ["NET-005"] * 4


def test_a_peer_that_listens_and_says_nothing_is_given_up_after_its_timeout(files: list[Sendable]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = PeerAddress("archive", "PACS", "127.0.0.1", silent.getsockname()[1], timeout_s=1)
        started = time.monotonic()
        assert codes(list(scu().send_files(address, files[:1]))) == ["NET-001"]
        assert time.monotonic() - started < 100


def test_a_file_that_has_gone_does_not_keep_the_others_from_going(files: list[Sendable]) -> None:
    files[1].path.unlink()
    with peer() as pacs:
        answers = list(scu().send_files(pacs.address(), files))
    assert codes(answers) == [None, "RCV-005", None, None]
    assert not answers[1].permanent
    assert len(pacs.stored) == 3


def test_a_file_that_is_no_dicom_file_does_not_keep_the_others_from_going(files: list[Sendable]) -> None:
    files[1].path.write_bytes(b"holiday pictures")
    with peer() as pacs:
        answers = list(scu().send_files(pacs.address(), files))
    assert codes(answers) == [None, "RCV-005", None, None]
    assert len(pacs.stored) == 3


def test_a_deflated_object_is_sent_as_it_is(tmp_path: Path, instances: list[Dataset]) -> None:
    copy = dcmread(BytesIO(as_bytes(instances[0])))
    copy.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    copy.save_as(tmp_path / "deflated.dcm")
    with peer() as pacs:
        file = Sendable(tmp_path / "deflated.dcm", CTImageStorage, DeflatedExplicitVRLittleEndian)
        assert list(scu().send_files(pacs.address(), [file])) == [Sent(0x0000)]
    assert list(pacs.stored.values()) == [dataset_of((tmp_path / "deflated.dcm").read_bytes())]


# verification


def test_a_peer_that_answers_is_verified() -> None:
    with peer() as pacs:
        assert scu(pacs.address()).echo("archive") is None


def test_a_peer_that_does_not_answer_is_told_with_its_reason() -> None:
    away = PeerAddress("archive", "PACS", "127.0.0.1", free_port(), timeout_s=60)
    fault = scu(away).echo("archive")
    assert fault is not None
    assert fault.code == "NET-001"
    with peer() as pacs:
        fault = scu(pacs.address(ae_title="OTHER")).echo("archive")
    assert fault is not None
    assert fault.code == "NET-002"


def test_a_peer_without_verification_does_not_accept_it() -> None:
    with peer(classes=[CTImageStorage], verification=False) as pacs:
        fault = scu(pacs.address()).echo("archive")
    assert fault is not None
    assert fault.code == "NET-004"
