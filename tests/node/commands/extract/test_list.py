"""Lists that the command `pyradiomics` takes: the same columns and the same numbers."""

import csv
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from tests.dicom import centred_ball
from tests.node.commands.extract.calls import extract, features_of, image_file, mask_file, rows_of

OURS = {"diagnostics_Versions_Pulmonode", "diagnostics_Configuration_Engine"}
LEFT_OUT = {
    "diagnostics_Configuration_EnabledImageTypes",
    "diagnostics_Image-original_Hash",
    "diagnostics_Mask-original_Hash",
}


def header_of(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return next(csv.reader(file))


def some_list(folder: Path) -> Path:
    """Five rows: labels, a float image, a label that is not there, a file that is not there."""
    labels = centred_ball((14, 24, 26)).astype(np.uint8)
    labels[:, :, 13:] *= 2
    image_file(folder / "a" / "ct.nrrd")
    image_file(folder / "float.nii.gz", dtype=np.float32, seed=2)
    image_file(folder / "unsigned.mha", dtype=np.uint16, seed=3)
    mask_file(folder / "a" / "both.nrrd", labels)
    mask_file(folder / "one.nrrd")
    path = folder / "list.csv"
    path.write_text(
        "Patient,Image,Mask,Label,Remark\n"
        'P1,a/ct.nrrd,a/both.nrrd,2,"right, upper"\n'
        "P1,a/ct.nrrd,a/both.nrrd,1,\n"
        "P2,float.nii.gz,one.nrrd,1,x\n"
        "P3,unsigned.mha,one.nrrd,1,x\n"
        "P4,a/ct.nrrd,one.nrrd,9,no such label\n"
        "P5,missing.nrrd,one.nrrd,1,no such file\n"
    )
    return path


def by_pyradiomics(given: Path, parameters: Path, out: Path) -> None:
    program = Path(sysconfig.get_path("scripts")) / "pyradiomics"
    done = subprocess.run(
        [program, given, "-o", out, "-f", "csv", "-p", parameters], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_list_gives_the_table_that_pyradiomics_itself_gives(shared_data: Path, tmp_path: Path) -> None:
    given = some_list(tmp_path)
    by_pyradiomics(given, shared_data / "reference_values" / "exampleCT.yaml", tmp_path / "theirs.csv")
    done = extract(given, "-o", tmp_path / "ours.csv")
    assert done.exit_code == 1
    theirs, ours = rows_of(tmp_path / "theirs.csv"), rows_of(tmp_path / "ours.csv")
    kept = [
        column
        for column in header_of(tmp_path / "theirs.csv")
        if "interpolated" not in column and column not in LEFT_OUT
    ]
    assert [column for column in header_of(tmp_path / "ours.csv") if column not in OURS] == kept
    assert len(theirs) == len(ours) == 6
    for their, our in zip(theirs, ours, strict=True):
        for column in ("Patient", "Image", "Mask", "Label", "Remark"):
            assert our[column] == their[column]
        if not their["original_shape_MeshVolume"]:
            assert {our[column] for column in kept if column.startswith(("diag", "orig", "log", "wave"))} == {""}
            continue
        expected = features_of(their)
        assert len(expected) == 1218
        for name, value in features_of(our).items():
            assert value == pytest.approx(expected[name], rel=1e-9, abs=1e-12, nan_ok=True), name
        for name in (
            "Image-original_Dimensionality",
            "Image-original_Spacing",
            "Image-original_Size",
            "Image-original_Mean",
            "Image-original_Minimum",
            "Image-original_Maximum",
            "Mask-original_Spacing",
            "Mask-original_Size",
            "Mask-original_BoundingBox",
            "Mask-original_VoxelNum",
            "Mask-original_VolumeNum",
        ):
            assert our[f"diagnostics_{name}"] == their[f"diagnostics_{name}"], name
    assert [our["diagnostics_Configuration_Engine"] for our in ours[:4]] == ["fast"] * 4
    faults = rows_of(tmp_path / "ours.errors.csv")
    assert [(fault["Severity"], fault["Code"]) for fault in faults] == [
        ("error", "SEG-004"),
        ("error", "VOL-001"),
    ]


def test_rows_that_cannot_be_used_keep_their_place(tmp_path: Path) -> None:
    image_file(tmp_path / "i.nrrd")
    mask_file(tmp_path / "m.nrrd")
    (tmp_path / "list.csv").write_text("Image,Mask,Label\ni.nrrd,,1\ni.nrrd\ni.nrrd,m.nrrd,one\ni.nrrd,m.nrrd,1.0\n")
    assert extract(tmp_path / "list.csv", "-o", tmp_path / "out.csv").exit_code == 1
    assert [bool(row["original_shape_MeshVolume"]) for row in rows_of(tmp_path / "out.csv")] == [False] * 3 + [True]
    assert [fault["Code"] for fault in rows_of(tmp_path / "out.errors.csv")] == ["VOL-002"] * 3


@pytest.mark.parametrize("content", [b"Image,Label\na,1\n", b"\xff\xfe\x00", b"", b"Image,Mask,Mask\na,b,c\n"])
def test_a_file_that_is_no_list_is_a_wrong_call(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(content)
    done = extract(tmp_path / "list.csv", "-o", tmp_path / "out.csv")
    assert done.exit_code == 2
    assert "Usage:" in done.stderr
