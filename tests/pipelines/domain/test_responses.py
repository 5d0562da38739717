"""Every category of response has a code, and the codes that DICOM has are DICOM's."""

from enum import StrEnum

import pytest
from pydicom.sr.codedict import codes

from pipelines.domain import response_codes
from pipelines.domain.progression import Pattern, Resistance
from pipelines.domain.responses import ImmuneResponse, NonTargetResponse, OverallResponse, TargetResponse


@pytest.mark.parametrize(
    "words", [TargetResponse, NonTargetResponse, OverallResponse, ImmuneResponse, Pattern, Resistance]
)
def test_every_word_has_a_code(words: type[StrEnum]) -> None:
    assert all(word.code.meaning for word in words)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("RECIST1Point1", "RECIST_1_1"),
        ("TargetLesionAtBaseline", "TARGET_AT_BASELINE"),
        ("NonTargetLesionAtBaseline", "NON_TARGET_AT_BASELINE"),
        ("TargetLesionCompleteResponse", "TARGET_CR"),
        ("TargetLesionPartialResponse", "TARGET_PR"),
        ("TargetLesionProgressiveDisease", "TARGET_PD"),
        ("TargetLesionStableDisease", "TARGET_SD"),
        ("NonTargetLesionCompleteResponse", "NON_TARGET_CR"),
        ("NonTargetLesionIncompleteResponseOrStableDisease", "NON_TARGET_PERSISTS"),
        ("NonTargetLesionProgressiveDisease", "NON_TARGET_PD"),
        ("CurrentResponse", "CURRENT_RESPONSE"),
        ("BestOverallResponse", "BEST_OVERALL_RESPONSE"),
        ("ResponseEvaluationMethod", "RESPONSE_EVALUATION_METHOD"),
        ("BaselineCategory", "BASELINE_CATEGORY"),
        ("SubjectTimePointIdentifier", "SUBJECT_TIME_POINT"),
        ("ProtocolTimePointIdentifier", "PROTOCOL_TIME_POINT"),
        ("TimePointType", "TIME_POINT_TYPE"),
        ("TimePointOrder", "TIME_POINT_ORDER"),
    ],
)
def test_dicom_has_these_codes_under_these_names(keyword: str, name: str) -> None:
    theirs, ours = getattr(codes.DCM, keyword), getattr(response_codes, name)
    assert (ours.value, ours.scheme, ours.meaning) == (theirs.value, theirs.scheme_designator, theirs.meaning)
