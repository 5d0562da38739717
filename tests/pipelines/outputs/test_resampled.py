"""A tilted and an uneven series from the images to the objects: what refers to what, and what is left out."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from pipelines.base import Pipeline, build_objects
from pipelines.domain.case import Case, Findings
from pipelines.domain.outcome import ResultObject
from pipelines.extraction.settings import load_profile
from pipelines.imaging.case import read_case
from pipelines.nsclc_immunotherapy import MapSettings, pipeline
from pipelines.outputs.key_objects import key_slices
from tests.ct_variants import at_heights, seg_of_slices, tilted
from tests.dicom import as_bytes, ct_series, rtstruct_of
from tests.pipelines.outputs.synthetic import PRODUCER
from tests.pipelines.outputs.tools import dcentvfy_errors, dciodvfy_errors

UNEVEN = [0, 1.25, 2.5, 3.75, 5.0, 7.25, 9.5, 11.75, 14.0, 16.25]


def tilted_case() -> tuple[list[Dataset], Dataset]:
    ct = tilted(ct_series(), 12)
    return ct, seg_of_slices(ct)


def uneven_case() -> tuple[list[Dataset], Dataset]:
    ct = at_heights(ct_series(), UNEVEN)
    return ct, rtstruct_of(ct)


CASES = {"tilted": (tilted_case, "CT-006"), "uneven": (uneven_case, "CT-007")}


Made = tuple[str, list[Dataset], Dataset, Findings, dict[str, ResultObject]]


@pytest.fixture(scope="module", params=CASES)
def made(request: pytest.FixtureRequest) -> Made:
    build, _ = CASES[request.param]
    ct, segmentation = build()
    case = read_case(ct, segmentation, inputs_digest="d")
    assert isinstance(case, Case), case
    line = pipeline(
        load_profile("recommended"),
        model=None,
        maps=MapSettings(("original_firstorder_Mean",), 0, 1, 800),
    )
    assert isinstance(line, Pipeline)
    findings = line.measure(case)
    assert isinstance(findings, Findings), findings
    objects = list(build_objects(line, findings, PRODUCER))
    assert all(isinstance(one, ResultObject) for one in objects), objects
    return (
        request.param,
        ct,
        segmentation,
        findings,
        {one.kind: one for one in objects if isinstance(one, ResultObject)},
    )


def read(one: ResultObject) -> Dataset:
    return dcmread(BytesIO(one.data))


def test_there_are_features_but_no_maps_and_no_drawn_diameters_and_the_report_says_why(made: Made) -> None:
    name, _, _, findings, objects = made
    kinds = {"sr-features", "sr-case", "key-objects", "page-pdf"}
    assert set(objects) == (kinds if name == "tilted" else kinds | {"seg"})
    assert findings.maps == ()
    code = CASES[name][1]
    [note] = [note for note in findings.case.notes if note.code == code]
    assert "diameters are not drawn and maps are not made" in note.detail
    assert all(measured.diameters is not None for measured in findings.lesions)
    texts = [element.value for element in read(objects["sr-case"]).iterall() if element.keyword == "TextValue"]
    assert str(note) in texts


def test_reports_refer_to_images_that_exist_and_to_the_segmentation_that_was_drawn(made: Made) -> None:
    name, ct, segmentation, _, objects = made
    report = read(objects["sr-features"])
    named = {
        str(instance.ReferencedSOPInstanceUID)
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    drawn = segmentation.SOPInstanceUID if name == "tilted" else read(objects["seg"]).SOPInstanceUID
    assert named == {*(str(image.SOPInstanceUID) for image in ct), str(drawn)}


def test_key_images_are_images_that_were_sent_and_none_is_named_twice(made: Made) -> None:
    _, ct, _, findings, objects = made
    dataset = read(objects["key-objects"])
    shown = [
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in dataset.ContentSequence
        if item.ValueType == "IMAGE"
    ]
    assert shown
    assert set(shown) <= {image.SOPInstanceUID for image in ct}
    # lesions that are largest on two slices of the new grid may share the image that is nearest to both
    (lesion,) = findings.case.lesions
    a, b, c = lesion.mask.offset
    places = [replace(lesion, mask=replace(lesion.mask, offset=(start, b, c))) for start in range(a + 1)]
    slices = key_slices(replace(findings, case=replace(findings.case, lesions=tuple(places))))
    assert len(slices) == len(set(slices))


def test_an_own_segmentation_lies_on_the_new_grid_and_says_that_its_sources_do_not(made: Made) -> None:
    name, ct, _, findings, objects = made
    if name == "tilted":
        assert findings.case.segmentation.referable
        return
    written = read(objects["seg"])
    grid = findings.case.ct.grid
    images = {str(image.SOPInstanceUID) for image in ct}
    for frame in written.PerFrameFunctionalGroupsSequence:
        height = float(frame.PlanePositionSequence[0].ImagePositionPatient[2]) - grid.origin_mm[2]
        assert height / grid.spacing_mm[2] == pytest.approx(round(height / grid.spacing_mm[2]), abs=1e-4)
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        assert source.ReferencedSOPInstanceUID in images
        assert source.SpatialLocationsPreserved == "NO"


def test_no_validator_finds_an_error(made: Made, tmp_path: Path) -> None:
    _, ct, segmentation, _, objects = made
    paths = []
    for kind, one in objects.items():
        paths.append(tmp_path / f"{kind}.dcm")
        paths[-1].write_bytes(one.data)
        assert dciodvfy_errors(paths[-1]) == []
    for number, image in enumerate((*ct, segmentation)):
        paths.append(tmp_path / f"sent-{number}.dcm")
        paths[-1].write_bytes(as_bytes(image))
    # the received structure set names a study object that exists nowhere
    assert [line for line in dcentvfy_errors(paths) if "sent-" not in line] == []
