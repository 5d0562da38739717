"""Stepwise selection of the terms of a logistic model by Akaike's information criterion."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.statistics.logistic import LogisticModel, Penalty, fit
from pipelines.statistics.values import Outcome, Term

Direction = Literal["backward", "forward", "both"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `change` is empty at the start, else `- term` or `+ term`."""

    change: str
    aic: float


@dataclass(frozen=True, slots=True)
class Selection:
    """The model that no single step improves, and the way to it."""

    model: LogisticModel
    steps: tuple[Step, ...]


def select(
    outcome: Outcome,
    candidates: Sequence[Term],
    *,
    direction: Direction = "backward",
    forced: Sequence[str] = (),
    penalty: Penalty = "none",
) -> Selection:
    """Drop or add one whole term at a time as long as the criterion falls.

    `backward` starts from all terms, `forward` and `both` from the `forced` ones, which no step drops.

    References
    ----------
    `MASS::stepAIC`, k = 2: what falls most is taken; at a tie the first, with drops before additions.
    """
    by_name = {term.name: term for term in candidates}
    kept = [term.name for term in candidates if direction == "backward" or term.name in forced]

    def fitted(names: Sequence[str]) -> LogisticModel:
        return fit(outcome, [by_name[name] for name in names], penalty=penalty)

    current = fitted(kept)
    steps = [Step("", current.aic)]
    while True:
        options: list[tuple[str, list[str]]] = []
        if direction != "forward":
            options += [(f"- {name}", [n for n in kept if n != name]) for name in kept if name not in forced]
        if direction != "backward":
            options += [(f"+ {name}", [*kept, name]) for name in by_name if name not in kept]
        models = [(fitted(names), change, names) for change, names in options]
        if not models:
            break
        best, change, names = min(models, key=lambda option: option[0].aic)
        # R's stepAIC asks for this much, so that rounding cannot make it go round in circles
        if best.aic >= current.aic - 1e-7:
            break
        current, kept = best, names
        steps.append(Step(change, best.aic))
    return Selection(current, tuple(steps))
