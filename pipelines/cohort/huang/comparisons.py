"""Survival of two groups side by side, with every test named."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.cohort.huang.choices import Choices
from pipelines.domain.reasons import Rejected
from pipelines.statistics.cox import HazardRatio, NotEstimable, cox
from pipelines.statistics.logrank import LogRank, log_rank
from pipelines.statistics.proportional_hazards import ProportionalityTest, proportional_hazards
from pipelines.statistics.survival import (
    Durations,
    Estimate,
    SurvivalCurve,
    kaplan_meier,
    landmark,
    median_follow_up,
)

CIRCULAR: Final = (
    "The groups are made by the time to progression itself (6 months), so that their difference in PFS follows from "
    "the definition and tells nothing of the disease: see overall survival from the landmark and from progression."
)


@dataclass(frozen=True, slots=True)
class Arm:
    """One group of a comparison."""

    name: str
    patients: int
    events: int
    median: Estimate
    follow_up: Estimate
    curve: SurvivalCurve
    durations: Durations


@dataclass(frozen=True, slots=True)
class Comparison:
    """An end point in one or two groups.

    Attributes
    ----------
    key
        Short name for files, such as `pfs-pattern-before`.
    endpoint, population
        What is timed, and in whom.
    arms
        The second of two is the reference of the hazard ratio.
    hazard
        Ratio of the first arm against the second by Cox's model (Efron); its p is Wald's, beside the log-rank test's.
    proportional
        Score test of proportional hazards (cox.zph, transform km).
    warning
        What stands in the way of reading the comparison as an effect; None where nothing does.
    """

    key: str
    endpoint: str
    population: str
    arms: tuple[Arm, ...]
    hazard: HazardRatio | None
    test: LogRank | None
    proportional: ProportionalityTest | None
    warning: str | None = None


def arm(name: str, durations: Durations, choices: Choices) -> Arm:
    """One group by itself."""
    curve = kaplan_meier(durations, choices.interval, choices.level)
    return Arm(
        name,
        durations.time.size,
        int(durations.event.sum()),
        curve.median(),
        median_follow_up(durations, choices.interval),
        curve,
        durations,
    )


def alone(key: str, endpoint: str, population: str, name: str, durations: Durations, choices: Choices) -> Comparison:
    """An end point in one group."""
    return Comparison(key, endpoint, population, (arm(name, durations, choices),), None, None, None)


def compare(
    key: str,
    endpoint: str,
    population: str,
    names: tuple[str, str],
    durations: Durations,
    first: NDArray[np.bool_],
    choices: Choices,
    *,
    warning: str | None = None,
) -> Comparison | Rejected:
    """Compare two groups.

    Parameters
    ----------
    names
        Of the group in `first` and of the reference.
    first
        Which patients are in the first group.
    """
    if not first.any() or first.all():
        return _not_done(f"{endpoint}, {population}", f"nobody is in the group `{names[int(first.any())]}`")
    if not durations.event.any():
        return _not_done(f"{endpoint}, {population}", "there is no event")
    arms = (arm(names[0], durations.take(first), choices), arm(names[1], durations.take(~first), choices))
    x = first.astype(np.float64)[:, None]
    hazard: HazardRatio | None = None
    proportional: ProportionalityTest | None = None
    try:
        model = cox(durations, x, [f"{names[0]} vs {names[1]}"])
        hazard, proportional = model.ratios(choices.level)[0], proportional_hazards(durations, x, model)[0]
    except (NotEstimable, np.linalg.LinAlgError):
        # the log-rank test and the curves do without the model
        pass
    test = log_rank(durations, first.astype(np.int64))
    return Comparison(key, endpoint, population, arms, hazard, test, proportional, warning)


def compare_from_landmark(
    key: str,
    population: str,
    names: tuple[str, str],
    survival: Durations,
    first: NDArray[np.bool_],
    choices: Choices,
) -> Comparison | Rejected:
    """Overall survival from a landmark on, among those who reach it."""
    endpoint = f"OS from month {choices.landmark_months:g}"
    try:
        rows, after = landmark(survival, choices.landmark_months)
    except ValueError:
        return _not_done(f"{endpoint}, {population}", "nobody is observed that long")
    return compare(key, endpoint, population, names, after, first[rows], choices)


def split(found: Sequence[Comparison | Rejected]) -> tuple[tuple[Comparison, ...], tuple[Rejected, ...]]:
    """What could be compared, and why the rest could not."""
    return (
        tuple(one for one in found if isinstance(one, Comparison)),
        tuple(one for one in found if isinstance(one, Rejected)),
    )


def _not_done(what: str, why: str) -> Rejected:
    return Rejected(
        "COH-005", f"{what} was not compared: {why}.", "Fill in the columns that it needs, or disregard it."
    )
