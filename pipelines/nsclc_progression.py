"""Follow the lesions of non-small cell lung cancer from scan to scan: response, progression pattern, resistance.

Huang et al. 2025: patterns of progression and resistance under immune checkpoint inhibitors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import metadata
from typing import Final

from pydicom import Dataset

from pipelines.domain.assessment import Assessment
from pipelines.domain.case import Case, Lesion, Method
from pipelines.domain.history import DocumentRef, Scan, canonical
from pipelines.domain.identifiers import FrameOfReferenceUID, SopInstanceUID, StudyUID, digest_of
from pipelines.domain.identity import Followed, Gates
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.progression import Course
from pipelines.domain.readings import Reading, identities
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import LesionId, RecistRules
from pipelines.domain.scan_date import ScanDate
from pipelines.imaging.diameter import diameters
from pipelines.imaging.registration import Rigid
from pipelines.outputs.page.settings import PageSettings
from pipelines.outputs.response_check import check_response
from pipelines.outputs.response_report import ResponseFindings, notes_of, response_lines, response_report
from pipelines.response.assess import RuleSet, assess
from pipelines.response.drawn import drawn_at
from pipelines.response.history import (
    Visit,
    as_of,
    followed_over,
    named_anew,
    names_of,
    read_at,
    set_apart,
    with_natures,
)
from pipelines.response.sightings import sighted

NAME: Final = "nsclc-progression"
# the middle of a breath-hold series and the day of the study hardly ever differ; what tells of the images goes first
_DATES: Final = ("AcquisitionDate", "ContentDate", "SeriesDate", "StudyDate")


@dataclass(frozen=True, slots=True)
class Progression:
    """The pipeline, set up.

    Attributes
    ----------
    version
        Changes with the distribution, and the UIDs of the reports with it.
    """

    rules: RuleSet = field(default_factory=RuleSet)
    gates: Gates = field(default_factory=Gates)
    version: str = field(default_factory=lambda: metadata.version("pulmonode"))

    @property
    def method(self) -> Method:
        """The rules as the report names them."""
        recist, pattern, resistance = self.rules.recist, self.rules.pattern, self.rules.resistance
        return Method(
            pipeline=NAME,
            pipeline_version=self.version,
            profile=f"{recist.name} version {recist.version}",
            settings_digest=digest_of(canonical(self.rules), canonical(self.gates)),
            settings=(
                ("response", f"{recist.name} version {recist.version}"),
                ("pattern", f"{pattern.name} version {pattern.version}, at most {pattern.most_lesions} lesions"),
                ("resistance", f"{resistance.name} version {resistance.version}, {resistance.source}"),
                ("options", _options(recist)),
            ),
            software=(),
        )


def _options(rules: RecistRules) -> str:
    """What was chosen otherwise than is the rule."""
    usual = RecistRules()
    chosen = [
        f"{one.name} {getattr(rules, one.name)}"
        for one in fields(rules)
        if getattr(rules, one.name) != getattr(usual, one.name)
    ]
    return ", ".join(chosen) or "all as delivered"


@dataclass(frozen=True, slots=True)
class Told:
    """What the rules say at one visit, with how the lesions were known.

    Attributes
    ----------
    digest
        SHA-256 over all that it follows from.
    sources
        By label of the visit the archive that its scan was fetched from; none where it was sent.
    visits
        Up to this one.
    """

    label: str
    assessment: Assessment
    followed: Followed
    names: Mapping[LesionId, str]
    decided_by: str
    digest: str
    sources: Mapping[str, str] = field(default_factory=dict)
    visits: tuple[Visit, ...] = ()


def scan_of(case: Case) -> Scan | Rejected:
    """Measure the lesions of a case for the comparison with others; `RSP-002` when the CT bears no date."""
    scanned_on = scan_date(case.header)
    if scanned_on is None:
        return Rejected(
            "RSP-002",
            "The CT bears no date, so that it has no place among the patient's scans.",
            "Correct the study date in the sending system and send the CT and the segmentation again.",
        )
    measured = {lesion.number: diameters(lesion.mask, case.ct.grid) for lesion in case.lesions}
    seen = sighted(case, measured, label=str(scanned_on), scanned_on=scanned_on, slice_mm=_thickness(case.header))
    return Scan(
        scanned_on,
        case.ct_key,
        case.segmentation.sop_instance,
        FrameOfReferenceUID(str(case.header.get("FrameOfReferenceUID", ""))),
        seen.sightings,
        seen.extent,
        case.inputs_digest,
    )


def scan_date(header: Dataset) -> ScanDate | None:
    """The day of a CT, from the first of its dates that is one."""
    for keyword in _DATES:
        try:
            return ScanDate.parse(str(header.get(keyword, "")))
        except ValueError:
            continue
    return None


def _thickness(header: Dataset) -> float | None:
    thickness = header.get("SliceThickness")
    return float(thickness) if thickness else None


def tell(
    visits: Sequence[Visit],
    places: Mapping[str, Rigid],
    readings: Sequence[Reading],
    course: Course,
    pipeline: Progression,
    *,
    later: frozenset[StudyUID] = frozenset(),
    sources: Mapping[str, str] | None = None,
) -> Told | Rejected:
    """Assess a patient at the last of `visits`, from these and nothing later.

    Parameters
    ----------
    visits
        From the baseline on, in order.
    places
        By name of the scan: lays its CT on that of the first scan. A scan without one is compared by names alone.
    readings
        What readers decided, also what they took back.
    later
        Studies of later visits; what was decided about these does not count yet.
    sources
        By label of the visit the archive that its scan was fetched from, where it was not sent.
    """
    fetched = {visit.label: (sources or {})[visit.label] for visit in visits if visit.label in (sources or {})}
    same, different = identities(one for one in readings if one.decision.study not in later)
    seen = set_apart(named_anew(visits, same), different)
    followed = followed_over(seen, places, gates=pipeline.gates)
    if isinstance(followed, Rejected):
        return followed
    said = read_at(seen, followed, readings, later=later)
    followed = replace(
        followed,
        time_points=with_natures(followed.time_points, said.natures),
        notes=(*followed.notes, *said.notes),
    )
    known = as_of(course, visits[-1].scans[-1][1].scanned_on.latest)
    assessment = assess(followed.time_points, said.decisions, known, pipeline.rules)
    if isinstance(assessment, Rejected):
        return assessment
    scans = {name: scan.digest for visit in visits for name, scan in visit.scans}
    digest = digest_of(
        NAME,
        pipeline.version,
        pipeline.method.settings_digest,
        canonical(scans),
        canonical({name: place for name, place in places.items() if name in scans}),
        canonical((said.decisions, said.natures, same, different, said.notes)),
        canonical(known),
        canonical(fetched),
    )
    names = names_of(seen, followed)
    return Told(visits[-1].label, assessment, followed, names, said.decisions.decided_by, digest, fetched, tuple(seen))


def shown_visits(told: Told) -> tuple[str, ...]:
    """Labels of the visits of which the page shows pictures."""
    from pipelines.outputs.response_page.pictures import shown_labels

    return shown_labels(told.assessment, told.followed)


def report_digest(told: Told, scan: Scan, priors: Sequence[DocumentRef]) -> str:
    """SHA-256 over all that the report on `scan` says, but for the version that it replaces."""
    return digest_of(told.digest, scan.digest, *(one.sop_instance for one in priors))


@dataclass(frozen=True, slots=True)
class Written:
    """The report of a visit, and what it says in lines for a terminal."""

    report: ResultObject
    lines: tuple[str, ...]
    notes: tuple[Rejected, ...]
    pages: tuple[ResultObject, ...] = ()


def _drawn(told: Told, case: Case) -> dict[LesionId, Lesion]:
    """The segments of the visit's case that its lesions were measured on."""
    by_uid = {lesion.tracking_uid: lesion for lesion in case.lesions}
    visits = [visit for visit in told.visits if visit.label == told.label]
    found = {}
    for visit in visits:
        for point in told.followed.time_points[-1].observations:
            seen = drawn_at(told.followed, visit, point.lesion)
            if seen and seen[0].own_uid in by_uid:
                found[point.lesion] = by_uid[seen[0].own_uid]
    return found


def write_report(
    case: Case,
    told: Told,
    pipeline: Progression,
    producer: Producer,
    *,
    priors: Sequence[DocumentRef] = (),
    predecessor: DocumentRef | None = None,
    page: PageSettings | None = None,
    cases: Mapping[SopInstanceUID, Case] | None = None,
) -> Written | Rejected:
    """Write and check the report of a visit; the same arguments give the same bytes.

    Parameters
    ----------
    case
        The segmented CT that the report goes with.
    priors
        Segmentations and reports of the visits before.
    predecessor
        The version of this report that it replaces.
    page
        Form and language of the page; None for no page.
    cases
        By segmentation: what the pictures of the page are taken from.
    """
    before = "" if predecessor is None else predecessor.sop_instance
    findings = ResponseFindings(
        case,
        told.label,
        told.assessment,
        told.followed,
        told.names,
        told.decided_by,
        pipeline.method,
        digest_of(told.digest, case.inputs_digest, *(one.sop_instance for one in priors), "replaces", before),
        tuple(priors),
        predecessor,
        told.sources,
        _drawn(told, case),
    )
    made = response_report(findings, producer)
    fault = check_response(made, findings)
    if fault is not None:
        return fault
    pages: list[ResultObject] = []
    notes = list(notes_of(findings))
    if page is not None:
        # the libraries that draw take their time to load, and a worker may never be asked for a page
        from pipelines.outputs.response_page.objects import response_pages

        for drawn in response_pages(findings, told.visits, cases or {}, producer, settings=page):
            # a page that is wrong does not keep the report back
            if isinstance(drawn, Rejected):
                notes.append(drawn)
            else:
                pages.append(drawn)
    return Written(made, response_lines(findings), tuple(notes), tuple(pages))
