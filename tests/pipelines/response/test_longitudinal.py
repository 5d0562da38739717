"""The eight synthetic patients from their true diameters to responses, pattern and resistance."""

from pathlib import Path

import pytest

from pipelines.domain.organs import Organ
from pipelines.domain.progression import Course
from pipelines.domain.recist import Decisions, LesionId, LesionObservation, LesionRole, LesionState, TimePoint, tenths
from pipelines.domain.scan_date import ScanDate, days_between
from tests.pipelines.response.longitudinal import TrueLesion, dates, followed, placed, read, truth
from tests.pipelines.response.patients import assessed, rows

ORGANS = {
    "lung": Organ.LUNG,
    "liver": Organ.LIVER,
    "node": Organ.LYMPH_NODE,
    "adrenal": Organ.ADRENAL,
    "bone": Organ.BONE,
}
PATIENTS = [f"SYN-D0{number}" for number in range(1, 9)]


def _seen(lesion: TrueLesion) -> LesionObservation:
    there = lesion.segment is not None
    return LesionObservation(
        LesionId(lesion.name),
        ORGANS[lesion.organ],
        lesion.is_node,
        LesionState.MEASURED if there else LesionState.ABSENT,
        tenths(lesion.long_mm) if there else None,
        tenths(lesion.short_mm) if there else None,
    )


def history(root: Path, patient: str) -> tuple[list[TimePoint], Decisions]:
    """What a perfect reader would measure and decide."""
    told, on = truth(root, patient), dates(root, patient)
    points = []
    roles: dict[LesionId, LesionRole] = {}
    for label, lesions in told.items():
        roles |= {LesionId(lesion.name): LesionRole(lesion.role) for lesion in lesions}
        shown = [lesion for lesion in lesions if lesion.segment is not None or lesion.role == "target"]
        points.append(TimePoint(label, (on[label],), tuple(map(_seen, shown))))
    return points, Decisions(roles=roles)


@pytest.mark.parametrize("patient", PATIENTS)
def test_the_truth_of_every_time_point_and_of_the_patient_is_found(shared_data: Path, patient: str) -> None:
    root = shared_data / "longitudinal"
    (told,) = [row for row in rows(root / "truth_patients.csv") if row["patient"] == patient]
    visits = [row for row in rows(root / "truth_timepoints.csv") if row["patient"] == patient]
    start = ScanDate.parse(told["first_dose"])
    points, decisions = history(root, patient)
    result = assessed(points, decisions, Course(start=start))

    assert [result.baseline.label] == [f"tp{row['tp']}" for row in visits if row["overall_recist11"] == "BL"]
    for said, row in zip(result.visits, visits[1:], strict=True):
        # sums of rounded tenths against sums of exact diameters: half a tenth for each lesion
        assert said.sum.measured / 10 == pytest.approx(float(row["sum_mm"]), abs=0.05 * len(said.sum.sizes))
        assert (said.target.value, said.overall.value) == (row["target_response"], row["overall_recist11"])
        assert said.percent_from_baseline == pytest.approx(float(row["pct_from_baseline"]), abs=0.3)
        assert said.percent_from_nadir == pytest.approx(float(row["pct_from_nadir"]), abs=0.5)
        assert len(said.new_lesions) == int(row["n_new_lesions"])
    assert result.best.response.value == told["best_overall_response"]
    progression = result.first_progression
    assert (progression is None) == (not told["pd_day"])
    if progression is not None:
        assert days_between(start, progression.progressed_on).exact == float(told["pd_day"])
    assert len(result.pattern.lesions) == int(told["n_progressing_lesions"])
    words = {Organ.ADRENAL: "adrenal"}
    assert "+".join(words.get(organ, organ.value) for organ in result.pattern.organs) == told["progressing_organs"]
    assert result.pattern.pattern.value == told["progression_pattern"]
    assert result.resistance.resistance.value == told["resistance"]
    pfs = result.endpoints[0]
    assert (pfs.days, pfs.event) == (int(told["pfs_days"]), told["pfs_event"] == "1")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "patient", [name if name == "SYN-D06" else pytest.param(name, marks=pytest.mark.slow) for name in PATIENTS]
)
def test_dicom_files_alone_lead_to_the_same_answers(shared_data: Path, patient: str) -> None:
    """From CT and SEG, with proposed targets and matches by place, and no reader at all."""
    root = shared_data / "longitudinal"
    (told,) = [row for row in rows(root / "truth_patients.csv") if row["patient"] == patient]
    visits = [row for row in rows(root / "truth_timepoints.csv") if row["patient"] == patient]
    time_points = read(root, patient)
    points = followed(time_points, placed(time_points)).time_points
    result = assessed(points, Decisions(), Course(start=ScanDate.parse(told["first_dose"])))
    assert [said.overall.value for said in result.visits] == [row["overall_recist11"] for row in visits[1:]]
    assert result.pattern.pattern.value == told["progression_pattern"]
    assert result.resistance.resistance.value == told["resistance"]
    assert len(result.pattern.lesions) == int(told["n_progressing_lesions"])
