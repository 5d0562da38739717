"""PD-L1 completed several times, matching and survival in each, and one pooled answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.cohort.huang.balance import MatchedCohort, is_oligo, match
from pipelines.cohort.huang.choices import Choices
from pipelines.cohort.huang.endpoints import overall_survival, pfs
from pipelines.cohort.huang.patients import Patient
from pipelines.cohort.huang.variables import PD_L1, VARIABLES, columns, complete, levels, terms
from pipelines.domain.reasons import Rejected
from pipelines.statistics.cox import NotEstimable, cox
from pipelines.statistics.imputation import impute_ordinal
from pipelines.statistics.intervals import normal_quantile
from pipelines.statistics.logistic import fit, odds_ratios
from pipelines.statistics.rubin import Pooled, pool
from pipelines.statistics.survival import Durations
from pipelines.statistics.values import Outcome

_KNOWN: Final = tuple(variable for variable in VARIABLES if variable is not PD_L1)


@dataclass(frozen=True, slots=True)
class Completed:
    """The data sets, each matched.

    Attributes
    ----------
    sets
        One where nothing is missing.
    left_out
        Patients who lack another variable that is matched on; they are in no set.
    imputed
        Patients whose PD-L1 was missing.
    """

    sets: tuple[MatchedCohort, ...]
    left_out: int
    imputed: int


@dataclass(frozen=True, slots=True)
class PooledRow:
    """One quantity over the data sets.

    Attributes
    ----------
    each
        Estimate, lower and upper limit and patients of each data set, on the scale of ratios.
    pooled
        On the logarithmic scale; None with one data set.
    """

    quantity: str
    each: tuple[tuple[float, float, float, int], ...]
    pooled: Pooled | None

    @property
    def ratio(self) -> tuple[float, float, float]:
        """Pooled ratio with its limits; that of the only data set where nothing was pooled."""
        if self.pooled is None:
            value, lower, upper, _ = self.each[0]
            return value, lower, upper
        return exp(self.pooled.estimate), exp(self.pooled.lower), exp(self.pooled.upper)


def complete_and_match(everyone: Sequence[Patient], choices: Choices) -> Completed | Rejected:
    """Complete PD-L1 where it is missing, and match every completed data set by itself.

    The imputation model holds the other variables of table 1, the pattern of progression, and both survival times with
    their events.

    References
    ----------
    Huang et al. 2025, section 1.6 (five data sets); Leyrat et al. 2019 for matching within each of them.
    """
    rows = complete(everyone, [variable for variable in VARIABLES if variable.matched and variable is not PD_L1])
    kept = tuple(one for one, there in zip(everyone, rows, strict=True) if there)
    if len({one.pattern for one in kept}) < 2:
        return _not_done("nobody with complete covariates is left in one of the groups")
    codes = np.array([-1 if level is None else PD_L1.levels.index(level) for level in levels(PD_L1, kept)])
    missing = int((codes < 0).sum())
    try:
        filled = _complete(kept, codes, missing, choices)
        sets = tuple(match(data, choices) for data in filled)
    except (ValueError, ArithmeticError) as e:
        return _not_done(str(e))
    if any(not one.pairs.treated.size for one in sets):
        return _not_done("no pair lies within the caliper")
    return Completed(sets, len(everyone) - len(kept), missing)


def _complete(
    kept: tuple[Patient, ...], codes: NDArray[np.int64], missing: int, choices: Choices
) -> list[tuple[Patient, ...]]:
    if not missing:
        return [kept]
    predictors = [variable for variable in _KNOWN if all(level is not None for level in levels(variable, kept))]
    x = np.column_stack([columns(terms(kept, predictors)), is_oligo(kept)])
    outcomes = (pfs(kept, choices.cut_off), overall_survival(kept, choices.cut_off))
    drawn = impute_ordinal(codes, x, outcomes, levels=len(PD_L1.levels), sets=choices.imputations, seed=choices.seed)
    return [
        tuple(replace(one, pd_l1=PD_L1.levels[code]) for one, code in zip(kept, data.tolist(), strict=True))
        for data in drawn
    ]


def pooled_results(completed: Completed, choices: Choices) -> tuple[PooledRow, ...]:
    """Hazard ratios before and after matching and odds ratios of PD-L1, in each data set and pooled."""
    rows = []
    for name, endpoint in (("PFS", pfs), ("OS", overall_survival)):
        for when in ("before", "after"):
            found = []
            for one in completed.sets:
                people = one.matched if when == "after" else one.everyone
                fitted = _hazard(people, endpoint(people, choices.cut_off))
                if fitted is not None:
                    found.append((*fitted, len(people)))
            if len(found) == len(completed.sets):
                rows.append(_pooled(f"HR {name}, oligo vs systemic, {when} matching", found, None, choices))
    for name, endpoint in (("PFS", pfs), ("OS", overall_survival)):
        found = []
        for one in completed.sets:
            fitted = _hazard(one.everyone, endpoint(one.everyone, choices.cut_off), adjusted=True)
            if fitted is not None:
                found.append((*fitted, len(one.everyone)))
        if len(found) == len(completed.sets):
            rows.append(_pooled(f"HR {name}, oligo vs systemic, adjusted for the covariates", found, None, choices))
    everyone = [_pdl1(one.everyone, choices) for one in completed.sets]
    for place, level in enumerate(PD_L1.levels[1:]):
        estimates = [found[place] for found in everyone if len(found) > place]
        if len(estimates) == len(completed.sets):
            n = len(completed.sets[0].everyone)
            rows.append(
                _pooled(
                    f"OR systemic, PD-L1 {level} vs {PD_L1.reference}, adjusted",
                    [(*one, n) for one in estimates],
                    n,
                    choices,
                )
            )
    return tuple(rows)


def _hazard(people: Sequence[Patient], durations: Durations, *, adjusted: bool = False) -> tuple[float, float] | None:
    x = is_oligo(people).astype(np.float64)[:, None]
    if adjusted:
        x = np.column_stack([x, columns(terms(people, [variable for variable in VARIABLES if variable.matched]))])
    try:
        model = cox(durations, x, [str(column) for column in range(x.shape[1])])
    except NotEstimable:
        return None
    return float(model.coefficient[0]), float(model.covariance[0, 0])


def _pdl1(people: Sequence[Patient], choices: Choices) -> list[tuple[float, float]]:
    found = terms(people, [variable for variable in VARIABLES if variable.matched])
    model = fit(Outcome("systemic progression", np.asarray(~is_oligo(people))), found, penalty="when-separated")
    return [
        (ratio.coefficient, ratio.standard_error**2)
        for ratio in odds_ratios(model, level=choices.level)
        if ratio.term == PD_L1.name
    ]


def _pooled(quantity: str, found: Sequence[tuple[float, float, int]], rows: int | None, choices: Choices) -> PooledRow:
    z = normal_quantile(choices.level)
    each = tuple((exp(b), exp(b - z * v**0.5), exp(b + z * v**0.5), n) for b, v, n in found)
    if len(found) < 2:
        return PooledRow(quantity, each, None)
    # the complete-data degrees of freedom of a ratio from n patients; nearly normal in either case
    least = min(n for _, _, n in found) - 2 if rows is None else rows - 2
    return PooledRow(
        quantity, each, pool([b for b, _, _ in found], [v for _, v, _ in found], float(least), choices.level)
    )


def _not_done(why: str) -> Rejected:
    return Rejected("COH-005", f"The groups were not matched: {why}.", "Fill in the covariates, or widen the caliper.")
