"""Decisions in a Structured Report of a reader (TID 1500): who looked at which lesion and what they made of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset

from pipelines.domain import coding as words
from pipelines.domain import response_codes as codes
from pipelines.domain.coding import Code
from pipelines.domain.identifiers import StudyUID, is_uid
from pipelines.domain.natures import nature_of
from pipelines.domain.readings import STABLE, Decision, Question, TrackingUID
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import LesionRole, NewLesionCall, NonTargetCall

_PERSON: Final = ("121006", "DCM")
_DEEPEST: Final = 16

_DECISIONS: Final = {
    (codes.TARGET_AT_BASELINE.value, "DCM"): (Question.ROLE, LesionRole.TARGET.value),
    (codes.NON_TARGET_AT_BASELINE.value, "DCM"): (Question.ROLE, LesionRole.NON_TARGET.value),
    # Non-Lesion at Baseline
    ("112076", "DCM"): (Question.ROLE, LesionRole.EXCLUDED.value),
    (codes.NON_TARGET_CR.value, "DCM"): (Question.NON_TARGET, STABLE),
    (codes.NON_TARGET_PERSISTS.value, "DCM"): (Question.NON_TARGET, STABLE),
    (codes.NON_TARGET_PD.value, "DCM"): (Question.NON_TARGET, NonTargetCall.UNEQUIVOCAL_PROGRESSION.value),
}
"""Coded values that decide, whatever they are the value of."""
_NEW: Final = {
    ("373066001", "SCT"): NewLesionCall.UNEQUIVOCAL,
    ("42425007", "SCT"): NewLesionCall.EQUIVOCAL,
    ("373067005", "SCT"): NewLesionCall.REFUTED,
}
"""Yes, Equivocal and No, as values of our own concept New lesion: DICOM has none."""
_COMPUTED: Final = frozenset(
    (code.value, code.scheme) for code in (codes.TARGET_CR, codes.TARGET_PR, codes.TARGET_SD, codes.TARGET_PD)
)
"""What follows from sizes: a reader's word on it is not taken for a decision."""


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What a report decides, and what of it could not be used (`RSP-006`)."""

    decisions: tuple[Decision, ...] = ()
    notes: tuple[Rejected, ...] = ()


def read_report(report: Dataset) -> ReadReport:
    """Read the decisions of a person in a complete report; there are none in the report of a device.

    References
    ----------
    PS3.16 TID 1500, 1411, 1419 (groups with Tracking Unique Identifier and Qualitative Evaluations), 1002 (Observer
    Type), CID 6144 (responses of lesions), 112016 Baseline Category. PS3.3 C.17.2 (completion, preliminary).
    """
    uid = str(report.get("SOPInstanceUID", ""))
    groups = list(_groups(report, 0))
    found = [(group, _decided(report, group)) for group in groups]
    said = [decision for _, (decisions, _) in found for decision in decisions]
    if not _by_a_person(report):
        return ReadReport()
    unusable = sum(missed for _, (_, missed) in found)
    notes = []
    if said and (report.get("CompletionFlag") != "COMPLETE" or report.get("PreliminaryFlag") == "PRELIMINARY"):
        return ReadReport(
            (), (_note(uid, "is partial or preliminary", "Send the report once it is complete and final."),)
        )
    if unusable:
        notes.append(
            _note(
                uid,
                f"has {unusable} evaluations of lesions that cannot be used: without a Tracking Unique Identifier, "
                "or of what is computed from sizes",
                "Have each group of measurements name its lesion (112040, DCM).",
            )
        )
    contradicted = {one.subject for one in said if any(one.subject == two.subject and one != two for two in said)}
    if contradicted:
        notes.append(
            _note(uid, f"decides {len(contradicted)} questions in two ways", "Correct the report and send it again.")
        )
    kept = tuple(one for one in dict.fromkeys(said) if one.subject not in contradicted)
    return ReadReport(kept, tuple(notes))


def _note(uid: str, what: str, remedy: str) -> Rejected:
    return Rejected("RSP-006", f"Report {uid} {what}.", remedy)


def _by_a_person(report: Dataset) -> bool:
    if report.get("VerifyingObserverSequence"):
        return True
    return any(
        _key(_code(item, "ConceptCodeSequence")) == _PERSON
        for item in report.get("ContentSequence", ())
        if _named(item, words.OBSERVER_TYPE)
    )


def _groups(container: Dataset, depth: int) -> Iterator[Dataset]:
    if depth > _DEEPEST:
        return
    for item in container.get("ContentSequence", ()):
        if item.get("ValueType") == "CONTAINER":
            if _named(item, words.MEASUREMENT_GROUP):
                yield item
            yield from _groups(item, depth + 1)


def _decided(report: Dataset, group: Dataset) -> tuple[list[Decision], int]:
    """The decisions of one group of measurements, and how many evaluations cannot be used."""
    items: Sequence[Dataset] = group.get("ContentSequence", ())
    uids = [str(item.get("UID", "")) for item in items if _named(item, words.TRACKING_UID)]
    lesion = TrackingUID(uids[0]) if len(uids) == 1 and is_uid(uids[0]) else None
    study = StudyUID(str(report.get("StudyInstanceUID", "")))
    made, missed = [], 0
    for item in items:
        if item.get("ValueType") != "CODE":
            continue
        value = _code(item, "ConceptCodeSequence")
        if _key(value) in _COMPUTED:
            missed += 1
        answer = _answer(item, value)
        if answer is not None and lesion is None:
            missed += 1
        elif answer is not None:
            made.append(Decision(answer[0], study, lesion, answer[1]))
    return made, missed


def _answer(item: Dataset, value: Code | None) -> tuple[Question, str] | None:
    if value is None:
        return None
    known = _DECISIONS.get((value.value, value.scheme))
    if known is not None:
        return known
    if _named(item, codes.NEW_LESION):
        call = _NEW.get((value.value, value.scheme))
        return None if call is None else (Question.NEW_LESION, call.value)
    if _named(item, words.FINDING):
        nature = nature_of(value)
        return None if nature is None else (Question.NATURE, nature.value)
    return None


def _named(item: Dataset, name: Code) -> bool:
    return _key(_code(item, "ConceptNameCodeSequence")) == (name.value, name.scheme)


def _key(code: Code | None) -> tuple[str, str] | None:
    return None if code is None else (code.value, code.scheme)


def _code(item: Dataset, keyword: str) -> Code | None:
    sequence = item.get(keyword)
    if not sequence:
        return None
    try:
        return Code(
            str(sequence[0].get("CodeValue", "")),
            str(sequence[0].get("CodingSchemeDesignator", "")),
            str(sequence[0].get("CodeMeaning", ""))[:64],
        )
    except ValueError:
        # longer than this project's codes are, so it is none of them
        return None
