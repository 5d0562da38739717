from dataclasses import replace

from pipelines.domain.case import Findings
from pipelines.domain.reasons import Rejected
from pipelines.outputs.page.facts import age, day, person, shown_lesions, term_text, warning_counts, warnings


def test_a_name_is_given_in_latin_letters_and_in_its_own_script() -> None:
    assert person("Wang^Xiaodong=王^小东=") == "Wang, Xiaodong  王 小东"
    assert person("Doe^Jane^Q^Dr^MD") == "Doe, Jane Q Dr MD"
    assert person("=王小东") == "王小东"
    assert person("Doe") == "Doe"
    assert person(None) == "–"


def test_dates_and_ages_are_given_as_people_write_them() -> None:
    assert (day("20260301"), day("2026"), day(None)) == ("2026-03-01", "2026", "–")
    assert (age("075Y"), age("6 weeks"), age(None)) == ("75 Y", "6 weeks", "–")
    assert (term_text(-0.5), term_text(123456.0)) == ("-0.500", "+1.2e+05")


def test_the_scored_lesion_comes_first_and_then_the_largest(findings: Findings) -> None:
    largest = max(findings.lesions, key=lambda m: m.lesion.mask.count)
    assert findings.score is not None and not isinstance(findings.score, Rejected)
    other = next(m for m in findings.lesions if m is not largest)
    scored = replace(findings, score=replace(findings.score, lesion_number=other.lesion.number))
    assert shown_lesions(scored)[0] is other
    assert shown_lesions(replace(findings, score=None))[0] is largest


def test_one_warning_of_each_code_comes_before_the_others(findings: Findings) -> None:
    notes = tuple(Rejected(code, str(n), "") for n, code in enumerate(["ROI-004", "ROI-004", "SEG-008", "ROI-004"]))
    refused = Rejected("ROI-001", "small", "")
    lesions = (replace(findings.lesions[0], features=refused), *findings.lesions[1:])
    score = Rejected("MODEL-005", "none", "")
    found = warnings(replace(findings, lesions=lesions, score=score, case=replace(findings.case, notes=notes)))
    assert [(w.code, w.detail) for w in found] == [
        ("MODEL-005", "none"),
        ("ROI-001", "small"),
        ("ROI-004", "0"),
        ("SEG-008", "2"),
        ("ROI-004", "1"),
        ("ROI-004", "3"),
    ]
    assert warning_counts(found) == "MODEL-005 (1), ROI-001 (1), ROI-004 (3), SEG-008 (1)"
