"""The builders of tests/dicom.py are relied on everywhere: what they promise is checked here."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset

from tests.dicom import (
    as_bytes,
    ball_in_lung,
    centred_ball,
    circle_of,
    ct_series,
    errors_of_dciodvfy,
    rtstruct_of,
    seg_of,
    write_files,
)

BALL = centred_ball((10, 32, 32))
CORE = centred_ball((10, 32, 32), fraction=0.3)


@pytest.mark.parametrize(
    "made",
    [
        ct_series()[0],
        ct_series(orientation=(1, 0, 0, 0, 0.8, 0.6))[3],
        seg_of(ct_series()),
        seg_of(ct_series(), {1: BALL, 2: CORE}),
        seg_of(ct_series(), fractional=True),
        seg_of(ct_series(), labelmap=True),
        rtstruct_of(ct_series()),
    ],
    ids=["ct", "tilted ct", "seg", "two segments", "fractional", "labelmap", "rtstruct"],
)
def test_dciodvfy_finds_no_error_in_what_the_builders_make(made: Dataset, tmp_path: Path) -> None:
    assert errors_of_dciodvfy(made, tmp_path) == []


def test_equal_arguments_give_equal_bytes_and_others_do_not() -> None:
    assert as_bytes(ct_series()[4]) == as_bytes(ct_series()[4])
    assert as_bytes(seg_of(ct_series())) == as_bytes(seg_of(ct_series()))
    assert as_bytes(rtstruct_of(ct_series())) == as_bytes(rtstruct_of(ct_series()))
    assert ct_series()[0].SeriesInstanceUID != ct_series(seed=2)[0].SeriesInstanceUID
    assert seg_of(ct_series(), {1: BALL}).SOPInstanceUID != seg_of(ct_series(), {1: CORE}).SOPInstanceUID


def test_slices_are_left_out_by_their_instance_number() -> None:
    assert [ct.InstanceNumber for ct in ct_series(slices=5, without=4)] == [1, 2, 3, 5]
    assert [ct.InstanceNumber for ct in ct_series(slices=5, without=(1, 2))] == [3, 4, 5]


def test_a_series_can_join_the_study_of_another() -> None:
    one = ct_series()
    other = ct_series(seed=2, study=one[0].StudyInstanceUID)
    assert other[0].StudyInstanceUID == one[0].StudyInstanceUID
    assert other[0].SeriesInstanceUID != one[0].SeriesInstanceUID


def test_voxels_can_be_given() -> None:
    hu = np.full((10, 32, 32), 7, dtype=np.int16)
    assert (ct_series(hu=hu)[0].pixel_array - 1024 == 7).all()
    assert ball_in_lung((10, 32, 32))[BALL].mean() == pytest.approx(30, abs=5)


def test_segments_keep_the_numbers_they_are_given() -> None:
    seg = seg_of(ct_series(), {2: BALL, 7: CORE}, labels={7: "Core"})
    assert [(item.SegmentNumber, item.SegmentLabel) for item in seg.SegmentSequence] == [(2, "Lesion 2"), (7, "Core")]
    named = {f.SegmentIdentificationSequence[0].ReferencedSegmentNumber for f in seg.PerFrameFunctionalGroupsSequence}
    assert named == {2, 7}


@pytest.mark.parametrize(
    ("referencing", "series", "frames"),
    [("series and frames", True, True), ("series", True, False), ("frames", False, True), ("nothing", False, False)],
)
def test_a_segmentation_names_its_ct_as_it_is_told(referencing: str, series: bool, frames: bool) -> None:
    seg = seg_of(ct_series(), referencing=referencing)  # type: ignore[arg-type]
    assert ("ReferencedSeriesSequence" in seg) == series
    assert ("DerivationImageSequence" in seg.PerFrameFunctionalGroupsSequence[0]) == frames


def test_another_frame_of_reference_can_be_named() -> None:
    assert seg_of(ct_series(), frame_of_reference="1.2.3").FrameOfReferenceUID == "1.2.3"
    structure_set = rtstruct_of(ct_series(), frame_of_reference="1.2.3")
    assert structure_set.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID == "1.2.3"
    assert structure_set.StructureSetROISequence[0].ReferencedFrameOfReferenceUID == "1.2.3"


def test_contours_lie_on_the_slices_they_name() -> None:
    ct = ct_series()
    triangle = [(0.0, 0.0), (4.0, 0.0), (0.0, 4.0)]
    structure_set = rtstruct_of(ct, {3: [(6, triangle)], 5: [(2, circle_of(ct))]}, names={3: "GTV"})
    assert [roi.ROIName for roi in structure_set.StructureSetROISequence] == ["GTV", "Lesion 5"]
    contour = structure_set.ROIContourSequence[0].ContourSequence[0]
    assert contour.ContourImageSequence[0].ReferencedSOPInstanceUID == ct[6].SOPInstanceUID
    z = float(ct[6].ImagePositionPatient[2])
    assert [float(v) for v in contour.ContourData] == [0, 0, z, 4, 0, z, 0, 4, z]


def test_files_are_numbered_and_can_be_read_back(tmp_path: Path) -> None:
    paths = write_files(ct_series(slices=3), tmp_path / "ct")
    assert [path.name for path in paths] == ["0000.dcm", "0001.dcm", "0002.dcm"]
    assert pydicom.dcmread(paths[2]).InstanceNumber == 3
