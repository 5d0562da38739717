"""Take readers' decisions out of the Structured Reports that arrive."""

from datetime import datetime, timedelta
from io import BytesIO
from typing import Final

from pydicom import dcmread

from node.errors import TransientError
from node.following import DecisionBook, Origin, Reassessor, Report
from node.logs import Log
from node.ports import Clock, Spool
from pipelines.clinical.reports import ReadReport, read_report
from pipelines.domain.identifiers import SopInstanceUID
from pipelines.domain.reasons import Rejected
from pipelines.imaging.damaged import READ_FAULTS

_AT_ONCE: Final = 500
"""More than are ever without their file at the same time, which come first each time."""
_PATIENCE: Final = timedelta(hours=1)
_FEWEST_TRIES: Final = 10
"""Tries within `_PATIENCE` after which a report that cannot be read from the disk is given up."""
_READER: Final = "reader"
"""Who decided: a report names a person, and names of people are not kept."""


class ReportReader:
    """The use case behind a reader's report that was stored here."""

    def __init__(self, readings: DecisionBook, spool: Spool, reassessor: Reassessor, clock: Clock, log: Log) -> None:
        self._readings = readings
        self._spool = spool
        self._reassessor = reassessor
        self._clock = clock
        self._log = log
        self._failing: dict[SopInstanceUID, tuple[datetime, int]] = {}
        """Since when a report cannot be read from the disk, and how often that was tried."""

    def tick(self) -> int:
        """Read what has arrived; how many reports. One that cannot be read from the disk is tried again for a while."""
        reports = self._readings.unread_reports(most=_AT_ONCE)
        done = 0
        for report in reports:
            try:
                data = self._spool.read(report.file)
            except TransientError as fault:
                self._log.warning("report_unreadable", code=fault.code, sop=report.sop_instance)
                if self._is_hopeless(report.sop_instance):
                    self._take(report, _given_up(report, fault))
                continue
            self._failing.pop(report.sop_instance, None)
            self._take(report, _read(data, report))
            done += 1
        return done

    def _is_hopeless(self, sop_instance: SopInstanceUID) -> bool:
        """Count one more failure; True when there were enough of them for long enough."""
        now = self._clock()
        since, tries = self._failing.get(sop_instance, (now, 0))
        hopeless = tries + 1 >= _FEWEST_TRIES and now - since >= _PATIENCE
        if hopeless:
            self._failing.pop(sop_instance, None)
        else:
            self._failing[sop_instance] = (since, tries + 1)
        return hopeless

    def _take(self, report: Report, found: ReadReport) -> None:
        self._readings.report_read(report, found.decisions, Origin(_READER, self._clock()), found.notes)
        if found.decisions:
            self._reassessor.reassess(report.patient)
        self._log.info("report_read", sop=report.sop_instance, decisions=len(found.decisions), notes=len(found.notes))
        for note in found.notes:
            self._log.warning("report_not_used", code=note.code, reason=note.detail)


def _given_up(report: Report, fault: TransientError) -> ReadReport:
    remedy = "Look at the disk, then have the workstation make the report anew and send it."
    detail = f"Report {report.sop_instance} cannot be read from the disk ({fault.code}); its decisions do not count."
    return ReadReport(notes=(Rejected("RSP-007", detail, remedy),))


def _read(data: bytes, report: Report) -> ReadReport:
    try:
        return read_report(dcmread(BytesIO(data)))
    except READ_FAULTS:
        detail = f"Report {report.sop_instance} cannot be decoded."
        return ReadReport(notes=(Rejected("RSP-006", detail, "Send it again; if it stays so, tell its maker."),))
