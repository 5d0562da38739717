"""Shares of patients: response, sites of progression, pattern over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from pipelines.cohort.huang.balance import is_oligo
from pipelines.cohort.huang.columns import SITES
from pipelines.cohort.huang.endpoints import months
from pipelines.cohort.huang.patients import Patient
from pipelines.statistics.contingency import Ratio, chi_square, compare, exact_test, odds_ratio, trend
from pipelines.statistics.intervals import Proportion, proportion
from pipelines.statistics.values import TestResult

GROUPS: Final = ("Oligoprogression", "Systemic progression")


@dataclass(frozen=True, slots=True)
class ResponseRate:
    """Objective response of both groups.

    Attributes
    ----------
    evaluable, treated
        CR and PR over those with an evaluable response, and over all, by group (Clopper-Pearson).
    ratio
        Odds ratio of a response under oligoprogression, over the evaluable.
    chi_square, exact
        Both tests over the evaluable; None where a group is empty.
    """

    evaluable: tuple[Proportion, Proportion]
    treated: tuple[Proportion, Proportion]
    ratio: Ratio | None
    chi_square: TestResult | None
    exact: TestResult | None


def response_rate(everyone: Sequence[Patient], level: float = 0.95) -> ResponseRate:
    """Objective response rate by pattern of progression."""
    groups = _groups(everyone)
    hits = [sum(one.best_response in ("CR", "PR") for one in group) for group in groups]
    judged = [sum(one.best_response not in (None, "NE") for one in group) for group in groups]
    table = np.array([[hit, n - hit] for hit, n in zip(hits, judged, strict=True)])
    testable = all(judged) and 0 < sum(hits) < sum(judged)
    return ResponseRate(
        _pair([proportion(hit, n, level=level) for hit, n in zip(hits, judged, strict=True)]),
        _pair([proportion(hit, len(group), level=level) for hit, group in zip(hits, groups, strict=True)]),
        odds_ratio(table, level=level) if testable else None,
        chi_square(table) if testable else None,
        exact_test(table) if testable else None,
    )


@dataclass(frozen=True, slots=True)
class SiteShare:
    """How often one organ progressed in each group; a patient may have several."""

    site: str
    shares: tuple[Proportion, Proportion]
    test: TestResult | None


def sites_of_progression(everyone: Sequence[Patient], level: float = 0.95) -> tuple[SiteShare, ...]:
    """Each organ's share by group, over the patients whose sites are known, with its own test."""
    groups = [[one for one in group if one.progression_sites is not None] for group in _groups(everyone)]
    found = []
    for site in SITES:
        hits = [sum(site in (one.progression_sites or ()) for one in group) for group in groups]
        table = np.array([[hit, len(group) - hit] for hit, group in zip(hits, groups, strict=True)])
        testable = all(groups) and 0 < sum(hits) < sum(map(len, groups))
        shares = [proportion(hit, len(group), level=level) for hit, group in zip(hits, groups, strict=True)]
        found.append(SiteShare(site, _pair(shares), compare(table) if testable else None))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class SiteFlow:
    """Patients with one organ at baseline and one at progression.

    Attributes
    ----------
    patients, with_source
        Both denominators: all whose sites are known, and those with the organ at baseline.
    """

    source: str
    target: str
    n: int
    patients: int
    with_source: int


def site_flows(everyone: Sequence[Patient]) -> tuple[SiteFlow, ...]:
    """From every organ at baseline to every organ of progression."""
    known = [one for one in everyone if one.baseline_sites is not None and one.progression_sites is not None]
    found = []
    for source in SITES:
        base = [one for one in known if source in (one.baseline_sites or ())]
        for target in SITES:
            n = sum(target in (one.progression_sites or ()) for one in base)
            found.append(SiteFlow(source, target, n, len(known), len(base)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class TimeBin:
    """Share of systemic progression among those who progressed within one stretch of time."""

    label: str
    systemic: Proportion


@dataclass(frozen=True, slots=True)
class PatternOverTime:
    """The pattern by time to progression, with the test of a trend over the bins (Cochran-Armitage)."""

    bins: tuple[TimeBin, ...]
    trend: TestResult | None


def pattern_over_time(everyone: Sequence[Patient], edges: Sequence[float], level: float = 0.95) -> PatternOverTime:
    """Share of systemic progression in bins of time.

    Parameters
    ----------
    edges
        Inner edges in months; a bin holds its lower edge. The paper speaks of less than 8 months and more than 10.
    """
    progressed = [one for one in everyone if one.progression is not None]
    times = np.array([months(one.treatment_start, one.progression or one.treatment_start) for one in progressed])
    systemic = ~is_oligo(progressed)
    place = np.searchsorted(np.asarray(edges, dtype=np.float64), times, side="right")
    totals = np.bincount(place, minlength=len(edges) + 1)
    hits = np.bincount(place, weights=systemic, minlength=len(edges) + 1).astype(int)
    labels = [f"< {edges[0]:g}", *(f"{a:g} to < {b:g}" for a, b in pairwise(edges))]
    labels.append(f">= {edges[-1]:g}")
    bins = tuple(
        TimeBin(label, proportion(int(hit), int(n), level=level))
        for label, hit, n in zip(labels, hits, totals, strict=True)
    )
    filled = totals > 0
    testable = filled.sum() > 1 and 0 < hits.sum() < totals.sum()
    scores = np.arange(1, totals.size + 1)[filled]
    return PatternOverTime(bins, trend(hits[filled], totals[filled], scores=scores) if testable else None)


def _groups(everyone: Sequence[Patient]) -> list[list[Patient]]:
    oligo = is_oligo(everyone)
    return [[one for one, flag in zip(everyone, oligo, strict=True) if flag == wanted] for wanted in (True, False)]


def _pair(found: Sequence[Proportion]) -> tuple[Proportion, Proportion]:
    first, second = found
    return first, second
