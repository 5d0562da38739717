import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from node.adapters.deflate import deflate
from tests.tools import tool


def file_of(folder: Path, text: str) -> Path:
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.34"
    dataset.SOPInstanceUID = "2.25.1"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.TextValue = text
    dataset.ensure_file_meta()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / "object.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("length", [1, 2, 3, 1000, 3_000_000])
def test_what_is_inflated_is_what_was_deflated(tmp_path: Path, length: int) -> None:
    source = file_of(tmp_path, "长轴" * length)
    target = BytesIO()
    deflate(source, target)
    read = dcmread(BytesIO(target.getvalue()))
    assert read.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    assert read == dcmread(source)
    assert len(target.getvalue()) % 2 == 0
    if length > 1000:
        assert len(target.getvalue()) < source.stat().st_size / 30


def test_dcmtk_reads_it(tmp_path: Path) -> None:
    source, target = file_of(tmp_path, "long axis " * 500), tmp_path / "deflated.dcm"
    with target.open("wb") as file:
        deflate(source, file)
    shown = subprocess.run([tool("dcmdump", "dcmtk"), target], capture_output=True, text=True, check=True).stdout
    assert "LittleEndianExplicitDeflated" in shown or "Deflated" in shown, shown[:800]
    assert "long axis long axis" in shown


def test_what_is_no_dicom_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "object.dcm"
    path.write_bytes(b"not DICOM" * 100)
    with pytest.raises(InvalidDicomError):
        deflate(path, BytesIO())
