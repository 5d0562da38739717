"""Clinical data in FHIR R4 bundles: what is understood of treatment and fate, and a list of all that is not."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.clinical.fhir_codes import local_therapy, metastasis_site, organ_treated
from pipelines.domain.agents import Agent, agent_coded, agent_named
from pipelines.domain.clinical import Key, PatientKey, patient_key
from pipelines.domain.clinical_fields import MOST_REPEATED
from pipelines.domain.scan_date import ScanDate

_READ: Final = ("Patient", "MedicationAdministration", "MedicationStatement", "MedicationRequest", "Procedure")
_ALSO: Final = ("Condition", "Observation", "Medication")
_GIVEN: Final = frozenset({"completed", "in-progress", "stopped", "on-hold", "active"})
_NOT_GIVEN: Final = frozenset({"not-done", "entered-in-error", "not-taken", "preparation", "intended"})
_RECORD_NUMBER: Final = "MR"
"""Type of an identifier that is the number of a hospital's records (HL7 table 0203)."""
_SEEN_ALIVE: Final = frozenset({"vital-signs", "exam", "survey"})
"""Categories of observations that are made with the patient there; a specimen may be examined after death."""


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A resource, or a part of one, that nothing was taken from.

    Attributes
    ----------
    resource
        Its type and its place in the bundle from 1: ids of resources may be those of patients.
    """

    resource: str
    why: str

    def __str__(self) -> str:
        return f"{self.resource}: {self.why}"


@dataclass(frozen=True, slots=True)
class LocalTreatment:
    """A local treatment before it has a number."""

    on: str
    kind: str
    site: str


@dataclass(frozen=True, slots=True)
class BundlePatient:
    """What a bundle says of one patient."""

    patient: PatientKey
    entries: Mapping[Key, str]
    treatments: tuple[LocalTreatment, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadBundle:
    """The patients of a bundle, and what was not understood."""

    patients: tuple[BundlePatient, ...] = ()
    left: tuple[NotUnderstood, ...] = ()


@dataclass(slots=True)
class _Found:
    key: PatientKey
    death: list[str] = field(default_factory=list)
    doses: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    alive: list[str] = field(default_factory=list)
    treatments: list[LocalTreatment] = field(default_factory=list)
    metastases: list[tuple[str, str, str]] = field(default_factory=list)
    """(resource, date, organ)"""


class _NotRead(Exception):
    """A resource cannot be used; the message says why without quoting it."""


def read_bundle(data: bytes, *, issuer: str = "", identifier_system: str | None = None) -> ReadBundle:
    """Read a bundle of FHIR R4 (a resource alone counts as a bundle of one).

    Parameters
    ----------
    issuer
        Issuer of Patient ID of the patients, where their images name one.
    identifier_system
        System of the identifier that is the Patient ID of DICOM; else it is the only one, or the only one of type MR.

    References
    ----------
    HL7 FHIR R4 (4.0.1) and R4B (4.3.0), in which the resources read here are alike.
    """
    try:
        top = json.loads(data)
    except (ValueError, RecursionError):
        return ReadBundle(left=(NotUnderstood("file", "it is no JSON"),))
    resources, left = _resources(top)
    found: dict[str, _Found] = {}
    for name, url, resource in resources:
        if resource["resourceType"] == "Patient":
            try:
                person = _Found(_key(resource, issuer, identifier_system))
            except _NotRead as fault:
                left.append(NotUnderstood(name, str(fault)))
                continue
            left += _fate(name, resource, person)
            found |= {reference: person for reference in (url, f"Patient/{resource.get('id', '')}") if reference}
    medications = {
        reference: resource
        for _, url, resource in resources
        if resource["resourceType"] == "Medication"
        for reference in (url, f"Medication/{resource.get('id', '')}")
        if reference
    }
    for name, _, resource in resources:
        if resource["resourceType"] not in ("Patient", "Medication"):
            try:
                _take(name, resource, found, medications)
            except _NotRead as fault:
                left.append(NotUnderstood(name, str(fault)))
    people = {id(person): person for person in found.values()}.values()
    patients = []
    for person in people:
        entries, more = _entries(person)
        left += more
        patients.append(BundlePatient(person.key, entries, tuple(sorted(set(person.treatments), key=_order))))
    return ReadBundle(tuple(patients), tuple(left))


def numbered(treatments: Sequence[LocalTreatment], held: Mapping[Key, str]) -> tuple[dict[Key, str], int]:
    """Local treatments as entries with numbers that are free, and how many found none; known ones are left out."""
    known = {
        tuple(held.get(Key(f"local_{name}", number), "") for name in ("date", "kind", "site"))
        for number in range(1, MOST_REPEATED + 1)
    }
    taken = {key.number for key in held if key.name.startswith("local_")}
    free = iter(number for number in range(1, MOST_REPEATED + 1) if number not in taken)
    entries: dict[Key, str] = {}
    missed = 0
    for one in treatments:
        if (one.on, one.kind, one.site) in known:
            continue
        number = next(free, None)
        if number is None:
            missed += 1
            continue
        entries |= {Key("local_date", number): one.on, Key("local_kind", number): one.kind}
        if one.site:
            entries[Key("local_site", number)] = one.site
    return entries, missed


def _order(one: LocalTreatment) -> tuple[str, str, str]:
    return one.on, one.kind, one.site


def _resources(top: Any) -> tuple[list[tuple[str, str, dict[str, Any]]], list[NotUnderstood]]:
    """Resources that keep to their definition, each with its name for people and its URL."""
    # seconds to import, and needed for this kind of file alone
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    if not isinstance(top, dict) or not top.get("resourceType"):
        return [], [NotUnderstood("file", "it is no FHIR resource")]
    entries = top.get("entry") or [] if top["resourceType"] == "Bundle" else [{"resource": top}]
    kept, left = [], []
    for number, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if resource is None or kind not in (*_READ, *_ALSO):
            left.append(NotUnderstood(f"entry {number}", "a kind of resource that nothing is taken from"))
            continue
        name = f"{kind} in entry {number}"
        try:
            get_fhir_model_class(kind).model_validate(resource)
        except ValidationError as fault:
            # of these messages only the place is told: the rest quotes what stands there
            places = sorted({".".join(str(part) for part in one["loc"]) for one in fault.errors()})
            left.append(NotUnderstood(name, f"it breaks the definition of FHIR R4 at {', '.join(places)}"))
            continue
        kept.append((name, str(entry.get("fullUrl", "")), resource))
    return kept, left


def _key(resource: Mapping[str, Any], issuer: str, system: str | None) -> PatientKey:
    identifiers = [one for one in resource.get("identifier", ()) if one.get("value")]
    if system is not None:
        identifiers = [one for one in identifiers if one.get("system") == system]
    elif len(identifiers) > 1:
        identifiers = [one for one in identifiers if _RECORD_NUMBER in _coded(one.get("type"))]
    if len(identifiers) != 1:
        raise _NotRead("which identifier is the Patient ID cannot be told; name it by --identifier-system")
    return patient_key(identifiers[0]["value"], issuer)


def _coded(concept: Mapping[str, Any] | None) -> set[str]:
    return {str(coding.get("code", "")) for coding in (concept or {}).get("coding", ())}


def _fate(name: str, resource: Mapping[str, Any], person: _Found) -> list[NotUnderstood]:
    if resource.get("deceasedDateTime"):
        person.death.append(_day(resource["deceasedDateTime"]))
    elif resource.get("deceasedBoolean"):
        return [NotUnderstood(name, "the patient has died, and when is not told")]
    return []


def _take(
    name: str,
    resource: Mapping[str, Any],
    found: Mapping[str, _Found],
    medications: Mapping[str, Mapping[str, Any]],
) -> None:
    person = found.get(str(resource.get("subject", {}).get("reference", "")))
    if person is None:
        raise _NotRead("its patient is not in the bundle")
    match resource["resourceType"]:
        case "MedicationAdministration" | "MedicationStatement" | "MedicationRequest":
            _medication(resource, person, medications)
        case "Procedure":
            _procedure(resource, person)
        case "Condition":
            _condition(name, resource, person)
        case "Observation":
            _observation(resource, person)


def _medication(resource: Mapping[str, Any], person: _Found, medications: Mapping[str, Mapping[str, Any]]) -> None:
    concept = resource.get("medicationCodeableConcept")
    if concept is None:
        reference = str(resource.get("medicationReference", {}).get("reference", ""))
        contained = {f"#{one.get('id')}": one for one in resource.get("contained", ())}
        named = contained.get(reference) or medications.get(reference)
        if named is None:
            raise _NotRead("its medicine is not in the bundle")
        concept = named.get("code") or {}
    if _agent(concept) is None:
        raise _NotRead("its medicine is no PD-1 or PD-L1 inhibitor of the table")
    kind, status = resource["resourceType"], str(resource.get("status", ""))
    if kind == "MedicationRequest":
        raise _NotRead("a prescription is no dose; enter the first dose by hand if no other record has it")
    if status in _NOT_GIVEN:
        return
    if status not in _GIVEN:
        raise _NotRead("its status does not say that the medicine was given")
    period = resource.get("effectivePeriod") or {}
    begun = resource.get("effectiveDateTime") or period.get("start")
    if not begun:
        raise _NotRead("it has no date")
    person.doses.append(_day(begun))
    if kind == "MedicationAdministration":
        person.alive.append(_day(begun))
    elif status in ("completed", "stopped") and period.get("end"):
        person.ends.append(_day(period["end"]))


def _agent(concept: Mapping[str, Any]) -> Agent | None:
    codings = concept.get("coding", ())
    for coding in codings:
        known = agent_coded(str(coding.get("system", "")), str(coding.get("code", "")))
        if known is not None:
            return known
    texts = [concept.get("text"), *(coding.get("display") for coding in codings)]
    return next((agent for text in texts if text and (agent := agent_named(text))), None)


def _procedure(resource: Mapping[str, Any], person: _Found) -> None:
    if resource.get("status") in _NOT_GIVEN:
        return
    if resource.get("status") not in ("completed", "in-progress", "stopped"):
        raise _NotRead("its status does not say that it was done")
    kind = local_therapy(_words(resource.get("code")), _words(resource.get("category")))
    if kind is None:
        raise _NotRead("it is no local treatment of the table")
    when = resource.get("performedDateTime") or (resource.get("performedPeriod") or {}).get("start")
    if not when:
        raise _NotRead("it has no date")
    person.alive.append(_day(when))
    sites = [site for concept in resource.get("bodySite", ()) if (site := organ_treated(_words(concept)))]
    person.treatments.append(LocalTreatment(_day(when), kind, sites[0] if sites else ""))


def _condition(name: str, resource: Mapping[str, Any], person: _Found) -> None:
    if "entered-in-error" in _coded(resource.get("verificationStatus")) or "refuted" in _coded(
        resource.get("verificationStatus")
    ):
        return
    site = metastasis_site(_words(resource.get("code")))
    if site is None:
        raise _NotRead("it is no metastasis of the table")
    when = resource.get("onsetDateTime") or resource.get("recordedDate")
    if not when:
        raise _NotRead("a metastasis without a date: whether it was there at baseline cannot be told")
    person.metastases.append((name, _day(when), site))


def _observation(resource: Mapping[str, Any], person: _Found) -> None:
    categories = {code for concept in resource.get("category", ()) for code in _coded(concept)}
    if not categories & _SEEN_ALIVE or resource.get("status") not in ("final", "amended", "corrected"):
        raise _NotRead("it does not show that the patient was there")
    when = resource.get("effectiveDateTime") or (resource.get("effectivePeriod") or {}).get("start")
    if not when:
        raise _NotRead("it has no date")
    person.alive.append(_day(when))


def _words(concept: Mapping[str, Any] | None) -> tuple[tuple[str, str, str], ...]:
    """(system, code, display) of a concept; its text stands alone."""
    if not concept:
        return ()
    codings = (
        (str(one.get("system", "")), str(one.get("code", "")), str(one.get("display", "")))
        for one in concept.get("coding", ())
    )
    text = str(concept.get("text", ""))
    return (*codings, *((("", "", text),) if text else ()))


def _day(text: str) -> str:
    """The date of a FHIR dateTime, which may lack day and month."""
    day = str(text)[:10]
    try:
        ScanDate.parse(day)
    except ValueError:
        raise _NotRead("its date cannot be read") from None
    return day


def _entries(person: _Found) -> tuple[dict[Key, str], list[NotUnderstood]]:
    entries: dict[Key, str] = {}
    left = []
    if person.doses:
        entries[Key("ici_start")] = _first(person.doses)
    if person.ends:
        last = _last(person.ends)
        # a later dose than the end of a period is of a treatment that went on
        if not any(ScanDate.parse(dose).latest > ScanDate.parse(last).latest for dose in person.doses):
            entries[Key("ici_last_dose")] = last
    if person.death:
        entries[Key("death")] = person.death[0]
    if person.alive:
        last = _last(person.alive)
        if person.death and ScanDate.parse(person.death[0]).latest < ScanDate.parse(last).earliest:
            left.append(NotUnderstood("a patient", "a record is dated after the death"))
        else:
            entries[Key("last_contact")] = last
    start = entries.get(Key("ici_start"))
    sites = set()
    for name, day, site in person.metastases:
        if start is None or ScanDate.parse(day).latest > ScanDate.parse(start).latest:
            left.append(NotUnderstood(name, "a metastasis that was not certainly there at the first dose"))
        else:
            sites.add(site)
    if sites:
        entries[Key("baseline_sites")] = ";".join(sorted(sites))
    return entries, left


def _first(days: Sequence[str]) -> str:
    return min(days, key=lambda day: ScanDate.parse(day).earliest)


def _last(days: Sequence[str]) -> str:
    return max(days, key=lambda day: ScanDate.parse(day).latest)
