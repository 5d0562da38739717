"""What is known of a patient's treatment and fate, put together from single entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NewType

from pipelines.domain.agents import inhibitors
from pipelines.domain.identifiers import digest_of
from pipelines.domain.organs import Organ
from pipelines.domain.progression import Course, Stop
from pipelines.domain.scan_date import ScanDate

PatientKey = NewType("PatientKey", str)
"""Digest of Patient ID and Issuer of Patient ID: what the ledger knows a patient by."""


def patient_key(patient_id: str, issuer: str = "") -> PatientKey:
    """The key of a patient, as the headers of their images give it.

    Examples
    --------
    >>> patient_key("4711 ") == patient_key("4711")
    True
    """
    return PatientKey(digest_of(patient_id.strip(), issuer.strip()))


class LocalTherapyKind(StrEnum):
    """Treatment of single lesions."""

    RADIOTHERAPY = "radiotherapy"
    SURGERY = "surgery"
    ABLATION = "ablation"
    EMBOLISATION = "embolisation"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class TherapyLine:
    """A line of systemic treatment; lines are counted from 1."""

    number: int
    regimen: str = ""
    agents: tuple[str, ...] = ()
    start: ScanDate | None = None
    end: ScanDate | None = None


@dataclass(frozen=True, slots=True)
class LocalTherapy:
    """A local treatment; None where something is not known."""

    number: int
    on: ScanDate | None = None
    kind: LocalTherapyKind | None = None
    site: Organ | None = None


@dataclass(frozen=True, slots=True)
class ClinicalData:
    """All that was entered about one patient; None is unknown and never means no.

    Attributes
    ----------
    baseline_sites
        Organs with metastases at baseline; an empty set when it is known that there were none.
    """

    lines: tuple[TherapyLine, ...] = ()
    local_therapies: tuple[LocalTherapy, ...] = ()
    ici_start: ScanDate | None = None
    ici_last_dose: ScanDate | None = None
    ici_ongoing: bool | None = None
    ici_stopped_for: Stop | None = None
    rapid_progression: bool | None = None
    second_progression: ScanDate | None = None
    death: ScanDate | None = None
    last_contact: ScanDate | None = None
    baseline_sites: frozenset[Organ] | None = None
    data_cut: date | None = None

    @property
    def start(self) -> ScanDate | None:
        """First dose of an immune checkpoint inhibitor: as entered, else of the first line that has one."""
        if self.ici_start is not None:
            return self.ici_start
        return next((line.start for line in self.lines if inhibitors(line.agents)), None)

    @property
    def next_line(self) -> TherapyLine | None:
        """The first line that certainly began after the inhibitor."""
        start = self.start
        if start is None:
            return None
        return next((one for one in self.lines if one.start is not None and one.start.earliest > start.latest), None)

    @property
    def ongoing(self) -> bool | None:
        """Whether the inhibitor is still given; a last dose or a reason to stop say that it is not."""
        ended = self.ici_last_dose is not None or self.ici_stopped_for is not None
        return False if self.ici_ongoing is None and ended else self.ici_ongoing

    @property
    def course(self) -> Course:
        """As an assessment needs it."""
        following = self.next_line
        return Course(
            start=self.start,
            last_dose=self.ici_last_dose,
            ongoing=self.ongoing,
            stopped_for=self.ici_stopped_for,
            rapid=bool(self.rapid_progression),
            second_line=None if following is None else following.start,
            second_progression=self.second_progression,
            death=self.death,
            last_contact=self.last_contact,
            data_cut=self.data_cut,
        )


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which entry: a name of the data dictionary, and for what may come several times the number from 1, else 0."""

    name: str
    number: int = 0


Entries = Mapping[Key, str]
"""What was entered, each as `clinical_fields.parse_value` writes it; an empty text takes an entry back."""
