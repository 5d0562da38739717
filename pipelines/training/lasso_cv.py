"""The penalty of a lasso by cross-validation, as cv.glmnet chooses it."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipelines.training.lasso import Family, Floats, LassoPath, LassoWalk, lambda_grid

Measure = Literal["mse", "deviance", "auc", "class"]
Rule = Literal["min", "1se"]

MEASURES: Final[dict[Family, tuple[Measure, ...]]] = {
    "gaussian": ("mse",),
    "binomial": ("deviance", "auc", "class"),
}
LEAST_PER_FOLD_FOR_AUC: Final = 10
"""With fewer cases a fold cv.glmnet refuses the AUC as measure, too."""

_LEAST_PROBABILITY: Final = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class LassoCv:
    """A lasso path with its cross-validated error at each penalty.

    Attributes
    ----------
    path
        Fitted to all cases.
    mean, sd
        Of the measure over the folds, weighted by their sizes, and its standard error; shape (penalties,). The AUC is
        the better the larger it is, every other measure the smaller.
    predictors
        Linear predictor of each case at each penalty from the fit that did not see the case, shape (cases, penalties).
    index_min, index_1se
        The best penalty, and the largest whose measure is within one standard error of it.
    """

    path: LassoPath
    measure: Measure
    mean: Floats
    sd: Floats
    predictors: Floats
    index_min: int
    index_1se: int

    @property
    def lambda_min(self) -> float:
        """Penalty with the best measure, the largest among equals."""
        return float(self.path.lambdas[self.index_min])

    @property
    def lambda_1se(self) -> float:
        """Largest penalty whose measure is within one standard error of the best."""
        return float(self.path.lambdas[self.index_1se])

    def index(self, rule: Rule) -> int:
        """Place of the penalty in the path that `rule` chooses."""
        return self.index_min if rule == "min" else self.index_1se


def cv_lasso(
    values: Floats,
    outcome: Floats,
    fold: NDArray[np.int_],
    *,
    family: Family,
    measure: Measure,
    lambdas: Floats | None = None,
    most_deviance: float | None = 0.999,
    patience: float | None = None,
    threshold: float | None = None,
) -> LassoCv:
    """Fit the path to all cases and, at the same penalties, to all cases but each fold.

    Parameters
    ----------
    fold
        Fold of each case.
    measure
        "mse" for "gaussian"; "deviance", "auc" or "class" (share of wrong classes) for "binomial".
    lambdas
        Default: glmnet's own grid.
    most_deviance
        Where the path of all cases ends, see `lasso_path`.
    patience
        Try no smaller penalty once the measure is worse than at its best by this many times the standard errors of
        both: those that are left take longest, and none is chosen. None to try all, as cv.glmnet does.
    threshold
        Of glmnet, see `lasso_path`.

    Raises
    ------
    ValueError
        If the measure does not belong to the family, or the folds are too small for it.

    References
    ----------
    Friedman, Hastie & Tibshirani 2010, J Stat Softw 33(1), section 2.6; cv.glmnet with its default `grouped = TRUE`.
    """
    if measure not in MEASURES[family]:
        raise ValueError(f"{measure} is no measure of a {family} model")
    folds = np.unique(fold)
    if measure == "auc" and len(outcome) / len(folds) < LEAST_PER_FOLD_FOR_AUC:
        raise ValueError(f"the AUC needs {LEAST_PER_FOLD_FOR_AUC} cases a fold")
    grid = lambda_grid(values, outcome) if lambdas is None else lambdas
    # with more cores the same numbers take many times as long, and their last bits depend on the machine
    with threadpool_limits(1):
        return _walked(values, outcome, fold, grid, family, measure, most_deviance, patience, threshold)


def _walked(
    values: Floats,
    outcome: Floats,
    fold: NDArray[np.int_],
    grid: Floats,
    family: Family,
    measure: Measure,
    most_deviance: float | None,
    patience: float | None,
    threshold: float | None,
) -> LassoCv:
    folds = np.unique(fold)
    everyone = LassoWalk(values, outcome, family=family, threshold=threshold)
    parts = [fold == held_out for held_out in folds]
    walks = [LassoWalk(values[~test], outcome[~test], family=family, threshold=threshold) for test in parts]
    sizes = np.array([test.sum() for test in parts], dtype=np.float64)
    columns, mean, sd = [], [], []
    for penalty in grid:
        everyone.go_to(float(penalty))
        predictor, raw = np.empty(len(outcome)), []
        for walk, test in zip(walks, parts, strict=True):
            walk.go_to(float(penalty))
            predictor[test] = walk.predictor(values[test])
            raw.append(_measured(predictor[test][:, None], outcome[test], measure))
        columns.append(predictor)
        middle, spread = _over_folds(np.array(raw), sizes)
        mean.append(float(middle[0]))
        sd.append(float(spread[0]))
        if most_deviance is not None and everyone.deviance_ratio >= most_deviance:
            break
        if patience is not None and _hopeless(
            np.array(mean), np.array(sd), patience, larger_is_better=measure == "auc"
        ):
            break
    means, sds = np.array(mean), np.array(sd)
    at_min, at_1se = _choose(means, sds, larger_is_better=measure == "auc")
    return LassoCv(everyone.path(), measure, means, sds, np.column_stack(columns), at_min, at_1se)


def _hopeless(mean: Floats, sd: Floats, patience: float, *, larger_is_better: bool) -> bool:
    """True when the last penalty is worse than the best by `patience` of both standard errors."""
    error = -mean if larger_is_better else mean
    best = int(np.argmin(error))
    return bool(error[-1] - error[best] > patience * (sd[best] + sd[-1]))


def _choose(mean: Floats, sd: Floats, *, larger_is_better: bool) -> tuple[int, int]:
    error = -mean if larger_is_better else mean
    # penalties descend, so the first is the largest
    best = int(np.flatnonzero(error <= error.min())[0])
    within = int(np.flatnonzero(error <= error[best] + sd[best])[0])
    return best, within


def _over_folds(raw: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    defined = np.isfinite(raw)
    weights = np.where(defined, sizes[:, None], 0.0)
    values = np.where(defined, raw, 0.0)
    total = weights.sum(axis=0)
    mean = (weights * values).sum(axis=0) / total
    variance = (weights * (values - mean) ** 2).sum(axis=0) / total
    return np.asarray(mean), np.asarray(np.sqrt(variance / (defined.sum(axis=0) - 1)))


def _measured(predictors: Floats, outcome: Floats, measure: Measure) -> Floats:
    """The measure of one fold at each penalty; NaN where a fold without both classes has no AUC."""
    truth = outcome[:, None]
    if measure == "mse":
        return np.asarray(np.mean((truth - predictors) ** 2, axis=0))
    if measure == "class":
        return np.asarray(np.mean((predictors > 0.0) != (truth == 1.0), axis=0))
    probability = 1.0 / (1.0 + np.exp(-np.clip(predictors, -700.0, 700.0)))
    if measure == "deviance":
        p = np.clip(probability, _LEAST_PROBABILITY, 1.0 - _LEAST_PROBABILITY)
        return np.asarray(np.mean(-2.0 * (truth * np.log(p) + (1.0 - truth) * np.log1p(-p)), axis=0))
    # of probabilities and not of predictors: glmnet takes those that are rounded to 1 as equal
    higher = probability[outcome == 1.0][:, None, :] - probability[outcome == 0.0][None, :, :]
    if higher.size == 0:
        return np.full(predictors.shape[1], np.nan)
    return np.asarray(np.mean((higher > 0.0) + 0.5 * (higher == 0.0), axis=(0, 1)))
