"""The Rad-signature of a patient: a model applied to the features of the largest lesion."""

import math
from collections.abc import Sequence

from pipelines.domain.case import MeasuredLesion
from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Contribution, Score, ScoreClass
from pipelines.scoring.model import Model, ModelFeature


def score(model: Model, lesions: Sequence[MeasuredLesion]) -> Score | Rejected:
    """Apply `model` to the measured lesion with the most voxels, the lower number first among equals.

    Returns
    -------
    Score
        With the contributions in descending order of their size.
    Rejected
        `MODEL-005` when no lesion has features, or when one that the model needs is not defined for the lesion.

    References
    ----------
    Dong & Chen 2025, section 1.3.3: logistic regression on the selected features. The paper does not say which lesion
    counts when there are several.
    """
    measured = [(lesion.lesion, lesion.features) for lesion in lesions if isinstance(lesion.features, FeatureVector)]
    if not measured:
        return Rejected(
            "MODEL-005",
            f"None of the {len(lesions)} lesions has features to score.",
            "See the reason beside each lesion and send a corrected segmentation.",
        )
    lesion, features = min(measured, key=lambda pair: (-pair[0].mask.count, pair[0].number))
    values = features.select([feature.name for feature in model.features])
    undefined = [f.name for f, value in zip(model.features, values, strict=True) if not math.isfinite(value)]
    if undefined:
        return Rejected(
            "MODEL-005",
            f"Lesion {lesion.number} has no value for {', '.join(undefined)}, which model {model.name} "
            f"{model.version} needs.",
            "Check the contour of this lesion: very small or uniform lesions have no texture. Send a corrected "
            "segmentation.",
        )
    contributions = [_contribution(f, float(value)) for f, value in zip(model.features, values, strict=True)]
    signature = math.fsum((model.intercept, *(c.term for c in contributions)))
    probability = expit(signature)
    positive = probability >= model.cut_off.value
    return Score(
        model=model.identity,
        signature=signature,
        probability=probability,
        cut_off=model.cut_off.value,
        cut_off_rule=model.cut_off.rule,
        outcome=ScoreClass.POSITIVE if positive else ScoreClass.NEGATIVE,
        outcome_label=model.positive_class if positive else model.negative_class,
        lesion_number=lesion.number,
        contributions=tuple(sorted(contributions, key=lambda c: (-abs(c.term), c.feature))),
    )


def expit(linear_predictor: float) -> float:
    """Logistic transform 1 / (1 + exp(-x)), without overflow for any finite x.

    Examples
    --------
    >>> expit(0.0), expit(-1000.0), expit(1000.0)
    (0.5, 0.0, 1.0)
    """
    # the exponent is never positive: exp of a large number would overflow
    small = math.exp(-abs(linear_predictor))
    return 1.0 / (1.0 + small) if linear_predictor >= 0 else small / (1.0 + small)


def _contribution(feature: ModelFeature, value: float) -> Contribution:
    standardised = (value - feature.mean) / feature.sd
    return Contribution(feature.name, value, standardised, feature.coefficient * standardised)
