"""DICOMweb as a client sees it: what is stored comes back bit for bit, and is found by its attributes."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from starlette.testclient import TestClient

from node.adapters.archive_index import ArchiveIndex
from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.spool import FileSpool
from node.logs import Log
from node.services.receive import Receiver
from node.web.app import make_app
from node.web.dicomweb import DicomWeb
from node.web.headers import SERIES_KEYWORDS, STUDY_KEYWORDS, Headers, attributes
from tests.dicom import as_bytes, ct_series, seg_of
from tests.node.client import dataset_of
from tests.node.doubles import SetClock

ROOT = "/dicom-web"
HERE = "http://localhost:8042"
BOUNDARY = "b0undary"


@pytest.fixture(scope="module")
def instances() -> list[Dataset]:
    ct = ct_series(slices=3, rows=16, columns=16)
    return [*ct, seg_of(ct)]


@pytest.fixture
def client(tmp_path: Path, clock: SetClock) -> Iterator[TestClient]:
    with TestClient(application(tmp_path, clock), base_url=HERE) as made:
        yield made


def application(
    folder: Path,
    clock: SetClock,
    *,
    token: str | None = None,
    max_request_bytes: int = 2**24,
    hosts: tuple[str, ...] = (),
) -> Any:
    engine = open_engine(f"sqlite:///{folder / 'ledger.sqlite3'}")
    spool = FileSpool(folder / "spool", min_free_bytes=0)
    receiver = Receiver(spool, SqlLedger(engine, pipeline="test"), clock, Log("test"))
    service = DicomWeb(ArchiveIndex(engine), receiver, spool.path, Log("test"), max_request_bytes=max_request_bytes)
    return make_app(service.routes(), [], token=token, denied=lambda address: None, hosts=hosts)


def body_of(*files: bytes) -> bytes:
    parts = [f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + file + b"\r\n" for file in files]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def store(client: TestClient, *files: bytes, study: str = "") -> Any:
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    where = f"{ROOT}/studies/{study}" if study else f"{ROOT}/studies"
    return client.post(where, content=body_of(*files), headers={"Content-Type": kind})


@pytest.fixture
def filled(client: TestClient, instances: list[Dataset]) -> TestClient:
    assert store(client, *map(as_bytes, instances)).status_code == 200
    return client


def parts_of(answer: Any) -> list[bytes]:
    boundary = answer.headers["content-type"].split("boundary=")[1].encode()
    pieces = answer.content.split(b"--" + boundary)[1:-1]
    return [piece.split(b"\r\n\r\n", 1)[1][:-2] for piece in pieces]


def values(item: dict[str, Any], tag: str) -> list[Any]:
    found: list[Any] = item.get(tag, {}).get("Value", [])
    return found


def url_of(instance: Dataset, *more: str) -> str:
    uids = (instance.StudyInstanceUID, instance.SeriesInstanceUID, instance.SOPInstanceUID)
    return "/".join([f"{ROOT}/studies/{uids[0]}/series/{uids[1]}/instances/{uids[2]}", *more])


def test_what_is_stored_is_retrieved_unchanged(filled: TestClient, instances: list[Dataset]) -> None:
    study = instances[0].StudyInstanceUID
    for where, expected in (
        (f"{ROOT}/studies/{study}", instances),
        (f"{ROOT}/studies/{study}/series/{instances[0].SeriesInstanceUID}", instances[:3]),
        (url_of(instances[3]), instances[3:]),
    ):
        answer = filled.get(where)
        assert answer.status_code == 200
        found = {str(dcmread(BytesIO(part)).SOPInstanceUID): dataset_of(part) for part in parts_of(answer)}
        assert found == {str(one.SOPInstanceUID): dataset_of(as_bytes(one)) for one in expected}


def test_studies_series_and_instances_are_found(filled: TestClient, instances: list[Dataset]) -> None:
    study = instances[0].StudyInstanceUID
    (found,) = filled.get(f"{ROOT}/studies").json()
    assert values(found, "0020000D") == [study]
    assert values(found, "00080061") == ["CT", "SEG"]
    assert values(found, "00201208") == [4]
    series = filled.get(f"{ROOT}/studies/{study}/series", params={"Modality": "SEG"}).json()
    assert [values(one, "0020000E") for one in series] == [[instances[3].SeriesInstanceUID]]
    within = filled.get(f"{ROOT}/studies/{study}/series/{instances[0].SeriesInstanceUID}/instances").json()
    assert {values(one, "00080018")[0] for one in within} == {str(one.SOPInstanceUID) for one in instances[:3]}


def test_a_study_is_found_as_long_as_one_of_its_files_can_be_read(
    filled: TestClient, tmp_path: Path, instances: list[Dataset]
) -> None:
    by_instance = sorted(
        (str(dcmread(path).SOPInstanceUID), path) for path in (tmp_path / "spool" / "received").rglob("*.dcm")
    )
    for number, (_, path) in enumerate(by_instance, start=1):
        path.write_bytes(b"no longer DICOM")
        # in a process that has read none of them yet
        with TestClient(application(tmp_path, SetClock()), base_url=HERE) as client:
            found = client.get(f"{ROOT}/studies").json()
        assert len(found) == (number < len(by_instance))
        if found:
            assert values(found[0], "00100020") == [instances[0].PatientID]
            assert values(found[0], "00201208") == [4]


def test_the_beginning_of_a_header_says_of_study_and_series_what_the_whole_says(
    tmp_path: Path, instances: list[Dataset]
) -> None:
    for number, one in enumerate(instances):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(as_bytes(one))
        begun, whole = Headers().begin(path), Headers().read(path)
        assert begun == attributes(whole, [*STUDY_KEYWORDS, *SERIES_KEYWORDS])
        assert begun.Modality == one.Modality
        assert "Rows" not in begun


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ({}, 1),
        ({"StudyInstanceUID": "1.2.3"}, 0),
        ({"00100020": "nobody"}, 0),
        ({"PatientID": "*"}, 1),
        ({"limit": "0"}, 0),
        ({"offset": "1"}, 0),
        ({"PatientID": "*", "offset": "1"}, 0),
        ({"includefield": "all", "fuzzymatching": "true"}, 1),
        ({"nonsense": "x", "12": "y"}, 1),
        ({"FFFFFFFFF": "longer than any tag"}, 1),
    ],
)
def test_a_search_goes_by_attributes_and_pages(filled: TestClient, parameters: dict[str, str], count: int) -> None:
    answer = filled.get(f"{ROOT}/studies", params=parameters)
    assert answer.status_code == 200
    assert len(answer.json()) == count


def test_metadata_is_the_header_as_dicom_json(filled: TestClient, instances: list[Dataset]) -> None:
    (found,) = filled.get(url_of(instances[0], "metadata")).json()
    assert values(found, "00280010") == [16]
    assert "7FE00010" not in found
    again = Dataset.from_json(json.dumps(found), lambda tag, vr, uri: b"")
    assert again.ImagePositionPatient == instances[0].ImagePositionPatient


def test_frames_come_as_they_are_stored(filled: TestClient, instances: list[Dataset]) -> None:
    answer = filled.get(url_of(instances[1], "frames", "1"))
    (frame,) = parts_of(answer)
    assert np.array_equal(
        np.frombuffer(frame, dtype="<i2").reshape(16, 16), instances[1].pixel_array.astype("<i2", copy=False)
    )
    assert filled.get(url_of(instances[1], "frames", "2")).status_code == 404
    assert filled.get(url_of(instances[1], "frames", "x")).status_code == 400


def test_what_is_not_held_is_not_found(filled: TestClient) -> None:
    for where in ("studies/1.2", "studies/1.2/metadata", "studies/1.2/series/1.3/instances/1.4/frames/1"):
        assert filled.get(f"{ROOT}/{where}").status_code == 404


def test_each_instance_of_a_request_has_its_own_answer(client: TestClient, instances: list[Dataset]) -> None:
    answer = store(client, as_bytes(instances[0]), b"nothing that could be DICOM", as_bytes(instances[1]))
    assert answer.status_code == 202
    found = answer.json()
    assert len(found["00081199"]["Value"]) == 2
    (failed,) = found["00081198"]["Value"]
    assert failed["00081197"]["Value"] == [0xC000]


def test_a_study_in_the_address_takes_no_instance_of_another(client: TestClient, instances: list[Dataset]) -> None:
    answer = store(client, as_bytes(instances[0]), study="1.2.3")
    assert answer.status_code == 409
    assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]


@pytest.mark.parametrize("damage", ["cut", "no boundary", "endless boundary", "other kind"])
def test_a_body_that_is_not_what_it_says_is_refused(client: TestClient, instances: list[Dataset], damage: str) -> None:
    body = body_of(as_bytes(instances[0]))
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    if damage == "cut":
        body = body[:-30]
    elif damage == "endless boundary":
        kind = f"multipart/related; boundary={BOUNDARY * 100}"
    elif damage == "no boundary":
        kind = "multipart/related"
    else:
        kind = "application/json"
    assert client.post(f"{ROOT}/studies", content=body, headers={"Content-Type": kind}).status_code == 400


def test_a_request_that_is_too_large_is_refused(tmp_path: Path, clock: SetClock, instances: list[Dataset]) -> None:
    with TestClient(application(tmp_path, clock, max_request_bytes=100), base_url=HERE) as small:
        assert store(small, as_bytes(instances[0])).status_code == 413


def test_with_a_token_only_who_carries_it_is_answered(tmp_path: Path, clock: SetClock) -> None:
    with TestClient(application(tmp_path, clock, token="secret")) as guarded:
        assert guarded.get(f"{ROOT}/studies").status_code == 401
        assert guarded.get(f"{ROOT}/studies", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert guarded.get(f"{ROOT}/studies", headers={"Authorization": "Bearer secret"}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8042", 200),
        ("127.0.0.1", 200),
        ("[::1]:8042", 200),
        ("PACS.hospital.cn", 200),
        ("pages.elsewhere.example:8042", 400),
        ("127.0.0.1.elsewhere.example", 400),
        ("localhost@elsewhere.example", 400),
        ("", 400),
    ],
)
def test_without_a_token_a_name_from_elsewhere_is_not_answered(
    tmp_path: Path, clock: SetClock, host: str, status: int
) -> None:
    # as a browser asks on behalf of a page whose name was made to mean this machine
    with TestClient(application(tmp_path, clock, hosts=("pacs.hospital.cn",)), base_url=HERE) as client:
        assert client.get(f"{ROOT}/studies", headers={"Host": host}).status_code == status


def test_an_instance_by_stow_and_by_c_store_is_one_file(filled: TestClient, instances: list[Dataset]) -> None:
    again = store(filled, as_bytes(instances[0]))
    assert again.status_code == 200
    assert "00081196" not in again.json()["00081199"]["Value"][0]


def test_file_meta_information_that_lies_about_its_length_costs_nothing(
    client: TestClient, instances: list[Dataset]
) -> None:
    file = as_bytes(instances[0])
    without, wrong = file[:132] + file[144:], file[:140] + b"\xff\xff\0\0" + file[144:]
    for data in (without, wrong, file):
        answer = store(client, data)
        assert answer.status_code == 200
        # the same file each time, or the second would be a conflict
        assert "00081196" not in answer.json()["00081199"]["Value"][0]
    (kept,) = parts_of(client.get(url_of(instances[0])))
    assert dataset_of(kept) == dataset_of(file)


def test_a_sequence_with_a_damaged_item_is_no_bulk_data(client: TestClient, instances: list[Dataset]) -> None:
    seg = instances[3]
    data = as_bytes(seg).replace(b"\x08\0\x50\x11UI", b"\x08\0\x50\x11UA")
    assert store(client, data).status_code == 200
    assert client.get(url_of(seg, "bulkdata", "00081115")).status_code == 404
    assert client.get(url_of(seg, "bulkdata", "00080060")).status_code == 200


@pytest.mark.parametrize("study", ["%ed%a0%80", "%ff", "1%00", "..%2f..%2fetc", "1'%20or%20'1'='1", "1" * 65])
def test_what_is_no_uid_is_not_found(filled: TestClient, study: str) -> None:
    for rest in ("", "/series", "/instances", "/metadata", "/series/1.2/instances/1.3/frames/1"):
        assert filled.get(f"{ROOT}/studies/{study}{rest}").status_code == 404


@pytest.mark.parametrize("number", ["9" * 30, "9" * 5000, "%D9%A3", "-1", "1e3", ""])
def test_a_limit_or_offset_of_any_size_is_no_error(filled: TestClient, number: str) -> None:
    for name in ("limit", "offset"):
        assert filled.get(f"{ROOT}/studies?{name}={number}").status_code == 200
