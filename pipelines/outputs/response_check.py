"""The self-check of a report of response: what it says is read back and compared with what was assessed."""

from collections.abc import Iterator

from pydicom import Dataset

from pipelines.domain import response_codes as c
from pipelines.domain.case import Findings
from pipelines.domain.coding import IMAGING_MEASUREMENTS, LONG_AXIS, SHORT_AXIS, TRACKING_UID, Code
from pipelines.domain.outcome import ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import Tenths
from pipelines.outputs.check import Read, check_with, named_items, numbers_named
from pipelines.outputs.response_report import ResponseFindings, lesion_lines


def check_response(made: ResultObject, findings: ResponseFindings) -> Rejected | None:
    """`OUT-001` with the first difference between `made` and `findings`; None when there is none."""

    def compare(read: Read, _: ResultObject, __: Findings) -> Iterator[str]:
        yield from _faults(read.dataset, findings)

    return check_with(made, findings.as_findings, compare)


def _faults(dataset: Dataset, findings: ResponseFindings) -> Iterator[str]:
    groups = [
        group.ContentSequence
        for container in named_items(dataset.ContentSequence, IMAGING_MEASUREMENTS)
        for group in container.ContentSequence
    ]
    told, points, lines = findings.assessment, findings.followed.time_points, lesion_lines(findings)
    if len(groups) != 1 + len(points) + len(lines):
        yield f"it holds {len(groups)} groups for {len(points)} visits and {len(lines)} lesions"
        return
    course, visits, lesions = groups[0], groups[1 : 1 + len(points)], groups[1 + len(points) :]
    current = [] if findings.visit is None else [findings.visit.overall.code]
    for name, codes in (
        (c.CURRENT_RESPONSE, current),
        (c.BEST_OVERALL_RESPONSE, [told.best.response.code]),
        (c.PROGRESSION_PATTERN, [told.pattern.pattern.code]),
        (c.RESISTANCE, [told.resistance.resistance.code]),
    ):
        if _codes(course, name) != [(code.value, code.scheme) for code in codes]:
            yield f"{name.meaning} differs"
    if len(list(named_items(course, c.PROGRESSING_LESION))) != len(told.pattern.lesions):
        yield "the progressing lesions differ"
    by_label = {said.label: said for said in told.visits}
    for items, point in zip(visits, points, strict=True):
        if [item.TextValue for item in named_items(items, c.SUBJECT_TIME_POINT)] != [point.label]:
            yield "the order of the visits differs"
        said = by_label.get(point.label)
        if said is not None:
            if _codes(items, c.CURRENT_RESPONSE) != [(said.overall.code.value, said.overall.code.scheme)]:
                yield f"the response of visit {point.label} differs"
            if numbers_named(items, c.SUM_OF_DIAMETERS) != _mm(said.sum.measured):
                yield f"the sum of visit {point.label} differs"
    for items, line in zip(lesions, lines, strict=True):
        if [item.UID for item in named_items(items, TRACKING_UID)] != [line.lesion]:
            yield "the lesions or their order differ"
        for name, length in (
            (LONG_AXIS, line.seen.long_axis),
            (SHORT_AXIS, line.seen.short_axis),
            (c.AXIS_AT_BASELINE, line.at_baseline),
            (c.AXIS_AT_NADIR, line.at_nadir),
        ):
            if numbers_named(items, name) != _mm(length):
                yield f"{name.meaning} of a lesion differs"


def _mm(length: Tenths | None) -> list[float]:
    return [] if length is None else [length / 10]


def _codes(items: list[Dataset], name: Code) -> list[tuple[str, str]]:
    return [
        (code.CodeValue, code.CodingSchemeDesignator)
        for item in named_items(items, name)
        for code in item.ConceptCodeSequence
    ]
