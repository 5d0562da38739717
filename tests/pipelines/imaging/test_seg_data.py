"""Every segmentation and structure set of the collected data gives its expected reaction, voxel for voxel."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from pipelines.domain.case import Case
from pipelines.domain.identifiers import FrameOfReferenceUID, SopClassUID, SopInstanceUID
from pipelines.domain.lesion_rule import LesionRule
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import CtVolume, Grid, SliceRef
from pipelines.imaging.case import read_case
from pipelines.imaging.rtstruct import read_structures
from pipelines.imaging.seg import Drawn, read_segmentation
from tests.pipelines.outputs.tools import run

EVERYTHING = LesionRule(include=(".",))

# voxels of each lesion, codes of the notes; or the code of the rejection
ON_BASE: dict[str, tuple[list[int], set[str]] | str] = {
    "multi_lesion": ([837, 1359, 3437], set()),
    "corrected_v2": ([837, 1359, 3437], set()),
    "labelmap_dcmqi": ([837, 1359, 3437], set()),
    "unknown_series": ([837], set()),
    "one_voxel": ([1], set()),
    "single_slice": ([347], set()),
    "empty_segment_2": ([837], {"ROI-002"}),
    "fractional_probability": ([811], {"SEG-009"}),
    "rtstruct_gb18030_roi": ([837], set()),
    "wrong_frame_of_reference": "SEG-003",
}


def test_all_segmentations_on_the_base_are_in_the_table(shared_data: Path) -> None:
    assert {path.stem for path in (shared_data / "variants/seg_on_base").glob("*.dcm")} == set(ON_BASE)


@pytest.mark.parametrize(("name", "expected"), ON_BASE.items())
def test_every_segmentation_on_the_base_gives_its_reaction(
    shared_data: Path, name: str, expected: tuple[list[int], set[str]] | str
) -> None:
    variants = shared_data / "variants"
    ct = [dcmread(file) for file in sorted((variants / "base/ct").glob("*.dcm"))]
    outcome = read_case(ct, dcmread(variants / f"seg_on_base/{name}.dcm"), inputs_digest="d")
    if isinstance(expected, str):
        assert isinstance(outcome, Rejected)
        assert outcome.code == expected
        return
    assert isinstance(outcome, Case), outcome
    assert [lesion.mask.count for lesion in outcome.lesions] == expected[0]
    assert {note.code for note in outcome.notes} == expected[1]
    volumes = [lesion.mask.volume_ml(outcome.ct.grid) * 1000 for lesion in outcome.lesions]
    told = {entry["variant"]: entry for entry in json.loads((variants / "expected.json").read_text())}
    entry = told[f"seg_on_base/{name}.dcm"]
    wanted = entry.get("volumes") or ([entry["volume_ge_0_5"]] if "volume_ge_0_5" in entry else [])
    assert volumes[: len(wanted)] == pytest.approx([one for one in wanted if one], abs=2e-3)


# what the rule makes of them: how many lesions, or why there is none
OBJECTS: dict[str, int | str] = {
    "seg/liver": "SEG-004",
    "seg/partial_overlaps": "SEG-004",
    "seg/sparse-labelmap-ppv5": "SEG-004",
    "tid1500_dcmqi/seg": 1,
    "highdicom/seg_image_ct_binary": "SEG-004",
    "highdicom/seg_image_ct_binary_overlap": "SEG-004",
    "totalsegmentator_example/seg_binary": "SEG-004",
    "totalsegmentator_example/seg_labelmap": "SEG-004",
}


@pytest.mark.parametrize(("name", "expected"), OBJECTS.items())
def test_masks_equal_those_of_dcmqi_and_the_rule_knows_organs(
    shared_data: Path, tmp_path: Path, name: str, expected: int | str
) -> None:
    path = shared_data / "objects" / f"{name}.dcm"
    reference, grid = masks_of_dcmqi(path, tmp_path)
    segmentation = dcmread(path)
    ct = volume_on(grid, segmentation)
    drawn = read_segmentation(segmentation, ct, rule=EVERYTHING)
    assert isinstance(drawn, Drawn), drawn
    found = {lesion.number: lesion.mask.on(grid) for lesion in drawn.lesions}
    wanted = {number: mask for number, mask in reference.items() if mask.any() and number != 0}
    assert set(found) == set(wanted)
    for number, mask in wanted.items():
        assert np.array_equal(found[number], mask), number
    chosen = read_segmentation(dcmread(path), ct)
    assert (chosen.code if isinstance(chosen, Rejected) else len(chosen.lesions)) == expected


@pytest.mark.parametrize("name", ["liver_rle", "liver_expb", "liver_nonbyte_aligned_deflate"])
def test_compressed_and_big_endian_segmentations_hold_the_same_liver(shared_data: Path, name: str) -> None:
    # pydicom cannot decode two of these three
    plain = dcmread(shared_data / "objects/seg/liver.dcm")
    other = dcmread(shared_data / f"objects/seg_compressed/{name}.dcm")
    images = [dcmread(file) for file in sorted((shared_data / "objects/seg_liver_ct").glob("*.dcm"))]
    cases = [read_case(images, seg, inputs_digest="d", rule=EVERYTHING) for seg in (plain, other)]
    first, second = (case.lesions[0].mask for case in cases if isinstance(case, Case))
    assert first.count == 107098
    assert first.offset == second.offset
    assert np.array_equal(first.voxels, second.voxels)


def test_a_segmentation_of_a_slide_is_refused_with_a_code(shared_data: Path) -> None:
    slide = dcmread(shared_data / "objects/highdicom/seg_image_sm_control_labelmap.dcm")
    grid = Grid((2, 10, 10), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    outcome = read_segmentation(slide, volume_on(grid, slide), rule=EVERYTHING)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "SEG-006"


def test_a_fractional_segmentation_is_cut_where_highdicom_has_half(shared_data: Path, tmp_path: Path) -> None:
    import highdicom

    path = shared_data / "objects/highdicom/seg_image_ct_true_fractional.dcm"
    _, grid = masks_of_dcmqi(path, tmp_path)
    drawn = read_segmentation(dcmread(path), volume_on(grid, dcmread(path)), rule=EVERYTHING)
    assert isinstance(drawn, Drawn)
    theirs = highdicom.seg.segread(path).get_volume().array[..., 0]
    assert (theirs > 0).sum() > 0
    assert drawn.lesions[0].mask.count == (theirs >= 0.5).sum()
    assert [note.code for note in drawn.notes if note.code == "SEG-009"]


# four ROIs whose names say nothing, and a structure set of another frame of reference
STRUCTURE_SETS = {"rtstruct/rt.dcm": "SEG-003", "rtstruct/invalid_reference_rt.dcm": "SEG-004"}


@pytest.mark.parametrize(("name", "expected"), STRUCTURE_SETS.items())
def test_structure_sets_without_a_lesion_on_the_ct_are_refused_with_a_code(
    shared_data: Path, name: str, expected: str
) -> None:
    slice_of_ct = dcmread(shared_data / "objects/rtstruct/ct_1.dcm")
    x, y, z = (float(v) for v in slice_of_ct.ImagePositionPatient)
    dy, dx = (float(v) for v in slice_of_ct.PixelSpacing)
    grid = Grid((50, 512, 512), (x, y, z - 80), (dx, dy, 3.27), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    outcome = read_structures(dcmread(shared_data / "objects" / name), volume_on(grid, slice_of_ct))
    assert isinstance(outcome, Rejected)
    assert outcome.code == expected


def test_organs_are_measured_when_the_site_asks_for_them(shared_data: Path) -> None:
    folder = shared_data / "objects/totalsegmentator_example"
    images = [dcmread(file) for file in sorted((folder / "ct").glob("*.dcm"))]
    outcome = read_case(
        images, dcmread(folder / "seg_binary.dcm"), inputs_digest="d", rule=LesionRule(include=("^kidney_",))
    )
    assert isinstance(outcome, Case), outcome
    assert [lesion.label for lesion in outcome.lesions] == ["kidney_right", "kidney_left"]
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "label.nrrd")))
    for lesion in outcome.lesions:
        mask = lesion.mask.on(outcome.ct.grid)
        (value,) = np.unique(truth[mask])
        assert np.array_equal(mask, truth == value)
    (note,) = outcome.notes
    assert note.code == "SEG-011"
    assert "lesions.include has '^kidney_'" in note.detail


def masks_of_dcmqi(path: Path, folder: Path) -> tuple[dict[int, NDArray[np.bool_]], Grid]:
    """The masks by segment number as dcmqi reads them, and their grid."""
    done = run("segimage2itkimage", "--inputDICOM", path, "--outputDirectory", folder, "--outputType", "nrrd")
    assert done.returncode == 0
    meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
    masks: dict[int, NDArray[np.bool_]] = {}
    image = None
    for number, segments in enumerate(meta["segmentAttributes"], start=1):
        image = sitk.ReadImage(str(folder / f"{number}.nrrd"))
        voxels = sitk.GetArrayFromImage(image)
        for segment in segments:
            masks[int(segment["labelID"])] = voxels == int(segment["labelID"])
    assert image is not None
    grid = Grid(
        next(iter(masks.values())).shape,  # type: ignore[arg-type]
        image.GetOrigin(),
        image.GetSpacing(),
        image.GetDirection(),
    )
    return masks, grid


def volume_on(grid: Grid, on: Dataset) -> CtVolume:
    """A CT without content on `grid`, in the frame of reference of `on`."""
    refs = tuple(SliceRef(SopClassUID("1.2"), SopInstanceUID(f"1.2.{n}")) for n in range(grid.shape[0]))
    frame = FrameOfReferenceUID(str(on.get("FrameOfReferenceUID", "1.2.3")))
    return CtVolume(np.zeros(grid.shape, np.int16), grid, frame, refs)
