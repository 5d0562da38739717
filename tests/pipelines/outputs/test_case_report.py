from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from pipelines.domain.case import Findings
from pipelines.domain.outcome import ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Place, ScaledScore, Score
from pipelines.outputs.case_report import case_report
from pipelines.outputs.check import check
from pipelines.outputs.provenance import DEMONSTRATION_NOTICE
from tests.pipelines.outputs import synthetic
from tests.pipelines.outputs.tools import dciodvfy_errors, pixelmed_errors, run


def build(findings: Findings) -> Dataset:
    (made,) = case_report(findings, synthetic.PRODUCER)
    return dcmread(BytesIO(made.data))


def groups_of(dataset: Dataset) -> list[Dataset]:
    return list(dataset.ContentSequence[-1].ContentSequence)


def values(group: Dataset, name: str) -> list[object]:
    """Values of the items that are called `name`."""
    found: list[object] = []
    for item in group.ContentSequence:
        if item.ConceptNameCodeSequence[0].CodeMeaning == name:
            match item.ValueType:
                case "NUM":
                    found.append(item.MeasuredValueSequence[0].FloatingPointValue)
                case "CODE":
                    found.append(item.ConceptCodeSequence[0].CodeValue)
                case _:
                    found.append(item.TextValue)
    return found


def score_of(findings: Findings) -> Score:
    assert isinstance(findings.score, Score)
    return findings.score


def with_model(findings: Findings, *, demonstration: bool) -> Findings:
    score = score_of(findings)
    return replace(findings, score=replace(score, model=replace(score.model, demonstration=demonstration)))


def test_the_first_group_says_what_was_predicted_and_by_which_model(findings: Findings) -> None:
    group = groups_of(build(findings))[0]
    assert values(group, "Predicted probability of the positive class") == [0.7310585786300049]
    assert values(group, "Cut-off of the predicted probability") == [0.41]
    assert values(group, "Rule that set the cut-off") == ["Youden index in the training cohort"]
    assert values(group, "Predicted class") == ["POSITIVE"]
    assert values(group, "Meaning of the predicted class") == ["Responder (CR/PR)"]
    assert values(group, "Radiomics signature (linear predictor)") == [1.0]
    assert values(group, "Lesion that the prediction is based on") == ["Lesion 1: lesion-1"]
    assert values(group, "Algorithm Version") == ["1.0.0"]
    assert values(group, "Algorithm Family") == ["123110"]
    assert values(group, "Algorithm Parameters") == [f"model package SHA-256 = {synthetic.MODEL.sha256}"]
    assert values(group, "Model") == ["Rad-signature NSCLC 1.0.0"]
    assert values(group, "Licence of the model") == ["CC-BY-4.0"]
    assert values(group, "Intended use of the model") == [synthetic.MODEL.intended_use]


def warned(findings: Findings) -> Findings:
    """The findings of a case that is unlike the training data in every way there is a code for."""
    notes = tuple(
        Rejected(f"MODEL-{number:03}", f"What is unlike in way {number}.", "Read the score with care.")
        for number in range(11, 17)
    )
    score = replace(score_of(findings), warnings=notes)
    return replace(findings, score=score, case=replace(findings.case, notes=notes))


def test_the_first_group_says_where_the_score_lies_in_training(findings: Findings) -> None:
    group = groups_of(build(findings))[0]
    assert values(group, "Percentile among the positive training cases") == [61.64]
    assert values(group, "Percentile among the negative training cases") == [96.98]
    assert values(group, "Score on the scale of the model") == [5.8]
    assert values(group, "Case beside the training data of the model") == ["WITHIN"]


def test_a_case_unlike_the_training_data_is_marked_by_a_code_and_told_in_comments(findings: Findings) -> None:
    unlike = warned(findings)
    group = groups_of(build(unlike))[0]
    assert values(group, "Case beside the training data of the model") == ["OUTSIDE"]
    assert values(group, "Comment")[1:] == [str(note) for note in unlike.case.notes]


def test_a_model_without_training_data_is_marked_as_not_compared(findings: Findings) -> None:
    without = replace(findings, score=replace(score_of(findings), place=None, scaled=None))
    group = groups_of(build(without))[0]
    assert values(group, "Case beside the training data of the model") == ["NOTCOMPARED"]
    assert values(group, "Percentile among the positive training cases") == []
    assert values(group, "Score on the scale of the model") == []


def test_dciodvfy_and_the_self_check_find_no_error_in_a_report_with_every_warning(
    findings: Findings, tmp_path: Path
) -> None:
    (made,) = case_report(warned(findings), synthetic.PRODUCER)
    (tmp_path / "warned.dcm").write_bytes(made.data)
    assert dciodvfy_errors(tmp_path / "warned.dcm") == []
    assert check(made, warned(findings)) is None
    # the check looks at all of it: a report of other findings is not theirs
    for other in (
        findings,
        replace(warned(findings), score=replace(score_of(warned(findings)), place=Place(1.0, 2.0, 3, 4, -1.0, 1.0))),
        replace(warned(findings), score=replace(score_of(warned(findings)), scaled=ScaledScore("Rad-score", 1.0))),
        replace(warned(findings), score=replace(score_of(warned(findings)), warnings=())),
    ):
        fault = check(made, other)
        assert fault is not None
        assert fault.code == "OUT-001"


def test_the_last_group_has_the_ten_largest_contributions_with_name_value_and_term(findings: Findings) -> None:
    score = score_of(findings)
    group = groups_of(build(findings))[-1]
    written = [i for i in group.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "CONTRIBUTION"]
    largest = sorted(score.contributions, key=lambda c: -abs(c.term))[:10]
    assert len(score.contributions) > 10
    for item, contribution in zip(written, largest, strict=True):
        name, value, standardised = item.ContentSequence
        assert item.MeasuredValueSequence[0].FloatingPointValue == contribution.term
        assert name.TextValue == contribution.feature
        assert value.MeasuredValueSequence[0].FloatingPointValue == contribution.value
        assert standardised.MeasuredValueSequence[0].FloatingPointValue == contribution.standardised


def test_a_demonstration_model_is_called_one_wherever_a_reader_looks(findings: Findings) -> None:
    dataset = build(with_model(findings, demonstration=True))
    group = groups_of(dataset)[0]
    assert values(group, "Comment")[0] == DEMONSTRATION_NOTICE
    assert DEMONSTRATION_NOTICE in str(values(group, "Algorithm Name")[0])
    assert "DEMONSTRATION" in dataset.SeriesDescription
    assert "not for clinical use" in dataset.SeriesDescription


def test_any_other_model_is_not_called_a_demonstration(findings: Findings) -> None:
    (made,) = case_report(with_model(findings, demonstration=False), synthetic.PRODUCER)
    assert b"DEMONSTRATION" not in made.data


def test_a_probability_just_below_the_cut_off_is_not_printed_as_equal_to_it(findings: Findings) -> None:
    close = replace(score_of(findings), probability=0.40999996, cut_off=0.41)
    group = groups_of(build(replace(findings, score=close)))[0]
    printed = [
        str(item.MeasuredValueSequence[0].NumericValue)
        for item in group.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue in ("PROBABILITY", "CUTOFF")
    ]
    assert printed == ["0.40999996", "0.41"]


def test_without_a_model_the_report_says_so(findings: Findings) -> None:
    group = groups_of(build(replace(findings, score=None)))[0]
    assert "No model is configured" in str(values(group, "No prediction")[0])
    assert values(group, "Predicted class") == []
    assert len(groups_of(build(replace(findings, score=None)))) == 1 + len(findings.lesions)


def test_a_model_that_could_not_be_applied_is_told_with_its_code_and_reason(findings: Findings) -> None:
    reason = Rejected("MODEL-005", "Lesion 1 has no value for a feature.", "Check the contour.")
    group = groups_of(build(replace(findings, score=reason)))[0]
    assert values(group, "No prediction") == [str(reason)]


def test_each_lesion_has_a_summary_or_the_reason_why_it_was_not_measured(findings: Findings) -> None:
    reason = Rejected("ROI-001", "Lesion 2 has 3 voxels.", "Draw it larger.")
    rejected = replace(findings.lesions[1], features=reason)
    _, first, second, _ = groups_of(build(replace(findings, lesions=(findings.lesions[0], rejected))))
    volume = findings.lesions[0].lesion.mask.volume_ml(findings.case.ct.grid)
    assert values(first, "Volume") == [volume]
    assert values(first, "Number of radiomics features") == [1218.0]
    assert values(second, "Lesion not measured") == [str(reason)]
    assert values(second, "Number of radiomics features") == []


def test_notes_about_the_case_are_told_with_their_codes(findings: Findings) -> None:
    note = Rejected("ROI-002", "Segment 3 is empty.", "Nothing needs to be done.")
    group = groups_of(build(replace(findings, case=replace(findings.case, notes=(note,)))))[0]
    assert str(note) in values(group, "Comment")


def test_the_same_findings_give_the_same_bytes(findings: Findings, objects: dict[str, ResultObject]) -> None:
    assert list(case_report(findings, synthetic.PRODUCER)) == [objects["sr-case"]]


def test_dciodvfy_finds_no_error(folder: Path) -> None:
    assert dciodvfy_errors(folder / "sr-case.dcm") == []


def test_dcmqi_is_not_led_astray(folder: Path, tmp_path: Path) -> None:
    finished = run("tid1500reader", "--inputDICOM", folder / "sr-case.dcm", "--outputMetadata", tmp_path / "case.json")
    assert finished.returncode == 0


def test_a_person_reads_the_warning_and_the_result_first(folder: Path) -> None:
    finished = run("dsr2html", folder / "sr-case.dcm")
    assert finished.returncode == 0
    page = finished.stdout
    order = [DEMONSTRATION_NOTICE, "Responder (CR/PR)", "0.7311", "0.41", "Youden", "1218", "Contribution"]
    places = [page.index(text) for text in order]
    assert places == sorted(places)


@pytest.mark.slow
def test_pixelmed_finds_no_error_in_the_templates(folder: Path) -> None:
    assert pixelmed_errors(folder / "sr-case.dcm") == []
