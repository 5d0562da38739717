"""The services for what people know of patients and decide about them."""

from node.bootstrap.machine import utc_now
from node.bootstrap.stores import Stores
from node.logs import Log
from node.services.read_reports import ReportReader
from node.services.record import Recorder


def make_recorder(stores: Stores) -> Recorder:
    """The service that writes down what people know of patients and decide about them."""
    return Recorder(stores.clinical, stores.readings, stores.reassessments, utc_now, Log("record"))


def make_report_reader(stores: Stores) -> ReportReader:
    """The service that reads the reports of readers."""
    return ReportReader(stores.readings, stores.spool, stores.reassessments, utc_now, Log("record"))
