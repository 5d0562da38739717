"""Progression that has to be confirmed: iUPD, iCPD and the way back."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.domain.organs import Organ
from pipelines.domain.recist import Decisions, LesionId, LesionRole, NonTargetCall, RecistRules, TimePoint
from pipelines.domain.responses import NonTargetResponse, OverallResponse, TargetResponse
from pipelines.response.irecist import new_targets
from pipelines.response.recist import overall_response
from tests.pipelines.response.patients import assessed, lesion, rows, series, targets, visit

NEW, NON = LesionRole.NEW, LesionRole.NON_TARGET


def immune(points: list[TimePoint], decisions: Decisions | None = None) -> list[str]:
    return [said.immune.value for said in assessed(points, decisions).visits]


def with_new(targets_mm: list[float], *new: dict[str, float]) -> list[TimePoint]:
    points = series(*targets_mm)
    return [
        replace(point, observations=(*point.observations, *(lesion(name, mm) for name, mm in seen.items())))
        for point, seen in zip(points, new, strict=True)
    ]


def test_without_progression_responses_are_those_of_recist() -> None:
    assert immune(series(100, 70, 70, 80, 80, 80)) == ["iPR"] * 5
    assert immune(series(20, 14, 0)) == ["iPR", "iCR"]


@pytest.mark.parametrize(("next_sum", "expected"), [(70, "iCPD"), (69.9, "iUPD"), (65, "iUPD"), (60, "iUPD")])
def test_another_5_mm_confirm_progression_of_targets(next_sum: float, expected: str) -> None:
    assert immune(series(50, 65, next_sum)) == ["iUPD", expected]


def test_growth_adds_up_until_it_confirms() -> None:
    assert immune(series(50, 65, 69, 71)) == ["iUPD", "iUPD", "iCPD"]


def test_growth_after_shrinking_counts_from_the_smallest_since() -> None:
    assert immune(series(50, 70, 62, 67)) == ["iUPD", "iUPD", "iCPD"]


def test_progression_that_passes_begins_anew() -> None:
    points = series(50, 65, 50, 48, 60, 66)
    assert immune(points) == ["iUPD", "iSD", "iSD", "iUPD", "iCPD"]
    result = assessed(points)
    assert result.first_progression is not None
    assert result.immune_progression is not None
    assert (result.first_progression.label, result.immune_progression.label) == ("v1", "v4")
    assert (result.best.response.value, result.immune_best.value) == ("PD", "iSD")


def test_a_response_after_pseudoprogression_is_the_best_one() -> None:
    result = assessed(series(50, 65, 30))
    assert [said.immune.value for said in result.visits] == ["iUPD", "iPR"]
    assert result.immune_best.value == "iPR"
    assert result.immune_progression is None


def test_a_scan_before_four_weeks_cannot_confirm() -> None:
    assert immune(series(50, 65, 80, days=(-7, 56, 83))) == ["iUPD", "iUPD"]
    assert immune(series(50, 65, 80, days=(-7, 56, 84))) == ["iUPD", "iCPD"]


def test_a_further_new_lesion_confirms() -> None:
    points = with_new([50, 50, 50], {}, {"x": 12}, {"x": 12, "y": 11})
    assert immune(points, targets("t1", x=NEW, y=NEW)) == ["iUPD", "iCPD"]


@pytest.mark.parametrize(("mm", "expected"), [(17, "iCPD"), (16.9, "iUPD"), (10, "iUPD")])
def test_a_new_target_lesion_confirms_by_5_mm(mm: float, expected: str) -> None:
    points = with_new([50, 50, 50], {}, {"x": 12}, {"x": mm})
    assert immune(points, targets("t1", x=NEW)) == ["iUPD", expected]


def test_increments_of_4_and_then_2_mm_confirm() -> None:
    points = with_new([50, 50, 50, 50], {}, {"x": 12}, {"x": 16}, {"x": 18})
    assert immune(points, targets("t1", x=NEW)) == ["iUPD", "iUPD", "iCPD"]


def test_a_new_non_target_lesion_confirms_by_any_growth() -> None:
    points = with_new([50, 50, 50], {}, {"x": 7}, {"x": 7.1})
    assert immune(points, targets("t1", x=NEW)) == ["iUPD", "iCPD"]


def test_a_new_lesion_that_is_gone_again_leaves_no_progression() -> None:
    points = with_new([50, 50, 50], {}, {"x": 12}, {"x": 0})
    assert immune(points, targets("t1", x=NEW)) == ["iUPD", "iSD"]


@pytest.mark.parametrize(
    ("call", "expected"),
    [(NonTargetCall.WORSE, "iCPD"), (NonTargetCall.UNEQUIVOCAL_PROGRESSION, "iCPD"), (None, "iSD")],
)
def test_any_growth_of_a_progressing_non_target_lesion_confirms(call: NonTargetCall | None, expected: str) -> None:
    points = with_new([50, 50, 50], {"n": 8}, {"n": 8}, {"n": 8})
    calls = {("v1", LesionId("n")): NonTargetCall.UNEQUIVOCAL_PROGRESSION}
    if call is not None:
        calls["v2", LesionId("n")] = call
    assert immune(points, replace(targets("t1", n=NON), non_targets=calls)) == ["iUPD", expected]


def test_progression_of_another_kind_confirms() -> None:
    points = with_new([50, 65, 65], {"n": 8}, {"n": 8}, {"n": 8})
    calls = {("v2", LesionId("n")): NonTargetCall.UNEQUIVOCAL_PROGRESSION}
    assert immune(points, replace(targets("t1", n=NON), non_targets=calls)) == ["iUPD", "iCPD"]


def test_a_missing_visit_leaves_progression_waiting() -> None:
    assert immune(series(50, 65, None, 70)) == ["iUPD", "NE", "iCPD"]


def test_new_target_lesions_are_five_and_two_of_an_organ() -> None:
    seen = [lesion(f"a{at}", 20 + at) for at in range(4)]
    seen += [lesion(f"b{at}", 30 + at, organ=Organ.LIVER) for at in range(3)]
    seen += [lesion("c0", 14, node=True), lesion("d0", 15, node=True), lesion("e0", 9, organ=Organ.BONE)]
    point = visit("v1", 56, *seen)
    chosen = new_targets([point], [[one.lesion for one in seen]], RecistRules())
    assert chosen == {"b2", "b1", "a3", "a2", "d0"}


def test_components_of_published_visits_give_their_overall_response(shared_data: Path) -> None:
    # pharmaversesdtm, rs_onco_irecist: two visits with their components exchanged are left out
    parts: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows(shared_data / "tables/cdisc_recist/rs_onco_irecist.csv"):
        parts.setdefault((row["USUBJID"], row["VISITNUM"]), {})[row["RSTESTCD"]] = row["RSSTRESC"]
    compared = 0
    for said in parts.values():
        if said["NTRGRESP"] == "iSD":
            continue
        words = {"iUPD": "PD", "iCPD": "PD", "NON-iCR/NON-iUPD": "NON-CR/NON-PD"}
        target, non_target, overall = (
            words.get(said[name], said[name].removeprefix("i")) for name in ("TRGRESP", "NTRGRESP", "OVRLRESP")
        )
        told = overall_response(TargetResponse(target), NonTargetResponse(non_target), new=said["NEWLIND"] == "Y")
        assert told is OverallResponse(overall), said
        compared += 1
    assert compared == 31
