"""Best overall response of a patient, confirmed or not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.domain.assessment import BestResponse
from pipelines.domain.recist import RecistRules
from pipelines.domain.responses import OverallResponse
from pipelines.domain.scan_date import ScanDate, days_between

CR, PR, SD, PD, NE = (OverallResponse[name] for name in ("CR", "PR", "SD", "PD", "NE"))
NEITHER: Final = OverallResponse.NON_CR_NON_PD


@dataclass(frozen=True, slots=True)
class Visited:
    """The overall response of one visit."""

    on: ScanDate
    response: OverallResponse


def best_response(
    visits: Sequence[Visited],
    rules: RecistRules,
    *,
    start: ScanDate | None,
    new_therapy: ScanDate | None = None,
    death: ScanDate | None = None,
) -> BestResponse:
    """The best response up to the first progression or the next treatment, whichever comes first.

    Parameters
    ----------
    visits
        In order, without the baseline.
    start
        Of treatment, from which the least time of stable disease counts; None when it is not known.

    References
    ----------
    Eisenhauer et al. 2009, section 4.4 and table 3. Where confirmation is asked for, a response that is not confirmed
    counts as stable disease, if it came late enough for that.
    """
    counted = _counted(visits, new_therapy, rules)
    if rules.confirm:
        complete = _first(counted, lambda at: _confirmed_complete(counted, at, rules))
        partial = _first(counted, lambda at: _confirmed_partial(counted, at, rules))
    else:
        complete = _first(counted, lambda at: counted[at].response is CR)
        partial = _first(counted, lambda at: counted[at].response is PR)
    confirmed = True if rules.confirm else None
    if complete is not None:
        return BestResponse(CR, complete.on, "complete response", confirmed)
    if partial is not None:
        return BestResponse(PR, partial.on, "partial response", confirmed)
    lasting = [seen for seen in counted if start is not None and _late_enough(seen.on, start, rules)]
    stable = next((seen for seen in lasting if seen.response in (CR, PR, SD)), None)
    if stable is not None:
        why = "stable disease" if stable.response is SD else f"{stable.response.value} that was not confirmed"
        return BestResponse(SD, stable.on, f"{why}, {rules.least_sd_days} days or more after the start")
    neither = next((seen for seen in lasting if seen.response is NEITHER), None)
    if neither is not None:
        return BestResponse(NEITHER, neither.on, f"{rules.least_sd_days} days or more after the start")
    if start is None and any(seen.response in (CR, PR, SD, NEITHER) for seen in counted):
        return BestResponse(NE, counted[0].on, "the start of treatment is not known, so no stable disease can count")
    progression = next((seen for seen in counted if seen.response is PD), None)
    if progression is not None:
        return BestResponse(PD, progression.on, "progression before any other response")
    return _none(counted, rules, death)


def _none(counted: Sequence[Visited], rules: RecistRules, death: ScanDate | None) -> BestResponse:
    evaluable = [seen for seen in counted if seen.response is not NE]
    if death is not None and not evaluable:
        said = OverallResponse(rules.early_death)
        return BestResponse(said, death, "died before the first evaluable assessment")
    if not counted:
        return BestResponse(NE, None, "no assessment after the baseline")
    if evaluable:
        return BestResponse(NE, counted[0].on, f"assessed before day {rules.least_sd_days} only")
    return BestResponse(NE, counted[0].on, "no evaluable assessment")


def _counted(visits: Sequence[Visited], new_therapy: ScanDate | None, rules: RecistRules) -> list[Visited]:
    counted = []
    for seen in visits:
        # a visit that may lie before or after the new treatment does not count for the old one
        if new_therapy is not None and seen.on.latest >= new_therapy.earliest:
            break
        counted.append(seen)
        if seen.response is PD and not rules.past_progression:
            break
    return counted


def _late_enough(on: ScanDate, start: ScanDate, rules: RecistRules) -> bool:
    return days_between(start, on).at_least(rules.least_sd_days) is True


def _first(counted: Sequence[Visited], holds: Callable[[int], bool]) -> Visited | None:
    return next((counted[at] for at in range(len(counted)) if holds(at)), None)


def _confirmation(
    counted: Sequence[Visited], at: int, by: frozenset[OverallResponse], rules: RecistRules
) -> list[OverallResponse] | None:
    """Responses after `at` up to the first that is late enough and one of `by`; None without such a one."""
    passed = []
    for seen in counted[at + 1 :]:
        passed.append(seen.response)
        if seen.response in by and days_between(counted[at].on, seen.on).at_least(rules.confirm_days):
            return passed
    return None


def _confirmed_complete(counted: Sequence[Visited], at: int, rules: RecistRules) -> bool:
    if counted[at].response is not CR:
        return False
    passed = _confirmation(counted, at, frozenset({CR}), rules)
    return passed is not None and set(passed) <= {CR, NE} and passed.count(NE) <= rules.most_ne_between


def _confirmed_partial(counted: Sequence[Visited], at: int, rules: RecistRules) -> bool:
    if counted[at].response is not PR:
        return False
    passed = _confirmation(counted, at, frozenset({CR, PR}), rules)
    if passed is None or not set(passed) <= {CR, PR, SD, NE}:
        return False
    relapsed = CR in passed and PR in passed[passed.index(CR) :]
    return (
        not relapsed
        and passed.count(NE) <= rules.most_ne_between
        and passed.count(SD) <= (1 if rules.sd_between else 0)
    )
