"""Fetch the earlier studies of a patient from an archive, as time points to compare with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Final

from pydicom import dcmread

from node.errors import TransientError
from node.logs import Log
from node.ports import Clock, PatientIdentity, QueryRetrieve, Spool
from node.priors import Prior, PriorBook, Wanting
from node.services.deliver import backoff
from node.services.prefetch import PriorStudy, find_priors
from pipelines.clinical.measured import measured_scan
from pipelines.domain.reasons import Rejected
from pipelines.imaging.damaged import READ_FAULTS

_AT_ONCE: Final = 20
_DRAWN: Final = frozenset({"SEG", "RTSTRUCT"})
_MOST_SERIES: Final = 20
"""Segmentations, or reports, of one study that are fetched."""
_OF_THE_NETWORK: Final = frozenset({"NET-001", "NET-002", "NET-005"})
_SOONEST: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back an archive is searched.

    Attributes
    ----------
    days
        Before the study of the case.
    studies
        At most, the latest first.
    reported
        True to measure and report what is fetched like any other case.
    """

    days: int
    studies: int
    reported: bool


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whose studies are looked for, and before which day; None where the case bears none."""

    patient: PatientIdentity
    day: date | None


class PriorFinder:
    """Looks after every new case, once: the archives are asked for what came before it.

    What is fetched is received like anything else. Studies with a segmentation become cases, whose CT the prefetch
    brings; of a study without one the Structured Reports are read for measurements (TID 1500). A search that failed is
    made again until `give_up_after`; what is here already is not fetched again.

    Parameters
    ----------
    peers
        Names of the peers that are asked, in this order; each study is taken from the first that has it.
    """

    def __init__(
        self,
        book: PriorBook,
        query: QueryRetrieve,
        spool: Spool,
        clock: Clock,
        log: Log,
        *,
        peers: Sequence[str],
        reach: Reach,
        retry_max: timedelta,
        give_up_after: timedelta,
    ) -> None:
        self._book = book
        self._query = query
        self._spool = spool
        self._clock = clock
        self._log = log
        self._peers = tuple(peers)
        self._reach = reach
        self._retry_max = retry_max
        self._give_up_after = give_up_after

    def tick(self) -> None:
        """Search for every case whose time has come."""
        now = self._clock()
        for wanting in self._book.wanting(since=now - self._give_up_after, at=now, most=_AT_ONCE):
            self._look_after(wanting)

    def _look_after(self, wanting: Wanting) -> None:
        found = self._search(wanting)
        now = self._clock()
        if isinstance(found, Rejected):
            wait = backoff(wanting.attempts + 1, first=_SOONEST, longest=max(self._retry_max, _SOONEST))
            detail = f"{found.code} {found.detail} {found.remedy}"
            self._book.searched(wanting.case, detail, at=now, again_at=now + wait)
            self._log.warning("priors_not_fetched", case=wanting.case, code=found.code, reason=found.detail)
            return
        self._book.searched(wanting.case, found, at=now, again_at=None)
        self._log.info("priors_looked_for", case=wanting.case, found=found)

    def _search(self, wanting: Wanting) -> str | Rejected:
        """What was found, in words without a patient in them; or the first fault that another try may mend."""
        subject = self._subject(wanting)
        if subject is None:
            return "Earlier studies were not looked for: the segmentation has no patient ID."
        fetched: list[str] = []
        for peer in self._peers:
            priors = find_priors(self._query, peer, subject.patient)
            if isinstance(priors, Rejected):
                return priors
            for prior in self._within_reach(priors, wanting, subject):
                if self._book.drawn(prior.study.study):
                    continue
                told = self._fetch(peer, prior, wanting)
                if isinstance(told, Rejected):
                    return told
                if told:
                    fetched.append(f"{told} of study {prior.study.study} from {peer}")
        return f"Earlier studies fetched: {'; '.join(fetched)}." if fetched else "No earlier study had to be fetched."

    def _subject(self, wanting: Wanting) -> _Subject | None:
        tags = ["PatientID", "IssuerOfPatientID", "StudyDate", "SpecificCharacterSet"]
        try:
            header = dcmread(
                BytesIO(self._spool.read(wanting.segmentation)), stop_before_pixels=True, specific_tags=tags
            )
            patient = str(header.get("PatientID") or "").strip()
            issuer = str(header.get("IssuerOfPatientID") or "").strip()
        except READ_FAULTS:
            return None
        return _Subject(PatientIdentity(patient, issuer), day_of(header.get("StudyDate"))) if patient else None

    def _within_reach(self, priors: Sequence[PriorStudy], wanting: Wanting, subject: _Subject) -> list[PriorStudy]:
        """The studies before that of the case, the latest first."""
        last = subject.day or self._clock().date()
        first = last - timedelta(days=self._reach.days)
        dated = [
            (day, prior)
            for prior in priors
            if prior.study.study != wanting.study
            and (day := day_of(prior.study.study_date)) is not None
            and first <= day <= last
        ]
        dated.sort(key=lambda one: (one[0], one[1].study.study), reverse=True)
        return [prior for _, prior in dated][: self._reach.studies]

    def _fetch(self, peer: str, prior: PriorStudy, wanting: Wanting) -> str | Rejected:
        drawn = [one for one in prior.series if one.modality in _DRAWN]
        told = [one for one in prior.series if one.modality == "SR"]
        series = (drawn or told)[:_MOST_SERIES]
        if not series:
            return ""
        expected = Prior(prior.study.study, wanting.patient, peer, self._reach.reported)
        # before anything arrives, so that what arrives is known for what it is
        self._book.expect(expected, at=self._clock())
        arrived = 0
        for one in series:
            got = self._query.retrieve(peer, one.key)
            arrived += got.completed
            # of reports some are of kinds that are not taken, and no other try changes that
            if got.fault is not None and (drawn or got.fault.code in _OF_THE_NETWORK):
                return got.fault
        if drawn:
            return f"{arrived} segmentations"
        return self._read_reports(expected)

    def _read_reports(self, prior: Prior) -> str | Rejected:
        """Keep what the report with the most measured lesions tells."""
        scans = []
        for report in self._book.reports_of(prior.study):
            try:
                scan = measured_scan(dcmread(BytesIO(self._spool.read(report.file))))
            except TransientError as fault:
                return Rejected(fault.code, str(fault), "The node tries again by itself.")
            except READ_FAULTS:
                continue
            if scan is not None:
                scans.append((scan, report.sop_instance))
        if not scans:
            return ""
        # of reports that tell as much the first by UID, so that a repeated search finds the same
        scan, report_uid = max(scans, key=lambda one: (len(one[0].sightings), one[1]))
        self._book.keep_report(prior, report_uid, scan, at=self._clock())
        return f"a report of {len(scan.sightings)} lesions"


def day_of(value: object) -> date | None:
    """A date (VR DA); None for anything else."""
    try:
        return datetime.strptime(str(value or "").strip(), "%Y%m%d").date()
    except ValueError:
        return None
