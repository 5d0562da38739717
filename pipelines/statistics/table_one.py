"""The table of patients: each variable by group, with the test that fits, its p and the standardised difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.statistics.contingency import compare
from pipelines.statistics.groups import Mean, Median, Spread, compare_numbers, looks_normal, mean_of, median_of
from pipelines.statistics.likelihood import NotConvergedError
from pipelines.statistics.logistic import fit, odds_ratios
from pipelines.statistics.smd import Divisor, smd_levels, smd_numbers, smd_shares
from pipelines.statistics.values import Flags, Floats, TestResult, categorical, outcome

CategoricalTest = Literal["cochran", "chi-square", "exact", "wald"]
"""`cochran` chooses between the next two by expected counts; `wald` is that of a logistic regression of the group."""


@dataclass(frozen=True, slots=True)
class Number:
    """A variable that is a number; NaN where it is missing, shape (n,)."""

    name: str
    values: Floats
    digits: int = 1


@dataclass(frozen=True, slots=True)
class Levels:
    """A variable of named levels, in the order of the table; None where it is missing."""

    name: str
    values: tuple[str | None, ...]
    order: tuple[str, ...]


Variable = Number | Levels


@dataclass(frozen=True, slots=True)
class Share:
    """Cases of a level among those of a group whose level is known."""

    n: int
    total: int

    def text(self, digits: int) -> str:
        return f"{self.n} ({100 * self.n / self.total:.{digits}f})" if self.total else "0 (–)"


@dataclass(frozen=True, slots=True)
class Row:
    """One printed row.

    Attributes
    ----------
    level
        None in the row of the variable itself.
    overall, groups
        What is told of all cases and of each group; None in the head row of a variable with levels.
    missing
        Cases without a value, in the variable's row; 0 in the rows of its levels.
    test
        What was tested, in the variable's row; None where nothing could be.
    smd
        Of the first group against the second, in the variable's row; None unless there are two groups.
    """

    variable: str
    level: str | None
    overall: Mean | Median | Share | None
    groups: tuple[Mean | Median | Share | None, ...]
    missing: int
    test: TestResult | None
    smd: float | None
    digits: int


@dataclass(frozen=True, slots=True)
class TableOne:
    """A table of patients; `groups` and `sizes` head its columns."""

    groups: tuple[str, ...]
    sizes: tuple[int, ...]
    rows: tuple[Row, ...]

    @property
    def largest_smd(self) -> float | None:
        """The largest standardised difference of all variables, without sign."""
        found = [abs(row.smd) for row in self.rows if row.smd is not None]
        return max(found) if found else None

    def unbalanced(self, limit: float = 0.1) -> tuple[str, ...]:
        """Variables whose standardised difference reaches `limit`."""
        return tuple(row.variable for row in self.rows if row.smd is not None and abs(row.smd) >= limit)


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """The same table of all cases and of those that were matched."""

    before: TableOne
    after: TableOne


@dataclass(frozen=True, slots=True)
class Rules:
    """How a table is made.

    Attributes
    ----------
    spread
        Of the t test.
    alpha
        Below this p of Shapiro-Wilk in any group, a number is told by its median and compared by ranks.
    divisor
        Of the standardised differences.
    """

    categorical: CategoricalTest = "cochran"
    spread: Spread = "equal"
    alpha: float = 0.05
    divisor: Divisor = "pooled"


def number(name: str, values: ArrayLike, *, digits: int = 1) -> Number:
    """A number by case, NaN where it is missing."""
    return Number(name, np.asarray(values, dtype=np.float64), digits)


def levels(name: str, values: Sequence[object | None], *, order: Sequence[str] = ()) -> Levels:
    """Levels by case, None where missing; sorted unless an `order` is given.

    Raises
    ------
    ValueError
        If a value is not in `order`.
    """
    texts = tuple(None if value is None else str(value) for value in values)
    present = sorted({text for text in texts if text is not None})
    if order and not set(present) <= set(order):
        raise ValueError(f"{name} has levels that its order lacks: {', '.join(sorted(set(present) - set(order)))}")
    return Levels(name, texts, tuple(order) or tuple(present))


def table_one(
    variables: Sequence[Variable],
    groups: Sequence[str],
    *,
    order: Sequence[str] = (),
    rules: Rules | None = None,
) -> TableOne:
    """Describe and compare groups of patients.

    Parameters
    ----------
    groups
        Group of each case, shape (n,).
    order
        Groups in the order of the columns, sorted by default.

    Raises
    ------
    ValueError
        If there are fewer than two groups, or a variable has another number of cases.

    References
    ----------
    Shapiro-Wilk, then t test or Mann-Whitney; Cochran 1954 for chi-square or exact test (Dong & Chen 2025, section 1.4;
    Huang 2025, section 1.6).
    """
    chosen = rules or Rules()
    of_case = np.array([str(group) for group in groups])
    names = tuple(order) or tuple(sorted(set(of_case.tolist())))
    masks = [np.asarray(of_case == name) for name in names]
    if len(names) < 2 or not all(mask.any() for mask in masks) or not np.logical_or.reduce(masks).all():
        raise ValueError("a comparison needs two groups at least, each with cases, and a group for every case")
    rows: list[Row] = []
    for variable in variables:
        if len(variable.values) != of_case.size:
            raise ValueError(f"{variable.name} has {len(variable.values)} values for {of_case.size} cases")
        match variable:
            case Number():
                rows.append(_number_row(variable, masks, chosen))
            case Levels():
                rows += _level_rows(variable, masks, chosen)
    return TableOne(names, tuple(int(mask.sum()) for mask in masks), tuple(rows))


def before_after(
    variables: Sequence[Variable],
    groups: Sequence[str],
    matched: NDArray[np.bool_],
    *,
    order: Sequence[str] = (),
    rules: Rules | None = None,
    rules_after: Rules | None = None,
) -> BeforeAfter:
    """The table of all cases and that of the matched ones, with standardised differences in both.

    `rules_after` may differ: Huang 2025 prints Wald's p before matching and chi-square's after it.
    """
    rows = np.flatnonzero(matched)
    chosen = [_picked(variable, rows) for variable in variables]
    return BeforeAfter(
        table_one(variables, groups, order=order, rules=rules),
        table_one(chosen, [groups[row] for row in rows.tolist()], order=order, rules=rules_after or rules),
    )


def printed(table: TableOne) -> tuple[tuple[str, ...], ...]:
    """The table as text, head first; the test of each row is named."""
    heads = [f"{name} (n={size})" for name, size in zip(table.groups, table.sizes, strict=True)]
    lines = [("", f"all (n={sum(table.sizes)})", *heads, "missing", "p", "test", "SMD")]
    for row in table.rows:
        own = row.level is None
        lines.append(
            (
                row.variable if own else f"  {row.level}",
                *("" if told is None else told.text(row.digits) for told in (row.overall, *row.groups)),
                str(row.missing) if own else "",
                "" if row.test is None else p_text(row.test.p),
                "" if row.test is None else row.test.test,
                "" if row.smd is None else f"{abs(row.smd):.3f}",
            )
        )
    return tuple(lines)


def p_text(p: float) -> str:
    """A p value with three digits, `<0.001` below.

    >>> p_text(0.02167), p_text(0.0004)
    ('0.022', '<0.001')
    """
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _picked(variable: Variable, rows: NDArray[np.intp]) -> Variable:
    match variable:
        case Number():
            return Number(variable.name, variable.values[rows], variable.digits)
        case Levels():
            return Levels(variable.name, tuple(variable.values[row] for row in rows), variable.order)


def _number_row(variable: Number, masks: Sequence[Flags], rules: Rules) -> Row:
    known = np.isfinite(variable.values)
    groups = [variable.values[mask & known] for mask in masks]
    normal = looks_normal(groups, alpha=rules.alpha)
    told = mean_of if normal else median_of
    testable = min(group.size for group in groups) > 1
    # one group's spread alone cannot divide; two groups of one case each have none
    smd = smd_numbers(groups[0], groups[1], divisor=rules.divisor) if len(groups) == 2 and testable else None
    return Row(
        variable=variable.name,
        level=None,
        overall=told(variable.values[known]),
        groups=tuple(told(group) for group in groups),
        missing=int((~known).sum()),
        test=compare_numbers(groups, spread=rules.spread, normal=normal) if testable else None,
        smd=smd,
        digits=variable.digits,
    )


def _level_rows(variable: Levels, masks: Sequence[Flags], rules: Rules) -> list[Row]:
    values = np.array(["" if value is None else value for value in variable.values], dtype=object)
    known = np.array([value is not None for value in variable.values], dtype=np.bool_)
    table = np.array([[int((mask & known & (values == level)).sum()) for mask in masks] for level in variable.order])
    totals = table.sum(axis=0)
    testable = (table.sum(axis=1) > 0).sum() > 1 and bool((totals > 0).all())
    smd = _level_smd(table, rules.divisor) if len(masks) == 2 and (totals > 0).all() else None
    head = Row(
        variable=variable.name,
        level=None,
        overall=None,
        groups=(None,) * len(masks),
        missing=int((~known).sum()),
        test=_level_test(variable, table, masks, known, rules) if testable else None,
        smd=smd,
        digits=1,
    )
    body = [
        Row(
            variable=variable.name,
            level=level,
            overall=Share(int(cells.sum()), int(totals.sum())),
            groups=tuple(Share(int(cell), int(total)) for cell, total in zip(cells, totals, strict=True)),
            missing=0,
            test=None,
            smd=None,
            digits=1,
        )
        for level, cells in zip(variable.order, table, strict=True)
    ]
    return [head, *body]


def _level_smd(table: NDArray[np.int64], divisor: Divisor) -> float:
    """Of the first of two levels by shares; of more levels the distance over all, which knows both groups only."""
    if len(table) == 2:
        first, second = table[0] / table.sum(axis=0)
        return smd_shares(float(first), float(second), divisor=divisor)
    return smd_levels(table)


def _level_test(
    variable: Levels, table: NDArray[np.int64], masks: Sequence[Flags], known: Flags, rules: Rules
) -> TestResult:
    if rules.categorical == "wald":
        return _wald(variable, masks, known)
    return compare(table, test=None if rules.categorical == "cochran" else rules.categorical)


def _wald(variable: Levels, masks: Sequence[Flags], known: Flags) -> TestResult:
    """Wald's test of a logistic regression of the second group on a variable of two levels; else what the rule says."""
    rows = np.flatnonzero(known)
    texts = [str(variable.values[row]) for row in rows]
    present = [level for level in variable.order if level in texts]
    second = ["second" if masks[1][row] else "first" for row in rows]
    if len(present) == 2 and len(masks) == 2:
        try:
            model = fit(
                outcome(second, positive_class="second"), [categorical(variable.name, texts, reference=present[1])]
            )
        except NotConvergedError:
            pass
        else:
            (found,) = odds_ratios(model)
            return TestResult("logistic Wald", found.z, None, found.p)
    table = [
        [sum(text == level and mask[row] for text, row in zip(texts, rows, strict=True)) for mask in masks]
        for level in present
    ]
    return compare(table)


def compare_smd(pair: BeforeAfter) -> tuple[tuple[str, float, float], ...]:
    """Name of each variable with its standardised difference before and after, without sign: what a love plot draws."""
    found = {row.variable: abs(row.smd) for row in pair.after.rows if row.smd is not None}
    return tuple(
        (row.variable, abs(row.smd), found[row.variable])
        for row in pair.before.rows
        if row.smd is not None and row.variable in found
    )
