"""A segmentation in which nothing is drawn: lesions that are gone where patients are followed, else no case."""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
from pydicom import Dataset

from pipelines.domain.case import Case
from pipelines.domain.lesion_rule import LesionRule
from pipelines.domain.reasons import Rejected
from pipelines.imaging.case import read_case
from tests.dicom import ct_series, rtstruct_of, seg_of

CT = ct_series(slices=6, rows=24, columns=24)


def of_zeros() -> Dataset:
    """As highdicom writes it: every frame is there and holds nothing."""
    drawn = seg_of(CT)
    drawn.PixelData = bytes(len(drawn.PixelData))
    return drawn


def without_frames() -> Dataset:
    drawn = seg_of(CT)
    drawn.NumberOfFrames = 0
    drawn.PerFrameFunctionalGroupsSequence = []
    del drawn.PixelData
    return drawn


def without_contours() -> Dataset:
    drawn = rtstruct_of(CT)
    del drawn.ROIContourSequence[0].ContourSequence
    return drawn


@pytest.mark.parametrize("made", [of_zeros, without_frames, without_contours])
def test_a_segmentation_without_a_voxel_is_a_case_without_lesions_where_patients_are_followed(
    made: Callable[[], Dataset],
) -> None:
    read = read_case(CT, made(), inputs_digest="d", may_be_empty=True)
    assert isinstance(read, Case), read
    assert read.lesions == ()
    assert "ROI-002" in [note.code for note in read.notes]


@pytest.mark.parametrize("made", [of_zeros, without_frames, without_contours])
def test_it_is_no_case_where_lesions_are_measured_only(made: Callable[[], Dataset]) -> None:
    refused = read_case(CT, made(), inputs_digest="d")
    assert isinstance(refused, Rejected)
    assert refused.code == "SEG-004"


def test_organs_alone_do_not_tell_that_lesions_are_gone() -> None:
    refused = read_case(CT, of_zeros(), inputs_digest="d", may_be_empty=True, rule=LesionRule(exclude=("lesion",)))
    assert isinstance(refused, Rejected)
    assert refused.code == "SEG-004"


def test_what_was_drawn_beside_the_ct_is_not_taken_for_gone() -> None:
    beside = seg_of(CT)
    for frame in beside.PerFrameFunctionalGroupsSequence:
        place = frame.PlanePositionSequence[0]
        place.ImagePositionPatient = [*place.ImagePositionPatient[:2], float(place.ImagePositionPatient[2]) + 4000]
    refused = read_case(CT, beside, inputs_digest="d", may_be_empty=True)
    assert isinstance(refused, Rejected)
    assert refused.code == "SEG-007"


def test_frames_of_a_segment_that_nobody_described_are_not_taken_for_nothing() -> None:
    strange = seg_of(CT, {1: np.zeros((6, 24, 24), dtype=np.bool_), 2: np.ones((6, 24, 24), dtype=np.bool_)})
    strange.SegmentSequence = [deepcopy(strange.SegmentSequence[0])]
    refused = read_case(CT, strange, inputs_digest="d", may_be_empty=True)
    assert isinstance(refused, Rejected)
    assert refused.code == "SEG-004"
