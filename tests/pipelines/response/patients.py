"""Patients made of numbers: sums of diameters in mm at given days."""

import csv
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from pipelines.domain.assessment import Assessment
from pipelines.domain.organs import Organ
from pipelines.domain.progression import Course
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import (
    Decisions,
    LesionId,
    LesionObservation,
    LesionRole,
    LesionState,
    TimePoint,
    tenths,
)
from pipelines.domain.scan_date import ScanDate
from pipelines.response.assess import RuleSet, assess

START = date(2024, 1, 1)
TREATED = Course(start=ScanDate.on(START))


def day(number: int) -> ScanDate:
    """Day `number` of treatment; the baseline lies before it."""
    return ScanDate.on(START + timedelta(days=number))


def lesion(
    name: str,
    mm: float | str | None,
    *,
    organ: Organ = Organ.LUNG,
    node: bool = False,
    state: LesionState | None = None,
    **more: object,
) -> LesionObservation:
    """A lesion of `mm` in the axis that counts; 0 is absent and None is not assessable."""
    if state is None:
        state = LesionState.NOT_ASSESSABLE if mm is None else LesionState.MEASURED if float(mm) else LesionState.ABSENT
    size = None if mm is None or state is not LesionState.MEASURED else tenths(mm)
    other = None if size is None else tenths(float(str(mm)) * 1.25)
    return LesionObservation(
        LesionId(name),
        Organ.LYMPH_NODE if node else organ,
        node,
        state,
        long_axis=other if node else size,
        short_axis=size,
        **more,  # type: ignore[arg-type]
    )


def visit(label: str, on: int | ScanDate, *seen: LesionObservation, **more: object) -> TimePoint:
    return TimePoint(label, (day(on) if isinstance(on, int) else on,), seen, **more)  # type: ignore[arg-type]


def series(
    *sizes: float | str | None, days: Sequence[int] | None = None, node: bool = False, name: str = "t1"
) -> list[TimePoint]:
    """One target lesion: at baseline and then every eight weeks."""
    numbers = days or [-7, *(56 * n for n in range(1, len(sizes)))]
    return [
        visit(f"v{index}", on, lesion(name, mm, node=node))
        for index, (on, mm) in enumerate(zip(numbers, sizes, strict=True))
    ]


def targets(*names: str, **roles: LesionRole) -> Decisions:
    """A reader's choice: `names` are targets, the others as told."""
    chosen = {LesionId(name): LesionRole.TARGET for name in names}
    return Decisions(roles=chosen | {LesionId(name): role for name, role in roles.items()})


def assessed(
    time_points: Sequence[TimePoint],
    decisions: Decisions | None = None,
    course: Course = TREATED,
    rules: RuleSet | None = None,
) -> Assessment:
    result = assess(time_points, decisions or targets("t1"), course, rules)
    assert not isinstance(result, Rejected), result
    return result


def overall(assessment: Assessment) -> list[str]:
    return [said.overall.value for said in assessment.visits]


def target(assessment: Assessment) -> list[str]:
    return [said.target.value for said in assessment.visits]


def rows(path: Path) -> list[Mapping[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
