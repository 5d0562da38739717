"""Checks of what is printed about groups: p value, test, statistic and standardised difference from counts or means."""

from collections.abc import Iterator, Sequence
from itertools import product
from math import log, sqrt

import numpy as np
from scipy import stats

from pipelines.audit.entries import Counts, Means, Place
from pipelines.audit.findings import Finding
from pipelines.audit.shares import check_cell
from pipelines.statistics.contingency import chi_square, cochran_choice, exact_test, expected
from pipelines.statistics.groups import Mean, t_test_of
from pipelines.statistics.smd import smd_levels

NAMES = {
    "chi-square": "Pearson's chi-square",
    "yates": "chi-square with Yates's correction",
    "exact": "the exact test",
    "wald": "Wald's test of a logistic regression",
}


def check_counts(entry: Counts) -> Iterator[Finding]:
    """All checks of one variable by group."""
    yield from _sums(entry)
    if entry.percents is not None:
        columns = [sum(column) for column in zip(*entry.counts, strict=True)]
        for row, percents in zip(entry.counts, entry.percents, strict=True):
            for n, total, percent in zip(row, entry.sizes or columns, percents, strict=True):
                yield from check_cell(entry.place, n, total, percent)
    if entry.p is not None:
        yield from _p(entry)
    if entry.statistic is not None:
        found = chi_square(entry.counts).statistic
        if found is not None and not entry.statistic.allows(found):
            yield _finding("AUD-009", entry.place, entry.statistic.text, f"chi-square {found:.3f}")
    if entry.smd is not None:
        difference = smd_levels(entry.counts)
        if not entry.smd.allows(difference):
            yield _finding("AUD-010", entry.place, f"SMD {entry.smd.text}", f"SMD {difference:.3f} from the counts")


def check_methods(entries: Sequence[Counts]) -> Iterator[Finding]:
    """Whether the p values of each table can come from one method: tests of counts, or Wald's."""
    by_table: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for entry in entries:
        if entry.p is not None:
            by_table.setdefault(entry.place.table, []).append((entry.place.row, reproducing(entry)))
    for table, rows in by_table.items():
        regression = [row for row, tests in rows if tests == ("wald",)]
        counted = [row for row, tests in rows if tests and "wald" not in tests]
        if regression and counted:
            yield Finding(
                "AUD-008",
                table,
                "p values",
                "one column of p values",
                f"{NAMES['wald']} alone gives those of: {'; '.join(regression)}. "
                f"A test of counts alone gives those of: "
                f"{'; '.join(counted)}",
            )


def check_means(entry: Means) -> Iterator[Finding]:
    """Whether a t test gives the p value, for some means and deviations that round to the printed ones."""
    found: list[float] = []
    corners = product(*((value.low, value.value, value.high) for value in (*entry.means, *entry.sds)))
    for first, second, *sds in corners:
        if min(sds) > 0:
            groups = Mean(entry.n[0], first, sds[0]), Mean(entry.n[1], second, sds[1])
            found += [t_test_of(*groups, spread="equal").p, t_test_of(*groups, spread="unequal").p]
    # where the means may be equal, p reaches 1 between the corners
    if entry.means[0].meets(entry.means[1].low, entry.means[1].high):
        found.append(1.0)
    if not entry.p.meets(min(found), max(found)):
        yield _finding(
            "AUD-005", entry.place, f"p {entry.p.text}", f"p {min(found):.4f} to {max(found):.4f} by a t test"
        )


def p_values(counts: Sequence[Sequence[int]]) -> dict[str, float]:
    """The p value of each test that the table allows."""
    found = {"chi-square": chi_square(counts).p, "exact": exact_test(counts).p}
    if (len(counts), len(counts[0])) == (2, 2):
        (a, b), (c, d) = counts
        margins = expected(counts)
        apart = np.abs(np.array(counts) - margins)
        statistic = float(((apart - np.minimum(0.5, apart)) ** 2 / margins).sum())
        found["yates"] = float(stats.chi2.sf(statistic, 1))
        if a * b * c * d:
            z = log(a * d / (b * c)) / sqrt(1 / a + 1 / b + 1 / c + 1 / d)
            found["wald"] = float(2 * stats.norm.sf(abs(z)))
    return found


def reproducing(entry: Counts) -> tuple[str, ...]:
    """The tests whose p value is the printed one."""
    if entry.p is None:
        return ()
    return tuple(test for test, p in p_values(entry.counts).items() if entry.p.allows(p))


def _sums(entry: Counts) -> Iterator[Finding]:
    columns = tuple(sum(column) for column in zip(*entry.counts, strict=True))
    if entry.sizes is not None and columns != entry.sizes:
        yield _finding(
            "AUD-003", entry.place, f"groups of {_listed(entry.sizes)}", f"levels add up to {_listed(columns)}"
        )
    rows = tuple(sum(row) for row in entry.counts)
    if entry.totals is not None and rows != entry.totals:
        exchanged = sorted(rows) == sorted(entry.totals)
        hint = "; the counts of these levels are exchanged" if exchanged else ""
        wrong = [index for index, (row, total) in enumerate(zip(rows, entry.totals, strict=True)) if row != total]
        yield _finding(
            "AUD-003",
            entry.place,
            "; ".join(f"{'+'.join(map(str, entry.counts[index]))} = {entry.totals[index]}" for index in wrong),
            "; ".join(f"{'+'.join(map(str, entry.counts[index]))} = {rows[index]}" for index in wrong) + hint,
        )


def _p(entry: Counts) -> Iterator[Finding]:
    found, matching = p_values(entry.counts), reproducing(entry)
    printed = f"p {entry.p.text}" if entry.p is not None else ""
    told = ", ".join(f"{p:.4f} by {NAMES[test]}" for test, p in found.items())
    if not matching:
        yield _finding("AUD-005", entry.place, printed, told)
    elif entry.test is not None and entry.test not in matching:
        yield _finding(
            "AUD-006", entry.place, f"{printed} by {NAMES[entry.test]}", f"p is that of {NAMES[matching[0]]}"
        )
    used = entry.test or (matching[0] if len(matching) == 1 else None)
    if used == "chi-square" and "chi-square" in matching and cochran_choice(entry.counts) == "exact":
        margins = expected(entry.counts)
        yield _finding(
            "AUD-007",
            entry.place,
            f"{printed} by {NAMES['chi-square']}",
            f"p {found['exact']:.4f} by {NAMES['exact']}: {int((margins < 5).sum())} of {margins.size} cells expect "
            f"fewer than 5 cases, the smallest {margins.min():.2f}",
        )


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join(map(str, numbers))


def _finding(code: str, place: Place, printed: str, possible: str) -> Finding:
    return Finding(code, place.table, place.row, printed, possible)
