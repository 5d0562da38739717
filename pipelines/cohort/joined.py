"""One record of a patient from two sources: the cohort's table, and what the node knows of the treatment."""

from dataclasses import dataclass, replace
from typing import Final

from pipelines.cohort.dictionary import Value
from pipelines.cohort.members import AGENTS, START, Member
from pipelines.domain.agents import inhibitors
from pipelines.domain.clinical import ClinicalData
from pipelines.domain.reasons import Rejected
from pipelines.domain.responses import OverallResponse

_RESPONSES: Final = {
    OverallResponse.CR: "responder",
    OverallResponse.PR: "responder",
    OverallResponse.SD: "non-responder",
    OverallResponse.PD: "non-responder",
}
_SOURCES: Final = {
    "agent": "the patient's clinical data",
    START: "the patient's clinical data",
    "response": "the node's assessment of the scans",
    "response_class": "the node's assessment of the scans",
}


@dataclass(frozen=True, slots=True)
class Joined:
    """A patient after both sources were brought together.

    Attributes
    ----------
    member
        With what the cohort's table leaves open filled in.
    filled
        Columns that came from the node.
    disagreed
        Columns in which both say something, and not the same: that of the cohort's table holds.
    """

    member: Member
    filled: tuple[str, ...]
    disagreed: tuple[str, ...]


def joined(member: Member, clinical: ClinicalData, best: OverallResponse | None) -> Joined:
    """Fill in treatment and response where the cohort's table is silent.

    Parameters
    ----------
    clinical
        What was entered about the patient. A first dose of which the day is not known fills in nothing, and contradicts
        only a day outside the time in which it lies.
    best
        Best overall response by the node's own assessment; None when there is none.
    """
    found: dict[str, Value] = {}
    disagreed = []
    names = _agents(clinical)
    agent = member.word("agent")
    if agent is None and names:
        found["agent"] = names[0] if names[0] in AGENTS else "other"
    elif names and agent not in names and not (agent == "other" and names[0] not in AGENTS):
        disagreed.append("agent")
    start, given = clinical.start, member.day(START)
    if start is not None and given is None and start.complete:
        found[START] = start.earliest
    elif start is not None and given is not None and not start.earliest <= given <= start.latest:
        disagreed.append(START)
    if best is not None and best in _RESPONSES:
        response, side = member.word("response"), member.word("response_class")
        if member.outcome is None:
            found["response"] = best.name
        elif response in (None, "NE"):
            disagreed += ["response_class"] if side != _RESPONSES[best] else []
        elif response != best.name:
            disagreed.append("response")
    return Joined(replace(member, values={**member.values, **found}), tuple(found), tuple(disagreed))


def disagreement(where: str, column: str) -> Rejected:
    """That a cell and the node say different things; neither is repeated, for it may be in the wrong column.

    Parameters
    ----------
    where
        The row, or the patient as `pulmonode cohort list` names them.
    """
    return Rejected(
        "COH-010",
        f"{where}, column `{column}`, is not what {_SOURCES[column]} says; the cohort's table holds.",
        "Find out which is right, and correct the other.",
    )


def _agents(clinical: ClinicalData) -> tuple[str, ...]:
    """Inhibitors of the first line that has one."""
    return next((tuple(a.name for a in found) for line in clinical.lines if (found := inhibitors(line.agents))), ())
