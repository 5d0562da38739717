"""A proposal of target lesions, which a reader confirms or changes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.domain.organs import Organ
from pipelines.domain.recist import LesionId, LesionObservation, LesionRole, RecistRules, TimePoint
from pipelines.response.measurability import Measurability, measurability


@dataclass(frozen=True, slots=True)
class Proposal:
    """The role proposed for a lesion seen at baseline, and why."""

    lesion: LesionId
    role: LesionRole
    why: str


def propose_roles(
    baseline: TimePoint, rules: RecistRules, *, irradiated: frozenset[LesionId] = frozenset()
) -> tuple[Proposal, ...]:
    """Choose target lesions by size: five at most, two of an organ; what else is disease is non-target.

    The longest counts first, by the axis that is measured; of equal ones the one seen on thinner slices, which measures
    more reproducibly, and then the one whose long and short axis differ least. Organs count as `Organ` names them:
    both lungs are one, all nodes are one. Lesions in unknown organs count as one organ, too, so that the limit holds.

    References
    ----------
    Eisenhauer et al. 2009, section 3.2; the EORTC's answers on lymph nodes and paired organs.
    """
    proposals = []
    measurable: list[tuple[LesionObservation, str]] = []
    for seen in baseline.observations:
        kind, why = measurability(seen, irradiated=seen.lesion in irradiated)
        match kind:
            case Measurability.MEASURABLE:
                measurable.append((seen, why))
            case Measurability.NON_MEASURABLE:
                proposals.append(Proposal(seen.lesion, LesionRole.NON_TARGET, why))
            case Measurability.NO_DISEASE:
                proposals.append(Proposal(seen.lesion, LesionRole.EXCLUDED, why))
    of_organ: Counter[Organ] = Counter()
    for seen, why in sorted(measurable, key=_order):
        organ = counted_organ(seen)
        if of_organ.total() >= rules.most_targets:
            proposals.append(Proposal(seen.lesion, LesionRole.NON_TARGET, f"{why}, after {rules.most_targets} targets"))
        elif of_organ[organ] >= rules.most_per_organ:
            proposals.append(
                Proposal(seen.lesion, LesionRole.NON_TARGET, f"{why}, after {rules.most_per_organ} in {organ.value}")
            )
        else:
            of_organ[organ] += 1
            proposals.append(Proposal(seen.lesion, LesionRole.TARGET, why))
    return tuple(sorted(proposals, key=lambda proposal: proposal.lesion))


def counted_organ(seen: LesionObservation) -> Organ:
    """The organ that a lesion is counted in: for a node that of all nodes, wherever it lies."""
    return Organ.LYMPH_NODE if seen.is_node else seen.organ


def too_many(targets: Sequence[LesionObservation], rules: RecistRules) -> str | None:
    """What is wrong with a reader's choice of targets, if anything."""
    if len(targets) > rules.most_targets:
        return f"{len(targets)} target lesions are more than {rules.most_targets}"
    for organ, count in sorted(Counter(map(counted_organ, targets)).items()):
        if count > rules.most_per_organ:
            return f"{count} target lesions in one organ ({organ.value}) are more than {rules.most_per_organ}"
    return None


def _order(found: tuple[LesionObservation, str]) -> tuple[int, int, int, str]:
    seen, _ = found
    assert seen.axis is not None
    spread = (seen.long_axis or 0) - (seen.short_axis or 0)
    return -seen.axis, seen.slice_thickness or 10_000, spread, seen.lesion
