"""The covariates of the progression study as categories with a reference level each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.cohort.huang.columns import PDL1
from pipelines.cohort.huang.patients import Patient
from pipelines.statistics.values import Floats, Term, categorical


@dataclass(frozen=True, slots=True)
class Variable:
    """One row group of table 1.

    Attributes
    ----------
    levels
        In the order of the table.
    reference
        The level that odds ratios compare with.
    matched
        Whether the propensity score holds it.
    of
        Its level in a patient; None where it is missing.
    """

    name: str
    levels: tuple[str, ...]
    reference: str
    matched: bool
    of: Callable[[Patient], str | None]


PD_L1: Final = Variable("PD-L1", PDL1, PDL1[0], True, lambda one: one.pd_l1)
VARIABLES: Final = (
    Variable("Age (years)", (">=60", "<60"), "<60", True, lambda one: ">=60" if one.age >= 60 else "<60"),
    Variable("Sex", ("male", "female"), "female", True, lambda one: one.sex),
    Variable("Smoking", ("ever", "never"), "never", True, lambda one: one.smoking),
    Variable("ECOG", ("0", "1"), "0", False, lambda one: None if one.ecog is None else str(one.ecog)),
    Variable("Brain metastases", ("yes", "no"), "no", True, lambda one: one.brain_metastases),
    Variable("Histology", ("squamous", "adenocarcinoma"), "adenocarcinoma", True, lambda one: one.histology),
    Variable("Stage", ("IIIC", "IV"), "IIIC", True, lambda one: one.stage),
    PD_L1,
)
"""Huang et al. 2025, table 1; all but ECOG are in the propensity score (section 1.2)."""


def levels(variable: Variable, everyone: Sequence[Patient]) -> tuple[str | None, ...]:
    """The level of every patient."""
    return tuple(variable.of(one) for one in everyone)


def complete(everyone: Sequence[Patient], variables: Sequence[Variable]) -> NDArray[np.bool_]:
    """Which patients have all of the variables."""
    return np.array([all(variable.of(one) is not None for variable in variables) for one in everyone], dtype=np.bool_)


def terms(everyone: Sequence[Patient], variables: Sequence[Variable]) -> tuple[Term, ...]:
    """The variables as terms of a model; one of which all patients have the same level is left out.

    Every patient must have every variable, and every variable its reference level.
    """
    found = []
    for variable in variables:
        values = [level for level in levels(variable, everyone) if level is not None]
        if len(set(values)) > 1:
            reference = variable.reference if variable.reference in values else sorted(set(values))[0]
            found.append(categorical(variable.name, values, reference=reference))
    return tuple(found)


def columns(found: Sequence[Term]) -> Floats:
    """The columns of all terms side by side, shape (n, k)."""
    return np.column_stack([term.columns for term in found])
