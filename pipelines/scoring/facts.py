"""What a model says about itself: how to compute its score, and what it was made from."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from pipelines.scoring.parts import Count, Day, Fraction, Name, Number, Part, Positive, Sha256, Text
from pipelines.scoring.reference import Reference

SCHEMA_VERSION: Final = 2


class ModelFeature(Part):
    """One term of the linear predictor: coefficient * (value - mean) / sd.

    Attributes
    ----------
    name
        Exactly as PyRadiomics names it.
    mean, sd
        Of the feature in the training data.
    """

    name: Text
    coefficient: Number
    mean: Number
    sd: Positive


class CutOff(Part):
    """Probability from which on (>=) a case is of the positive class, and the rule that gave it."""

    value: Fraction
    rule: Text


class Extraction(Part):
    """Settings that the features of the training data were computed with."""

    profile: Text
    settings_sha256: Sha256


class ScoreScale(Part):
    """The scale on which a site prints its score, where it is not the linear predictor itself.

    score = offset + factor * (linear predictor or probability)
    """

    name: Text
    of: Literal["linear predictor", "probability"]
    factor: Number
    offset: Number

    @field_validator("factor")
    @classmethod
    def _says_something(cls, factor: float) -> float:
        if factor == 0:
            raise ValueError("is zero, so that every case has the same score")
        return factor


class Performance(Part):
    """How well the model did, by one measure on one set of cases.

    Attributes
    ----------
    measure
        Such as "AUC", "sensitivity", "Brier score".
    data
        Which cases: "apparent" (those that it was fitted to: too good for new ones), "internal" (cross-validation or
        bootstrap) or "external" (cases of which nothing was known when it was made).
    ci_low, ci_high
        Confidence interval, or None where none was computed; both or neither.
    ci_level
        Such as 0.95.
    method
        How the cases were set apart, and how the interval was computed.
    """

    measure: Text
    data: Literal["apparent", "internal", "external"]
    value: Number
    ci_low: Number | None = None
    ci_high: Number | None = None
    ci_level: Fraction | None = None
    method: Text

    @model_validator(mode="after")
    def _interval_fits(self) -> "Performance":
        given = [part is not None for part in (self.ci_low, self.ci_high, self.ci_level)]
        if any(given) != all(given):
            raise ValueError("an interval needs ci_low, ci_high and ci_level")
        if self.ci_low is not None and self.ci_high is not None and not self.ci_low <= self.value <= self.ci_high:
            raise ValueError("the value lies outside its interval")
        return self


class Training(Part):
    """What the model was made from.

    Attributes
    ----------
    data
        Description of the cases, for people.
    n, events
        Cases, and how many of them belong to the positive class.
    data_from, data_to
        First and last study date, YYYY-MM-DD.
    feature_selection, estimator
        How the features were chosen and the coefficients fitted.
    software
        Version of everything that touched the numbers, by name.
    """

    data: Text
    n: Count
    events: Annotated[int, Field(ge=0)]
    data_from: Day
    data_to: Day
    feature_selection: Text
    estimator: Text
    software: Mapping[Text, Text]

    @model_validator(mode="after")
    def _counts_fit(self) -> "Training":
        if self.events > self.n:
            raise ValueError("more events than cases")
        if self.data_from > self.data_to:
            raise ValueError("data_from is later than data_to")
        return self


class ModelFacts(Part):
    """A model as it is written.

    Attributes
    ----------
    kind
        How the probability follows from the linear predictor: 1 / (1 + exp(-x)).
    score_scale
        None when the score that is printed is the linear predictor.
    reference
        None when the training data is not known in numbers, as with coefficients from a paper: no case can then be
        compared with it.
    demonstration
        True for a model that must not be used for patients.
    positive_class, negative_class
        What the two sides of the cut-off mean, such as "predicted responder (CR/PR)".
    lesion_choice
        Which lesion is scored when a case has several.
    """

    schema_version: Literal[2]
    kind: Literal["logistic"]
    name: Name
    version: Name
    licence: Text
    intended_use: Text
    demonstration: bool
    positive_class: Text
    negative_class: Text
    features: Annotated[tuple[ModelFeature, ...], Field(min_length=1)]
    intercept: Number
    score_scale: ScoreScale | None = None
    cut_off: CutOff
    lesion_choice: Literal["largest"]
    extraction: Extraction
    training: Training
    performance: tuple[Performance, ...] = ()
    reference: Reference | None = None

    @field_validator("features")
    @classmethod
    def _each_feature_once(cls, features: tuple[ModelFeature, ...]) -> tuple[ModelFeature, ...]:
        names = [feature.name for feature in features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"named more than once: {', '.join(twice)}")
        return features

    @model_validator(mode="after")
    def _parts_fit(self) -> "ModelFacts":
        if self.positive_class == self.negative_class:
            raise ValueError("positive_class and negative_class are the same")
        reference = self.reference
        if reference is not None:
            if len(reference.features) != len(self.features):
                raise ValueError("reference.features are not as many as features")
            if reference.distance is not None and len(reference.distance.centre) != len(self.features):
                raise ValueError("reference.distance is not over as many features")
        return self
