"""Running cases with a small pipeline on real DICOM objects, a real spool and a real ledger."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless

from node.adapters.ledger import SqlLedger
from node.adapters.spool import FileSpool
from node.errors import TransientError
from node.logs import Log
from node.ports import CaseDetail, Clock, Destination
from node.services.process import Processor
from node.services.receive import Announced, Receiver
from pipelines.base import Pipeline, Verifiable
from pipelines.domain.case import Case, Findings, SeriesKey
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId, SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.domain.lesion_rule import LesionRule
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.verification import Verification
from pipelines.imaging.geometry import TOLERANCES, Tolerances
from pipelines.outputs.measurement_report import feature_report
from tests.ct_variants import at_heights, seg_of_slices
from tests.dicom import as_bytes, centred_ball, ct_series, seg_of
from tests.node.doubles import FailingSpool, SetClock
from tests.node.pipeline import made_up_findings, small_pipeline
from tests.node.refs import SENDER

DEVICE = "2.25.1234567890"
TOO_SMALL = Rejected("ROI-001", "The lesion is too small.", "Draw it larger.")


@pytest.fixture(scope="module")
def instances() -> list[Dataset]:
    """A series of CT images and, last, a segmentation of it."""
    ct = ct_series(slices=6, rows=24, columns=24)
    return [*ct, seg_of(ct)]


class Worker:
    """The processor with what it works on."""

    def __init__(self, folder: Path, ledger: SqlLedger, clock: Clock) -> None:
        self.ledger = ledger
        self.clock = clock
        self.spool = FailingSpool(FileSpool(folder / "spool", min_free_bytes=0))

    def receive(self, *instances: Dataset) -> None:
        receiver = Receiver(self.spool, self.ledger, self.clock, Log("receive"))
        for instance in instances:
            announced = Announced(SopClassUID(instance.SOPClassUID), SopInstanceUID(instance.SOPInstanceUID))
            assert receiver.receive(as_bytes(instance), announced, SENDER) == 0x0000

    def queued(self, instances: list[Dataset]) -> CaseId:
        self.receive(*instances)
        (waiting,) = self.ledger.collecting()
        self.complete(waiting.case, instances[0])
        return waiting.case

    def complete(self, case: CaseId, image: Dataset) -> None:
        key = SeriesKey(StudyUID(image.StudyInstanceUID), SeriesUID(image.SeriesInstanceUID))
        assert self.ledger.complete(case, key, "6 slices.", at=self.clock())

    def processor(
        self,
        pipeline: Pipeline | None = None,
        *,
        owner: str = "worker",
        lease_s: float = 60,
        retry_s: float = 5,
        tolerances: Tolerances = TOLERANCES,
        may_start: Callable[[CaseId], bool] = lambda case: True,
    ) -> Processor:
        return Processor(
            pipeline or small_pipeline(),
            self.spool,
            self.ledger,
            self.clock,
            Log("process"),
            owner=owner,
            station="PULMONODE",
            device_uid=DEVICE,
            software_version="1.0",
            destinations=[Destination("PACS")],
            lease=timedelta(seconds=lease_s),
            retry_after=timedelta(seconds=retry_s),
            tolerances=tolerances,
            may_start=may_start,
        )

    def reconcile(self) -> list[CaseId]:
        return list(self.ledger.reconcile(at=self.clock(), max_attempts=3, resubmit_after=timedelta(hours=1)))

    def detail(self, case: CaseId) -> CaseDetail:
        found = self.ledger.detail(case)
        assert found is not None
        return found

    def state(self, case: CaseId) -> CaseState:
        return self.detail(case).row.state


@pytest.fixture
def worker(tmp_path: Path, sqlite_ledger: SqlLedger, clock: SetClock) -> Worker:
    return Worker(tmp_path, sqlite_ledger, clock)


def entries(written: str) -> list[dict[str, object]]:
    """Log lines as the JSON that they are written in."""
    return [json.loads(line) for line in written.splitlines()]


def test_a_case_that_wants_too_much_memory_fails_with_a_code_of_its_own(
    worker: Worker, instances: list[Dataset]
) -> None:
    def measure(case: Case) -> Findings:
        raise MemoryError

    case = worker.queued(instances)
    worker.processor(small_pipeline(measure)).process(case)
    row = worker.detail(case).row
    assert (row.state, row.code) == (CaseState.FAILED, "RUN-005")
    assert "queue.max_memory_mb" in row.remedy


def test_a_case_that_may_not_start_now_stays_queued(worker: Worker, instances: list[Dataset]) -> None:
    case = worker.queued(instances)
    worker.processor(may_start=lambda asked: asked != case).process(case)
    assert worker.state(case) is CaseState.QUEUED
    worker.processor(may_start=lambda asked: asked == case).process(case)
    assert worker.state(case) is CaseState.REPORTED


def test_a_case_that_can_be_measured_is_reported(worker: Worker, instances: list[Dataset]) -> None:
    case = worker.queued(instances)
    worker.processor().process(case)
    detail = worker.detail(case)
    assert detail.row.state is CaseState.REPORTED
    assert [(row.result.kind, row.result.lesion_number) for row in detail.results] == [
        ("sr-features", None),
        ("map", None),
    ]
    assert [row.deliveries[0].destination for row in detail.results] == ["PACS", "PACS"]
    assert [len(measured.features) for measured in detail.measurements] == [12]
    assert detail.row.score is not None
    assert "1 of 1 lesions measured, 2 objects made" in detail.row.reason


def test_the_pipeline_s_rule_decides_on_lesions_and_status_shows_the_notes(
    worker: Worker, instances: list[Dataset]
) -> None:
    case = worker.queued(instances)
    worker.processor(replace(small_pipeline(), lesions=LesionRule(exclude=("lesion",)))).process(case)
    row = worker.detail(case).row
    assert (row.state, row.code) == (CaseState.REJECTED, "SEG-004")
    assert "lesions.exclude has 'lesion'" in row.reason
    assert "lesions.include" in row.remedy


def test_what_was_left_out_is_a_note_of_the_case(worker: Worker) -> None:
    ct = ct_series(slices=6, rows=24, columns=24)
    ball = centred_ball((6, 24, 24))
    case = worker.queued([*ct, seg_of(ct, {1: ball, 2: ball}, labels={2: "PTV"})])
    worker.processor().process(case)
    detail = worker.detail(case)
    assert detail.row.state is CaseState.REPORTED
    (note,) = detail.notes
    assert note.code == "SEG-011"
    assert "No lesion: segment 2 (its label says 'ptv')" in note.detail


def test_results_are_in_the_spool_as_they_were_checked(worker: Worker, instances: list[Dataset]) -> None:
    case = worker.queued(instances)
    worker.processor().process(case)
    for row in worker.detail(case).results:
        assert worker.spool.read(row.result.file)[128:132] == b"DICM"


def test_a_pipeline_that_finds_nothing_to_measure_rejects_the_case(worker: Worker, instances: list[Dataset]) -> None:
    case = worker.queued(instances)
    worker.processor(small_pipeline(lambda case: TOO_SMALL)).process(case)
    row = worker.detail(case).row
    assert (row.state, row.code, row.reason, row.remedy) == (
        CaseState.REJECTED,
        TOO_SMALL.code,
        TOO_SMALL.detail,
        TOO_SMALL.remedy,
    )


def test_a_case_that_cannot_be_read_is_rejected(worker: Worker) -> None:
    ct = ct_series(slices=6, rows=24, columns=24)
    drawn = seg_of(ct)
    drawn.PatientID = "SOMEBODY ELSE"
    case = worker.queued([*ct, drawn])
    worker.processor().process(case)
    assert worker.detail(case).row.code == "SEG-005"


def test_a_slice_that_turns_out_damaged_while_it_is_measured_rejects_the_case_with_its_name(worker: Worker) -> None:
    ct = ct_series(slices=6, rows=24, columns=24)
    drawn = seg_of(ct, {1: np.arange(6)[:, None, None] * np.ones((1, 24, 24)) == 2})
    # announced as JPEG-LS, which it is not; no voxel of the lesion lies on it
    ct[5].file_meta.TransferSyntaxUID = JPEGLSLossless
    ct[5].PixelData = encapsulate([ct[5].PixelData])
    ct[5]["PixelData"].is_undefined_length = True

    def measure(case: Case) -> Findings | Rejected:
        assert case.ct.hu[2].shape == (24, 24)
        case.ct.hu[3:6]
        raise AssertionError("the damaged slice was read")

    case = worker.queued([*ct, drawn])
    worker.processor(small_pipeline(measure)).process(case)
    row = worker.detail(case).row
    assert (row.state, row.code) == (CaseState.REJECTED, "CT-004")
    assert ct[5].SOPInstanceUID in row.reason


@pytest.mark.parametrize(("spacing", "resampled"), [(0.1, True), (0.4, False)])
def test_the_tolerances_of_the_processor_decide_what_is_resampled(
    worker: Worker, spacing: float, resampled: bool
) -> None:
    ct = at_heights(ct_series(slices=6, rows=24, columns=24), [0, 2, 4, 6.5, 8, 10])
    seen: list[bool] = []

    def measure(case: Case) -> Findings | Rejected:
        seen.append(case.ct.resampled)
        return TOO_SMALL

    case = worker.queued([*ct, seg_of_slices(ct)])
    worker.processor(small_pipeline(measure), tolerances=Tolerances(spacing=spacing)).process(case)
    assert seen == [resampled]


def test_a_result_that_fails_its_self_check_rejects_the_case_and_nothing_is_sent(
    worker: Worker, instances: list[Dataset]
) -> None:
    def mislabelled(findings: Findings, producer: Producer) -> Iterator[ResultObject]:
        for made in feature_report(findings, producer):
            yield replace(made, sop_instance=SopInstanceUID("1.2.3"))

    case = worker.queued(instances)
    worker.processor(small_pipeline(outputs=(feature_report, mislabelled))).process(case)
    detail = worker.detail(case)
    assert (detail.row.state, detail.row.code, detail.results) == (CaseState.REJECTED, "OUT-001", ())


def test_a_case_whose_files_cannot_be_read_is_tried_again_after_growing_waits(
    worker: Worker, instances: list[Dataset], clock: SetClock
) -> None:
    case = worker.queued(instances)
    worker.spool.fault = TransientError("RCV-005", "Spool file received/1 cannot be read: Stale file handle.")
    waits = []
    for _ in range(3):
        worker.processor(retry_s=5).process(case)
        assert (worker.state(case), worker.detail(case).row.code) == (CaseState.WAITING, "RCV-005")
        waited_s = 0
        while not worker.reconcile():
            clock.forward(1)
            waited_s += 1
        waits.append(waited_s)
    assert waits == [5, 10, 20]
    worker.spool.fault = None
    worker.processor().process(case)
    assert worker.state(case) is CaseState.REPORTED


def test_a_file_that_was_altered_on_the_disk_is_not_measured(worker: Worker, instances: list[Dataset]) -> None:
    case = worker.queued(instances)
    file = worker.ledger.known(SopInstanceUID(instances[2].SOPInstanceUID))
    assert file is not None
    worker.spool.path(file).write_bytes(as_bytes(instances[3]))
    worker.processor().process(case)
    assert (worker.state(case), worker.detail(case).row.code) == (CaseState.WAITING, "RCV-005")


def test_results_that_cannot_be_stored_are_made_again_later(worker: Worker, instances: list[Dataset]) -> None:
    def then_the_disk_is_full(case: Case) -> Findings:
        worker.spool.fault = TransientError("RCV-003", "The spool cannot be written: No space left on device.")
        return made_up_findings(case)

    case = worker.queued(instances)
    worker.processor(small_pipeline(then_the_disk_is_full)).process(case)
    detail = worker.detail(case)
    assert (detail.row.state, detail.row.code, detail.results) == (CaseState.WAITING, "RCV-003", ())


def test_a_bug_fails_the_case_under_a_number_that_stands_in_the_log(
    worker: Worker, instances: list[Dataset], logged: Callable[[], str]
) -> None:
    def crash(case: Case) -> Findings:
        raise ZeroDivisionError("a bug")

    case = worker.queued(instances)
    worker.processor(small_pipeline(crash)).process(case)
    row = worker.detail(case).row
    assert (row.state, row.code) == (CaseState.FAILED, "RUN-002")
    (line,) = [line for line in entries(logged()) if line["event"] == "case_failed"]
    assert (line["level"], line["case"]) == ("error", case)
    assert str(line["trace"]) in row.reason
    assert str(line["trace"]) in row.remedy
    assert "ZeroDivisionError" in str(line["traceback"])


def test_one_case_that_fails_leaves_the_worker_fit_for_the_next(worker: Worker, instances: list[Dataset]) -> None:
    fails = [True]

    def crash_once(case: Case) -> Findings:
        if fails.pop() if fails else False:
            raise ZeroDivisionError("a bug")
        return made_up_findings(case)

    case = worker.queued(instances)
    processor = worker.processor(small_pipeline(crash_once))
    processor.process(case)
    worker.ledger.retry(case, at=worker.clock())
    worker.complete(case, instances[0])
    processor.process(case)
    assert worker.state(case) is CaseState.REPORTED


def test_a_case_that_does_not_exist_or_is_not_queued_is_left_alone(worker: Worker, instances: list[Dataset]) -> None:
    worker.processor().process(CaseId(99))
    case = worker.queued(instances)
    worker.processor().process(case)
    before = worker.detail(case)
    worker.processor().process(case)
    assert worker.detail(case) == before


def test_the_same_inputs_give_the_same_bytes_whenever_and_by_whomever(
    worker: Worker, instances: list[Dataset], clock: SetClock
) -> None:
    case = worker.queued(instances)
    worker.processor().process(case)
    first = worker.detail(case)
    clock.forward(86_400)
    worker.ledger.retry(case, at=clock())
    worker.complete(case, instances[0])
    worker.processor(owner="another worker").process(case)
    second = worker.detail(case)
    assert [row.result for row in second.results] == [row.result for row in first.results]
    assert second.measurements == first.measurements
    assert second.row.score == first.row.score


def test_other_inputs_give_other_objects(worker: Worker, clock: SetClock) -> None:
    ct = ct_series(slices=7, rows=24, columns=24)
    case = worker.queued([*ct[:6], seg_of(ct[:6])])
    worker.processor().process(case)
    first = {row.result.sop_instance for row in worker.detail(case).results}
    worker.receive(ct[6])
    worker.complete(case, ct[0])
    worker.processor().process(case)
    second = {row.result.sop_instance for row in worker.detail(case).results}
    assert first.isdisjoint(second)


def test_a_claim_that_is_lost_meanwhile_leaves_nothing(worker: Worker, logged: Callable[[], str]) -> None:
    ct = ct_series(slices=7, rows=24, columns=24)

    def measure_while_a_slice_arrives(case: Case) -> Findings:
        worker.receive(ct[6])
        return made_up_findings(case)

    case = worker.queued([*ct[:6], seg_of(ct[:6])])
    worker.processor(small_pipeline(measure_while_a_slice_arrives)).process(case)
    detail = worker.detail(case)
    assert (detail.row.state, detail.results, detail.measurements) == (CaseState.COLLECTING, (), ())
    assert [line["event"] for line in entries(logged())][-1] == "case_claim_lost"


@pytest.mark.parametrize("fault", [TOO_SMALL, TransientError("RCV-005", "The disk is away."), ValueError("a bug")])
def test_whatever_becomes_of_a_run_whose_claim_was_lost_the_case_does_not_hear_of_it(
    worker: Worker, logged: Callable[[], str], fault: Rejected | Exception
) -> None:
    ct = ct_series(slices=7, rows=24, columns=24)

    def fail_while_a_slice_arrives(case: Case) -> Rejected:
        worker.receive(ct[6])
        if isinstance(fault, Exception):
            raise fault
        return fault

    case = worker.queued([*ct[:6], seg_of(ct[:6])])
    worker.processor(small_pipeline(fail_while_a_slice_arrives)).process(case)
    assert worker.state(case) is CaseState.COLLECTING
    events = [line["event"] for line in entries(logged())]
    assert events[-1] == "case_claim_lost"
    assert "case_rejected" not in events


def test_a_lease_is_renewed_as_long_as_the_work_takes(
    tmp_path: Path, sqlite_ledger: SqlLedger, instances: list[Dataset]
) -> None:
    worker = Worker(tmp_path, sqlite_ledger, lambda: datetime.now(UTC))
    measuring = threading.Event()

    def take_long(case: Case) -> Findings:
        measuring.set()
        # longer than the lease that it was claimed with
        time.sleep(6)
        return made_up_findings(case)

    case = worker.queued(instances)
    first = threading.Thread(target=worker.processor(small_pipeline(take_long), lease_s=4).process, args=(case,))
    first.start()
    assert measuring.wait(120)
    freed: list[CaseId] = []
    while first.is_alive():
        freed += worker.reconcile()
        worker.processor(owner="second").process(case)
        time.sleep(0.2)
    assert freed == []
    assert worker.state(case) is CaseState.REPORTED
    assert [event.event for event in worker.detail(case).events].count("claimed") == 1


def test_the_case_of_a_worker_that_stopped_renewing_is_run_by_another(
    worker: Worker, instances: list[Dataset], clock: SetClock
) -> None:
    case = worker.queued(instances)
    dead = worker.ledger.claim(case, "dead", at=clock(), lease=timedelta(seconds=60))
    assert dead is not None
    worker.processor().process(case)
    assert worker.state(case) is CaseState.RUNNING
    clock.forward(61)
    assert worker.reconcile() == [case]
    worker.processor().process(case)
    assert worker.state(case) is CaseState.REPORTED


def test_of_two_workers_that_get_the_same_message_one_runs_the_case(worker: Worker, instances: list[Dataset]) -> None:
    case = worker.queued(instances)
    start = threading.Barrier(2)

    def run(owner: str) -> None:
        processor = worker.processor(owner=owner)
        start.wait()
        processor.process(case)

    threads = [threading.Thread(target=run, args=(owner,)) for owner in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    detail = worker.detail(case)
    assert detail.row.state is CaseState.REPORTED
    assert [event.event for event in detail.events].count("claimed") == 1
    assert len(detail.results) == 2


def verifying(*, every: int, software: str = "kernels 1", deviation: float = 1e-12) -> Pipeline:
    """A pipeline whose verified findings say how far the engines lie apart."""

    def verified(case: Case) -> Findings:
        found = made_up_findings(case)
        compared = Verification(12, deviation, "original_shape_Flatness", 1e-9)
        return replace(found, lesions=tuple(replace(one, verification=compared) for one in found.lesions))

    return replace(small_pipeline(), verifiable=Verifiable(verified, every, software))


def run_again(worker: Worker, case: CaseId, image: Dataset, pipeline: Pipeline) -> CaseDetail:
    assert worker.ledger.retry(case, at=worker.clock()) is None
    worker.complete(case, image)
    worker.processor(pipeline).process(case)
    return worker.detail(case)


def results_of(detail: CaseDetail) -> list[tuple[str, str]]:
    return [(row.result.sop_instance, row.result.file.sha256) for row in detail.results]


# no case of these tests is drawn
NEVER_DRAWN = 10**9


def test_the_first_case_with_new_software_is_verified_and_the_next_is_not(
    worker: Worker, instances: list[Dataset], logged: Callable[[], str]
) -> None:
    first = worker.queued(instances)
    worker.processor(verifying(every=NEVER_DRAWN)).process(first)
    record = worker.detail(first).verification
    assert record is not None
    assert (record.why, record.software) == ("first case with this software", "kernels 1")
    assert record.lesions == ((1, Verification(12, 1e-12, "original_shape_Flatness", 1e-9)),)
    other = ct_series(slices=6, rows=24, columns=24, patient_id="other")
    second = worker.queued([*other, seg_of(other)])
    worker.processor(verifying(every=NEVER_DRAWN)).process(second)
    assert worker.state(second) is CaseState.REPORTED
    assert worker.detail(second).verification is None
    (line,) = [entry for entry in entries(logged()) if entry["event"] == "lesion_verified"]
    assert (line["level"], line["case"], line["deviation"]) == ("info", first, "1e-12")


def test_a_verified_case_is_verified_again_and_gives_the_same_objects(worker: Worker, instances: list[Dataset]) -> None:
    case = worker.queued(instances)
    pipeline = verifying(every=NEVER_DRAWN)
    worker.processor(pipeline).process(case)
    before = worker.detail(case)
    again = run_again(worker, case, instances[0], pipeline)
    assert again.verification == before.verification
    assert again.verification is not None
    assert results_of(again) == results_of(before)


def test_an_upgrade_calls_for_a_verification(worker: Worker, instances: list[Dataset]) -> None:
    case = worker.queued(instances)
    worker.processor(verifying(every=NEVER_DRAWN)).process(case)
    upgraded = run_again(worker, case, instances[0], verifying(every=NEVER_DRAWN, software="kernels 2"))
    assert upgraded.verification is not None
    assert upgraded.verification.software == "kernels 2"
    # and going back calls for none: that software is known
    assert worker.ledger.has_verified("kernels 1")


def test_a_case_that_is_no_longer_verified_shows_no_verification(worker: Worker, instances: list[Dataset]) -> None:
    case = worker.queued(instances)
    worker.processor(verifying(every=1)).process(case)
    assert worker.detail(case).verification is not None
    assert run_again(worker, case, instances[0], verifying(every=0)).verification is None


def test_a_deviation_is_an_error_in_the_log_and_stays_with_the_case(
    worker: Worker, instances: list[Dataset], logged: Callable[[], str]
) -> None:
    case = worker.queued(instances)
    worker.processor(verifying(every=1, deviation=float("inf"))).process(case)
    (line,) = [entry for entry in entries(logged()) if entry["event"] == "engines_deviate"]
    assert (line["level"], line["code"], line["deviation"]) == ("error", "ROI-010", "inf")
    record = worker.detail(case).verification
    assert record is not None
    assert record.lesions[0][1].failed
    assert worker.state(case) is CaseState.REPORTED
