import json
import math
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import highdicom
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import Dataset, dcmread

from pipelines.domain.case import Findings, MeasuredLesion
from pipelines.domain.features import FeatureMap
from pipelines.domain.outcome import ResultObject
from pipelines.domain.volume import Grid, Mask
from pipelines.outputs.check import check
from pipelines.outputs.parametric_map import case_maps, frames_of, map_objects
from tests.pipelines.outputs import synthetic
from tests.pipelines.outputs.tools import dciodvfy_errors, run


def read(made: ResultObject) -> Dataset:
    return dcmread(BytesIO(made.data))


def expected_frames(findings: Findings) -> np.ndarray:
    return frames_of(findings, case_maps(findings)[0])


def positions(dataset: Dataset) -> list[list[float]]:
    frames = dataset.PerFrameFunctionalGroupsSequence
    return [[float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient] for frame in frames]


def test_there_is_one_frame_for_each_slice_of_the_ct_ascending_along_its_normal(
    findings: Findings, objects: dict[str, ResultObject]
) -> None:
    dataset = read(objects["map"])
    grid = findings.case.ct.grid
    assert (dataset.NumberOfFrames, dataset.Rows, dataset.Columns) == grid.shape
    assert positions(dataset) == [list(grid.slice_position_mm(index)) for index in range(grid.shape[0])]
    np.testing.assert_array_equal(
        np.frombuffer(dataset.FloatPixelData, "<f4").reshape(grid.shape), expected_frames(findings)
    )


def test_each_frame_names_the_ct_image_that_it_came_from(ct: list[Dataset], objects: dict[str, ResultObject]) -> None:
    frames = read(objects["map"]).PerFrameFunctionalGroupsSequence
    named = [f.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID for f in frames]
    assert named == [image.SOPInstanceUID for image in ct]


def test_the_values_are_called_by_the_code_and_unit_of_the_feature(objects: dict[str, ResultObject]) -> None:
    shared = read(objects["map"]).SharedFunctionalGroupsSequence[0]
    mapping = shared.RealWorldValueMappingSequence[0]
    quantity = mapping.QuantityDefinitionSequence[0]
    assert quantity.ConceptNameCodeSequence[0].CodeMeaning == "Quantity"
    assert quantity.ConceptCodeSequence[0].CodeValue == "TU9B"
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    assert mapping.LUTExplanation == "original_glcm_JointEntropy"
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1.0, 0.0)


def test_the_map_is_marked_as_research(objects: dict[str, ResultObject]) -> None:
    assert read(objects["map"]).ContentQualification == "RESEARCH"


@pytest.mark.parametrize(("of_ct", "written", "region"), [("ABDOMEN", "ABDOMEN", "Abdomen"), ("", "CHEST", "Chest")])
def test_the_body_part_is_that_of_the_ct_or_the_chest(of_ct: str, written: str, region: str) -> None:
    shape = (4, 16, 16)
    ct = synthetic.ct_series(shape, BodyPartExamined=of_ct)
    case = synthetic.case_of(ct, synthetic.balls(shape, 1))
    (made,) = map_objects(synthetic.findings_of(case, synthetic.feature_names()[:2]), synthetic.PRODUCER)
    dataset = read(made)
    anatomy = dataset.SharedFunctionalGroupsSequence[0].FrameAnatomySequence[0]
    assert (dataset.BodyPartExamined, anatomy.AnatomicRegionSequence[0].CodeMeaning) == (written, region)


def test_maps_of_further_features_have_kinds_and_uids_of_their_own(findings: Findings) -> None:
    first = findings.maps[0]
    others = (replace(first, feature="original_glcm_Id"), replace(first, kernel_radius_voxels=2))
    made = list(map_objects(replace(findings, maps=(first, *others)), synthetic.PRODUCER))
    assert [one.kind for one in made] == ["map", "map-2", "map-3"]
    assert len({one.sop_instance for one in made}) == len({one.series for one in made}) == 3
    assert {one.lesion_number for one in made} == {None}


def drawn(ct: list[Dataset], masks: list[np.ndarray]) -> Findings:
    """Findings of lesions with a map each, whose value is the number of its lesion."""
    case = synthetic.case_of(ct, masks)
    findings = synthetic.findings_of(case, synthetic.feature_names()[:2])
    maps = tuple(
        FeatureMap(
            "original_glcm_Id",
            lesion.number,
            1,
            lesion.mask.offset,
            lesion.mask.voxels.astype(np.float32) * lesion.number,
        )
        for lesion in case.lesions
    )
    return replace(findings, maps=maps)


def test_all_lesions_of_a_case_stand_in_one_map_and_the_smaller_is_drawn_over_the_larger(ct: list[Dataset]) -> None:
    shape = (len(ct), int(ct[0].Rows), int(ct[0].Columns))
    masks = [np.zeros(shape, dtype=np.bool_) for _ in range(3)]
    masks[0][2:8, 10:20, 10:20] = True  # number 1 holds number 2 and touches the box of number 3
    masks[0][2:8, 10:14, 10:14] = False
    masks[1][3:6, 15:18, 15:18] = True
    masks[2][3:6, 10:13, 10:13] = True
    findings = drawn(ct, masks)
    (made,) = map_objects(findings, synthetic.PRODUCER)
    found = np.frombuffer(read(made).FloatPixelData, "<f4").reshape(shape)
    wanted = np.select([masks[1], masks[2], masks[0]], [2, 3, 1], 0)
    np.testing.assert_array_equal(found, wanted)
    assert check(made, findings) is None


def test_of_two_lesions_of_a_size_the_one_with_the_lower_number_is_in_front(ct: list[Dataset]) -> None:
    shape = (len(ct), int(ct[0].Rows), int(ct[0].Columns))
    masks = [np.zeros(shape, dtype=np.bool_) for _ in range(2)]
    masks[0][2:6, 10:14, 10:14] = True
    masks[1][2:6, 12:16, 10:14] = True
    findings = drawn(ct, masks)
    # in whatever order they were computed
    for maps in (findings.maps, findings.maps[::-1]):
        (made,) = map_objects(replace(findings, maps=maps), synthetic.PRODUCER)
        found = np.frombuffer(read(made).FloatPixelData, "<f4").reshape(shape)
        np.testing.assert_array_equal(found, np.where(masks[0], 1, np.where(masks[1], 2, 0)))


def test_a_map_of_a_filtered_image_names_the_filter(findings: Findings) -> None:
    filtered = tuple(
        replace(findings.maps[0], feature=name)
        for name in ("log-sigma-2-0-mm-3D_firstorder_Range", "wavelet-HLH_firstorder_Range")
    )
    log, wavelet = (read(made) for made in map_objects(replace(findings, maps=filtered), synthetic.PRODUCER))
    assert log.SeriesDescription == "AI: Intensity Range of log-sigma-2-0-mm-3D"
    quantity = [
        dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0].QuantityDefinitionSequence
        for dataset in (log, wavelet)
    ]
    assert [item.ConceptCodeSequence[0].CodeValue for item in quantity[1][1:3]] == ["WAVELET", "HLH"]
    assert [float(item.NumericValue) for item in quantity[0] if item.ValueType == "NUMERIC"] == [2.0, 1.0]


def test_values_that_are_no_numbers_are_kept_and_do_not_spoil_the_range(findings: Findings) -> None:
    values = findings.maps[0].values.copy()
    values.flat[len(values.flat) // 2] = math.nan
    with_nan = replace(findings.maps[0], values=values)
    (made,) = map_objects(replace(findings, maps=(with_nan,)), synthetic.PRODUCER)
    dataset = read(made)
    assert np.isnan(np.frombuffer(dataset.FloatPixelData, "<f4")).sum() == 1
    mapping = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert mapping.DoubleFloatRealWorldValueFirstValueMapped == 0.0
    assert mapping.DoubleFloatRealWorldValueLastValueMapped == np.nanmax(values)


def test_the_same_findings_give_the_same_bytes(findings: Findings, objects: dict[str, ResultObject]) -> None:
    assert list(map_objects(findings, synthetic.PRODUCER)) == [objects["map"]]


def test_dciodvfy_finds_no_error(folder: Path) -> None:
    assert dciodvfy_errors(folder / "map.dcm") == []


def assert_dcmqi_sees(findings: Findings, path: Path, into: Path) -> None:
    """dcmqi, the reader of 3D Slicer, puts every value where the CT has it."""
    finished = run("paramap2itkimage", "--inputDICOM", path, "--outputDirectory", into)
    assert finished.returncode == 0
    image = sitk.ReadImage(str(into / "pmap.nrrd"))
    grid = findings.case.ct.grid
    assert image.GetOrigin() == pytest.approx(grid.origin_mm)
    assert image.GetSpacing() == pytest.approx(grid.spacing_mm)
    assert image.GetDirection() == pytest.approx(grid.direction)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected_frames(findings))


def test_dcmqi_reads_geometry_values_and_quantity(findings: Findings, folder: Path, tmp_path: Path) -> None:
    assert_dcmqi_sees(findings, folder / "map.dcm", tmp_path)
    described = json.loads((tmp_path / "meta.json").read_text())
    assert described["QuantityValueCode"]["CodeValue"] == "TU9B"
    assert described["MeasurementUnitsCode"]["CodeValue"] == "1"


def test_dcmqi_reads_an_oblique_map_where_it_lies(findings: Findings, tmp_path: Path) -> None:
    tilt = math.radians(20)
    c, s = math.cos(tilt), math.sin(tilt)
    grid = replace(findings.case.ct.grid, direction=(1.0, 0.0, 0.0, 0.0, c, -s, 0.0, s, c))
    case = replace(findings.case, ct=replace(findings.case.ct, grid=grid))
    oblique = replace(findings, case=case)
    (made,) = map_objects(oblique, synthetic.PRODUCER)
    path = tmp_path / "map.dcm"
    path.write_bytes(made.data)
    assert_dcmqi_sees(oblique, path, tmp_path)


def test_highdicom_reads_the_map(findings: Findings, objects: dict[str, ResultObject]) -> None:
    pm = highdicom.pm.sop.pmread(BytesIO(objects["map"].data))
    # it puts the frames in descending order, whatever their order in the object
    volume = pm.get_volume().flip_spatial(0)
    grid: Grid = findings.case.ct.grid
    np.testing.assert_array_equal(volume.array, expected_frames(findings))
    np.testing.assert_allclose(volume.position, grid.origin_mm)


def test_a_map_on_a_hundred_full_slices_is_written_within_two_seconds(findings: Findings) -> None:
    shape = (100, 512, 512)
    ct = findings.case.ct
    big = replace(
        ct, hu=np.zeros(shape, np.int16), grid=replace(ct.grid, shape=shape), slices=(ct.slices[0],) * shape[0]
    )
    values = np.ones((40, 60, 60), dtype=np.float32)
    feature_map = FeatureMap("original_firstorder_Entropy", 1, 1, (30, 200, 200), values)
    lesion = replace(findings.case.lesions[0], mask=Mask((30, 200, 200), values > 0))
    lesions = (MeasuredLesion(lesion, findings.lesions[0].features),)
    start = time.thread_time()
    (made,) = map_objects(
        replace(findings, case=replace(findings.case, ct=big), lesions=lesions, maps=(feature_map,)),
        synthetic.PRODUCER,
    )
    assert time.thread_time() - start < 2.0
    assert len(made.data) > 4 * math.prod(shape)


def test_viewers_are_given_a_window_over_the_whole_range(findings: Findings, objects: dict[str, ResultObject]) -> None:
    (window,) = read(objects["map"]).SharedFunctionalGroupsSequence[0].FrameVOILUTSequence
    frames = expected_frames(findings)
    low, high = (float(window.WindowCenter) + sign * float(window.WindowWidth) / 2 for sign in (-1, 1))
    assert (low, high) == pytest.approx((frames.min(), frames.max()), rel=1e-6, abs=1e-6)
    assert window.VOILUTFunction == "LINEAR_EXACT"


def test_a_map_of_zeros_has_a_window_too(findings: Findings) -> None:
    (part,) = findings.maps
    flat = replace(findings, maps=(replace(part, values=np.zeros_like(part.values)),))
    (made,) = map_objects(flat, synthetic.PRODUCER)
    (window,) = read(made).SharedFunctionalGroupsSequence[0].FrameVOILUTSequence
    assert (window.WindowCenter, window.WindowWidth) == (0, 1)
    assert check(made, flat) is None
