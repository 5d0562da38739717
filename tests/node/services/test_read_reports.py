"""A reader's report that arrives by C-STORE changes what is decided about the patient."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from sqlalchemy import create_engine, select

from node.adapters import clinical_schema as c
from node.bootstrap.receiving import make_scp
from node.bootstrap.records import make_report_reader
from node.bootstrap.stores import Stores, open_stores
from node.logs import Log
from node.services.read_reports import ReportReader
from node.services.receive import SUCCESS
from node.settings import load_settings
from pipelines.domain.clinical import patient_key
from pipelines.domain.readings import Source, read
from pipelines.domain.recist import LesionRole
from tests import reader_reports as made
from tests.dicom import ct_series, seg_of
from tests.node.client import store_all
from tests.node.doubles import SetClock
from tests.reader_reports import reader_report
from tests.tools import write_config

SENTINEL = "SENTINEL"


class Receiving:
    """A node that receives, and what it keeps."""

    def __init__(self, folder: Path) -> None:
        settings = load_settings(write_config(folder), {})
        self.folder = folder
        self.stores: Stores = open_stores(settings)
        self.scp = make_scp(settings, self.stores)
        self.port = self.scp.start("127.0.0.1", 0)

    def asked(self) -> list[str]:
        """Keys of the patients whose assessment is to be made again."""
        engine = create_engine(f"sqlite:///{self.folder / 'data' / 'ledger.sqlite3'}")
        with engine.connect() as connection:
            return list(connection.scalars(select(c.reassessment.c.patient_key)))


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[Receiving]:
    started = Receiving(tmp_path)
    yield started
    started.scp.stop()


@pytest.fixture(scope="module")
def scan() -> tuple[list[Dataset], Dataset]:
    ct = ct_series(slices=3, rows=16, columns=16, patient_id=f"{SENTINEL}-ID", patient_name=f"ZZ^{SENTINEL}")
    return ct, seg_of(ct)


def test_a_report_that_is_stored_decides_and_has_the_patient_assessed_again(
    receiving: Receiving, scan: tuple[list[Dataset], Dataset], logged: Callable[[], str]
) -> None:
    report = reader_report(*scan, {1: [(made.BASELINE_CATEGORY, made.TARGET)]}, reader=f"Dr^{SENTINEL}")
    # a PACS sends again what it is not sure of
    assert store_all(receiving.port, [report]) == [SUCCESS]
    assert store_all(receiving.port, [report]) == [SUCCESS]
    reader = make_report_reader(receiving.stores)
    assert (reader.tick(), reader.tick()) == (1, 0)
    patient = patient_key(f"{SENTINEL}-ID")
    (one,) = receiving.stores.readings.readings(patient)
    assert (one.source, one.source_uid, one.who) == (Source.REPORT, str(report.SOPInstanceUID), "reader")
    lesion = str(scan[1].SegmentSequence[0].TrackingUID)
    assert read([one]).decisions.roles == {lesion: LesionRole.TARGET}
    assert receiving.asked() == [patient]
    # the report itself lies in the spool, and nothing else knows whom it is about
    assert SENTINEL not in logged()
    assert SENTINEL.encode() not in (receiving.folder / "data" / "ledger.sqlite3").read_bytes()


def test_a_report_that_decides_nothing_or_cannot_be_used_is_read_once_and_asks_for_nothing(
    receiving: Receiving, scan: tuple[list[Dataset], Dataset], logged: Callable[[], str]
) -> None:
    target = {1: [(made.BASELINE_CATEGORY, made.TARGET)]}
    reports = [reader_report(*scan, target, device=True), reader_report(*scan, target, final=False)]
    assert store_all(receiving.port, reports) == [SUCCESS, SUCCESS]
    reader = make_report_reader(receiving.stores)
    assert (reader.tick(), reader.tick()) == (2, 0)
    assert receiving.stores.readings.readings(patient_key(f"{SENTINEL}-ID")) == []
    assert receiving.asked() == []
    assert "RSP-006" in logged()


def test_a_report_whose_file_is_away_waits_and_holds_up_no_other(
    receiving: Receiving, scan: tuple[list[Dataset], Dataset]
) -> None:
    target = {1: [(made.BASELINE_CATEGORY, made.TARGET)]}
    reports = [reader_report(*scan, target), reader_report(*scan, target)]
    assert store_all(receiving.port, reports) == [SUCCESS, SUCCESS]
    first, _ = receiving.stores.readings.unread_reports(most=9)
    path = receiving.stores.spool.path(first.file)
    away = path.rename(path.with_suffix(".away"))
    reader = make_report_reader(receiving.stores)
    assert (reader.tick(), reader.tick()) == (1, 0)
    away.rename(path)
    assert (reader.tick(), reader.tick()) == (1, 0)


def test_a_report_whose_file_stays_away_is_given_up_with_a_code(
    receiving: Receiving, scan: tuple[list[Dataset], Dataset], clock: SetClock, logged: Callable[[], str]
) -> None:
    lost = reader_report(*scan, {1: [(made.BASELINE_CATEGORY, made.TARGET)]})
    assert store_all(receiving.port, [lost]) == [SUCCESS]
    stores = receiving.stores
    (report,) = stores.readings.unread_reports(most=9)
    stores.spool.path(report.file).unlink()
    reader = ReportReader(stores.readings, stores.spool, stores.reassessments, clock, Log("record"))
    for _ in range(20):
        # an hour of trying, and not twenty tries in a moment
        assert reader.tick() == 0
    assert stores.readings.unread_reports(most=9)
    clock.forward(3600)
    assert reader.tick() == 0
    assert stores.readings.unread_reports(most=9) == []
    assert "RSP-007" in logged()
    assert stores.readings.readings(patient_key(f"{SENTINEL}-ID")) == []
    assert receiving.asked() == []
