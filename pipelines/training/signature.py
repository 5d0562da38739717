"""The recipe as one scikit-learn Pipeline, so that whatever depends on data is fitted anew in every fold."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from pipelines.statistics import logistic
from pipelines.statistics.likelihood import NotConvergedError
from pipelines.statistics.values import Outcome, numeric
from pipelines.training.lasso import Floats, lambda_grid, lasso_path
from pipelines.training.lasso_cv import LassoCv, cv_lasso
from pipelines.training.profiles import Recipe
from pipelines.training.selection import Flags, UnivariateTest, uncorrelated, univariate_p, varying

Seed = int
Estimator = Literal["lasso", "logistic", "firth"]
Groups = NDArray[np.int_]


class _Columns(SelectorMixin, BaseEstimator):  # type: ignore[misc]
    """A step that keeps some columns."""

    def _get_support_mask(self) -> Flags:
        return self.kept_

    def _keep(self, kept: Flags) -> Any:
        self.kept_ = kept
        self.n_features_in_ = len(kept)
        return self


class Varying(_Columns):
    """Leaves out what is the same for all cases, or undefined for one."""

    def fit(self, values: Floats, positive: Any = None) -> "Varying":
        """Look at the training cases."""
        self._keep(varying(values))
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class Univariate(_Columns):
    """Leaves out features whose p is above a limit."""

    def __init__(self, test: UnivariateTest = "mann-whitney", most_p: float = 1.0) -> None:
        self.test = test
        self.most_p = most_p

    def fit(self, values: Floats, positive: Floats) -> "Univariate":
        """Test each feature in the training cases."""
        self.p_ = univariate_p(values, positive.astype(np.bool_), self.test)
        self._keep(self.p_ <= self.most_p)
        return self


class Uncorrelated(_Columns):
    """Leaves out features that repeat one with a lower p."""

    def __init__(self, test: UnivariateTest = "mann-whitney", limit: float = 0.85) -> None:
        self.test = test
        self.limit = limit

    def fit(self, values: Floats, positive: Floats) -> "Uncorrelated":
        """Compare features in the training cases."""
        self.p_ = univariate_p(values, positive.astype(np.bool_), self.test)
        self._keep(uncorrelated(values, self.p_, limit=self.limit))
        return self


class LassoLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A logistic model on the features that a lasso keeps.

    Attributes
    ----------
    coef_, intercept_
        On the values as they come into this step, shapes (features,) and ().
    cv_
        The lasso path with its cross-validation; None when `penalty` was given.
    penalty_
        The penalty used.
    estimator_
        What fitted the coefficients in the end: "firth" where the features that the lasso kept separate the classes,
        "lasso" also where not even Firth's likelihood has a maximum within reach.
    """

    def __init__(
        self,
        recipe: Recipe | None = None,
        seed: Seed = 0,
        *,
        penalty: float | None = None,
        patience: float | None = None,
    ) -> None:
        self.recipe = recipe
        self.seed = seed
        self.penalty = penalty
        self.patience = patience

    def fit(self, values: Floats, positive: Floats, groups: Groups | None = None) -> "LassoLogistic":
        """Choose the penalty by cross-validation unless one was given, then fit.

        No fold separates cases of one group: cases that a bootstrap drew twice would otherwise test themselves.
        """
        recipe = self.recipe or Recipe()
        outcome = positive.astype(np.float64)
        self.classes_ = np.array([0, 1])
        self.cv_: LassoCv | None = None
        if self.penalty is None:
            fold = folds_of(outcome.astype(np.bool_), recipe.folds, seed=self.seed, groups=groups)
            grid = lambda_grid(values, outcome, count=recipe.penalties)
            self.cv_ = cv_lasso(
                values,
                outcome,
                fold,
                family="binomial",
                measure=recipe.measure,
                lambdas=grid,
                patience=self.patience,
                threshold=recipe.threshold,
            )
            index = self.cv_.index(recipe.rule)
            path = self.cv_.path
        else:
            path = lasso_path(values, outcome, np.array([self.penalty]), family="binomial")
            index = 0
        self.penalty_ = float(path.lambdas[index])
        self.coef_ = path.coefficients[index].copy()
        self.intercept_ = float(path.intercepts[index])
        self.lasso_coef_ = self.coef_.copy()
        self.estimator_: Estimator = "lasso"
        if recipe.coefficients == "logistic" and self.coef_.any():
            self._refit(values, outcome)
        return self

    def _refit(self, values: Floats, outcome: Floats) -> None:
        kept = np.flatnonzero(self.coef_)
        terms = [numeric(str(column), values[:, column]) for column in kept]
        try:
            model = logistic.fit(Outcome("positive", outcome == 1.0), terms, penalty="when-separated")
        except NotConvergedError:
            return
        self.intercept_ = float(model.coefficients[0])
        self.coef_[kept] = model.coefficients[1:]
        self.estimator_ = "firth" if model.penalised else "logistic"

    def decision_function(self, values: Floats) -> Floats:
        """Linear predictors, shape (cases,)."""
        return np.asarray(values @ self.coef_ + self.intercept_)

    def predict_proba(self, values: Floats) -> Floats:
        """Probabilities of the negative and the positive class, shape (cases, 2)."""
        positive = 1.0 / (1.0 + np.exp(-np.clip(self.decision_function(values), -700.0, 700.0)))
        return np.column_stack([1.0 - positive, positive])

    def predict(self, values: Floats) -> NDArray[np.int_]:
        """1 where the positive class is the more likely one."""
        return np.asarray((self.decision_function(values) > 0.0).astype(np.int_))


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """A fitted linear predictor: intercept + sum of coefficient * (value - mean) / sd.

    Attributes
    ----------
    columns
        Of the features in the model, in the order of the table.
    coefficients, mean, sd
        One for each of `columns`; mean and SD (with N) are those of the training cases.
    """

    columns: tuple[int, ...]
    coefficients: Floats
    mean: Floats
    sd: Floats
    intercept: float

    def linear_predictor(self, values: Floats) -> Floats:
        """Of each case, shape (cases,); `values` has shape (cases, all features)."""
        chosen = (values[:, list(self.columns)] - self.mean) / self.sd
        return np.asarray(self.intercept + chosen @ self.coefficients)


def signature_pipeline(
    recipe: Recipe, *, seed: Seed, penalty: float | None = None, patience: float | None = None
) -> Any:
    """The steps from all features to the probability: variance, scale, univariate p, correlation, lasso, logistic.

    Columns must come in the order in which equal p are to be settled. A list of reliable features (by their ICC), which
    no outcome had a part in, belongs before it: fixed once, it is no step that is fitted.

    Parameters
    ----------
    penalty
        Of the lasso; None to choose it by cross-validation.
    patience
        Of that cross-validation, see `cv_lasso`.
    """
    return Pipeline(
        [
            ("varying", Varying()),
            ("scale", StandardScaler()),
            ("univariate", Univariate(recipe.test, recipe.most_p)),
            ("uncorrelated", Uncorrelated(recipe.test, recipe.most_correlation)),
            ("lasso", LassoLogistic(recipe, seed, penalty=penalty, patience=patience)),
        ]
    )


def fitted(
    values: Floats,
    positive: Flags,
    recipe: Recipe,
    *,
    seed: Seed,
    penalty: float | None = None,
    patience: float | None = None,
    groups: Groups | None = None,
) -> Any:
    """The pipeline fitted to the training cases, on one core: its matrices are too small to share among several.

    With more, the same numbers take up to ten times as long, and their last bits depend on the machine.
    """
    with threadpool_limits(1):
        made = signature_pipeline(recipe, seed=seed, penalty=penalty, patience=patience)
        return made.fit(values, positive.astype(np.int_), lasso__groups=groups)


def signature_of(pipeline: Any) -> Signature:
    """The linear predictor of a fitted pipeline in terms of the features as they came."""
    columns = candidate_columns(pipeline)
    scale = pipeline.named_steps["scale"]
    inner = np.flatnonzero(pipeline.named_steps["univariate"].kept_)[pipeline.named_steps["uncorrelated"].kept_]
    lasso = pipeline.named_steps["lasso"]
    kept = np.flatnonzero(lasso.coef_)
    return Signature(
        tuple(int(c) for c in columns[kept]),
        lasso.coef_[kept],
        scale.mean_[inner][kept],
        scale.scale_[inner][kept],
        lasso.intercept_,
    )


def candidate_columns(pipeline: Any) -> NDArray[np.int_]:
    """Columns that reached the lasso, in the order of the table."""
    columns = np.arange(len(pipeline.named_steps["varying"].kept_))
    for step in ("varying", "univariate", "uncorrelated"):
        columns = columns[pipeline.named_steps[step].kept_]
    return columns


def folds_of(positive: Flags, folds: int, *, seed: Seed, groups: Groups | None = None) -> NDArray[np.int_]:
    """Number of the fold of each case, drawn at random with as many of each class in each fold as can be.

    There are not more folds than the smaller class has cases, or than there are groups.
    """
    count = max(2, min(folds, int(positive.sum()), int((~positive).sum())))
    blank = np.zeros((len(positive), 1))
    if groups is None:
        splits = StratifiedKFold(count, shuffle=True, random_state=seed).split(blank, positive)
    else:
        count = min(count, len(np.unique(groups)))
        splits = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(blank, positive, groups)
    fold = np.empty(len(positive), dtype=np.int_)
    for number, (_, test) in enumerate(splits):
        fold[test] = number
    return fold
