"""Real CT and segmentations, sent by DCMTK through a whole node to Orthanc, judged by foreign programs."""

import csv
import json
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import highdicom
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import Dataset, dcmread

from pipelines.domain.case_state import CaseState
from tests.tools import RunningNode, dcmtk, node, node_command, orthanc, tool, write_config

pytestmark = pytest.mark.e2e

SR = "1.2.840.10008.5.1.4.1.1.88.34"
MAP = "1.2.840.10008.5.1.4.1.1.30"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"


@dataclass(frozen=True, slots=True)
class Result:
    """What came back to Orthanc from one golden case."""

    case: Path
    node: RunningNode
    files: dict[str, list[Path]]


def known_to_dcmtk(paths: Iterable[Path], folder: Path) -> list[Path]:
    """Copies with the VRs that DCMTK's clients need: some of these files carry every element as UN."""
    folder.mkdir(parents=True)
    copies = []
    for path in paths:
        copies.append(folder / path.name)
        dcmtk("dcmconv", "+uc", str(path), str(copies[-1]))
    return copies


def send_with_storescu(case: Path, segmentation: Path, port: int, folder: Path) -> None:
    # -R proposes what the files need: storescu's own list of classes has no segmentation; -xt is JPEG-LS
    ct, seg = folder / "ct", folder / "seg"
    known_to_dcmtk((case / "ct").glob("*.dcm"), ct)
    known_to_dcmtk([segmentation], seg)
    for path in (ct, seg):
        dcmtk("storescu", "-R", "+sd", "-xt", "-aec", "PULMONODE", "127.0.0.1", str(port), str(path))


def send_with_dcmsend(case: Path, segmentation: Path, port: int, folder: Path) -> None:
    known_to_dcmtk([segmentation, *(case / "ct").glob("*.dcm")], folder / "all")
    dcmtk("dcmsend", "--scan-directories", "-aec", "PULMONODE", "127.0.0.1", str(port), str(folder / "all"))


def submit(case: Path, segmentation: Path, port: int, folder: Path) -> None:
    done = node_command(folder / "node.toml", "submit", str(segmentation), str(case / "ct"))
    assert done.returncode == 0, done.stderr


CASES = {
    "lung1": ("seg.dcm", "features_exampleCT.csv", send_with_storescu),
    "lidc0314": ("seg.dcm", "features_exampleCT.csv", send_with_dcmsend),
    "radphantom_pat3": ("rtstruct.dcm", "features_exampleCT.csv", submit),
}


REPORTS = {"case": "case result", "diameters": "lesion diameters"}
"""Words of the series description of the reports that do not hold the features."""


@pytest.fixture(scope="module", params=CASES)
def result(
    request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Result]:
    segmentation, _, send = CASES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    case = shared_data / "golden" / request.param
    with orthanc(folder / "orthanc") as pacs:
        config = write_config(folder, destinations={"ORTHANC": (pacs.ae_title, pacs.dicom_port)})
        with node(config) as running:
            send(case, case / segmentation, running.port, folder)
            detail = running.ended()
            assert detail.row.state is CaseState.DELIVERED, detail.row
            files: dict[str, list[Path]] = {}
            for path in pacs.download(folder / "back"):
                header = dcmread(path, stop_before_pixels=True)
                said = str(header.get("SeriesDescription"))
                named = [kind for kind, words in REPORTS.items() if words in said]
                kind = named[0] if named else str(header.SOPClassUID)
                files.setdefault(kind, []).append(path)
            yield Result(case, running, files)


def measured_values(report: Dataset) -> dict[str, float]:
    """Feature values of the first lesion by PyRadiomics' name, read with pydicom alone."""
    [measurements] = [item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010"]
    found = {}
    for item in measurements.ContentSequence[0].ContentSequence:
        if item.ValueType != "NUM":
            continue
        names = [i.TextValue for i in item.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "121050"]
        if names and item.MeasuredValueSequence:
            found[names[0]] = float(item.MeasuredValueSequence[0].FloatingPointValue)
    return found


def test_the_1218_values_in_the_pacs_equal_upstream_pyradiomics(result: Result) -> None:
    [path] = result.files[SR]
    found = measured_values(dcmread(path))
    with (result.case / CASES[result.case.name][1]).open(newline="") as file:
        rows = dict(csv.reader(file))
    expected = {name: float(v) for name, v in rows.items() if name.startswith(("original", "log-", "wavelet"))}
    assert len(expected) == 1218
    assert set(found) == {name for name, value in expected.items() if np.isfinite(value)}
    for name, value in found.items():
        assert value == pytest.approx(expected[name], rel=1e-9, abs=1e-300), name


def test_results_belong_to_the_patient_and_the_study_of_the_ct(result: Result) -> None:
    ct = dcmread(next((result.case / "ct").glob("*.dcm")), stop_before_pixels=True)
    for path in (path for paths in result.files.values() for path in paths):
        made = dcmread(path, stop_before_pixels=True)
        assert made.PatientID == ct.PatientID
        assert str(made.PatientName) == str(ct.PatientName)
        assert made.StudyInstanceUID == ct.StudyInstanceUID
        assert made.get("FrameOfReferenceUID", ct.FrameOfReferenceUID) == ct.FrameOfReferenceUID


def test_no_validator_finds_an_error(result: Result, tmp_path: Path) -> None:
    paths = []
    for path in (path for paths in result.files.values() for path in paths):
        paths.append(tmp_path / path.name)
        # the validators do not read deflated files, in which Orthanc keeps what it was offered so
        dcmtk("dcmconv", "+te", str(path), str(paths[-1]))
    for path in paths:
        verdict = subprocess.run(
            [tool("dciodvfy", "dicom3tools"), "-new", path], capture_output=True, text=True, check=False
        )
        errors = [line for line in verdict.stderr.splitlines() if line.startswith("Error")]
        assert errors == [], path
    segmentation = result.case / CASES[result.case.name][0]
    images = [*sorted((result.case / "ct").glob("*.dcm")), segmentation]
    together = subprocess.run(
        [tool("dcentvfy", "dicom3tools"), *images, *paths], capture_output=True, text=True, check=False
    )
    errors = [line for line in together.stderr.splitlines() if line.startswith("Error")]
    # the structure set itself names images that are not in its folder
    assert [line for line in errors if str(segmentation) not in line] == []


def test_dcmtk_and_highdicom_read_the_reports(result: Result) -> None:
    for path in (*result.files[SR], *result.files["case"]):
        text = subprocess.run([tool("dsrdump", "dcmtk"), path], capture_output=True, text=True, check=False)
        assert text.returncode == 0, text.stderr
        assert "Oncology Measurement Report" in text.stdout
    report = highdicom.sr.srread(result.files["case"][0])
    assert isinstance(report, highdicom.sr.Comprehensive3DSR)
    assert isinstance(report.content, highdicom.sr.MeasurementReport)


def test_dcmqi_reads_every_measurement(result: Result, tmp_path: Path) -> None:
    [path] = result.files[SR]
    out = tmp_path / "measurements.json"
    done = subprocess.run(
        [tool("tid1500reader", "dcmqi"), "--inputDICOM", path, "--outputMetadata", out],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    groups = json.loads(out.read_text())["Measurements"]
    assert len(groups) == 1
    assert len(groups[0]["measurementItems"]) == 1218


def test_dcmqi_reads_the_models_maps_on_the_grid_of_the_ct(result: Result, tmp_path: Path) -> None:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(result.case / "ct")))
    ct = reader.Execute()
    label = next(result.case.glob("label_original.nrrd"), None) or next(result.case.glob("label*consensus*.nrrd"), None)
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(label or result.case / "label.nrrd"))) > 0
    # one of the CT itself and one of a filtered image on another grid
    assert len(result.files[MAP]) == 2
    for place, path in enumerate(result.files[MAP]):
        into = tmp_path / str(place)
        into.mkdir()
        done = subprocess.run(
            [tool("paramap2itkimage", "dcmqi"), "--inputDICOM", path, "--outputDirectory", into],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        read = sitk.ReadImage(str(into / "pmap.nrrd"))
        assert read.GetSize() == ct.GetSize()
        assert read.GetOrigin() == pytest.approx(ct.GetOrigin(), abs=1e-3)
        assert read.GetSpacing() == pytest.approx(ct.GetSpacing(), abs=1e-3)
        values = sitk.GetArrayFromImage(read)
        assert (values[~mask] == 0).all()
        assert (values[mask] > 0).mean() > 0.9


def test_a_structure_set_comes_back_as_a_segmentation_that_the_report_refers_to(result: Result) -> None:
    report = dcmread(result.files[SR][0])
    evidence = {
        instance.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    if CASES[result.case.name][0] == "rtstruct.dcm":
        [segmentation] = result.files[SEG]
        assert dcmread(segmentation, stop_before_pixels=True).SOPInstanceUID in evidence
    else:
        assert SEG not in result.files
        assert dcmread(result.case / "seg.dcm", stop_before_pixels=True).SOPInstanceUID in evidence


def test_the_score_says_that_it_is_a_demonstration(result: Result) -> None:
    text = subprocess.run(
        [tool("dsrdump", "dcmtk"), result.files["case"][0]], capture_output=True, text=True, check=True
    )
    assert "not for clinical use" in text.stdout
    assert "probability" in text.stdout


def test_the_same_case_again_gives_the_same_objects(result: Result) -> None:
    before = {row.result.sop_instance: row.result.file.sha256 for row in result.node.detail(1).results}  # type: ignore[union-attr]
    assert result.node.command("retry", "1").returncode == 0
    again = result.node.reaches(1, CaseState.DELIVERED)
    assert {row.result.sop_instance: row.result.file.sha256 for row in again.results} == before
