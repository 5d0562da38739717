"""The report of the profile `ibsi`: what IBSI published stands in it, and other people's tools read it."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from benchmarks import ibsi2_tables
from benchmarks.ibsi import CSV, read_csv
from benchmarks.ibsi2_phantoms import FILTERS
from benchmarks.ibsi_phantoms import PHANTOM
from pipelines.base import Pipeline
from pipelines.domain.case import Case, Findings
from pipelines.domain.features import FeatureVector
from pipelines.domain.ibsi_codes import ibsi_concept
from pipelines.extraction.ibsi_filters.catalogue import CATALOGUE
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import load_profile
from pipelines.imaging.case import read_case
from pipelines.nsclc_immunotherapy import MapSettings, pipeline
from pipelines.outputs.check import check
from pipelines.outputs.measurement_report import feature_report
from tests.pipelines.outputs import synthetic
from tests.pipelines.outputs.test_measurement_report import full_name, groups_of, numbers_of
from tests.pipelines.outputs.tools import dciodvfy_errors, run

PROFILE = load_profile("ibsi", ibsi_filters=tuple(CATALOGUE))


@pytest.fixture(scope="module")
def invented(case: Case) -> Findings:
    return synthetic.findings_of(case, feature_names(PROFILE), with_nan=False)


@pytest.fixture(scope="module")
def measured_phantom(shared_data: Path) -> Findings:
    folder = shared_data / PHANTOM
    case = read_case(
        [dcmread(file) for file in sorted((folder / "ct").glob("*.dcm"))],
        dcmread(folder / "seg.dcm"),
        inputs_digest="ibsi",
    )
    assert isinstance(case, Case)
    made = pipeline(PROFILE, model=None, maps=MapSettings((), 0, 1, 0))
    assert isinstance(made, Pipeline)
    findings = made.measure(case)
    assert isinstance(findings, Findings)
    return findings


def codes(number: Dataset) -> tuple[str, ...]:
    """IBSI identifiers of a number: feature, and aggregation of texture."""
    concept = number.ConceptNameCodeSequence[0]
    assert concept.CodingSchemeDesignator == "IBSI"
    modifiers = [i.ConceptCodeSequence[0] for i in number.ContentSequence if i.ValueType == "CODE"]
    return (concept.CodeValue, *(code.CodeValue for code in modifiers if code.CodingSchemeDesignator == "IBSI"))


def test_the_report_of_the_ct_phantom_holds_the_reference_values(measured_phantom: Findings) -> None:
    (made,) = feature_report(measured_phantom, synthetic.PRODUCER)
    (group,) = groups_of(dcmread(BytesIO(made.data)))
    numbers = {full_name(number): number for number in numbers_of(group)}
    references = [
        row.reference for row in read_csv(CSV.read_text("utf-8")) if row.configuration == "C" and row.reference.code
    ]
    assert len(references) == 210
    for reference in references:
        number = numbers[f"ibsi_{reference.tag}"]
        assert reference.met_by(number.MeasuredValueSequence[0].FloatingPointValue), reference.tag
        assert codes(number)[0] == reference.code
    assert codes(numbers["ibsi_cm_joint_entr_3D_comb"]) == ("TU9B", "IAZD")
    published = ibsi2_tables.published(ibsi2_tables.CSV.read_text("utf-8"))
    of_filters = [
        (f"ibsi_{name}_{row.tag}", (ibsi_concept(row.tag).concept.value, CATALOGUE[name].kernel.code), row.value)
        for name in CATALOGUE
        for configuration, wanted in FILTERS.items()
        if wanted == CATALOGUE[name]
        for row in published[configuration]
    ]
    assert len(of_filters) == 6 * 18
    assert len(numbers) == len(references) + len(of_filters)
    for feature, both_codes, value in of_filters:
        found = numbers[feature].MeasuredValueSequence[0].FloatingPointValue
        assert found == pytest.approx(value, rel=1e-9, abs=0.0), feature
        assert codes(numbers[feature]) == both_codes


def test_the_report_says_how_it_was_measured_and_claims_no_pyradiomics(measured_phantom: Findings) -> None:
    method = measured_phantom.method
    assert dict(method.settings)["engine"] == "ibsi"
    assert dict(method.settings)["re-segmentation range"] == "-1000 to 400 HU"
    assert dict(method.settings)["filter log"].startswith("Laplacian of Gaussian, sigma 1.5 mm")
    assert [name for name, _ in method.software] == ["NumPy", "SciPy", "PyWavelets"]


def test_maps_are_those_of_the_other_profiles(case: Case) -> None:
    made = []
    for profile in ("ibsi", "recommended"):
        of = pipeline(
            load_profile(profile),
            model=None,
            maps=MapSettings(("original_firstorder_Mean",), 0, 1, 800),
        )
        assert isinstance(of, Pipeline)
        findings = of.measure(case)
        assert isinstance(findings, Findings)
        made.append([one.values for one in findings.maps])
    assert len(made[0]) == len(case.lesions)
    assert all(np.array_equal(a, b) for a, b in zip(*made, strict=True))


def test_the_self_check_and_dciodvfy_find_no_error(invented: Findings, tmp_path: Path) -> None:
    (made,) = feature_report(invented, synthetic.PRODUCER)
    assert check(made, invented) is None
    path = tmp_path / "report.dcm"
    path.write_bytes(made.data)
    assert dciodvfy_errors(path) == []


def test_dcmqi_reads_every_feature(invented: Findings, tmp_path: Path) -> None:
    (made,) = feature_report(invented, synthetic.PRODUCER)
    path, metadata = tmp_path / "report.dcm", tmp_path / "report.json"
    path.write_bytes(made.data)
    assert run("tid1500reader", "--inputDICOM", path, "--outputMetadata", metadata).returncode == 0
    for group, measured in zip(json.loads(metadata.read_text())["Measurements"], invented.lesions, strict=True):
        assert isinstance(measured.features, FeatureVector)
        assert [float(item["value"]) for item in group["measurementItems"]] == (
            pytest.approx(list(measured.features.values), rel=1e-8)
        )
        assert {item["quantity"]["CodingSchemeDesignator"] for item in group["measurementItems"]} == {"IBSI"}
