"""The pipeline on a real case in memory: measured by the fast engine, and verified."""

from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from pipelines.base import Pipeline, build_objects
from pipelines.domain.case import Case, Findings
from pipelines.domain.outcome import ResultObject
from pipelines.extraction.parameters import read_parameters
from pipelines.extraction.settings import ExtractionSettings, load_profile
from pipelines.imaging.case import read_case
from pipelines.nsclc_immunotherapy import MapSettings, pipeline
from tests.dicom import centred_ball, ct_series, seg_of
from tests.pipelines.outputs import synthetic
from tests.pipelines.outputs.tools import dciodvfy_errors

SHAPE = (12, 40, 40)


@cache
def case() -> Case:
    noise = np.rint(np.random.default_rng(1).normal(30, 60, SHAPE)).astype(np.int16)
    ct = ct_series(slices=SHAPE[0], rows=SHAPE[1], columns=SHAPE[2], hu=noise)
    read = read_case(ct, seg_of(ct, {1: centred_ball(SHAPE)}), inputs_digest="inputs")
    assert isinstance(read, Case)
    return read


def made(tolerance: float = 1e-9, settings: ExtractionSettings | None = None) -> Pipeline:
    found = pipeline(
        settings or load_profile("recommended"),
        model=None,
        maps=MapSettings((), 0, 1, 0),
        verify_every=200,
        tolerance=tolerance,
    )
    assert isinstance(found, Pipeline)
    return found


def objects(of: Pipeline, *, verified: bool) -> dict[str, ResultObject]:
    measure = of.measure
    if verified:
        assert of.verifiable is not None
        measure = of.verifiable.measure
    findings = measure(case())
    assert isinstance(findings, Findings)
    results: dict[str, ResultObject] = {}
    for one in build_objects(of, findings, synthetic.PRODUCER):
        assert isinstance(one, ResultObject)
        results[one.kind] = one
    return results


def texts(result: ResultObject) -> list[str]:
    def below(item: Dataset) -> list[str]:
        own = [str(item.TextValue)] if "TextValue" in item else []
        return own + [text for inner in item.get("ContentSequence", []) for text in below(inner)]

    return below(dcmread(BytesIO(result.data)))


def test_a_case_that_is_verified_says_how_far_the_engines_lie_apart() -> None:
    results = objects(made(), verified=True)
    (said,) = [text for text in texts(results["sr-features"]) if text.startswith("verification = ")]
    assert "1218 features compared with PyRadiomics, largest relative deviation " in said
    assert "tolerance 1e-09, reported as the fast engine computed them" in said
    assert "engine = verify" in texts(results["sr-features"])
    assert not [text for text in texts(results["sr-case"]) if "ROI-010" in text]


def test_a_case_that_is_not_verified_says_nothing_of_it() -> None:
    results = objects(made(), verified=False)
    assert not [text for text in texts(results["sr-features"]) if "verification" in text]
    assert "engine = fast" in texts(results["sr-features"])


def test_the_same_run_gives_the_same_bytes_and_a_verified_one_other_uids() -> None:
    first, again = objects(made(), verified=True), objects(made(), verified=True)
    assert {kind: one.data for kind, one in first.items()} == {kind: one.data for kind, one in again.items()}
    plain = objects(made(), verified=False)
    assert not {one.sop_instance for one in first.values()} & {one.sop_instance for one in plain.values()}


def test_a_deviation_is_noted_and_gives_the_numbers_of_pyradiomics_under_uids_of_their_own() -> None:
    # the engines differ in the last digits only: a tolerance below that stands for a fast engine that has gone wrong
    deviating, agreeing = objects(made(1e-17), verified=True), objects(made(), verified=True)
    (note,) = [text for text in texts(deviating["sr-case"]) if text.startswith("ROI-010 ")]
    assert "Segment 1: 1218 features compared" in note
    assert not {one.sop_instance for one in deviating.values()} & {one.sop_instance for one in agreeing.values()}


@pytest.mark.parametrize("tolerance", [1e-9, 1e-17])
def test_reports_of_verified_cases_conform(tolerance: float, tmp_path: Path) -> None:
    for kind, one in objects(made(tolerance), verified=True).items():
        path = tmp_path / f"{kind}.dcm"
        path.write_bytes(one.data)
        assert dciodvfy_errors(path) == []


def test_a_parameter_file_with_every_filter_gives_reports_that_conform(tmp_path: Path) -> None:
    settings = read_parameters(
        "{imageType: {Original: {}, Square: {}, SquareRoot: {}, Logarithm: {}, Exponential: {}, Gradient: {}, "
        "LBP2D: {binWidth: 1}, LBP3D: {binWidth: 1}, Wavelet: {level: 2}, LoG: {sigma: [2, 2.5]}}, "
        "featureClass: {shape: , firstorder: , ngtdm: , glcm: [MCC, SumAverage]}, setting: {normalize: true}}",
        name="all.yaml",
    )
    assert isinstance(settings, ExtractionSettings)
    results = objects(made(settings=settings), verified=False)
    (note,) = [text for text in texts(results["sr-case"]) if text.startswith("ROI-004 ")]
    assert "PyRadiomics measured segment 1: the parameters ask for the filter Square" in note
    assert "profile = parameters all.yaml" in texts(results["sr-features"])
    assert "setting normalize = True" in texts(results["sr-features"])
    path = tmp_path / "features.dcm"
    path.write_bytes(results["sr-features"].data)
    assert dciodvfy_errors(path) == []
    assert b"[hnsf'U]" not in results["sr-features"].data
