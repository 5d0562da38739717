"""Which features are mapped: those that are asked for, and those that the model weighs most."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.domain.feature_codes import can_be_mapped
from pipelines.scoring.model import Model

OF_THE_MODEL: Final = "model"
"""Stands for the model's own features among those that are asked for."""
WITHOUT_A_MODEL: Final = "original_firstorder_Entropy"
"""Mapped in place of the model's features when there is no model, or when none of its features can be mapped."""


@dataclass(frozen=True, slots=True)
class MapChoice:
    """Features to map, the most wanted first, and why each was chosen."""

    features: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        chosen = zip(self.features, self.reasons, strict=True)
        return "; ".join(f"{feature} ({reason})" for feature, reason in chosen) or "none"


def choose_maps(asked: Sequence[str], model: Model | None, *, model_features: int) -> MapChoice:
    """Put the features of `model` with the largest coefficients in the place of "model".

    Coefficients are compared, which belong to standardised values, and not the contributions in a case: all cases that
    a model scores have the same maps, so they can be compared over patients and over time.

    Parameters
    ----------
    model_features
        How many of the model's features to take, of those that can be mapped.
    """
    chosen: dict[str, str] = {}
    for feature in asked:
        if feature == OF_THE_MODEL:
            for name, reason in _of_model(model, model_features):
                chosen.setdefault(name, reason)
        else:
            chosen.setdefault(feature, "configured")
    return MapChoice(tuple(chosen), tuple(chosen.values()))


def _of_model(model: Model | None, count: int) -> list[tuple[str, str]]:
    if model is None:
        return [(WITHOUT_A_MODEL, "the default without a model")]
    weighed = sorted(model.features, key=lambda feature: (-abs(feature.coefficient), feature.name))
    mappable = [feature for feature in weighed if can_be_mapped(feature.name)][:count]
    if not mappable:
        return [(WITHOUT_A_MODEL, f"the default: {model.name} {model.version} has no feature that can be mapped")]
    return [
        (feature.name, f"coefficient {feature.coefficient:+.4g} in {model.name} {model.version}")
        for feature in mappable
    ]
