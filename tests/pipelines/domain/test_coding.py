from collections.abc import Iterator

import pytest
from pydicom.sr._concepts_dict import concepts

from pipelines.domain import coding, ibsi_codes
from pipelines.domain.coding import MM, PRIVATE_SCHEME, PRIVATE_SCHEME_UID, Code
from pipelines.domain.feature_codes import (
    CONCEPTS,
    IMAGE_TRANSFORMATION,
    LBP_MAP,
    LOG_SIGMA,
    WAVELET_LEVEL,
    WAVELET_SUB_BAND,
    describe,
)
from pipelines.domain.identifiers import derived_uid


def codes_of(module: object) -> Iterator[Code]:
    for value in vars(module).values():
        if isinstance(value, Code):
            yield value
        elif isinstance(value, dict):
            yield from (code for code in value.values() if isinstance(code, Code))


def all_codes() -> set[Code]:
    modifiers = {
        code
        for image in (
            "log-sigma-2-0-mm-3D",
            "wavelet-LLH",
            "square",
            "squareroot",
            "logarithm",
            "exponential",
            "gradient",
            "lbp-2D",
            "lbp-3D-m1",
            "lbp-3D-k",
            "wavelet2-LH",
        )
        for _, code in describe(f"{image}_glcm_Id").modifiers
    }
    named = {IMAGE_TRANSFORMATION, LBP_MAP, LOG_SIGMA, WAVELET_LEVEL, WAVELET_SUB_BAND}
    return {*codes_of(coding), *codes_of(ibsi_codes), *CONCEPTS.values(), *named, *modifiers}


def meanings(code: Code) -> set[str]:
    """What pydicom's copy of PS3.16 calls `code`; empty when it does not have it."""
    scheme: dict[str, dict[str, tuple[str, list[int]]]] = concepts.get(code.scheme, {})  # type: ignore[assignment]
    return {entry[code.value][0] for entry in scheme.values() if code.value in entry}


# in use in the standard or registered, but in no context group that pydicom carries
ABSENT_FROM_PYDICOM = {
    # UCUM is a grammar; pydicom lists the units that a context group names
    ("/mm", "UCUM"),
    ("[hnsf'U]2", "UCUM"),
    ("[hnsf'U].mm3", "UCUM"),
    ("[hnsf'U]2.mm3", "UCUM"),
    ("{0:1}", "UCUM"),
    ("{voxels}", "UCUM"),
    ("{features}", "UCUM"),
    ("{logit}", "UCUM"),
    ("{SD}", "UCUM"),
    # a language tag of IETF RFC 5646
    ("en-US", "RFC5646"),
    # permanent identifiers of the IBSI manual (arXiv:1612.07003, section 3.3) that DICOM has not listed
    ("QG58", "IBSI"),
    ("8DWT", "IBSI"),
    ("SALO", "IBSI"),
    ("84IY", "IBSI"),
    ("Q4LE", "IBSI"),
    ("4FUA", "IBSI"),
    ("Y12H", "IBSI"),
    ("1GSF", "IBSI"),
    ("2OJQ", "IBSI"),
    ("1128", "IBSI"),
    ("KE2A", "IBSI"),
    ("ECT3", "IBSI"),
    ("IPH6", "IBSI"),
    ("N72L", "IBSI"),
    ("7TET", "IBSI"),
    ("9S40", "IBSI"),
    ("N8CA", "IBSI"),
    ("5ZWQ", "IBSI"),
    # the same of its sections 3.2, 3.5 and 3.6.1
    ("VJGA", "IBSI"),
    ("0F91", "IBSI"),
    ("BC2M", "IBSI"),
    ("GBPN", "IBSI"),
    ("DDTU", "IBSI"),
    ("CNV2", "IBSI"),
    *((code, "IBSI") for code in ["BTW3", "SUJT", "JJUI", "ZW7Z", "ITBB", "IAZD", "8QNN", "62GR", "KOBO"]),
}


def test_every_standard_code_has_the_meaning_that_the_standard_gives_it() -> None:
    standard = [code for code in all_codes() if code.scheme != PRIVATE_SCHEME]
    wrong = [code for code in standard if meanings(code) and code.meaning not in meanings(code)]
    # CID 7460 says "millimeter"; pydicom knows "mm" from elsewhere and keeps one meaning for each code
    assert wrong == [MM]


def test_every_standard_code_is_known_or_listed_with_the_reason_why_not() -> None:
    standard = {code for code in all_codes() if code.scheme != PRIVATE_SCHEME}
    assert {(code.value, code.scheme) for code in standard if not meanings(code)} == ABSENT_FROM_PYDICOM


def test_no_two_concepts_share_a_code() -> None:
    codes = all_codes()
    assert len({(code.value, code.scheme) for code in codes}) == len(codes)


def test_the_private_scheme_has_the_derived_uid() -> None:
    assert derived_uid("coding scheme") == PRIVATE_SCHEME_UID


@pytest.mark.parametrize(("value", "meaning"), [("", "x"), ("x" * 17, "x"), ("x", ""), ("x", "x" * 65)])
def test_a_code_that_does_not_fit_its_vr_is_refused(value: str, meaning: str) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Code(value, "DCM", meaning)
