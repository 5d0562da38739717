"""The report of a study, for people: what was made, how good it is, and how little that may mean."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from pipelines.figures.canvas import Drawing
from pipelines.figures.report import Code, Notice, Paragraph, Picture, Report, Section, Table
from pipelines.training.study import Study
from pipelines.training.tables import Sheet, brief, counted_kinds
from pipelines.training.words import estimator, selection

_FEW_EVENTS_PER_FEATURE: Final = 10
_WIDE: Final = 0.2
_CLOSE_TO_CHANCE: Final = 0.05
_STEADY: Final = 0.8
"""Share of the subsamples in which a feature is selected, from which on the selection counts as steady."""


def report_of(
    study: Study, sheets: Sequence[Sheet], drawings: Sequence[tuple[str, str, Drawing]], run: Mapping[str, str]
) -> Report:
    """One report with every table and every figure.

    Parameters
    ----------
    run
        What was called with what, for the end of the report.
    """
    tables = {sheet.name: sheet for sheet in sheets}
    pictures = {name: Picture(drawing, caption) for name, caption, drawing in drawings}

    def shown(*names: str) -> tuple[Picture, ...]:
        return tuple(pictures[name] for name in names if name in pictures)

    def listed(*names: str) -> tuple[Table, ...]:
        return tuple(_table(tables[name]) for name in names if name in tables and tables[name].rows)

    warnings = tuple(Notice(text) for text in weaknesses(study))
    patients = tuple(_table(sheet) for sheet in sheets if sheet.name.startswith("patients_"))
    importance = tables["importance"]
    fifty = Sheet(importance.name, importance.caption, importance.header, importance.rows[:50])
    sections = (
        Section("What was found", (Paragraph(summary(study)), *warnings)),
        Section("Patients", (*shown("flow"), *patients)),
        Section(
            "The signature",
            (
                Paragraph(f"{selection(study)} {estimator(study)}"),
                *listed("signature"),
                *shown("lasso_paths", "lasso_cv", "importance", "correlation"),
                *((_table(fifty),) if fifty.rows else ()),
            ),
        ),
        Section(
            "How good it is",
            (
                Paragraph(_how_judged(study)),
                *listed("performance"),
                *shown("roc", "calibration", "decision", "waterfall"),
                *listed("sites", "nested"),
            ),
        ),
        Section("How many patients it would take", (Paragraph(_sample_size(study)), *listed("sample_size"))),
        Section(
            "Beside the clinical facts",
            (Paragraph(_clinical(study)), *listed("univariable", "multivariable"), *shown("forest", "nomogram")),
        ),
        Section("How to make it again", (Code("\n".join(f"{name}: {value}" for name, value in run.items())),)),
    )
    title = f"Rad-signature for {study.table.positive_class}"
    subtitle = f"{study.table.n} patients, {len(study.table.features)} features, profile {study.profile.name}"
    return Report(title, subtitle, sections, footer="Made by pulmonode train. Decision support for research.")


def summary(study: Study) -> str:
    """The result in a few sentences."""
    names = study.selected
    made = (
        f"The signature has {len(names)} features ({counted_kinds(names)}) of {len(study.table.features)}."
        if names
        else "No feature was selected: there is no signature."
    )
    parts = [made]
    for one in study.evaluations:
        limits = one.auc.interval
        parts.append(
            f"AUC, {one.name}: {brief(one.auc.area)} (95 % CI {brief(limits.lower)} to {brief(limits.upper)}, "
            f"n = {one.auc.positives + one.auc.negatives})."
        )
    if study.nested is not None:
        parts.append(
            f"Mean AUC over the outer folds: {brief(study.nested.auc)}, SD over the repeats "
            f"{brief(study.nested.repeat_sd)}."
        )
    if study.optimism is not None:
        parts.append(
            f"Bootstrap: the apparent AUC is too good by {brief(study.optimism.optimism)}; corrected "
            f"{brief(study.optimism.corrected)}."
        )
    if study.permutation is not None:
        parts.append(
            f"With shuffled labels the same recipe reaches {brief(float(study.permutation.shuffled.mean()))} on "
            f"average; p = {study.permutation.p:.3g}."
        )
    return " ".join(parts)


def weaknesses(study: Study) -> tuple[str, ...]:
    """Everything that should keep a reader from believing the numbers, with the numbers."""
    return tuple(_weaknesses(study))


def _weaknesses(study: Study) -> Iterator[str]:
    positive = study.table.positive[study.train]
    smaller = int(min(positive.sum(), (~positive).sum()))
    yield (
        f"{len(study.train)} training patients, {smaller} of the smaller class, {len(study.table.features)} features "
        f"looked at: {study.events_per_candidate:.3g} events per candidate feature."
    )
    if study.selected:
        per_feature = smaller / len(study.selected)
        if per_feature < _FEW_EVENTS_PER_FEATURE:
            yield (
                f"{per_feature:.1f} events per selected feature: fewer than {_FEW_EVENTS_PER_FEATURE}, so the "
                "coefficients fit these patients better than others."
            )
    needed = study.sample_sizes[0][1].needed
    if needed > len(study.train):
        yield (
            f"Riley's criteria ask for {needed} patients to develop a model from so many candidates; there are "
            f"{len(study.train)}."
        )
    judged = [one for one in study.evaluations if one.kind != "apparent"]
    for one in judged:
        limits = one.auc.interval
        width = limits.upper - limits.lower
        if width > _WIDE:
            yield (
                f"The interval of the AUC ({one.name}) is {width:.2f} wide, from {brief(limits.lower)} to "
                f"{brief(limits.upper)}: very different models would fit it."
            )
        if limits.lower <= 0.5:
            yield f"The interval of the AUC ({one.name}) includes 0.5: chance alone may explain it."
    if study.permutation is not None and study.permutation.p > _CLOSE_TO_CHANCE:
        yield f"Shuffled labels do as well in {study.permutation.p:.0%} of the draws: nothing was shown to be learned."
    if not judged:
        yield "Nothing was judged on patients without a part in the training."
    apparent = study.evaluations[0].auc.area
    honest = study.nested.auc if study.nested is not None else (judged[-1].auc.area if judged else np.nan)
    if apparent - honest > 0.1:
        yield (
            f"The apparent AUC of {brief(apparent)} is {apparent - honest:.2f} above that of patients "
            "without a part in the fit: it says how well the signature remembers, not how well it predicts."
        )
    if study.optimism is not None:
        yield _kindness(study)
    if study.trained.estimator == "lasso" and study.profile.recipe.coefficients == "logistic" and study.selected:
        yield (
            "The selected features separate the classes of the training patients, so that a logistic regression has no "
            "finite coefficients: those of the lasso are used."
        )
    yield from _in_other_hospitals(study)
    if not study.table.sites or len(set(study.table.sites)) < 2:
        yield "All patients are of one hospital, or the table does not say: nothing is known about other scanners."


def _kindness(study: Study) -> str:
    """Why the bootstrap's corrected AUC is not the one to quote."""
    assert study.optimism is not None
    features, patients = len(study.table.features), len(study.train)
    found = f"The bootstrap corrects the AUC to {brief(study.optimism.corrected)}"
    if study.nested is not None:
        found += f", nested cross-validation finds {brief(study.nested.auc)}"
    why = (
        "Each bootstrap sample is judged on all patients, two thirds of whom are in it: what was selected among "
        f"{features} features because it fits these patients by chance fits them there, too, and is not counted as "
        "optimism."
    )
    changing = float(np.mean(study.stability.frequency[list(study.trained.signature.columns)] < _STEADY))
    if study.selected and changing > 0:
        why += f" {changing:.0%} of the selected features are selected in fewer than {_STEADY:.0%} of the subsamples."
    kind = (
        f"With {features} features and {patients} patients the corrected AUC is too kind."
        if features > patients
        else ""
    )
    return " ".join(part for part in (f"{found}.", kind, why, "Quote the nested cross-validation.") if part)


def _in_other_hospitals(study: Study) -> Iterator[str]:
    judged = [(one, one.auc) for one in study.left_out if one.auc is not None]
    if not judged:
        return
    worst, area = min(judged, key=lambda pair: pair[1].area)
    if area.interval.lower <= 0.5:
        yield (
            f"In {worst.name}, judged by a signature of the other hospitals, the AUC is {brief(area.area)} (95 % CI "
            f"{brief(area.interval.lower)} to {brief(area.interval.upper)}, {worst.patients} patients): that the "
            "signature works in another hospital is not shown."
        )


def _how_judged(study: Study) -> str:
    plan = study.profile.validation
    parts = [f"The positive class is {study.table.positive_class}. The cut-off is {study.trained.cut_off:.4g}"]
    parts.append(
        "(Youden's index on the training patients as fitted)."
        if study.profile.recipe.cut_off == "training"
        else "(Youden's index on training patients, each by a fit to the others)."
    )
    if plan.outer_folds and study.nested is not None:
        parts.append(
            f"Nested cross-validation: {plan.outer_folds} outer folds, {plan.outer_repeats} times; in each fold the "
            "selection, the penalty and the cut-off are found anew, on the training part alone."
        )
    if len(study.held_out):
        parts.append(f"{len(study.held_out)} patients were set apart at random before anything was looked at.")
    parts.append(
        "AUC intervals: DeLong's, the exact binomial one that some papers print, and by bootstrap. None of them knows "
        "how much another draw of the training patients would change the signature."
    )
    return " ".join(parts)


def _sample_size(study: Study) -> str:
    return (
        "Patients needed so that the coefficients shrink by at most a tenth, that apparent and adjusted R2 "
        f"differ by at most 0.05, and that the overall risk is known to 0.05. Here are {len(study.train)}."
    )


def _clinical(study: Study) -> str:
    kind = (
        "the mean of predictions by fits that did not see the patient"
        if study.rad_score_unseen
        else "the signature's own on its training patients, which looks better than it is"
    )
    found = study.clinical
    kept = [] if found.selection is None else [term.name for term in found.selection.model.terms]
    per_variable = (
        "" if found.selection is None else f" {found.selection.model.events_per_variable:.1f} events per column."
    )
    return (
        f"Training patients. The Rad-score is {kind}. Variables with p < 0.1 alone entered: "
        f"{', '.join(found.entered) or 'none'}. Backward selection by AIC on {found.n} patients with {found.events} "
        f"events kept: {', '.join(kept) or 'none'}.{per_variable}"
    )


def _table(sheet: Sheet) -> Table:
    rows = tuple(tuple(_shortened(cell) for cell in row) for row in sheet.rows)
    return Table(sheet.caption, sheet.header, rows)


def _shortened(cell: str) -> str:
    try:
        value = float(cell)
    except ValueError:
        return cell
    return cell if cell.lstrip("-").isdigit() else f"{value:.4g}"
