from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from pipelines.domain.case import Findings
from pipelines.domain.outcome import ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.outputs.check import check
from pipelines.outputs.diameter_report import diameter_report
from tests.pipelines.outputs import synthetic
from tests.pipelines.outputs.tools import dcentvfy_errors, dciodvfy_errors, pixelmed_errors, run


def groups_of(made: ResultObject) -> list[Dataset]:
    dataset = dcmread(BytesIO(made.data))
    assert dataset.ConceptNameCodeSequence[0].CodeValue == "126000"
    return list(dataset.ContentSequence[-1].ContentSequence)


def test_each_lesion_has_a_long_and_a_short_axis_drawn_on_its_slice(findings: Findings) -> None:
    (made,) = diameter_report(findings, synthetic.PRODUCER)
    for group, measured in zip(groups_of(made), findings.lesions, strict=True):
        expected = measured.diameters
        assert expected is not None
        numbers = [item for item in group.ContentSequence if item.ValueType == "NUM"]
        assert [number.ConceptNameCodeSequence[0].CodeMeaning for number in numbers] == ["Long axis", "Short axis"]
        for number, caliper in zip(numbers, (expected.long, expected.short), strict=True):
            assert number.MeasuredValueSequence[0].FloatingPointValue == caliper.length_mm
            (line,) = number.ContentSequence
            assert (line.ValueType, line.GraphicType) == ("SCOORD", "POLYLINE")
            ends = (caliper.start.column, caliper.start.row, caliper.end.column, caliper.end.row)
            assert list(line.GraphicData) == pytest.approx(ends, abs=1e-4)
            reference = line.ContentSequence[0].ReferencedSOPSequence[0]
            assert reference.ReferencedSOPInstanceUID == findings.case.ct.slices[expected.slice_index].sop_instance


def test_every_group_can_be_drawn_because_viewers_show_none_otherwise(findings: Findings) -> None:
    (made,) = diameter_report(findings, synthetic.PRODUCER)
    for group in groups_of(made):
        assert any(item.ValueType == "UIDREF" for item in group.ContentSequence)
        for item in group.ContentSequence:
            if item.ValueType == "NUM":
                assert [below.ValueType for below in item.ContentSequence] == ["SCOORD"]


def test_without_diameters_there_is_no_report(findings: Findings) -> None:
    without = replace(findings, lesions=tuple(replace(one, diameters=None) for one in findings.lesions))
    assert list(diameter_report(without, synthetic.PRODUCER)) == []


def test_the_self_check_finds_another_length_and_another_line(findings: Findings) -> None:
    (made,) = diameter_report(findings, synthetic.PRODUCER)
    assert check(made, findings) is None
    first = findings.lesions[0]
    assert first.diameters is not None
    moved = replace(first.diameters, slice_index=first.diameters.slice_index + 1)
    longer = replace(
        first.diameters, long=replace(first.diameters.long, length_mm=first.diameters.long.length_mm + 0.001)
    )
    for other in (moved, longer):
        changed = replace(findings, lesions=(replace(first, diameters=other), *findings.lesions[1:]))
        fault = check(made, changed)
        assert isinstance(fault, Rejected)
        assert "lesion 1" in fault.detail


def test_foreign_validators_and_readers_find_no_error(folder: Path) -> None:
    made = folder / "sr-diameters.dcm"
    assert dciodvfy_errors(made) == []
    assert dcentvfy_errors([*sorted(folder.glob("ct-*.dcm")), folder / "received-seg.dcm", made]) == []
    shown = run("dsrdump", made)
    assert shown.returncode == 0
    assert "Long axis" in shown.stdout
    assert "SCOORD" in shown.stdout


@pytest.mark.slow
def test_pixelmed_finds_no_error_in_the_templates(folder: Path) -> None:
    assert pixelmed_errors(folder / "sr-diameters.dcm") == []
