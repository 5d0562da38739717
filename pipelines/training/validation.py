"""How good a recipe is on cases that had no part in it: nested cross-validation, bootstrap, permutation, stability.

Each is a list of tasks that do not depend on each other, so that the caller can share them among processes; every task
carries a seed of its own, and the results do not depend on who computes what.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.statistics.roc import auc, scored, youden
from pipelines.training.lasso import Floats
from pipelines.training.lasso_cv import LassoCv
from pipelines.training.profiles import Recipe
from pipelines.training.selection import Flags
from pipelines.training.signature import (
    Estimator,
    Groups,
    Signature,
    candidate_columns,
    fitted,
    folds_of,
    signature_of,
)

PATIENCE: Final = 1.0
"""Of the lasso's folds in a task: hundreds of paths end where nothing better is to come."""

Rows = NDArray[np.int_]


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Features, shape (cases, features), and class of each case; what every task works on."""

    values: Floats
    positive: Flags


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A recipe fitted to some cases.

    Attributes
    ----------
    candidates
        Columns that reached the lasso.
    cut_off
        Probability from which on (>=) a case counts as positive, chosen on the training cases alone.
    estimator
        What fitted the coefficients.
    cv
        Of the lasso; None when the penalty was given.
    """

    signature: Signature
    candidates: Rows
    penalty: float
    cut_off: float
    estimator: Estimator
    cv: LassoCv | None


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Train on some rows, predict others.

    Attributes
    ----------
    train, test
        Rows of the data; a bootstrap's training rows repeat.
    positive
        Classes to train with in place of the true ones, one for each row of the data; None for the true ones.
    penalty
        Of the lasso; None to choose it.
    with_cut_off
        Whether to look for a cut-off, which takes as long again.
    """

    train: Rows
    test: Rows
    seed: int
    positive: Flags | None = None
    penalty: float | None = None
    with_cut_off: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """What came of a task.

    Attributes
    ----------
    predictor
        Linear predictors of the test rows.
    apparent
        Linear predictors of the training rows.
    columns, coefficients
        The features in the model with their coefficients per standard deviation.
    """

    predictor: Floats
    apparent: Floats
    columns: tuple[int, ...]
    coefficients: Floats
    penalty: float
    cut_off: float


Run = Callable[[Data, Recipe, Sequence[Task]], Iterable[Done]]
"""Carries out tasks and gives the outcomes in their order."""


def one_by_one(data: Data, recipe: Recipe, tasks: Sequence[Task]) -> Iterable[Done]:
    """Carry out tasks in this process."""
    return (perform(data, recipe, task) for task in tasks)


def perform(data: Data, recipe: Recipe, task: Task) -> Done:
    """Carry out one task."""
    positive = data.positive if task.positive is None else task.positive
    # cases that were drawn twice stay together in every inner fold
    groups = task.train if len(np.unique(task.train)) < len(task.train) else None
    values = data.values[task.train]
    made = train(
        values,
        positive[task.train],
        recipe,
        seed=task.seed,
        penalty=task.penalty,
        with_cut_off=task.with_cut_off,
        patience=PATIENCE,
        groups=groups,
    )
    return Done(
        made.signature.linear_predictor(data.values[task.test]),
        made.signature.linear_predictor(values),
        made.signature.columns,
        made.signature.coefficients,
        made.penalty,
        made.cut_off,
    )


def train(
    values: Floats,
    positive: Flags,
    recipe: Recipe,
    *,
    seed: int,
    penalty: float | None = None,
    with_cut_off: bool = True,
    patience: float | None = None,
    groups: Groups | None = None,
) -> Trained:
    """Fit the recipe, and choose the cut-off by its rule.

    Without a feature in the model every case has the same probability, which is then the cut-off.
    """
    pipeline = fitted(values, positive, recipe, seed=seed, penalty=penalty, patience=patience, groups=groups)
    lasso = pipeline.named_steps["lasso"]
    signature = signature_of(pipeline)
    predictor = signature.linear_predictor(values)
    if with_cut_off and recipe.cut_off == "inner-folds":
        predictor = out_of_fold(values, positive, recipe, seed=seed, penalty=lasso.penalty_)
    cut_off = _youden(expit(predictor), positive) if with_cut_off else float("nan")
    return Trained(signature, candidate_columns(pipeline), lasso.penalty_, cut_off, lasso.estimator_, lasso.cv_)


def out_of_fold(values: Floats, positive: Flags, recipe: Recipe, *, seed: int, penalty: float) -> Floats:
    """Linear predictor of each case by a fit of all steps to the other folds, at a penalty that is given."""
    fold = folds_of(positive, recipe.folds, seed=seed)
    predictor = np.empty(len(values))
    for number in np.unique(fold):
        test = fold == number
        part = fitted(values[~test], positive[~test], recipe, seed=seed, penalty=penalty)
        predictor[test] = signature_of(part).linear_predictor(values[test])
    return predictor


def nested_tasks(positive: Flags, *, folds: int, repeats: int, seed: int, groups: Groups | None = None) -> list[Task]:
    """A task for each outer fold of each repeat; no fold separates cases of one group."""
    rows = np.arange(len(positive))
    tasks = []
    for repeat in range(repeats):
        fold = folds_of(positive, folds, seed=seed + repeat, groups=groups)
        tasks += [
            Task(rows[fold != number], rows[fold == number], seed + repeat, with_cut_off=True)
            for number in np.unique(fold)
        ]
    return tasks


@dataclass(frozen=True, slots=True, eq=False)
class Nested:
    """Outcome of a nested cross-validation.

    Attributes
    ----------
    fold_aucs
        AUC in each outer fold, by repeat and fold; NaN for a fold without both classes.
    predictors
        Linear predictor of each case by the fits that did not see it, shape (repeats, cases).
    called_positive
        Whether the cut-off of the fit that did not see the case calls it positive, shape (repeats, cases).
    selections
        Columns in the model of each fit.
    """

    fold_aucs: Floats
    predictors: Floats
    called_positive: Flags
    selections: tuple[tuple[int, ...], ...]

    @property
    def auc(self) -> float:
        """Mean over the folds: predictions of different fits are not compared with each other."""
        return float(np.nanmean(self.fold_aucs))

    @property
    def repeat_sd(self) -> float:
        """Standard deviation over the repeats of the mean over their folds: what the draw of the folds does."""
        repeats = np.nanmean(self.fold_aucs.reshape(len(self.predictors), -1), axis=1)
        return float(repeats.std(ddof=1)) if len(repeats) > 1 else float("nan")

    @property
    def predictor(self) -> Floats:
        """Mean linear predictor of each case over the repeats, shape (cases,)."""
        return np.asarray(self.predictors.mean(axis=0))


def nested(data: Data, recipe: Recipe, tasks: Sequence[Task], run: Run) -> Nested:
    """Carry out `nested_tasks`."""
    cases = len(data.positive)
    seen = sum(len(task.test) for task in tasks)
    repeats = seen // cases
    predictors = np.empty((repeats, cases))
    called = np.zeros((repeats, cases), dtype=np.bool_)
    aucs, selections, filled = [], [], 0
    for task, done in zip(tasks, run(data, recipe, tasks), strict=True):
        repeat = filled // cases
        predictors[repeat, task.test] = done.predictor
        called[repeat, task.test] = expit(done.predictor) >= done.cut_off
        aucs.append(area(done.predictor, data.positive[task.test]))
        selections.append(done.columns)
        filled += len(task.test)
    return Nested(np.array(aucs), predictors, called, tuple(selections))


@dataclass(frozen=True, slots=True, eq=False)
class Optimism:
    """By how much a fit looks better on its own cases, over bootstrap samples.

    Attributes
    ----------
    apparent
        AUC of the fit to all cases on all cases.
    in_sample, in_original
        AUC of each sample's fit on the sample, and on all cases.
    """

    apparent: float
    in_sample: Floats
    in_original: Floats

    @property
    def optimism(self) -> float:
        """Mean difference."""
        return float(np.mean(self.in_sample - self.in_original))

    @property
    def corrected(self) -> float:
        """Apparent AUC less the optimism.

        References
        ----------
        Harrell, Lee & Mark 1996, Stat Med 15:361.
        """
        return self.apparent - self.optimism


def optimism(data: Data, recipe: Recipe, apparent: float, *, samples: int, seed: int, run: Run) -> Optimism:
    """Repeat the whole recipe in bootstrap samples, drawn within each class."""
    random = np.random.default_rng(seed)
    everyone = np.arange(len(data.positive))
    classes = [np.flatnonzero(data.positive), np.flatnonzero(~data.positive)]
    tasks = [
        Task(np.concatenate([random.choice(rows, len(rows)) for rows in classes]), everyone, seed + number)
        for number in range(samples)
    ]
    inside, outside = [], []
    for task, done in zip(tasks, run(data, recipe, tasks), strict=True):
        inside.append(area(done.apparent, data.positive[task.train]))
        outside.append(area(done.predictor, data.positive))
    return Optimism(apparent, np.array(inside), np.array(outside))


@dataclass(frozen=True, slots=True, eq=False)
class Permutation:
    """AUC of the recipe in a cross-validation, and what it reaches when the labels mean nothing.

    Attributes
    ----------
    observed
        With the true labels, in one cross-validation as well.
    shuffled
        With the labels of each draw.
    """

    observed: float
    shuffled: Floats

    @property
    def p(self) -> float:
        """Share of draws that are as good, the true labels counted among them."""
        return float((1 + np.sum(self.shuffled >= self.observed)) / (1 + len(self.shuffled)))


def permutation(data: Data, recipe: Recipe, *, folds: int, draws: int, first: int, seed: int, run: Run) -> Permutation:
    """Repeat the whole recipe with shuffled labels, in a cross-validation each.

    Parameters
    ----------
    first
        Seed for the true labels, such as that of a nested cross-validation: its first repeat is then what is compared.
    seed
        The draws take the numbers after it.

    References
    ----------
    Ojala & Garriga 2010, J Mach Learn Res 11:1833, test 1.
    """
    random = np.random.default_rng(seed)
    rows = np.arange(len(data.positive))
    labels = [data.positive, *(random.permutation(data.positive) for _ in range(draws))]
    tasks: list[Task] = []
    for number, positive in enumerate(labels):
        own = first if number == 0 else seed + number
        fold = folds_of(positive, folds, seed=own)
        tasks += [Task(rows[fold != k], rows[fold == k], own, positive=positive) for k in np.unique(fold)]
    areas: dict[int, list[float]] = {}
    for task, done in zip(tasks, run(data, recipe, tasks), strict=True):
        truth = task.positive if task.positive is not None else data.positive
        areas.setdefault(task.seed, []).append(area(done.predictor, truth[task.test]))
    means = [float(np.nanmean(found)) for found in areas.values()]
    return Permutation(means[0], np.array(means[1:]))


@dataclass(frozen=True, slots=True, eq=False)
class Stability:
    """How the selection fares when a fifth of the cases is missing.

    Attributes
    ----------
    frequency
        Share of the subsamples in whose model the feature is, shape (features,).
    weight
        Mean absolute coefficient per standard deviation over the subsamples in which it is, shape (features,).
    """

    frequency: Floats
    weight: Floats

    @property
    def importance(self) -> Floats:
        """Frequency times weight: the mean absolute coefficient over all subsamples."""
        return np.asarray(self.frequency * self.weight)


def stability(data: Data, recipe: Recipe, *, penalty: float, subsamples: int, seed: int, run: Run) -> Stability:
    """Repeat the selection, at the penalty of the model, in random four fifths of each class.

    References
    ----------
    Meinshausen & Buehlmann 2010, J R Stat Soc B 72:417, who take halves: with 100 patients too few to select from.
    """
    random = np.random.default_rng(seed)
    classes = [np.flatnonzero(data.positive), np.flatnonzero(~data.positive)]
    tasks = []
    for number in range(subsamples):
        parts = [random.choice(rows, round(0.8 * len(rows)), replace=False) for rows in classes]
        drawn = np.sort(np.concatenate(parts))
        tasks.append(Task(drawn, drawn[:0], seed + number, penalty=penalty))
    times, total = np.zeros(data.values.shape[1]), np.zeros(data.values.shape[1])
    for done in run(data, replace(recipe, coefficients="lasso"), tasks):
        columns = list(done.columns)
        times[columns] += 1
        total[columns] += np.abs(done.coefficients)
    return Stability(times / max(1, subsamples), np.divide(total, times, out=np.zeros_like(total), where=times > 0))


def area(predictor: Floats, positive: Flags) -> float:
    """AUC; NaN when one class is missing."""
    if positive.all() or not positive.any():
        return float("nan")
    return auc(scored(predictor, positive, positive_class=True)).area


def expit(predictor: Floats) -> Floats:
    """1 / (1 + exp(-x))."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(predictor, -700.0, 700.0))))


def _youden(probability: Floats, positive: Flags) -> float:
    chosen = youden(scored(probability, positive, positive_class=True)).chosen
    # half-way between two cases, so that neither the last bits nor rounding in a file change a class
    return chosen.midpoint if np.isfinite(chosen.midpoint) else min(1.0, chosen.threshold)
