from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from pipelines.domain.case import Findings
from pipelines.domain.reasons import Rejected
from pipelines.outputs.case_report import case_report
from pipelines.outputs.check import check
from pipelines.outputs.key_objects import key_objects, key_slices
from tests.pipelines.outputs import synthetic
from tests.pipelines.outputs.tools import dcentvfy_errors, dciodvfy_errors, pixelmed_errors, run


def test_it_refers_to_the_slice_with_the_largest_section_of_each_lesion_and_to_the_report(findings: Findings) -> None:
    (made,) = key_objects(findings, synthetic.PRODUCER)
    (report,) = case_report(findings, synthetic.PRODUCER)
    dataset = dcmread(BytesIO(made.data))
    *images, last = [item for item in dataset.ContentSequence if item.ValueType in ("IMAGE", "COMPOSITE")]
    shown = {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in images}
    largest = set()
    for lesion in findings.case.lesions:
        sections = lesion.mask.on(findings.case.ct.grid).sum(axis=(1, 2))
        largest.add(findings.case.ct.slices[int(sections.argmax())].sop_instance)
    assert shown == largest
    assert last.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == report.sop_instance
    evidence = dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [series.SeriesInstanceUID for series in evidence] == [findings.case.ct_key.series, report.series]


def test_lesions_on_one_slice_share_their_key_image(findings: Findings) -> None:
    twice = replace(findings.case, lesions=(findings.case.lesions[0],) * 2)
    assert len(key_slices(replace(findings, case=twice))) == 1


def test_the_self_check_finds_a_key_image_of_another_lesion(findings: Findings) -> None:
    (made,) = key_objects(findings, synthetic.PRODUCER)
    assert check(made, findings) is None
    lesion = findings.case.lesions[0]
    a, b, c = lesion.mask.offset
    moved = replace(lesion, mask=replace(lesion.mask, offset=(a + 3, b, c)))
    other = replace(findings, case=replace(findings.case, lesions=(moved, *findings.case.lesions[1:])))
    fault = check(made, other)
    assert isinstance(fault, Rejected)
    assert "key images" in fault.detail


def test_foreign_validators_and_readers_find_no_error(folder: Path) -> None:
    made = folder / "key-objects.dcm"
    assert dciodvfy_errors(made) == []
    assert (
        dcentvfy_errors([*sorted(folder.glob("ct-*.dcm")), folder / "received-seg.dcm", folder / "sr-case.dcm", made])
        == []
    )
    assert run("dsrdump", made).returncode == 0


@pytest.mark.slow
def test_pixelmed_finds_no_error_in_the_templates(folder: Path) -> None:
    assert pixelmed_errors(folder / "key-objects.dcm") == []
