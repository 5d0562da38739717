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


def test_two_series_on_one_frame_of_reference_are_ambiguous() -> None:
    assert code(decided(seg(series=()), ct("1.1"), ct("1.2"), after_s=60)) == "SEG-002"


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
