"""CT in every transfer syntax, written by foreign encoders, gives the same numbers."""

import csv
import subprocess
import zlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, get_frame

from pipelines.domain.case import Case
from pipelines.domain.features import FeatureVector
from pipelines.domain.transfer_syntaxes import TRANSFER_SYNTAXES, Compression
from pipelines.domain.volume import UnreadableVoxels
from pipelines.extraction import fast
from pipelines.extraction.settings import load_profile
from pipelines.imaging.case import read_case
from pipelines.imaging.ct import ReadCt, read_ct
from pipelines.imaging.frames import ct_frames
from tests.ct_variants import enhanced, small_series, stored_unsigned
from tests.dicom import as_bytes, ct_series, seg_of
from tests.encodings import DEFLATED_FRAMES, LOSSLESS, LOSSY, plain
from tests.tools import tool

GOLDEN = "golden/radphantom_pat3"


@cache
def golden(folder: Path) -> tuple[Dataset, ...]:
    return tuple(plain(dcmread(path)) for path in sorted((folder / "ct").glob("*.dcm")))


def codes(read: ReadCt) -> list[str]:
    return [note.code for note in read.notes]


def read(instances: Iterable[Dataset]) -> ReadCt:
    made = read_ct(list(instances))
    assert isinstance(made, ReadCt), made
    return made


def test_every_transfer_syntax_of_the_table_has_an_encoder_here() -> None:
    assert set(LOSSLESS) | set(LOSSY) == set(TRANSFER_SYNTAXES)
    lossy = {uid for uid, kind in TRANSFER_SYNTAXES.items() if kind in (Compression.LOSSY, Compression.EITHER)}
    assert lossy == set(LOSSY)


@pytest.mark.parametrize("transfer_syntax", LOSSLESS)
def test_a_golden_case_has_upstream_pyradiomics_values_in_every_lossless_encoding(
    shared_data: Path, tmp_path: Path, transfer_syntax: str
) -> None:
    folder = shared_data / GOLDEN
    ct = [LOSSLESS[transfer_syntax](instance, tmp_path) for instance in golden(folder)]
    assert {str(instance.file_meta.TransferSyntaxUID) for instance in ct} == {transfer_syntax}
    case = read_case(ct, dcmread(folder / "seg.dcm"), inputs_digest="d")
    assert isinstance(case, Case), case
    assert case.notes == ()
    found = fast.extract(case.ct, case.lesions[0], load_profile("recommended"))
    assert isinstance(found, FeatureVector)
    with (folder / "features_exampleCT.csv").open(newline="") as file:
        upstream = dict(csv.reader(file))
    for name, value in found.items():
        assert value == pytest.approx(float(upstream[name]), rel=1e-9, abs=0.0, nan_ok=True), name


SIGNED = ("cohort_sts/STS_002", "variants/base")


@pytest.mark.parametrize("case", SIGNED)
@pytest.mark.parametrize("transfer_syntax", LOSSLESS)
def test_signed_values_of_16_bits_survive_every_lossless_encoding(
    shared_data: Path, tmp_path: Path, transfer_syntax: str, case: str
) -> None:
    instance = plain(dcmread(min((shared_data / case / "ct").iterdir())))
    assert instance.PixelRepresentation == 1
    coded = LOSSLESS[transfer_syntax](instance, tmp_path)
    expected = instance.pixel_array * float(instance.RescaleSlope) + float(instance.RescaleIntercept)
    assert np.array_equal(next(ct_frames(coded)).hounsfield(), expected)


@pytest.mark.parametrize("transfer_syntax", LOSSLESS)
def test_one_frame_of_a_multi_frame_image_is_decoded_alone(tmp_path: Path, transfer_syntax: str) -> None:
    ct = ct_series(slices=4, rows=64, columns=64)
    coded = LOSSLESS[transfer_syntax](enhanced(ct, [3, 1, 0, 2]), tmp_path)
    frames = list(ct_frames(coded))
    assert [frame.ref.frame for frame in frames] == [1, 2, 3, 4]
    for frame, source in zip(frames, (3, 1, 0, 2), strict=True):
        assert np.array_equal(frame.hounsfield(), next(ct_frames(ct[source])).hounsfield())


def foreign(instance: Dataset, folder: Path) -> NDArray[np.float64]:
    """HU as another decoder than the node's gives them."""
    syntax = str(instance.file_meta.TransferSyntaxUID)
    dcmtk = {"50": "dcmdjpeg", "51": "dcmdjpeg", "81": "dcmdjpls"}.get(syntax.rpartition(".")[2])
    if dcmtk is None:
        decode = imagecodecs.htj2k_decode if syntax.endswith("203") else imagecodecs.jpeg2k_decode
        stored = decode(get_frame(instance.PixelData, 0, number_of_frames=1))
    else:
        (folder / "coded.dcm").write_bytes(as_bytes(instance))
        subprocess.run([tool(dcmtk, "dcmtk"), folder / "coded.dcm", folder / "decoded.dcm"], check=True)
        stored = dcmread(folder / "decoded.dcm").pixel_array
    return np.asarray(stored * float(instance.RescaleSlope) + float(instance.RescaleIntercept))


@pytest.mark.parametrize("transfer_syntax", LOSSY)
def test_lossy_images_are_read_as_others_read_them_and_the_report_says_so(
    shared_data: Path, tmp_path: Path, transfer_syntax: str
) -> None:
    ct = [LOSSY[transfer_syntax](instance, tmp_path) for instance in golden(shared_data / GOLDEN)[10:13]]
    made = read(ct)
    assert codes(made) == ["CT-008"]
    assert "3 of 3" in made.notes[0].detail
    hu = made.volume.hu[1]
    # decoders may round the floating-point wavelets of High-Throughput JPEG 2000 either way
    limit = 1.0 if transfer_syntax.endswith("203") else 0.001
    assert np.abs(hu - foreign(ct[1], tmp_path)).max() <= limit
    assert np.abs(hu - next(ct_frames(golden(shared_data / GOLDEN)[11])).hounsfield()).max() > 0


@pytest.mark.parametrize("transfer_syntax", LOSSY)
def test_results_inherit_what_a_transfer_syntax_lost(tmp_path: Path, transfer_syntax: str) -> None:
    ct = ct_series(slices=4, rows=64, columns=64)
    coded = [LOSSY[transfer_syntax](stored_unsigned(instance), tmp_path) for instance in ct]
    for instance in coded:
        for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if keyword in instance:
                delattr(instance, keyword)
    case = read_case(coded, seg_of(ct), inputs_digest="d")
    assert isinstance(case, Case), case
    assert [note.code for note in case.notes] == ["CT-008"]
    assert case.header.LossyImageCompression == "01"
    assert case.header.LossyImageCompressionMethod.startswith("ISO_1")
    assert 1 < float(case.header.LossyImageCompressionRatio) < 100


@pytest.mark.parametrize(
    ("transfer_syntax", "declared", "flagged"),
    [
        ("1.2.840.10008.1.2.1", "01", True),
        ("1.2.840.10008.1.2.1", None, False),
        ("1.2.840.10008.1.2.4.91", "00", False),
        ("1.2.840.10008.1.2.4.91", None, True),
        ("1.2.840.10008.1.2.4.81", "00", True),
    ],
)
def test_loss_is_told_by_transfer_syntax_and_attribute(
    tmp_path: Path, transfer_syntax: str, declared: str | None, flagged: bool
) -> None:
    ct = small_series(slices=3)
    for instance in ct:
        instance.file_meta.TransferSyntaxUID = type(instance.file_meta.TransferSyntaxUID)(transfer_syntax)
        if declared is not None:
            instance.LossyImageCompression = declared
    assert codes(read(ct)) == (["CT-008"] if flagged else [])


def test_a_deflated_frame_that_is_too_short_names_its_image(tmp_path: Path) -> None:
    ct = small_series()
    ct[0] = LOSSLESS[DEFLATED_FRAMES](ct[0], tmp_path)
    ct[0].PixelData = encapsulate([zlib.compress(bytes(10), wbits=-zlib.MAX_WBITS)])
    made = read(ct)
    with pytest.raises(UnreadableVoxels, match=f"CT-004 CT instance {ct[0].SOPInstanceUID}"):
        made.volume.hu[0]
    assert made.volume.hu[1:].shape == (7, 16, 20)
