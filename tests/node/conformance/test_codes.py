"""The list of codes against the objects that the tests of the outputs make, and against the tables."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from node.conformance.codes import SCHEMES, places, tabled_codes
from node.conformance.sample import sample_objects, sample_tasks
from node.settings import Settings
from pipelines.domain.coding import PRIVATE_SCHEME, PRIVATE_SCHEME_UID, Code
from pipelines.domain.feature_codes import CONCEPTS
from pipelines.domain.outcome import family
from pipelines.outputs.case_report import case_report
from pipelines.outputs.diameter_report import diameter_report
from pipelines.outputs.key_objects import key_objects
from pipelines.outputs.measurement_report import feature_report
from pipelines.outputs.parametric_map import map_objects
from tests.pipelines.outputs import synthetic

PAGE = (Path(__file__).parents[3] / "docs" / "codes.md").read_text("utf-8")
ROW = re.compile(r"^\| `(.+?)` \| (.+?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
SHAPE = (12, 32, 32)


def on_the_page() -> dict[tuple[str, str], tuple[str, str, str]]:
    """Meaning, places and features by (value, scheme)."""
    found = {}
    for section in PAGE.split("\n## ")[1:]:
        scheme = section.partition("\n")[0]
        for value, meaning, where, features in ROW.findall(section):
            found[value, scheme] = (meaning, where, features)
    return found


def every_code(dataset: Dataset) -> set[Code]:
    """All codes anywhere in `dataset`, found by their attributes alone."""
    return {
        Code(str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning))
        for element in dataset.iterall()
        if element.VR == "SQ"
        for item in element.value
        if "CodeValue" in item
    }


@pytest.fixture(scope="module")
def synthetic_objects() -> list[Dataset]:
    case = synthetic.case_of(synthetic.ct_series(SHAPE), synthetic.balls(SHAPE, 2))
    findings = synthetic.findings_of(case)
    builders = (feature_report, case_report, diameter_report, key_objects, map_objects)
    return [dcmread(BytesIO(made.data)) for build in builders for made in build(findings, synthetic.PRODUCER)]


def test_every_code_in_the_objects_of_the_synthetic_case_is_on_the_page(synthetic_objects: list[Dataset]) -> None:
    page = on_the_page()
    found = {one for dataset in synthetic_objects for one in every_code(dataset)}
    assert len(found) > 120
    for one in found:
        meaning, where, _ = page[one.value, one.scheme]
        assert meaning == one.meaning
        assert where


def test_every_code_of_the_tables_is_written_somewhere_and_nothing_else_is_but_what_is_copied() -> None:
    made = [(family(one.kind), dataset) for one, dataset in sample_objects(Settings())]
    made += [("task", dataset) for dataset in sample_tasks()]
    where = places(made)
    station = Code("PULMONODE", PRIVATE_SCHEME, "PULMONODE")
    copied = {one for one in where if one.scheme == "99SAMPLE"}
    assert where.keys() - copied - {station} == set(tabled_codes())
    # the walk by templates finds what a walk by attributes finds
    assert where.keys() == {one for _, dataset in made for one in every_code(dataset)}


def test_the_page_has_every_code_once_and_under_a_known_scheme() -> None:
    codes = tabled_codes()
    assert {one.scheme for one in codes} == SCHEMES.keys()
    assert on_the_page().keys() == {(one.value, one.scheme) for one in codes}
    assert len(ROW.findall(PAGE)) == len(codes)
    assert PRIVATE_SCHEME_UID in PAGE


def test_each_feature_stands_beside_its_code() -> None:
    page = on_the_page()
    for name, concept in CONCEPTS.items():
        assert f"`{name}`" in page[concept.value, concept.scheme][2]


def test_a_place_in_a_report_is_told_by_its_template(synthetic_objects: list[Dataset]) -> None:
    where = places([("sr-features", synthetic_objects[0])])
    assert where[CONCEPTS["glcm_Id"]] == {"TID 1411: name of NUM": {"sr-features"}}
    assert where[Code("114000", "DCM", "Not a number")] == {"TID 1411: qualifier of NUM": {"sr-features"}}
