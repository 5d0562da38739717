"""The numbers of a study as tables of text, for CSV files and for the report."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.statistics.intervals import Proportion
from pipelines.statistics.logistic import OddsRatio
from pipelines.statistics.table_one import printed
from pipelines.training.evaluation import Evaluation
from pipelines.training.study import Study
from pipelines.training.validation import expit

_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: the name of its file without ending, a caption, and the cells with the head first."""

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def csv(self) -> bytes:
        """The table as CSV in UTF-8."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return text.getvalue().encode("utf-8")


def exact(value: float) -> str:
    """A number for programs, with ten digits: the last bits, in which machines differ, left out."""
    return "" if np.isnan(value) else f"{value:.{_DIGITS}g}"


def brief(value: float) -> str:
    """A number for people."""
    return "–" if np.isnan(value) else f"{value:.3f}"


def all_sheets(study: Study) -> tuple[Sheet, ...]:
    """Every table of a study."""
    found = [
        signature_sheet(study),
        performance_sheet(study),
        scores_sheet(study),
        importance_sheet(study),
        sample_size_sheet(study),
        univariable_sheet(study),
        multivariable_sheet(study),
    ]
    if study.trained.cv is not None:
        found.append(_lasso_sheet(study))
    if study.left_out:
        found.append(_sites_sheet(study))
    found += [
        Sheet(f"patients_{number}", title, cells[0], cells[1:])
        for number, (title, cells) in enumerate(((title, printed(made)) for title, made in study.patients), start=1)
    ]
    found += _validation_sheets(study)
    return tuple(found)


def signature_sheet(study: Study) -> Sheet:
    """The terms of the signature."""
    signature = study.trained.signature
    rows = [("(intercept)", "", exact(signature.intercept), "", "", "", "")]
    order = np.argsort(-np.abs(signature.coefficients), kind="stable")
    for place in order:
        column = signature.columns[place]
        name = study.table.features[column]
        rows.append(
            (
                name,
                image_of(name),
                exact(float(signature.coefficients[place])),
                exact(float(signature.mean[place])),
                exact(float(signature.sd[place])),
                exact(float(study.stability.frequency[column])),
                exact(float(study.stability.importance[column])),
            )
        )
    header = ("feature", "image and class", "coefficient per SD", "mean", "sd", "selection frequency", "importance")
    return Sheet("signature", "The Rad-signature", header, tuple(rows))


def performance_sheet(study: Study) -> Sheet:
    """Every measure of every set of patients."""
    rows = [row for evaluation in study.evaluations for row in _performance(evaluation)]
    if study.nested is not None:
        rows += [
            ("nested cross-validation", "AUC, mean over the folds", exact(study.nested.auc), "", "", ""),
            ("nested cross-validation", "SD of it over the repeats", exact(study.nested.repeat_sd), "", "", ""),
        ]
    if study.optimism is not None:
        rows += [
            ("bootstrap", "optimism of the AUC", exact(study.optimism.optimism), "", "", ""),
            ("bootstrap", "AUC corrected for optimism", exact(study.optimism.corrected), "", "", ""),
        ]
    if study.permutation is not None:
        rows += [
            ("permutation", "cross-validated AUC", exact(study.permutation.observed), "", "", ""),
            (
                "permutation",
                "mean AUC with shuffled labels",
                exact(float(study.permutation.shuffled.mean())),
                "",
                "",
                "",
            ),
            ("permutation", "p", exact(study.permutation.p), "", "", ""),
        ]
    header = ("patients", "measure", "value", "lower", "upper", "interval")
    caption = f"Performance; the positive class is {study.table.positive_class}"
    return Sheet("performance", caption, header, tuple(rows))


def _sites_sheet(study: Study) -> Sheet:
    rows = [
        (
            one.name,
            str(one.patients),
            str(one.positives),
            str(one.features),
            *(
                ("", "", "")
                if one.auc is None
                else (exact(one.auc.area), exact(one.auc.interval.lower), exact(one.auc.interval.upper))
            ),
        )
        for one in study.left_out
    ]
    header = ("left out", "patients", "positive", "features of the others' signature", "AUC", "lower", "upper")
    caption = "Each hospital by a signature of all others (leave one site out), with DeLong's interval"
    return Sheet("sites", caption, header, tuple(rows))


def _performance(one: Evaluation) -> Iterable[tuple[str, ...]]:
    for made in one.aucs:
        limits = made.interval
        yield one.name, "AUC", exact(made.area), exact(limits.lower), exact(limits.upper), f"95 % {limits.method}"
    point = one.point
    for measure, share in (
        ("sensitivity", point.sensitivity),
        ("specificity", point.specificity),
        ("positive predictive value", point.positive_predictive_value),
        ("negative predictive value", point.negative_predictive_value),
        ("accuracy", point.accuracy),
    ):
        yield one.name, measure, *_share(share)
    for measure, count in (
        ("true positives", point.true_positives),
        ("false positives", point.false_positives),
        ("true negatives", point.true_negatives),
        ("false negatives", point.false_negatives),
    ):
        yield one.name, measure, str(count), "", "", ""
    fit = one.calibration
    if fit is not None:
        for measure, value in (
            ("calibration slope", fit.slope),
            ("calibration in the large", fit.in_the_large),
            ("Brier score", fit.brier),
            ("mean distance of the calibration curve", fit.e_average),
            ("R2 of Nagelkerke", fit.r_squared),
        ):
            yield one.name, measure, exact(value), "", "", ""
    useful = "; ".join(f"{low:.2f} to {high:.2f}" for low, high in one.curve.useful)
    yield one.name, "thresholds with a net benefit beyond all and none", useful or "none", "", "", ""


def _share(share: Proportion) -> tuple[str, str, str, str]:
    limits = share.interval
    return exact(share.estimate), exact(limits.lower), exact(limits.upper), f"95 % {limits.method}"


def scores_sheet(study: Study) -> Sheet:
    """Linear predictor, probability and class of every patient."""
    predictors = study.predictors
    probabilities = expit(predictors)
    crossed = dict(zip(study.train.tolist(), study.rad_score, strict=True)) if study.rad_score_unseen else {}
    trained = set(study.train.tolist())
    rows = tuple(
        (
            study.table.patients[row],
            "training" if row in trained else "hold-out",
            study.table.positive_class if study.table.positive[row] else study.table.negative_class,
            exact(float(predictors[row])),
            exact(float(probabilities[row])),
            study.table.positive_class if probabilities[row] >= study.trained.cut_off else study.table.negative_class,
            exact(float(crossed.get(row, np.nan))),
        )
        for row in range(study.table.n)
    )
    header = ("patient", "set", "class", "linear predictor", "probability", "predicted", "cross-validated predictor")
    return Sheet("scores", "Scores of the patients", header, rows)


def importance_sheet(study: Study, top: int | None = None) -> Sheet:
    """Features by importance; those never selected are left out."""
    order = np.argsort(-study.stability.importance, kind="stable")[:top]
    rows = tuple(
        (
            study.table.features[column],
            image_of(study.table.features[column]),
            exact(float(study.stability.frequency[column])),
            exact(float(study.stability.weight[column])),
            exact(float(study.stability.importance[column])),
            "yes" if column in study.trained.signature.columns else "",
        )
        for column in order
        if study.stability.frequency[column] > 0
    )
    header = (
        "feature",
        "image and class",
        "selection frequency",
        "mean |coefficient| per SD",
        "importance",
        "selected",
    )
    return Sheet("importance", "Importance: selection frequency x mean absolute coefficient", header, rows)


def sample_size_sheet(study: Study) -> Sheet:
    """What Riley's criteria ask for."""
    rows = tuple(
        (
            assumed,
            f"{size.r2:.3f}",
            str(size.shrinkage),
            str(size.difference),
            str(size.risk),
            str(size.needed),
            str(len(study.train)),
        )
        for assumed, size in study.sample_sizes
    )
    header = ("assumed", "R2 (Cox-Snell)", "shrinkage 0.9", "R2 difference 0.05", "risk 0.05", "needed", "here")
    return Sheet("sample_size", "Patients that a model of this kind needs (Riley et al.)", header, rows)


def univariable_sheet(study: Study) -> Sheet:
    """Each variable alone."""
    rows = [(*_ratio(ratio), f"{one.p:.4g}", str(one.n)) for one in study.clinical.alone for ratio in one.ratios]
    rows += [(name, "", "", "", "", "", "", reason) for name, reason in study.clinical.left_out]
    header = (*_RATIO_HEADER, "p (likelihood ratio)", "n")
    return Sheet("univariable", f"Crude odds ratios of {study.table.positive_class}", header, tuple(rows))


def multivariable_sheet(study: Study) -> Sheet:
    """The variables that backward selection kept."""
    rows = tuple(_ratio(ratio) for ratio in study.clinical.ratios)
    return Sheet("multivariable", f"Adjusted odds ratios of {study.table.positive_class}", _RATIO_HEADER, rows)


_RATIO_HEADER = ("variable", "level", "reference", "odds ratio (95 % CI)", "p (Wald)", "method")


def _ratio(ratio: OddsRatio) -> tuple[str, ...]:
    limits = ratio.wald
    return (
        ratio.term,
        ratio.level or "per unit",
        ratio.reference or "",
        f"{ratio.odds_ratio:.3g} ({limits.lower:.3g}–{limits.upper:.3g})",
        f"{ratio.p:.4g}",
        "Firth" if ratio.penalised else "maximum likelihood",
    )


def _lasso_sheet(study: Study) -> Sheet:
    cv = study.trained.cv
    assert cv is not None
    marks = {cv.index_1se: "1se", cv.index_min: "min"}
    rows = tuple(
        (
            exact(float(penalty)),
            exact(float(cv.mean[place])),
            exact(float(cv.sd[place])),
            str(cv.path.nonzero[place]),
            exact(float(cv.path.deviance_ratio[place])),
            marks.get(place, ""),
        )
        for place, penalty in enumerate(cv.path.lambdas)
    )
    header = ("lambda", f"mean {cv.measure}", "standard error", "features", "deviance explained", "rule")
    return Sheet("lasso", "Cross-validation of the lasso", header, rows)


def _validation_sheets(study: Study) -> list[Sheet]:
    found = []
    if study.nested is not None:
        folds = study.nested.fold_aucs.reshape(len(study.nested.predictors), -1)
        rows = tuple(
            (str(repeat + 1), str(fold + 1), exact(float(folds[repeat, fold])), str(len(selected)))
            for (repeat, fold), selected in zip(np.ndindex(*folds.shape), study.nested.selections, strict=True)
        )
        found.append(Sheet("nested", "Outer folds", ("repeat", "fold", "AUC", "features"), rows))
    if study.permutation is not None:
        draws = tuple((str(draw + 1), exact(float(value))) for draw, value in enumerate(study.permutation.shuffled))
        found.append(Sheet("permutation", "AUC with shuffled labels", ("draw", "AUC"), draws))
    return found


def image_of(name: str) -> str:
    """Image and class of a feature.

    Examples
    --------
    >>> image_of("log-sigma-2-0-mm-3D_glcm_Imc1"), image_of("original_shape_Sphericity")
    ('LoG glcm', 'original shape')
    """
    image, _, rest = name.partition("_")
    kind = "LoG" if image.startswith("log-sigma") else image.partition("-")[0]
    return f"{kind} {rest.partition('_')[0]}"


def counted_kinds(names: Sequence[str]) -> str:
    """How many features of which kind, as papers tell it.

    Examples
    --------
    >>> counted_kinds(["original_shape_Sphericity", "wavelet-LLL_glcm_Imc1", "wavelet-HHL_gldm_DependenceEntropy"])
    '1 shape, 2 wavelet'
    """

    def kind(name: str) -> str:
        image, family = image_of(name).split()
        if image != "original":
            return image
        return family if family in ("shape", "firstorder") else "texture"

    kinds = [kind(name) for name in names]
    return ", ".join(f"{kinds.count(one)} {one}" for one in sorted(set(kinds)))
