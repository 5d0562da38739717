"""Logistic regression against R's glm, against Firth's closed form, and against brute force."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special

from pipelines.statistics.contingency import odds_ratio
from pipelines.statistics.likelihood import NotConvergedError
from pipelines.statistics.logistic import design, fit, odds_ratios, univariable
from pipelines.statistics.values import Outcome, Term, categorical, numeric, outcome

Oracle = Callable[[str], Any]
Columns = dict[str, list[str]]


@pytest.fixture(scope="module")
def poor(table: Callable[[str], Columns]) -> tuple[Outcome, list[Term]]:
    data = table("aSAH")
    return (
        outcome(data["outcome"], positive_class="Poor"),
        [
            numeric("s100b", [float(value) for value in data["s100b"]]),
            numeric("age", [float(value) for value in data["age"]]),
            categorical("gender", data["gender"], reference="Male"),
        ],
    )


def test_a_model_is_that_of_r(poor: tuple[Outcome, list[Term]], oracle: Oracle) -> None:
    expected = oracle("logistic_aSAH")
    found = fit(*poor)
    # R's glm stops at a relative change of the deviance of 1e-8
    assert found.coefficients == pytest.approx(expected["coef"], abs=1e-11)
    assert found.standard_errors == pytest.approx(expected["se"], abs=2e-7)
    assert found.log_likelihood == pytest.approx(expected["loglik"], abs=1e-11)
    assert found.aic == pytest.approx(expected["aic"], abs=1e-11)
    assert found.bic == pytest.approx(expected["bic"], abs=1e-11)
    assert found.deviance == pytest.approx(expected["dev"], abs=1e-9)
    assert found.null_deviance == pytest.approx(expected["null_dev"], abs=1e-9)
    assert found.probabilities.mean() == pytest.approx(expected["fitted_mean"], abs=1e-9)
    assert found.labels == ("(Intercept)", "s100b", "age", "gender=Female")
    assert found.events_per_variable == pytest.approx(41 / 3)
    assert not found.penalised


def test_its_odds_ratios_and_intervals_are_those_of_r(poor: tuple[Outcome, list[Term]], oracle: Oracle) -> None:
    expected = oracle("logistic_aSAH")
    for place, found in enumerate(odds_ratios(fit(*poor), profile=True), start=1):
        assert found.odds_ratio == pytest.approx(expected["or"][place], rel=2e-7)
        assert found.z == pytest.approx(expected["z"][place], abs=2e-6)
        assert found.p == pytest.approx(expected["p"][place], rel=1e-5)
        assert found.wald.lower == pytest.approx(expected["wald_lower"][place], rel=1e-6)
        assert found.wald.upper == pytest.approx(expected["wald_upper"][place], rel=1e-6)
        assert found.profile is not None
        # MASS interpolates the profile by a spline
        assert found.profile.lower == pytest.approx(expected["profile_lower"][place], rel=3e-4)
        assert found.profile.upper == pytest.approx(expected["profile_upper"][place], rel=3e-4)


def test_it_agrees_with_statsmodels(poor: tuple[Outcome, list[Term]]) -> None:
    statsmodels = pytest.importorskip("statsmodels.api")
    result, terms = poor
    peer = statsmodels.Logit(result.happened.astype(float), design(terms, result.n)).fit(
        disp=False, method="newton", tol=1e-14
    )
    found = fit(result, terms)
    assert found.coefficients == pytest.approx(peer.params, abs=1e-10)
    assert found.standard_errors == pytest.approx(peer.bse, abs=1e-10)


def test_an_odds_ratio_names_its_outcome_its_reference_and_what_it_is_adjusted_for(
    poor: tuple[Outcome, list[Term]],
) -> None:
    result, terms = poor
    adjusted = odds_ratios(fit(result, terms))[-1]
    assert (adjusted.event, adjusted.term, adjusted.level, adjusted.reference) == ("Poor", "gender", "Female", "Male")
    assert (adjusted.adjusted_for, adjusted.adjusted) == (("s100b", "age"), True)
    crude = univariable(result, terms)
    assert [(ratio.term, ratio.adjusted) for ratio in crude] == [("s100b", False), ("age", False), ("gender", False)]
    assert crude[0].reference is crude[0].level is None


# Huang 2025, table 1 before matching: oligoprogression and systemic progression by row, and the P it prints
SEED_B = {
    "age >= 60": ([[163, 151], [126, 139]], 0.296),
    "male": ([[255, 232], [34, 58]], 0.007),
    "smoker": ([[233, 211], [56, 79]], 0.026),
    "ECOG 1": ([[246, 250], [43, 40]], 0.709),
    "brain metastasis": ([[22, 31], [267, 259]], 0.201),
    "squamous": ([[200, 148], [89, 142]], 9e-6),
    "stage IV": ([[222, 241], [67, 49]], 0.060),
}


@pytest.mark.parametrize("row", SEED_B)
def test_the_p_values_before_matching_are_walds(row: str) -> None:
    ((a, b), (c, d)), printed = SEED_B[row]
    exposed = ["yes"] * (a + b) + ["no"] * (c + d)
    pattern = ["oligo"] * a + ["systemic"] * b + ["oligo"] * c + ["systemic"] * d
    (found,) = univariable(outcome(pattern, positive_class="systemic"), [categorical(row, exposed, reference="no")])
    assert found.p == pytest.approx(printed, abs=5e-4 if printed > 1e-4 else 5e-7)
    woolf = odds_ratio([[b, a], [d, c]])
    assert found.odds_ratio == pytest.approx(woolf.estimate, rel=1e-9)
    assert (found.wald.lower, found.wald.upper) == pytest.approx((woolf.interval.lower, woolf.interval.upper), rel=1e-9)


def fourfold(a: int, b: int, c: int, d: int) -> tuple[Outcome, list[Term]]:
    """Events and others among the exposed, then among the others."""
    exposed = ["yes"] * (a + b) + ["no"] * (c + d)
    happened = ["event"] * a + ["none"] * b + ["event"] * c + ["none"] * d
    return outcome(happened, positive_class="event"), [categorical("exposure", exposed, reference="no")]


@pytest.mark.parametrize("cells", [(7, 0, 3, 9), (3, 2, 5, 4), (30, 12, 9, 41)])
def test_firths_estimate_of_a_fourfold_table_adds_half_a_case_to_each_cell(cells: tuple[int, int, int, int]) -> None:
    # in a saturated model Jeffreys' prior is half a case in each cell (Firth 1993, section 4)
    result, terms = fourfold(*cells)
    (found,) = odds_ratios(fit(result, terms, penalty="firth"))
    a, b, c, d = (cell + 0.5 for cell in cells)
    assert found.coefficient == pytest.approx(np.log(a * d / (b * c)), abs=1e-9)
    assert found.penalised


def penalised(coefficients: np.ndarray, columns: np.ndarray, happened: np.ndarray) -> float:
    linear = columns @ coefficients
    weights = special.expit(linear) * special.expit(-linear)
    information = columns.T @ (columns * weights[:, None])
    return float((happened * linear - np.logaddexp(0, linear)).sum() + np.linalg.slogdet(information)[1] / 2)


def test_firths_estimate_and_profile_are_where_brute_force_finds_them() -> None:
    rng = np.random.default_rng(5)
    size = rng.normal(size=24)
    marker = np.where(rng.random(24) < 0.3, "high", "low")
    happened = np.where(rng.random(24) < special.expit(size), "event", "none")
    # nobody with a high marker goes without the event: quasi-separated
    happened[marker == "high"] = "event"
    result = outcome(happened, positive_class="event")
    terms = [numeric("size", size), categorical("marker", list(marker), reference="low")]
    with pytest.raises(NotConvergedError, match="separate"):
        fit(result, terms)
    model = fit(result, terms, penalty="when-separated")
    columns, y = model.design, result.happened.astype(float)
    best = optimize.minimize(
        lambda b: -penalised(b, columns, y),
        np.zeros(3),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000},
    )
    assert model.penalised
    assert model.coefficients == pytest.approx(best.x, abs=1e-5)
    assert model.log_likelihood == pytest.approx(-best.fun, abs=1e-9)

    def without(value: float, place: int) -> float:
        others = [index for index in range(3) if index != place]

        def negative(free: np.ndarray) -> float:
            whole = np.zeros(3)
            whole[place], whole[others] = value, free
            return -penalised(whole, columns, y)

        return -float(
            optimize.minimize(negative, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).fun
        )

    for place, ratio in enumerate(odds_ratios(model, profile=True), start=1):
        assert ratio.profile is not None
        for limit in (ratio.profile.lower, ratio.profile.upper):
            if 0 < limit < np.inf:
                assert 2 * (-best.fun - without(np.log(limit), place)) == pytest.approx(3.841458820694124, abs=1e-6)
        statistic = 2 * (-best.fun - without(0.0, place))
        assert ratio.p == pytest.approx(float(special.chdtrc(1, statistic)), rel=1e-5)


# Foxman et al. 1997, data `sex2` of logistf: women with and without urinary tract infection by the six indicators
INFECTIONS = """
000010:1/1 001000:14/2 001010:3/1 001100:10/8 001110:12/18 001111:1/0 010000:44/42 010001:3/0 010010:0/1 011000:15/1
011001:1/0 011010:2/0 011100:7/5 011110:3/6 101000:2/0 101010:1/0 101011:1/0 101100:1/2 101110:0/4 101111:1/0
110000:5/14 110010:0/1 111000:3/1 111110:0/2
"""
INDICATORS = ["age", "oc", "vic", "vicl", "vis", "dia"]
# logistf(case ~ age + oc + vic + vicl + vis + dia, sex2): coefficients and profile limits, intercept first
LOGISTF = [
    (0.12025405, -0.8185591, 1.07315122),
    (-1.10598131, -1.9737884, -0.30742514),
    (-0.06881673, -0.9414363, 0.78920202),
    (2.26887464, 1.2730216, 3.43543273),
    (-2.11140817, -3.2608611, -1.11773495),
    (-0.78831694, -1.6080879, 0.01518468),
    (3.09601166, 0.7745682, 8.03029352),
]


def test_firths_estimates_and_limits_are_those_of_logistf() -> None:
    rows: list[list[int]] = []
    for pattern, cell in (entry.split(":") for entry in INFECTIONS.split()):
        infected, well = map(int, cell.split("/"))
        rows += [[*map(int, pattern), event] for event, n in ((1, infected), (0, well)) for _ in range(n)]
    data = np.array(rows)
    assert data.shape == (239, 7)
    terms = [numeric(name, data[:, index]) for index, name in enumerate(INDICATORS)]
    model = fit(outcome(data[:, 6], positive_class=1), terms, penalty="firth")
    assert model.coefficients == pytest.approx([row[0] for row in LOGISTF], rel=2e-5)
    for found, (_, lower, upper) in zip(odds_ratios(model, profile=True), LOGISTF[1:], strict=True):
        assert found.profile is not None
        assert np.log([found.profile.lower, found.profile.upper]) == pytest.approx([lower, upper], rel=2e-5)


def test_separated_classes_are_noticed_before_the_estimate_runs_away() -> None:
    result, terms = fourfold(7, 0, 3, 9)
    assert fit(result, terms, penalty="when-separated").penalised
    assert not fit(*fourfold(7, 1, 3, 9), penalty="when-separated").penalised


def test_terms_that_repeat_each_other_are_refused(poor: tuple[Outcome, list[Term]]) -> None:
    result, terms = poor
    age = terms[1]
    with pytest.raises(ValueError, match="collinear"):
        fit(result, [*terms, numeric("months", 12 * age.columns[:, 0])])


def test_units_do_not_matter(poor: tuple[Outcome, list[Term]]) -> None:
    result, terms = poor
    scaled = [terms[0], numeric("age in microseconds", terms[1].columns[:, 0] * 3.15e13), terms[2]]
    one, other = fit(result, terms), fit(result, scaled)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-8)
    assert other.coefficients[2] * 3.15e13 == pytest.approx(one.coefficients[2], rel=1e-6)


def test_levels_and_references_must_exist() -> None:
    with pytest.raises(ValueError, match="reference"):
        categorical("stage", ["III", "IV"], reference="II")
    with pytest.raises(ValueError, match="reference"):
        categorical("stage", ["III", "III"], reference="III")
    with pytest.raises(ValueError, match="missing"):
        numeric("age", [1.0, float("nan")])
