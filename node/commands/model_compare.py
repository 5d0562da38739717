"""Run `pulmonode model compare`: two packages beside each other, and on the patients of a cohort."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from node.bootstrap.models import make_models
from node.commands.models import Told
from node.settings import Settings
from pipelines.cohort.folder import CLINICAL, FEATURES, OutcomeChoice, read_cohort
from pipelines.domain.reasons import Rejected
from pipelines.domain.training_table import TrainingTable
from pipelines.scoring.comparison import Difference, OnCohort, differences, on_cohort
from pipelines.scoring.model import Model
from pipelines.statistics.roc import Auc

Values = np.ndarray[Any, np.dtype[np.float64]]


def compare(settings: Settings, first: Path, second: Path, cohort: Path | None) -> Told | Rejected:
    """In what two packages differ; with `cohort`, how each does on its patients.

    Parameters
    ----------
    cohort
        Folder with `clinical.csv` and `features.csv`, as `pulmonode train` reads it.
    """
    models = make_models(settings)
    opened = []
    for folder in (first, second):
        package = models.verify(folder)
        if isinstance(package, Rejected):
            return package
        opened.append(package.model)
    found = differences(*opened)
    if cohort is None:
        return Told(tuple(_lines(opened, found)), {"differences": [asdict(one) for one in found]})
    beside = _on_patients(opened, cohort)
    if isinstance(beside, Rejected):
        return beside
    facts = {"differences": [asdict(one) for one in found], "cohort": _facts(beside)}
    return Told((*_lines(opened, found), *_told(opened, beside)), facts)


def _on_patients(models: list[Model], cohort: Path) -> OnCohort | Rejected:
    try:
        clinical, features = ((cohort / name).read_text("utf-8") for name in (CLINICAL, FEATURES))
    except (OSError, UnicodeDecodeError) as fault:
        return Rejected("TRAIN-001", f"{cohort} cannot be read: {fault}.", f"Put {CLINICAL} and {FEATURES} there.")
    table = read_cohort(clinical, features, OutcomeChoice())
    if isinstance(table, Rejected):
        return table
    for model in models:
        if table.settings_sha256 not in (None, model.extraction.settings_sha256):
            return Rejected(
                "MODEL-003",
                f"Model {model.name} {model.version} was trained with extraction profile {model.extraction.profile}, "
                f"{FEATURES} holds profile {table.profile}.",
                f"Measure the cohort with profile {model.extraction.profile}.",
            )
    values = [_values(model, table) for model in models]
    lacking = [value for value in values if isinstance(value, Rejected)]
    if lacking:
        return lacking[0]
    pairs = [(m, v) for m, v in zip(models, values, strict=True) if not isinstance(v, Rejected)]
    try:
        return on_cohort(pairs[0], pairs[1], table.positive, table.positive_class)
    except ValueError as fault:
        return Rejected("TRAIN-001", f"The cohort cannot be scored: {fault}.", "Name a cohort with both classes.")


def _values(model: Model, table: TrainingTable) -> Values | Rejected:
    names = [feature.name for feature in model.features]
    lacking = [name for name in names if name not in table.features]
    if lacking:
        return Rejected(
            "MODEL-002",
            f"{FEATURES} lacks features of model {model.name} {model.version}: {', '.join(lacking)}.",
            f"Measure the cohort with profile {model.extraction.profile}.",
        )
    return table.values[:, [table.features.index(name) for name in names]]


def _lines(models: list[Model], found: tuple[Difference, ...]) -> list[str]:
    first, second = (f"{model.name} {model.version}" for model in models)
    lines = [f"{first} and {second} differ in {len(found)} things."]
    for one in found:
        lines += [f"{one.what}", f"  {first}: {one.first}", f"  {second}: {one.second}"]
    return lines


def _told(models: list[Model], beside: OnCohort) -> list[str]:
    test, interval = beside.difference.test, beside.difference.interval
    return [
        f"{beside.patients} patients scored by both, {beside.left_out} left out for a feature without a value; "
        f"{beside.same_class} in the same class; correlation of the signatures {beside.correlation:.3f}",
        *(f"  {m.name} {m.version}: AUC {_auc(a)}" for m, a in zip(models, (beside.first, beside.second), strict=True)),
        f"  difference {beside.difference.difference:+.3f} ({interval.lower:+.3f} to {interval.upper:+.3f}), "
        f"{test.test} p = {test.p:.3g}",
        "A cohort that one of them was trained on flatters it.",
    ]


def _auc(of: Auc) -> str:
    return f"{of.area:.3f} ({of.interval.lower:.3f} to {of.interval.upper:.3f})"


def _facts(beside: OnCohort) -> dict[str, Any]:
    difference = beside.difference
    areas = {
        name: {"auc": of.area, "ci_low": of.interval.lower, "ci_high": of.interval.upper}
        for name, of in (("first", beside.first), ("second", beside.second))
    }
    return areas | {
        "patients": beside.patients,
        "left_out": beside.left_out,
        "same_class": beside.same_class,
        "correlation": beside.correlation if np.isfinite(beside.correlation) else None,
        "difference": difference.difference,
        "ci_low": difference.interval.lower,
        "ci_high": difference.interval.upper,
        "p_value": difference.test.p,
    }
