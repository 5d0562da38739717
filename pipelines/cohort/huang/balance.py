"""Table 1 before and after matching: counts, tests, and standardised mean differences."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.cohort.huang.choices import Choices, Table1Test
from pipelines.cohort.huang.patients import Patient
from pipelines.cohort.huang.variables import VARIABLES, Variable, levels, terms
from pipelines.domain.reasons import Rejected
from pipelines.statistics.contingency import chi_square, compare
from pipelines.statistics.logistic import fit, odds_ratios
from pipelines.statistics.matching import Matched, match_nearest
from pipelines.statistics.smd import smd_levels
from pipelines.statistics.values import Floats, Outcome, TestResult, categorical

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


def table_one(everyone: Sequence[Patient], test: Table1Test) -> tuple[Row, ...]:
    """Table 1 of some patients."""
    oligo = is_oligo(everyone)
    return tuple(_row(variable, levels(variable, everyone), oligo, test) for variable in VARIABLES)


def table_of_counts(variable: Variable, found: Sequence[str | None], first: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Patients by level and group, shape (levels, 2)."""
    tally = Counter(zip(found, first.tolist(), strict=True))
    return np.array([[tally[level, True], tally[level, False]] for level in variable.levels], dtype=np.int64)


def _row(variable: Variable, found: Sequence[str | None], oligo: NDArray[np.bool_], test: Table1Test) -> Row:
    counts = table_of_counts(variable, found, oligo)
    known = np.array([level is not None for level in found], dtype=np.bool_)
    missing = (int((~known & oligo).sum()), int((~known & ~oligo).sum()))
    filled = bool(counts.sum(axis=0).all())
    return Row(
        variable, counts, missing, smd_levels(counts) if filled else float("nan"), test_counts(variable, counts, test)
    )


def test_counts(variable: Variable, counts: NDArray[np.int64], test: Table1Test) -> TestResult | None:
    """Compare the levels of two groups; the paper's Wald test exists for two levels alone, else it is chi-square."""
    if (counts.sum(axis=0) == 0).any() or (counts.sum(axis=1) > 0).sum() < 2:
        return None
    match test:
        case "cochran":
            return compare(counts)
        case "wald" if counts.shape[0] == 2 and counts.all():
            return wald(variable, counts)
        case _:
            return chi_square(counts)


# pytest takes a function of this name for a test wherever it is imported
test_counts.__test__ = False  # type: ignore[attr-defined]


def wald(variable: Variable, counts: NDArray[np.int64]) -> TestResult:
    """Wald's test of the crude odds ratio of systemic progression, from counts of two levels in two groups."""
    exposures = np.repeat([level for level in variable.levels for _ in range(2)], counts.ravel())
    systemic = np.repeat(np.tile([False, True], 2), counts.ravel())
    model = fit(
        Outcome("systemic progression", systemic),
        [categorical(variable.name, exposures.tolist(), reference=variable.reference)],
    )
    ratio = odds_ratios(model)[0]
    return TestResult("Wald (logistic regression)", ratio.z, None, ratio.p)


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
