"""Turns the options of `pulmonode train` into a request."""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final

import click

from node.commands.train.package import Labels
from node.commands.train.run import Request
from pipelines.cohort.folder import OutcomeChoice
from pipelines.training.lasso_cv import LEAST_PER_FOLD_FOR_AUC
from pipelines.training.profiles import PROFILES, Profile

_DEFAULT: Final = OutcomeChoice()
# the results do not depend on it
_NOT_TOLD: Final = frozenset({"jobs"})


def request_of(context: click.Context) -> Request:
    """The request of a call.

    Raises
    ------
    click.UsageError
        If options contradict each other.
    """
    given: Mapping[str, Any] = context.params
    return Request(
        folder=given["cohort"],
        output=given["output"],
        arguments=_told(context),
        choice=_choice(given),
        profile=_profile(given),
        labels=Labels(
            name=given["name"],
            version=given["model_version"],
            licence=given["licence"],
            intended_use=given["intended_use"],
            data=given["described"],
            data_from=_day(given["data_from"]),
            data_to=_day(given["data_to"]),
            demonstration=given["demonstration"],
        ),
        seed=given["seed"],
        jobs=given["jobs"] or os.cpu_count() or 1,
        by_site=given["by_site"],
        reliable=given["reliable"],
        extraction=given["extraction"],
    )


def _told(context: click.Context) -> tuple[str, ...]:
    """The call with every option that has a value, those by default too, so that it means the same for ever."""
    told = ["pulmonode", "train"]
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if parameter.name in _NOT_TOLD or value is None or value is False:
            continue
        if isinstance(parameter, click.Argument):
            told.append(str(value))
        else:
            told.append(max(parameter.opts, key=len))
            told += [] if value is True else [str(value)]
    return tuple(told)


def _choice(given: Mapping[str, Any]) -> OutcomeChoice:
    positive, negative = _listed(given["positive"]), _listed(given["negative"])
    usual = given["outcome"] == _DEFAULT.column and positive == _DEFAULT.positive and not negative
    if not positive:
        raise click.UsageError("--positive names no value.")
    if set(positive) & set(negative):
        raise click.UsageError("--positive and --negative name the same value.")
    names = (
        (_DEFAULT.positive_class, _DEFAULT.negative_class)
        if usual
        else (
            f"{given['outcome']} {'/'.join(positive)}",
            f"{given['outcome']} {'/'.join(negative) or 'other'}",
        )
    )
    return OutcomeChoice(
        column=given["outcome"],
        positive=positive,
        negative=_DEFAULT.negative if usual else negative,
        positive_class=given["positive_class"] or names[0],
        negative_class=given["negative_class"] or names[1],
        covariates=None if given["covariates"] is None else _listed(given["covariates"]),
    )


def _profile(given: Mapping[str, Any]) -> Profile:
    chosen = PROFILES[given["profile"]]
    recipe, validation = chosen.recipe, chosen.validation
    if given["measure"] is not None:
        recipe = replace(recipe, measure=given["measure"])
    if given["measure"] == "auc":
        # with ten folds the AUC needs a hundred patients, in every training part of an outer fold
        recipe = replace(recipe, folds=min(recipe.folds, LEAST_PER_FOLD_FOR_AUC // 2))
    if given["rule"] is not None:
        recipe = replace(recipe, rule=given["rule"])
    if given["repeats"] is not None:
        folds = (validation.outer_folds or 5) if given["repeats"] else 0
        validation = replace(validation, outer_repeats=given["repeats"], outer_folds=folds)
    if given["bootstraps"] is not None:
        validation = replace(validation, bootstraps=given["bootstraps"])
    if given["permutations"] is not None:
        validation = replace(validation, permutations=given["permutations"])
    return replace(chosen, recipe=recipe, validation=validation)


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _day(text: str | None) -> str:
    if text is None:
        return ""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as fault:
        raise click.UsageError(f"{text} is no date such as 2024-12-31.") from fault
