"""Sending files and folders to the running node."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import MRImageStorage
from rich.console import Console

from node.adapters.storage_scp import StorageScp
from node.adapters.storage_scu import Sendable
from node.bootstrap.receiving import make_scp
from node.bootstrap.stores import Stores, open_stores
from node.commands.submit import batches, files_below, sendable, submit_paths
from node.settings import Settings, load_settings
from pipelines.domain.reasons import Rejected
from tests.dicom import as_bytes, ct_series, seg_of, write_files
from tests.tools import free_port, write_config


@pytest.fixture(scope="module")
def instances() -> list[Dataset]:
    ct = ct_series(slices=4, rows=16, columns=16)
    return [*ct, seg_of(ct)]


@dataclass
class Receiving:
    """A node that can be sent to, and what was printed meanwhile."""

    settings: Settings
    stores: Stores
    scp: StorageScp
    printed: StringIO

    def submit(self, *paths: Path) -> int:
        return submit_paths(self.settings, paths, Console(file=self.printed, width=200, highlight=False))

    @property
    def instances(self) -> int:
        return self.stores.ledger.overview(limit=1).instances


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(write_config(tmp_path / "node"), {})


@pytest.fixture
def node(settings: Settings) -> Iterator[Receiving]:
    stores = open_stores(settings)
    scp = make_scp(settings, stores)
    scp.start(settings.node.bind, settings.node.port)
    yield Receiving(settings, stores, scp, StringIO())
    scp.stop()


def test_every_instance_in_a_folder_and_below_is_sent_and_other_files_are_left_out(
    node: Receiving, instances: list[Dataset], tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    write_files(instances[:2], folder / "a")
    write_files(instances[2:], folder / "a" / "deeper" / "still")
    (folder / "report.pdf").write_bytes(b"%PDF-1.7")
    (folder / "empty").write_bytes(b"")
    (folder / "DICOMDIR").write_bytes(as_bytes(instances[0])[:400])
    (folder / "broken link").symlink_to(tmp_path / "nowhere")
    assert node.submit(folder) == 0
    assert node.instances == 5
    assert "5 of 5 instances stored, 3 other files left out." in node.printed.getvalue()


def test_files_can_be_named_one_by_one(node: Receiving, instances: list[Dataset], tmp_path: Path) -> None:
    paths = write_files(instances, tmp_path / "files")
    assert node.submit(paths[0], paths[4]) == 0
    assert node.instances == 2


def test_a_damaged_instance_is_told_and_all_others_are_sent(
    node: Receiving, instances: list[Dataset], tmp_path: Path
) -> None:
    paths = write_files(instances, tmp_path / "files")
    paths[1].write_bytes(paths[1].read_bytes()[:-10])
    assert node.submit(tmp_path / "files") == 1
    assert node.instances == 4
    assert "4 of 5 instances stored." in node.printed.getvalue()
    assert "1 x RCV-001" in node.printed.getvalue()


def test_a_class_that_the_node_does_not_take_is_told_and_all_others_are_sent(node: Receiving, tmp_path: Path) -> None:
    ct = ct_series(slices=3, rows=16, columns=16)
    ct[0].SOPClassUID = ct[0].file_meta.MediaStorageSOPClassUID = MRImageStorage
    assert node.submit(*write_files(ct, tmp_path / "files")) == 1
    assert node.instances == 2
    assert "1 x NET-004" in node.printed.getvalue()


def test_sending_twice_stores_once_and_is_no_fault(node: Receiving, instances: list[Dataset], tmp_path: Path) -> None:
    write_files(instances, tmp_path / "files")
    assert [node.submit(tmp_path / "files"), node.submit(tmp_path / "files")] == [0, 0]
    assert node.instances == 5


def test_a_folder_without_instances_is_a_fault(node: Receiving, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "readme.txt").write_text("hello")
    assert node.submit(tmp_path / "files") == 1
    assert "no DICOM file" in node.printed.getvalue()


def test_a_node_that_does_not_run_is_told_once(settings: Settings, instances: list[Dataset], tmp_path: Path) -> None:
    write_files(instances, tmp_path / "files")
    printed = StringIO()
    assert submit_paths(settings, [tmp_path / "files"], Console(file=printed, width=200)) == 1
    assert "0 of 5 instances stored." in printed.getvalue()
    assert printed.getvalue().count("NET-001") == 1


def test_a_fault_is_told_whatever_the_node_calls_itself(instances: list[Dataset], tmp_path: Path) -> None:
    (path,) = write_files(instances[:1], tmp_path / "files")
    settings = load_settings(write_config(tmp_path / "node", node={"ae_title": "NODE[/b]", "port": free_port()}), {})
    printed = StringIO()
    assert submit_paths(settings, [path], Console(file=printed, width=200)) == 1
    assert "NODE[/b]" in printed.getvalue()


def test_files_come_in_a_lasting_order(tmp_path: Path) -> None:
    for name in ("b", "a", "c/d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert [path.name for path in files_below([tmp_path, tmp_path / "b"])] == ["a", "b", "d", "b"]


def test_a_file_is_sent_as_what_its_data_set_says(instances: list[Dataset], tmp_path: Path) -> None:
    (path,) = write_files(instances[:1], tmp_path / "files")
    assert sendable(path) == Sendable(path, instances[0].SOPClassUID, instances[0].file_meta.TransferSyntaxUID)
    path.write_bytes(path.read_bytes()[:300])
    assert isinstance(sendable(path), Rejected)


def test_every_batch_fits_an_association_whatever_is_in_it(tmp_path: Path) -> None:
    files = [Sendable(tmp_path, f"1.2.{number}", "1.2.840.10008.1.2.1") for number in range(300)]
    made = list(batches(files))
    assert [file for batch in made for file in batch] == files
    # PS3.8 section 9.3.2.2: odd numbers of one byte tell the contexts of an association apart
    assert max(len({(file.sop_class, file.transfer_syntax) for file in batch}) for batch in made) <= 128
