"""The whole of a training: one signature, and everything that says how far it can be trusted."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.reasons import Rejected
from pipelines.domain.training_table import TrainingTable
from pipelines.statistics.table_one import TableOne
from pipelines.training.clinical import ClinicalModel, clinical_model, patients_table
from pipelines.training.evaluation import Evaluation, evaluate
from pipelines.training.lasso import Floats
from pipelines.training.profiles import Profile
from pipelines.training.sample_size import NAGELKERKE, SampleSize, largest_r2, r2_of_auc, sample_size
from pipelines.training.sites import LeftOut, leave_one_site_out
from pipelines.training.validation import (
    Data,
    Nested,
    Optimism,
    Permutation,
    Run,
    Stability,
    Trained,
    area,
    expit,
    nested,
    nested_tasks,
    optimism,
    permutation,
    stability,
    train,
)

LEAST_PER_CLASS: Final = 4
"""Patients of each class without which nothing can be cross-validated."""

_LEAST_AUC, _MOST_AUC = 0.55, 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A training with its validation.

    Attributes
    ----------
    table
        All patients.
    train, held_out
        Rows of the table; `held_out` is empty when none are set apart.
    trained
        The signature; it may have no features.
    evaluations
        Apparent first, then internal, then held out, as far as there are.
    reliable
        How many features were left by the list of reliable ones; None without a list.
    left_out
        Each hospital of the training patients, judged by a signature of the others; empty with fewer than two.
    sample_sizes
        What Riley's criteria ask for: (what was assumed, patients).
    clinical
        Models with the Rad-score of `rad_score`, of the training patients.
    rad_score
        Linear predictors of the training patients that `clinical` is built on: by fits that did not see the patient
        where there was a nested cross-validation, else those of the signature itself.
    patients
        (title, table) for each table of patients.
    """

    table: TrainingTable
    profile: Profile
    seed: int
    train: NDArray[np.int_]
    held_out: NDArray[np.int_]
    trained: Trained
    evaluations: tuple[Evaluation, ...]
    nested: Nested | None
    optimism: Optimism | None
    permutation: Permutation | None
    stability: Stability
    sample_sizes: tuple[tuple[str, SampleSize], ...]
    clinical: ClinicalModel
    rad_score: Floats
    rad_score_unseen: bool
    patients: tuple[tuple[str, TableOne], ...]
    reliable: int | None
    left_out: tuple[LeftOut, ...]

    @property
    def cohort(self) -> TrainingTable:
        """The training patients."""
        return self.table.subset(self.train)

    @property
    def predictors(self) -> Floats:
        """Linear predictor of the signature for all patients, shape (patients,)."""
        return self.trained.signature.linear_predictor(self.table.values)

    @property
    def selected(self) -> tuple[str, ...]:
        """Names of the features in the signature."""
        return tuple(self.table.features[column] for column in self.trained.signature.columns)

    @property
    def events_per_candidate(self) -> float:
        """Training patients of the smaller class for each feature that was looked at."""
        smaller = min(int(self.table.positive[self.train].sum()), int((~self.table.positive[self.train]).sum()))
        return smaller / len(self.table.features)


def study(
    table: TrainingTable, profile: Profile, *, seed: int, run: Run, by_site: bool = False, reliable: int | None = None
) -> Study | Rejected:
    """Train a signature and judge it.

    Parameters
    ----------
    run
        Carries out independent tasks, in this process or in several.
    by_site
        Keep the patients of a hospital in one outer fold.
    reliable
        How many features a list of reliable ones has left, for the report.

    Returns
    -------
    Rejected
        `TRAIN-002` when a class has too few patients, or there are fewer hospitals than two.
    """
    rows = np.arange(table.n)
    held_out = _held_out(table, profile, seed)
    training = np.setdiff1d(rows, held_out)
    refused = _too_small(table, training, held_out, by_site=by_site)
    if refused is not None:
        return refused
    positive = table.positive[training]
    data = Data(table.values[training], positive)
    recipe, plan = profile.recipe, profile.validation
    trained = train(data.values, positive, recipe, seed=seed)
    predictor = trained.signature.linear_predictor(data.values)
    sites = _site_numbers(table, training) if by_site else None
    crossed = None
    if plan.outer_folds:
        tasks = nested_tasks(positive, folds=plan.outer_folds, repeats=plan.outer_repeats, seed=seed, groups=sites)
        crossed = nested(data, recipe, tasks, run)
    apparent = area(predictor, positive)
    booted = (
        optimism(data, recipe, apparent, samples=plan.bootstraps, seed=seed + 10_000, run=run)
        if plan.bootstraps
        else None
    )
    permuted = (
        permutation(
            data, recipe, folds=plan.outer_folds or 5, draws=plan.permutations, first=seed, seed=seed + 20_000, run=run
        )
        if plan.permutations
        else None
    )
    steady = stability(data, recipe, penalty=trained.penalty, subsamples=plan.subsamples, seed=seed + 30_000, run=run)
    there = tuple(table.sites[row] for row in training) if table.sites else ()
    left_out = leave_one_site_out(data, recipe, there, seed=seed + 40_000, run=run)
    rad_score = predictor if crossed is None else crossed.predictor
    honest = _honest_auc(table, trained, held_out, crossed)
    return Study(
        table,
        profile,
        seed,
        training,
        held_out,
        trained,
        _evaluations(table, training, held_out, trained, crossed, seed),
        crossed,
        booted,
        permuted,
        steady,
        _sample_sizes(table, trained, honest),
        clinical_model(table.subset(training), rad_score),
        rad_score,
        crossed is not None,
        _patients(table, training, held_out),
        reliable,
        left_out,
    )


def _held_out(table: TrainingTable, profile: Profile, seed: int) -> NDArray[np.int_]:
    random = np.random.default_rng(seed)
    share = profile.validation.hold_out
    if not share:
        return np.array([], dtype=np.int_)
    if not profile.validation.stratified:
        return np.sort(random.permutation(table.n)[: round(share * table.n)])
    parts = [
        random.permutation(rows)[: round(share * len(rows))]
        for rows in (np.flatnonzero(table.positive), np.flatnonzero(~table.positive))
    ]
    return np.sort(np.concatenate(parts))


def _too_small(
    table: TrainingTable, training: NDArray[np.int_], held_out: NDArray[np.int_], *, by_site: bool
) -> Rejected | None:
    faults = []
    for name, rows in (("training", training), ("held-out", held_out)):
        positive = int(table.positive[rows].sum())
        least = LEAST_PER_CLASS if name == "training" else 1
        if len(rows) and min(positive, len(rows) - positive) < least:
            faults.append(
                f"of the {len(rows)} {name} patients {positive} are of the positive class; at least {least} of each "
                "class are needed"
            )
    if by_site and len(set(table.sites)) < 2:
        faults.append("the cohort names fewer than two hospitals")
    if not faults:
        return None
    return Rejected("TRAIN-002", f"The cohort is too small: {'; '.join(faults)}.", "Collect more patients.")


def _site_numbers(table: TrainingTable, rows: NDArray[np.int_]) -> NDArray[np.int_]:
    return np.asarray(np.unique(np.array(table.sites)[rows], return_inverse=True)[1])


def _evaluations(
    table: TrainingTable,
    training: NDArray[np.int_],
    held_out: NDArray[np.int_],
    trained: Trained,
    crossed: Nested | None,
    seed: int,
) -> tuple[Evaluation, ...]:
    name, cut_off = table.positive_class, trained.cut_off
    probabilities = expit(trained.signature.linear_predictor(table.values))
    found = [
        evaluate(
            "training (apparent)",
            "apparent",
            probabilities[training],
            table.positive[training],
            name,
            cut_off=cut_off,
            seed=seed,
        )
    ]
    if crossed is not None:
        found.append(
            evaluate(
                "nested cross-validation",
                "internal",
                expit(crossed.predictor),
                table.positive[training],
                name,
                cut_off=cut_off,
                seed=seed,
                called=crossed.called_positive[0],
            )
        )
    if len(held_out):
        found.append(
            evaluate(
                "hold-out",
                "held-out",
                probabilities[held_out],
                table.positive[held_out],
                name,
                cut_off=cut_off,
                seed=seed,
            )
        )
    return tuple(found)


def _honest_auc(
    table: TrainingTable, trained: Trained, held_out: NDArray[np.int_], crossed: Nested | None
) -> float | None:
    """AUC on patients without a part in the fit; None where there are none."""
    if crossed is not None:
        return crossed.auc
    if len(held_out):
        return area(trained.signature.linear_predictor(table.values[held_out]), table.positive[held_out])
    return None


def _sample_sizes(table: TrainingTable, trained: Trained, honest: float | None) -> tuple[tuple[str, SampleSize], ...]:
    prevalence = table.events / table.n
    assumed = [(f"{NAGELKERKE:.0%} of the largest R2", NAGELKERKE * largest_r2(prevalence))]
    if honest is not None and _LEAST_AUC <= honest <= _MOST_AUC:
        assumed.append((f"the R2 of the AUC of {honest:.3f} found here", r2_of_auc(honest, prevalence)))
    counts = [(len(table.features), "features looked at")]
    if trained.signature.columns:
        counts.append((len(trained.signature.columns), "features selected, as if they had been known beforehand"))
    return tuple(
        (f"{count} {what}; {r2_text}", sample_size(count, prevalence, r2))
        for count, what in counts
        for r2_text, r2 in assumed
    )


def _patients(
    table: TrainingTable, training: NDArray[np.int_], held_out: NDArray[np.int_]
) -> tuple[tuple[str, TableOne], ...]:
    if not table.covariates:
        return ()
    order = (table.positive_class, table.negative_class)
    parts = [("All patients", np.arange(table.n))]
    if len(held_out):
        parts += [("Training set", training), ("Hold-out", held_out)]
    found = []
    for title, rows in parts:
        part = table.subset(rows)
        groups = [order[0] if positive else order[1] for positive in part.positive]
        found.append((title, patients_table(part, groups, order)))
    if len(held_out):
        sets = np.full(table.n, "training", dtype=object)
        sets[held_out] = "hold-out"
        found.append(("Training set and hold-out", patients_table(table, sets.tolist(), ("training", "hold-out"))))
    return tuple(found)
