"""What the figures say: counts, labels and what they do with numbers that are none."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pipelines.figures.alluvial import AlluvialNode, Ribbon, alluvial
from pipelines.figures.calibration import CalibrationCurve, calibration_plot
from pipelines.figures.canvas import PLAIN, Drawing, panels
from pipelines.figures.decision import DecisionCurve, decision_curves
from pipelines.figures.features import correlation_map, icc_histogram, importances
from pipelines.figures.flow import FlowStep, flow_diagram
from pipelines.figures.forest import Estimate, ForestRow, forest_plot
from pipelines.figures.lasso import lasso_cv, lasso_paths
from pipelines.figures.love import love_plot
from pipelines.figures.nomogram import NomogramAxis, nomogram
from pipelines.figures.patients import Course, Swimmer, spider, swimmer, waterfall
from pipelines.figures.proportions import Share, SharesOfGroup, grouped_bars, shares_over_time, stacked_bars
from pipelines.figures.roc import RocCurve, roc_curves
from pipelines.figures.scores import scores_by_class
from pipelines.figures.survival import SurvivalCurve, kaplan_meier
from tests.pipelines.figures.samples import alluvial_figure, flow_figures, survival_curve

SVG = "{http://www.w3.org/2000/svg}"
NAN = float("nan")


def texts(drawing: Drawing) -> list[str]:
    found = ["".join(text.itertext()) for text in ET.fromstring(drawing.svg()).iter(f"{SVG}text")]
    return [text.replace("\u00a0", " ") for text in found]


def paths(drawing: Drawing, colour: str) -> int:
    return len(re.findall(f'style="fill: {colour}[;"]', drawing.svg().decode()))


def test_the_flow_shows_every_number_of_the_second_paper() -> None:
    shown = texts(flow_figures(PLAIN)[1])
    assert {"n = 579", "n = 289", "n = 290"} <= set(shown)
    assert shown.count("n = 234") == 2
    assert {"Not matched (n = 55)", "Not matched (n = 56)"} <= set(shown)


def test_a_flow_whose_numbers_do_not_add_up_is_refused() -> None:
    with pytest.raises(ValueError, match="Matched: 90 patients come from the step before, not 80"):
        flow_diagram([FlowStep("All", 100, excluded=(("x", 10),)), FlowStep("Matched", 80)])
    with pytest.raises(ValueError, match="arms hold more"):
        flow_diagram([FlowStep("All", 10)], [[FlowStep("A", 6)], [FlowStep("B", 5)]])
    with pytest.raises(ValueError, match="more patients are excluded"):
        FlowStep("All", 1, excluded=(("x", 2),))
    with pytest.raises(ValueError, match="at least one"):
        flow_diagram([])


def test_number_at_risk_counts_those_who_were_still_followed() -> None:
    curve = SurvivalCurve("A", [2, 6], [0.75, 0.375], [2, 4, 6, 6], [False, True, False, True], median=6.0)
    assert [(n, texts(kaplan_meier([curve], ticks=[0, 2, 4, 6, 8], until=8)).count(n)) for n in ("4", "3")] == [
        ("4", 3),  # at 0, at 2, and the tick itself
        ("3", 1),
    ]


def test_a_curve_of_one_patient_and_a_median_that_is_not_reached_are_drawn() -> None:
    one = SurvivalCurve("One", [5.0], [1.0], [5.0], [True], [NAN], [NAN], median=NAN)
    shown = texts(kaplan_meier([one], p=NAN))
    assert any("not reached" in text for text in shown)
    assert not any(text.startswith("Log-rank") for text in shown)


@pytest.mark.parametrize(
    ("times", "survival", "message"),
    [
        ([], [], "at least 1"),
        ([1, 2], [0.9, NAN], "no finite numbers"),
        ([2, 1], [0.9, 0.8], "times must rise"),
        ([1, 2], [0.8, 0.9], "survival must fall"),
        ([1, 2], [0.8], "2 values are needed, not 1"),
    ],
)
def test_survival_that_cannot_be_is_refused(times: list[float], survival: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SurvivalCurve("A", times, survival, [1.0], [False])


def test_the_alluvial_prints_both_denominators_of_the_second_paper() -> None:
    # 58.2 % of all 579, though the text says "of those with metastases there"
    shown = texts(alluvial_figure(PLAIN))
    assert {"58.2%", "12.1%", "5.5%", "5.2%", "2.6%"} <= set(shown)
    assert "72.0% (337/468)" in shown


def test_every_ribbon_and_node_is_drawn_once() -> None:
    nodes = [AlluvialNode("Lung", 5), AlluvialNode("Bone", 3)]
    ribbons = [
        Ribbon("Lung", "Lung", 4),
        Ribbon("Lung", "Bone", 1),
        Ribbon("Bone", "Lung", 0),
        Ribbon("Bone", "Bone", 3),
    ]
    drawn = alluvial(nodes, nodes, ribbons, patients=6)
    # two nodes and two ribbons of the lung, two nodes and one ribbon of the bone
    assert (paths(drawn, "#0072b2"), paths(drawn, "#d55e00")) == (4, 3)


@pytest.mark.parametrize(
    ("ribbon", "message"),
    [(Ribbon("Lung", "Skin", 1), "not among the nodes"), (Ribbon("Lung", "Lung", 9), "more than one of the sites")],
)
def test_a_ribbon_that_cannot_be_is_refused(ribbon: Ribbon, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        alluvial([AlluvialNode("Lung", 5)], [AlluvialNode("Lung", 5)], [ribbon], patients=6)


def test_the_forest_says_reference_levels_and_ratios_as_the_paper_prints_them() -> None:
    rows = [
        ForestRow("Sex", kind="heading"),
        ForestRow("Female", kind="reference"),
        ForestRow("Male", (Estimate(0.533, 0.337, 0.844, 0.0073), None)),
        ForestRow("Separated", (Estimate(2.0, 0.0, float("inf"), 0.9), Estimate(3.0, NAN, NAN))),
    ]
    shown = texts(forest_plot(rows, models=("Crude", "Adjusted")))
    assert {"Crude", "Adjusted", "0.53 (0.34–0.84)", "0.007", "2.00 (0.00–∞)", "3.00"} <= set(shown)
    assert shown.count("reference") == 2


def test_a_forest_without_estimates_or_with_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        forest_plot([ForestRow("Sex", kind="heading")])
    with pytest.raises(ValueError, match="2 estimates are needed"):
        forest_plot([ForestRow("Male", (Estimate(1, 0.5, 2),))], models=("Crude", "Adjusted"))
    with pytest.raises(ValueError, match="positive"):
        forest_plot([ForestRow("Male", (Estimate(-1, -2, 0),))])
    with pytest.raises(ValueError, match="does not hold"):
        Estimate(2, 0.1, 1)
    assert texts(forest_plot([ForestRow("Male", (Estimate(-1, -2, 0),))], measure="Mean difference", log=False))


def test_roc_legends_tell_auc_numbers_and_the_operating_point() -> None:
    curve = RocCurve("Test", [0, 0.056, 1], [0, 0.72, 1], 0.878, (0.742, 0.958), None, (0.056, 0.72), 0.41, 18, 25)
    shown = texts(roc_curves([curve]))
    told = " ".join(shown)
    assert "Test (n = 18/25)" in told
    assert "AUC 0.878 (0.742–0.958)" in told
    assert "Cut-off 0.41: sens. 0.720, spec. 0.944" in told


def test_curves_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="must rise between 0 and 1"):
        RocCurve("x", [0, 0.5, 0.4, 1], [0, 0.5, 0.6, 1], 0.5)
    with pytest.raises(ValueError, match="no finite"):
        RocCurve("x", [0, NAN], [0, 1], 0.5)
    with pytest.raises(ValueError, match="AUC lies"):
        RocCurve("x", [0, 1], [0, 1], 1.5)
    with pytest.raises(ValueError, match="one confidence limit"):
        CalibrationCurve("x", [0.1, 0.2], [0.1, 0.2], lower=[0, 0])
    with pytest.raises(ValueError, match="probabilities lie"):
        CalibrationCurve("x", [0.1, 0.2], [0.1, 0.2], predictions=[1.2])
    with pytest.raises(ValueError, match="must rise"):
        DecisionCurve("x", [0.2, 0.1], [0, 0])
    with pytest.raises(ValueError, match="prevalence"):
        decision_curves([DecisionCurve("x", [0.1, 0.2], [0, 0])], prevalence=0)
    for empty in (roc_curves, calibration_plot, spider, swimmer, panels):
        with pytest.raises(ValueError, match="at least one"):
            empty([])


def test_unknown_net_benefit_and_limits_leave_gaps() -> None:
    curve = DecisionCurve("Rad-score", [0.1, 0.2, 0.3], [0.4, NAN, 0.2], [NAN] * 3, [NAN] * 3)
    assert "Rad-score" in texts(decision_curves([curve], prevalence=0.48))


def test_a_single_prediction_has_a_histogram() -> None:
    curve = CalibrationCurve("x", [0.1, 0.9], [0.2, 0.8], predictions=[0.5], outcomes=[1])
    assert "x (n = 1)" in texts(calibration_plot([curve]))


def test_lasso_figures_mark_both_penalties_and_count_what_is_not_zero() -> None:
    lambdas = np.geomspace(1, 0.01, 7)
    table = np.c_[np.linspace(0, 1, 7), np.zeros(7)]
    shown = texts(lasso_paths(lambdas, table, ["a", "b"], lambda_min=0.05, lambda_1se=0.2))
    assert {"λ.min", "λ.1se", "a"} <= set(shown)
    assert "b" not in shown
    counts = texts(
        lasso_cv(lambdas, np.ones(7), np.zeros(7), [7, 11, 13, 17, 19, 23, 29], lambda_min=0.05, lambda_1se=0.2)
    )
    assert {"7", "11", "13", "17", "19", "23", "29"} <= set(counts)
    with pytest.raises(ValueError, match="shape"):
        lasso_paths(lambdas, table.T, ["a", "b"])
    with pytest.raises(ValueError, match="positive"):
        lasso_cv([0, 1], [1, 1], [0, 0], [1, 1], lambda_min=1, lambda_1se=1)


def test_importances_are_ranked_by_size_and_cut_at_the_top() -> None:
    drawn = importances(["small", "large", "middle"], [0.1, -3, 2], ["Shape", "Shape", "Texture"], top=2)
    shown = texts(drawn)
    assert [text for text in shown if text in ("small", "large", "middle")] == ["large", "middle"]
    assert {"Shape (n = 1)", "Texture (n = 1)"} <= set(shown)
    with pytest.raises(ValueError, match="no finite"):
        importances(["a"], [NAN], ["Shape"])


def test_the_correlation_map_puts_alike_features_beside_each_other() -> None:
    matrix = np.eye(4)
    matrix[0, 2] = matrix[2, 0] = 0.9
    matrix[1, 3] = matrix[3, 1] = -0.8
    names = ["a", "b", "c", "d"]
    rows = [text for text in texts(correlation_map(matrix, names)) if text in names][:4]
    assert abs(rows.index("a") - rows.index("c")) == abs(rows.index("b") - rows.index("d")) == 1
    given = [text for text in texts(correlation_map(matrix, names, order=[3, 1, 0, 2])) if text in names]
    assert given[:4] == ["d", "b", "a", "c"]
    matrix[0] = matrix[:, 0] = NAN
    assert "nan" not in " ".join(texts(correlation_map(matrix, names)))
    assert texts(correlation_map([[1.0]], ["only"]))


@pytest.mark.parametrize(
    ("matrix", "order"), [([[1, 2], [2, 1]], "given"), ([[1, 0.5], [0.1, 1]], "given"), ([[1, 0], [0, 1]], [0, 0])]
)
def test_a_matrix_that_is_no_correlation_is_refused(matrix: list[list[float]], order: object) -> None:
    with pytest.raises(ValueError, match=r"correlations|order"):
        correlation_map(matrix, ["a", "b"], order=order)  # type: ignore[arg-type]


def test_the_icc_histogram_counts_what_is_kept_at_the_threshold_itself() -> None:
    # the paper drops what is 0.8 or less
    shown = texts(icc_histogram([0.8, 0.81, 0.2, -0.5, NAN]))
    assert {"kept (n = 1)", "dropped (n = 3)", "not computable (n = 1)"} <= set(shown)
    with pytest.raises(ValueError, match="no value"):
        icc_histogram([NAN])


def test_the_nomogram_writes_every_mark_and_refuses_an_outcome_out_of_reach() -> None:
    stage = NomogramAxis("Stage", (0, 30, 100), ("III", "IVA", "IVB"))
    shown = texts(
        nomogram([stage], [NomogramAxis("12-month survival", (10, 50, 90, 500), ("0.9", "0.5", "0.1", "0.01"))])
    )
    assert {"Points", "Total points", "III", "IVA", "IVB", "0.9", "0.5", "0.1"} <= set(shown)
    assert "0.01" not in shown
    with pytest.raises(ValueError, match="no mark"):
        nomogram([stage], [NomogramAxis("p", (500,), ("0.5",))])
    with pytest.raises(ValueError, match="at least one variable"):
        nomogram([], [stage])


def test_the_love_plot_prints_what_stays_out_of_balance() -> None:
    drawn = love_plot(
        ["Sex", "PD-L1", "ECOG"], [0.227, -0.176, 0.031], [0.012, 0.188, NAN], matched_on=[True, True, False]
    )
    shown = texts(drawn)
    assert {"0.188", "ECOG*"} <= set(shown)
    assert "0.012" not in shown
    with pytest.raises(ValueError, match="no finite"):
        love_plot(["Sex"], [NAN])


def test_the_waterfall_falls_and_tells_who_is_missing() -> None:
    drawn = waterfall([10, NAN, -50, 5], ["PD", "NE", "PR", "SD"], ylabel="Change (%)", lines=((-30, "−30%"),))
    shown = texts(drawn)
    assert {"not evaluable (n = 1)", "PR (n = 1)", "−30%"} <= set(shown)
    with pytest.raises(ValueError, match="no value"):
        waterfall([NAN], ["PD"], ylabel="x")
    with pytest.raises(ValueError, match="not among the levels: PD"):
        waterfall([1.0], ["PD"], ylabel="x", levels=("CR",))


def test_courses_and_lanes_of_one_point_are_drawn() -> None:
    assert "SD (n = 1)" in texts(spider([Course([0.0], [0.0], "SD")]))
    assert "001" in texts(swimmer([Swimmer("001", ((0, 0, "First line"),), ((0.0, "PD"),), ongoing=True)]))
    with pytest.raises(ValueError, match="end after it starts"):
        Swimmer("001", ((2, 1, "First line"),))


def test_scores_of_one_patient_and_of_equal_values_are_drawn_and_an_empty_class_is_refused() -> None:
    drawn = scores_by_class(
        (("A", [0.5]), ("B", [0.2, 0.2, 0.2])), ylabel="Rad-score", kind="violin", p=0.0312, test="t"
    )
    assert {"t P = 0.031", "A", "n = 1", "n = 3"} <= {part for text in texts(drawn) for part in text.split("\n")}
    with pytest.raises(ValueError, match="B: at least 1"):
        scores_by_class((("A", [0.5]), ("B", [])), ylabel="x")


def test_bars_print_the_percentages_of_the_paper() -> None:
    groups = (SharesOfGroup("Oligo", (Share(184, 289),)), SharesOfGroup("Systemic", (Share(119, 290),)))
    shown = texts(grouped_bars(("ORR",), groups, p=(5e-8,)))
    assert {"63.7", "41.0", "P < 0.001", "Oligo (n = 289)"} <= set(shown)
    nobody = SharesOfGroup("Nobody", (Share(0, 0),))
    assert "–" in texts(grouped_bars(("ORR",), (nobody, *groups), p=(None,)))
    with pytest.raises(ValueError, match="is no share"):
        Share(3, 2)


def test_stacked_bars_must_add_up() -> None:
    group = SharesOfGroup("Oligo", (Share(97, 289), Share(119, 289), Share(73, 289)))
    shown = " ".join(texts(stacked_bars(("<1%", "1–49%", "≥50%"), (group,))))
    assert "(33.6%)" in shown
    with pytest.raises(ValueError, match="do not add up"):
        stacked_bars(("<1%",), (SharesOfGroup("Oligo", (Share(97, 289),)),))


def test_an_empty_bin_of_time_stays_empty() -> None:
    shown = texts(shares_over_time(("0–8", "8–10", "> 10"), (Share(3, 10), Share(0, 0), Share(5, 6)), label="Oligo"))
    assert {"3/10", "0/0", "5/6"} <= set(shown)
    with pytest.raises(ValueError, match="no bin"):
        shares_over_time(("0–8",), (Share(0, 0),), label="Oligo")


def test_panels_carry_letters_and_the_content_of_each() -> None:
    one = kaplan_meier([survival_curve("Primary", 40, 8.0, 1)])
    shown = texts(panels([one, one, one], columns=2))
    assert {"A", "B", "C"} <= set(shown)
    assert shown.count("Number at risk") == 3
