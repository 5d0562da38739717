from dataclasses import replace
from io import BytesIO
from pathlib import Path

import highdicom
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from pipelines.domain.case import Findings
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID
from pipelines.domain.outcome import ResultObject
from pipelines.domain.sop_classes import ENHANCED_CT_IMAGE
from pipelines.domain.volume import SliceRef
from pipelines.outputs.segmentation import segment_reference, segmentation_objects
from tests.pipelines.outputs import synthetic
from tests.pipelines.outputs.tools import dciodvfy_errors, run


def read(made: ResultObject) -> Dataset:
    return dcmread(BytesIO(made.data))


def test_a_segmentation_that_reports_can_refer_to_is_not_written_again(findings: Findings) -> None:
    assert list(segmentation_objects(findings, synthetic.PRODUCER)) == []


def test_reports_refer_to_the_received_segment_where_they_can(findings: Findings) -> None:
    lesion = replace(findings.case.lesions[1], number=7)
    reference = segment_reference(findings, lesion)
    assert reference.sop_instance == findings.case.segmentation.sop_instance
    assert reference.segment_number == 7


def test_reports_refer_to_the_own_segmentation_otherwise(
    drawn_as_contours: Findings, objects: dict[str, ResultObject]
) -> None:
    made = objects["seg"]
    for number, lesion in enumerate(drawn_as_contours.case.lesions, start=1):
        reference = segment_reference(drawn_as_contours, lesion)
        assert (reference.sop_class, reference.sop_instance) == (made.sop_class, made.sop_instance)
        assert reference.key.series == made.series
        assert reference.segment_number == number


def test_the_same_findings_give_the_same_bytes(drawn_as_contours: Findings, objects: dict[str, ResultObject]) -> None:
    assert list(segmentation_objects(drawn_as_contours, synthetic.PRODUCER)) == [objects["seg"]]


def test_segments_keep_what_identifies_the_lesions(
    drawn_as_contours: Findings, objects: dict[str, ResultObject]
) -> None:
    for segment, lesion in zip(read(objects["seg"]).SegmentSequence, drawn_as_contours.case.lesions, strict=True):
        assert (segment.TrackingID, segment.TrackingUID) == (lesion.tracking_id, lesion.tracking_uid)
        assert segment.SegmentLabel == lesion.label
        source = segment.DefinitionSourceSequence[0]
        assert source.ReferencedSOPInstanceUID == drawn_as_contours.case.segmentation.sop_instance
        assert source.ReferencedROINumber == lesion.number


def test_frames_without_a_voxel_are_left_out(masks: list[NDArray[np.bool_]], objects: dict[str, ResultObject]) -> None:
    expected = sum(int(mask.any(axis=(1, 2)).sum()) for mask in masks)
    assert read(objects["seg"]).NumberOfFrames == expected < 2 * len(masks[0])


def test_highdicom_reads_the_masks_as_they_were(
    ct: list[Dataset], masks: list[NDArray[np.bool_]], objects: dict[str, ResultObject]
) -> None:
    seg = highdicom.seg.segread(BytesIO(objects["seg"].data))
    uids = [image.SOPInstanceUID for image in ct]
    pixels = seg.get_pixels_by_source_instance(
        uids, assert_missing_frames_are_empty=True, ignore_spatial_locations=True
    )
    for number, mask in enumerate(masks):
        np.testing.assert_array_equal(pixels[..., number], mask)


def test_masks_whose_frames_do_not_fill_whole_bytes_are_packed_without_gaps() -> None:
    shape = (5, 9, 7)
    masks = synthetic.balls(shape, 1)
    ct = synthetic.ct_series(shape)
    findings = synthetic.findings_of(synthetic.case_of(ct, masks, referable=False), synthetic.feature_names()[:3])
    (made,) = segmentation_objects(findings, synthetic.PRODUCER)
    seg = highdicom.seg.segread(BytesIO(made.data))
    uids = [image.SOPInstanceUID for image in ct]
    pixels = seg.get_pixels_by_source_instance(
        uids, assert_missing_frames_are_empty=True, ignore_spatial_locations=True
    )
    np.testing.assert_array_equal(pixels[..., 0], masks[0])


def test_dcmqi_reads_as_many_voxels_as_there_are(folder: Path, tmp_path: Path, masks: list[NDArray[np.bool_]]) -> None:
    finished = run("segimage2itkimage", "--inputDICOM", folder / "seg.dcm", "--outputDirectory", tmp_path, "-p", "s")
    assert finished.returncode == 0
    for number, mask in enumerate(masks, start=1):
        image = sitk.ReadImage(str(tmp_path / f"s-{number}.nrrd"))
        assert int((sitk.GetArrayFromImage(image) > 0).sum()) == int(mask.sum())


def test_dciodvfy_finds_no_error(folder: Path) -> None:
    assert dciodvfy_errors(folder / "seg.dcm") == []


def test_frames_of_a_multi_frame_ct_are_named_by_instance_and_frame(drawn_as_contours: Findings) -> None:
    case = drawn_as_contours.case
    frames = tuple(
        SliceRef(SopClassUID(ENHANCED_CT_IMAGE), SopInstanceUID("1.2.3"), frame=30 - index)
        for index in range(len(case.ct.slices))
    )
    enhanced = replace(drawn_as_contours, case=replace(case, ct=replace(case.ct, slices=frames)))
    (made,) = segmentation_objects(enhanced, synthetic.PRODUCER)
    dataset = read(made)
    first = dataset.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    offset = case.lesions[0].mask.offset[0]
    assert (first.ReferencedSOPInstanceUID, first.ReferencedFrameNumber) == ("1.2.3", 30 - offset)
    assert len(dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == 1
