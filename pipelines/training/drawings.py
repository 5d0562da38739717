"""The figures of a study."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipelines.figures.calibration import CalibrationCurve, calibration_plot
from pipelines.figures.canvas import Drawing
from pipelines.figures.decision import DecisionCurve, decision_curves
from pipelines.figures.features import correlation_map, importances
from pipelines.figures.flow import FlowStep, flow_diagram
from pipelines.figures.forest import Estimate, ForestRow, forest_plot
from pipelines.figures.lasso import lasso_cv, lasso_paths
from pipelines.figures.nomogram import NomogramAxis, nomogram
from pipelines.figures.patients import waterfall
from pipelines.figures.roc import RocCurve, roc_curves
from pipelines.statistics.roc import roc_points
from pipelines.training.evaluation import Evaluation
from pipelines.training.study import Study
from pipelines.training.tables import image_of

_TOP = 50
_PROBABILITIES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def all_drawings(study: Study) -> Iterator[tuple[str, str, Drawing]]:
    """(name of the file, caption, drawing) of every figure that the study has numbers for."""
    yield "flow", "Patients.", _flow(study)
    yield from _lasso(study)
    importance = study.stability.importance
    if importance.any():
        chosen = np.flatnonzero(importance > 0)
        names = [study.table.features[column] for column in chosen]
        yield (
            "importance",
            "The 50 most important features: selection frequency times mean absolute coefficient per SD, over random "
            "four fifths of the training patients.",
            importances(names, importance[chosen], [image_of(name) for name in names], top=_TOP, xlabel="Importance"),
        )
    if len(study.selected) > 1:
        columns = list(study.trained.signature.columns)
        matrix = np.corrcoef(study.table.values[study.train][:, columns], rowvar=False)
        yield "correlation", "Correlation of the selected features.", correlation_map(matrix, study.selected)
    yield "roc", f"ROC curves for {study.table.positive_class}; intervals of DeLong.", _roc(study)
    if any(one.calibration for one in study.evaluations):
        yield "calibration", "Predicted and observed probabilities.", _calibration(study)
    yield "decision", "Decision curves.", _decision(study)
    yield from _clinical(study)
    yield "waterfall", "Score of each patient, relative to the cut-off.", _waterfall(study)


def _flow(study: Study) -> Drawing:
    def step(label: str, rows: NDArray[np.int_]) -> FlowStep:
        positive = int(study.table.positive[rows].sum())
        return FlowStep(
            label,
            len(rows),
            (
                f"{study.table.positive_class} n = {positive}",
                f"{study.table.negative_class} n = {len(rows) - positive}",
            ),
        )

    everyone = step("Patients with features and outcome", np.arange(study.table.n))
    if not len(study.held_out):
        return flow_diagram([everyone])
    return flow_diagram([everyone], [[step("Training", study.train)], [step("Hold-out", study.held_out)]])


def _lasso(study: Study) -> Iterator[tuple[str, str, Drawing]]:
    cv = study.trained.cv
    if cv is None or len(cv.path.lambdas) < 2:
        return
    names = [study.table.features[column] for column in study.trained.candidates]
    yield (
        "lasso_paths",
        f"Lasso paths of the {len(names)} candidate features.",
        lasso_paths(cv.path.lambdas, cv.path.standardised, names, lambda_min=cv.lambda_min, lambda_1se=cv.lambda_1se),
    )
    yield (
        "lasso_cv",
        f"Cross-validation of the lasso in {study.folds} folds.",
        lasso_cv(
            cv.path.lambdas,
            cv.mean,
            cv.sd,
            cv.path.nonzero,
            lambda_min=cv.lambda_min,
            lambda_1se=cv.lambda_1se,
            measure={"deviance": "Binomial deviance", "auc": "AUC", "class": "Misclassification error"}[cv.measure],
        ),
    )


def _roc(study: Study) -> Drawing:
    return roc_curves([_curve(one, study.trained.cut_off) for one in study.evaluations])


def _curve(one: Evaluation, cut_off: float) -> RocCurve:
    points = roc_points(one.cases)
    made = one.auc
    shown = one.kind != "internal"
    return RocCurve(
        one.name,
        1.0 - points.specificity,
        points.sensitivity,
        made.area,
        (made.interval.lower, made.interval.upper),
        operating_point=(1.0 - one.point.specificity.estimate, one.point.sensitivity.estimate) if shown else None,
        cut_off=cut_off if shown else None,
        positive=made.positives,
        negative=made.negatives,
    )


def _calibration(study: Study) -> Drawing:
    curves = []
    for one in study.evaluations:
        fit = one.calibration
        if fit is not None:
            predicted, first = np.unique(fit.predicted, return_index=True)
            curves.append(
                CalibrationCurve(
                    one.name,
                    predicted,
                    np.clip(fit.observed[first], 0.0, 1.0),
                    predictions=one.cases.scores,
                    outcomes=one.cases.outcome.happened.astype(np.float64),
                    note=(f"{one.name}: slope {fit.slope:.2f}, in the large {fit.in_the_large:.2f}",),
                )
            )
    return calibration_plot(curves, outcome=study.table.positive_class)


def _decision(study: Study) -> Drawing:
    curves = [DecisionCurve(one.name, one.curve.thresholds, one.curve.model) for one in study.evaluations]
    first = study.evaluations[0].cases.outcome
    return decision_curves(curves, prevalence=first.events / first.n, n=first.n)


def _clinical(study: Study) -> Iterator[tuple[str, str, Drawing]]:
    adjusted = {(ratio.term, ratio.level): ratio for ratio in study.clinical.ratios}
    rows = []
    for one in study.clinical.alone:
        for ratio in one.ratios:
            both = [
                Estimate(made.odds_ratio, made.wald.lower, made.wald.upper, made.p)
                if made is not None and np.isfinite(made.odds_ratio) and made.odds_ratio > 0 and made.wald.lower > 0
                else None
                for made in (ratio, adjusted.get((ratio.term, ratio.level)))
            ]
            name = ratio.term if ratio.level is None else f"{ratio.term}: {ratio.level} (vs {ratio.reference})"
            rows.append(ForestRow(name, tuple(both), n=str(one.n)))
    if any(estimate for row in rows for estimate in row.estimates):
        yield (
            "forest",
            f"Odds ratios of {study.table.positive_class}, crude and adjusted.",
            forest_plot(rows, models=("Crude", "Adjusted"), measure="OR"),
        )
    found = study.clinical.nomogram
    if found is None:
        return
    scale = found.probability_scale("Probability", _PROBABILITIES)
    if len(scale.values) > 1:
        yield (
            "nomogram",
            f"Nomogram for the probability of {study.table.positive_class}.",
            nomogram(
                [NomogramAxis(axis.name, tuple(map(float, axis.points)), axis.values) for axis in found.axes],
                [
                    NomogramAxis(
                        f"Probability of {study.table.positive_class}",
                        tuple(map(float, scale.totals)),
                        tuple(f"{value:g}" for value in scale.values),
                    )
                ],
                total=(float(found.total[0]), float(found.total[-1])),
            ),
        )


def _waterfall(study: Study) -> Drawing:
    cut_off = float(np.clip(study.trained.cut_off, 1e-9, 1 - 1e-9))
    scores = study.predictors - np.log(cut_off / (1.0 - cut_off))
    classes = [
        study.table.positive_class if positive else study.table.negative_class for positive in study.table.positive
    ]
    return waterfall(
        scores,
        classes,
        ylabel="Rad-score less cut-off",
        levels=(study.table.positive_class, study.table.negative_class),
    )
