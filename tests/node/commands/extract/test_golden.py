"""Real cases through the command, against the numbers of upstream PyRadiomics."""

import csv
from pathlib import Path

import pytest
import SimpleITK as sitk

from tests.node.commands.extract.calls import extract, features_of, golden_values, rows_of

# file of the lesion -> reference values, for each golden case
GOLDEN = {
    "lung1": {"seg.dcm": "features_exampleCT.csv"},
    "lidc0314": {
        "seg.dcm": "features_exampleCT.csv",
        **{f"seg_reader{n}.dcm": f"features_exampleCT_reader{n}.csv" for n in range(1, 5)},
    },
    "radphantom_pat3": {"seg.dcm": "features_exampleCT.csv", "rtstruct.dcm": "features_exampleCT.csv"},
    "ibsi_ct_phantom": {"seg.dcm": "features_exampleCT.csv"},
}
LABELS = {"lung1": "label_original.nrrd", "radphantom_pat3": "label.nrrd"}


def assert_equal(found: dict[str, float], expected: dict[str, float]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-300, nan_ok=True), name


def test_a_folder_of_real_patients_gives_the_golden_values(shared_data: Path, tmp_path: Path) -> None:
    done = extract(shared_data / "golden", "-o", tmp_path / "out.csv")
    assert done.exit_code == 0, done.stderr
    rows = {row["Mask"] + "#" + row["Label"]: row for row in rows_of(tmp_path / "out.csv")}
    for case, drawn in GOLDEN.items():
        for mask, reference in drawn.items():
            row = rows[f"{case}/{mask}#1"]
            assert row["Image"] == f"{case}/ct"
            assert row["diagnostics_Configuration_Engine"] == "fast"
            assert_equal(features_of(row), golden_values(shared_data / "golden" / case / reference))
    # four readers drew one nodule: segments of one file that overlap
    for number in range(1, 5):
        readers = rows[f"lidc0314/seg_4readers_overlapping.dcm#{number}"]
        alone = rows[f"lidc0314/seg_reader{number}.dcm#1"]
        assert features_of(readers) == features_of(alone)


def test_the_nearest_neighbour_of_the_paper_can_be_chosen_as_a_preset(shared_data: Path, tmp_path: Path) -> None:
    case = shared_data / "golden" / "lung1"
    done = extract(case / "ct", case / "seg.dcm", "-o", tmp_path / "out.csv", "--preset", "seed-a", "--jobs", 1)
    assert done.exit_code == 0, done.stderr
    [row] = rows_of(tmp_path / "out.csv")
    # seed-a smooths what the reference does not; its shape is that of the nearest neighbour
    expected = golden_values(case / "features_exampleCT_nearest.csv")
    found = features_of(row)
    for name, value in expected.items():
        if "_shape_" in name:
            assert found[name] == pytest.approx(value, rel=1e-9)
    assert "sitkNearestNeighbor" in row["diagnostics_Configuration_Settings"]


@pytest.mark.parametrize("case", LABELS)
def test_an_image_and_a_mask_file_give_the_golden_values(case: str, shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "golden" / case
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder / "ct")))
    image = sitk.Cast(reader.Execute(), sitk.sitkInt16)
    sitk.WriteImage(image, str(tmp_path / "image.nrrd"))
    done = extract(tmp_path / "image.nrrd", folder / LABELS[case], "-o", tmp_path / "out.csv")
    assert done.exit_code == 0, done.stderr
    [row] = rows_of(tmp_path / "out.csv")
    assert_equal(features_of(row), golden_values(folder / "features_exampleCT.csv"))
    with (folder / "features_exampleCT.csv").open(newline="") as file:
        said = dict(csv.reader(file))
    for name in ("BoundingBox", "VoxelNum", "VolumeNum"):
        assert row[f"diagnostics_Mask-original_{name}"] == said[f"diagnostics_Mask-original_{name}"]


def test_a_cohort_of_eight_patients_is_measured_in_one_run(shared_data: Path, tmp_path: Path) -> None:
    cohort = shared_data / "cohort_sts"
    done = extract(cohort, "-o", tmp_path / "out.csv")
    assert done.exit_code == 0, done.stderr
    rows = rows_of(tmp_path / "out.csv")
    with (cohort / "features_exampleCT.csv").open(newline="") as file:
        expected = {row["case"]: row for row in csv.DictReader(file)}
    measured = {row["Mask"]: features_of(row) for row in rows}
    patients = sorted(path.name for path in cohort.iterdir() if path.is_dir())
    assert len(patients) == 8
    assert sorted(measured) == sorted(f"{name}/{file}" for name in patients for file in ("seg.dcm", "rtstruct.dcm"))
    for name in patients:
        reference = {key: float(expected[name][key]) for key in measured[f"{name}/seg.dcm"]}
        assert_equal(measured[f"{name}/seg.dcm"], reference)
    assert "8 mask files without an image file" in done.stderr
