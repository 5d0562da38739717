from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from pipelines.domain.case import Case, Findings
from pipelines.domain.coding import SEGMENTATION_DERIVATION
from pipelines.domain.outcome import ResultObject
from pipelines.outputs.multiframe import FrameSource, add_frames, pixel_element
from pipelines.outputs.parametric_map import map_objects
from tests.pipelines.outputs import synthetic


def frames_on(case: Case, *frames: FrameSource) -> Dataset:
    made = Dataset()
    add_frames(made, case, frames, SEGMENTATION_DERIVATION, "1.2.3")
    return made


def test_spacing_orientation_and_positions_are_those_of_the_grid(case: Case) -> None:
    made = frames_on(case, FrameSource(3), FrameSource(7))
    shared = made.SharedFunctionalGroupsSequence[0]
    # Pixel Spacing is the distance of the rows, then of the columns
    assert shared.PixelMeasuresSequence[0].PixelSpacing == [0.7, 0.8]
    assert shared.PixelMeasuresSequence[0].SpacingBetweenSlices == 2.5
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
    positions = [f.PlanePositionSequence[0].ImagePositionPatient for f in made.PerFrameFunctionalGroupsSequence]
    assert positions == [[-20, -30, -92.5], [-20, -30, -82.5]]


def test_frames_of_segments_are_indexed_by_segment_then_by_place(case: Case) -> None:
    made = frames_on(case, FrameSource(7, 1), FrameSource(3, 2), FrameSource(7, 2))
    indices = [f.FrameContentSequence[0].DimensionIndexValues for f in made.PerFrameFunctionalGroupsSequence]
    assert indices == [[1, 2], [2, 1], [2, 2]]
    assert [i.DimensionDescriptionLabel for i in made.DimensionIndexSequence] == [
        "Segment Number",
        "Image Position (Patient)",
    ]


def test_a_lossy_ct_makes_lossy_results(small: Findings) -> None:
    header = Dataset()
    header.update(small.case.header)
    header.LossyImageCompression = "01"
    header.LossyImageCompressionRatio = "10"
    header.LossyImageCompressionMethod = "ISO_10918_1"
    (made,) = map_objects(replace(small, case=replace(small.case, header=header)), synthetic.PRODUCER)
    dataset = dcmread(BytesIO(made.data))
    assert (dataset.LossyImageCompression, dataset.LossyImageCompressionRatio) == ("01", 10)
    assert dataset.LossyImageCompressionMethod == "ISO_10918_1"


def test_any_other_ct_makes_results_without_loss(objects: dict[str, ResultObject]) -> None:
    assert dcmread(BytesIO(objects["map"].data)).LossyImageCompression == "00"


@pytest.mark.parametrize(("value", "length"), [(b"", 0), (b"1", 2), (b"12", 2)])
def test_a_bulk_element_has_an_even_length(value: bytes, length: int) -> None:
    header, kept, padding = pixel_element(0x7FE00010, "OB", value)
    assert header == b"\xe0\x7f\x10\x00OB\0\0" + length.to_bytes(4, "little")
    assert len(bytes(kept) + padding) == length
