"""The audit: every check of every entry."""

from collections.abc import Iterable, Iterator
from typing import assert_never

from pipelines.audit.comparisons import check_counts, check_means, check_methods
from pipelines.audit.entries import (
    Area,
    Counts,
    Diagnostic,
    Entry,
    Means,
    Percentage,
    RatioEntry,
    Same,
    Total,
)
from pipelines.audit.findings import Finding
from pipelines.audit.ratios import check_area, check_ratio
from pipelines.audit.shares import check_diagnostic, check_percentage, check_same, check_total


def audit(entries: Iterable[Entry]) -> tuple[Finding, ...]:
    """Everything in which published numbers contradict themselves, in the order of the entries.

    A finding says that printed numbers cannot all be right, not which of them is wrong.
    """
    listed = tuple(entries)
    found = [finding for entry in listed for finding in _check(entry)]
    return (*found, *check_methods([entry for entry in listed if isinstance(entry, Counts)]))


def _check(entry: Entry) -> Iterator[Finding]:
    match entry:
        case Percentage():
            return check_percentage(entry)
        case Total():
            return check_total(entry)
        case Same():
            return check_same(entry)
        case Counts():
            return check_counts(entry)
        case Means():
            return check_means(entry)
        case RatioEntry():
            return check_ratio(entry)
        case Diagnostic():
            return check_diagnostic(entry)
        case Area():
            return check_area(entry)
        case _:
            assert_never(entry)
