"""Follow the lesions of non-small cell lung cancer from scan to scan: response, progression pattern, resistance.

Huang et al. 2025: patterns of progression and resistance under immune checkpoint inhibitors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Final

from pydicom import Dataset

from pipelines.domain.assessment import Assessment
from pipelines.domain.case import Case, Method
from pipelines.domain.history import DocumentRef, Scan, canonical
from pipelines.domain.identifiers import FrameOfReferenceUID, digest_of
from pipelines.domain.identity import Followed, Gates
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.progression import Course
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import Decisions, LesionId
from pipelines.domain.scan_date import ScanDate
from pipelines.imaging.diameter import diameters
from pipelines.imaging.registration import Rigid
from pipelines.outputs.response_check import check_response
from pipelines.outputs.response_report import ResponseFindings, response_report
from pipelines.response.assess import RuleSet, assess
from pipelines.response.history import Visit, as_of, followed_over, in_terms_of, names_of
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


def _options(rules: object) -> str:
    return canonical(rules)


@dataclass(frozen=True, slots=True)
class Told:
    """What the rules say at one visit, with how the lesions were known.

    Attributes
    ----------
    digest
        SHA-256 over all that it follows from.
    """

    label: str
    assessment: Assessment
    followed: Followed
    names: Mapping[LesionId, str]
    decided_by: str
    digest: str


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
    decisions: Decisions,
    course: Course,
    pipeline: Progression,
) -> Told | Rejected:
    """Assess a patient at the last of `visits`, from these and nothing later.

    Parameters
    ----------
    visits
        From the baseline on, in order.
    places
        By name of the scan: lays its CT on that of the first scan. A scan without one is compared by names alone.
    """
    followed = followed_over(visits, places, gates=pipeline.gates)
    if isinstance(followed, Rejected):
        return followed
    last = visits[-1].scans[-1][1].scanned_on.latest
    decided, known = in_terms_of(decisions, visits, followed), as_of(course, last)
    assessment = assess(followed.time_points, decided, known, pipeline.rules)
    if isinstance(assessment, Rejected):
        return assessment
    scans = [f"{name} {scan.digest}" for visit in visits for name, scan in visit.scans]
    used = {name: place for name, place in places.items() if any(name == n for v in visits for n, _ in v.scans)}
    method = pipeline.method
    digest = digest_of(
        NAME, pipeline.version, method.settings_digest, *scans, canonical(used), canonical(decided), canonical(known)
    )
    return Told(visits[-1].label, assessment, followed, names_of(visits, followed), decisions.decided_by, digest)


def write_report(
    case: Case,
    told: Told,
    pipeline: Progression,
    producer: Producer,
    *,
    priors: Sequence[DocumentRef] = (),
    predecessor: DocumentRef | None = None,
) -> ResultObject | Rejected:
    """Write and check the report of a visit; the same arguments give the same bytes.

    Parameters
    ----------
    case
        The segmented CT that the report goes with.
    priors
        Segmentations and reports of the visits before.
    predecessor
        The version of this report that it replaces.
    """
    referred = [one.sop_instance for one in (*priors, *(() if predecessor is None else (predecessor,)))]
    findings = ResponseFindings(
        case,
        told.label,
        told.assessment,
        told.followed,
        told.names,
        told.decided_by,
        pipeline.method,
        digest_of(told.digest, case.inputs_digest, *referred),
        tuple(priors),
        predecessor,
    )
    made = response_report(findings, producer)
    fault = check_response(made, findings)
    return made if fault is None else fault
