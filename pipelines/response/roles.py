"""The role of every lesion of a patient: as readers decided, and else as proposed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import Decisions, LesionId, LesionRole, LesionState, RecistRules, TimePoint
from pipelines.response.targets import propose_roles, too_many


@dataclass(frozen=True, slots=True)
class Roles:
    """Role by lesion, and notes on what a reader has yet to decide."""

    by_lesion: Mapping[LesionId, LesionRole]
    notes: tuple[Rejected, ...] = ()

    def having(self, role: LesionRole) -> tuple[LesionId, ...]:
        return tuple(sorted(lesion for lesion, given in self.by_lesion.items() if given is role))


def roles_of(visits: Sequence[TimePoint], decisions: Decisions, rules: RecistRules) -> Roles | Rejected:
    """Give each lesion its role.

    A lesion that the baseline shows is a target or a non-target lesion. Once a reader chose a target, what they left at
    baseline is non-target if it is disease at all; before that, targets are proposed. A lesion that a later visit shows
    first is new, and so is a node that was normal at baseline, should it grow.

    Returns
    -------
    Roles
        Of all lesions of all visits.
    Rejected
        `RSP-003` when decisions name a target that the baseline did not measure, or more than the rules allow.
    """
    baseline = visits[0]
    proposed = {
        proposal.lesion: proposal.role for proposal in propose_roles(baseline, rules, irradiated=decisions.irradiated)
    }
    chosen = sorted(lesion for lesion, role in decisions.roles.items() if role is LesionRole.TARGET)
    wrong = _wrong_targets(baseline, chosen, rules)
    if wrong is not None:
        return wrong
    roles: dict[LesionId, LesionRole] = {}
    for visit in visits:
        for seen in visit.observations:
            if seen.lesion in roles:
                continue
            role = decisions.roles.get(seen.lesion)
            if role is None and visit is baseline and seen.state is not LesionState.ABSENT:
                role = proposed[seen.lesion]
                if role is LesionRole.TARGET and chosen:
                    role = LesionRole.NON_TARGET
                elif role is LesionRole.EXCLUDED and seen.is_node:
                    role = LesionRole.NEW
            roles[seen.lesion] = LesionRole.NEW if role is None else role
    roles |= {lesion: role for lesion, role in decisions.roles.items() if role in _EXPECTED and lesion not in roles}
    passed_over = [
        lesion
        for lesion, role in proposed.items()
        if chosen and role is LesionRole.TARGET and lesion not in decisions.roles
    ]
    return Roles(roles, tuple(_open(baseline, roles, chosen, passed_over)))


_EXPECTED = (LesionRole.TARGET, LesionRole.NON_TARGET)


def _wrong_targets(baseline: TimePoint, chosen: Sequence[LesionId], rules: RecistRules) -> Rejected | None:
    seen = [found for lesion in chosen if (found := baseline.of(lesion)) is not None]
    if len(seen) < len(chosen):
        why = f"{len(chosen) - len(seen)} target lesions were chosen that the baseline does not show"
    else:
        unmeasured = sum(found.state is not LesionState.MEASURED for found in seen)
        why = (
            f"{unmeasured} target lesions were not measured at baseline" if unmeasured else too_many(seen, rules) or ""
        )
    if not why:
        return None
    return Rejected("RSP-003", f"{why[0].upper()}{why[1:]}.", "Choose the target lesions of the baseline anew.")


def _open(
    baseline: TimePoint,
    roles: Mapping[LesionId, LesionRole],
    chosen: Sequence[LesionId],
    passed_over: Sequence[LesionId],
) -> list[Rejected]:
    """What a reader has yet to decide: all targets, or those that stopped being one when they chose others."""
    targets = sum(role is LesionRole.TARGET for role in roles.values())
    if not baseline.observations or (chosen and not passed_over):
        return []
    if chosen:
        why = (
            f"Time point {baseline.label}, measurable lesions that count as non-target since a reader chose targets "
            f"and left these undecided: {len(passed_over)}. Their growth is no part of the sum."
        )
        return [Rejected("RSP-005", why, "Decide each of them: target or non-target.")]
    return [
        Rejected(
            "RSP-005",
            f"Time point {baseline.label}, target lesions proposed by size that no reader chose: {targets}.",
            "Confirm or change the choice of target and non-target lesions.",
        )
    ]
