"""Write down what people know of patients and decide about them, and have the assessment made again."""

from collections.abc import Mapping, Sequence
from typing import Final

from node.following import ClinicalBook, DecisionBook, EntrySource, Origin, Reassessor
from node.logs import Log
from node.ports import Clock
from pipelines.domain.clinical import Key, PatientKey
from pipelines.domain.identifiers import CaseId
from pipelines.domain.readings import Decision, Source, in_force

_LONGEST_NAME: Final = 64


class Recorder:
    """The use case behind the commands, the HTTP API and the reports of readers.

    What is logged are numbers of cases and counts: not even the digest of a patient's ID, which who knows the ID can
    make as well.
    """

    def __init__(
        self, clinical: ClinicalBook, readings: DecisionBook, reassessor: Reassessor, clock: Clock, log: Log
    ) -> None:
        self._clinical = clinical
        self._readings = readings
        self._reassessor = reassessor
        self._clock = clock
        self._log = log

    def enter(
        self, by_patient: Mapping[PatientKey, Mapping[Key, str]], source: EntrySource, *, who: str
    ) -> Sequence[PatientKey]:
        """Record clinical data, all or none; the patients of whom something changed."""
        changed = self._clinical.record(by_patient, source, Origin(who[:_LONGEST_NAME], self._clock()))
        for patient in changed:
            self._reassessor.reassess(patient)
        self._log.info("clinical_data_entered", patients=len(by_patient), changed=len(changed), way=source.value)
        return changed

    def decide(
        self, case: CaseId, decisions: Sequence[Decision], source: Source, *, who: str, reason: str
    ) -> Sequence[int]:
        """Record decisions about the lesions of a case; the number of each.

        Raises
        ------
        KeyError
            If there is no such case.
        """
        about = self._readings.case_read(case)
        if about is None:
            raise KeyError(case)
        origin = Origin(who[:_LONGEST_NAME], self._clock(), reason)
        numbers = self._readings.decide(about.patient, decisions, source, origin, case=case)
        self._reassessor.reassess(about.patient)
        self._log.info("decided", case=case, decisions=len(numbers), way=source.value)
        return numbers

    def undo(self, case: CaseId, number: int | None, *, who: str, reason: str) -> int | None:
        """Take back a decision about the patient of a case; its number, None when there is none that stands.

        Parameters
        ----------
        number
            None for the last one that stands.

        Raises
        ------
        KeyError
            If there is no such case.
        """
        about = self._readings.case_read(case)
        if about is None:
            raise KeyError(case)
        if number is None:
            number = max((one.number for one in in_force(self._readings.readings(about.patient))), default=None)
        origin = Origin(who[:_LONGEST_NAME], self._clock(), reason)
        if number is None or not self._readings.undo(about.patient, number, origin):
            return None
        self._reassessor.reassess(about.patient)
        self._log.info("decision_taken_back", case=case, decision=number)
        return number
