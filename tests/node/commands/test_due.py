"""When the next scans are due: the order of patients, and what stands beside each."""

import json
from dataclasses import dataclass
from datetime import date

from node.commands.due import run_due
from node.history import Due
from pipelines.domain.identifiers import CaseId

TODAY = date(2024, 7, 15)
LISTED = [
    Due(CaseId(1), "2024-05-01", None, None),
    Due(CaseId(2), "2024-06-20", date(2024, 7, 18), date(2024, 8, 1)),
    Due(CaseId(3), "2024-05-20", date(2024, 6, 17), date(2024, 7, 1)),
    Due(CaseId(4), "2024-06-10", date(2024, 7, 8), date(2024, 7, 22)),
]


@dataclass
class Book:
    listed: list[Due]

    def due(self) -> list[Due]:
        return self.listed


def told(*, every: bool = False, as_json: bool = False) -> str:
    return run_due(Book(LISTED), TODAY, every=every, as_json=as_json)  # type: ignore[arg-type]


def test_overdue_patients_come_first_and_the_notice_stands_below() -> None:
    heading, *lines = told().splitlines()
    assert heading.split() == ["Case", "Scanned", "Next", "CT", "due"]
    assert [line.split()[0] for line in lines[:3]] == ["3", "4", "2"]
    assert "overdue by 14 days" in lines[0]
    assert "due now" in lines[1]
    assert "in 3 days" in lines[2]
    assert lines[-1].startswith("Decision support")


def test_patients_whom_the_protocol_calls_in_are_listed_when_asked_for() -> None:
    assert "by protocol" not in told()
    assert "by protocol" in told(every=True).splitlines()[-3]


def test_programs_get_json() -> None:
    listed = json.loads(told(every=True, as_json=True))
    assert [(one["case"], one["overdue"]) for one in listed] == [(3, True), (4, False), (2, False), (1, False)]
    assert listed[0]["due_until"] == "2024-07-01"


def test_nobody_is_due() -> None:
    assert run_due(Book([]), TODAY, every=False, as_json=False) == "No scan is due."  # type: ignore[arg-type]
