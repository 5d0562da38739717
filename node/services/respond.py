"""Keep the scan of every case, and assess the patient over all scans whenever there is something new."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from typing import Final, Literal

from pydicom import dcmread

from node.errors import TransientError
from node.following import ClinicalBook, DecisionBook
from node.history import Assessed, CaseInputs, History, KeptScan, Placement
from node.logs import Log
from node.ports import Clock, Destination, Spool, StoredResult, inputs_digest
from node.services.orders import Orders
from pipelines.domain.case import Case, SeriesKey
from pipelines.domain.clinical import PatientKey
from pipelines.domain.history import DocumentRef, Scan
from pipelines.domain.identifiers import CaseId, SopInstanceUID, digest_of
from pipelines.domain.lesion_rule import LesionRule
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import UnreadableVoxels
from pipelines.imaging.case import read_case
from pipelines.imaging.geometry import Tolerances
from pipelines.imaging.registration import IDENTITY, Rigid, register
from pipelines.nsclc_progression import Progression, Told, report_digest, scan_of, shown_visits, tell, write_report
from pipelines.outputs.page.settings import PageSettings
from pipelines.response.history import Visit, visits_of

_MOST_ROUNDS: Final = 5
"""How often one call begins anew because something arrived meanwhile; then another call goes on."""


@dataclass(frozen=True, slots=True)
class CaseReading:
    """How cases are read, the same as for their measurement."""

    rule: LesionRule
    assume_charset: str
    tolerances: Tolerances


class Responder:
    """What follows a case: its scan is kept, and the reports of its patient are brought up to date.

    Parameters
    ----------
    destinations
        Peers that get the reports.
    orders
        Fills in what the worklist knows; None without a worklist.
    page
        Form and language of the page that goes with each report; None for none.
    """

    def __init__(
        self,
        pipeline: Progression,
        history: History,
        clinical: ClinicalBook,
        decisions: DecisionBook,
        spool: Spool,
        clock: Clock,
        log: Log,
        *,
        reading: CaseReading,
        station: str,
        device_uid: str,
        software_version: str,
        destinations: Sequence[Destination],
        orders: Orders | None = None,
        page: PageSettings | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._history = history
        self._clinical = clinical
        self._decisions = decisions
        self._spool = spool
        self._clock = clock
        self._log = log
        self._reading = reading
        self._station = station
        self._device_uid = device_uid
        self._software_version = software_version
        self._destinations = tuple(destinations)
        self._orders = orders
        self._page = page

    def respond(self, case: CaseId) -> None:
        """Look after the patient of `case`; safe to call any number of times, and never in the way of the case."""
        try:
            self._respond(case)
        except TransientError as fault:
            # what was asked for stays asked for
            self._log.warning("response_postponed", case=case, code=fault.code, reason=str(fault))

    def _respond(self, case: CaseId) -> None:
        read: dict[CaseId, Case] = {}
        self._keep(case, read)
        patient = self._history.patient_of(case)
        if patient is None:
            return
        said = self._history.assessed(case)
        if said is not None and not said.current:
            # a later run of the case has put its results in the place of all others
            self._history.ask(patient, at=self._clock())
        for _ in range(_MOST_ROUNDS):
            asked_at = self._history.asked(patient)
            if asked_at is None:
                return
            try:
                done = self._assess(patient, asked_at, read)
            except TransientError:
                raise
            except Exception:
                done = self._break_off(patient, case, asked_at)
            if done and self._history.answered(patient, asked_at):
                return

    def _keep(self, case: CaseId, read: dict[CaseId, Case]) -> None:
        inputs = self._history.unkept(case)
        if inputs is None:
            return
        try:
            found = self._read(inputs)
            scan = found if isinstance(found, Rejected) else scan_of(found)
            if not isinstance(found, Rejected):
                read[case] = found
        except TransientError:
            raise
        except Exception:
            scan = self._fault(case)
        self._history.keep(inputs, scan, at=self._clock())
        lesions = 0 if isinstance(scan, Rejected) else len(scan.sightings)
        self._log.info("scan_kept", case=case, lesions=lesions, code=scan.code if isinstance(scan, Rejected) else "")

    def _break_off(self, patient: PatientKey, case: CaseId, asked_at: datetime) -> bool:
        """Record the exception that is being handled; the patient is looked at again when something new comes."""
        return self._say(patient, asked_at, case, "", self._fault(case))

    def _fault(self, case: CaseId) -> Rejected:
        trace = uuid.uuid4().hex[:8]
        self._log.error("response_failed", case=case, trace=trace, traceback=True)
        return Rejected("RUN-002", f"Internal error {trace}.", f"Look for {trace} in the log and report it.")

    def _assess(self, patient: PatientKey, asked_at: datetime, read: dict[CaseId, Case]) -> bool:
        """Bring all reports of a patient up to date; False when there is something newer already."""
        kept = self._history.scans(patient)
        visits = visits_of([one.scan for one in kept])
        counted = {uid for visit in visits for uid in visit.segmentations}
        for one in kept:
            if one.case is not None and one.reportable and one.scan.segmentation not in counted:
                replaced = Rejected("RSP-004", "A later segmentation of the same CT has taken its place.", "Nothing.")
                if not self._say(patient, asked_at, one.case, str(one.scan.scanned_on), replaced):
                    return False
        places = self._places(visits, {one.scan.segmentation: one for one in kept}, read)
        readings = self._decisions.readings(patient)
        course = self._clinical.clinical(patient).course
        sources = {str(one.scan.scanned_on): one.source for one in kept if one.source}
        priors: list[DocumentRef] = []

        def cases(told: Told) -> Mapping[SopInstanceUID, Case]:
            return self._shown(told, kept, read)

        for at, visit in enumerate(visits):
            of_visit = [one for one in kept if one.scan.segmentation in visit.segmentations]
            told = tell(
                visits[: at + 1],
                places,
                readings,
                course,
                self._pipeline,
                later=frozenset(scan.ct.study for after in visits[at + 1 :] for _, scan in after.scans),
                sources=sources,
            )
            # of several segmentations of a visit the last one bears the report; a study that was fetched bears none
            bearer = max(of_visit, key=lambda one: (one.reportable, one.case or 0))
            shown = [document for one in of_visit for document in one.documents]
            if bearer.case is None or not bearer.reportable:
                said = None if bearer.case is None else self._history.assessed(bearer.case)
                priors += shown if said is None or said.report is None else [*shown, said.report]
                continue
            if isinstance(told, Rejected):
                if not self._say(patient, asked_at, bearer.case, visit.label, told):
                    return False
                continue
            others = dict.fromkeys(one for one in shown if one not in set(bearer.documents))
            report = self._report(patient, asked_at, bearer.case, bearer.scan, told, (*priors, *others), cases, read)
            if report is False:
                return False
            priors += shown if report is None else [*shown, report]
        return True

    def _shown(self, told: Told, kept: Sequence[KeptScan], read: dict[CaseId, Case]) -> Mapping[SopInstanceUID, Case]:
        """The cases of the visits of which the page has pictures, as far as their files are here."""
        labels = set(shown_visits(told))
        wanted = {uid for visit in told.visits if visit.label in labels for uid in visit.segmentations}
        found = {one.scan.segmentation: self._case(one.case, read) for one in kept if one.scan.segmentation in wanted}
        return {uid: case for uid, case in found.items() if case is not None}

    def _places(
        self, visits: Sequence[Visit], kept: Mapping[SopInstanceUID, KeptScan], read: dict[CaseId, Case]
    ) -> dict[str, Rigid]:
        """How the CT of each scan lies to the first one; without those whose CT is gone."""
        places: dict[str, Rigid] = {}
        named = [one for visit in visits for one in visit.scans]
        with_ct = [one for one in named if not one[1].measured_only]
        if with_ct and with_ct[0] is not named[0]:
            # what comes before has no places; the first CT is where all others are laid on
            places[with_ct[0][0]] = IDENTITY
        for name, moving in with_ct[1:]:
            fixed = with_ct[0][1]
            known = self._history.placement(fixed, moving)
            if known is None:
                cases = [self._case(kept[scan.segmentation].case, read) for scan in (fixed, moving)]
                if cases[0] is None or cases[1] is None:
                    continue
                found = register(cases[0].ct, cases[1].ct)
                known = Placement(found.rotation, found.shift_mm, found.correlation)
                self._history.keep_placement(fixed, moving, known)
            x, y, z = known.shift_mm
            places[name] = Rigid(known.rotation, (x, y, z), known.correlation)
        return places

    def _report(
        self,
        patient: PatientKey,
        asked_at: datetime,
        number: CaseId,
        scan: Scan,
        told: Told,
        priors: tuple[DocumentRef, ...],
        cases: Callable[[Told], Mapping[SopInstanceUID, Case]],
        read: dict[CaseId, Case],
    ) -> DocumentRef | Literal[False] | None:
        """The report of a visit as it holds now; False when it could not be written down, None when there is none."""
        before = self._history.assessed(number)
        inputs = report_digest(told, scan, priors)
        same = before is not None and before.inputs == inputs
        if before is not None and same and before.current:
            return before.report
        case = self._case(number, read)
        if case is None:
            self._log.warning("response_not_reported", case=number)
            return None if before is None else before.report
        now = self._clock().replace(microsecond=0)
        # the same report bears the same time and names the same version before, so that its bytes are the same
        made_at = before.made_at if before is not None and same else now
        predecessor = None if before is None else before.predecessor if same else before.report
        producer = Producer(self._station, self._device_uid, self._software_version, made_at.astimezone())
        case = self._with_order(number, case)
        written = write_report(
            case,
            told,
            self._pipeline,
            producer,
            priors=priors,
            predecessor=predecessor,
            page=self._page,
            cases=cases(told) if self._page is not None else None,
        )
        if isinstance(written, Rejected):
            self._log.error("response_rejected", case=number, code=written.code, reason=written.detail)
            return None if self._say(patient, asked_at, number, told.label, written) else False
        made = written.report
        results = [self._stored(number, one) for one in (made, *written.pages)]
        report = DocumentRef(SeriesKey(case.ct_key.study, made.series), made.sop_class, made.sop_instance)
        said = Assessed(
            told.label, inputs, written.lines, written.notes, report, predecessor, made_at, due=_window(told)
        )
        if not self._history.say(patient, asked_at, number, said, results, self._destinations, at=self._clock()):
            return False
        self._log.info("response_reported", case=number, replaces=predecessor is not None, priors=len(priors))
        return report

    def _stored(self, number: CaseId, made: ResultObject) -> StoredResult:
        file = self._spool.put_result(number, made.kind, made.data)
        return StoredResult(made.kind, None, made.sop_class, made.sop_instance, made.series, made.transfer_syntax, file)

    def _say(self, patient: PatientKey, asked_at: datetime, case: CaseId, label: str, reason: Rejected) -> bool:
        """Write down why there is no report; True as well where that is known."""
        before = self._history.assessed(case)
        inputs = digest_of(label, str(reason))
        if before is not None and before.inputs == inputs:
            return True
        predecessor = None if before is None else before.report
        said = Assessed(label, inputs, (), (reason,), None, predecessor, self._clock())
        return self._history.say(patient, asked_at, case, said, (), (), at=self._clock())

    def _case(self, case: CaseId | None, read: dict[CaseId, Case]) -> Case | None:
        """The case as it is read from its files; None when they are gone."""
        if case is None:
            return None
        if case not in read:
            inputs = self._history.inputs(case)
            found = None if inputs is None else self._read(inputs)
            if found is None or isinstance(found, Rejected):
                return None
            read[case] = found
        return read[case]

    def _with_order(self, case: CaseId, read: Case) -> Case:
        return read if self._orders is None else self._orders.filled_in(case, read)

    def _read(self, inputs: CaseInputs) -> Case | Rejected:
        try:
            return read_case(
                [dcmread(BytesIO(self._spool.read(one.file))) for one in inputs.images],
                dcmread(BytesIO(self._spool.read(inputs.segmentation.file))),
                inputs_digest=inputs_digest((*inputs.images, inputs.segmentation)),
                rule=self._reading.rule,
                assume_charset=self._reading.assume_charset,
                tolerances=self._reading.tolerances,
                may_be_empty=True,
            )
        except UnreadableVoxels as fault:
            return fault.reason


def _window(told: Told) -> tuple[date, date] | None:
    """First and last day on which the next scan is due."""
    due = told.assessment.follow_up
    return None if due.due_from is None or due.due_until is None else (due.due_from, due.due_until)
