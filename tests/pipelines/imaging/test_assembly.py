from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import FrameOfReferenceUID, SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.domain.instance import InstanceRef, Plane, References
from pipelines.domain.reasons import Rejected
from pipelines.imaging.assembly import (
    Complete,
    Decision,
    Incomplete,
    MissingCt,
    Patience,
    SegmentationArrival,
    SeriesArrival,
    Wait,
    decide,
    pair,
)
from pipelines.imaging.geometry import Tolerances

T0 = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE = Patience(quiet=timedelta(seconds=30), missing=timedelta(seconds=900))
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def ct(series: str = "1.1", *, slices: int = 10, without: int | None = None, patient: str = "p") -> SeriesArrival:
    there = [n for n in range(slices) if n != without]
    return SeriesArrival(
        key=SeriesKey(StudyUID("1"), SeriesUID(series)),
        patient_key=patient,
        frame_of_reference=FrameOfReferenceUID("1.9"),
        instances=frozenset(SopInstanceUID(f"{series}.{n}") for n in there),
        planes=tuple(Plane((0.0, 0.0, 2.5 * n), AXIAL) for n in there),
        frames=len(there),
        last_received_at=T0,
    )


def seg(
    *, series: tuple[str, ...] = ("1.1",), instances: tuple[str, ...] = (), patient: str = "p"
) -> SegmentationArrival:
    ref = InstanceRef(
        sop_class=SopClassUID("1.2.840.10008.5.1.4.1.1.66.4"),
        sop_instance=SopInstanceUID("1.5"),
        key=SeriesKey(StudyUID("1"), SeriesUID("1.4")),
        transfer_syntax="1.2.840.10008.1.2.1",
        patient_key=patient,
        modality="SEG",
        frame_of_reference=FrameOfReferenceUID("1.9"),
        references=References(tuple(SeriesUID(uid) for uid in series), tuple(SopInstanceUID(uid) for uid in instances)),
    )
    return SegmentationArrival(ref, T0, "SENDER")


def decided(segmentation: SegmentationArrival, *candidates: SeriesArrival, after_s: float) -> Decision:
    return decide(segmentation, candidates, now=T0 + timedelta(seconds=after_s), patience=PATIENCE)


def code(decision: Decision) -> str:
    assert isinstance(decision, Incomplete)
    return decision.reason.code


def test_a_quiet_whole_series_completes_the_case_and_says_why() -> None:
    decision = decided(seg(instances=("1.1.3", "1.1.4")), ct(), after_s=30)
    assert isinstance(decision, Complete)
    assert "10 CT slices" in decision.why
    assert "all 2 images" in decision.why
    assert "no gap at 2.50 mm" in decision.why


def test_a_series_waits_to_the_last_moment_of_the_quiet_time() -> None:
    assert isinstance(decided(seg(), ct(), after_s=29.999), Wait)
    assert isinstance(decided(seg(), ct(), after_s=30), Complete)


def test_a_missing_series_is_waited_for_then_named() -> None:
    waiting = decided(seg(), after_s=899)
    assert isinstance(waiting, Wait)
    assert "1.1" in waiting.why
    decision = decided(seg(), after_s=900)
    assert code(decision) == "SEG-001"
    assert isinstance(decision, Incomplete)
    assert "waited 900 s" in decision.reason.detail


def test_a_gap_between_slices_is_waited_for_then_named() -> None:
    gap = ct(without=4)
    assert isinstance(decided(seg(), gap, after_s=899), Wait)
    decision = decided(seg(), gap, after_s=900)
    assert code(decision) == "CT-002"
    assert isinstance(decision, Incomplete)
    assert "1 above 7.50 mm" in decision.reason.detail


def test_an_image_that_the_segmentation_names_must_be_there_even_at_the_end_of_the_series() -> None:
    decision = decided(seg(instances=("1.1.9", "1.1.10")), ct(), after_s=900)
    assert code(decision) == "CT-002"


def test_two_acquisitions_between_each_other_are_no_missing_slices() -> None:
    heights = sorted([*np.arange(0.0, 25.0, 5.0), *np.arange(0.7, 25.0, 5.0)])
    both = replace(ct(), planes=tuple(Plane((0.0, 0.0, float(z)), AXIAL) for z in heights))
    assert isinstance(decided(seg(), both, after_s=30), Complete)


def test_the_tolerances_decide_what_a_gap_is() -> None:
    heights = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.6, 18.6, 20.6)
    near = replace(ct(), planes=tuple(Plane((0.0, 0.0, z), AXIAL) for z in heights))

    def after(spacing: float) -> Decision:
        late = T0 + timedelta(seconds=900)
        return decide(seg(), [near], now=late, patience=PATIENCE, tolerances=Tolerances(spacing=spacing))

    assert isinstance(after(0.1), Complete)
    assert code(after(0.35)) == "CT-002"


def test_another_patient_is_refused_at_once() -> None:
    assert code(decided(seg(patient="q"), ct(), after_s=0)) == "SEG-005"


def placed(*slices: int, patient: str = "p") -> SegmentationArrival:
    """A segmentation that names nothing, with frames at the places of these slices."""
    plain = seg(series=(), patient=patient)
    positions = tuple((0.0, 0.0, 2.5 * n) for n in slices)
    return replace(plain, ref=replace(plain.ref, frame_positions_mm=positions))


def series_of(decision: Decision) -> str:
    assert isinstance(decision, Complete), decision
    return decision.ct.series


def test_two_series_with_the_same_slices_are_ambiguous_and_both_are_named() -> None:
    for segmentation in (seg(series=()), placed(3, 4)):
        decision = decided(segmentation, ct("1.1"), ct("1.2"), after_s=60)
        assert code(decision) == "SEG-002"
        assert isinstance(decision, Incomplete)
        assert "1.1, 1.2" in decision.reason.detail


def test_of_two_series_the_one_with_slices_at_the_frames_is_taken() -> None:
    thick = replace(ct("1.2"), planes=tuple(Plane((0.0, 0.0, 7.0 * n), AXIAL) for n in range(5)))
    assert series_of(decided(placed(3, 4, 5), ct("1.1"), thick, after_s=60)) == "1.1"
    assert series_of(decided(placed(3, 4, 5), thick, ct("1.1"), after_s=60)) == "1.1"


def test_an_original_axial_series_goes_before_reformatted_ones() -> None:
    derived = replace(ct("1.2"), original=False)
    coronal = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
    reformatted = replace(ct("1.3"), planes=tuple(Plane((0.0, 2.5 * n, 0.0), coronal) for n in range(10)))
    assert series_of(decided(placed(3, 4), ct("1.1"), derived, reformatted, after_s=60)) == "1.1"
    assert series_of(decided(placed(3, 4), derived, after_s=60)) == "1.2"


def test_a_series_beyond_the_frames_is_not_taken() -> None:
    assert isinstance(decided(placed(40, 41), ct(), after_s=60), Wait)
    assert code(decided(placed(40, 41), ct(), after_s=900)) == "SEG-001"


def test_the_frames_of_a_multi_frame_series_count_as_slices() -> None:
    positions = tuple((0.0, 0.0, 2.5 * n) for n in range(10))
    enhanced = replace(ct("1.2"), planes=(), frame_positions_mm=positions)
    thick = replace(ct("1.1"), planes=tuple(Plane((0.0, 0.0, 7.0 * n), AXIAL) for n in range(5)))
    assert series_of(decided(placed(3, 4), enhanced, thick, after_s=60)) == "1.2"


def test_without_references_all_series_must_be_quiet_before_one_is_chosen() -> None:
    late = replace(ct("1.2", slices=2), last_received_at=T0 + timedelta(seconds=40))
    assert isinstance(decided(placed(3, 4), ct("1.1"), late, after_s=60), Wait)
    assert series_of(decided(placed(3, 4), ct("1.1"), late, after_s=70)) == "1.1"


def test_a_series_of_another_study_is_never_taken_for_its_frame_of_reference() -> None:
    elsewhere = replace(ct(), key=SeriesKey(StudyUID("2"), SeriesUID("1.1")))
    assert pair(placed(3).ref, [elsewhere]) is None


def test_another_patient_s_series_at_the_same_place_is_quarantined_or_passed_over() -> None:
    assert code(decided(placed(3), ct(patient="q"), after_s=60)) == "SEG-005"
    assert series_of(decided(placed(3), ct("1.1", patient="q"), ct("1.2"), after_s=60)) == "1.2"


def test_images_of_two_series_decide_when_nine_tenths_are_of_one() -> None:
    named = (*(f"1.1.{n}" for n in range(9)), "1.2.0")
    assert series_of(decided(seg(series=("1.1",), instances=named[:9]), ct("1.1"), ct("1.2"), after_s=60)) == "1.1"
    found = pair(seg(series=(), instances=named).ref, [ct("1.1"), ct("1.2")])
    assert isinstance(found, SeriesArrival)
    assert found.key.series == "1.1"
    half = (*named[:5], *(f"1.2.{n}" for n in range(5)))
    assert isinstance(pair(seg(series=(), instances=half).ref, [ct("1.1"), ct("1.2")]), Rejected)


def test_two_named_series_are_told_apart_by_the_images() -> None:
    found = pair(seg(series=("1.1", "1.2"), instances=("1.2.3", "1.2.4")).ref, [ct("1.1"), ct("1.2")])
    assert isinstance(found, SeriesArrival)
    assert found.key.series == "1.2"
    assert isinstance(pair(seg(series=("1.1", "1.2")).ref, [ct("1.1"), ct("1.2")]), Rejected)


def test_what_is_missing_is_named_so_that_it_can_be_retrieved() -> None:
    named = seg(instances=("1.1.3", "1.1.10"))
    for after_s in (60, 900):
        alone = decided(named, after_s=after_s)
        assert isinstance(alone, Wait | Incomplete)
        assert alone.missing == MissingCt(
            StudyUID("1"), (SeriesUID("1.1"),), (SopInstanceUID("1.1.3"), SopInstanceUID("1.1.10"))
        )
        partly = decided(named, ct(), after_s=after_s)
        assert isinstance(partly, Wait | Incomplete)
        assert partly.missing == MissingCt(StudyUID("1"), (SeriesUID("1.1"),), (SopInstanceUID("1.1.10"),))


def test_without_references_the_one_series_on_the_frame_of_reference_is_taken() -> None:
    found = pair(seg(series=()).ref, [ct("1.2")])
    assert not isinstance(found, Rejected)
    assert found is not None
    assert found.key.series == "1.2"


def test_a_named_series_is_never_replaced_by_another_one() -> None:
    assert pair(seg(series=("1.7",)).ref, [ct("1.1")]) is None


def test_images_find_their_series_when_the_named_series_is_unknown() -> None:
    found = pair(seg(series=("1.7",), instances=("1.1.3",)).ref, [ct("1.1"), ct("1.2")])
    assert isinstance(found, SeriesArrival)
    assert found.key.series == "1.1"


@given(st.permutations(range(10)), st.integers(0, 100))
def test_the_order_of_arrival_changes_nothing(order: list[int], after_s: int) -> None:
    whole = ct()
    shuffled = replace(whole, planes=tuple(whole.planes[i] for i in order))
    assert decided(seg(), shuffled, after_s=after_s) == decided(seg(), whole, after_s=after_s)


def test_a_clock_that_is_set_back_does_not_hold_a_case_for_as_long() -> None:
    # a transfer that goes on is told apart from one that was before the clock was set back by an hour or a year
    assert isinstance(decided(seg(), ct(), after_s=-20), Wait)
    assert isinstance(decided(seg(), ct(), after_s=-3600), Complete)
    assert isinstance(decided(seg(), ct(), after_s=-3600 * 24 * 365), Complete)
