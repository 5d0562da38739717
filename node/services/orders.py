"""Find the order that a case's study was made for, once, and keep it with the case."""

from node.logs import Log
from node.ports import Clock, OrderLedger, OrderLookup, PatientIdentity, Spool, Worklist
from pipelines.domain.case import Case
from pipelines.domain.identifiers import CaseId
from pipelines.domain.order import Order, choose_order
from pipelines.domain.reasons import Rejected
from pipelines.imaging.order import order_file, order_from_file, wants_order, with_order


class Orders:
    """Fills cases in from a worklist.

    An order that was found stays with the case, so that a run that is repeated makes the same objects. What was not
    found is looked for again by the next run.
    """

    def __init__(self, worklist: Worklist, ledger: OrderLedger, spool: Spool, clock: Clock, log: Log) -> None:
        self._worklist = worklist
        self._ledger = ledger
        self._spool = spool
        self._clock = clock
        self._log = log

    def filled_in(self, number: CaseId, case: Case) -> Case:
        """`case` with accession number and requested procedure where its CT has none and the worklist has one order."""
        if not wants_order(case.header):
            return case
        kept = self._ledger.order_lookup(number, case.inputs_digest)
        order = order_from_file(self._spool.read(kept.file)) if kept is not None and kept.file else None
        if order is None:
            order = self._look_up(number, case)
        return case if order is None else with_order(case, order)

    def _look_up(self, number: CaseId, case: Case) -> Order | None:
        order, detail = self._ask(case)
        file = None if order is None else self._spool.put_result(number, "order", order_file(order))
        self._ledger.order_looked_up(number, case.inputs_digest, OrderLookup(file, detail), at=self._clock())
        if order is None:
            self._log.info("order_not_found", case=number, code="NET-008", reason=detail)
        else:
            self._log.info("order_found", case=number)
        return order

    def _ask(self, case: Case) -> tuple[Order | None, str]:
        header = case.header
        patient = PatientIdentity(str(header.get("PatientID") or "").strip())
        if not patient.patient_id:
            return None, "The CT has no patient ID to look for in the worklist."
        accession_number = str(header.get("AccessionNumber") or "").strip()
        orders = self._worklist.orders(patient, accession_number=accession_number)
        if isinstance(orders, Rejected):
            # results do not wait for a number that is good to have
            return None, f"{orders.code} {orders.detail}"
        study_date = str(header.get("StudyDate") or "").strip()
        return choose_order(orders, study=case.ct_key.study, accession_number=accession_number, study_date=study_date)
