"""Fetch from an archive what a case lacks, and find the earlier studies of a patient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from node.logs import Log
from node.ports import (
    Attempt,
    Clock,
    CollectingCase,
    FoundSeries,
    FoundStudy,
    Ledger,
    PatientIdentity,
    QueryRetrieve,
    RetrievalLedger,
)
from node.services.deliver import backoff
from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import CaseId, SopInstanceUID
from pipelines.domain.instance import InstanceRef
from pipelines.domain.reasons import Rejected
from pipelines.domain.waiting import waited
from pipelines.imaging.assembly import SeriesArrival, incompleteness, pair
from pipelines.imaging.geometry import TOLERANCES, Tolerances

PRIOR_MODALITIES: Final = frozenset({"CT", "SEG", "SR", "RTSTRUCT"})
"""What a follow-up needs of the studies before."""
_CT: Final = "CT"


@dataclass(frozen=True, slots=True)
class Found:
    """A series at the archive, and which of its instances have not arrived."""

    key: SeriesKey
    held: int
    absent: tuple[SopInstanceUID, ...]


@dataclass(frozen=True, slots=True)
class PriorStudy:
    """An earlier study of a patient with the series that matter for a follow-up."""

    study: FoundStudy
    series: tuple[FoundSeries, ...]


class Prefetcher:
    """Looks after the cases that wait for images, one archive after the other.

    Parameters
    ----------
    peers
        Names of the peers that may be queried, in this order.
    after
        Time without a new instance before an archive is asked.
    max_attempts
        Tries at one peer for one case; a person's retry begins anew.
    tolerances
        How exactly the slices of a CT have to stack up.
    at_once
        Tells of a case that nobody is going to send its CT, so that nothing is waited for.
    """

    def __init__(
        self,
        ledger: Ledger,
        retrievals: RetrievalLedger,
        query: QueryRetrieve,
        clock: Clock,
        log: Log,
        *,
        peers: Sequence[str],
        after: timedelta,
        max_attempts: int,
        retry_max: timedelta,
        tolerances: Tolerances = TOLERANCES,
        at_once: Callable[[CaseId], bool] = lambda case: False,
    ) -> None:
        self._ledger = ledger
        self._retrievals = retrievals
        self._query = query
        self._clock = clock
        self._log = log
        self._peers = tuple(peers)
        self._after = after
        self._max_attempts = max_attempts
        self._retry_max = retry_max
        self._tolerances = tolerances
        self._at_once = at_once

    def tick(self) -> None:
        """Look at every case that waits, and fetch what it lacks."""
        for waiting in self._ledger.collecting():
            self._look_after(waiting)

    def _look_after(self, waiting: CollectingCase) -> None:
        candidates = self._ledger.candidates(waiting.segmentation.ref)
        lacking = lacks(waiting.segmentation.ref, candidates, self._tolerances)
        if lacking is None:
            return
        ct = lacking.series
        arrived_at = waiting.segmentation.received_at
        quiet_since = arrived_at if ct is None else max(arrived_at, ct.last_received_at)
        nobody_sends = ct is None and self._at_once(waiting.case)
        if not waited(quiet_since, self._after, now=self._clock()) and not nobody_sends:
            return
        for peer in self._peers:
            tried = [one for one in self._retrievals.attempts(waiting.case) if one.peer == peer]
            if not self._may_try(tried):
                continue
            if self._try(waiting.case, peer, waiting.segmentation.ref, ct):
                return

    def _may_try(self, tried: Sequence[Attempt]) -> bool:
        if len(tried) >= self._max_attempts:
            return False
        if not tried:
            return True
        wait = backoff(len(tried), first=self._after, longest=self._retry_max)
        return waited(tried[-1].at, wait, now=self._clock())

    def _try(self, case: CaseId, peer: str, segmentation: InstanceRef, ct: SeriesArrival | None) -> bool:
        """True when something was fetched."""
        found = self._find(peer, segmentation, ct)
        if isinstance(found, Rejected):
            return self._record(case, peer, 0, found.code, f"{found.detail} {found.remedy}")
        if not found.absent:
            return self._record(case, peer, 0, "", f"{peer} has no image of the CT series that is not here.")
        wanted = found.absent if found.held else ()
        got = self._query.retrieve(peer, found.key, wanted)
        detail = f"{got.completed} of {len(found.absent)} images of CT series {found.key.series} came from {peer}."
        if got.fault is not None:
            detail = f"{detail} {got.fault.detail} {got.fault.remedy}"
        return self._record(case, peer, got.completed, got.fault.code if got.fault else "", detail)

    def _record(self, case: CaseId, peer: str, instances: int, code: str, detail: str) -> bool:
        self._retrievals.attempted(case, Attempt(peer, self._clock(), instances, code), detail)
        log = self._log.warning if code else self._log.info
        log("retrieval_tried", case=case, peer=peer, images=instances, code=code)
        return instances > 0

    def _find(self, peer: str, segmentation: InstanceRef, ct: SeriesArrival | None) -> Found | Rejected:
        series = find_series(self._query, peer, segmentation) if ct is None else ct.key
        if isinstance(series, Rejected):
            return series
        there = self._query.instances(peer, series)
        if isinstance(there, Rejected):
            return there
        here = frozenset() if ct is None else ct.instances
        return Found(series, len(here), tuple(sorted(there - here)))


@dataclass(frozen=True, slots=True)
class Lacking:
    """A case that lacks images: `series` is None when its CT series has not arrived at all."""

    series: SeriesArrival | None


def lacks(
    segmentation: InstanceRef, candidates: Sequence[SeriesArrival], tolerances: Tolerances = TOLERANCES
) -> Lacking | None:
    """Tell whether a case lacks images that an archive may have; None when it does not, or when they cannot be told."""
    ct = pair(segmentation, candidates, tolerances)
    if isinstance(ct, Rejected):
        return None
    if ct is None:
        return Lacking(None)
    missing = incompleteness(segmentation, ct, tolerances)
    return Lacking(ct) if missing is not None and missing.code == "CT-002" else None


def find_series(query: QueryRetrieve, peer: str, segmentation: InstanceRef) -> SeriesKey | Rejected:
    """Find the CT series that `segmentation` was drawn on at `peer`, by the rules of `pair`.

    Returns
    -------
    SeriesKey
        Of the one series that fits.
    Rejected
        `SEG-001` when the peer has none, `SEG-002` when it has several, or why it cannot be asked.
    """
    references, study = segmentation.references, segmentation.key.study
    if references.series:
        named: list[FoundSeries] = []
        for series in references.series:
            # most are in the study of the segmentation, which is the only way to ask a strict archive
            for within in (study, None):
                found = query.series(peer, study=within, series=series)
                if isinstance(found, Rejected) and within is not None:
                    return found
                if not isinstance(found, Rejected) and found:
                    named += found
                    break
        return _only([one for one in named if one.modality in (_CT, "")], peer, segmentation)
    of_study = query.series(peer, study=study)
    if isinstance(of_study, Rejected):
        return of_study
    ct = [one for one in of_study if one.modality in (_CT, "")]
    if references.instances:
        return _only(_holding(query, peer, ct, references.instances[:1]), peer, segmentation)
    same = [one for one in ct if one.frame_of_reference == segmentation.frame_of_reference]
    # an archive need not tell the frame of reference; then only a single series is beyond doubt
    return _only(same or [one for one in ct if one.frame_of_reference is None], peer, segmentation)


def _holding(
    query: QueryRetrieve, peer: str, series: Sequence[FoundSeries], instances: Sequence[SopInstanceUID]
) -> list[FoundSeries]:
    holding = []
    for one in series:
        found = query.instances(peer, one.key, instances)
        if not isinstance(found, Rejected) and found:
            holding.append(one)
    return holding


def _only(found: Sequence[FoundSeries], peer: str, segmentation: InstanceRef) -> SeriesKey | Rejected:
    keys = sorted({one.key for one in found}, key=lambda key: key.series)
    if len(keys) == 1:
        return keys[0]
    if not keys:
        return Rejected(
            "SEG-001",
            f"{peer} has no CT series that segmentation {segmentation.sop_instance} was drawn on.",
            "Send that series to this node; the case then starts by itself.",
        )
    return Rejected(
        "SEG-002",
        f"{peer} has {len(keys)} CT series that segmentation {segmentation.sop_instance} may have been drawn on.",
        "Send the right series to this node.",
    )


def find_priors(query: QueryRetrieve, peer: str, patient: PatientIdentity) -> Sequence[PriorStudy] | Rejected:
    """Studies of a patient that hold CT, segmentations or reports, oldest first; those without a date come first."""
    studies = query.studies(peer, patient)
    if isinstance(studies, Rejected):
        return studies
    priors = []
    for study in sorted(studies, key=lambda one: (one.study_date, one.study)):
        if study.modalities and not PRIOR_MODALITIES & set(study.modalities):
            continue
        series = query.series(peer, study=study.study)
        if isinstance(series, Rejected):
            return series
        wanted = tuple(one for one in series if one.modality in PRIOR_MODALITIES)
        if wanted:
            priors.append(PriorStudy(study, wanted))
    return priors
