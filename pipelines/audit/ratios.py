"""Checks of odds ratios, hazard ratios and areas under the curve with their intervals and p values."""

from collections.abc import Iterator
from itertools import product
from math import log, sqrt

from scipy import stats

from pipelines.audit.entries import Area, Place, RatioEntry
from pipelines.audit.findings import Finding
from pipelines.audit.printed import Printed
from pipelines.statistics.contingency import odds_ratio
from pipelines.statistics.intervals import normal_quantile
from pipelines.statistics.roc import exact_binomial

_SIGNIFICANT = 0.05


def check_ratio(entry: RatioEntry) -> Iterator[Finding]:
    """All checks of one ratio."""
    told = f"{entry.estimate.text} ({entry.lower.text}–{entry.upper.text})"
    fits = _on_the_logarithm(entry)
    if not fits:
        yield _finding("AUD-011", entry.place, told, _possible(entry))
    if fits and entry.p is not None:
        yield from _p(entry, entry.p, told)
    if entry.counts is not None:
        yield from _from_counts(entry, entry.counts, told)
    if entry.claim is not None:
        higher = entry.estimate.value > 1
        if higher != (entry.claim == "higher") and not entry.estimate.allows(1.0):
            side = "higher" if higher else "lower"
            yield _finding(
                "AUD-015",
                entry.place,
                f"{told}, told as {entry.claim}",
                f"the event is told {side} by the ratio; the words fit its inverse, {1 / entry.estimate.value:.2f}",
            )


def check_area(entry: Area) -> Iterator[Finding]:
    """Whether the interval holds the area, and which construction gives it."""
    told = f"{entry.auc.text} ({entry.lower.text}–{entry.upper.text})"
    ordered = entry.lower.low <= entry.auc.high and entry.auc.low <= entry.upper.high
    if not (ordered and entry.lower.high >= 0 and entry.upper.low <= 1):
        yield _finding("AUD-017", entry.place, told, "the area lies within its interval, and both within 0 and 1")
        return
    below = entry.auc.low - entry.lower.high, entry.auc.high - entry.lower.low
    above = entry.upper.low - entry.auc.high, entry.upper.high - entry.auc.low
    # a limit that was cut at 1 is no longer symmetric
    symmetric = entry.upper.allows(1.0) or (below[0] <= above[1] and above[0] <= below[1])
    if not symmetric:
        steps = [entry.auc.low + (entry.auc.high - entry.auc.low) * step / 100 for step in range(101)]
        made = [exact_binomial(min(max(area, 0.0), 1.0), entry.n, level=entry.level) for area in steps]
        exact = any(entry.lower.allows(limits.lower) and entry.upper.allows(limits.upper) for limits in made)
        how = f"it is the exact binomial interval of area x {entry.n} cases" if exact else "how it was made is open"
        yield _finding("AUD-018", entry.place, told, f"not symmetric, so not DeLong's interval: {how}")


def _on_the_logarithm(entry: RatioEntry) -> bool:
    """Whether the estimate can be the geometric mean of the limits before rounding."""
    if not entry.lower.low <= entry.estimate.high or not entry.estimate.low <= entry.upper.high:
        return False
    low = max(entry.lower.low, 0.0) * entry.upper.low
    high = entry.lower.high * entry.upper.high
    return low <= entry.estimate.high**2 and max(entry.estimate.low, 0.0) ** 2 <= high


def _possible(entry: RatioEntry) -> str:
    estimate, lower, upper = entry.estimate.value, entry.lower.value, entry.upper.value
    return (
        f"ratio {sqrt(lower * upper):.2f} of these limits, or lower limit {estimate**2 / upper:.2f}, "
        f"or upper limit {estimate**2 / lower:.2f}"
    )


def _p(entry: RatioEntry, printed: Printed, told: str) -> Iterator[Finding]:
    """Wald's p of the interval against the printed one."""
    z_level = normal_quantile(entry.level)
    found: list[float] = []
    for estimate, lower, upper in product(
        *((v.low, v.value, v.high) for v in (entry.estimate, entry.lower, entry.upper))
    ):
        if 0 < lower < upper and estimate > 0:
            found.append(float(2 * stats.norm.sf(abs(log(estimate)) / ((log(upper) - log(lower)) / (2 * z_level)))))
    if entry.estimate.allows(1.0):
        found.append(1.0)
    if printed.meets(min(found), max(found)):
        return
    holds_one = entry.lower.high < 1 < entry.upper.low
    excludes_one = entry.lower.low > 1 or entry.upper.high < 1
    decided = printed.high < _SIGNIFICANT and holds_one, printed.low > _SIGNIFICANT and excludes_one
    code = "AUD-012" if any(decided) and entry.level == 0.95 else "AUD-013"
    yield _finding(
        code,
        entry.place,
        f"{told}, p {printed.text}",
        f"p {min(found):.3g} to {max(found):.3g} by Wald; another test, such as the log-rank test, made the p value",
    )


def _from_counts(entry: RatioEntry, counts: tuple[tuple[int, ...], ...], told: str) -> Iterator[Finding]:
    found = odds_ratio(counts, level=entry.level)
    limits = found.interval
    if not (
        entry.estimate.allows(found.estimate) and entry.lower.allows(limits.lower) and entry.upper.allows(limits.upper)
    ):
        yield _finding(
            "AUD-014",
            entry.place,
            told,
            f"{found.estimate:.3f} ({limits.lower:.3f}–{limits.upper:.3f}) from the counts, unadjusted",
        )


def _finding(code: str, place: Place, printed: str, possible: str) -> Finding:
    return Finding(code, place.table, place.row, printed, possible)
