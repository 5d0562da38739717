"""From a study to the files that are written: the model package, with the report and its parts attached."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pipelines.domain.training_table import TrainingTable
from pipelines.scoring.card import card_files
from pipelines.scoring.facts import SCHEMA_VERSION, CutOff, Extraction, ModelFacts, ModelFeature, Performance, Training
from pipelines.scoring.package import package_files
from pipelines.scoring.reference import Acquisition, Scanner
from pipelines.scoring.summary import quantiles, summarise
from pipelines.training.drawings import all_drawings
from pipelines.training.evaluation import Evaluation
from pipelines.training.report import report_of, weaknesses
from pipelines.training.study import Study
from pipelines.training.tables import all_sheets
from pipelines.training.words import cut_off_rule, estimator, selection


@dataclass(frozen=True, slots=True)
class Labels:
    """What the maker of a model says about it.

    Attributes
    ----------
    data
        Description of the cohort, for people.
    data_from, data_to
        First and last study date, YYYY-MM-DD.
    """

    name: str
    version: str
    licence: str
    intended_use: str
    data: str
    data_from: str
    data_to: str
    demonstration: bool


def attachments(study: Study, run: Mapping[str, str], command: Mapping[str, object]) -> dict[str, bytes]:
    """Report, tables, figures and the account of the run, by their path."""
    sheets, drawings = all_sheets(study), tuple(all_drawings(study))
    files = {f"tables/{sheet.name}.csv": sheet.csv() for sheet in sheets}
    for name, _, drawing in drawings:
        files[f"figures/{name}.svg"] = drawing.svg()
        files[f"figures/{name}.png"] = drawing.png()
    files["report.html"] = report_of(study, sheets, drawings, run).html()
    files["command.json"] = f"{json.dumps(command, indent=2, sort_keys=True, ensure_ascii=False)}\n".encode()
    return files


def model_package(
    study: Study, extraction: Extraction, labels: Labels, software: Mapping[str, str], attached: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The files of an unsigned package."""
    facts = model_facts(study, extraction, labels, software)
    return package_files(facts, card_files(facts, {"limitations": " ".join(weaknesses(study))}), attached)


def model_facts(study: Study, extraction: Extraction, labels: Labels, software: Mapping[str, str]) -> ModelFacts:
    """The model of a study with at least one feature."""
    cohort, signature = study.cohort, study.trained.signature
    table = study.table
    features = tuple(
        ModelFeature(name=table.features[column], coefficient=_ten(c), mean=_ten(m), sd=_ten(s))
        for column, c, m, s in zip(signature.columns, signature.coefficients, signature.mean, signature.sd, strict=True)
    )
    return ModelFacts(
        schema_version=SCHEMA_VERSION,
        kind="logistic",
        name=labels.name,
        version=labels.version,
        licence=labels.licence,
        intended_use=labels.intended_use,
        demonstration=labels.demonstration,
        positive_class=f"predicted {table.positive_class}",
        negative_class=f"predicted {table.negative_class}",
        features=features,
        intercept=_ten(signature.intercept),
        cut_off=CutOff(value=_ten(study.trained.cut_off), rule=cut_off_rule(study)),
        lesion_choice="largest",
        extraction=extraction,
        training=Training(
            data=labels.data,
            n=cohort.n,
            events=cohort.events,
            data_from=labels.data_from,
            data_to=labels.data_to,
            feature_selection=selection(study),
            estimator=estimator(study),
            software=dict(software),
        ),
        performance=tuple(one for evaluation in study.evaluations for one in _performance(evaluation))
        + tuple(_of_validation(study)),
        reference=summarise(
            cohort.values[:, list(signature.columns)],
            signature.linear_predictor(cohort.values),
            cohort.positive,
            _acquisition(cohort),
        ),
    )


def _performance(one: Evaluation) -> Iterator[Performance]:
    data: Literal["apparent", "internal"] = "apparent" if one.kind == "apparent" else "internal"
    limits = one.auc.interval
    yield Performance(
        measure="AUC",
        data=data,
        value=_ten(one.auc.area),
        ci_low=_ten(limits.lower),
        ci_high=_ten(limits.upper),
        ci_level=limits.level,
        method=f"{one.name}; interval of DeLong",
    )
    for measure, share in (("sensitivity", one.point.sensitivity), ("specificity", one.point.specificity)):
        yield Performance(
            measure=measure,
            data=data,
            value=_ten(share.estimate),
            ci_low=_ten(share.interval.lower),
            ci_high=_ten(share.interval.upper),
            ci_level=share.interval.level,
            method=f"{one.name} at the cut-off; interval of Clopper and Pearson",
        )
    if one.calibration is not None:
        for measure, value in (
            ("calibration slope", one.calibration.slope),
            ("calibration in the large", one.calibration.in_the_large),
            ("Brier score", one.calibration.brier),
        ):
            yield Performance(measure=measure, data=data, value=_ten(value), method=one.name)


def _of_validation(study: Study) -> Iterator[Performance]:
    if study.nested is not None:
        plan = study.profile.validation
        yield Performance(
            measure="mean AUC of the outer folds",
            data="internal",
            value=_ten(study.nested.auc),
            method=f"nested cross-validation, {plan.outer_folds} folds, {plan.outer_repeats} times",
        )
    if study.optimism is not None:
        yield Performance(
            measure="AUC corrected for optimism",
            data="internal",
            value=_ten(study.optimism.corrected),
            method=f"{len(study.optimism.in_sample)} bootstrap samples, the whole recipe in each; too kind where "
            "features are selected among more than there are patients, see the nested cross-validation",
        )


def _acquisition(cohort: TrainingTable) -> Acquisition:
    said = {fact.name: fact.values for fact in cohort.acquisition}
    blank = ("",) * cohort.n
    thickness = [float(text) for text in said.get("slice_thickness_mm", ()) if text]
    days = [day for day in cohort.days_before_therapy if day is not None]
    scanners = sorted(set(zip(said.get("manufacturer", blank), said.get("scanner", blank), strict=True)))
    return Acquisition(
        slice_thickness_mm=quantiles(thickness) if thickness else None,
        kernels=tuple(sorted({text for text in said.get("kernel", ()) if text})),
        kvp=tuple(sorted({float(text) for text in said.get("kvp", ()) if text})),
        scanners=tuple(Scanner(manufacturer=maker, model=model) for maker, model in scanners if maker or model),
        days_before_therapy=quantiles(days) if days else None,
    )


def _ten(value: float) -> float:
    # the last bits, in which machines differ, are left out
    return float(f"{float(value):.10g}")
