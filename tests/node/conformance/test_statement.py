"""The statement as a document: what it says of the settings, and that it is complete and always the same."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydicom import Dataset, dcmread
from pydicom.datadict import keyword_for_tag

from node.cli import cli
from node.conformance import statuses
from node.conformance.network import network
from node.conformance.objects import usage_by_class
from node.conformance.outline import OUTLINE, heading
from node.conformance.sample import sample_objects
from node.conformance.statement import document, facts, statement
from node.settings import Peer, Settings
from pipelines.domain.outcome import ResultObject
from pipelines.domain.procedure_step import StepStatus
from pipelines.domain.sop_classes import PARAMETRIC_MAP, RESULT_CLASSES, SEGMENTATION
from pipelines.outputs.case_report import case_report
from pipelines.outputs.inherited import INHERITED
from pipelines.outputs.key_objects import key_objects
from pipelines.outputs.parametric_map import map_objects
from pipelines.outputs.segmentation import segmentation_objects
from pipelines.outputs.usage import Presence
from tests.pipelines.outputs import synthetic
from tests.tools import free_port, write_config

pytestmark = pytest.mark.usefixtures("logging_as_before")
Made = list[tuple[ResultObject, Dataset]]


@pytest.fixture(scope="module")
def objects() -> Made:
    return list(sample_objects(Settings()))


def test_the_statement_names_every_context_of_both_sides(objects: Made) -> None:
    text = statement(facts(Settings(), objects))
    net = network(Settings())
    uids = {one.abstract_syntax for one in net.accepted} | {one.context.abstract_syntax for one in net.proposed}
    assert all(f"`{uid}`" in text for uid in uids)
    assert all(f"`{path}`" in text for _, path in net.web)


def test_the_statement_has_the_sections_of_the_template_in_their_order(objects: Made) -> None:
    text = statement(facts(Settings(), objects))
    told = [line for line in text.splitlines() if line.startswith("#")]
    outline = [heading(number, title) for number, title in OUTLINE.items()]
    assert [line for line in told if line in outline] == outline
    # an IOD for each class follows what they have in common
    assert len(told) == len(outline) + len(RESULT_CLASSES)
    assert "| Comprehensive 3D SR Storage | TID 1500 |" in text
    assert "| Key Object Selection Document Storage | TID 2010 |" in text


def test_the_statement_is_that_of_the_settings(objects: Made) -> None:
    peer = Peer(name="archive", ae_title="MYPACS", host="192.0.2.1", port=104, query=True)
    settings = Settings(
        node={"ae_title": "OTHER", "port": 104},
        receive={"calling_ae_titles": ("MYPACS",), "max_associations": 7},
        peers=(peer,),
    )
    text = statement(facts(settings, objects))
    assert "| Application Entity | `OTHER` |" in text
    assert "7 associations are open" in text
    assert "| archive | `MYPACS` | no | yes | move | no | no | C-STORE | yes |" in text
    in_use = [line for line in text.splitlines() if line.endswith("| yes |") and " - MOVE |" in line]
    assert len(in_use) == 1
    # an address is nobody's business who reads the statement
    assert "192.0.2.1" not in text


def test_the_same_settings_give_the_same_text(objects: Made) -> None:
    assert document(Settings()) == document(Settings())
    assert re.search(r"\b20\d\d-\d\d-\d\d\b", statement(facts(Settings(), objects))) is None


def test_every_status_of_the_step_services_has_a_meaning() -> None:
    assert statuses.STEPS.keys() == set(StepStatus)


def test_attribute_usage_agrees_with_objects_of_another_case(objects: Made) -> None:
    """What is said to be ALWAYS there, EMPTY or never there holds for the objects of the tests of the outputs."""
    shape = (8, 24, 24)
    case = synthetic.case_of(synthetic.ct_series(shape), synthetic.balls(shape, 1), referable=False)
    findings = synthetic.findings_of(case, synthetic.feature_names()[:20])
    by_class = {one.sop_class: one for one in usage_by_class(objects)}
    assert by_class.keys() == RESULT_CLASSES
    for build in (case_report, key_objects, map_objects, segmentation_objects):
        for made in build(findings, synthetic.PRODUCER):
            held = dcmread(BytesIO(made.data))
            told = {one.path[0]: one.presence for one in by_class[made.sop_class].attributes if len(one.path) == 1}
            there = {int(element.tag) for element in held if element.keyword != "ContentSequence"}
            assert there <= told.keys(), [keyword_for_tag(tag) for tag in there - told.keys()]
            for tag, presence in told.items():
                if presence is not Presence.ANAP:
                    assert tag in there, keyword_for_tag(tag)
                if presence is Presence.ALWAYS:
                    assert not held[tag].is_empty, keyword_for_tag(tag)
                if presence is Presence.EMPTY:
                    assert held[tag].is_empty, keyword_for_tag(tag)


def test_the_sample_cases_call_for_every_attribute_that_a_ct_can_pass_on(objects: Made) -> None:
    for one in usage_by_class(objects):
        top = {keyword_for_tag(attribute.path[0]): attribute.presence for attribute in one.attributes}
        assert set(INHERITED) <= top.keys()
        assert top["StudyInstanceUID"] is Presence.ALWAYS
        assert top["PatientName"] is Presence.VNAP
        assert top["SmokingStatus"] is Presence.ANAP
        if one.sop_class in (PARAMETRIC_MAP, SEGMENTATION):
            assert top["ContentCreatorName"] is Presence.EMPTY


def test_the_command_writes_the_statement_of_its_configuration_to_a_file(tmp_path: Path) -> None:
    config = write_config(tmp_path, destinations={"archive": ("MYPACS", free_port())})
    written = tmp_path / "statement.md"
    done = CliRunner().invoke(cli, ["--config", str(config), "conformance", "--output", str(written)])
    assert (done.exit_code, done.output.strip()) == (0, f"Written to {written}.")
    text = written.read_text("utf-8")
    assert text.startswith("# DICOM Conformance Statement of pulmonode\n")
    assert "`MYPACS`" in text
