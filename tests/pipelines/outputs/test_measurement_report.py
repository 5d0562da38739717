import json
import math
import struct
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import highdicom
import pytest
from pydicom import Dataset, dcmread

from pipelines.domain.case import Findings
from pipelines.domain.feature_codes import describe
from pipelines.domain.features import FeatureVector
from pipelines.domain.outcome import ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.outputs.measurement_report import feature_report
from tests.pipelines.outputs import synthetic
from tests.pipelines.outputs.tools import dcentvfy_errors, dciodvfy_errors, pixelmed_errors, run


def read(made: ResultObject) -> Dataset:
    return dcmread(BytesIO(made.data))


def groups_of(dataset: Dataset) -> list[Dataset]:
    (measurements,) = [item for item in dataset.ContentSequence if concept(item) == "126010"]
    return list(measurements.ContentSequence)


def concept(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def numbers_of(group: Dataset) -> list[Dataset]:
    return [item for item in group.ContentSequence if item.ValueType == "NUM"]


def full_name(number: Dataset) -> str:
    (text,) = [item for item in number.ContentSequence if concept(item) == "121050"]
    return str(text.TextValue)


def vector_of(findings: Findings, index: int) -> FeatureVector:
    vector = findings.lesions[index].features
    assert isinstance(vector, FeatureVector)
    return vector


def test_every_lesion_has_all_features_in_the_same_order_with_exact_values(
    findings: Findings, objects: dict[str, ResultObject]
) -> None:
    groups = groups_of(read(objects["sr-features"]))
    assert len(groups) == len(findings.lesions)
    for index, group in enumerate(groups):
        vector = vector_of(findings, index)
        numbers = numbers_of(group)
        assert tuple(map(full_name, numbers)) == vector.names
        for number, value in zip(numbers, vector.values, strict=True):
            if math.isnan(value):
                assert len(number.MeasuredValueSequence) == 0
                assert number.NumericValueQualifierCodeSequence[0].CodeValue == "114000"
            else:
                exact = number.MeasuredValueSequence[0].FloatingPointValue
                assert struct.pack("<d", exact) == struct.pack("<d", value)


def test_features_are_coded_with_filter_sub_band_and_sigma(small: Findings) -> None:
    (made,) = feature_report(small, synthetic.PRODUCER)
    by_name = {full_name(n): n for n in numbers_of(groups_of(read(made))[0])}
    log = by_name["log-sigma-2-0-mm-3D_firstorder_Mean"]
    transformation, _, sigma = log.ContentSequence
    assert (transformation.RelationshipType, transformation.ConceptCodeSequence[0].CodeValue) == (
        "HAS CONCEPT MOD",
        "LOG",
    )
    assert (sigma.RelationshipType, sigma.MeasuredValueSequence[0].FloatingPointValue) == ("INFERRED FROM", 2.0)
    wavelet = by_name["wavelet-LLH_glcm_Id"]
    assert concept(wavelet) == describe("wavelet-LLH_glcm_Id").concept.value
    assert [i.ConceptCodeSequence[0].CodeValue for i in wavelet.ContentSequence if i.ValueType == "CODE"] == [
        "WAVELET",
        "LLH",
    ]


def test_each_group_names_its_lesion_its_segment_and_the_ct_series(
    findings: Findings, objects: dict[str, ResultObject]
) -> None:
    for group, lesion in zip(groups_of(read(objects["sr-features"])), findings.case.lesions, strict=True):
        items = {concept(item): item for item in group.ContentSequence if item.ValueType != "NUM"}
        assert items["112039"].TextValue == lesion.tracking_id
        assert lesion.tracking_uid == items["112040"].UID
        assert findings.case.ct_key.series == items["121232"].UID
        segment = items["121191"].ReferencedSOPSequence[0]
        assert segment.ReferencedSOPInstanceUID == findings.case.segmentation.sop_instance
        assert segment.ReferencedSegmentNumber == lesion.number
        assert group.ContentTemplateSequence[0].TemplateIdentifier == "1411"


def test_a_lesion_without_features_has_no_group(small: Findings) -> None:
    rejected = replace(small.lesions[0], features=Rejected("ROI-001", "Lesion 1 has 3 voxels.", "Draw it larger."))
    (made,) = feature_report(replace(small, lesions=(rejected, small.lesions[1])), synthetic.PRODUCER)
    (group,) = groups_of(read(made))
    (tracking,) = [item for item in group.ContentSequence if concept(item) == "112040"]
    assert small.lesions[1].lesion.tracking_uid == tracking.UID


def test_the_evidence_holds_every_ct_image_and_the_segmentation(
    ct: list[Dataset], findings: Findings, objects: dict[str, ResultObject]
) -> None:
    (study,) = read(objects["sr-features"]).CurrentRequestedProcedureEvidenceSequence
    images, segmentation = study.ReferencedSeriesSequence
    assert [i.ReferencedSOPInstanceUID for i in images.ReferencedSOPSequence] == [i.SOPInstanceUID for i in ct]
    assert segmentation.SeriesInstanceUID == findings.case.segmentation.key.series


def test_the_same_findings_give_the_same_bytes(findings: Findings, objects: dict[str, ResultObject]) -> None:
    assert list(feature_report(findings, synthetic.PRODUCER)) == [objects["sr-features"]]


def test_dciodvfy_finds_no_error(folder: Path) -> None:
    assert dciodvfy_errors(folder / "sr-features.dcm") == []


def test_dcentvfy_finds_no_contradiction_between_the_study_and_all_results(folder: Path) -> None:
    assert dcentvfy_errors(sorted(folder.glob("*.dcm"))) == []


def test_dcmqi_reads_all_features_of_all_lesions(findings: Findings, folder: Path, tmp_path: Path) -> None:
    metadata = tmp_path / "report.json"
    finished = run("tid1500reader", "--inputDICOM", folder / "sr-features.dcm", "--outputMetadata", metadata)
    assert finished.returncode == 0
    groups = json.loads(metadata.read_text())["Measurements"]
    for index, group in enumerate(groups):
        vector = vector_of(findings, index)
        assert group["ReferencedSegment"] == index + 1
        assert group["TrackingUniqueIdentifier"] == findings.lesions[index].lesion.tracking_uid
        assert len(group["measurementItems"]) == len(vector)
        for item, (name, value) in zip(group["measurementItems"], vector.items(), strict=True):
            assert item["quantity"]["CodeValue"] == describe(name).concept.value
            if not math.isnan(value):
                assert float(item["value"]) == pytest.approx(value, rel=1e-8)


@pytest.mark.parametrize("program", ["dsrdump", "dsr2html"])
def test_dcmtk_reads_the_report(folder: Path, program: str) -> None:
    finished = run(program, folder / "sr-features.dcm")
    assert finished.returncode == 0
    assert not [line for line in finished.stderr.splitlines() if line.startswith("E:")]


def test_highdicom_reads_the_report(small: Findings) -> None:
    (made,) = feature_report(small, synthetic.PRODUCER)
    report = highdicom.sr.srread(BytesIO(made.data))
    assert isinstance(report, highdicom.sr.Comprehensive3DSR)
    groups = report.content.get_volumetric_roi_measurement_groups()  # type: ignore[attr-defined]
    for index, group in enumerate(groups):
        values = [measurement.value for measurement in group.get_measurements()]
        assert values == pytest.approx(list(vector_of(small, index).values), rel=1e-8)
        assert group.tracking_uid == small.lesions[index].lesion.tracking_uid


@pytest.mark.slow
def test_pixelmed_finds_no_error_in_the_templates(small: Findings, tmp_path: Path) -> None:
    # without NaN: the validator takes a number without a measured value for an error, although PS3.3 C.18.1 allows it
    (made,) = feature_report(small, synthetic.PRODUCER)
    path = tmp_path / "report.dcm"
    path.write_bytes(made.data)
    assert pixelmed_errors(path) == []


def test_five_lesions_are_written_in_a_second_and_five_megabytes() -> None:
    shape = (100, 64, 64)
    findings = synthetic.findings_of(synthetic.case_of(synthetic.ct_series(shape), synthetic.balls(shape, 5)))
    start = time.thread_time()
    (made,) = feature_report(findings, synthetic.PRODUCER)
    assert time.thread_time() - start < 1.0
    assert len(made.data) < 5_000_000
