"""The lasso meets its conditions of optimality, and R's glmnet meets it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.training.lasso import Floats, LassoPath, lambda_grid, lasso_path
from pipelines.training.lasso_cv import cv_lasso
from tests.tools import tool


@pytest.fixture(scope="module")
def wdbc(shared_data: Path) -> tuple[Floats, Floats, Any]:
    # UCI Wisconsin Diagnostic Breast Cancer, CC BY 4.0, with a fixed fold for each case
    table = np.genfromtxt(shared_data.parent / "oracles" / "wdbc_foldid.csv", delimiter=",", skip_header=1)
    return table[:, :30], table[:, 30], table[:, 31].astype(int)


@pytest.fixture(scope="module")
def glmnet(shared_data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_data.parent / "oracles/glmnet_wdbc_explicit_lambda.json").read_text())
    return found


@pytest.mark.parametrize(
    ("family", "measure"),
    [("gaussian", "mse"), ("binomial", "deviance"), ("binomial", "auc"), ("binomial", "class")],
)
def test_cross_validation_chooses_as_cv_glmnet_does(wdbc: Any, glmnet: Any, family: Any, measure: Any) -> None:
    # glmnet 4.1.6 with thresh = 1e-14
    values, outcome, fold = wdbc
    expected = glmnet[f"{family} {measure}"]
    found = cv_lasso(values, outcome, fold, family=family, measure=measure, most_deviance=None)
    lambdas = np.array(expected["lambda"])
    np.testing.assert_allclose(found.path.lambdas, lambdas, rtol=1e-12)
    assert found.index_min == int(np.argmin(np.abs(lambdas - expected["lambda_min"])))
    assert found.index_1se == int(np.argmin(np.abs(lambdas - expected["lambda_1se"])))
    np.testing.assert_allclose(found.mean, expected["cvm"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.sd, expected["cvsd"], rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def stopped(wdbc: Any, glmnet: Any) -> LassoPath:
    values, outcome, _ = wdbc
    lambdas = np.array(glmnet["binomial class"]["lambda"][:65])
    return lasso_path(values, outcome, lambdas, family="binomial", threshold=1e-14)


@pytest.mark.parametrize("rule", ["min", "1se"])
@pytest.mark.parametrize("case", ["binomial deviance", "binomial auc", "binomial class"])
def test_coefficients_are_those_of_glmnet(stopped: LassoPath, glmnet: Any, case: str, rule: str) -> None:
    # even with thresh = 1e-14 glmnet ends up to 1.005e-4 before the optimum, so its own last steps are compared
    expected = glmnet[case]
    index = int(np.argmin(np.abs(stopped.lambdas - expected[f"lambda_{rule}"])))
    np.testing.assert_allclose(stopped.standardised[index], expected[f"coef_std_{rule}"], rtol=0, atol=1e-5)
    assert stopped.intercepts[index] == pytest.approx(expected[f"coef_{rule}"][0], rel=1e-5)


def test_the_optimum_is_where_glmnet_goes_to(wdbc: Any) -> None:
    # glmnet 4.1.6, thresh = 1e-24 (353,322 passes), features 21 and 24 at the penalty that "class" and 1se choose
    values, outcome, _ = wdbc
    path = lasso_path(values, outcome, lambda_grid(values, outcome)[:55], family="binomial")
    np.testing.assert_allclose(path.standardised[54, [20, 23]], [-3.52939078, -0.40094176], rtol=0, atol=2e-7)


@pytest.mark.parametrize("rule", ["min", "1se"])
def test_linear_coefficients_are_those_of_glmnet(wdbc: Any, glmnet: Any, rule: str) -> None:
    values, outcome, _ = wdbc
    expected = glmnet["gaussian mse"]
    path = lasso_path(values, outcome, np.array(expected["lambda"]), family="gaussian")
    index = int(np.argmin(np.abs(path.lambdas - expected[f"lambda_{rule}"])))
    np.testing.assert_allclose(path.standardised[index], expected[f"coef_std_{rule}"], rtol=0, atol=1e-4)


def test_r_as_it_comes_finds_the_same_path_to_the_last_digits(tmp_path: Path) -> None:
    # more features than cases that nearly repeat each other, where glmnet's default ends far from the optimum
    random = np.random.default_rng(7)
    base = random.normal(size=(90, 40))
    values = np.hstack([base, base + 0.3 * random.normal(size=(90, 40)), base + 0.3 * random.normal(size=(90, 40))])
    outcome = (values[:, :6].sum(axis=1) + 2.0 * random.normal(size=90) > 0).astype(float)
    fold = np.arange(90) % 9
    lambdas = lambda_grid(values, outcome)
    ours = cv_lasso(values, outcome, fold, family="binomial", measure="deviance", lambdas=lambdas, threshold=1e-7)
    exact = cv_lasso(values, outcome, fold, family="binomial", measure="deviance", lambdas=lambdas)
    theirs = in_r(tmp_path, values, outcome, fold, ours.path.lambdas)
    np.testing.assert_allclose(ours.path.coefficients, theirs["beta"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.mean, theirs["cvm"], rtol=0, atol=1e-10)
    chosen = [ours.lambda_min, ours.lambda_1se]
    np.testing.assert_allclose(chosen, [theirs["min"], theirs["se"]], rtol=1e-12)
    assert np.abs(exact.path.coefficients[-1] - theirs["beta"][len(exact.path.lambdas) - 1]).max() > 1e-4


def in_r(folder: Path, values: Floats, outcome: Floats, fold: Any, lambdas: Floats) -> dict[str, Any]:
    """What cv.glmnet, as it comes, makes of the same folds and penalties."""
    program = tool("Rscript", "r-base-core")
    np.savetxt(folder / "values.csv", values, delimiter=",", fmt="%.17g")
    np.savetxt(folder / "outcome.csv", outcome, fmt="%d")
    np.savetxt(folder / "fold.csv", fold + 1, fmt="%d")
    np.savetxt(folder / "lambda.csv", lambdas, fmt="%.17g")
    done = subprocess.run([program, "-e", _R], cwd=folder, capture_output=True, text=True, check=False)
    if "there is no package called" in done.stderr:
        pytest.skip("glmnet (package r-cran-glmnet) is not installed")
    assert done.returncode == 0, done.stderr
    best = np.loadtxt(folder / "chosen.csv")
    return {
        "beta": np.loadtxt(folder / "beta.csv", delimiter=","),
        "cvm": np.loadtxt(folder / "cvm.csv"),
        "min": best[0],
        "se": best[1],
    }


_R = """
suppressMessages(library(glmnet))
x <- as.matrix(read.csv("values.csv", header = FALSE)); y <- scan("outcome.csv", quiet = TRUE)
f <- scan("fold.csv", quiet = TRUE); l <- scan("lambda.csv", quiet = TRUE)
g <- cv.glmnet(x, y, family = "binomial", foldid = f, lambda = l)
put <- function(v, to) write(format(v, digits = 17), to, ncolumns = 1)
write.table(format(t(as.matrix(g$glmnet.fit$beta)), digits = 17), "beta.csv", sep = ",", quote = FALSE,
  row.names = FALSE, col.names = FALSE)
put(g$cvm, "cvm.csv"); put(c(g$lambda.min, g$lambda.1se), "chosen.csv")
"""


def _violation(values: Floats, outcome: Floats, *, logistic: bool) -> float:
    """How far the path is from the Karush-Kuhn-Tucker conditions, at its worst."""
    grid = lambda_grid(values, outcome)
    path = lasso_path(values, outcome, grid, family="binomial" if logistic else "gaussian", most_deviance=0.999)
    standardised = (values - path.mean) / path.sd
    worst = 0.0
    for penalty, predictor, beta in zip(path.lambdas, path.linear_predictors(values).T, path.standardised, strict=True):
        fitted = 1.0 / (1.0 + np.exp(-predictor)) if logistic else predictor
        gradient = standardised.T @ (outcome - fitted) / len(outcome)
        inside = beta != 0.0
        worst = max(
            worst,
            abs(float(np.mean(outcome - fitted))),
            float(np.max(np.abs(gradient[inside] - penalty * np.sign(beta[inside])), initial=0.0)),
            float(np.max(np.abs(gradient[~inside]) - penalty, initial=0.0)),
        )
    return worst


@pytest.mark.parametrize("logistic", [True, False])
def test_every_solution_is_optimal(wdbc: Any, logistic: bool) -> None:
    assert _violation(wdbc[0], wdbc[1], logistic=logistic) < 1e-8


@pytest.mark.parametrize("logistic", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_more_features_than_cases_are_no_difficulty(seed: int, logistic: bool) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=(60, 150)) @ (np.eye(150) + 0.15 * random.normal(size=(150, 150)))
    outcome = (values[:, :4].sum(axis=1) + 2.0 * random.normal(size=60) > 0).astype(float)
    assert _violation(values, outcome, logistic=logistic) < 1e-8


@pytest.mark.parametrize("logistic", [True, False])
def test_equal_features_and_separated_classes_are_no_difficulty(logistic: bool) -> None:
    random = np.random.default_rng(1)
    some = random.normal(size=(60, 20))
    values = np.hstack([some, some, some[:, :1] + some[:, 1:2], np.full((60, 1), 3.3)])
    outcome = (some[:, 0] + 0.5 * some[:, 1] > 0).astype(float)
    assert _violation(values, outcome, logistic=logistic) < 1e-8


def test_a_feature_without_spread_stays_out() -> None:
    random = np.random.default_rng(0)
    values = np.column_stack([random.normal(size=40), np.full(40, 1234.567)])
    path = lasso_path(values, values[:, 0] + 1.0, lambda_grid(values, values[:, 0]), family="gaussian")
    assert not path.coefficients[:, 1].any()


def test_the_path_ends_where_nothing_is_left_to_explain() -> None:
    random = np.random.default_rng(3)
    values = random.normal(size=(30, 8))
    outcome = (values[:, 0] > 0).astype(float)
    path = lasso_path(values, outcome, lambda_grid(values, outcome), family="binomial", most_deviance=0.999)
    assert path.deviance_ratio[-1] >= 0.999 > path.deviance_ratio[-2]
    assert len(path.lambdas) < 100


def test_only_a_logistic_path_can_end_where_glmnet_does() -> None:
    values = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ValueError, match="binomial"):
        lasso_path(values, values[:, 0], lambda_grid(values, values[:, 0]), family="gaussian", threshold=1e-7)


def test_a_measure_must_belong_to_the_family_and_the_auc_needs_cases() -> None:
    values, outcome = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2.0
    fold = np.arange(40) // 4
    with pytest.raises(ValueError, match="no measure of a gaussian"):
        cv_lasso(values, outcome, fold, family="gaussian", measure="auc")
    with pytest.raises(ValueError, match="10 cases a fold"):
        cv_lasso(values, outcome, fold, family="binomial", measure="auc")


def test_the_penalty_is_the_same_when_hopeless_ones_are_not_tried() -> None:
    for seed in range(4):
        random = np.random.default_rng(seed)
        values = random.normal(size=(80, 40))
        outcome = (values[:, :3].sum(axis=1) * (seed % 2) + 2.0 * random.normal(size=80) > 0).astype(float)
        fold = np.arange(80) % 8
        whole = cv_lasso(values, outcome, fold, family="binomial", measure="deviance")
        short = cv_lasso(values, outcome, fold, family="binomial", measure="deviance", patience=1.0)
        assert (short.index_min, short.index_1se) == (whole.index_min, whole.index_1se)
        assert len(short.mean) < len(whole.mean)
        np.testing.assert_array_equal(short.mean, whole.mean[: len(short.mean)])
