"""The ledger read as an archive is, on each kind of database."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.uid import generate_uid
from sqlalchemy import Engine

from node.adapters.archive_index import ArchiveIndex
from node.adapters.ledger import SqlLedger
from node.adapters.spool import FileSpool
from node.logs import Log
from node.ports import Sender
from node.services.receive import SUCCESS, Announced, Receiver
from tests.dicom import as_bytes, ct_series
from tests.node.doubles import SetClock

STUDIES = ("1.2.3.1", "1.2.3.2", "1.2.3.3")


@pytest.fixture
def index(engine: Engine, ledger: SqlLedger, tmp_path: Path, clock: SetClock) -> ArchiveIndex:
    """Three studies, an hour apart, the last one with two series, of two instances each."""
    receiver = Receiver(FileSpool(tmp_path / "spool", min_free_bytes=0), ledger, clock, Log("test"))
    for study in STUDIES:
        for series in range(2 if study == STUDIES[-1] else 1):
            for one in ct_series(slices=2, rows=4, columns=4):
                one.StudyInstanceUID, one.SeriesInstanceUID = study, f"{study}.{series}"
                one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
                announced = Announced(one.SOPClassUID, one.SOPInstanceUID)
                assert receiver.receive(as_bytes(one), announced, Sender("CT", "")) == SUCCESS
        clock.forward(timedelta(hours=1).total_seconds())
    return ArchiveIndex(engine)


def test_studies_come_with_the_newest_first_and_in_pages(index: ArchiveIndex) -> None:
    found = index.studies(limit=9)
    assert [one.study for one in found] == list(reversed(STUDIES))
    assert [(one.series, one.instances) for one in found] == [(2, 4), (1, 2), (1, 2)]
    assert [one.study for one in index.studies(limit=1, offset=1)] == [STUDIES[1]]
    assert [one.study for one in index.studies(studies=STUDIES[:1], limit=9)] == [STUDIES[0]]


def test_one_instance_of_each_series_stands_for_it(index: ArchiveIndex) -> None:
    asked = ["1.2.3.9", *STUDIES[1:]]
    found = index.one_of_each_series(asked)
    assert [[one.series for one in found[study]] for study in asked] == [
        [],
        ["1.2.3.2.0"],
        ["1.2.3.3.0", "1.2.3.3.1"],
    ]
    for study in STUDIES[1:]:
        for one in found[study]:
            first = min(index.instances(study, series=one.series), key=lambda held: held.sop_instance)
            assert one == first
    assert index.one_of_each_series([]) == {}
