"""A cohort as one table: what was measured, what came of it, and what else is known of each patient."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class NumberCovariate:
    """A clinical number, such as the age; `values` has NaN where it is not known, shape (patients,)."""

    name: str
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClassCovariate:
    """A clinical class, such as the stage; `values` has an empty text where it is not known, one a patient."""

    name: str
    values: tuple[str, ...]

    @property
    def levels(self) -> tuple[str, ...]:
        """The classes that occur, sorted."""
        return tuple(sorted({value for value in self.values if value}))


Covariate = NumberCovariate | ClassCovariate


@dataclass(frozen=True, slots=True, eq=False)
class TrainingTable:
    """Patients with the features of one lesion each and a binary outcome.

    Attributes
    ----------
    patients
        Pseudonyms, unique.
    features
        Names as PyRadiomics gives them, sorted: equal p values are settled in this order.
    values
        Shape (patients, features); NaN where a feature is not defined.
    outcome
        Name of the outcome, such as `response`.
    positive_class, negative_class
        What its two sides are called.
    positive
        Shape (patients,).
    covariates
        What else is known before the treatment.
    sites
        Hospital of each patient; empty when there is one.
    study_dates
        Day of each CT; None where it is not known.
    acquisition
        Facts about the CT as they were written, such as the convolution kernel; never taken for facts about patients.
    days_before_therapy
        From the CT to the first dose; None where it is not known.
    profile, settings_sha256
        Of the extraction; None where the table does not say it.
    """

    patients: tuple[str, ...]
    features: tuple[str, ...]
    values: NDArray[np.float64]
    outcome: str
    positive_class: str
    negative_class: str
    positive: NDArray[np.bool_]
    covariates: tuple[Covariate, ...] = ()
    sites: tuple[str, ...] = ()
    study_dates: tuple[date | None, ...] = ()
    acquisition: tuple[ClassCovariate, ...] = ()
    days_before_therapy: tuple[int | None, ...] = ()
    profile: str | None = None
    settings_sha256: str | None = None

    def __post_init__(self) -> None:
        n = len(self.patients)
        if len(set(self.patients)) != n:
            raise ValueError("a patient occurs more than once")
        if list(self.features) != sorted(set(self.features)):
            raise ValueError("features must be unique and sorted")
        if self.values.shape != (n, len(self.features)) or self.positive.shape != (n,):
            raise ValueError("every patient needs a row of features and an outcome")
        if any(len(covariate.values) != n for covariate in (*self.covariates, *self.acquisition)):
            raise ValueError("every covariate needs a value for each patient")
        if any(len(given) not in (0, n) for given in (self.sites, self.study_dates, self.days_before_therapy)):
            raise ValueError("sites and dates are given for all patients or for none")

    @property
    def n(self) -> int:
        """Number of patients."""
        return len(self.patients)

    @property
    def events(self) -> int:
        """Number of patients of the positive class."""
        return int(self.positive.sum())

    def subset(self, rows: Sequence[int] | NDArray[np.int_]) -> "TrainingTable":
        """The patients in `rows`, in that order."""
        chosen = [int(row) for row in rows]
        return replace(
            self,
            patients=tuple(self.patients[row] for row in chosen),
            values=self.values[chosen],
            positive=self.positive[chosen],
            covariates=tuple(_rows(covariate, chosen) for covariate in self.covariates),
            acquisition=tuple(_classes(covariate, chosen) for covariate in self.acquisition),
            days_before_therapy=tuple(self.days_before_therapy[row] for row in chosen)
            if self.days_before_therapy
            else (),
            sites=tuple(self.sites[row] for row in chosen) if self.sites else (),
            study_dates=tuple(self.study_dates[row] for row in chosen) if self.study_dates else (),
        )

    def only(self, features: Sequence[str]) -> "TrainingTable":
        """With those of `features` that the table has."""
        asked = set(features)
        keep = [i for i, name in enumerate(self.features) if name in asked]
        return replace(self, features=tuple(self.features[i] for i in keep), values=self.values[:, keep])


def _rows(covariate: Covariate, rows: Sequence[int]) -> Covariate:
    if isinstance(covariate, NumberCovariate):
        return replace(covariate, values=covariate.values[list(rows)])
    return _classes(covariate, rows)


def _classes(covariate: ClassCovariate, rows: Sequence[int]) -> ClassCovariate:
    return replace(covariate, values=tuple(covariate.values[row] for row in rows))
