from io import BytesIO
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom import Dataset

from pipelines.phantom.chest import Phantom, chest_phantom
from pipelines.phantom.dicom import ct_instances, part10, phantom_segmentation
from pipelines.phantom.settings import LesionSettings, PhantomSettings
from tests.dicom import errors_of_dciodvfy

SMALL = PhantomSettings(slices=20, rows=40, columns=44, field_centre_mm=LesionSettings().centre_mm)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return chest_phantom(SMALL)


@pytest.fixture(scope="module")
def ct(phantom: Phantom) -> list[Dataset]:
    return ct_instances(phantom)


def test_the_same_settings_give_the_same_bytes() -> None:
    def everything() -> list[bytes]:
        made = chest_phantom(SMALL)
        images = ct_instances(made)
        return [part10(dataset) for dataset in (*images, phantom_segmentation(made, images))]

    assert everything() == everything()


def test_every_date_is_that_of_the_study(phantom: Phantom, ct: list[Dataset]) -> None:
    for dataset in (ct[0], phantom_segmentation(phantom, ct)):
        dates = {
            str(element.value)[:8] for element in dataset.iterall() if element.VR in ("DA", "DT") and element.value
        }
        assert dates == {"20260115"}


def test_dciodvfy_finds_no_error_in_a_ct_image(ct: list[Dataset], tmp_path: Path) -> None:
    assert errors_of_dciodvfy(ct[10], tmp_path) == []


def test_dciodvfy_finds_no_error_in_the_segmentation(phantom: Phantom, ct: list[Dataset], tmp_path: Path) -> None:
    assert errors_of_dciodvfy(phantom_segmentation(phantom, ct), tmp_path) == []


def test_stored_values_rescale_to_the_hu_of_the_phantom(phantom: Phantom, ct: list[Dataset]) -> None:
    read = [pydicom.dcmread(BytesIO(part10(instance))) for instance in ct]
    hu = np.stack([image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept) for image in read])
    assert np.array_equal(hu, phantom.ct.hu)


def test_positions_and_spacing_are_those_of_the_grid(phantom: Phantom, ct: list[Dataset]) -> None:
    grid = phantom.ct.grid
    for index in (0, 19):
        position = [float(value) for value in ct[index].ImagePositionPatient]
        assert position == pytest.approx(grid.slice_position_mm(index), abs=1e-9)
    assert [float(value) for value in ct[0].PixelSpacing] == [grid.spacing_mm[1], grid.spacing_mm[0]]


def test_every_object_says_that_it_is_synthetic(phantom: Phantom, ct: list[Dataset]) -> None:
    for dataset in (ct[0], phantom_segmentation(phantom, ct)):
        assert dataset.SeriesDescription.startswith("SYNTHETIC")
        assert dataset.SyntheticData == "YES"
    assert ct[0].ImageComments.startswith("SYNTHETIC")


def test_the_segmentation_gives_back_the_masks_and_tracking_uids(phantom: Phantom, ct: list[Dataset]) -> None:
    read = highdicom.seg.segread(BytesIO(part10(phantom_segmentation(phantom, ct))))
    lesion = phantom.lesions[0]
    masks = read.get_pixels_by_source_instance([str(s.sop_instance) for s in phantom.ct.slices], [1])
    assert np.array_equal(masks[..., 0] > 0, lesion.mask.on(phantom.ct.grid))
    assert read.get_segment_description(1).tracking_uid == lesion.tracking_uid
    assert read.SegmentationType == "BINARY"
    assert read.FrameOfReferenceUID == phantom.ct.frame_of_reference
