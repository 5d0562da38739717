"""What readers decided about a patient's lesions, one decision at a time, and what of it holds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from pipelines.domain.identifiers import CaseId, StudyUID
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import Decisions, LesionId, LesionNature, LesionRole, NewLesionCall, NonTargetCall

TrackingUID = NewType("TrackingUID", str)
"""The Tracking UID under which one case holds a lesion."""


class Question(StrEnum):
    """What a reader can decide."""

    ROLE = "role"
    NON_TARGET = "non-target"
    NEW_LESION = "new"
    NATURE = "nature"
    SAME_AS = "same-as"
    """Which lesion of another time point this is; a Tracking UID, or `different` for none of them."""
    IRRADIATED = "irradiated"
    NODE = "node"
    """Whether a node that grew to 10 mm is new disease."""
    MARKERS = "markers"
    """Whether a tumour marker is above normal at the time point."""
    BASELINE = "baseline"
    """Whether the time point is the baseline."""


_YES: Final = "yes"
NO: Final = "no"
DIFFERENT: Final = "different"
STABLE: Final = "stable"

ANSWERS: Final[Mapping[Question, tuple[str, ...]]] = {
    Question.ROLE: tuple(role.value for role in LesionRole),
    Question.NON_TARGET: (STABLE, *(call.value for call in NonTargetCall)),
    Question.NEW_LESION: tuple(call.value for call in NewLesionCall),
    Question.NATURE: tuple(nature.value for nature in LesionNature),
    Question.SAME_AS: (),
    Question.IRRADIATED: (_YES, NO),
    Question.NODE: (_YES, NO),
    Question.MARKERS: (_YES, NO),
    Question.BASELINE: (_YES, NO),
}
"""What may be answered; empty where a Tracking UID is."""


def words_of(question: Question) -> dict[str, str]:
    """What people write for each answer: one word, joined by hyphens.

    Examples
    --------
    >>> words_of(Question.NATURE)["lymphangitis"], words_of(Question.ROLE)["non-target"]
    ('lymphangitis', 'non-target')
    """
    named: dict[Question, type[StrEnum]] = {
        Question.ROLE: LesionRole,
        Question.NON_TARGET: NonTargetCall,
        Question.NEW_LESION: NewLesionCall,
        Question.NATURE: LesionNature,
    }
    words = {one.name.lower().replace("_", "-"): one.value for one in named.get(question, ())}
    return {answer: answer for answer in ANSWERS[question] if answer not in words.values()} | words


OF_THE_TIME_POINT: Final = frozenset({Question.MARKERS, Question.BASELINE})
"""Questions that concern no single lesion."""
AT_A_TIME_POINT: Final = frozenset({Question.NON_TARGET, Question.NEW_LESION, *OF_THE_TIME_POINT})
"""Questions that are answered anew at every time point; the others once for a lesion."""


class Source(StrEnum):
    """How a decision came to the node."""

    COMMAND = "command"
    HTTP = "http"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer of a reader.

    Attributes
    ----------
    study
        The study in which the reader saw it, which names the time point.
    lesion
        None where the question concerns the whole time point.
    answer
        One of `ANSWERS`.
    """

    question: Question
    study: StudyUID
    lesion: TrackingUID | None
    answer: str

    def __post_init__(self) -> None:
        if (self.lesion is None) != (self.question in OF_THE_TIME_POINT):
            raise ValueError("a decision names a lesion where the question concerns one, and only there")
        allowed = ANSWERS[self.question]
        if not self.answer or (allowed and self.answer not in allowed):
            raise ValueError("the question has no such answer")

    @property
    def subject(self) -> tuple[Question, str, str]:
        """What a later decision of the same subject takes the place of."""
        return (self.question, self.lesion or "", self.study if self.question in AT_A_TIME_POINT else "")


@dataclass(frozen=True, slots=True)
class Reading:
    """A decision as it was recorded, for good.

    Attributes
    ----------
    who
        Account or role of the reader.
    source_uid
        SOP Instance UID of the report that it came in; empty for other sources.
    case
        The case whose lesions the reader had before them; None for a report on none of the node's cases.
    undone
        Whether it was taken back.
    """

    number: int
    decision: Decision
    at: datetime
    who: str
    source: Source
    reason: str = ""
    source_uid: str = ""
    case: CaseId | None = None
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """What holds of a patient's readings, in the words that the rules use.

    Attributes
    ----------
    natures
        Of lesions that readers called something else than was taken for granted.
    same
        Pairs of Tracking UIDs that are the same lesion.
    different
        Study and Tracking UID of what is no lesion of an earlier time point, whatever registration says.
    notes
        Readings that nothing could be done with, `RSP-006`.
    """

    decisions: Decisions = field(default_factory=Decisions)
    natures: Mapping[LesionId, LesionNature] = field(default_factory=dict)
    same: tuple[tuple[TrackingUID, TrackingUID], ...] = ()
    different: tuple[tuple[StudyUID, TrackingUID], ...] = ()
    notes: tuple[Rejected, ...] = ()


def in_force(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """The last reading of each subject that was not taken back, in the order in which they were made."""
    last = {one.decision.subject: one for one in sorted(readings, key=lambda one: one.number) if not one.undone}
    return tuple(sorted(last.values(), key=lambda one: one.number))


def identities(
    readings: Iterable[Reading],
) -> tuple[tuple[tuple[TrackingUID, TrackingUID], ...], tuple[tuple[StudyUID, TrackingUID], ...]]:
    """Tracking UIDs that readers said to be the same lesion, and those, with their study, of no earlier lesion."""
    said = [one.decision for one in in_force(readings) if one.decision.question is Question.SAME_AS]
    same = tuple((one.lesion, TrackingUID(one.answer)) for one in said if one.lesion and one.answer != DIFFERENT)
    return same, tuple((one.study, one.lesion) for one in said if one.lesion and one.answer == DIFFERENT)


def read(
    readings: Sequence[Reading],
    *,
    lesion_of: Callable[[StudyUID, TrackingUID], LesionId | None] = lambda _, uid: LesionId(uid),
    label_of: Callable[[StudyUID], str | None] = str,
) -> Read:
    """What holds of a patient's readings.

    Parameters
    ----------
    lesion_of
        The lesion that a study holds under a Tracking UID, None when there is no such lesion. Lesions are known again
        only once all time points are matched; without that each Tracking UID is a lesion of its own.
    label_of
        Label of the time point that a study belongs to, None when it belongs to none.
    """
    held = in_force(readings)
    roles: dict[LesionId, LesionRole] = {}
    natures: dict[LesionId, LesionNature] = {}
    non_targets: dict[tuple[str, LesionId], NonTargetCall] = {}
    new: dict[tuple[str, LesionId], NewLesionCall] = {}
    irradiated: set[LesionId] = set()
    nodes: set[LesionId] = set()
    raised: set[str] = set()
    baseline: str | None = None
    unknown: list[int] = []
    for one in held:
        said = one.decision
        label = label_of(said.study) if said.question in AT_A_TIME_POINT else ""
        lesion = LesionId("") if said.lesion is None else lesion_of(said.study, said.lesion)
        if label is None or lesion is None:
            unknown.append(one.number)
            continue
        match said.question:
            case Question.ROLE:
                roles[lesion] = LesionRole(said.answer)
            case Question.NATURE:
                natures[lesion] = LesionNature(said.answer)
            case Question.NON_TARGET:
                non_targets.pop((label, lesion), None)
                if said.answer != STABLE:
                    non_targets[label, lesion] = NonTargetCall(said.answer)
            case Question.NEW_LESION:
                new[label, lesion] = NewLesionCall(said.answer)
            case Question.IRRADIATED:
                irradiated = irradiated - {lesion} | ({lesion} if said.answer == _YES else set())
            case Question.NODE:
                nodes = nodes - {lesion} | ({lesion} if said.answer == _YES else set())
            case Question.MARKERS:
                raised = raised - {label} | ({label} if said.answer == _YES else set())
            case Question.BASELINE:
                baseline = label if said.answer == _YES else None if baseline == label else baseline
            case Question.SAME_AS:
                pass
    same, different = identities(held)
    return Read(
        Decisions(
            baseline=baseline,
            roles=roles,
            non_targets=non_targets,
            new_lesions=new,
            irradiated=frozenset(irradiated),
            confirmed_nodes=frozenset(nodes),
            raised_markers=frozenset(raised),
            decided_by="reader" if held else "",
        ),
        natures,
        same,
        different,
        tuple(_unknown(number) for number in unknown),
    )


def _unknown(number: int) -> Rejected:
    return Rejected(
        "RSP-006",
        f"Decision {number} concerns a lesion or a study that no time point of the patient holds.",
        "Take it back, or send what it was made on.",
    )
