"""Every edge of the definitions, each on the edge itself."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.organs import Organ
from pipelines.domain.progression import Course
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import (
    LesionId,
    LesionRole,
    LesionState,
    NewLesionCall,
    NonTargetCall,
    RecistRules,
    TimePoint,
    tenths,
)
from pipelines.domain.scan_date import ScanDate
from pipelines.response.assess import RuleSet, assess
from pipelines.response.measurability import Measurability, measurability
from pipelines.response.recist import target_response
from tests.pipelines.response.patients import (
    TREATED,
    assessed,
    day,
    lesion,
    overall,
    series,
    target,
    targets,
    visit,
)

LITERAL = RuleSet(recist=RecistRules(pr_carry=False))
NEW, NON = LesionRole.NEW, LesionRole.NON_TARGET


def with_non_target(*sizes: float | None, non_target: tuple[float | None, ...]) -> list[TimePoint]:
    return [
        replace(point, observations=(*point.observations, lesion("n1", mm)))
        for point, mm in zip(series(*sizes), non_target, strict=True)
    ]


def test_a_baseline_sum_of_zero_cannot_shrink_and_returning_disease_is_progression() -> None:
    points = series(0, 0, 4.9, 5)
    # a target has to be measured at baseline, so nobody can choose this one
    refused = assess(points, targets("t1"), TREATED)
    assert isinstance(refused, Rejected)
    assert refused.code == "RSP-003"
    said = [
        target_response(point, (LesionId("t1"),), baseline=tenths(0), nadir=tenths(0)).value for point in points[1:]
    ]
    assert said == ["NE", "NE", "PD"]


def test_one_target_alone_decides() -> None:
    assert overall(assessed(series(20, 14, 14, 20))) == ["PR", "PR", "PD"]


def test_only_non_target_disease_has_responses_of_its_own() -> None:
    points = [visit(f"v{i}", i * 56 - 7, lesion("n1", mm)) for i, mm in enumerate((8, 8, 0, None, 9))]
    decisions = targets(n1=NON)
    calls = {("v4", LesionId("n1")): NonTargetCall.UNEQUIVOCAL_PROGRESSION}
    result = assessed(points, replace(decisions, non_targets=calls))
    assert target(result) == ["none"] * 4
    assert overall(result) == ["NON-CR/NON-PD", "CR", "NE", "PD"]


@pytest.mark.parametrize(
    ("short_axis", "expected"),
    [
        (15.0, Measurability.MEASURABLE),
        (14.9, Measurability.NON_MEASURABLE),
        (10.0, Measurability.NON_MEASURABLE),
        (9.9, Measurability.NO_DISEASE),
    ],
)
def test_a_node_is_measurable_from_15_mm_and_disease_from_10(short_axis: float, expected: Measurability) -> None:
    assert measurability(lesion("t1", short_axis, node=True))[0] is expected


def test_a_sum_of_20_percent_more_but_4_9_mm_is_no_progression() -> None:
    assert target(assessed(series(24.5, 24.5, 29.4))) == ["SD", "SD"]


def test_a_sum_of_5_mm_more_but_19_9_percent_is_no_progression() -> None:
    assert target(assessed(series(100, 100, 119.9))) == ["SD", "SD"]
    assert target(assessed(series(25.1, 25.1, 30.1))) == ["SD", "SD"]


def test_a_sum_of_20_percent_and_5_mm_more_is_progression() -> None:
    assert target(assessed(series(25, 25, 30))) == ["SD", "PD"]


def test_a_sum_of_30_percent_less_is_a_partial_response() -> None:
    # 4.2 of 6 is 70.00000000000001 % in binary fractions
    assert target(assessed(series(60, 42))) == ["PR"]
    assert target(assessed(series(60, 42.1))) == ["SD"]


@pytest.mark.parametrize("tenth", range(100, 1000, 10))
def test_every_exact_30_percent_is_a_partial_response(tenth: int) -> None:
    assert target(assessed(series(f"{tenth / 10}", f"{tenth * 7 / 100:.1f}"))) == ["PR"]


def test_a_response_before_and_after_a_missing_visit_stays_one() -> None:
    assert overall(assessed(series(100, 60, None, 60))) == ["PR", "NE", "PR"]


def test_disease_that_comes_back_after_a_complete_response_is_progression() -> None:
    result = assessed(series(20, 0, 3))
    assert overall(result) == ["CR", "PD"]
    assert result.visits[1].reappeared == ("t1",)
    by_size = RuleSet(recist=RecistRules(relapse_after_cr=False))
    assert overall(assessed(series(20, 0, 3), rules=by_size)) == ["CR", "PR"]
    assert overall(assessed(series(20, 0, 5), rules=by_size)) == ["CR", "PD"]


def test_a_target_that_comes_back_is_judged_by_size_without_a_complete_response() -> None:
    points = [
        visit("v0", -7, lesion("t1", 30), lesion("t2", 30)),
        visit("v1", 56, lesion("t1", 20), lesion("t2", 0)),
        visit("v2", 112, lesion("t1", 20), lesion("t2", 3.9)),
    ]
    assert overall(assessed(points, targets("t1", "t2"))) == ["PR", "PR"]


def test_a_new_lesion_during_a_partial_response_is_progression() -> None:
    points = series(100, 60, 60)
    points[2] = replace(points[2], observations=(*points[2].observations, lesion("x", 12)))
    result = assessed(points, targets("t1", x=NEW))
    assert (target(result), overall(result)) == (["PR", "PR"], ["PR", "PD"])
    assert result.best.response.value == "PR"


def test_a_missing_organ_makes_a_visit_not_evaluable_but_cannot_hide_progression() -> None:
    def at(number: int, liver: float | None, lung: float) -> TimePoint:
        return visit(f"v{number}", number * 56 - 7, lesion("t1", lung), lesion("t2", liver, organ=Organ.LIVER))

    points = [at(0, 20, 30), at(1, None, 30), at(2, None, 60)]
    assert target(assessed(points, targets("t1", "t2"))) == ["NE", "PD"]
    gone = visit("v3", 200, lesion("t1", 10), lesion("t2", 0, organ=Organ.LIVER), imaged=frozenset({Organ.LUNG}))
    assert target(assessed([points[0], gone], targets("t1", "t2"))) == ["NE"]


def test_a_target_that_nobody_mentions_is_not_taken_for_gone() -> None:
    points = [visit("v0", -7, lesion("t1", 30), lesion("t2", 20)), visit("v1", 56, lesion("t1", 10))]
    assert overall(assessed(points, targets("t1", "t2"))) == ["NE"]


def test_two_scans_of_one_visit_give_their_middle_and_progression_the_first() -> None:
    points = series(30, 30, 40)
    points[2] = replace(points[2], scans=(day(110), day(120)))
    result = assessed(points)
    assert result.visits[1].assessed_on == day(115)
    assert result.visits[1].progressed_on == day(110)
    assert result.endpoints[0].days == 110  # type: ignore[union-attr]


def test_a_date_known_to_the_month_orders_visits_and_leaves_times_undetermined() -> None:
    points = series(30, 30, 40)
    points[2] = replace(points[2], scans=(ScanDate.parse("2024-07"),))
    result = assessed(points)
    assert overall(result) == ["SD", "PD"]
    assert "not complete" in result.endpoints[0].why
    assert result.resistance.resistance.value == "indeterminate"


def test_a_date_known_to_the_month_can_settle_resistance_all_the_same() -> None:
    points = series(30, 30, 40)
    points[2] = replace(points[2], scans=(ScanDate.parse("2024-04"),))
    assert assessed(points).resistance.resistance.value == "primary"


def test_visits_whose_order_the_dates_leave_open_are_told() -> None:
    points = series(30, 30, 31)
    points[2] = replace(points[2], scans=(ScanDate.parse("2024-02"),))
    assert "RSP-002" in [note.code for note in assessed(points).notes]


def test_the_same_segmentation_twice_counts_once_and_another_one_is_refused() -> None:
    points = series(30, 20)
    assert assessed([*points, points[1]]) == assessed(points)
    other = replace(points[1], observations=(lesion("t1", 22),))
    refused = assess([*points, other], targets("t1"), TREATED)
    assert isinstance(refused, Rejected)
    assert refused.code == "RSP-002"


def test_a_lesion_stands_once_in_a_time_point() -> None:
    with pytest.raises(ValueError, match="once"):
        visit("v0", 0, lesion("t1", 10), lesion("t1", 12))


def test_another_slice_thickness_is_told() -> None:
    points = [
        visit("v0", -7, lesion("t1", 30, slice_thickness=tenths(5))),
        visit("v1", 56, lesion("t1", 30, slice_thickness=tenths("2.5"))),
    ]
    assert any("thickness" in note.detail for note in assessed(points).notes)
    assert not any("thickness" in note.detail for note in assessed(series(30, 30)).notes)


def test_a_change_from_ct_to_mr_is_told() -> None:
    points = [visit("v0", -7, lesion("t1", 30)), visit("v1", 56, lesion("t1", 30, modality="MR"))]
    assert any("CT and now MR" in note.detail for note in assessed(points).notes)


def test_thick_slices_ask_for_larger_lesions() -> None:
    assert measurability(lesion("t1", 14, slice_thickness=tenths("7.5")))[0] is Measurability.NON_MEASURABLE
    assert measurability(lesion("t1", 15, slice_thickness=tenths("7.5")))[0] is Measurability.MEASURABLE
    assert measurability(lesion("t1", 10, slice_thickness=tenths(5)))[0] is Measurability.MEASURABLE


def test_a_lesion_too_small_to_measure_counts_5_mm() -> None:
    points = series(30, 20)
    points[1] = visit("v1", 56, lesion("t1", 0, state=LesionState.TOO_SMALL))
    assert assessed(points).visits[0].sum.total == 50


def test_a_node_below_10_mm_keeps_its_size_in_a_complete_response() -> None:
    result = assessed(series(18, 9.9, node=True))
    assert target(result) == ["CR"]
    assert result.visits[0].sum.total == 99
    assert target(assessed(series(18, 10, node=True))) == ["PR"]


def test_a_node_that_stays_normal_stays_complete_whatever_it_grows() -> None:
    assert overall(assessed(series(18, 4, 9.9, node=True))) == ["CR", "CR"]


def test_parts_of_a_split_lesion_are_added() -> None:
    split = replace(lesion("t1", 0), state=LesionState.SPLIT, parts=(tenths(12), tenths(9)))
    assert assessed([series(30)[0], visit("v1", 56, split)]).visits[0].sum.total == 210


def test_a_merged_lesion_counts_nothing_beside_the_one_it_lies_in() -> None:
    merged = replace(lesion("t2", 0), state=LesionState.MERGED, merged_into=LesionId("t1"))
    first = visit("v0", -7, lesion("t1", 20), lesion("t2", 15))
    result = assessed([first, visit("v1", 56, lesion("t1", 38), merged)], targets("t1", "t2"))
    assert result.visits[0].sum.total == 380
    assert any("lie in another" in note.detail for note in result.notes)
    lost = assessed([first, visit("v1", 56, lesion("t1", None), merged)], targets("t1", "t2"))
    assert target(lost) == ["NE"]


def test_raised_markers_stand_in_the_way_of_a_complete_response() -> None:
    points = with_non_target(30, 0, non_target=(8, 0))
    decisions = targets("t1", n1=NON)
    assert overall(assessed(points, decisions)) == ["CR"]
    assert overall(assessed(points, replace(decisions, raised_markers=frozenset({"v1"})))) == ["PR"]


@pytest.mark.parametrize(
    ("sizes", "non_target", "expected"),
    [
        ((30, 0), (8, 0), "CR"),
        ((30, 0), (8, 8), "PR"),
        ((30, 0), (8, None), "PR"),
        ((30, 20), (8, None), "PR"),
        ((30, 30), (8, None), "SD"),
        ((30, None), (8, 8), "NE"),
        ((30, 40), (8, 0), "PD"),
    ],
)
def test_the_table_of_overall_responses(
    sizes: tuple[float | None, ...], non_target: tuple[float | None, ...], expected: str
) -> None:
    points = with_non_target(*sizes, non_target=non_target)
    assert overall(assessed(points, targets("t1", n1=NON))) == [expected]


def test_an_equivocal_lesion_that_is_confirmed_dates_progression_back() -> None:
    points = series(30, 30, 30, 30)
    for at, mm in ((1, 6), (2, 8), (3, 11)):
        points[at] = replace(points[at], observations=(*points[at].observations, lesion("x", mm)))
    decisions = targets("t1", x=NEW)
    calls = {("v1", LesionId("x")): NewLesionCall.EQUIVOCAL, ("v2", LesionId("x")): NewLesionCall.EQUIVOCAL}
    waiting = assessed(points[:3], replace(decisions, new_lesions=calls))
    assert overall(waiting) == ["SD", "SD"]
    assert waiting.visits[1].equivocal == ("x",)
    sure = {**calls, ("v3", LesionId("x")): NewLesionCall.UNEQUIVOCAL}
    confirmed = assessed(points, replace(decisions, new_lesions=sure))
    assert overall(confirmed) == ["PD", "PD", "PD"]
    assert confirmed.first_progression is not None
    assert confirmed.first_progression.label == "v1"


def test_a_lesion_that_is_ruled_out_in_between_counts_from_when_it_is_seen_again() -> None:
    points = series(30, 30, 30, 30)
    for at in (1, 2, 3):
        points[at] = replace(points[at], observations=(*points[at].observations, lesion("x", 8)))
    calls = {
        ("v1", LesionId("x")): NewLesionCall.EQUIVOCAL,
        ("v2", LesionId("x")): NewLesionCall.REFUTED,
        ("v3", LesionId("x")): NewLesionCall.UNEQUIVOCAL,
    }
    assert overall(assessed(points, replace(targets("t1", x=NEW), new_lesions=calls))) == ["SD", "SD", "PD"]


def test_a_node_that_grows_to_10_mm_is_new_once_a_reader_confirms_it() -> None:
    points = [
        visit(f"v{at}", at * 56 - 7, lesion("t1", 30), lesion("k", mm, node=True)) for at, mm in enumerate((9, 9.9, 10))
    ]
    waiting = assessed(points)
    assert overall(waiting) == ["SD", "SD"]
    assert waiting.visits[1].equivocal == ("k",)
    assert waiting.visits[0].equivocal == ()
    sure = assessed(points, replace(targets("t1"), confirmed_nodes=frozenset({LesionId("k")})))
    assert overall(sure) == ["SD", "PD"]


def test_disease_in_an_organ_that_the_baseline_did_not_show_is_new() -> None:
    points = [
        visit("v0", -7, lesion("t1", 30), imaged=frozenset({Organ.LUNG})),
        visit("v1", 56, lesion("t1", 30), lesion("b", 15, organ=Organ.BRAIN)),
    ]
    result = assessed(points)
    assert overall(result) == ["PD"]
    assert result.pattern.brain_only


def test_what_looks_new_and_is_small_waits_for_a_reader() -> None:
    points = series(30, 30)
    points[1] = replace(points[1], observations=(*points[1].observations, lesion("x", 9.9)))
    result = assessed(points)
    assert overall(result) == ["SD"]
    assert any("no reader has judged" in note.detail for note in result.notes)


def test_progression_counts_from_the_least_sum_and_not_from_the_baseline() -> None:
    assert target(assessed(series(100, 50, 60))) == ["PR", "PD"]
    # a sum that lacks a lesion is no least sum
    points = [
        visit("v0", -7, lesion("t1", 50), lesion("t2", 50)),
        visit("v1", 56, lesion("t1", 20), lesion("t2", None)),
        visit("v2", 112, lesion("t1", 30), lesion("t2", 50)),
    ]
    assert target(assessed(points, targets("t1", "t2"))) == ["NE", "SD"]


def test_a_time_point_before_the_baseline_that_was_chosen_does_not_count() -> None:
    points = series(10, 30, 20)
    result = assessed(points, replace(targets("t1"), baseline="v1"))
    assert result.baseline.label == "v1"
    assert target(result) == ["PR"]


def test_an_old_baseline_is_told() -> None:
    points = series(30, 30, days=(-29, 56))
    assert any("29 days before" in note.detail for note in assessed(points).notes)
    assert not any("days before" in note.detail for note in assessed(series(30, 30, days=(-28, 56))).notes)


SIZES = st.lists(st.lists(st.one_of(st.none(), st.integers(0, 400)), min_size=3, max_size=3), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.data(), SIZES)
def test_the_order_of_arrival_does_not_matter(data: st.DataObject, sizes: list[list[int | None]]) -> None:
    points = [visit("v0", -7, lesion("t1", 30), lesion("t2", 25), lesion("n1", 8))]
    for at, (one, other, third) in enumerate(sizes, start=1):
        seen = [
            lesion(name, None if size is None else size / 10)
            for name, size in (("t1", one), ("t2", other), ("n1", third))
        ]
        if at > 2 and one:
            seen.append(lesion("x", 12, organ=Organ.LIVER))
        points.append(visit(f"v{at}", 56 * at, *seen))
    shuffled = data.draw(st.permutations(points))
    turned = [replace(p, observations=tuple(data.draw(st.permutations(p.observations)))) for p in shuffled]
    decisions = targets("t1", "t2", n1=NON)
    told = assess(turned, decisions, TREATED)
    assert told == assess(points, decisions, TREATED)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 600), min_size=2, max_size=6))
def test_sizes_in_another_unit_of_length_change_no_response_above_the_5_mm(sizes: list[int]) -> None:
    """All responses depend on ratios alone where growth is large: ten times the sizes say what a hundred times say."""
    first = 300
    large = [assessed(series(*[f"{size * factor}" for size in (first, *sizes)])) for factor in (10, 100)]
    assert target(large[0]) == target(large[1])


def test_without_a_start_of_treatment_nothing_is_guessed() -> None:
    result = assessed(series(30, 30, 40), course=Course())
    assert (result.best.response.value, result.resistance.resistance.value) == ("NE", "indeterminate")
    assert "start of treatment is not known" in result.best.why
    assert "not known" in result.endpoints[0].why
    assert target(result) == ["SD", "PD"]
