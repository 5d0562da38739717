"""How a patient's disease responds to treatment, as a Structured Report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipelines.domain import response_codes as c
from pipelines.domain.assessment import Assessment, VisitAssessment
from pipelines.domain.case import Case, Findings, Lesion, Method
from pipelines.domain.coding import (
    CM3,
    COMMENT,
    LESION_LABEL,
    LONG_AXIS,
    MM,
    NO_UNITS,
    PATH,
    PERCENT,
    SHORT_AXIS,
    VOLUME,
    Code,
)
from pipelines.domain.history import DocumentRef
from pipelines.domain.identity import Followed, MatchKind
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import LesionId, LesionObservation, LesionRole, LesionState, Tenths, TimePoint, tenths
from pipelines.domain.responses import NonTargetResponse, TargetResponse
from pipelines.imaging.diameter import diameters
from pipelines.outputs.content import CodeItem, Container, ContentItem, ImageRef, Num, Polyline, Relationship, Text
from pipelines.outputs.document import (
    CONTAINS,
    HAS_OBSERVATION_CONTEXT,
    INFERRED_FROM,
    Referenced,
    Report,
    instances_of,
    measured_by,
    measurement_group,
    report_object,
)
from pipelines.outputs.provenance import result_uid
from pipelines.response.follow_up import NOTICE

KIND: Final = "sr-response"
DESCRIPTION: Final = "AI: response to treatment"
SUPPORT: Final = (
    "Proposed by rules from segmentations. It supports a reader and a physician, who confirm or change it, and "
    "replaces neither."
)
_SERIES_NUMBER: Final = 9009


@dataclass(frozen=True, slots=True)
class ResponseFindings:
    """All that the report of one visit is made from.

    Attributes
    ----------
    case
        The segmented CT of the visit.
    label
        Of the visit.
    followed
        Time points up to this visit.
    names
        What people call each lesion.
    decided_by
        Role of who decided about the lesions; empty when nobody did.
    method
        Rules with their versions and options.
    digest
        SHA-256 over everything that the report is made from.
    priors
        Segmentations and reports of the visits before.
    predecessor
        The version of this report that it replaces.
    sources
        By label of the visit the archive that its scan was fetched from; none where it was sent.
    drawn
        The segments of `case` that the lesions were measured on.
    """

    case: Case
    label: str
    assessment: Assessment
    followed: Followed
    names: Mapping[LesionId, str]
    decided_by: str
    method: Method
    digest: str
    priors: tuple[DocumentRef, ...] = ()
    predecessor: DocumentRef | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    drawn: Mapping[LesionId, Lesion] = field(default_factory=dict)

    @property
    def as_findings(self) -> Findings:
        """What the parts that all results have in common are made from."""
        # a report has its UID from all scans, not from the one case that it stands in
        case = Case(
            self.case.ct,
            self.case.ct_key,
            self.case.header,
            self.case.segmentation,
            self.case.lesions,
            self.digest,
            self.case.notes,
        )
        return Findings(case, (), None, (), self.method)

    @property
    def visit(self) -> VisitAssessment | None:
        """The responses of this visit; None at baseline."""
        return next((said for said in self.assessment.visits if said.label == self.label), None)

    @property
    def time_point(self) -> TimePoint:
        return next(point for point in self.followed.time_points if point.label == self.label)

    @property
    def order(self) -> int:
        """The place of this visit, from 1 for the baseline."""
        return [point.label for point in self.followed.time_points].index(self.label) + 1


@dataclass(frozen=True, slots=True)
class LesionLine:
    """One lesion as the report tells of it: now, at baseline and at its smallest before.

    Attributes
    ----------
    at_baseline, at_nadir
        The diameter that counts; None where it was not measured. A lesion that was absent has 0.
    """

    lesion: LesionId
    seen: LesionObservation
    role: LesionRole
    at_baseline: Tenths | None
    at_nadir: Tenths | None
    volume_at_baseline: float | None
    volume_at_nadir: float | None

    @property
    def now(self) -> Tenths | None:
        return counted(self.seen)

    def percent(self, before: Tenths | None) -> float | None:
        """Change from `before` in per cent; None where either is not known, and over nothing."""
        return None if self.now is None or not before else 100 * (self.now - before) / before


def counted(seen: LesionObservation) -> Tenths | None:
    """The diameter of a lesion at a visit: 0 when it is absent, None when it was not measured."""
    match seen.state:
        case LesionState.MEASURED:
            return seen.axis
        case LesionState.SPLIT:
            return Tenths(sum(seen.parts))
        case LesionState.ABSENT:
            return Tenths(0)
        case _:
            return None


def lesion_lines(findings: ResponseFindings) -> tuple[LesionLine, ...]:
    """The lesions that are known at the visit, target lesions first and new ones before those that do not count."""
    before = findings.followed.time_points[: findings.order - 1]
    lines = []
    for seen in findings.time_point.observations:
        sightings = [old for point in before if (old := point.of(seen.lesion)) is not None]
        sizes = [size for old in sightings if (size := counted(old)) is not None]
        volumes = [_volume(old) for old in sightings]
        told = [volume for volume in volumes if volume is not None]
        first = findings.followed.time_points[0].of(seen.lesion)
        lines.append(
            LesionLine(
                seen.lesion,
                seen,
                findings.assessment.roles.get(seen.lesion, LesionRole.EXCLUDED),
                None if first is None else counted(first),
                min(sizes, default=None),
                None if first is None else _volume(first),
                min(told, default=None),
            )
        )
    order = list(LesionRole)
    return tuple(sorted(lines, key=lambda line: (order.index(line.role), findings.names.get(line.lesion, ""))))


def _volume(seen: LesionObservation) -> float | None:
    return 0.0 if seen.state is LesionState.ABSENT else seen.volume_ml


def response_report(findings: ResponseFindings, producer: Producer) -> ResultObject:
    """Write the report of one visit (PS3.16 TID 1500): the course as a whole, each visit, each lesion (TID 1501).

    It is an Oncology Measurement Report: of an Imaging Measurement Report viewers show nothing when a group has no
    place in an image, and a sum of diameters has none.
    """
    shared = findings.as_findings
    case = findings.case
    segmentation = case.segmentation
    predecessors = () if findings.predecessor is None else (findings.predecessor,)
    report = Report(
        KIND,
        _SERIES_NUMBER,
        DESCRIPTION,
        (
            _course_group(findings, shared),
            *(_visit_group(findings, shared, point) for point in findings.followed.time_points),
            *(_lesion_group(findings, line) for line in lesion_lines(findings)),
        ),
        evidence={
            case.ct_key: list(instances_of(case.ct)),
            segmentation.key: [(segmentation.sop_class, segmentation.sop_instance)],
        },
        earlier=_by_series(findings.priors),
        predecessors=_by_series(predecessors),
    )
    return report_object(shared, producer, report)


def _by_series(documents: Sequence[DocumentRef]) -> Referenced:
    return {
        key: [(one.sop_class, one.sop_instance) for one in documents if one.key == key]
        for key in dict.fromkeys(one.key for one in documents)
    }


def _course_group(findings: ResponseFindings, shared: Findings) -> Container:
    told = findings.assessment
    pattern, resistance, due = told.pattern, told.resistance, told.follow_up
    visit = findings.visit
    items = (
        *_texts((COMMENT, SUPPORT)),
        *time_point_context(findings, findings.time_point),
        CodeItem(CONTAINS, c.RESPONSE_EVALUATION_METHOD, c.RECIST_1_1),
        *(() if visit is None else (CodeItem(CONTAINS, c.CURRENT_RESPONSE, visit.overall.code),)),
        CodeItem(CONTAINS, c.BEST_OVERALL_RESPONSE, told.best.response.code),
        *_texts((c.WHY, f"Best overall response: {told.best.why}")),
        CodeItem(CONTAINS, c.PROGRESSION_PATTERN, pattern.pattern.code),
        *_texts((c.WHY, f"Pattern: {pattern.why}")),
        *_texts(*((c.WHY, f"With {limit} lesions at most: {found.value}") for limit, found in pattern.compared)),
        *_texts(*((c.PROGRESSING_LESION, line) for line in _evidence(findings))),
        CodeItem(CONTAINS, c.RESISTANCE, resistance.resistance.code),
        *_texts(
            (c.WHY, f"Resistance: {resistance.why}"),
            (c.FOLLOW_UP_DUE, due_text(due.due_from, due.due_until, due.why)),
            (c.DECISION_SUPPORT, NOTICE),
            *((c.RULES, f"{name} = {value}") for name, value in findings.method.settings),
            (c.DECIDED_BY, findings.decided_by),
            *((COMMENT, str(note)) for note in notes_of(findings)),
        ),
        *measured_by(findings.method),
    )
    return measurement_group("1501", "Response to treatment", result_uid(shared, KIND, "course"), items)


def notes_of(findings: ResponseFindings) -> tuple[Rejected, ...]:
    """What a reader has to look at: how lesions were known again, then what the rules left open."""
    return (*findings.followed.notes, *findings.assessment.notes)


def due_text(first: object, last: object, why: str) -> str:
    """The window of the next scan as people read it."""
    return why if first is None else f"{first} to {last} ({why})"


def _evidence(findings: ResponseFindings) -> Iterator[str]:
    for one in findings.assessment.pattern.lesions:
        grown = "" if one.growth is None else f", {one.growth / 10:+.1f} mm"
        share = "" if one.growth_percent is None else f" ({one.growth_percent:+.1f} %)"
        name = findings.names.get(one.lesion, "")
        yield f"{name}, {one.organ.value}: {one.evidence.value}{grown}{share}; {one.lesion}"


def time_point_context(findings: ResponseFindings, point: TimePoint) -> tuple[ContentItem, ...]:
    """Which visit a group is about (PS3.16 TID 1502)."""
    order = [one.label for one in findings.followed.time_points].index(point.label) + 1
    kind = c.BASELINE if point.label == findings.assessment.baseline.label else c.POSTTREATMENT
    return (
        Text(HAS_OBSERVATION_CONTEXT, c.TIME_POINT, point.label),
        CodeItem(HAS_OBSERVATION_CONTEXT, c.TIME_POINT_TYPE, kind),
        Num(HAS_OBSERVATION_CONTEXT, c.TIME_POINT_ORDER, float(order), NO_UNITS),
        Text(HAS_OBSERVATION_CONTEXT, c.SUBJECT_TIME_POINT, point.label),
    )


def _visit_group(findings: ResponseFindings, shared: Findings, point: TimePoint) -> Container:
    told = findings.assessment
    said = next((one for one in told.visits if one.label == point.label), None)
    if said is not None:
        result = _responses(said)
    elif point.label == told.baseline.label:
        result = _sum(c.SUM_OF_DIAMETERS, told.baseline.sum.total)
    else:
        result = _texts((COMMENT, "Before the baseline that was chosen: not assessed."))
    source = findings.sources.get(point.label, "")
    fetched = _texts((COMMENT, f"Earlier study, fetched from {source}." if source else ""))
    items = (*time_point_context(findings, point), *result, *fetched, *measured_by(findings.method))
    return measurement_group("1501", f"Visit {point.label}", result_uid(shared, KIND, "visit", point.label), items)


def _responses(said: VisitAssessment) -> tuple[ContentItem, ...]:
    target = c.NO_TARGETS if said.target is TargetResponse.NONE else said.target.code
    non_target = c.NO_TARGETS if said.non_target is NonTargetResponse.NONE else said.non_target.code
    left_out = f"The sum lacks {len(said.sum.missing)} target lesions." if said.sum.missing else ""
    return (
        *_sum(c.SUM_OF_DIAMETERS, said.sum.measured),
        *_texts((COMMENT, left_out)),
        *_sum(c.SUM_AT_BASELINE, said.baseline),
        *_sum(c.SUM_AT_NADIR, said.nadir),
        *_change(c.CHANGE_FROM_BASELINE, said.percent_from_baseline, PERCENT),
        *_change(c.CHANGE_FROM_NADIR, said.percent_from_nadir, PERCENT),
        *_change(c.FROM_NADIR_MM, said.from_nadir_mm, MM),
        CodeItem(CONTAINS, c.TARGET_RESPONSE, target),
        CodeItem(CONTAINS, c.NON_TARGET_RESPONSE, non_target),
        Num(CONTAINS, c.NEW_LESIONS, float(len(said.new_lesions)), c.LESIONS_UNIT),
        CodeItem(CONTAINS, c.CURRENT_RESPONSE, said.overall.code),
        CodeItem(CONTAINS, c.IMMUNE_RESPONSE, said.immune.code),
    )


_ROLES: Final[dict[LesionRole, Code]] = {
    LesionRole.TARGET: c.TARGET_AT_BASELINE,
    LesionRole.NON_TARGET: c.NON_TARGET_AT_BASELINE,
    LesionRole.NEW: c.NEW_LESION,
    LesionRole.EXCLUDED: c.EXCLUDED,
}


def _lesion_group(findings: ResponseFindings, line: LesionLine) -> Container:
    seen = line.seen
    items = (
        *time_point_context(findings, findings.time_point),
        CodeItem(CONTAINS, c.BASELINE_CATEGORY, _ROLES[line.role]),
        *_texts(
            (LESION_LABEL, seen.organ.value),
            (c.LESION_STATE, seen.state.value),
            (c.KNOWN_BY, known_by(findings, line.lesion)),
        ),
        *_measured(findings, line),
        *_sum(c.AXIS_AT_BASELINE, line.at_baseline),
        *_sum(c.AXIS_AT_NADIR, line.at_nadir),
        *_change(c.AXIS_FROM_BASELINE, line.percent(line.at_baseline), PERCENT),
        *_change(c.AXIS_FROM_NADIR, line.percent(line.at_nadir), PERCENT),
        *_change(c.VOLUME_AT_BASELINE, line.volume_at_baseline, CM3),
        *_change(c.VOLUME_AT_NADIR, line.volume_at_nadir, CM3),
        *measured_by(findings.method),
    )
    return measurement_group("1501", findings.names.get(line.lesion, "Lesion"), line.lesion, items)


def _measured(findings: ResponseFindings, line: LesionLine) -> tuple[ContentItem, ...]:
    """The sizes of today, each with the image or the segment that it was measured on (TID 300, 320)."""
    seen, lesion = line.seen, findings.drawn.get(line.lesion)
    long_line, short_line = _lines(findings, line)
    segmentation = findings.case.segmentation
    on_segment: tuple[ContentItem, ...] = ()
    # of a lesion that has split the volume is that of all its parts
    if lesion is not None and segmentation.referable and seen.state is LesionState.MEASURED:
        on_segment = (
            ImageRef(
                INFERRED_FROM,
                c.SOURCE_OF_MEASUREMENT,
                segmentation.sop_class,
                segmentation.sop_instance,
                segment=lesion.number,
            ),
        )
    return (
        *_sum(LONG_AXIS, seen.long_axis, long_line),
        *_sum(SHORT_AXIS, seen.short_axis, short_line),
        *_change(VOLUME, seen.volume_ml, CM3, on_segment),
    )


def _lines(findings: ResponseFindings, line: LesionLine) -> tuple[tuple[ContentItem, ...], tuple[ContentItem, ...]]:
    """Both axes as they are drawn on the CT; nothing where its slices are not those of the images."""
    lesion, ct = findings.drawn.get(line.lesion), findings.case.ct
    measured = None if lesion is None or ct.resampled else diameters(lesion.mask, ct.grid)
    if measured is None or tenths(measured.long.length_mm) != line.seen.long_axis:
        return (), ()
    source = ct.slices[measured.slice_index]
    image = ImageRef(Relationship.SELECTED_FROM, None, source.sop_class, source.sop_instance, source.frame)
    drawn = [
        Polyline(INFERRED_FROM, PATH, tuple((point.column, point.row) for point in (one.start, one.end)), image)
        for one in (measured.long, measured.short)
    ]
    return (drawn[0],), (drawn[1],)


def known_by(findings: ResponseFindings, lesion: LesionId) -> str:
    """What shows which lesion it is at this visit; empty when it is not drawn."""
    of_visit = [
        match
        for match in findings.followed.matches
        if match.lesion == lesion and match.time_point.partition(" ")[0] == findings.label
    ]
    return "; ".join(
        match.kind.value
        + ("" if match.distance_mm is None else f", {match.distance_mm:.1f} mm apart")
        + ("" if not match.overlap else f", overlap {match.overlap:.0%}")
        for match in of_visit
        if match.kind is not MatchKind.FIRST_SEEN or len(of_visit) == 1
    )


def _sum(name: Code, length: Tenths | None, below: tuple[ContentItem, ...] = ()) -> tuple[ContentItem, ...]:
    return () if length is None else (Num(CONTAINS, name, length / 10, MM, below),)


def _change(
    name: Code, value: float | None, unit: Code, below: tuple[ContentItem, ...] = ()
) -> tuple[ContentItem, ...]:
    return () if value is None else (Num(CONTAINS, name, value, unit, below, digits=4),)


def _texts(*named: tuple[Code, str]) -> tuple[ContentItem, ...]:
    """Text items; a text that is empty has nothing to say and may not be written (PS3.3 C.18.3)."""
    return tuple(Text(CONTAINS, name, value) for name, value in named if value)


def response_lines(findings: ResponseFindings) -> tuple[str, ...]:
    """The assessment as a person reads it on a terminal: the visits, the whole, then lesion by lesion."""
    told = findings.assessment
    base = told.baseline
    lines = [f"{base.label}  baseline, sum {_mm(base.sum.total)}"]
    for said in told.visits:
        percent = said.percent_from_baseline
        lines.append(
            f"{said.label}  {said.overall.value}: target {said.target.value}, non-target {said.non_target.value}, "
            f"{len(said.new_lesions)} new; sum {_mm(said.sum.measured)}"
            + ("" if percent is None else f", {percent:+.1f} % from baseline")
            + ("" if said.percent_from_nadir is None else f", {said.percent_from_nadir:+.1f} % from nadir")
            + f"; iRECIST {said.immune.value}"
        )
    lines += [f"{label}  fetched from {source}" for label, source in findings.sources.items()]
    due = told.follow_up
    lines += [
        f"best overall response  {told.best.response.value} ({told.best.why})",
        f"pattern  {told.pattern.pattern.value} ({told.pattern.why})",
        f"resistance  {told.resistance.resistance.value} ({told.resistance.why})",
        f"next scan  {due_text(due.due_from, due.due_until, due.why)}: decision support",
    ]
    for line in lesion_lines(findings):
        how = known_by(findings, line.lesion)
        lines.append(
            f"{findings.names.get(line.lesion, 'Lesion')}, {line.seen.organ.value}, {line.role.value}: "
            f"{line.seen.state.value} {_mm(line.now)}, baseline {_mm(line.at_baseline)}, "
            f"smallest before {_mm(line.at_nadir)}" + (f"; {how}" if how else "")
        )
    return tuple(lines)


def _mm(length: Tenths | None) -> str:
    return "-" if length is None else f"{length / 10:.1f} mm"
