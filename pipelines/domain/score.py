"""What a model says about a patient."""

from dataclasses import dataclass
from enum import StrEnum

from pipelines.domain.reasons import Rejected


class ScoreClass(StrEnum):
    """The side of the cut-off on which the probability lies."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model package made a score, as it is printed everywhere beside the score."""

    name: str
    version: str
    sha256: str
    licence: str
    intended_use: str
    demonstration: bool
    """True for a model that must not be used for patients."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature adds to the Rad-signature."""

    feature: str
    value: float
    standardised: float
    term: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a score lies among those of the training cases.

    Attributes
    ----------
    positive_percentile, negative_percentile
        Share of the training cases of either class with a lower score, 0 to 100.
    positives, negatives
        How many cases those are shares of.
    lowest, highest
        Linear predictor of the training cases, over both classes.
    """

    positive_percentile: float
    negative_percentile: float
    positives: int
    negatives: int
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class ScaledScore:
    """The score on the scale that the model's owner prints, with the name of that scale."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Score:
    """The Rad-signature of one patient.

    Attributes
    ----------
    signature
        Linear predictor: intercept plus the sum of the terms.
    probability
        Logistic transform of `signature`, 0 to 1.
    cut_off
        Probability from which on the class is positive (>=).
    outcome
        Class of this case.
    outcome_label
        What that class means, in the model's own words.
    lesion_number
        The lesion whose features were used.
    place
        None when the model does not say how its training cases scored.
    scaled
        None when the score is the signature itself.
    warnings
        In what the case is unlike the training data.
    """

    model: ModelIdentity
    signature: float
    probability: float
    cut_off: float
    cut_off_rule: str
    outcome: ScoreClass
    outcome_label: str
    lesion_number: int
    contributions: tuple[Contribution, ...]
    place: Place | None = None
    scaled: ScaledScore | None = None
    warnings: tuple[Rejected, ...] = ()
