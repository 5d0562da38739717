"""The diameters of all lesions as a Structured Report that viewers draw on the images."""

from collections.abc import Iterator
from typing import Final

from pipelines.domain.case import Findings, Lesion
from pipelines.domain.coding import IMAGING_MEASUREMENT_REPORT, LONG_AXIS, MM, PATH, SHORT_AXIS, Code
from pipelines.domain.diameters import Caliper, Diameters
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.outputs.content import Container, ImageRef, Num, Polyline, Relationship
from pipelines.outputs.document import (
    CONTAINS,
    INFERRED_FROM,
    Report,
    measured_by,
    measurement_group,
    report_object,
)

KIND: Final = "sr-diameters"
DESCRIPTION: Final = "AI: lesion diameters"
_SERIES_NUMBER: Final = 9004


def diameter_report(findings: Findings, producer: Producer) -> Iterator[ResultObject]:
    """Long and short axis of each measured lesion, one group for each (PS3.16 TID 1501).

    The document holds nothing else: a viewer shows no mark of an Imaging Measurement Report of which a single group has
    no place in an image, and drops the name of a number that has more below it than its line.
    """
    groups = tuple(_group(findings, lesion, diameters) for lesion, diameters in drawn_lesions(findings))
    if groups:
        report = Report(KIND, _SERIES_NUMBER, DESCRIPTION, groups, IMAGING_MEASUREMENT_REPORT)
        yield report_object(findings, producer, report)


def drawn_lesions(findings: Findings) -> list[tuple[Lesion, Diameters]]:
    """The lesions whose diameters can be drawn, in their order.

    On a resampled CT there are none: its slices are not those of the images, and a line would lie beside its lesion.
    """
    if findings.case.ct.resampled:
        return []
    return [(m.lesion, m.diameters) for m in findings.lesions if m.diameters is not None]


def _group(findings: Findings, lesion: Lesion, diameters: Diameters) -> Container:
    source = findings.case.ct.slices[diameters.slice_index]
    image = ImageRef(Relationship.SELECTED_FROM, None, source.sop_class, source.sop_instance, source.frame)
    lines = (
        _line(LONG_AXIS, diameters.long, image),
        _line(SHORT_AXIS, diameters.short, image),
    )
    items = (*measured_by(findings.method), *lines)
    return measurement_group("1501", lesion.tracking_id, lesion.tracking_uid, items)


def _line(name: Code, caliper: Caliper, image: ImageRef) -> Num:
    points = tuple((point.column, point.row) for point in (caliper.start, caliper.end))
    drawn = Polyline(INFERRED_FROM, PATH, points, image)
    return Num(CONTAINS, name, caliper.length_mm, MM, (drawn,), digits=4)
