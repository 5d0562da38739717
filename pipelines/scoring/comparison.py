"""Two models side by side: in what they differ, and how each does on the same patients."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.scoring.model import Model
from pipelines.statistics.roc import Auc, AucDifference, auc, compare_paired, scored


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same in two models."""

    what: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class OnCohort:
    """How two models do on the same patients.

    Attributes
    ----------
    patients, left_out
        Patients that both could score, and those of whom a feature has no value.
    same_class
        Patients whom both put on the same side of their cut-offs.
    correlation
        Pearson's, of the two signatures; NaN where one of them never varies.
    difference
        First area minus second, with DeLong's paired test.
    """

    patients: int
    left_out: int
    same_class: int
    correlation: float
    first: Auc
    second: Auc
    difference: AucDifference


def differences(first: Model, second: Model) -> tuple[Difference, ...]:
    """In what two models differ, what decides a score before what describes it."""
    return tuple(difference for difference in _pairs(first, second) if difference.first != difference.second)


def on_cohort(
    first: tuple[Model, NDArray[np.float64]],
    second: tuple[Model, NDArray[np.float64]],
    positive: NDArray[np.bool_],
    positive_class: str,
) -> OnCohort:
    """Score the same patients with two models.

    Parameters
    ----------
    first, second
        Each model with its features, unscaled, shape (patients, features), in the model's order.
    positive
        The patients of the positive class, shape (patients,).

    Raises
    ------
    ValueError
        If of the patients that both can score none belongs to one of the classes.
    """
    usable = np.isfinite(first[1]).all(axis=1) & np.isfinite(second[1]).all(axis=1)
    signatures = [_signatures(model, values[usable]) for model, values in (first, second)]
    classes = [
        1.0 / (1.0 + np.exp(-signature)) >= model.cut_off.value
        for (model, _), signature in zip((first, second), signatures, strict=True)
    ]
    labels = np.where(positive[usable], positive_class, f"not {positive_class}")
    of_first, of_second = (scored(values, labels, positive_class=positive_class) for values in signatures)
    return OnCohort(
        patients=int(usable.sum()),
        left_out=int((~usable).sum()),
        same_class=int((classes[0] == classes[1]).sum()),
        correlation=_correlation(*signatures),
        first=auc(of_first),
        second=auc(of_second),
        difference=compare_paired(of_first, of_second),
    )


def _pairs(first: Model, second: Model) -> Iterator[Difference]:
    coefficients = [{f.name: (f.coefficient, f.mean, f.sd) for f in model.features} for model in (first, second)]
    for name in sorted({*coefficients[0], *coefficients[1]}):
        yield Difference(name, *(_term(of.get(name)) for of in coefficients))
    for what in ("intercept", "positive_class", "negative_class", "lesion_choice", "licence", "intended_use"):
        yield Difference(what, *(f"{getattr(model, what)}" for model in (first, second)))
    yield Difference("score_scale", *(f"{model.score_scale or 'none'}" for model in (first, second)))
    yield Difference("cut-off", *(f"{m.cut_off.value:g} ({m.cut_off.rule})" for m in (first, second)))
    yield Difference("extraction", *(f"{m.extraction.profile} {m.extraction.settings_sha256}" for m in (first, second)))
    yield Difference("cases", *(f"{m.training.n}, {m.training.events} positive" for m in (first, second)))
    yield Difference("training data", *(m.training.data for m in (first, second)))
    yield Difference("estimator", *(m.training.estimator for m in (first, second)))
    for data in ("apparent", "internal", "external"):
        yield Difference(f"{data} performance", *(_performance(model, data) for model in (first, second)))
    yield Difference("reference", *("held" if m.reference else "none" for m in (first, second)))


def _term(parts: tuple[float, float, float] | None) -> str:
    return "not used" if parts is None else "{:+.6g} x (value - {:g}) / {:g}".format(*parts)


def _performance(model: Model, data: str) -> str:
    return ", ".join(f"{one.measure} {one.value:.3g}" for one in model.performance if one.data == data) or "none"


def _signatures(model: Model, values: NDArray[np.float64]) -> NDArray[np.float64]:
    coefficients, means, deviations = np.array([(f.coefficient, f.mean, f.sd) for f in model.features]).T
    made: NDArray[np.float64] = model.intercept + ((values - means) / deviations) @ coefficients
    return made


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
