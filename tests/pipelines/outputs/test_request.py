"""Where a result says which order it answers."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from pipelines.domain.case import Findings
from pipelines.domain.coding import Code
from pipelines.domain.order import Order
from pipelines.domain.outcome import ResultObject
from pipelines.imaging.order import with_order
from pipelines.outputs.case_report import case_report
from pipelines.outputs.check import check
from pipelines.outputs.parametric_map import map_objects
from pipelines.outputs.segmentation import segmentation_objects
from tests.pipelines.outputs import synthetic
from tests.pipelines.outputs.tools import dciodvfy_errors

ACCESSION_NUMBER = "A-1"
"""Of the synthetic CT; an order with another one would not be its order."""


def made_from(findings: Findings) -> list[ResultObject]:
    return [
        *case_report(findings, synthetic.PRODUCER),
        *map_objects(findings, synthetic.PRODUCER),
        *segmentation_objects(findings, synthetic.PRODUCER),
    ]


@pytest.fixture(scope="module")
def ordered(drawn_as_contours: Findings) -> Findings:
    """Findings of a case that the worklist filled in."""
    case = drawn_as_contours.case
    codes = (Code("24627-2", "LN", "CT Chest"),)
    studies = (("1.2.840.10008.3.1.2.3.1", "1.2.3.4"),)
    order = Order(case.ct_key.study, ACCESSION_NUMBER, "RP-1", "CT of the chest", codes, studies)
    return replace(drawn_as_contours, case=with_order(case, order))


def read(made: ResultObject) -> Dataset:
    return dcmread(BytesIO(made.data))


def test_every_object_names_the_order_in_the_place_for_its_kind(ordered: Findings) -> None:
    objects = {made.kind: read(made) for made in made_from(ordered)}
    assert set(objects) == {"sr-case", "map", "seg"}
    for kind, made in objects.items():
        own, other = "RequestAttributesSequence", "ReferencedRequestSequence"
        if kind == "sr-case":
            own, other = other, own
        assert made.AccessionNumber == ACCESSION_NUMBER
        (request,) = made[own].value
        assert (request.RequestedProcedureID, request.RequestedProcedureDescription) == ("RP-1", "CT of the chest")
        assert request.RequestedProcedureCodeSequence[0].CodeValue == "24627-2"
        assert request.StudyInstanceUID == made.StudyInstanceUID
        assert other not in made


def test_the_objects_pass_their_own_check_and_that_of_dicom3tools(ordered: Findings, tmp_path: Path) -> None:
    for made in made_from(ordered):
        assert check(made, ordered) is None
        path = tmp_path / f"{made.kind}.dcm"
        path.write_bytes(made.data)
        assert dciodvfy_errors(path) == []


def test_with_an_order_the_results_are_other_objects(ordered: Findings, drawn_as_contours: Findings) -> None:
    plain, filled = ({made.sop_instance for made in made_from(one)} for one in (drawn_as_contours, ordered))
    assert not plain & filled


def test_without_an_order_nothing_is_said_of_one(drawn_as_contours: Findings) -> None:
    for made in map(read, made_from(drawn_as_contours)):
        assert "RequestAttributesSequence" not in made
        assert "ReferencedRequestSequence" not in made
