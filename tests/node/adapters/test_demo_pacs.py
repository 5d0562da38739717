"""The small PACS of the demo."""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from node.adapters.association import PeerAddress
from node.adapters.commitment import CommitmentScu
from node.adapters.demo_pacs import DemoPacs
from node.ports import CommitmentReport, ObjectRef
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID
from tests.dicom import as_bytes, ct_series, seg_of
from tests.node.client import associate, client, dataset_of, message


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[DemoPacs]:
    made = DemoPacs(tmp_path / "pacs")
    yield made
    made.stop()


def test_it_keeps_what_it_is_sent_and_tells_what_it_has(pacs: DemoPacs) -> None:
    ct = ct_series(slices=3, rows=16, columns=16)
    instances = [*ct, seg_of(ct)]
    messages = [message(instance) for instance in instances]
    with client(pacs.start(), *messages, called="DEMOPACS") as sender:
        assert [sender.store(sent) for sent in messages] == [0x0000] * 4
        assert sender.echo() == 0x0000
    stored = pacs.stored()
    assert {uid: sop_class for uid, (sop_class, _) in stored.items()} == {
        instance.SOPInstanceUID: instance.SOPClassUID for instance in instances
    }
    for instance in instances:
        path = stored[instance.SOPInstanceUID][1]
        assert dataset_of(path.read_bytes()) == dataset_of(as_bytes(instance))
        assert dcmread(BytesIO(path.read_bytes())).SOPInstanceUID == instance.SOPInstanceUID


def test_an_identifier_that_is_no_uid_names_no_file(pacs: DemoPacs, tmp_path: Path) -> None:
    sent = replace(message(ct_series(slices=3, rows=16, columns=16)[0]), sop_instance="../../escaped")
    with client(pacs.start(), sent, called="DEMOPACS") as sender:
        assert sender.store(sent) == 0xA900
    assert pacs.stored() == {}
    assert list(tmp_path.rglob("*escaped*")) == []


def test_nothing_else_than_images_segmentations_and_results_is_taken(pacs: DemoPacs) -> None:
    association = associate(pacs.start(), [("1.2.840.10008.5.1.4.1.1.104.3", None)], called="DEMOPACS")
    assert association.accepted_contexts == []


def test_it_reports_what_it_keeps_and_what_it_does_not(tmp_path: Path) -> None:
    pacs = DemoPacs(tmp_path / "pacs", commits=True)
    port = pacs.start()
    ct = ct_series(slices=3, rows=16, columns=16)
    messages = [message(instance) for instance in ct[:2]]
    with client(port, *messages, called="DEMOPACS") as sender:
        assert [sender.store(sent) for sent in messages] == [0x0000] * 2
    objects = [ObjectRef(SopClassUID(one.SOPClassUID), SopInstanceUID(one.SOPInstanceUID)) for one in ct]
    taken: list[CommitmentReport] = []

    def take(ae_title: str, report: CommitmentReport) -> bool:
        taken.append(report)
        return True

    scu = CommitmentScu("PULMONODE", [PeerAddress("demo", "DEMOPACS", "127.0.0.1", port, 120)], hold_s=120)
    assert scu.request("demo", "1.2.3", objects, take=take, answered=lambda: False) is None
    pacs.stop()
    assert taken == [CommitmentReport("1.2.3", tuple(objects[:2]), ((objects[2], 0x0112),))]
