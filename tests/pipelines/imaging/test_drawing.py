"""Segmentations of a series that has to be resampled: rule, labels and digest are those of any other."""

from io import BytesIO

import numpy as np
from pydicom import Dataset, dcmread

from pipelines.domain.case import Case
from pipelines.domain.lesion_rule import LesionRule
from pipelines.domain.reasons import Rejected
from pipelines.imaging.case import read_case
from pipelines.imaging.geometry import Tolerances
from tests.ct_variants import at_heights, seg_of_slices, tilted
from tests.dicom import as_bytes, ct_series, rtstruct_of, seg_of

GREEK = "όζος"


def case_of(outcome: Case | Rejected) -> Case:
    assert isinstance(outcome, Case), outcome
    return outcome


def labelled(segmentation: Dataset, declared: str) -> Dataset:
    """The data set as it is read from a file, its first label in Greek and in the character set `declared`."""
    segmentation.SpecificCharacterSet = "ISO_IR 126"
    segmentation.SegmentSequence[0].SegmentLabel = GREEK
    data = as_bytes(segmentation).replace(b"ISO_IR 126", declared.encode().ljust(10))
    return dcmread(BytesIO(data))


def test_a_label_keeps_its_bytes_until_they_are_decoded_on_a_tilted_series_too() -> None:
    ct = tilted(ct_series(), 12)
    (lesion,) = case_of(read_case(ct, labelled(seg_of_slices(ct), "ISO_IR 126"), inputs_digest="d")).lesions
    assert lesion.label == GREEK
    wrong = labelled(seg_of_slices(ct), "ISO_IR 192")
    refused = case_of(read_case(ct, wrong, inputs_digest="d"))
    assert "TXT-002" in [note.code for note in refused.notes]


def test_reading_on_the_slices_as_sent_leaves_the_segmentation_as_it_was() -> None:
    ct = tilted(ct_series(), 12)
    segmentation = seg_of_slices(ct)
    before = as_bytes(segmentation)
    case_of(read_case(ct, segmentation, inputs_digest="d"))
    assert as_bytes(segmentation) == before


def test_the_rule_for_lesions_holds_on_a_resampled_series() -> None:
    rule = LesionRule(exclude=("lesion",))
    ct = tilted(ct_series(), 12)
    uneven = at_heights(ct_series(), [0, 1.25, 2.5, 3.75, 5.0, 7.25, 9.5, 11.75, 14.0, 16.25])
    for images, segmentation in ((ct, seg_of_slices(ct)), (uneven, rtstruct_of(uneven))):
        assert isinstance(read_case(images, segmentation, inputs_digest="d"), Case)
        refused = read_case(images, segmentation, inputs_digest="d", rule=rule)
        assert isinstance(refused, Rejected)
        assert refused.code == "SEG-004"


def test_other_tolerances_give_results_of_their_own() -> None:
    ct = ct_series()
    usual = case_of(read_case(ct, seg_of(ct), inputs_digest="d"))
    other = case_of(read_case(ct, seg_of(ct), inputs_digest="d", tolerances=Tolerances(spacing=0.2)))
    assert usual.inputs_digest == "d"
    assert other.inputs_digest != "d"
    assert np.array_equal(usual.lesions[0].mask.voxels, other.lesions[0].mask.voxels)
