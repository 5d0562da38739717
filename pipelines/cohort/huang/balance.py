"""Table 1 before and after matching: counts, tests, and standardised mean differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.cohort.huang.choices import Choices
from pipelines.cohort.huang.patients import Patient
from pipelines.cohort.huang.variables import VARIABLES, Variable, levels, terms
from pipelines.domain.reasons import Rejected
from pipelines.statistics import table_one as statistics
from pipelines.statistics.logistic import fit
from pipelines.statistics.matching import Matched, match_nearest
from pipelines.statistics.table_one import CategoricalTest
from pipelines.statistics.values import Floats, Outcome, TestResult

# covariates are categories, so patients alike in all of them have one score; rounding keeps the machine's last digits
# from deciding which of them is taken
_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One variable of table 1.

    Attributes
    ----------
    counts
        Patients by level and group, shape (levels, 2), oligoprogression first; missing values left out.
    missing
        Patients of each group without the variable.
    smd
        Absolute standardised mean difference over all levels (pooled deviation; Yang & Dalton); NaN for an empty group.
    test
        None where the variable does not vary.
    """

    variable: Variable
    counts: NDArray[np.int64]
    missing: tuple[int, int]
    smd: float
    test: TestResult | None


@dataclass(frozen=True, slots=True)
class MatchedCohort:
    """Pairs of one completed data set, with their balance.

    Attributes
    ----------
    everyone
        Patients of the data set, with PD-L1 completed where it was missing.
    scores
        Logit of the propensity score of oligoprogression, shape (n,).
    rows
        Numbers of the matched patients in `everyone`, ascending.
    before, after
        Table 1 of everyone and of the matched.
    """

    everyone: tuple[Patient, ...]
    scores: Floats
    pairs: Matched
    rows: NDArray[np.intp]
    before: tuple[Row, ...]
    after: tuple[Row, ...]

    @property
    def matched(self) -> tuple[Patient, ...]:
        return tuple(self.everyone[row] for row in self.rows)


def is_oligo(everyone: Sequence[Patient]) -> NDArray[np.bool_]:
    """Who progressed in few lesions."""
    return np.array([one.pattern == "oligo" for one in everyone], dtype=np.bool_)


def table_one(everyone: Sequence[Patient], test: CategoricalTest) -> tuple[Row, ...]:
    """Table 1 of some patients; both groups must be among them."""
    groups = [one.pattern for one in everyone]
    table = statistics.table_one(
        [statistics.levels(variable.name, levels(variable, everyone), order=variable.levels) for variable in VARIABLES],
        [str(group) for group in groups],
        order=("oligo", "systemic"),
        rules=statistics.Rules(categorical=test),
    )
    return tuple(_row(variable, everyone, table) for variable in VARIABLES)


def _row(variable: Variable, everyone: Sequence[Patient], table: statistics.TableOne) -> Row:
    head, *body = (row for row in table.rows if row.variable == variable.name)
    counts = [[share.n for share in row.groups if isinstance(share, statistics.Share)] for row in body]
    unknown = [one.pattern for one in everyone if variable.of(one) is None]
    return Row(
        variable,
        np.array(counts, dtype=np.int64),
        (unknown.count("oligo"), unknown.count("systemic")),
        abs(head.smd) if head.smd is not None else float("nan"),
        head.test,
    )


def match(everyone: Sequence[Patient], choices: Choices) -> MatchedCohort:
    """Pair each patient with oligoprogression with one with systemic progression.

    Every patient must have every variable that is matched on.

    References
    ----------
    Huang et al. 2025, section 1.2; Austin 2011 for the recommended caliper.
    """
    oligo = is_oligo(everyone)
    model = fit(
        Outcome("oligoprogression", oligo),
        terms(everyone, [variable for variable in VARIABLES if variable.matched]),
        penalty="when-separated",
    )
    scores = np.round(model.linear_predictor, _DIGITS)
    pairs = match_nearest(scores, oligo, caliper=choices.caliper, order=choices.order)
    rows = pairs.rows()
    kept = [everyone[row] for row in rows]
    return MatchedCohort(
        tuple(everyone), scores, pairs, rows, table_one(everyone, choices.before), table_one(kept, choices.after)
    )


def unbalanced(sets: Sequence[MatchedCohort], limit: float) -> tuple[Rejected, ...]:
    """A loud word about every completed data set in which a covariate still differs after matching."""
    problems = []
    for number, one in enumerate(sets, start=1):
        far = [f"{row.variable.name} {row.smd:.3f}" for row in one.after if not row.smd < limit]
        if far:
            problems.append(
                Rejected(
                    "COH-004",
                    f"After matching ({one.pairs.treated.size} pairs, data set {number}) the standardised mean "
                    f"difference is {limit:g} or more for {', '.join(far)}.",
                    "Do not read the matched comparison as adjusted for these: choose another caliper or adjust in the "
                    "model.",
                )
            )
    return tuple(problems)
