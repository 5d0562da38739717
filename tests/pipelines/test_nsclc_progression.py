"""The report of response from files to bytes: what it says, that others can read it, and that it stays the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import highdicom.sr as hsr
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from pipelines.domain import response_codes as c
from pipelines.domain.case import Case, SeriesKey
from pipelines.domain.coding import IMAGING_MEASUREMENTS, LONG_AXIS, SHORT_AXIS, TRACKING_UID, VOLUME
from pipelines.domain.history import DocumentRef, Scan, packed, unpacked
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.progression import Course, Pattern, Resistance, Stop
from pipelines.domain.readings import DIFFERENT, Decision, Question, Reading, Source, TrackingUID
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import LesionRole, NewLesionCall
from pipelines.domain.responses import OverallResponse
from pipelines.domain.scan_date import ScanDate
from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR
from pipelines.imaging.case import read_case
from pipelines.imaging.registration import Rigid, register
from pipelines.nsclc_progression import Progression, Told, Written, scan_of, tell, write_report
from pipelines.outputs.check import named_items, numbers_named
from pipelines.outputs.response_check import check_response
from pipelines.outputs.response_report import ResponseFindings
from pipelines.response.history import Visit, as_of, visits_of
from tests.pipelines.outputs.tools import dciodvfy_errors, pixelmed_errors, run

PRODUCER = Producer("PULMONODE", "2.25.1", "0", datetime(2024, 5, 1, 12, tzinfo=UTC))
START = Course(start=ScanDate.parse("2023-04-30"))
PIPELINE = Progression()


@dataclass(frozen=True, slots=True)
class Followed:
    cases: tuple[Case, ...]
    scans: tuple[Scan, ...]
    visits: tuple[Visit, ...]
    places: dict[str, Rigid]

    def told(self, *readings: Reading, course: Course = START) -> Told:
        told = tell(self.visits, self.places, readings, course, PIPELINE)
        assert not isinstance(told, Rejected), told
        return told

    def written(self, told: Told, **linked: object) -> Written:
        made = write_report(self.cases[-1], told, PIPELINE, PRODUCER, **linked)  # type: ignore[arg-type]
        assert not isinstance(made, Rejected), made
        return made


@pytest.fixture(scope="module")
def followed(shared_data: Path) -> Followed:
    """A patient whose lesions grow, with three new ones at the second scan."""
    cases = []
    for folder in sorted((shared_data / "longitudinal" / "SYN-D04").glob("tp*")):
        images = [dcmread(path) for path in sorted((folder / "ct").glob("*.dcm"))]
        case = read_case(images, dcmread(folder / "seg.dcm"), inputs_digest=folder.name)
        assert not isinstance(case, Rejected), case
        cases.append(case)
    scans = [scan for case in cases if not isinstance(scan := scan_of(case), Rejected)]
    visits = visits_of(scans)
    return Followed(tuple(cases), tuple(scans), visits, {visits[1].label: register(cases[0].ct, cases[1].ct)})


@pytest.fixture(scope="module")
def report(followed: Followed) -> ResultObject:
    return followed.written(followed.told()).report


@pytest.fixture(scope="module")
def path(report: ResultObject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "sr-response.dcm"
    file.write_bytes(report.data)
    return file


def groups(made: ResultObject) -> list[Sequence[Dataset]]:
    dataset = dcmread(BytesIO(made.data))
    return [
        group.ContentSequence
        for top in named_items(dataset.ContentSequence, IMAGING_MEASUREMENTS)
        for group in top.ContentSequence
    ]


def code(items: Sequence[Dataset], name: object) -> str:
    return "".join(item.ConceptCodeSequence[0].CodeValue for item in named_items(items, name))  # type: ignore[arg-type]


def test_the_report_tells_responses_pattern_and_resistance_with_their_evidence(report: ResultObject) -> None:
    course, *others = groups(report)
    assert code(course, c.CURRENT_RESPONSE) == c.OVERALL_PD.value
    assert code(course, c.PROGRESSION_PATTERN) == c.PATTERN_SYSTEMIC.value
    assert code(course, c.RESISTANCE) == c.RESISTANCE_PRIMARY.value
    # truth_patients.csv: seven progressing lesions
    assert len(list(named_items(course, c.PROGRESSING_LESION))) == 7
    visits, lesions = others[:2], others[2:]
    assert [code(items, c.TIME_POINT_TYPE) for items in visits] == [c.BASELINE.value, c.POSTTREATMENT.value]
    assert [numbers_named(items, c.TIME_POINT_ORDER) for items in visits] == [[1.0], [2.0]]
    assert len(lesions) == 7
    assert sum(code(items, c.BASELINE_CATEGORY) == c.NEW_LESION.value for items in lesions) == 3


def test_each_lesion_has_its_axis_of_today_and_of_the_baseline(followed: Followed, report: ResultObject) -> None:
    today = {seen.tracking_uid: seen for seen in followed.scans[1].sightings}
    before = {seen.tracking_uid: seen for seen in followed.scans[0].sightings}
    for items in groups(report)[3:]:
        (uid,) = (item.UID for item in named_items(items, TRACKING_UID))
        assert numbers_named(items, LONG_AXIS) == [today[uid].long_axis / 10]
        assert numbers_named(items, c.AXIS_AT_BASELINE) == ([before[uid].long_axis / 10] if uid in before else [])


def test_the_same_inputs_give_the_same_bytes(followed: Followed, report: ResultObject) -> None:
    assert followed.written(followed.told()).report == report


def test_another_fact_gives_another_report(followed: Followed, report: ResultObject) -> None:
    other = followed.written(followed.told(course=Course())).report
    assert other.sop_instance != report.sop_instance
    assert code(groups(other)[0], c.RESISTANCE) == c.INDETERMINATE.value


def test_what_comes_after_the_visit_changes_nothing(followed: Followed, report: ResultObject) -> None:
    later = replace(START, death=ScanDate.parse("2024-01-01"), second_line=ScanDate.parse("2023-09-01"))
    assert followed.written(followed.told(course=later)).report == report


def test_a_later_last_dose_means_that_treatment_went_on() -> None:
    known = Course(last_dose=ScanDate.parse("2023-08-01"), ongoing=False, stopped_for=Stop.TOXICITY)
    then = as_of(known, ScanDate.parse("2023-07-01").latest)
    assert (then.last_dose, then.ongoing, then.stopped_for) == (None, True, None)
    assert as_of(known, ScanDate.parse("2023-08-01").latest) == known


def test_versions_and_earlier_reports_are_referred_to(followed: Followed) -> None:
    def named(uid: str) -> DocumentRef:
        key = SeriesKey(StudyUID("1.2"), SeriesUID(f"{uid}.1"))
        return DocumentRef(key, COMPREHENSIVE_3D_SR, SopInstanceUID(uid))

    made = followed.written(followed.told(), priors=(named("1.2.3"),), predecessor=named("1.2.4")).report
    dataset = dcmread(BytesIO(made.data))
    earlier = dataset.PertinentOtherEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    before = dataset.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert (earlier.ReferencedSOPInstanceUID, before.ReferencedSOPInstanceUID) == ("1.2.3", "1.2.4")
    assert SopClassUID(before.ReferencedSOPClassUID) == COMPREHENSIVE_3D_SR


def test_a_reader_turns_new_lesions_down(followed: Followed) -> None:
    study = followed.scans[1].ct.study
    known = {seen.tracking_uid for seen in followed.scans[0].sightings}
    new = [seen for seen in followed.scans[1].sightings if seen.tracking_uid not in known]
    said = [
        Reading(
            number,
            Decision(Question.NEW_LESION, study, TrackingUID(one.tracking_uid), "refuted"),
            datetime(2023, 7, 1, tzinfo=UTC),
            "reader",
            Source.COMMAND,
        )
        for number, one in enumerate(new, 1)
    ]
    told = followed.told(*said)
    assert told.assessment.visits[0].new_lesions == ()
    # the four targets still grow
    assert (told.assessment.pattern.pattern, len(told.assessment.pattern.lesions)) == (Pattern.OLIGO, 4)


def test_a_reader_says_that_two_segments_are_one_lesion(followed: Followed) -> None:
    known = {seen.tracking_uid for seen in followed.scans[0].sightings}
    new = next(seen for seen in followed.scans[1].sightings if seen.tracking_uid not in known)
    gone = replace(followed.scans[0].sightings[0], tracking_uid="", tracking_id="", own_uid="1.2.9", organ=new.organ)
    moved = replace(gone, points_mm=gone.points_mm + 100.0)
    first = replace(followed.scans[0], sightings=(moved, *followed.scans[0].sightings[1:]))
    visits = visits_of([first, followed.scans[1]])
    said = Reading(
        1,
        Decision(Question.SAME_AS, followed.scans[1].ct.study, TrackingUID(new.tracking_uid), "1.2.9"),
        datetime(2023, 7, 1, tzinfo=UTC),
        "reader",
        Source.COMMAND,
    )
    for readings, lesions in (((), 8), ((said,), 7)):
        told = tell(visits, followed.places, readings, START, PIPELINE)
        assert not isinstance(told, Rejected)
        assert len(told.followed.time_points[1].observations) == lesions


@pytest.mark.parametrize("named", [True, False])
def test_a_reader_says_that_a_segment_is_none_of_the_lesions_before(followed: Followed, *, named: bool) -> None:
    """Whether it bears the name of one of them, or only lies where one of them was."""
    scans = [
        scan
        if named
        else replace(
            scan,
            sightings=tuple(
                replace(seen, tracking_uid="", tracking_id="", own_uid=f"1.2.{at}.{seen.number}")
                for seen in scan.sightings
            ),
        )
        for at, scan in enumerate(followed.scans, 1)
    ]
    visits = visits_of(scans)
    known = scans[0].sightings[0].own_uid
    there = next(seen for seen in scans[1].sightings if seen.own_uid == known) if named else scans[1].sightings[0]
    said = Reading(
        1,
        Decision(Question.SAME_AS, scans[1].ct.study, TrackingUID(there.own_uid), DIFFERENT),
        datetime(2023, 7, 1, tzinfo=UTC),
        "reader",
        Source.COMMAND,
    )
    found = []
    for readings in ((), (said,)):
        told = tell(visits, followed.places, readings, START, PIPELINE)
        assert not isinstance(told, Rejected)
        found.append(told)
    before, after = (len(told.followed.time_points[1].observations) for told in found)
    assert after == before + 1
    assert sum(role is LesionRole.NEW for role in found[1].assessment.roles.values()) == 4
    assert found[0].digest != found[1].digest


def test_what_a_reader_decides_about_a_lesion_that_was_set_apart_is_about_the_new_one(followed: Followed) -> None:
    uid, study = TrackingUID(followed.scans[1].sightings[0].own_uid), followed.scans[1].ct.study
    at = datetime(2023, 7, 1, tzinfo=UTC)
    said = [
        Reading(1, Decision(Question.SAME_AS, study, uid, DIFFERENT), at, "reader", Source.COMMAND),
        Reading(
            2, Decision(Question.NEW_LESION, study, uid, NewLesionCall.REFUTED.value), at, "reader", Source.COMMAND
        ),
    ]
    told = followed.told(*said)
    # the three that are new anyway stay new; this one is not
    assert len(told.assessment.visits[0].new_lesions) == 3


def test_each_size_names_the_slice_or_the_segment_that_it_was_measured_on(
    followed: Followed, report: ResultObject
) -> None:
    dataset = dcmread(BytesIO(report.data))
    evidence = {
        item.ReferencedSOPInstanceUID
        for study in dataset.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    case = followed.cases[-1]
    lesions = groups(report)[3:]
    assert len(lesions) == 7
    for items in lesions:
        for name in (LONG_AXIS, SHORT_AXIS):
            (size,) = named_items(items, name)
            (line,) = size.ContentSequence
            (image,) = line.ContentSequence
            (column, row), (column_2, row_2) = np.reshape(line.GraphicData, (2, 2))
            length = np.hypot((column - column_2) * 1.6, (row - row_2) * 1.6)
            assert length == pytest.approx(float(size.MeasuredValueSequence[0].NumericValue), abs=0.06)
            assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID in evidence
        (volume,) = named_items(items, VOLUME)
        (segment,) = volume.ContentSequence[0].ReferencedSOPSequence
        assert segment.ReferencedSOPInstanceUID == case.segmentation.sop_instance
        (uid,) = (item.UID for item in named_items(items, TRACKING_UID))
        assert segment.ReferencedSegmentNumber in [one.number for one in case.lesions if one.tracking_uid == uid]


def test_a_later_segmentation_of_the_same_ct_takes_the_place_of_the_first(followed: Followed) -> None:
    first = followed.scans[0]
    again = replace(first, segmentation=SopInstanceUID("1.2.7"), sightings=first.sightings[1:])
    (visit,) = visits_of([first, again])
    assert visit.segmentations == ("1.2.7",)
    (visit,) = visits_of([again, first])
    assert visit.segmentations == (first.segmentation,)


def test_lesions_drawn_in_objects_of_their_own_are_one_scan(followed: Followed) -> None:
    first = followed.scans[0]
    one = replace(first, sightings=first.sightings[:1])
    other = replace(first, segmentation=SopInstanceUID("1.2.7"), sightings=first.sightings[1:])
    (visit,) = visits_of([one, other])
    ((_, scan),) = visit.scans
    assert len(scan.sightings) == len(first.sightings)
    assert [seen.number for seen in scan.sightings] == list(range(1, len(first.sightings) + 1))


def test_a_scan_in_which_nothing_is_drawn_is_a_complete_response(followed: Followed) -> None:
    gone = replace(followed.cases[1], lesions=())
    scan = scan_of(gone)
    assert isinstance(scan, Scan)
    told = tell(visits_of([followed.scans[0], scan]), followed.places, (), START, PIPELINE)
    assert not isinstance(told, Rejected)
    (visit,) = told.assessment.visits
    assert visit.overall is OverallResponse.CR
    assert visit.sum.total == 0
    made = write_report(gone, told, PIPELINE, PRODUCER)
    assert isinstance(made, Written), made
    course, _, _, *lesions = groups(made.report)
    assert code(course, c.CURRENT_RESPONSE) == c.OVERALL_CR.value
    assert len(lesions) == len(followed.scans[0].sightings)
    assert all(numbers_named(lesion, c.AXIS_FROM_BASELINE) == [-100.0] for lesion in lesions)


def test_two_cts_of_a_day_are_one_visit(followed: Followed) -> None:
    key = SeriesKey(StudyUID("1.2"), SeriesUID("1.2.8"))
    second = replace(followed.scans[0], ct=key, sightings=followed.scans[0].sightings[1:])
    first = replace(followed.scans[0], sightings=followed.scans[0].sightings[:1])
    visits = visits_of([followed.scans[1], second, first])
    assert [len(visit.scans) for visit in visits] == [2, 1]
    told = tell(visits, followed.places, (), START, PIPELINE)
    assert not isinstance(told, Rejected)
    # the lesions of both are known at baseline
    assert len(told.followed.time_points[0].observations) == len(followed.scans[0].sightings)
    assert sum(role is LesionRole.NEW for role in told.assessment.roles.values()) == 3
    assert told.assessment.resistance.resistance is Resistance.PRIMARY


def test_voxels_come_back_as_they_were_packed(followed: Followed) -> None:
    for scan in followed.scans:
        for seen in scan.sightings:
            kept = unpacked(packed(seen.points_mm, scan.extent), scan.extent)
            assert np.array_equal(kept, seen.points_mm)


def test_a_ct_without_a_date_is_no_time_point(followed: Followed) -> None:
    header = Dataset()
    scan = scan_of(replace(followed.cases[0], header=header))
    assert isinstance(scan, Rejected)
    assert scan.code == "RSP-002"


def test_the_self_check_finds_what_another_assessment_would_say(followed: Followed, report: ResultObject) -> None:
    told = followed.told()

    def findings(told: Told) -> ResponseFindings:
        return ResponseFindings(
            followed.cases[-1],
            told.label,
            told.assessment,
            told.followed,
            told.names,
            "",
            PIPELINE.method,
            told.digest,
        )

    assert check_response(report, findings(told)) is None
    better = replace(told.assessment.visits[0], sum=replace(told.assessment.visits[0].sum, sizes={}))
    fault = check_response(report, findings(replace(told, assessment=replace(told.assessment, visits=(better,)))))
    assert isinstance(fault, Rejected)
    assert "the sum of visit 2023-06-18 differs" in fault.detail
    fault = check_response(report, findings(followed.told(course=Course())))
    assert isinstance(fault, Rejected)
    assert "Resistance" in fault.detail


def test_others_read_the_report(path: Path) -> None:
    document = hsr.srread(path)
    assert len(document.content.get_image_measurement_groups()) == 10
    dump = run("dsrdump", path)
    assert dump.returncode == 0
    assert "Systemic progression" in dump.stdout


def test_dciodvfy_and_pixelmed_find_no_error(path: Path) -> None:
    assert dciodvfy_errors(path) == []
    assert pixelmed_errors(path) == []


def test_no_time_is_taken_from_the_clock(followed: Followed) -> None:
    later = replace(PRODUCER, produced_at=PRODUCER.produced_at + timedelta(days=1))
    made = write_report(followed.cases[-1], followed.told(), PIPELINE, later)
    assert isinstance(made, Written)
    assert dcmread(BytesIO(made.report.data)).ContentDate == "20240502"
