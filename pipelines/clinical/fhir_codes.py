"""What codes and words of treatment records mean: local treatments and sites of metastases."""

import re
from collections.abc import Sequence
from typing import Final

from pipelines.domain.clinical import LocalTherapyKind
from pipelines.domain.coding import Code
from pipelines.domain.organs import Organ, organ_of

Coding = tuple[str, str, str]
"""System (URI), code and display; text alone has neither of the first two."""

_SNOMED: Final = "http://snomed.info/sct"
_ICD_10: Final = re.compile(r"http://(hl7\.org/fhir/sid/icd-10(-cm|-cn)?|id\.who\.int/icd/release/10.*)")

_THERAPIES: Final = {
    "108290001": LocalTherapyKind.RADIOTHERAPY,
    "1287742003": LocalTherapyKind.RADIOTHERAPY,
    "387713003": LocalTherapyKind.SURGERY,
}
_NO_THERAPY: Final = re.compile(
    r"biops|aspirat|needle|endoscop|bronchoscop|drain|imaging|tomograph|活检|穿刺|引流|镜检", re.I
)
_THERAPY_WORDS: Final = (
    (LocalTherapyKind.EMBOLISATION, re.compile(r"emboli[sz]ation|\btace\b|栓塞", re.I)),
    (LocalTherapyKind.ABLATION, re.compile(r"ablation|cryotherapy|消融", re.I)),
    (
        LocalTherapyKind.RADIOTHERAPY,
        re.compile(
            r"radiotherap|radiation therap|radiosurg|\bs[ab]rt\b|\b(sb|im)rt\b|teletherap|irradiation|放疗|放射治疗",
            re.I,
        ),
    ),
    (
        LocalTherapyKind.SURGERY,
        re.compile(
            r"surgery|surgical|lobectom|pneumonectom|segmentectom|metastasectom|resection|excision|切除|手术", re.I
        ),
    ),
)

_METASTASES: Final = {
    "C77": Organ.LYMPH_NODE,
    "C780": Organ.LUNG,
    "C781": Organ.MEDIASTINUM,
    "C782": Organ.PLEURA,
    "C786": Organ.PERITONEUM,
    "C787": Organ.LIVER,
    "C790": Organ.KIDNEY,
    "C792": Organ.SKIN,
    "C793": Organ.BRAIN,
    "C795": Organ.BONE,
    "C797": Organ.ADRENAL,
}
"""ICD-10, secondary malignant neoplasms; the first characters decide."""
_CEREBRAL_MENINGES: Final = "C7932"
_SECONDARY: Final = re.compile(r"metasta|secondary malignant|转移", re.I)


def local_therapy(code: Sequence[Coding], category: Sequence[Coding]) -> str | None:
    """The kind of local treatment that a procedure is; None for any other procedure."""
    if any(_NO_THERAPY.search(display) for _, _, display in code):
        return None
    for system, value, display in (*code, *category):
        if system == _SNOMED and value in _THERAPIES:
            # the category says surgery of an ablation as well
            named = next((kind for kind, words in _THERAPY_WORDS for _, _, text in code if words.search(text)), None)
            return named or _THERAPIES[value]
        for kind, words in _THERAPY_WORDS:
            if words.search(display):
                return kind
    return None


def organ_treated(site: Sequence[Coding]) -> str | None:
    """The organ of a body site; None when it is none that response criteria know."""
    organ = organ_of(
        [Code(value, "SCT", (display or value)[:64]) for _, value, display in site if 0 < len(value) <= 16]
    )
    if organ is Organ.UNKNOWN:
        organ = organ_of([Code("text", "99TEXT", display[:64]) for _, _, display in site if display])
    return None if organ is Organ.UNKNOWN else organ.value


def metastasis_site(code: Sequence[Coding]) -> str | None:
    """The organ that a condition says metastases are in; None for any other condition."""
    for system, value, _ in code:
        if _ICD_10.fullmatch(system):
            plain = value.replace(".", "").upper()
            if plain == _CEREBRAL_MENINGES:
                return Organ.MENINGES.value
            found = next((organ for prefix, organ in _METASTASES.items() if plain.startswith(prefix)), None)
            if found is not None:
                return found.value
    for _, _, display in code:
        if _SECONDARY.search(display):
            # "secondary malignant neoplasm of bone": what it came from ("lung cancer metastatic to bone") is no site
            _, _, where = display.rpartition(" to ") if " to " in display else display.rpartition(" of ")
            organ = organ_of([Code("text", "99TEXT", where[:64])]) if where else Organ.UNKNOWN
            if organ is not Organ.UNKNOWN:
                return organ.value
    return None
